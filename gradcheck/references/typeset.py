"""Derived formulas as people read them: ∂y_i/∂x_j = y_i (δ_ij − y_j).

Rewriting is for the eye only; what is evaluated is the derived expression itself. Where the output itself occurs in its
derivative it is shown as y.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from gradcheck.operators.record import Operator
from gradcheck.references.derive import Derivation, derive
from gradcheck.references.formula import BATCH, OWN, Formula, array_element, index_symbol, read_formula

NAMES = {"y_bar": "ȳ"}


@dataclass(frozen=True)
class Displayed:
    """A formula to be shown: `kind` is "definition", "jacobian" or "vjp", of the input `of`. `left` has the names with
    their indices that stand on its left side: ∂ of the first by the second for a Jacobian.
    """

    kind: str
    of: str
    left: tuple[tuple[str, tuple[sp.Expr, ...]], ...]
    right: sp.Expr


def displayed(operator: Operator) -> Iterator[Displayed]:
    """The definition, then a Jacobian and a VJP per differentiable input, which are derived when they are asked for."""
    formula = read_formula(operator)
    output = (operator.output_name, formula.indices)
    yield Displayed("definition", "", (output,), formula.expression)
    derivation = derive(operator)
    for an_input in operator.differentiable_inputs:
        name = an_input.name
        form = derivation.jacobians[name][0]
        below = (name, tuple(map(index_symbol, an_input.wrt)))
        yield Displayed("jacobian", name, (output, below), _compact(derivation, form))
        form = derivation.vjps[name][0]
        yield Displayed("vjp", name, ((f"grad_{NAMES.get(name, name)}", form.indices),), _compact(derivation, form))


def definition(operator: Operator) -> str:
    """The definition in one line; nothing is derived for it."""
    return text_of(next(displayed(operator)))


def formulas(operator: Operator) -> list[str]:
    """What is displayed, one formula a line; g is grad_output."""
    return [text_of(formula) for formula in displayed(operator)]


def text_of(formula: Displayed) -> str:
    left = "/".join(f"{'∂' * (formula.kind == 'jacobian')}{Printer().element(*each)}" for each in formula.left)
    return f"{left} = {_text(formula.right)}"


def in_words(operator: Operator, formula: Formula) -> str:
    """An expression over an operator's names, such as one term of its VJP, as `formulas` would print it."""
    return _text(_compact(derive(operator), formula))


def compact(operator: Operator, formula: Formula) -> Formula:
    """The formula with the operator's output, by its name, in the place of its own definition, where that is shorter:
    y (g − Σ g y) for softmax.
    """
    return Formula(_compact(derive(operator), formula), formula.indices, formula.ranges)


def _compact(derivation: Derivation, form: Formula) -> sp.Expr:
    """The expression with the output put in for its own definition, if that makes it shorter."""
    expression = form.expression
    output = derivation.output
    if not derivation.operator.output_shape:
        return expression
    lead = len(output.indices) - len(derivation.operator.output_shape)
    batched = BATCH in form.indices or expression.has(BATCH)
    definition = output.expression if batched else read_formula(derivation.operator).expression
    own = output.indices if batched else output.indices[lead:]
    candidates = [expression]
    alike = [index for index in form.indices if form.ranges.get(index) == output.ranges[own[-1]]]
    places = list(dict.fromkeys((own[-1], *alike)))
    for index in places:
        candidates += [_put_in(candidate, definition, own, index, derivation.operator) for candidate in candidates]
    candidates += [sp.factor_terms(candidate) for candidate in candidates]
    candidates += [_by_solving(expression, definition, own, index, derivation.operator) for index in places]
    return min(candidates, key=lambda candidate: (sp.count_ops(candidate), len(str(candidate))))


