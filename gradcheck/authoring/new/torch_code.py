"""A formula as torch code that one can read: indices become axes, a batch stays in front of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.core.relational import Relational
from sympy.printing.printer import Printer

from gradcheck.operators.record import Input, Operator
from gradcheck.references.formula import BATCH, BATCH_LENGTH, Formula, size_symbol

_CALLS = ("exp", "log", "log1p", "tanh", "Sigmoid")


ADD, MUL, POWER, ATOM = range(4)


class NotWritten(Exception):
    """Part of a formula is beyond what can be written here; the message says which."""


@dataclass(frozen=True)
class Part:
    """Code for a part of a formula. `axes` are its tensor's last axes, by index; `batched` says whether a batch's axis
    lies in front of them; `level` how tightly its outermost operation binds.
    """

    code: str
    axes: tuple[sp.Symbol, ...] = ()
    batched: bool = False
    level: int = ATOM
    number: bool = False

    def at(self, level: int) -> str:
        return self.code if self.level >= level else f"({self.code})"


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


def torch_code(operator: Operator, formula: Formula, *, flat: bool | None = None, arrays: Sequence[Input] = ()) -> str:
    """An expression in the operator's inputs, and in `arrays` beside them, for the value of `formula`.

    `flat`: the one index runs over whole tensors of any shape; as the operator says, unless given. Raises NotWritten.
    """
    flat = operator.flattened if flat is None else flat
    return _Writer(operator, formula, (*operator.inputs, *arrays), flat=flat).whole()


@dataclass(frozen=True)
class Window:
    """What slides over an axis: stride · place + step · inside − before."""

    place: sp.Symbol
    stride: int
    inside: sp.Symbol
    step: int
    before: int


class _Writer(Printer):  # type: ignore[misc]
    """SymPy's Printer finds the method for an expression by the name of its class."""

    def __init__(self, operator: Operator, formula: Formula, inputs: tuple[Input, ...], *, flat: bool) -> None:
        super().__init__()
        self.operator, self.formula, self.flat = operator, formula, flat
        self.inputs = {each.name: each for each in inputs}
        # A batch index that stays free is the axis in front, of whatever length; one that is summed is an axis as any.
        self.ahead = operator.batched and BATCH in formula.indices
        self.wanted = tuple(index for index in formula.indices if not (self.ahead and index == BATCH))
        summed = [index for index in formula.ranges if index not in self.wanted]
        self.places = [*(index for index in summed if index == BATCH), *self.wanted, *summed]

    def whole(self) -> str:
        part = self.write(stable(self.formula.expression))
        if self.flat:
            return part.code
        if part.number or set(part.axes) != set(self.wanted):
            raise NotWritten("a result that does not depend on every index of the output")
        return aligned(part, self.wanted, ATOM if part.axes != self.wanted else ADD)

    def write(self, expression: sp.Expr) -> Part:
        part: Part = self._print(expression)
        return part

    def emptyPrinter(self, expression: sp.Basic) -> Part:
        raise NotWritten(f"{expression.func.__name__}")

    def _print_Function(self, expression: sp.Expr) -> Part:
        name = expression.func.__name__
        inner = self.write(expression.args[0]) if name in _CALLS else None
        if inner is None or inner.number:
            raise NotWritten(name)
        return self.like(f"torch.{name.lower()}({inner.code})", inner)

    def _print_Softplus(self, expression: sp.Expr) -> Part:
        inner = self.write(expression.args[0])
        return self.like(f"{inner.at(ATOM)}.logaddexp({self.anything()}.new_zeros(()))", inner)

    @staticmethod
    def like(code: str, *parts: Part, level: int = ATOM) -> Part:
        axes = next((part.axes for part in parts if part.axes), ())
        return Part(code, axes, any(part.batched for part in parts), level, all(part.number for part in parts))

    # Leaves.

    def _print_Rational(self, value: sp.Rational) -> Part:
        if value.q == 1:
            return Part(str(value.p), level=ATOM if value >= 0 else MUL, number=True)
        return Part(f"{value.p} / {value.q}", level=MUL, number=True)

    def _print_Symbol(self, symbol: sp.Symbol) -> Part:
        if symbol.name in self.inputs and not self.inputs[symbol.name].shape and symbol != size_symbol(symbol.name):
            return Part(symbol.name, batched=self.inputs[symbol.name].batched and self.ahead)
        return Part(self.size(symbol), number=True)

    def size(self, symbol: sp.Expr) -> str:
        """The code of a size, or of a rule for one."""
        if isinstance(symbol, sp.Add):
            first, *others = sorted(symbol.args, key=lambda term: (_negative(term), term.is_number))
            code = self.size(first)
            for term in others:
                code += f" - {self.size(-term)}" if _negative(term) else f" + {self.size(term)}"
            return code
        if isinstance(symbol, sp.Integer):
            return str(symbol)
        if not isinstance(symbol, sp.Symbol):
            raise NotWritten(f"the size {symbol}")
        for each in self.inputs.values():
            if symbol.name in each.shape:
                if self.flat:
                    return f"{each.name}.numel()"
                return f"{each.name}.shape[{each.shape.index(symbol.name) - len(each.shape)}]"
        batched = next((each.name for each in self.inputs.values() if each.batched), None)
        if symbol == BATCH_LENGTH and batched:
            return f"{batched}.shape[0]"
        raise NotWritten(f"the size {symbol}")

    def anything(self) -> str:
        return next(name for name, each in self.inputs.items() if each.kind != "label")

    def _print_Indexed(self, part: sp.Indexed, *, ordered: bool = True) -> Part:
        """An input, its axes in the order of `places` if they have to be."""
        name, indices = part.base.label.name, list(part.indices)
        batched = self.ahead and bool(indices) and indices[0] == BATCH
        indices = indices[1:] if batched else indices
        if self.flat:
            return Part(name)
        if any(isinstance(index, sp.Indexed) for index in indices):
            return self.chosen(name, indices)
        if any(not isinstance(index, sp.Symbol) for index in indices):
            made = self.windows(name, indices, batched=batched)
        elif len(set(indices)) == len(indices):
            made = Part(name, tuple(indices), batched)
        elif len(indices) == 2:
            made = Part(f"{name}.diagonal(dim1=-2, dim2=-1)", (indices[0],), batched)
        else:
            raise NotWritten(f"{part}, where an index stands twice")
        return self.sorted(made) if ordered else made

    def windows(self, name: str, indices: list[sp.Expr], *, batched: bool) -> Part:
        """x[c, 2*i + k - 1]: every window of x gets an axis of its own, and where it lies another."""
        code, pads = name, []
        axes: list[sp.Symbol] = []
        inner: list[sp.Symbol] = []
        for position, index in enumerate(indices):
            if isinstance(index, sp.Symbol):
                axes.append(index)
                pads.append(0)
                continue
            window = self.window(index)
            dim = position - len(indices) - len(inner)
            reach = self.size(self.formula.ranges[window.inside])
            reach = reach if window.step == 1 else f"{window.step} * ({reach} - 1) + 1"
            code += f".unfold({dim}, {reach}, {window.stride})" + (f"[..., ::{window.step}]" if window.step > 1 else "")
            axes.append(window.place)
            inner.append(window.inside)
            pads.append(window.before)
        if any(pads):
            # torch names the last axis first, either end of each.
            first = next(position for position, pad in enumerate(pads) if pad)
            ends = ", ".join(f"{pad}, {pad}" for pad in pads[first:][::-1])
            code = code.replace(name, f"torch.nn.functional.pad({name}, ({ends}))", 1)
        return Part(code, (*axes, *inner), batched)

    def window(self, index: sp.Expr) -> Window:
        """stride · place + step · inside − before, of a place that stays and an index that is summed over."""
        symbols = index.free_symbols
        steps = {each: index.coeff(each) for each in symbols}
        start = index - sp.Add(*(step * each for each, step in steps.items()))
        places = [each for each in symbols if each in self.wanted]
        inside = [each for each in symbols if each not in self.wanted and each in self.formula.ranges]
        whole = all(step.is_Integer and step > 0 for step in steps.values()) and start.is_Integer and start <= 0
        if not whole or len(places) != 1 or len(inside) != 1 or len(symbols) != 2:
            raise NotWritten(f"the index {index}")
        return Window(places[0], int(steps[places[0]]), inside[0], int(steps[inside[0]]), int(-start))

    def sorted(self, part: Part) -> Part:
        """With its axes in the order of `places`."""
        axes = tuple(sorted(part.axes, key=self.places.index))
        if axes == part.axes:
            return part
        if len(axes) > 2:
            if part.batched:
                raise NotWritten("axes in another order")
            places = ", ".join(str(part.axes.index(index)) for index in axes)
            return Part(f"{part.at(ATOM)}.permute({places})", axes)
        return Part(f"{part.at(ATOM)}.{'mT' if part.batched else 'T'}", axes, part.batched)

    def chosen(self, name: str, indices: list[sp.Expr]) -> Part:
        """log_probs[b, labels[b]]: one entry of each row."""
        match indices:
            case [row, sp.Indexed() as label] if tuple(label.indices) == (row,):
                return Part(f"{name}.gather(1, {label.base.label.name}[:, None])[:, 0]", (row,))
        raise NotWritten("labels in that place")

    def _print_KroneckerDelta(self, part: sp.KroneckerDelta) -> Part:
        if not set(part.args) <= set(self.places):
            raise NotWritten(f"{part}")
        first, second = sorted(part.args, key=self.places.index)
        rows, columns = (self.size(self.formula.ranges[index]) for index in (first, second))
        shape = rows if rows == columns else f"{rows}, {columns}"
        return Part(f"torch.eye({shape}, dtype={self.anything()}.dtype)", (first, second))

    # Several parts of different axes.

    def union(self, parts: Sequence[Part]) -> tuple[sp.Symbol, ...]:
        return tuple(sorted({index for part in parts for index in part.axes}, key=self.places.index))

    def joined(self, parts: Sequence[Part], code: str, level: int) -> Part:
        number = all(part.number for part in parts)
        return Part(code, self.union(parts), any(part.batched for part in parts), level, number)

    def _print_Add(self, expression: sp.Add) -> Part:
        terms = sorted(expression.args, key=lambda term: (_negative(term), not term.is_number))
        parts = [self.write(terms[0]), *(self.write(-term if _negative(term) else term) for term in terms[1:])]
        axes = self.union(parts)
        code = aligned(parts[0], axes, ADD)
        for part, term in zip(parts[1:], terms[1:], strict=True):
            code += f" - {aligned(part, axes, MUL)}" if _negative(term) else f" + {aligned(part, axes, ADD)}"
        return self.joined(parts, code, ADD)

    def _print_Mul(self, expression: sp.Mul) -> Part:
        coefficient, rest = expression.as_coeff_Mul()
        if coefficient.is_negative:
            inner = self.write(-expression)
            return Part(f"-{inner.at(MUL)}", inner.axes, inner.batched, MUL, inner.number)
        factors = sp.Mul.make_args(rest)
        deltas = [each for each in factors if isinstance(each, sp.KroneckerDelta)]
        if len(deltas) == 1 and not self.ahead and len(self.wanted) == 2 and set(deltas[0].args) == set(self.wanted):
            return self.diagonal(expression / deltas[0])
        above = [each for each in factors if not below(each)]
        under = [each.args[0] ** -each.args[1] for each in factors if below(each)]
        top = [self.write(each) for each in above]
        if coefficient.p != 1 or not top:
            top.insert(0, self._print_Rational(sp.Integer(coefficient.p)))
        bottom = [self.write(each) for each in under]
        if coefficient.q != 1:
            bottom.insert(0, self._print_Rational(sp.Integer(coefficient.q)))
        axes = self.union([*top, *bottom])
        code = " * ".join(aligned(part, axes, MUL) for part in top)
        for part in bottom:
            code += f" / {aligned(part, axes, POWER)}"
        return self.joined([*top, *bottom], code, MUL if len(top) + len(bottom) > 1 else top[0].level)

    def diagonal(self, rest: sp.Expr) -> Part:
        first, second = self.wanted
        part = self.write(rest.xreplace({second: first}))
        if part.axes != (first,):
            eye = self._print_KroneckerDelta(sp.KroneckerDelta(first, second))
            return self.joined([eye, part], f"{eye.code} * {part.at(MUL)}", MUL)
        return Part(f"torch.diag({part.code})", self.wanted)

    def _print_Pow(self, expression: sp.Pow) -> Part:
        base, exponent = expression.args
        if not (exponent.is_Rational and exponent.q <= 2):
            raise NotWritten(f"the power {exponent}")
        if exponent < 0:
            inner = self.write(base**-exponent)
            return Part(f"1 / {inner.at(POWER)}", inner.axes, inner.batched, MUL, inner.number)
        inner = self.write(base)
        if inner.number:
            shown = exponent if exponent.q == 1 else f"({exponent})"
            return Part(f"{inner.at(ATOM)} ** {shown}", level=POWER, number=True)
        if exponent.q == 2:
            root = self.like(f"torch.sqrt({inner.code})", inner)
            return root if exponent.p == 1 else self.like(f"{root.code} ** {exponent.p}", root, level=POWER)
        code = f"{inner.at(ATOM)}.square()" if exponent == 2 else f"{inner.at(ATOM)} ** {exponent}"
        return Part(code, inner.axes, inner.batched, ATOM if exponent == 2 else POWER)

    def _print_Piecewise(self, expression: sp.Piecewise) -> Part:
        *branches, (last, _) = expression.args
        chosen = self.write(last)
        for value, condition in reversed(branches):
            asked, here = self.condition(condition), self.write(value)
            parts = [asked, here, chosen]
            axes = self.union(parts)
            shown = [aligned(part, axes, ADD) for part in parts]
            if here.number and chosen.number:
                shown[2] = f"{self.anything()}.new_tensor({shown[2]})"
            chosen = Part(f"torch.where({', '.join(shown)})", axes, any(part.batched for part in parts))
        return chosen

    def condition(self, condition: sp.Basic) -> Part:
        if isinstance(condition, (sp.And, sp.Or)):
            parts = [self.condition(each) for each in condition.args]
            axes, sign = self.union(parts), " & " if isinstance(condition, sp.And) else " | "
            return self.joined(parts, sign.join(f"({aligned(part, axes, ADD)})" for part in parts), ADD)
        if not isinstance(condition, Relational):
            raise NotWritten(f"the condition {condition}")
        parts = [self.write(condition.lhs), self.write(condition.rhs)]
        axes = self.union(parts)
        left, right = (aligned(part, axes, ADD) for part in parts)
        made = self.joined(parts, f"{left} {condition.rel_op} {right}", ADD)
        if made.number:
            raise NotWritten(f"the condition {condition}")
        return made

    # Sums.

    def _print_LogSumExp(self, expression: sp.Expr) -> Part:
        body, index = expression.args
        part = self.write(body)
        if self.flat or index not in part.axes:
            raise NotWritten("a sum of exponentials over that index")
        axis = part.axes.index(index) - len(part.axes)
        if isinstance(expression, Softmax):
            return Part(f"{part.at(ATOM)}.softmax({axis})", part.axes, part.batched)
        left = tuple(each for each in part.axes if each != index)
        return Part(f"{part.at(ATOM)}.logsumexp({axis})", left, part.batched)

    _print_Softmax = _print_LogSumExp  # noqa: N815

    def _print_Sum(self, expression: sp.Sum) -> Part:
        body, *limits = expression.args
        summed = [limit[0] for limit in limits]
        if self.flat:
            return Part(f"{self.write(body).at(ATOM)}.sum()")
        contracted = self.contracted(body, summed)
        if contracted:
            return contracted
        part = self.write(body)
        code, axes = part.at(ATOM), part.axes
        there = [index for index in axes if index in summed]
        if there:
            places = [str(axes.index(index) - len(axes)) for index in there]
            code += f".sum({places[0]})" if len(places) == 1 else f".sum(({', '.join(places)}))"
        for index in summed:
            if index not in there:
                code += f" * {self.size(self.formula.ranges[index])}"
        left = tuple(index for index in axes if index not in summed)
        return Part(code, left, part.batched, ATOM if len(there) == len(summed) else MUL, part.number)

    def contracted(self, body: sp.Expr, summed: list[sp.Symbol]) -> Part | None:
        coefficient, rest = body.as_coeff_Mul()
        factors = sp.Mul.make_args(rest)
        if any(below(each) or isinstance(each, sp.KroneckerDelta) for each in factors):
            return None
        # Einstein's sum takes axes in any order.
        written = [
            self._print_Indexed(each, ordered=False) if isinstance(each, sp.Indexed) else self.write(each)
            for each in factors
        ]
        # Of equal axes first, by themselves: Σ_i (g_i y_i) w_ij.
        alike = {part.axes: [each for each in written if each.axes == part.axes] for part in written}
        parts = [
            self.joined(each, " * ".join(part.at(MUL) for part in each), MUL) if len(each) > 1 else each[0]
            for each in alike.values()
        ]
        if len(parts) < 2 or any(part.number for part in parts):
            return None
        union = self.union(parts)
        left = tuple(index for index in union if index not in summed)
        made = product_summed(parts, summed, left) if set(summed) <= set(union) else None
        if made is None or coefficient == 1:
            return made
        return Part(f"{self._print_Rational(coefficient).at(MUL)} * {made.at(POWER)}", left, made.batched, MUL)


