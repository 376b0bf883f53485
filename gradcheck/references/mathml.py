"""Formulas as MathML, which browsers show and read aloud without any script: the derived ones, by the same walk as
their text, and those that people wrote as text, such as dC/dx_j = Σ_i g_i ∂y_i/∂x_j, found in their sentences.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import sympy as sp

from gradcheck.operators.record import Operator
from gradcheck.references.formula import OWN
from gradcheck.references.typeset import NAMES, Displayed, Printer, displayed, joiner, text_of

_TIMES = '<mo lspace="0" rspace=".2em">\u2062</mo>'
"""Invisible, but read aloud."""


@dataclass(frozen=True)
class Markup:
    """A derived formula, as text and as MathML: `kind` is "definition", "jacobian" or "vjp", of the input `of`."""

    kind: str
    of: str
    text: str
    mathml: str


def markup(operator: Operator) -> tuple[Markup, ...]:
    """What `typeset.formulas` says of an operator, typeset."""
    return tuple(Markup(each.kind, each.of, text_of(each), _equation(each)) for each in displayed(operator))


def _equation(formula: Displayed) -> str:
    printer = _MathPrinter()
    sides = [printer.element(*each) for each in formula.left]
    left = sides[0] if len(sides) == 1 else "<mfrac>{}{}</mfrac>".format(*(_row(_mi("∂") + side) for side in sides))
    return f'<math display="block">{left}<mo>=</mo>{printer.doprint(formula.right)}</math>'


def _mi(name: str) -> str:
    """A name. A letter with a bar is a letter with a bar, so that it is as italic as the one without."""
    if name == "ȳ":
        return '<mover accent="true"><mi>y</mi><mo stretchy="false">¯</mo></mover>'
    return f"<mi>{escape(name)}</mi>"


def _row(inside: str) -> str:
    return f"<mrow>{inside}</mrow>"


def _scripted(base: str, below: str, above: str) -> str:
    """What has indices keeps them below its power."""
    if not below and base.startswith("<msub>"):
        return f"<msubsup>{base.removeprefix('<msub>').removesuffix('</msub>')}{_row(above)}</msubsup>"
    if below and above:
        return f"<msubsup>{base}{_row(below)}{_row(above)}</msubsup>"
    return f"<msub>{base}{_row(below)}</msub>" if below else f"<msup>{base}{_row(above)}</msup>" if above else base


class _MathPrinter(Printer):
    """The lecture's formulas on paper: fractions, indices below, e to the power, cases behind a brace."""

    def emptyPrinter(self, expression: Any) -> str:
        raise NotImplementedError(f"no MathML for {type(expression).__name__}")

    def _print_Integer(self, expression: sp.Integer) -> str:
        shown = f"<mn>{abs(expression.p)}</mn>"
        return self.negative(shown) if expression.p < 0 else shown

    def _print_Rational(self, expression: sp.Rational) -> str:
        shown = f"<mfrac><mn>{abs(expression.p)}</mn><mn>{expression.q}</mn></mfrac>"
        return self.negative(shown) if expression.p < 0 else shown

    def _print_Function(self, expression: sp.Function) -> str:
        inside = "<mo>,</mo>".join(map(self._print, expression.args))
        return f"<mi>{expression.func.__name__}</mi><mo>\u2061</mo>{self.fenced(inside)}"

    def _print_LatticeOp(self, expression: Any) -> str:  # Max and Min
        return self._print_Function(expression)

    def _print_Abs(self, expression: sp.Abs) -> str:
        return _row(f"<mo>|</mo>{self._print(expression.args[0])}<mo>|</mo>")

    def _print_exp(self, expression: sp.exp) -> str:
        return f"<msup><mi>e</mi>{_row(self._print(expression.args[0]))}</msup>"

    def _print_Relational(self, expression: Any) -> str:
        sign = {">=": "≥", "<=": "≤"}.get(expression.rel_op, expression.rel_op)
        return f"{self._print(expression.lhs)}<mo>{escape(sign)}</mo>{self._print(expression.rhs)}"

    def _print_And(self, expression: sp.And) -> str:
        return "<mtext>\u00a0and\u00a0</mtext>".join(map(self._print, expression.args))

    def _print_Piecewise(self, expression: sp.Piecewise) -> str:
        *branches, (last, _) = expression.args
        rows = [(value, f"<mtext>if\u00a0</mtext>{self._print(condition)}") for value, condition in branches]
        left = '<mtd style="text-align: left">'
        cells = "".join(
            f"<mtr>{left}{self._print(value)}</mtd>{left}{when}</mtd></mtr>"
            for value, when in (*rows, (last, "<mtext>else</mtext>"))
        )
        return _row(f"<mo>{{</mo><mtable>{cells}</mtable>")

    def _factor(self, part: sp.Expr) -> str:
        if part.is_Rational and part.is_positive:
            return str(self._print(part))
        text = super()._factor(part)
        return self.fenced(text) if isinstance(part, sp.Piecewise) else text

    def element(self, name: str, indices: Sequence[sp.Expr]) -> str:
        shown = _mi(NAMES.get(name, name.removesuffix(OWN)))
        if name.startswith("grad_ȳ"):
            shown = _row(_mi("grad_") + _mi("ȳ"))
        joined = f"<mo>{joiner(indices) or chr(0x2063)}</mo>".join(map(self._print, indices))
        return f"<msub>{shown}{_row(joined)}</msub>" if indices else shown

    def delta(self, left: sp.Expr, right: sp.Expr) -> str:
        return self.element("δ", (left, right))

    def sum(self, indices: Sequence[sp.Symbol], body: str) -> str:
        signs = (f"<munder><mo>∑</mo>{self._print(index)}</munder>" for index in indices)
        return _row("".join(signs) + body)

    def fenced(self, text: str) -> str:
        return _row(f"<mo>(</mo>{text}<mo>)</mo>")

    def negative(self, text: str) -> str:
        return _row(f"<mo>−</mo>{text}")

    def sign(self, sign: str) -> str:
        return f"<mo>{sign}</mo>"

    def product(self, factors: Sequence[sp.Expr]) -> str:
        # A factor alone needs no brackets: it is the whole of a numerator or denominator.
        return self._print(factors[0]) if len(factors) == 1 else _TIMES.join(map(self._factor, factors))

    def fraction(self, above: Sequence[sp.Expr], below: Sequence[sp.Expr]) -> str:
        return f"<mfrac>{_row(self.product(above) or '<mn>1</mn>')}{_row(self.product(below))}</mfrac>"

    def root(self, base: sp.Expr, power: int) -> str:
        root = f"<msqrt>{self._print(base)}</msqrt>"
        return f"<msup>{root}<mn>{power}</mn></msup>" if power > 1 else root

    def power(self, base: str, exponent: sp.Expr) -> str:
        return _scripted(base, "", self._print(exponent))


