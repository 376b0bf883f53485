"""The stubs of a release: those of exercises/ as they are, unless somebody has worked in them."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import Exercise, all_exercises
from gradcheck.errors import GradcheckError


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
        and all(map(_is_open, functions))
    )


def _is_open(function: ast.FunctionDef) -> bool:
    *before, last = function.body
    named = last.exc if isinstance(last, ast.Raise) else None
    called = named.func if isinstance(named, ast.Call) else named
    raises = isinstance(called, ast.Name) and called.id == "NotImplementedError"
    return raises and len(before) < 2 and all(map(_is_text, before))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
