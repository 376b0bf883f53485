"""MathML says what the text says: of derived formulas symbol by symbol, and of sentences nothing is lost."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from gradcheck.catalog import all_exercises, known_operators
from gradcheck.operators.record import Input, Operator
from gradcheck.references.mathml import markup, markup_of_text
from gradcheck.references.typeset import formulas

INVISIBLE = dict.fromkeys(map(ord, "\u2061\u2062\u2063"))


def parsed(markup_text):
    return ET.fromstring(f"<p>{markup_text}</p>")


def read(node):
    """MathML as our text would have it, but for brackets and spaces."""
    parts = [(node.text or "").strip(), *(read(child) for child in node)]
    if node.tag == "mtr" and parts[2] == "else":
        return parts[2] + parts[1]
    if node.tag == "msqrt":
        parts.insert(0, "sqrt")
    if node.tag == "mfrac":
        return f"{parts[1]}/{parts[2]}"
    if node.tag == "mover":
        return "ȳ"
    if node.tag in ("msup", "msubsup") and parts[1] == "e":
        parts[1] = "exp"
    return "".join(parts)


def bare(text):
    text = text.replace("∑", "Σ").replace("grad_", "grad").replace("log_probs", "logprobs").replace("²", "2")
    return re.sub(r"[\s()\[\]{,_^]|\bif\b|\u00a0", "", text.translate(INVISIBLE)).replace("if", "").replace("-", "−")


@pytest.mark.parametrize("operator", known_operators().values(), ids=lambda operator: operator.name)
def test_the_markup_says_what_the_text_says(operator):
    made = markup(operator)
    assert [each.text for each in made] == formulas(operator)
    for each in made:
        root = parsed(each.mathml)
        assert bare(read(root)) == bare(each.text)
        strays = [node.tag for node in root.iter() if (node.text or "").strip() and node.tag not in LEAVES]
        assert not strays, "text outside of a leaf, which no browser shows"
        assert not [node.tag for node in root.iter() if (node.tail or "").strip()]


LEAVES = {"mi", "mn", "mo", "mtext"}


def shape(node):
    """The tree in short: mfrac(mi mi), leaves by their text."""
    if node.tag in LEAVES:
        return (node.text or "").translate(INVISIBLE)
    inside = " ".join(filter(None, map(shape, node)))
    return inside if node.tag in ("p", "math", "mrow", "mtd") else f"{node.tag}({inside})"


VECTOR = (Input("x", ("n",), wrt=("j",)),)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (
            "y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, n-1))",
            "msub(y i) = mfrac(msup(e msub(x i)) munder(∑ k) msup(e msub(x k)))",
        ),
        (
            "y[i] = Piecewise((x[i], x[i] > 0), (0, True))",
            "msub(y i) = { mtable(mtr(msub(x i) if\u00a0 msub(x i) > 0) mtr(0 else))",
        ),
        ("y[i] = sqrt(x[i]**2 + 1) / 2", "msub(y i) = mfrac(1 2) msqrt(1 + msubsup(x i 2))"),
        ("y[i] = x[i] * (1 - tanh(x[i]))**3", "msub(y i) = msup(( 1 − tanh ( msub(x i) ) ) 3) msub(x i)"),
        ("y[i] = -Abs(x[i]) - (2 + x[i]) * log(x[i])", "msub(y i) = − | msub(x i) | − log ( msub(x i) ) ( 2 + msub(x i) )"),
    ],
)  # fmt: skip
def test_what_is_typeset(formula, expected):
    operator = Operator("made_up", formula, VECTOR, abs, output_shape=("n",))
    assert shape(parsed(markup(operator)[0].mathml)) == expected


def test_a_slope_is_a_fraction_and_a_vjp_has_its_name():
    sums = Operator("made_up", "s[i] = Sum(w[i, j]*y_bar[j], (j, 0, n-1))",
                    (Input("y_bar", ("n",), wrt=("q",)), Input("w", ("m", "n"))), abs, output_shape=("m",))  # fmt: skip
    _, jacobian, vjp = markup(sums)
    assert (jacobian.kind, jacobian.of, vjp.kind) == ("jacobian", "y_bar", "vjp")
    assert shape(parsed(jacobian.mathml)) == "mfrac(∂ msub(s i) ∂ msub(mover(y ¯) q)) = msub(w i q)"
    assert shape(parsed(vjp.mathml)) == "msub(grad_ mover(y ¯) q) = munder(∑ i) msub(g i) msub(w i q)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dC/dx_j = Σ_i g_i ∂y_i/∂x_j", "[mfrac(d C d msub(x j)) = munder(∑ i) msub(g i) mfrac(∂ msub(y i) ∂ msub(x j))]"),
        ("keep e^(−x_k) small.", "keep [msup(e − msub(x k))] small."),
        ("at z_(k+1),i² it is w2'_oh", "at [msubsup(z k + 1 , i 2)] it is [msubsup(w2 o h ′)]"),
        ("g/P Σ_p (y_p − w·x_p)²", "[mfrac(g P) munder(∑ p) msup(( msub(y p) − w · msub(x p) ) 2)]"),
        ("the layer's weights, torch's samples' sum", "the layer's weights, torch's samples' sum"),
        ("13 samples (of 4), a row: is it x?", "13 samples (of 4), a row: is it [x]?"),
        ("w_i ← w_i − lr grad_i for lr > 0", "[msub(w i) ← msub(w i) − lr msub(grad i)] for [lr > 0]"),
        ("from −lr to lr", "from −lr to lr"),
        ("[k = labels_b], or (1 × M) of it", "[[ k = msub(labels b) ]], or [( 1 × M )] of it"),
        ("use `x`, fan_in and torch.rand(n)", "use <x>, <fan_in> and <torch.rand(n)>"),
        ("|w_k| and √(2 / fan_in) (", "[| msub(w k) |] and [msqrt(2 / fan_in)] ("),
        ("∂/∂w_i log Σ_k e^1000 < 1 & so", "[mfrac(∂ ∂ msub(w i)) log munder(∑ k) msup(e 1000)][< 1] & so"),
        ("a = relu(h)", "[a = relu ( h )]"),
        ("(grad_x, grad_i) of x[p], ⌊n // m⌋ for d_in", "(<grad_x>, [msub(grad i)]) of [x [ p ]], [⌊ n // m ⌋] for <d_in>"),
        (
            "g_i (y_i − Σ_k w_ik x_k) = |y_i − x_i − w_i| · 2.",
            "[msub(g i) ( msub(y i) − munder(∑ k) msub(w i k) msub(x k) )][= | msub(y i) − msub(x i) − msub(w i) |][· 2].",
        ),
    ],
)  # fmt: skip
def test_formulas_are_found_in_sentences(text, expected):
    root = parsed(markup_of_text(text, names={"lr", "fan_in", "x"}))
    assert told_of(root) == expected


def told_of(node):
    told = node.text or ""
    for child in node:
        inside = {"math": lambda: f"[{shape(child)}]", "span": lambda: told_of(child)}
        told += inside.get(child.tag, lambda: f"<{child.text}>")()
        told += child.tail or ""
    return told


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda exercise: exercise.name)
def test_no_sentence_of_a_record_loses_a_character(exercise):
    names = {name for graded in exercise.functions for name in graded.spec.parameters}
    for text in (*exercise.hints, exercise.formula):
        root = parsed(markup_of_text(text, names))
        told = "".join(root.itertext()).translate(INVISIBLE)
        assert sorted(flat(told)) == sorted(flat(text))
        assert not [node.tag for node in root.iter() if node.tag.startswith("m") and (node.tail or "").strip()
                    and node.tag != "math"]  # fmt: skip


def flat(text):
    text = text.replace("∑", "Σ").replace("y¯", "ȳ").replace("′", "'").replace("²", "2").replace("³", "3")
    return re.sub(r"[\s_^()\[\]{}/√`]", "", text)