# Formulas that people wrote as text.


_LETTER = "A-Za-zΑ-ΡΤ-Ωα-ωȳŷ"  # Σ is a sign
_NAME = re.compile(rf"[{_LETTER}][{_LETTER}\d]*(?:_[{_LETTER}\d]+)*")
_CODE = re.compile(r"`([^`]+)`|(\w+(?:\.\w+)+(?:\([^()]*\))?|\w+=[\w…]+|\b\w\[[a-z]{2,}\])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e\d+)?")
_FURTHER = re.compile(rf",([{_LETTER}\d]{{1,2}})(?![{_LETTER}\d(])")
_SLOPE = re.compile(rf"∂|d(?=[^\s/]*/d[{_LETTER}])")
_GENITIVE = re.compile(rf"'[{_LETTER}]+")
_PUNCTUATED = re.compile(r"(<math>(?:(?!<math>).)*</math>[,.;:?!)]+)")
_LONG = 16
"""Characters of a formula behind which it may be broken."""
_SIGNS = "=+−·/←≤≥<>≠×∈"
_RAISED = {"²": "<mn>2</mn>", "³": "<mn>3</mn>", "ᵀ": "<mi>T</mi>", "'": "<mo>′</mo>", "′": "<mo>′</mo>"}
_FUNCTIONS = {"exp", "log", "log1p", "tanh", "sinh", "cosh", "relu", "softmax", "max", "min", "argmax", "sign", "Var"}
_ENGLISH = {"the", "a", "A", "I", "from", "to", "of", "is", "and", "or", "by", "for", "with", "where"}
_ROOT, _DERIVE = "<mo>√</mo>", "<mo>∂</mo>"