def _put_in(
    expression: sp.Expr, definition: sp.Expr, own: tuple[Any, ...], index: sp.Symbol, operator: Operator
) -> sp.Expr:
    """y for its definition, also inside sums that a common denominator stands outside of."""
    here = definition.subs(own[-1], index)
    output = array_element(operator.output_name, (*own[:-1], index))
    inwards = expression.replace(lambda part: isinstance(part, sp.Mul) and part.has(sp.Sum), _denominators_inwards)
    return inwards.replace(lambda part: isinstance(part, sp.Mul), lambda part: part.subs(here, output)).subs(
        here, output
    )


def _denominators_inwards(product: sp.Mul) -> sp.Expr:
    """Σ a / S² = (Σ a / S) / S for the first sum with a body that is no denominator itself."""
    sums = [part for part in product.args if isinstance(part, sp.Sum)]
    powers = [part for part in product.args if isinstance(part, sp.Pow) and part.args[1] == -2]
    if len(sums) != 1 or len(powers) != 1:
        return product
    base = powers[0].args[0]
    inner = sp.Sum(sums[0].args[0] / base, *sums[0].args[1:])
    rest = [part for part in product.args if part not in (sums[0], powers[0])]
    return sp.Mul(*rest, 1 / base, inner)


def _by_solving(
    expression: sp.Expr, definition: sp.Expr, own: tuple[Any, ...], index: sp.Symbol, operator: Operator
) -> sp.Expr:
    """A point-wise derivative in y alone, by solving the definition for its exponential."""
    here = definition.subs(own[-1], index)
    exponentials = list(here.atoms(sp.exp))
    if not operator.flattened or len(exponentials) != 1 or not expression.has(exponentials[0]):
        return expression
    unknown = sp.Dummy("E")
    output = array_element(operator.output_name, (*own[:-1], index))
    solutions = sp.solve(sp.Eq(output, here.subs(exponentials[0], unknown)), unknown)
    if len(solutions) != 1 or solutions[0].has(sp.exp):
        return expression
    solved = _positive(sp.factor(sp.simplify(expression.subs(exponentials[0], solutions[0]))))
    # Where it divides by an array, as y / x for x σ(x), it would have holes that the derivative does not have.
    return expression if sp.denom(solved).has(sp.Indexed) else solved


def _positive(product: sp.Expr) -> sp.Expr:
    """−a (b − 1) = a (1 − b)."""
    coefficient, rest = product.as_coeff_Mul()
    sums = [part for part in sp.Mul.make_args(rest) if isinstance(part, sp.Add)]
    if coefficient != -1 or not sums:
        return product
    others = [part for part in sp.Mul.make_args(rest) if part is not sums[0]]
    return sp.Mul(*others, sp.Add(*(-term for term in sums[0].args)))


def _text(expression: sp.Expr) -> str:
    return str(Printer().doprint(expression))


