"""Whatever a file holds, grading ends with one clear message per function and goes on with the next exercise."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult
from gradcheck.grading.grade import grade_folder
from gradcheck.grading.load import load_candidate
from gradcheck.grading.report import ExerciseReport
from gradcheck.reports.message import failures_text

SOLUTIONS = Path(__file__).parents[2] / "solutions"
FILE = "work/04_modules/relu.py"
RIGHT = """
import torch
def forward(x):
    return torch.clamp(x, min=0)
def jacobian(x):
    return torch.diag((x > 0).to(x.dtype))
"""
GRADIENT = "grad_output * (x > 0)"

Grade = Callable[[str | bytes], tuple[ExerciseReport, list[str]]]


def backward(*body: str, before: str = "") -> str:
    """A file whose other functions are right."""
    return f"{RIGHT}{before}\ndef backward(grad_output, x):\n" + "".join(f"    {line}\n" for line in body)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def settings_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own, so that messages show a short path."""
    monkeypatch.chdir(tmp_path)
    before = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    process = os.getcwd(), sys.getrecursionlimit(), sys.stdout, sys.stdin, sys.stderr
    yield
    after = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    assert after == before
    assert (os.getcwd(), sys.getrecursionlimit(), sys.stdout, sys.stdin, sys.stderr) == process


@pytest.fixture
def grade(tmp_path: Path, cache: Path, settings_unchanged: None) -> Grade:
    """Grades a source as relu.py beside a right nll.py, which must get its points all the same."""
    folder = tmp_path / "work"
    for unit in ("04_modules", "05_losses"):
        (folder / unit).mkdir(parents=True)
    neighbour = (SOLUTIONS / "05_losses/nll.py").read_text(encoding="utf-8")
    (folder / "05_losses/nll.py").write_text(neighbour, encoding="utf-8")

    def run(source: str | bytes) -> tuple[ExerciseReport, list[str]]:
        Path(FILE).write_bytes(source if isinstance(source, bytes) else source.encode())
        report = grade_folder(folder, only=("relu", "nll"), cache=cache)
        relu, nll = report.exercises
        assert (nll.status, nll.score) == ("passed", nll.max_score)
        return relu, list(failures_text(report, folder))

    return run


def not_passed(report: ExerciseReport, function: str) -> list[CheckResult]:
    """What a learner is told about one function; checks that wait for another are not told."""
    return [each for each in report.results if each.function == function and each.status not in ("passed", "skipped")]


