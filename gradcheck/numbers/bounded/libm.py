"""What the functions of mathematical libraries lose, in units of the roundoff of the result's dtype.

Stated, not proved: no library promises more than a unit or so in the last place (two roundoffs). A test samples torch's
functions in each dtype against exact values, and fails if one loses more than is stated here. Arithmetic and the square
root are IEEE's, but some libraries' vectorised square root is not quite.
"""

DEFAULT = 2.0

ROUNDOFFS = {
    "acosh": 3.0,
    "acos": 2.0,
    "asinh": 3.0,
    "atanh": 3.0,
    "cosh": 3.0,
    "erfc": 4.0,
    "erfcx": 16.0,
    "erfinv": 8.0,
    "expm1": 3.0,
    "gelu": 8.0,
    "i0": 16.0,
    "i0e": 16.0,
    "i1": 16.0,
    "i1e": 16.0,
    "lgamma": 8.0,
    "ndtri": 16.0,
    "pow": 3.0,
    "rsqrt": 3.0,
    "sigmoid": 4.0,
    "sinh": 3.0,
    "digamma": 16.0,
    "polygamma": 32.0,
    "tan": 3.0,
    "zeta": 32.0,
}

HALVES_LOSE = {"erf": 2.0**-20}
"""By how much a half precision's kernel may be off besides, whatever the size of the result: torch's computes 1 − …"""

REFLECTION = 16.0
"""How often digamma and its derivatives round a negative argument, on the way by which they come to a positive one."""

TRIGAMMA = 2.0**-30
"""Relative to itself, what torch's derivative of digamma loses in any dtype: its series is cut off early."""

FLUSHED = True
"""Whether a function's result below the smallest normal number may come out as 0, as vectorised kernels have it."""


def roundoffs(function: str) -> float:
    return ROUNDOFFS.get(function, DEFAULT)