class Printer(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """SymPy's own text printer with the lecture's signs. What stands where, and in which order, is decided in the
    methods `_print_…`; the others put it on paper, and a printer for another medium has its own.
    """

    printmethod = "_lecture"  # not "_sympystr", by which some classes print themselves

    def _print_Symbol(self, expression: sp.Symbol) -> str:
        return self.element(expression.name, ())

    def _print_Indexed(self, expression: sp.Indexed) -> str:
        return self.element(expression.base.label.name, expression.indices)

    def _print_KroneckerDelta(self, expression: sp.KroneckerDelta) -> str:
        return self.delta(*sorted(expression.args, key=lambda index: (len(_text(index)), _text(index))))

    def _print_Sum(self, expression: sp.Sum) -> str:
        body, *limits = expression.args
        return self.sum([limit[0] for limit in limits], self.parenthesize(body, PRECEDENCE["Mul"] - 1, strict=True))

    def _print_exp(self, expression: sp.exp) -> str:
        return f"exp({self._print(expression.args[0])})"

    def _print_Piecewise(self, expression: sp.Piecewise) -> str:
        *branches, (last, _) = expression.args
        shown = [f"{self._print(value)} if {self._print(condition)}" for value, condition in branches]
        return "(" + ", ".join(shown) + f", else {self._print(last)})"

    def _print_Mul(self, expression: sp.Mul) -> str:
        coefficient, rest = expression.as_coeff_Mul()
        if coefficient == -1:
            return self.negative(self.parenthesize(rest, PRECEDENCE["Mul"], strict=True))
        above = [part for part in expression.args if not _below(part)]
        below = [part.args[0] ** -part.args[1] for part in expression.args if _below(part)]
        above.sort(key=lambda part: (part.has(sp.Sum), isinstance(part, sp.Add), not part.is_number, _text(part)))
        return self.fraction(above, below) if below else self.product(above)

    def _print_Add(self, expression: sp.Add, order: Any = None) -> str:  # noqa: ARG002 — SymPy passes it
        terms = sorted(expression.args, key=lambda term: (_negative(term), not term.is_number, _text(term)))
        text = ""
        for position, term in enumerate(terms):
            shown = self._print(-term if _negative(term) and position else term)
            shown = self.fenced(shown) if precedence(term) < PRECEDENCE["Add"] else shown
            text += (self.sign("−" if _negative(term) else "+") if position else "") + shown
        return text

    def _print_Pow(self, expression: sp.Pow, rational: bool = False) -> str:  # noqa: ARG002 — SymPy passes it
        base, exponent = expression.args
        if exponent.is_negative:
            return self.fraction([], [base**-exponent])
        if exponent.is_Rational and exponent.q == 2:
            return self.root(base, exponent.p)
        shown = self.parenthesize(base, PRECEDENCE["Pow"])
        return self.power(self.fenced(shown) if isinstance(base, sp.Sum) else shown, exponent)

    def parenthesize(self, item: sp.Expr, level: int, strict: bool = False) -> str:
        low = precedence(item) < level or (not strict and precedence(item) <= level)
        return self.fenced(self._print(item)) if low else str(self._print(item))

    def _factor(self, part: sp.Expr) -> str:
        text = self.parenthesize(part, PRECEDENCE["Mul"])
        return self.fenced(text) if isinstance(part, sp.Sum) else text

    def element(self, name: str, indices: Sequence[sp.Expr]) -> str:
        name = NAMES.get(name, name.removesuffix(OWN))
        if not indices:
            return name
        joined = joiner(indices).join(map(self._print, indices))
        return f"{name}_{joined}" if joined.isalnum() else f"{name}[{joined}]"

    def delta(self, left: sp.Expr, right: sp.Expr) -> str:
        one, other = self._print(left), self._print(right)
        return f"δ_{one}{other}" if len(one + other) == 2 else f"δ({one}, {other})"

    def sum(self, indices: Sequence[sp.Symbol], body: str) -> str:
        return "".join(f"Σ_{self._print(index)} " for index in indices) + body

    def fenced(self, text: str) -> str:
        return f"({text})"

    def negative(self, text: str) -> str:
        return f"−{text}"

    def sign(self, sign: str) -> str:
        return f" {sign} "

    def product(self, factors: Sequence[sp.Expr]) -> str:
        return " ".join(map(self._factor, factors))

    def fraction(self, above: Sequence[sp.Expr], below: Sequence[sp.Expr]) -> str:
        bottom = self.product(below)
        return f"{self.product(above) or '1'} / {self.fenced(bottom) if len(below) > 1 else bottom}"

    def root(self, base: sp.Expr, power: int) -> str:
        return f"sqrt({self._print(base)})" + (f"^{power}" if power > 1 else "")

    def power(self, base: str, exponent: sp.Expr) -> str:
        return f"{base}²" if exponent == 2 else f"{base}^{exponent}"


def joiner(indices: Sequence[sp.Expr]) -> str:
    """What stands between indices: nothing where each is one letter."""
    return "" if all(len(_text(index)) == 1 for index in indices) else ","


def _below(part: sp.Expr) -> bool:
    return isinstance(part, sp.Pow) and bool(part.args[1].is_negative)


def _negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)