def assert_clear(text: str, function: str, words: tuple[str, ...]) -> None:
    flat = " ".join(text.split())
    assert text.startswith(f"relu.{function} ")
    assert FILE in flat
    assert "gradcheck hint relu" in flat
    for word in words:
        assert word in flat
    for machinery in ("Traceback", "gradcheck/", "None:", "line None", ":0\n"):
        assert machinery not in text
    assert all(line.strip() for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 80


UNREADABLE: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "syntax error": (
        "import torch\ndef forward(x:\n    return x\n",
        (f"{FILE}, line 2", "was never closed", "mend it"),
    ),
    "indentation": ("def forward(x):\nreturn x\n", (f"{FILE}, line 2", "expected an indented block", "mend it")),
    "tabs": ("def forward(x):\n    if x:\n\treturn x\n", (f"{FILE}, line 3", "tabs and spaces", "mend it")),
    "too many brackets": (f"x = {'(' * 300}1{')' * 300}", ("too many nested", "mend it")),
    "null bytes": (b"import torch\nx = 1\0\n", ("null byte", "mend it")),
    "utf-16": ("import torch\n".encode("utf-16"), ("mend it",)),
    "latin-1": ("word = 'caf\xe9'\n".encode("latin-1"), ("utf-8", "mend it")),
    "unknown coding": (b"# -*- coding: nosuch -*-\n", ("unknown encoding", "nosuch", "mend it")),
    "two megabytes": (b"#" * 2_000_000, ("2,000,000 bytes", "at most 1,000,000")),
    "exit on import": ("import sys\nsys.exit(3)\n", ("called sys.exit()", "remove the call", "sys.exit(3)", ":2 in")),
    "raise on import": ("x = 1\nraise ValueError('odd')\n", ("raised ValueError", "odd", f"{FILE}:2", "mend it")),
    "unknown import": ("import nosuchmodule\n", ("No module named 'nosuchmodule'", f"{FILE}:1")),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_loaded_is_told_once(grade: Grade, name: str) -> None:
    source, words = UNREADABLE[name]
    relu, texts = grade(source)
    assert (relu.status, relu.score) == ("errored", 0)
    told, *others = relu.results
    assert (told.id, told.status) == ("relu.forward.runs", "errored")
    assert {(each.status, each.blocked_by) for each in others} == {("skipped", told.id)}
    assert (
        next(each for each in others if each.function == "jacobian").message == f"the file was not read: see {told.id}"
    )
    (text,) = texts
    assert_clear(text, "forward", words)


def test_the_line_that_python_cannot_read_is_shown_as_it_is_indented(grade: Grade) -> None:
    _, (text,) = grade("def forward(x):\n    if x:\n        return x +* 2\n")
    source, caret = text.splitlines()[text.splitlines().index(f"    {FILE}:3") + 1 :][:2]
    assert source.endswith("            return x +* 2")
    assert source[caret.index("^")] == "*"
    _, (text,) = grade("def forward(x):\n\tif x:\n\t\treturn x +* 2\n")
    source, caret = text.splitlines()[text.splitlines().index(f"    {FILE}:3") + 1 :][:2]
    assert source[caret.index("^")] == "*"


RAISES_IN_STR = "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError('no words')\n"
EXITS_IN_STR = "class Odd(Exception):\n    def __str__(self):\n        raise SystemExit\n"
LIES_ABOUT_SHAPE = (
    "class Liar(torch.Tensor):\n    @property\n    def shape(self):\n        return torch.Size((2, 3, 7))\n"
)
RAISES_WHEN_READ = (
    "class Liar(torch.Tensor):\n    @property\n    def dtype(self):\n        raise RuntimeError('hands off')\n"
)
CLAIMS_A_CLASS = "class Odd:\n    @property\n    def __class__(self):\n        return torch.Tensor\n"

WRONG: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "missing": (RIGHT, "runs", ("no function backward(grad_output, x)", "define it: def backward(grad_output, x):")),
    "misspelt": (f"{RIGHT}def bakward(grad_output, x):\n    return x\n", "runs", ("rename bakward to backward",)),
    "too few": (f"{RIGHT}def backward(x):\n    return x\n", "runs", ("called as backward(grad_output, x)", "too many")),
    "too many": (
        f"{RIGHT}def backward(grad_output, x, y):\n    return x\n",
        "runs",
        ("called as backward(grad_output, x)", "but the file defines backward(grad_output, x, y)", "'y'"),
    ),
    "keyword-only": (f"{RIGHT}def backward(grad_output, *, x):\n    return x\n", "runs", ("backward(grad_output, *, x)",)),
    "a number": (f"{RIGHT}backward = 3\n", "runs", ("not a function", "define backward(grad_output, x)")),
    "bound too far": (f"{RIGHT}import functools\nbackward = functools.partial(forward, 0)\n", "runs", ("backward()",)),
    "None": (backward("pass"), "type", ("returned None", "torch.Tensor", "no return statement")),
    "tuple of two": (backward("return x + 1, x + 2"), "type", ("a tuple or list of 2", "expected one tensor")),
    "numpy": (backward(f"return ({GRADIENT}).numpy()"), "type", ("NumPy array", "torch.from_numpy")),
    "text": (backward("return 'relu'"), "type", ("str", "expected a torch.Tensor")),
    "an instance": (f"{RIGHT}class backward:\n    def __init__(self, g, x): ...\n", "type", ("expected a torch.Tensor",)),
    "float32": (backward(f"return ({GRADIENT}).float()"), "dtype", ("is float32", "expected float64")),
    "int64": (backward(f"return ({GRADIENT}).long()"), "dtype", ("is int64", "expected float64")),
    "meta": (backward("return torch.empty_like(x, device='meta')"), "dtype", ("'meta'", "'cpu'")),
    "sparse": (backward(f"return ({GRADIENT}).to_sparse()"), "type", ("dense", ".to_dense()")),
    "wrong shape": (backward(f"return ({GRADIENT})[None]"), "shape", ("has shape (1, ", "expected")),
    "NaN": (backward("return grad_output * float('nan')"), "values", ("NaN", "you returned", "nan")),
    "recursion": (backward("return backward(grad_output, x)"), "runs", ("without end", "ends the recursion?", "more calls")),
    "exit": (backward("raise SystemExit(3)"), "runs", ("called sys.exit(3)", "return a value instead")),
    "input": (backward("return input('your answer? ')"), "runs", ("EOFError", "input('your answer? ')")),
    "no such file": (backward("open('nosuchfile')"), "runs", ("FileNotFoundError", "open('nosuchfile')")),
    "__str__ raises": (backward("raise Odd", before=RAISES_IN_STR), "runs", ("raised Odd", "cannot be printed")),
    "__str__ exits": (backward("raise Odd", before=EXITS_IN_STR), "runs", ("raised Odd", "cannot be printed")),
    "control codes": (backward("raise ValueError('\\x1b[2J\\udcff')"), "runs", ("ValueError: \\x1b[2J\\udcff",)),
    "lies about its shape": (
        backward("return grad_output.as_subclass(Liar)", before=LIES_ABOUT_SHAPE), "type", ("Liar", "plain torch.Tensor"),
    ),
    "raises when read": (
        backward("return grad_output.as_subclass(Liar)", before=RAISES_WHEN_READ), "type", ("torch.Tensor",),
    ),
    "claims to be a tensor": (backward("return Odd()", before=CLAIMS_A_CLASS), "type", ("torch.Tensor",)),
    "list inside itself": (backward("x = []", "x.append(x)", "return x"), "type", ("expected one tensor",)),
}  # fmt: skip


