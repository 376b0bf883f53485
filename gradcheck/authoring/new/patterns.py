"""Rewrites a formula so that torch computes it without overflow: e^x / Σ e^x as softmax, 1 / (1 + e^−x) as sigmoid."""

from __future__ import annotations

from typing import Any

import sympy as sp


class Sigmoid(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """1 / (1 + e^−u)."""

    nargs = 1


class Softplus(sp.Function):  # type: ignore[misc]
    """log(1 + e^u)."""

    nargs = 1


class LogSumExp(sp.Function):  # type: ignore[misc]
    """log Σ_k e^u, of u and k."""

    nargs = 2


class Softmax(sp.Function):  # type: ignore[misc]
    """e^u / Σ_k e^u, of u and its free index."""

    nargs = 2


def stable(expression: sp.Expr) -> sp.Expr:
    """The same function, in parts that are finite wherever the whole is, as far as they are known here."""
    logs = expression.replace(_log_of_exponentials, _as_log)
    products = logs.replace(lambda part: isinstance(part, sp.Mul), lambda part: _product(part.args))
    return products.replace(lambda part: isinstance(part, sp.Pow), lambda part: _product((part,)))


def _log_of_exponentials(part: sp.Basic) -> bool:
    return isinstance(part, sp.log) and (_one_plus_exp(part.args[0]) is not None or _sum_of_exp(part.args[0]))


def _as_log(part: sp.Expr) -> sp.Expr:
    inner = _one_plus_exp(part.args[0])
    return Softplus(inner) if inner is not None else _log_sum_exp(part.args[0])


def _log_sum_exp(total: sp.Sum) -> sp.Expr:
    return LogSumExp(total.args[0].args[0], total.args[1][0])


def _one_plus_exp(part: sp.Basic) -> sp.Expr | None:
    """u where the part is 1 + e^u."""
    if isinstance(part, sp.Add) and len(part.args) == 2 and part.args[0] == 1 and isinstance(part.args[1], sp.exp):
        return part.args[1].args[0]
    return None


def _sum_of_exp(part: sp.Basic) -> bool:
    return isinstance(part, sp.Sum) and len(part.args) == 2 and isinstance(part.args[0], sp.exp)


def _product(factors: tuple[Any, ...]) -> sp.Expr:
    """Quotients of exponentials by 1 + e^u or by a sum of exponentials."""
    rest = list(factors)
    for power in factors:
        if not (isinstance(power, sp.Pow) and power.args[1].is_Integer and power.args[1] < 0):
            continue
        base, times = power.args[0], int(-power.args[1])
        above = [each for each in rest if isinstance(each, sp.exp)]
        exponent = sp.Add(*(each.args[0] for each in above))
        inner = _one_plus_exp(base)
        if inner is not None:
            # e^(a u) / (1 + e^u)^b = σ(u)^a σ(−u)^(b − a)
            taken = next((a for a in range(times + 1) if sp.expand(exponent - a * inner) == 0), 0)
            rest = [each for each in rest if each is not power and (not taken or each not in above)]
            rest += [Sigmoid(inner) ** taken, Sigmoid(-inner) ** (times - taken)]
        elif _sum_of_exp(base) and above:
            body, index = base.args[0].args[0], base.args[1][0]
            rest = [each for each in rest if each is not power and each not in above]
            free = next((i for i in _indices(exponent) if times == 1 and body.xreplace({index: i}) == exponent), None)
            rest.append(sp.exp(exponent - times * _log_sum_exp(base)) if free is None else Softmax(exponent, free))
    return sp.Mul(*rest)


def _indices(expression: sp.Expr) -> list[sp.Symbol]:
    return sorted(
        {index for part in expression.atoms(sp.Indexed) for index in part.free_symbols if index.is_integer}, key=str
    )
