"""What the functions of mathematical libraries lose, in units of the roundoff of the result's dtype.

Stated, not proved: no library promises more than a unit or so in the last place (two roundoffs). A test samples torch's
functions in each dtype against exact values, and fails if one loses more than is stated here. Arithmetic and the square
root are IEEE's, but some libraries' vectorised square root is not quite.
"""

DEFAULT = 2.0

_LOST = {
    2.0: "acos",
    3.0: "acosh asinh atanh cosh expm1 pow rsqrt sinh tan",
    4.0: "erfc sigmoid",
    8.0: "erfinv gelu lgamma",
    16.0: "digamma erfcx i0 i0e i1 i1e ndtri",
    32.0: "polygamma zeta",
}
ROUNDOFFS = {name: lost for lost, names in _LOST.items() for name in names.split()}

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
