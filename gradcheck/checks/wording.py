"""Failures in words: one sentence that says what is wrong, and the case that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.checks.cases import Case
from gradcheck.checks.compare import Difference, is_plural, numbers, verb
from gradcheck.checks.outcome import (
    EARLIER,
    NOT_READ,
    Argument,
    Call,
    Foreign,
    GeneratorArgument,
    Outcome,
    Returned,
    Unwritten,
    Value,
    mapped,
)
from gradcheck.checks.results import DIGITS, CheckResult, Counterexample, Marks, Tally
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial, listed
from gradcheck.references.expected import Floats
from gradcheck.showing.text import in_a_row

_ENDINGS: dict[str, str] = {"timed_out": "timed-out", "missing": "missing-function"}
"""The codes of endings that are not called like them."""
_NOT_LOADED = ("SyntaxError", "IndentationError", "TabError", "LoadError", NOT_READ)
"""What is said of the file, and of no call."""


def is_of_the_file(outcome: Outcome) -> bool:
    """Whether the outcome is that of no call: the file was not read, or could not be loaded."""
    return outcome.fault is not None and outcome.fault.kind in _NOT_LOADED


def no_result(blank: CheckResult, spec: FunctionSpec, trial: Trial, outcome: Outcome) -> CheckResult:
    """The call did not return."""
    fault = outcome.fault
    if outcome.state == "not_started":
        text = f"{spec.name} raises NotImplementedError for some inputs"
        return replace(blank, status="errored", message=text, code="raised", counterexample=_case(trial))
    assert fault is not None
    if outcome.unwritten is not None:
        message = unfinished(spec.name, outcome.unwritten)
    elif outcome.state == "missing" or is_of_the_file(outcome):
        message = fault.text
    elif fault.kind == "RecursionError":
        message = f"{spec.name} calls itself without end (RecursionError); what ends the recursion?"
    elif outcome.state == "raised":
        message = f"{spec.name} raised {fault.kind}: {fault.text}" if fault.text else f"{spec.name} raised {fault.kind}"
    else:
        message = f"{spec.name}: {fault.text}"
    # What is not written is so for all inputs, unless a branch leads there.
    whole = outcome.unwritten is not None and outcome.unwritten.place != "within"
    example = None if outcome.state == "missing" or whole or is_of_the_file(outcome) else _case(trial)
    if example and outcome.state == "raised" and not _BY_NUMBERS & set(fault.bases):
        example = _by_shapes(example, trial)
    return replace(
        blank,
        status="failed" if outcome.state == "missing" else "errored",
        message=message,
        code="not-read" if fault.kind == NOT_READ else _ENDINGS.get(outcome.state, outcome.state),
        counterexample=example,
        lines=fault.lines,
        fault=fault if outcome.state == "raised" else None,
    )


_BY_NUMBERS = {"ValueError", "ArithmeticError", "AssertionError"}
"""Exceptions that numbers lead to; all others come of what the arguments are, whatever numbers they hold."""


def _by_shapes(example: Counterexample, trial: Trial) -> Counterexample:
    """The case with shapes in the place of numbers; labels stay, since they may be what is out of range."""
    inputs = {name: _shape(argument, example.inputs.get(name)) for name, argument in trial.arguments.items()}
    upstream = inputs.pop("grad_output", None) if example.grad_output is not None else None
    shown = {name: inputs[name] for name in example.inputs if name in inputs}
    return replace(example, inputs=shown, grad_output=upstream)


def _shape(argument: Any, plain: Any) -> Any:
    if isinstance(argument, Argument) and argument.dtype.startswith("float"):
        return f"a {argument.dtype} tensor of shape {argument.values.shape}"
    if isinstance(argument, dict):
        return {str(name): _shape(each, plain and plain.get(str(name))) for name, each in argument.items()}
    if isinstance(argument, (tuple, list)):
        return [_shape(each, one) for each, one in zip(argument, plain or argument, strict=False)]
    return plain


def unfinished(asked: str, found: Unwritten) -> str:
    """What a call of `asked` came to, and what to do about it."""
    line = f"`raise NotImplementedError` (line {found.line})"
    if found.caller:
        way = "" if found.caller == asked else f" by way of {found.caller}"
        told = {
            "alone": "which is not written yet",
            "above": f"where the line {line} still stands above the code; delete that line",
            "below": f"which goes on to {line}; let it return its result there",
            "within": f"which comes to {line} for these inputs",
        }
        return f"{asked} calls {found.function}{way} (line {found.call}), {told[found.place]}"
    if found.place == "alone":
        return (
            f"{found.function} is written on line {found.written} and defined again below, with the line {line}; "
            "Python takes the last definition, so delete that one"
        )
    return {
        "above": f"the line {line} still stands above your code; delete it",
        "below": f"your code goes on to {line}; return the result there",
        "within": f"{asked} comes to {line} for these inputs",
    }[found.place]


def failed(
    blank: CheckResult, message: str, code: str = "", trial: Trial | None = None, got: Any = None, **more: Any
) -> CheckResult:
    """The failure of a check, with the case of `trial` where there is one; `more` is said of that case."""
    example = None if trial is None else replace(_case(trial, _shown(got)), **more)
    return replace(blank, status="failed", message=message, code=code, counterexample=example)


def refused(blank: CheckResult, what: str) -> CheckResult:
    told = f"it uses {what}; write the gradient yourself (any forward function of torch is welcome)"
    return failed(blank, told, "uses-autograd")


def mutated(blank: CheckResult, trial: Trial, names: Sequence[str]) -> CheckResult:
    if tuple(names) == (EARLIER,):
        told = f"it changes {EARLIER}, which the caller still has; return a new tensor every time"
        calls = tuple(Call(blank.function, each) for each in (mapped(trial.arguments, _halved), trial.arguments))
        return failed(blank, told, "mutates-input", trial, calls=calls)
    several = len(names) > 1
    told = f"it changes its argument{'s' if several else ''} {in_a_row(names)} in place; the caller still needs "
    told += f"{'them, so work on copies' if several else 'it, so work on a copy'} (.clone())"
    return failed(blank, told, "mutates-input", trial, changed=tuple(names))


def shared(blank: CheckResult, trial: Trial, result: str, argument: str) -> CheckResult:
    lying = f"{result} {'share their' if is_plural(result) else 'shares its'} memory with {argument}"
    if result == argument:
        lying = f"the {result} that comes back lies in the memory of the argument {argument}"
    told = f"{lying}: changing one would change the other; return a new tensor"
    return failed(blank, told, "aliases-input", trial, changed=(argument,))


def _halved(leaf: Any) -> Any:
    """A real tensor with all numbers halved: another input of the same form."""
    real = isinstance(leaf, Argument) and leaf.dtype.startswith("float")
    return replace(leaf, values=leaf.values / 2) if real else leaf


def nondeterministic(
    blank: CheckResult, trial: Trial, outcome: Outcome, again: Outcome, between: Sequence[Call] = ()
) -> CheckResult:
    """`between` are calls that may be what makes the difference."""
    same = Call(blank.function, trial.arguments)
    generators = [name for name, value in trial.arguments.items() if isinstance(value, GeneratorArgument)]
    why = "it keeps something between calls, or leaves something to chance"
    if outcome.drew_elsewhere or again.drew_elsewhere:
        used = f"another source of chance than {generators[0]} is used" if generators else "it draws random numbers"
        why = f"{used}, one that torch, Python or NumPy keeps for everybody"
    elif generators and not set(generators) & set(outcome.advanced):
        why = f"it draws nothing from {generators[0]}, so they come from somewhere else"
    told = f"called twice with the same arguments it returned two different results: {why}"
    return failed(blank, told, "nondeterministic", trial, outcome.value, calls=(same, *between, same))


def not_linear(blank: CheckResult, trial: Trial, rule: str, parts: Sequence[Trial]) -> CheckResult:
    """`parts` are the trials with the cotangents that the one of `trial` is made of."""
    calls = tuple(Call(blank.function, each.arguments) for each in (*parts, trial))
    return failed(blank, f"a gradient is linear in grad_output, but {rule} does not hold", trial=trial, calls=calls)


def not_the_jacobian(
    blank: CheckResult, backward: FunctionSpec, sample: Trial, trial: Trial, got: Floats, product: Floats
) -> CheckResult:
    """`sample` is the Jacobian's trial, `trial` the backward's."""
    calls = Call(blank.function, sample.arguments), Call(backward.name, trial.arguments)
    told = f"{backward.name} is not grad_output · {blank.function}: the two contradict each other"
    sides = {backward.name: listed(got), f"grad_output · {blank.function}": listed(product)}
    return failed(blank, told, "", trial, sides, calls=calls[: 1 if trial is sample else 2])


def wrong_values(
    blank: CheckResult, spec: FunctionSpec, trial: Trial, parts: Sequence[Value], different: Difference
) -> CheckResult:
    """The right form, the wrong numbers."""

    def by_name(found: Sequence[Any]) -> Any:
        return found[0] if len(found) == 1 else {w.name: each for w, each in zip(trial.wanted, found, strict=True)}

    what = {"forward": "the definition", "jacobian": "dy/dx"}.get(spec.role, trial.what)
    if spec.role == "backward":
        what = f"dC/d{different.parts[0].like}" if len(different.parts) == 1 else "one subgradient"
    code = ""
    if different.finite:
        message = differing(different.part, what, different.wrong, different.entries)
    else:
        holds = verb(different.part, "holds")
        message, code = f"{different.part} {holds} NaN or infinity where the true value is finite", "not-finite"
    parts_of = tuple(each.name for each in different.parts) if len(parts) > 1 else ()
    places = np.argwhere(different.mask)[:_MOST_MARKED].tolist()
    marks = Marks(tuple(map(tuple, places)), different.wrong, different.entries, parts_of, what)
    right = by_name([listed(each.value) for each in trial.expected])
    digits = _digits(different, parts, trial)
    return failed(blank, message, code, trial, by_name(parts), marks=marks, digits=digits, expected=right)


def differing(name: str, what: str, wrong: int, entries: int) -> str:
    """How much of a part of the result is wrong, and what it differs from."""
    if entries == 1:
        return f"{name} {verb(name, 'differs')} from {what}"
    count = "every entry" if wrong == entries else f"{wrong} of {entries} entries"
    return f"{count} of {name} differ{'s' if wrong in (entries, 1) else ''} from {what}"


def differing_in_all(name: str, marks: Marks) -> str:
    """The same over all cases, where they were counted."""
    spread = marks.spread or Tally(marks.count, marks.of, 1, 1)
    told = differing(name, marks.unlike, spread.wrong, spread.entries)
    return told if spread.cases == spread.of else f"{told}, in {spread.cases} of {spread.of} cases"


def _digits(different: Difference, parts: Sequence[Value], trial: Trial) -> int:
    """With how many digits some wrong entry is told from the right one."""
    pairs = zip(trial.wanted, parts, trial.expected, strict=True)
    own, right = next((numbers(part), want.value) for leaf, part, want in pairs if leaf in different.parts)
    told = [
        next((n for n in range(DIGITS, _MOST_DIGITS) if f"{one:.{n}g}" != f"{other:.{n}g}"), _MOST_DIGITS)
        for one, other in zip(own[different.mask][:_LOOKED_AT], right[different.mask], strict=False)
    ]
    return min(told, default=DIGITS)


_MOST_DIGITS, _LOOKED_AT = 17, 64


def should_have_raised(blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
    """A call with arguments that make no sense: the failure of one that does not say so."""
    if outcome.state == "raised" and outcome.fault is not None and trial.raises in outcome.fault.bases:
        return None
    came = {
        "returned": "it returned a result",
        "not_started": "it raised NotImplementedError",
        "timed_out": "it had no result when its time was up",
        "exited": "it called sys.exit",
    }.get(outcome.state) or (f"it raised {outcome.fault.kind}" if outcome.fault else "it did not")
    message = f"{blank.function} must raise {trial.raises} here ({trial.case.words}); {came}"
    lines = outcome.fault.lines if outcome.fault else ()
    found = failed(blank, message, "must-raise", trial, outcome.value if outcome.state == "returned" else None)
    return replace(found, lines=lines, fault=outcome.fault)


_MOST_MARKED = 10_000
"""Of more wrong entries only the first are named one by one."""


def _case(trial: Trial, got: Any = None) -> Counterexample:
    inputs = {name: _plain(value) for name, value in trial.arguments.items() if not name.startswith("grad_output")}
    cotangent = None if trial.cotangent is None else listed(trial.cotangent)
    about = [trial.case.dtype] if trial.case.dtype != "float64" else []
    about += _in_memory(trial.case)
    empty = [name for name, array in trial.case.inputs.items() if array.size == 0]
    if empty:
        about.append(" and ".join(f"{name} of shape {trial.case.inputs[name].shape}" for name in empty))
    return Counterexample(inputs, got, cotangent, about=", ".join(about), arguments=trial.arguments)


def _in_memory(case: Case) -> list[str]:
    words = {
        "transposed": "non-contiguous tensors",
        "expanded": "expanded tensors",
        "offset": "slices of longer tensors",
    }
    if case.layout == case.cotangent_layout:
        return [words[case.layout]] if case.layout in words else []
    if case.layout in words:
        return [f"{words[case.layout]}, grad_output contiguous"]
    return [f"{words[case.cotangent_layout]} for grad_output alone"]


def _plain(argument: Any) -> Any:
    """An argument as people read it."""
    if isinstance(argument, Argument):
        return listed(argument.values)
    if isinstance(argument, GeneratorArgument):
        return f"torch.Generator().manual_seed({argument.seed})"
    if isinstance(argument, dict):
        return {str(name): _plain(each) for name, each in argument.items()}
    return [_plain(each) for each in argument] if isinstance(argument, (tuple, list)) else argument


def _shown(value: Value) -> Any:
    """What came back, as nested lists, or in words where there are no numbers."""
    if isinstance(value, Returned):
        if value.values is None:
            return f"a {value.dtype} tensor of shape {value.shape} on {value.device}"
        return listed(value.values)
    if isinstance(value, Foreign):
        return value.description
    if isinstance(value, tuple):
        return [_shown(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _shown(part) for key, part in value.items()}
    return value
