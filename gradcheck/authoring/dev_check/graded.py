"""What grading shows of an exercise: references agree, the solution passes, the stub does not, wrong answers fail.

For a check that no known wrong answer fails, the solution is spoilt in a few ways: always, and from the moment at which
the check begins. One failure shows that the check looks at what it gets. A check that none of these makes fail either
looks at nothing, or asks for something that no result can miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.authoring.dev_check.files import solved_in
from gradcheck.authoring.dev_check.record import ExerciseVerdict, Problem
from gradcheck.catalog import Exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import FAULTS, CheckResult
from gradcheck.checks.task import LAST, Confusion, FunctionSpec
from gradcheck.errors import GradcheckError, ReferenceDisagreement
from gradcheck.grading.grade import verification_of
from gradcheck.grading.load import load_candidate
from gradcheck.showing.text import in_a_row

if TYPE_CHECKING:
    from gradcheck.diagnosis.calculator import WrongAnswer
    from gradcheck.operators.record import Operator

_STOPPED = (*FAULTS, "ungraded")
_SEEDS = (0, 1)
_NOTHING = "no derived wrong answer, no misconception, no broken answer"
_SIDE = 128
"""Of two matrices whose product is an effort that shows."""

Function = Callable[..., Any]


def graded(exercise: Exercise, root: Path, cache: Path, *, quick: bool = False) -> ExerciseVerdict:
    """The problems that grading finds, and how many wrong answers were refused. `quick` grades none of those."""
    record = f"gradcheck/catalog/{exercise.name}.py"
    disagreement = _disagreement(exercise)
    if disagreement:
        remedy = "mend the formula, its torch function or the second opinion: nothing can be graded before"
        return ExerciseVerdict((Problem(exercise.name, record, disagreement, remedy),))
    found = [*_of_stub(exercise, root, cache)]
    unsolved = list(_of_solution(exercise, root, cache))
    if unsolved or quick:
        return ExerciseVerdict((*found, *unsolved))
    functions = load_candidate(exercise, root / "solutions" / exercise.path).functions
    wrong = _WrongAnswers(exercise, functions, cache)
    found += [Problem(exercise.name, record, *told) for told in (*wrong.problems(), *wrong.unshown())]
    return ExerciseVerdict(tuple(found), wrong.refused)


def _disagreement(exercise: Exercise) -> str:
    """What one reference has against another, on ordinary numbers and at the edges; whatever the store remembers."""
    try:
        for operator in exercise.operators:
            _agree(operator)
        for graded in exercise.functions:
            if graded.spec.reference is not None:
                _agree_with_opinion(exercise, graded.spec.name)
    except NotImplementedError as error:
        return f"the torch function of its operator is not written yet: {error}"
    except ReferenceDisagreement as error:
        return error.cause
    except GradcheckError as error:
        return str(error)
    return ""


def _agree(operator: Operator) -> None:
    from gradcheck.checks.derived import Opinions
    from gradcheck.references.store import ExpectedStore

    for seed in _SEEDS:
        opinions = Opinions(operator, ExpectedStore(operator, None), seed)
        for group in ("generic", "edge"):
            for point in opinions.agreement_points(group):
                opinions.agree_at(point)


def _agree_with_opinion(exercise: Exercise, function: str) -> None:
    from gradcheck.checks.trials import Benches

    for seed in _SEEDS:
        Benches(exercise.task, seed, None).of(exercise.task.function(function)).agree()


def _of_stub(exercise: Exercise, root: Path, cache: Path) -> Iterator[Problem]:
    path, where = root / "exercises" / exercise.path, f"exercises/{exercise.path}"
    if not path.is_file():
        return  # told of where files are checked
    results = verification_of(exercise, load_candidate(exercise, path, where), 0, cache, shrink=False).results()
    solved = solved_in(path)
    passed = [f"{each.function}.{each.check}" for each in results if each.ok and each.function not in solved]
    if passed:
        more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
        cause = f"{', '.join(passed[:3])}{more} of the stub pass, although nothing is written there"
        yield Problem(exercise.name, where, cause, f"gradcheck stubs {exercise.name} --force writes it anew")


def _of_solution(exercise: Exercise, root: Path, cache: Path) -> Iterator[Problem]:
    path, where = root / "solutions" / exercise.path, f"solutions/{exercise.path}"
    candidate = load_candidate(exercise, path, where)
    once = "wrong answers are graded once it passes"
    if candidate.broken is not None and candidate.broken.fault is not None:
        yield Problem(exercise.name, where, candidate.broken.fault.text, f"mend it; {once}")
        return
    results = verification_of(exercise, candidate, 0, cache, shrink=False).results()
    unwritten = list(dict.fromkeys(each.function for each in results if each.status == "not_started"))
    if unwritten:
        verb = "is" if len(unwritten) == 1 else "are"
        yield Problem(exercise.name, where, f"{in_a_row(unwritten)} {verb} not written yet", f"write them; {once}")
    for each in results:
        if each.status == "ungraded":
            cause = f"the grader itself fails at {each.function}.{each.check}: {each.message}"
            yield Problem(exercise.name, f"gradcheck/catalog/{exercise.name}.py", cause, f"mend the record; {once}")
        elif each.status in FAULTS:
            cause = f"the solution fails {each.function}.{each.check}: {each.message}"
            again = f"pytest {where} -k {each.function}"
            yield Problem(exercise.name, where, cause, f"mend it, or the record if that is wrong ({again}); {once}")


class _WrongAnswers:
    """The wrong answers of an exercise, each graded beside the solution's other functions."""

    def __init__(self, exercise: Exercise, functions: Mapping[str, Any], cache: Path) -> None:
        self.exercise, self.functions, self.cache = exercise, functions, cache
        self.refused = 0
        self._failing: set[tuple[str, str]] = set()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Those that pass, and misconceptions that do not even run."""
        from gradcheck.diagnosis.calculator import wrong_answers

        for each in wrong_answers(self.exercise):
            failure = self._first_failure(each)
            if failure is None:
                if not each.is_right():
                    yield _survivor(each)
            elif failure.status == "failed":
                self.refused += 1
                self._failing.add((failure.function, failure.check))
            elif failure.status == "ungraded":
                cause = f"the grader itself fails at a wrong {failure.function}, {each.text}: {failure.message}"
                yield cause, "mend the record: what the grader fails on is no wrong answer refused"
            elif each.misconception is not None:
                cause = f"the wrong answer of the misconception {each.text!r} fails without a result: {failure.message}"
                yield cause, "mend the function: it shows the mistake by wrong numbers"

    def unshown(self) -> Iterator[tuple[str, str]]:
        """Checks that no answer makes fail, neither a known wrong one nor one that is broken on purpose."""
        for spec in (graded.spec for graded in self.exercise.functions):
            for check in _checks_to_show(spec):
                if (spec.name, check) not in self._failing and not self._can_fail(spec, check):
                    cause = f"nothing makes {spec.name}.{check} fail: {_NOTHING}"
                    yield cause, "let it look at what comes back, or remove it: points would be given for nothing"

    def _verification(self, name: str, function: Function) -> Verification:
        candidate = InProcessCandidate({**self.functions, name: function})
        return Verification(candidate, self.exercise.task, cache=self.cache, shrink=False)

    def _first_failure(self, wrong: WrongAnswer) -> CheckResult | None:
        verification = self._verification(wrong.function, wrong.run)
        spec = self.exercise.task.function(wrong.function)
        # A whole training comes last, and is not for what is right after all: nearly everything fails before.
        for late in (False, True):
            if late and (not spec.long_checks or wrong.is_right()):
                break
            checks = (each for each in spec.checks if (each in spec.long_checks) == late)
            results = (verification.result(wrong.function, each) for each in checks)
            failure = next((each for each in results if each.status in _STOPPED), None)
            if failure is not None:
                break
        verification.save()
        return failure

    def _can_fail(self, spec: FunctionSpec, check: str) -> bool:
        """Whether some broken answer fails the check."""
        confusion = next((each for each in spec.confusions if each.check == check), None)
        if confusion is not None:
            return self._tells_apart(spec, confusion)
        return any(self._fails(spec, check, spoil, late=late) for late in (True, False) for spoil in _WAYS)

    def _fails(self, spec: FunctionSpec, check: str, spoil: Function, *, late: bool) -> bool:
        armed = not late
        right: Function = self.functions[spec.name]
        first: list[Any] = []

        def broken(*arguments: Any) -> Any:
            result = right(*arguments)
            if not armed:
                return result
            first.append(result)
            return spoil(first[0] if spoil is _frozen else result)

        verification = self._verification(spec.name, broken)
        before = spec.prerequisite(check)
        if late and before:
            verification.result(spec.name, before)
            armed = True
        found = verification.result(spec.name, check).status
        verification.save()
        return found in ("failed", "errored")

    def _tells_apart(self, spec: FunctionSpec, confusion: Confusion) -> bool:
        """Whether the right answer in the wrong order is refused, by this check or by one before it (a shape says it
        too); or is right itself, as a symmetric Jacobian is.
        """
        right: Function = self.functions[spec.name]
        differs: list[bool] = []

        def confuse(leaf: Any) -> Any:
            import torch

            if not isinstance(leaf, torch.Tensor):
                return leaf
            confused = confusion.confused(leaf.numpy())
            made = leaf if confused is None else torch.tensor(confused, dtype=leaf.dtype)
            differs.append(not torch.equal(leaf, made))
            return made

        verification = self._verification(spec.name, lambda *arguments: _each(right(*arguments), confuse))
        refused = not verification.result(spec.name, confusion.check).ok
        return refused or not any(differs)


def _checks_to_show(spec: FunctionSpec) -> list[str]:
    """The checks that earn something, and the record's own. Those of form only open the way; they are the engine's, and
    the same for all.
    """
    own = {each.check for each in spec.confusions} | {each.check for each in spec.properties}
    return [check for check in spec.checks if spec.parts_of(check) or check in own or check in LAST]


def _survivor(wrong: WrongAnswer) -> tuple[str, str]:
    if wrong.misconception is not None:
        cause = f"the misconception {wrong.text!r} passes every check of {wrong.function}"
        return cause, "let its `wrong` make the mistake, or draw inputs on which the mistake shows"
    cause = f"a wrong {wrong.function} passes every check: {wrong.text}"
    return cause, "draw inputs, cotangents or edges on which the mistake shows"


# Ways to spoil a result, leaf by leaf; what has no numbers stays as it is.


def _each(tree: Any, spoil: Function) -> Any:
    import torch

    if isinstance(tree, dict):
        return {key: _each(part, spoil) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_each(part, spoil) for part in tree)
    if isinstance(tree, torch.Tensor):
        return ~tree if tree.dtype == torch.bool else spoil(tree)
    return spoil(tree) if isinstance(tree, (int, float)) else tree


def _frozen(result: Any) -> Any:
    """What came back the first time."""
    return result


def _careless(result: Any) -> Any:
    """With noise from the generator that everybody shares, by way of a product of two matrices."""
    import torch

    noise = float((torch.rand(_SIDE, _SIDE) @ torch.ones(_SIDE, _SIDE)).mean())
    return _each(result, lambda leaf: leaf + leaf * noise if _is_floating(leaf) else leaf)


def _is_floating(leaf: Any) -> bool:
    return bool(leaf.is_floating_point()) if hasattr(leaf, "is_floating_point") else isinstance(leaf, float)


_WAYS: tuple[Function, ...] = (
    partial(_each, spoil=lambda leaf: leaf + leaf + 1),
    partial(_each, spoil=lambda leaf: leaf * 0),
    partial(_each, spoil=lambda leaf: leaf.mT.clone() if getattr(leaf, "ndim", 0) >= 2 else leaf),
    partial(_each, spoil=lambda leaf: leaf.flip(-1) if getattr(leaf, "ndim", 0) else -leaf),
    _frozen,
    _careless,
)