@pytest.mark.table
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_function_is_told_once_and_the_others_are_graded(grade: Grade, name: str) -> None:
    source, check, words = WRONG[name]
    relu, texts = grade(source)
    assert [each.check for each in not_passed(relu, "backward")] == [check]
    assert relu.score == 2
    assert not not_passed(relu, "forward")
    assert not not_passed(relu, "jacobian")
    assert len(texts) == 1
    assert_clear(texts[0], "backward", words)


RIGHT_ALL_THE_SAME = {
    "lambda": f"{RIGHT}backward = lambda grad_output, x: {GRADIENT}\n",
    "partial": f"{RIGHT}import functools\nbackward = functools.partial(lambda low, g, x: g * (x > low), 0)\n",
    "class": f"{RIGHT}class backward:\n    def __new__(cls, grad_output, x):\n        return {GRADIENT}\n",
    "byte order mark": "\ufeff" + backward(f"return {GRADIENT}"),
    "windows lines": backward(f"return {GRADIENT}").replace("\n", "\r\n"),
    "huge print": backward("print('x' * 10_000_000)", f"return {GRADIENT}"),
    "warns": backward("import warnings", "warnings.warn('careful')", f"return {GRADIENT}", before="import warnings\n"
                      "warnings.warn('on import', DeprecationWarning)"),
    "changes the folder": backward("import os", "os.chdir('/')", f"return {GRADIENT}"),
    "default dtype": backward(f"return {GRADIENT}", before="torch.set_default_dtype(torch.float16)"),
    "default device": backward(f"return {GRADIENT}", before="torch.set_default_device('meta')"),
    "gradients off": backward(f"return {GRADIENT}", before="torch.set_grad_enabled(False)"),
    "recursion limit": backward("import sys", "sys.setrecursionlimit(99_999)", f"return {GRADIENT}"),
    "streams": backward("import sys", "sys.stdout = sys.stderr = sys.stdin = None", f"return {GRADIENT}"),
}  # fmt: skip


@pytest.mark.table
@pytest.mark.parametrize("name", RIGHT_ALL_THE_SAME)
def test_a_right_file_passes_however_it_is_written_and_leaves_no_settings_behind(grade: Grade, name: str) -> None:
    relu, texts = grade(RIGHT_ALL_THE_SAME[name])
    assert texts == []
    assert (relu.status, relu.score) == ("passed", relu.max_score)


def test_a_stub_is_not_started_and_an_empty_file_lacks_its_functions(grade: Grade) -> None:
    relu, texts = grade(backward("raise NotImplementedError"))
    assert {each.status for each in not_passed(relu, "backward")} == {"not_started"}
    assert texts == []
    relu, texts = grade("")
    told = [" ".join(text.split("  Again:")[0].split("[missing-function]")[1].split()) for text in texts]
    assert told == [
        "there is no function forward(x); define it: def forward(x):",
        "there is no function backward(grad_output, x); define it: def backward(grad_output, x):",
        "there is no function jacobian(x); define it: def jacobian(x):",
    ]


