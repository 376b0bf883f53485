"""Stubs from solutions: docstrings, imports and signatures stay; derivations, bodies and helpers go. The docstring says
on which hard inputs the exercise is graded. A release has those of exercises/, unless somebody has worked in them.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from gradcheck.catalog import Exercise, all_exercises
from gradcheck.checks.traits import hard_inputs_in_words
from gradcheck.errors import GradcheckError

_QUOTES = '"""'
_BODY = '    # TODO: your code here\n    raise NotImplementedError("{name} is not written yet")\n'


def stub_of(source: str, exercise: Exercise) -> str:
    """The learner's file for a solution's source. Only the functions that the exercise asks for are kept."""
    tree = ast.parse(source)
    asked = {graded.spec.name for graded in exercise.functions}
    lines = source.splitlines(keepends=True)
    pieces, functions = [], []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            pieces.append(_source(lines, node.lineno, node.end_lineno))
        elif isinstance(node, ast.FunctionDef) and node.name in asked:
            functions.append(_function(lines, node))
    docstring = _told(_source(lines, tree.body[0].lineno, tree.body[0].end_lineno), hard_inputs_in_words(exercise.task))
    future = [piece for piece in pieces if "__future__" in piece]
    torch = [piece for piece in pieces if piece.split()[1].startswith("torch") and piece.strip() != "import torch"]
    standard = [piece for piece in pieces if piece not in future and piece.split()[1].split(".")[0] != "torch"]
    groups = ("".join(future), "".join(standard), "".join(["import torch\n", *torch]))
    header = docstring + "\n" + "\n".join(group for group in groups if group)
    return header + "".join("\n\n" + function for function in functions)


def _told(docstring: str, sentence: str) -> str:
    """A docstring with a sentence more, on a line of its own."""
    if not sentence:
        return docstring
    return f"{docstring.rstrip().removesuffix(_QUOTES).rstrip()}\n\n{sentence}\n{_QUOTES}\n"


def _function(lines: list[str], node: ast.FunctionDef) -> str:
    docstring = node.body[0]
    if not (isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)):
        raise GradcheckError(f"line {node.lineno}: {node.name} needs a docstring, which is what a learner is given")
    return _source(lines, node.lineno, docstring.end_lineno) + _BODY.format(name=node.name)


def _source(lines: list[str], first: int, last: int | None) -> str:
    return "".join(lines[first - 1 : last])


def write_stubs(root: Path, names: list[str] | None = None, *, overwrite: bool = False) -> list[Path]:
    """Write `root/exercises/` from `root/solutions/`. A file that exists is kept unless `overwrite`; returns what was
    written.
    """
    written = []
    for exercise in all_exercises().values():
        if names and exercise.name not in names:
            continue
        target = root / "exercises" / exercise.path
        if target.exists() and not overwrite:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        text = stub_of((root / "solutions" / exercise.path).read_text(encoding="utf-8"), exercise)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


# Of a release.


def stubs_of(names: Iterable[str], root: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files below `exercises/` by their path, and what is to be told of them.

    A file of `root/exercises` in which something is solved, or hinted at in a comment, is not given away: its stub is
    made from `root/solutions`. Raises GradcheckError where that cannot be.
    """
    if not (root / "exercises").is_dir() and not (root / "solutions").is_dir():
        raise GradcheckError(
            f"there is neither exercises/ nor solutions/ in {root}; the stubs come from there, so run this in the "
            "project's folder"
        )
    files, notes = {}, []
    for exercise in map(all_exercises().__getitem__, names):
        stub, note = _stub(exercise, root)
        files[f"exercises/{exercise.path}"] = stub.encode()
        notes += [note] if note else []
    return files, tuple(notes)


def _stub(exercise: Exercise, root: Path) -> tuple[str, str]:
    source = _read(root / "exercises" / exercise.path)
    if source is not None and is_unsolved(source, exercise):
        return source, ""
    solution = _read(root / "solutions" / exercise.path)
    what = "is missing" if source is None else "is more than a stub"
    if solution is None:
        raise GradcheckError(
            f"exercises/{exercise.path} {what}, and there is no solutions/{exercise.path} to make one from; "
            "fetch it anew"
        )
    try:
        stub = stub_of(solution, exercise)
    except (SyntaxError, ValueError):
        raise GradcheckError(f"solutions/{exercise.path} is no readable Python file; fetch it anew") from None
    return stub, f"exercises/{exercise.path} {what}; the release has the stub of its solution"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise GradcheckError(f"{path} is no text file in UTF-8; fetch it anew") from None


def is_unsolved(source: str, exercise: Exercise) -> bool:
    """Whether it holds imports, the functions that are asked for, each nothing but a docstring and a `raise
    NotImplementedError`, and no comment but a TODO.
    """
    try:
        tree = ast.parse(source)
        comments = [
            token.string
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
    except (SyntaxError, ValueError, tokenize.TokenError):
        return False
    asked = {graded.spec.name for graded in exercise.functions}
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    rest = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.Import, ast.ImportFrom))]
    return (
        all("TODO" in comment for comment in comments)
        and all(map(_is_text, rest))
        and {node.name for node in functions} == asked
        and all(map(is_unwritten, functions))
    )


def is_unwritten(function: ast.FunctionDef) -> bool:
    """Whether its body is nothing but a NotImplementedError, after a docstring or not."""
    *before, last = function.body
    named = last.exc if isinstance(last, ast.Raise) else None
    called = named.func if isinstance(named, ast.Call) else named
    raises = isinstance(called, ast.Name) and called.id == "NotImplementedError"
    return raises and len(before) < 2 and all(map(_is_text, before))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