def _negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


# Pieces of code put together.


def aligned(part: Part, axes: tuple[sp.Symbol, ...], level: int) -> str:
    """The part with an axis for each of `axes`, of length 1 where it has none."""
    if part.number or part.axes == axes:
        return part.at(level)
    kept = ["" if index in part.axes else "None" for index in axes]
    if not part.batched:
        while kept and kept[0]:
            kept.pop(0)
    if not any(kept):
        return part.at(level)
    if part.batched:
        while not kept[0]:
            kept.pop(0)
        kept.insert(0, "...")
    return f"{part.at(ATOM)}[{', '.join(each or ':' for each in kept)}]"


def product_summed(parts: Sequence[Part], summed: Sequence[sp.Symbol], left: tuple[sp.Symbol, ...]) -> Part | None:
    """The product of parts of different axes, summed: a product of matrices where it is one, else Einstein's sum.

    `left` are the axes that stay, in order. None where an index is no single letter.
    """
    made = _matrix_product(parts, summed[0], left) if len(summed) == 1 else None
    if made is not None:
        return made
    if any(len(str(index)) > 1 for part in parts for index in part.axes):
        return None
    batched = any(part.batched for part in parts)
    letters = [("..." if part.batched else "") + "".join(map(str, part.axes)) for part in parts]
    target = ("..." if batched else "") + "".join(map(str, left))
    operands = ", ".join(part.code for part in parts)
    return Part(f'torch.einsum("{",".join(letters)}->{target}", {operands})', left, batched)


