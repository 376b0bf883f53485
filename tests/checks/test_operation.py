"""Which operation raised, as facts; whatever stands in a frame may be hostile, and nothing of it is run."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.checks.outcome import Argument, Operand
from gradcheck.grading.execute import execute

HEAD = "import torch\ncalls = []\n"
ARGUMENTS = {"x": Argument(np.ones((2, 3)), "float64"), "w": Argument(np.ones((4, 3)), "float64")}


def fault(body, before="", limit_s=10.0):
    source = f"{HEAD}{before}\ndef f(x, w):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    candidate = execute(source.encode(), "operation_of_a_file", "file.py", "file.py", limit_s)
    outcome = candidate.call("f", ARGUMENTS)
    assert outcome.state == "raised", outcome
    return outcome.fault


def operation(body, before=""):
    found = fault(body, before).operation
    assert found is not None
    return found


X, W = Operand("x", "Tensor", (2, 3), "float64"), Operand("w", "Tensor", (4, 3), "float64")


@pytest.mark.parametrize(
    ("body", "kind", "name", "operands"),
    [
        ("return x @ w", "binary", "@", (X, W)),
        ("x += w", "binary", "+=", (X, W)),
        ("return x < w", "compare", "<", (X, W)),
        ("return torch.mm(x, w)", "call", "torch.mm", (X, W)),
        ("return (x\n    .mm(\n  w))", "method", "mm", (X, W)),
        ("return x.view(7, 2)", "method", "view", (X, Operand("7", "int", value="7"), Operand("2", "int", value="2"))),
        ("return x[0, 9]", "index", "", (X, Operand("0", "int", value="0"), Operand("9", "int", value="9"))),
        ("x[5] = 1", "store", "", (X, Operand("5", "int", value="5"), Operand("1", "int", value="1"))),
        ("x[5] -= 1", "index", "", (X, Operand("5", "int", value="5"))),
        ("a, b, c = x.shape", "unpack", "3", (Operand("x.shape", "Size", (2,)),)),
        ("while x: pass", "truth", "", (X,)),
        ("return 1 if not x else 2", "truth", "", (X,)),
        ("assert len(x) == 7", "assert", "", (Operand("len(x)", "int", value="2"), Operand("7", "int", value="7"))),
        ("for a in 3: pass", "iterate", "", (Operand("3", "int", value="3"),)),
        ("raise ValueError", "raise", "", ()),
        ("return x.sum(0) @ x.T.exp()[:2]", "binary", "@", None),
        ("return [a @ b for a, b in [(x, w)]]", "binary", "@", None),
    ],
)
def test_the_operation_and_what_it_was_given(body, kind, name, operands):
    found = operation(body)
    assert (found.kind, found.name) == (kind, name)
    assert operands is None or found.operands == operands
    assert found.line >= 5


def test_an_expression_of_torch_alone_has_a_shape():
    left, right = operation("y = x.sum(-1, keepdim=True)\nreturn torch.exp(y - w[:2]).T @ w.mT[:, :2]").operands
    assert (left.shape, right.shape) == ((3, 2), (3, 2))
    assert operation("return x.max(-1).values @ w").operands[0].shape == (2,)


def test_nothing_of_the_files_own_is_called_again():
    before = "def own(x):\n    calls.append(1)\n    if len(calls) > 1: raise SystemExit\n    return x\n"
    found = operation("return own(x) @ w", before)
    assert found.operands == (Operand("own(x)"), W)
    random = operation("return torch.rand(2, 3) @ w")
    assert random.operands[0] == Operand("torch.rand(2, 3)")
    assert operation("return torch.exp(x, out=x) @ w").operands[0].shape is None


LIAR = """
class Liar:
    @property
    def __class__(self): raise SystemExit
    def __getattr__(self, name): raise SystemExit
    def __repr__(self): raise SystemExit
    def __len__(self): raise SystemExit
    __str__ = __bool__ = __iter__ = __hash__ = __eq__ = __repr__
    shape = property(__repr__)
class Sub(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *a, **k): raise SystemExit
    def __getattribute__(self, name): raise SystemExit
class Keys(dict):
    def __iter__(self): raise SystemExit
    get = items = keys = __getitem__ = __iter__
"""


@pytest.mark.parametrize(
    "body",
    [
        "a = Liar()\nreturn (a, 1 / 0)[0] + a",
        "a = Liar()\nreturn x[w[9], a]",
        "a = Liar()\nreturn {'k': a}['j']",
        "a = x.as_subclass(Sub)\nb = 1 / 0 if len([a]) else a",
        "a = x.as_subclass(Sub)\nreturn (x @ w) @ a",
        "a = Keys()\nreturn (1 / 0, a['k'])",
        "return x @ w, " + "x, " * 3000,
        "return (" + " @ ".join(["x"] * 60) + ")",
        "return x['" + "k" * 5000 + "']",
    ],
)
def test_hostile_operands_are_left_alone(body):
    found = fault(body, LIAR)
    assert found.kind in ("RuntimeError", "IndexError", "TypeError", "ZeroDivisionError", "KeyError")
    if found.operation:
        texts = [found.operation.source, found.operation.missing, *(each.source for each in found.operation.operands)]
        assert max(map(len, texts)) <= 120


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("raise RuntimeError", "(its message cannot be printed)"),
        ("raise SystemExit", "(its message cannot be printed)"),
        ("return 3", "(its message cannot be printed)"),
        ("return 'a' * 10_000_000", "a" * 600),
        ("return 'one\\n\\ttwo' + chr(27) + '[2J'", "one two\x1b[2J"),
        ("return Text('no')", "no"),
        ("while True: pass", "(its message cannot be printed)"),
    ],
)
def test_a_message_is_one_bounded_line_whatever_it_does(method, text):
    before = (
        "class Text(str):\n    def split(self, *a): raise SystemExit\n    __getitem__ = __str__ = split\n"
        f"class Odd(Exception):\n    def __str__(self):\n        {method}\n"
    )
    found = fault("raise Odd", before, 0.2)
    assert (found.kind, found.text) == ("Odd", text)
    assert found.lines[0].startswith("file.py:")


def test_an_exception_that_lies_about_its_class_is_told_by_its_own_name():
    before = (
        "class Meta(type):\n    __name__ = property(lambda cls: 1 / 0)\n    def mro(cls): return type.mro(cls)\n"
        "class Odd(Exception, metaclass=Meta):\n    __class__ = property(lambda self: SyntaxError)\n"
    )
    found = fault("raise Odd('no')", before)
    assert (found.kind, found.text) == ("Odd", "no")
    assert "Exception" in found.bases


def test_where_an_own_tensor_of_another_dtype_was_made():
    found = operation("ones = torch.ones(2)\ntwice = ones * 2\nreturn twice @ x")
    assert [(each.line, each.source, each.dtype, each.name) for each in found.strays] == [
        (5, "torch.ones(2)", "float32", "ones")
    ]
    assert operation("return torch.rand(2) @ x").strays[0].source == "torch.rand(2)"
    assert not operation("ones = torch.ones(2, dtype=x.dtype)\nreturn ones @ w").strays
