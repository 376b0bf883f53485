"""What goes wrong in the chain rule in vector form, besides products in the wrong order: those do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.catalog.exercise import Misconception

Step = Callable[[Any, Any], Any]


def _swept(step: Step) -> Callable[[Any, list[Any]], Any]:
    """The row handed back by a wrong step in place of row @ jacobian."""

    def backward(grad_output: Any, jacobians: list[Any]) -> Any:
        row = grad_output
        for jacobian in reversed(jacobians):
            row = step(row, jacobian)
        return row

    return backward


def _composed(step: Step) -> Callable[[list[Any]], Any]:
    """The Jacobians multiplied by a wrong step in place of later @ earlier."""

    def compose(jacobians: list[Any]) -> Any:
        product = jacobians[0].clone()
        for jacobian in jacobians[1:]:
            product = step(jacobian, product)
        return product

    return compose


def _sums_multiplied(row: Any, jacobian: Any) -> Any:
    return row.sum(-1, keepdim=True) * jacobian.sum(0)


def _added(later: Any, earlier: Any) -> Any:
    return (later[:, :, None] + earlier).sum(1)


VECTOR_CHAIN_RULE_MISCONCEPTIONS = (
    Misconception(
        "backward",
        "scaled-by-size",
        "at every Jacobian you averaged over the ways where they add up",
        _swept(lambda row, jacobian: row @ jacobian / len(jacobian)),
        "Two ways that each add 1 to C: what do they add together?",
    ),
    Misconception(
        "backward",
        "extra-reduction",
        "at every Jacobian you summed the row and the columns each by itself and multiplied the two",
        _swept(_sums_multiplied),
        "Which row of the Jacobian does entry i of dC/dz_k have to meet?",
    ),
    Misconception(
        "backward",
        "missing-reduction",
        "of the ways through every Jacobian you took only the first",
        _swept(lambda row, jacobian: row[..., :1] * jacobian[0]),
        "In how many ways does one entry of z_(k−1) reach C?",
    ),
    Misconception(
        "compose",
        "scaled-by-size",
        "in every product you averaged over the ways where they add up",
        _composed(lambda later, earlier: later @ earlier / len(earlier)),
        "Two ways that each turn z_i by 1: by how much do they turn it together?",
    ),
    Misconception(
        "compose",
        "extra-reduction",
        "in every product you summed rows and columns first and multiplied the sums",
        _composed(lambda later, earlier: later.sum(1, keepdim=True) * earlier.sum(0)),
        "Which entry of the earlier Jacobian does entry l of the later one's row have to meet?",
    ),
    Misconception(
        "compose",
        "missing-reduction",
        "of the ways through every z_k in between you took only the first",
        _composed(lambda later, earlier: later[:, :1] * earlier[:1]),
        "Through how many entries of z_k does z_j reach z_i?",
    ),
    Misconception(
        "compose",
        "wrong-function",
        "along each way you added the derivatives where they belong multiplied",
        _composed(_added),
        "A change that is first doubled and then tripled: by which factor has it grown?",
    ),
)