def _matrix_product(parts: Sequence[Part], summed: sp.Symbol, left: tuple[sp.Symbol, ...]) -> Part | None:
    matrices = [part for part in parts if len(part.axes) == 2 and not part.batched]
    vectors = [part for part in parts if part.axes == (summed,)]
    if len(parts) != 2 or len(matrices) + len(vectors) != 2 or not matrices:
        return None
    first = matrices[0]
    if vectors and vectors[0].batched:
        right = _turned(first) if first.axes[1] == summed else first.at(POWER)
        return Part(f"{vectors[0].at(MUL)} @ {right}", left, True, MUL)
    second = vectors[0] if vectors else matrices[1]
    if not vectors and first.axes[first.axes[0] == summed] != left[0]:
        first, second = second, first
    one = _turned(first) if first.axes[0] == summed else first.at(MUL)
    other = _turned(second) if len(second.axes) == 2 and second.axes[1] == summed else second.at(POWER)
    return Part(f"{one} @ {other}", left, level=MUL)


def _turned(matrix: Part) -> str:
    return matrix.code.removesuffix(".T") if matrix.code.endswith(".T") else f"{matrix.at(ATOM)}.T"


def below(part: sp.Expr) -> bool:
    """Whether it stands below a fraction bar."""
    return isinstance(part, sp.Pow) and bool(part.args[1].is_negative)


# Parts of a formula rewritten so that torch computes them without overflow: e^x / Σ e^x as softmax, 1 / (1 + e^−x) as
# sigmoid.


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