def test_a_folder_in_the_place_of_a_file(grade: Grade) -> None:
    grade("")
    Path(FILE).unlink()
    Path(FILE).mkdir()
    report = grade_folder(Path("work"), only=("relu", "nll"))
    assert [each.status for each in report.exercises] == ["errored", "passed"]
    (text,) = failures_text(report, Path("work"))  # once, not for each function
    assert_clear(text, "forward", ("is not a file", "the exercise relu belongs there"))


# Each would end after ten seconds by itself and leave a file behind, so that a limit that does not hold fails a test
# and does not hang it.
OUTLIVED = "open('outlived', 'w').close()"
LOOP = "import time\nend = time.monotonic() + 10\n"
LOOPS = {
    "bare": ("while time.monotonic() < end:", "    x = x + 1"),
    "except Exception": ("while time.monotonic() < end:", "    try:", "        x + 1", "    except Exception: ..."),
    "except everything": ("while time.monotonic() < end:", "    try:", "        x + 1", "    except: ..."),
    "prints": ("while time.monotonic() < end:", "    try:", "        print('x' * 99)", "    except: ..."),
    "torch": (
        "while time.monotonic() < end:",
        "    try:",
        "        torch.nn.functional.softmax(x, -1)",
        "    except: ...",
    ),
    "handler in a handler": (
        "while time.monotonic() < end:",
        "    try:",
        "        try:",
        "            x + 1",
        "        except: ...",
        "    except: ...",
    ),
    "suppresses": (
        "import contextlib",
        "while time.monotonic() < end:",
        "    with contextlib.suppress(BaseException):",
        "        torch.nn.functional.softmax(x, -1)",
    ),
    "finally": (
        "while time.monotonic() < end:",
        "    try:",
        "        print(x + 1)",
        "    finally:",
        "        continue",
    ),
    "helpers": (
        "def helper():",
        "    while time.monotonic() < end:",
        "        try:",
        "            torch.stack([x.relu() for _ in range(9)])",
        "        except: ...",
        "while time.monotonic() < end:",
        "    try:",
        "        helper()",
        "    except: ...",
    ),
    "asleep": ("time.sleep(10)",),
}


@pytest.mark.table
@pytest.mark.parametrize("name", LOOPS)
def test_an_endless_loop_is_ended(tmp_path: Path, cache: Path, settings_unchanged: None, name: str) -> None:
    path = tmp_path / "relu.py"
    path.write_text(backward(*LOOP.splitlines(), *LOOPS[name], OUTLIVED))
    exercise = find_exercise("relu")
    tracer = sys.gettrace()
    candidate = load_candidate(exercise, path, FILE, limit_s=0.4)
    report = ExerciseReport(exercise, tuple(Verification(candidate, exercise.task, cache=cache).results()))
    assert not Path("outlived").exists()
    assert sys.gettrace() is tracer
    (told,) = not_passed(report, "backward")
    assert (told.check, told.status, told.code) == ("runs", "errored", "timed-out")
    if name == "asleep":
        assert re.fullmatch(
            r"backward: no result after 2\.4 s, though it computed for 0\.\d s only .*; the call was ended",
            told.message,
        )
    else:
        assert told.message == "backward: no result after 0.4 s of computing; the call was ended"
    assert told.lines[0].startswith(f"{FILE}:")
    assert report.score == 2


@pytest.mark.parametrize("body", ["...", "print('x' * 10_000)"])
def test_an_endless_loop_on_import_is_ended_and_what_it_prints_is_bounded(
    tmp_path: Path, settings_unchanged: None, body: str
) -> None:
    path = tmp_path / "relu.py"
    path.write_text(
        f"print('y' * 9_000)\n{LOOP}while time.monotonic() < end:\n    try:\n        {body}\n    except: ...\n{OUTLIVED}\n"
    )
    candidate = load_candidate(find_exercise("relu"), path, FILE, limit_s=0.4)
    assert not Path("outlived").exists()
    assert candidate.broken is not None
    assert candidate.broken.fault is not None
    assert candidate.broken.fault.text.startswith(f"{FILE} was still running after the time limit")
    assert "(no result after 0.4 s" in candidate.broken.fault.text
    printed = candidate.printed.take()
    assert len(printed) < 5_000
    assert "more characters not shown" in printed
