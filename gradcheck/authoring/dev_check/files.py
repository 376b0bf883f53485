"""The files of an exercise: the solution is what the record asks for, the stub what the solution gives, unsolved."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gradcheck.authoring.dev_check.record import Problem
from gradcheck.authoring.stubs import is_unwritten, stub_of
from gradcheck.catalog import Exercise
from gradcheck.checks.task import FunctionSpec
from gradcheck.showing.text import in_a_row

Functions = dict[str, ast.FunctionDef]


def file_problems(exercise: Exercise, root: Path) -> list[Problem]:
    """What is wrong with the two files, without running them."""
    solution = _File(exercise, root, "solutions")
    stub = _File(exercise, root, "exercises")
    found = [*solution.problems(), *stub.problems()]
    if stub.tree is not None:
        own = list(_stub_problems(stub))
        # A stub that is only not what its solution gives has no better name for what is wrong with it.
        found += own or ([] if found else list(_drift_problems(stub, solution)))
    return found


def solved_in(stub: Path) -> set[str]:
    """The functions of a stub whose body is more than a NotImplementedError."""
    try:
        tree = ast.parse(stub.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return set()
    return {name for name, node in _functions(tree).items() if not is_unwritten(node)}


class _File:
    """One of the two files, read and parsed as far as that goes."""

    def __init__(self, exercise: Exercise, root: Path, folder: str) -> None:
        self.exercise, self.folder = exercise, folder
        self.where = f"{folder}/{exercise.path}"
        self.text, self.unreadable = "", ""
        self.tree: ast.Module | None = None
        path = root / folder / exercise.path
        self.missing = not path.exists()
        self.elsewhere = any((root / folder).glob(f"*/{exercise.name}.py"))
        try:
            self.text = path.read_text(encoding="utf-8")
            self.tree = ast.parse(self.text)
        except SyntaxError as error:
            self.unreadable = f"Python cannot read it: {error.msg}, line {error.lineno}"
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.unreadable = f"it cannot be read: {said}"

    @property
    def functions(self) -> Functions:
        return {} if self.tree is None else _functions(self.tree)

    def problem(self, cause: str, remedy: str) -> Problem:
        return Problem(self.exercise.name, self.where, cause, remedy)

    def problems(self) -> Iterator[Problem]:
        """What must hold of either file."""
        anew = f"write it anew with: gradcheck stubs {self.exercise.name}"
        if self.missing:
            if not self.elsewhere:  # a file in another unit's folder is told of by itself
                asked = in_a_row([_signature(graded.spec) for graded in self.exercise.functions])
                remedy = anew if self.folder == "exercises" else f"write it, with {asked}"
                yield self.problem("there is no such file", remedy)
            return
        if self.tree is None:
            yield self.problem(self.unreadable, f"{anew} --force" if self.folder == "exercises" else "mend it")
            return
        if self.folder == "solutions" and ast.get_docstring(self.tree) is None:
            yield self.problem("it has no docstring", "begin it with the definition: it is the head of the stub, too")
        for graded in self.exercise.functions:
            yield from self._function_problems(graded.spec)

    def _function_problems(self, spec: FunctionSpec) -> Iterator[Problem]:
        name, wanted = spec.name, _signature(spec)
        node = self.functions.get(name)
        if node is None:
            yield self.problem(f"there is no function {name}", f"define it as the record asks for it: def {wanted}")
            return
        written = f"{name}({ast.unparse(node.args)})"
        plain = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        odd = node.args.vararg or node.args.kwarg or node.args.kwonlyargs
        if odd or plain != list(spec.parameters):
            cause = f"{name} is defined as {written}, but the record asks for {wanted}"
            yield self.problem(cause, "let the two agree: what is in the record is how it is called")
        if ast.get_docstring(node) is None:
            cause = f"{name} has no docstring"
            yield self.problem(cause, "say in it what comes in and what comes out, with shapes; the learner reads it")


def _stub_problems(stub: _File) -> Iterator[Problem]:
    name = stub.exercise.name
    anew = f"gradcheck stubs {name} --force writes it anew; what is in it is lost"
    solved = [each for each, node in stub.functions.items() if not is_unwritten(node)]
    if solved:
        verb, whose = ("is", "its body is") if len(solved) == 1 else ("are", "their bodies are")
        yield stub.problem(f"{in_a_row(solved)} {verb} already solved: {whose} more than NotImplementedError", anew)
    asked = {graded.spec.name for graded in stub.exercise.functions}
    silent = [
        each
        for each, node in stub.functions.items()
        if each in asked and "# TODO" not in (ast.get_source_segment(stub.text, node) or "")
    ]
    if silent:
        cause = f"{in_a_row(silent)} {'has' if len(silent) == 1 else 'have'} no # TODO, which says where to write"
        yield stub.problem(cause, anew)


def _drift_problems(stub: _File, solution: _File) -> Iterator[Problem]:
    """Only where nothing else is wrong with either file."""
    if solution.tree is None:
        return
    try:
        wanted, written = stub_of(solution.text, stub.exercise), stub.text
    except Exception:
        return  # no cases can be drawn from the record: what is wrong with it is told by whoever looks at it
    if wanted != written:
        lines = wanted.splitlines(), written.splitlines()
        same = next((n for n, pair in enumerate(zip(*lines, strict=False)) if pair[0] != pair[1]), min(map(len, lines)))
        cause = f"it is not what its solution gives, from line {same + 1} on"
        yield stub.problem(cause, f"gradcheck stubs {stub.exercise.name} --force writes it anew")


def _functions(tree: ast.Module) -> Functions:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _signature(spec: FunctionSpec) -> str:
    return f"{spec.name}({', '.join(spec.parameters)})"
