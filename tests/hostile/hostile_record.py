"""What a hostile submission is, and the pieces that most are made of.

Every act is harmless where the sandbox is missing: it ends by itself within 20 s, starts at most 50 processes or 500
threads, touches at most 1 GiB of memory and writes at most 1 MB, and speaks to this machine's loopback only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FULL = {"relu": 4.0, "add": 3.0, "sigmoid": 4.0}
"""The exercises of the class, with their points."""

PATHS = {
    "relu": "exercises/04_modules/relu.py",
    "add": "exercises/04_modules/add.py",
    "sigmoid": "exercises/04_modules/sigmoid.py",
}


@dataclass(frozen=True)
class Place:
    """What a maker and a source may name: written `@MARKERS@` and so on in a source."""

    markers: Path  # a file in here was written by a submission
    victims: Path  # files that must stay as they are
    class_folder: Path
    out: Path
    solutions: Path
    package: Path
    port: int

    def fill(self, text: str) -> str:
        for name, value in vars(self).items():
            text = text.replace(f"@{name.upper()}@", str(value))
        return text


Maker = Callable[[Path, Place], None]
"""Makes what is no ordinary file, at the path where it belongs."""


@dataclass(frozen=True)
class Expect:
    """What must come out of one exercise. Some check's message holds `word`."""

    status: str
    most: float = 0.0
    least: float = 0.0
    word: str = ""


@dataclass(frozen=True)
class Hostile:
    """One submission. Exercises that `files` does not name are right answers, and `expect` what is not a pass.

    `needs` names the layers without which the promise is not made. `slow` says why it runs only with GRADCHECK_ALL=1.
    `folder` is the name on disk, where it is not `name`. `known` describes a promise that is not kept yet.
    """

    name: str
    family: str
    files: Mapping[str, str | bytes | Maker]
    expect: Mapping[str, Expect] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    slow: str = ""
    folder: bytes = b""
    known: str = ""

    def expected(self, exercise: str) -> Expect:
        return self.expect.get(exercise) or passed(exercise)


def passed(exercise: str) -> Expect:
    return Expect("passed", FULL[exercise], FULL[exercise])


# -- answers ---------------------------------------------------------------------------------------------------------

ADD = """def forward(x1, x2):
    return x1 + x2
def backward(grad_output, x1, x2):
    return grad_output, grad_output
"""
SIGMOID = """import torch
def forward(x):
    return torch.sigmoid(x)
def backward(grad_output, x):
    return grad_output * torch.sigmoid(x) * torch.sigmoid(-x)
def jacobian(x):
    return torch.diag(torch.sigmoid(x) * torch.sigmoid(-x))
"""
ANSWER = "grad_output * (x > 0)"
HEAD = """import torch
def forward(x):
    return torch.clamp(x, min=0)
def jacobian(x):
    return torch.diag((x > 0).to(x.dtype))
"""
RELU = f"{HEAD}def backward(grad_output, x):\n    return {ANSWER}\n"
RIGHT = {"relu": RELU, "add": ADD, "sigmoid": SIGMOID}


def _indented(body: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in body.splitlines())


def backward(body: str, before: str = "") -> str:
    """relu.py: right but for the body of `backward`."""
    return f"{HEAD}{before}\ndef backward(grad_output, x):\n{_indented(body, 4)}"


def tried(body: str, before: str = "", answer: str = ANSWER) -> str:
    """relu.py: `backward` does something forbidden, gets over being refused, and answers all the same."""
    return backward(f"try:\n{_indented(body, 4)}except Exception:\n    pass\nreturn {answer}", before)


def at_import(body: str) -> str:
    """relu.py: right, after something that is done when it is loaded."""
    return f"import torch\ntry:\n{_indented(body, 4)}except Exception:\n    pass\n{RELU}"


def cheating(before: str, value: str = "torch.zeros_like(x)") -> str:
    """relu.py: only `backward` is written, and wrong; `before` is what should make it pass. `value` may call what
    `before` defines. (One function, because finding a name for the mistake takes the most time.)
    """
    later = "    raise NotImplementedError\n"
    return (
        f"import torch\n{before}\n"
        f"def forward(x):\n{later}def jacobian(x):\n{later}def backward(grad_output, x):\n    return {value}\n"
    )


def case(
    name: str,
    family: str,
    source: str | bytes | Maker,
    expect: Expect | None = None,
    *,
    needs: tuple[str, ...] = (),
    slow: str = "",
    known: str = "",
    others: Mapping[str, Expect] | None = None,
) -> Hostile:
    """A submission that is hostile in its relu.py, beside a right add.py and sigmoid.py, which get their points."""
    expected = {**({"relu": expect} if expect else {}), **(others or {})}
    return Hostile(name, family, {PATHS["relu"]: source}, expected, needs, slow, known=known)


MANY = "one of many of its kind"
"""Why a submission runs only where everything does."""

PARTLY = 2.0
"""The points of relu's other functions, where only `backward` is wrong."""


def errored(word: str, most: float = PARTLY, least: float = 0.0) -> Expect:
    return Expect("errored", most, least, word)


def failed(word: str = "", most: float = 0.0) -> Expect:
    return Expect("failed", most, 0.0, word)