@dataclass(eq=False)
class _Piece:
    """A piece of a sentence. `kind`: "formula" for what occurs in formulas only; "part" for what may, such as a number;
    "sign", "open", "close", "bar", "comma"; "word" and "text" for what does not, though a word next to a sign does.
    """

    source: str
    kind: str
    mathml: str = ""
    below: str = ""
    above: str = ""


def markup_of_text(text: str, names: Collection[str] = ()) -> str:
    """A sentence as HTML, the formulas in it as MathML and its code as code. What is no formula beyond doubt stays
    text. `names` are those of arguments, whose underscores begin no index.
    """
    pieces = _Sentence(text, names).pieces()
    for number, piece in enumerate(pieces):
        if piece.kind == "word" and _in_formula(pieces, number, names):
            piece.kind = "part"
    shown: list[str] = []
    run: list[_Piece] = []
    for piece in [*pieces, _Piece("", "text")]:
        if piece.kind in ("text", "word", "code") or (piece.kind == "comma" and _depth(run) == 0):
            coded = piece.kind == "word" and "_" in piece.source
            shown += [*_run(run), f"<code>{piece.source}</code>" if coded else _said(piece)]
            run = []
        else:
            run.append(piece)
    # No line begins with the comma behind a formula.
    return _PUNCTUATED.sub(r'<span style="white-space: nowrap">\1</span>', "".join(shown))


def _said(piece: _Piece) -> str:
    return piece.mathml if piece.kind == "code" else escape(piece.source)


def _in_formula(pieces: Sequence[_Piece], at: int, names: Collection[str]) -> bool:
    """Whether a word is next to a sign, is called or indexed, is all that stands between brackets, or is an argument's
    name beside a formula.
    """
    word, nothing = pieces[at].source, _Piece("", "text")
    before, left = [nothing, nothing, *pieces[:at]][-1:-3:-1]
    after, right = [*pieces[at + 1 :], nothing, nothing][:2]
    left, right = before if before.kind != "space" else left, after if after.kind != "space" else right
    inside = before.kind in ("open", "comma", "space") and after.kind in ("close", "comma") and len(word) == 1
    if inside or (after.kind == "open" and (word in _FUNCTIONS or after.source == "[")):
        return True
    if before.kind == "open" and after.kind == "close":
        return at > 1 and pieces[at - 2].kind in ("part", "formula")
    if word in ("log", "sin", "cos") and right.kind == "formula":
        return True
    # A minus belongs to what follows it where only there is no space: from −alpha to alpha.
    unary = right.source == "−" and right is not after and pieces[at + 3 : at + 4] and pieces[at + 3].kind != "space"
    beside = ("formula", "part", "open", "close") if word in names else ()
    before_sign = right.kind in ("sign", *beside) and not unary and (word not in _ENGLISH or word == "a")
    return before_sign or (left.kind in ("sign", *beside) and word not in _ENGLISH)


def _depth(run: Sequence[_Piece]) -> int:
    return sum((piece.kind == "open") - (piece.kind == "close") for piece in run)


def _run(run: list[_Piece]) -> list[str]:
    """Pieces in a row that may be one formula: as MathML if they are, else as text. What is in the way at the ends, or
    a bracket that is not closed, is left out of it.
    """
    for at in _unmatched(run):
        return [*_run(run[:at]), escape(run[at].source), *_run(run[at + 1 :])]
    first, last = 0, len(run)
    while first < last and (run[first].kind == "space" or run[first].source in _SIGNS.replace("−", "")):
        first += 1
    while first < last and run[last - 1].kind in ("space", "sign", "comma"):
        last -= 1
    inner = run[first:last]
    signs = sum(piece.kind == "sign" for piece in inner)
    if not (signs and len(inner) > 2) and not any(piece.kind == "formula" for piece in inner):
        return [escape(piece.source) for piece in run]
    before, after = ("".join(escape(piece.source) for piece in part) for part in (run[:first], run[last:]))
    return [before, *(f"<math>{_assembled(each)}</math>" for each in _broken(inner)), after]


def _broken(run: Sequence[_Piece]) -> list[list[_Piece]]:
    """A long formula in parts, each from a sign on that stands in no bracket: a browser breaks no line within one."""
    parts: list[list[_Piece]] = [[]]
    for at, piece in enumerate(run):
        bars = sum(each.kind == "bar" for each in run[:at])
        free = piece.kind == "sign" and piece.source != "/" and _depth(run[:at]) == 0 and not bars % 2
        if free and sum(len(each.source) for each in parts[-1]) >= _LONG:
            piece.mathml = piece.mathml.replace("<mo", '<mo form="infix"')
            parts.append([])
        parts[-1].append(piece)
    return parts


def _unmatched(run: Sequence[_Piece]) -> list[int]:
    opened: list[int] = []
    for at, piece in enumerate(run):
        if piece.kind == "open":
            opened.append(at)
        elif piece.kind == "close":
            if not opened:
                return [at]
            opened.pop()
    bars = [at for at, piece in enumerate(run) if piece.kind == "bar"]
    return opened or (bars[-1:] if len(bars) % 2 else [])


def _assembled(run: Sequence[_Piece]) -> str:
    """Pieces as MathML: what stands in brackets is one thing, which indices and powers belong to; 1/n is a fraction."""
    groups: list[list[str]] = [[]]
    operand = fraction = barred = False  # operand: whether what came last is multiplied by what comes next
    for at, piece in enumerate(run):
        kind = piece.kind
        if kind == "bar":
            kind, barred = "close" if barred else "open", not barred
        if kind == "space":
            continue
        if kind == "open":
            groups[-1] += [_TIMES] if operand and run[at - 1].kind == "space" else []
            groups.append([piece.mathml])
            operand = False
        elif kind == "close":
            opening, *inside = groups.pop()
            shown = _row("".join([opening, *inside, piece.mathml]))
            if groups[-1][-1:] == [_ROOT]:
                groups[-1].pop()
                shown = f"<msqrt>{''.join(inside)}</msqrt>"
            groups[-1].append(_scripted(shown, piece.below, piece.above))
            operand = True
        elif piece.source == "/" and operand and _tight(run, at):
            fraction, operand = True, False
        else:
            groups[-1] += [_TIMES] if operand and kind in ("part", "formula") else []
            shown = _scripted(piece.mathml, piece.below, piece.above)
            groups[-1].append(f"<mfrac>{groups[-1].pop()}{shown}</mfrac>" if fraction else shown)
            operand, fraction = (
                kind in ("part", "formula") and shown not in (_ROOT, _DERIVE) and "∑" not in shown,
                False,
            )
    return "".join(groups[0])


def _tight(run: Sequence[_Piece], at: int) -> bool:
    """Whether a sign stands between two names or numbers without a space."""
    return all(piece.kind in ("part", "formula") for piece in (run[at - 1], *run[at + 1 : at + 2])) and at + 1 < len(
        run
    )


def _primed(piece: _Piece) -> bool:
    """Whether ' is a prime there, not a genitive's apostrophe."""
    return bool(piece.below or piece.above) or len(piece.source.rstrip("0123456789")) == 1 or piece.source in _FUNCTIONS


class _Sentence:
    """Takes a sentence into pieces, from left to right."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.text, self.names, self.at = text, names, 0

    def pieces(self) -> list[_Piece]:
        found = []
        while self.at < len(self.text):
            first = self.at
            piece = self.piece()
            piece.source = self.text[first : self.at]
            found.append(piece)
        return found

    def piece(self) -> _Piece:
        character, alone = self.text[self.at], not self.at or not self.text[self.at - 1].isalnum()
        if alone and (match := _CODE.match(self.text, self.at)):
            self.at = match.end()
            return _Piece("", "code", f"<code>{escape(match[1] or match[2])}</code>")
        if alone and _SLOPE.match(self.text, self.at) and (slope := self.slope()):
            return slope
        if match := _GENITIVE.match(self.text, self.at):
            self.at = match.end()
            return _Piece("", "text")
        if match := _NAME.match(self.text, self.at):
            return self.name(match[0])
        if match := _NUMBER.match(self.text, self.at):
            self.at = match.end()
            return self.scripts(_Piece("", "part", f"<mn>{match[0]}</mn>"))
        if self.text.startswith("//", self.at):
            self.at += 2
            return _Piece("", "sign", "<mo>//</mo>")
        self.at += 1
        shown = f'<mo lspace="0" rspace="0">{character}</mo>' if character in "|‖" else f"<mo>{escape(character)}</mo>"
        if character == "Σ":
            piece = self.scripts(_Piece("", "formula", "<mo>∑</mo>"))
            under = f"<munder><mo>∑</mo>{_row(piece.below)}</munder>" if piece.below else piece.mathml
            return _Piece("", "formula", under)
        if character in ")]⌋⌉":
            return self.scripts(_Piece("", "close", shown))
        kinds = {" ": "space", "\n": "space", ",": "comma", "∂": "part", "√": "part", "|": "bar", "‖": "bar"}
        kind = "sign" if character in _SIGNS else "open" if character in "([⌊⌈" else kinds.get(character, "text")
        return self.scripts(_Piece("", kind, shown)) if kind == "bar" else _Piece("", kind, shown)

    def slope(self) -> _Piece | None:
        """∂y_i/∂x_j, dC/dx, ∂/∂w_i, ∂(x_i + y_i)/∂x_j."""
        first, halves = self.at, []
        for last in (False, True):
            sign = self.text[self.at]
            self.at += 1
            halves.append(_row(_mi(sign) + self.operand()))
            if not last and self.text[self.at : self.at + 1] != "/":
                self.at = first
                return None
            self.at += not last
        return _Piece("", "formula", f'<mfrac displaystyle="true">{halves[0]}{halves[1]}</mfrac>')

    def operand(self) -> str:
        if match := _NAME.match(self.text, self.at):
            piece = self.name(match[0])
            indexed = f"<mo>[</mo>{self.bracketed()}<mo>]</mo>" if self.text[self.at : self.at + 1] == "[" else ""
            return _scripted(piece.mathml, piece.below, piece.above) + indexed
        if self.text[self.at : self.at + 1] == "(":
            piece = _Piece("", "part", _row(f"<mo>(</mo>{self.bracketed()}<mo>)</mo>"))
            self.scripts(piece)
            return _scripted(piece.mathml, piece.below, piece.above)
        return ""

    def bracketed(self) -> str:
        """What stands between the bracket here and its partner."""
        first, depth = self.at + 1, 0
        while self.at < len(self.text):
            depth += (self.text[self.at] in "({[⌊⌈") - (self.text[self.at] in ")}]⌋⌉")
            self.at += 1
            if depth == 0:
                break
        return _assembled(_Sentence(self.text[first : self.at - 1], self.names).pieces())

    def name(self, word: str) -> _Piece:
        """A name with what is below and above it: only a short last part is an index."""
        self.at += len(word)
        base, _, index = word.rpartition("_")
        further = self.text[self.at : self.at + 2] in ("_(", "_{")
        gradient = base == "grad" and index in self.names
        if not base or len(index) > 2 or index == "in" or word in self.names or further or gradient:
            base, index = word, ""
        piece = _Piece(base, "word", _mi(base))
        piece.below = "".join(f"<mn>{each}</mn>" if each.isdigit() else _mi(each) for each in index)
        self.scripts(piece)
        sure = piece.below or piece.above or (len(base) == 1 and base not in "aAI")
        piece.kind = "formula" if sure else "word"
        return piece

    def scripts(self, piece: _Piece) -> _Piece:
        while self.at < len(self.text):
            rest = self.text[self.at : self.at + 2]
            if rest[0] in _RAISED and not (rest[0] == "'" and (rest[1:].isalpha() or not _primed(piece))):
                self.at += 1
                piece.above += _RAISED[rest[0]]
            elif rest in ("_(", "_{"):
                self.at += 1
                piece.below += self.bracketed()
            elif rest[0] == "_" and (match := _NAME.match(self.text, self.at + 1)):
                self.at = match.end()
                piece.below += "".join(map(_mi, match[0]))
            elif piece.below and (match := _FURTHER.match(self.text, self.at)):
                self.at = match.end()
                piece.below += "<mo>,</mo>" + "".join(map(_mi, match[1]))
            elif rest in ("^(", "^⌊"):
                self.at += 1
                inside = self.bracketed()
                piece.above += inside if rest == "^(" else f"<mo>⌊</mo>{inside}<mo>⌋</mo>"
            elif rest[0] == "^" and (match := re.compile(r"\w+").match(self.text, self.at + 1)):
                self.at = match.end()
                piece.above += f"<mn>{match[0]}</mn>" if match[0].isdigit() else _mi(match[0])
            else:
                break
        return piece
