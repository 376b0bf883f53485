"""Every diagnosis code that there is: what it means, and the one thing to think about.

docs/diagnoses.md holds the table of them, `table()`. A code may be added; none is renamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck.checks.task import FunctionSpec, Leaf, Names
from gradcheck.checks.traits import is_cotangent


@dataclass(frozen=True)
class Code:
    """What a mistake is called. `title` says it for people, `think` is a question that leads on and gives
    nothing away: `jacobian` where no C and no grad_output is in sight, `other` where no derivative is asked for. In it
    {g} stands for the parameter that is grad_output. Where there is none the message says it all, or the record's
    misconception asks.
    """

    title: str
    think: str = ""
    jacobian: str = ""
    other: str = ""


CODES: dict[str, Code] = {
    "returns-zero": Code(
        "all zeros came back",
        "If this were true, no input could change C at all. Which path from input to C did you cut?",
        jacobian="If this were true, no input could change any output. Which way from input to output did you cut?",
        other="Which argument should have an influence? Follow it through your code: where does it get lost?",
    ),
    "sign-flipped": Code(
        "the result, or a term or argument of it, has the other sign",
        "Make one input a little larger, by hand. Does C grow or shrink, and what does your sign say?",
        jacobian="Make one input a little larger, by hand. Does the output grow, and what does your sign say?",
        other="Put small numbers in, by hand. Which sign should come out, and in which step does yours turn?",
    ),
    "scaled-by-constant": Code(
        "right up to one factor",
        "Differentiate one entry by hand. Where does the constant come in, or drop out?",
        other="Put small numbers in, by hand. Where does the constant come in, or drop out?",
    ),
    "scaled-by-size": Code(
        "right up to a factor that follows a size: a mean for a sum, a sum for a mean",
        "Is there a mean or a sum in the definition, and over what? Count how often you divide.",
    ),
    "hard-coded-size": Code(
        "a number stands where a size belongs",
        "What changes when there is one more sample, or one more class? Read sizes off the tensors.",
    ),
    "transposed": Code(
        "rows and columns are exchanged",
        "Write down what row i and column j of the result mean. Which of the two is the output?",
        other="Write down what row i and column j of the result mean. Which of the two is which in yours?",
    ),
    "wrong-flattening": Code("column after column where row after row belongs"),
    "missing-reduction": Code(
        "a sum is missing: an axis too many, or a single term",
        "In how many ways does this one number reach C? The gradient is the sum over all of them.",
        jacobian="In how many ways does this input reach the output? The derivative is the sum of them.",
        other="Over what does the definition sum? Count the axes before it and after.",
    ),
    "extra-reduction": Code(
        "a sum or mean over an axis that should be kept",
        "How many entries has the input? Each has a derivative of its own.",
        other="How many numbers should come out? Each has a value of its own.",
    ),
    "missing-upstream": Code(
        "grad_output is not used: a local derivative came back",
        "When the output moves a little, C moves by {g} times as much. By how much when the input moves?",
    ),
    "assumes-ones-upstream": Code(
        "the same, where outputs depend on several inputs: right for the sum of all outputs",
        "What if C cares for some outputs more than for others? Where would your code notice?",
    ),
    "changes-upstream": Code(
        "grad_output enters clipped, summed, squared, without its signs",
        "The gradient is linear in {g}: double it, negate it, and the result must follow.",
    ),
    "missing-derivative": Code(
        "grad_output is passed on without the local derivative",
        "{g} says how C moves with the output. Which factor says how the output moves with the input?",
        jacobian="Which factor says how the output moves with the input?",
    ),
    "missing-term": Code(
        "a term or factor of the formula is missing",
        "Go through the definition once more: in how many places does the variable stand?",
        other="Go through the definition once more: which part of it is not in your code?",
    ),
    "extra-term": Code(
        "a term or factor too many",
        "Which part of the definition would have this term as its derivative?",
        other="Go through the definition once more: which part of your code is not in it?",
    ),
    "diagonal-only": Code(
        "only the Jacobian's diagonal is used",
        "Which outputs does one input reach? If more than one, its gradient has more than one term.",
        jacobian="Which outputs does input j reach? If more than one, column j has more than one entry.",
    ),
    "wrong-variable": Code(
        "another variable stands where one belongs",
        "Say for every factor what it is: an input, the output, or {g}?",
        jacobian="Say for every factor what it is: an input, or the output?",
        other="Say for every factor what it is. Which one does the definition name there?",
    ),
    "wrong-function": Code(
        "another function or power stands where one belongs",
        "Put one small number in, by hand and by your code. Which step first gives another number?",
    ),
    "wrong-index": Code(
        "the right numbers at the wrong places",
        "Take one entry and follow its indices through your code. Do they meet the right partners?",
    ),
    "swapped-gradients": Code(
        "the gradients of two inputs have changed places",
        "In which order do the inputs stand in the signature, and in which do you return?",
    ),
    "wrong-axis": Code(
        "computed over another axis, or over the whole tensor",
        "One sample is one row. Which numbers of a batch may know of each other?",
    ),
    "mask-from-upstream": Code(
        "the mask comes from grad_output",
        "Whose sign decides whether something is let through: the input's, or that of {g}?",
    ),
    "missing-mask": Code(
        "the mask is missing",
        "Where the forward pass lets nothing through, how can a gradient come back?",
        jacobian="Where the forward pass lets nothing through, how steep is it?",
        other="Take one entry that should be let through and one that should not. What does yours do?",
    ),
    "wrong-mask": Code(
        "the mask is another",
        "Take one entry that was let through and one that was not. What does your mask say of each?",
    ),
    "overwritten-not-accumulated": Code(
        "of contributions that add up only the last one counts",
        "A number that is used twice reaches C in two ways. What becomes of the first?",
        jacobian="A number that is used twice reaches the output twice. What becomes of the first?",
        other="What comes twice counts twice. What becomes of the first?",
    ),
    "labels-as-numbers": Code("class numbers are computed with"),
    "ignores-argument": Code("an argument has no influence", "Change the argument: should the result stay as it is?"),
    "ignores-learning-rate": Code(
        "the learning rate has no influence", "With twice the learning rate, how far should the step go?"
    ),
    "wrong-direction": Code(
        "a step along the gradient, not against it",
        "The gradient points to where the cost grows. Which way do you want to go?",
    ),
    "no-update": Code("a training step changes nothing", "What does the function return that it was not given?"),
    "updated-too-early": Code("a parameter is changed while gradients are still to be computed with its old value"),
    "loss-after-update": Code("the loss is that of the updated parameters"),
    "accumulated-over-steps": Code("gradients of earlier training steps are added"),
    "low-precision": Code(
        "right to a few digits", "How many digits are right? Look for a cast, a rounded constant, a small ε."
    ),
    "unstable": Code(
        "wrong, NaN or infinite for large inputs, or by cancellation",
        "What are the largest and the smallest number on the way? Which of them leaves the range of floats?",
    ),
    "not-finite": Code(
        "NaN or infinite for ordinary inputs",
        "Where do you divide, take a logarithm or an exponential? With which number there?",
    ),
    "kink": Code("wrong at kinks, ties, exact zeros", "What happens exactly at the kink, where both sides meet?"),
    "edge-size": Code(
        "wrong at special sizes", "Does your code treat an axis of size one, or a missing batch axis, like any other?"
    ),
    "empty-batch": Code(
        "wrong for no samples", "What is a sum over nothing, a maximum over nothing, a reshape of nothing?"
    ),
    "non-contiguous": Code(
        "wrong for strided memory", "A transposed tensor is not laid out row after row. Which step counts on that?"
    ),
    "edge-case": Code(
        "wrong at another edge", "What is special about this case, and which line of yours does not expect it?"
    ),
    "must-raise": Code("an exception is due, and none came"),
    "keeps-state": Code(
        "the result depends on earlier calls", "The same arguments must give the same, whatever was called before."
    ),
    "nondeterministic": Code(
        "the same arguments give different results", "What else than the arguments does the result depend on?"
    ),
    "ignores-generator": Code(
        "random numbers come from elsewhere than the generator",
        "Two generators in the same state must lead to the same numbers, and only they decide.",
    ),
    "not-independent": Code(
        "random numbers that hang together", "How many numbers do you draw, and for how many entries?"
    ),
    "wrong-distribution": Code(
        "random numbers with another share, mean or spread",
        "What share, mean and spread should a large sample have? Draw one and look.",
    ),
    "contradicts-backward": Code(
        "Jacobian and backward disagree",
        "backward is grad_output times the Jacobian. Which of the two do you trust, and why?",
    ),
    "multiplies-matrices": Code(
        "a product of matrices where a vector would do",
        "A row vector times a matrix is a row vector. In which order do the products stay small?",
    ),
    "mutates-input": Code(
        "an argument is changed in place", "Who else holds this tensor, and what do they see after your call?"
    ),
    "aliases-input": Code(
        "the result lies in the memory of an argument",
        "If the caller changes its tensor now, what becomes of the gradient that you returned?",
        other="If the caller changes its tensor now, what becomes of the result that you returned?",
    ),
    "uses-autograd": Code(
        "automatic differentiation is used", "Which formula would autograd use here? Write that one."
    ),
    "wrong-type": Code("another type of result", "What does the signature promise to return?"),
    "wrong-shape": Code(
        "another shape of the result",
        "A gradient has the shape of what it is the gradient of. Which axis does not fit?",
        jacobian="Rows are outputs, columns are inputs. How many are there of each?",
        other="What does each axis of the result stand for? Which step adds one, or drops it?",
    ),
    "wrong-dtype": Code(
        "another dtype of the result", "Where on the way does the dtype change? Print it after every step."
    ),
    "unfinished": Code("a `raise NotImplementedError` is still in the way, in the function or in one that it calls"),
    "not-read": Code(
        "the exercise's file was not read: two could be it, it has another ending or encoding, it is a link or too "
        "large; the message says which"
    ),
    "raised": Code("the call ended in an exception"),
    "exited": Code("the call ended the interpreter"),
    "timed-out": Code("no result when the time was up"),
    "missing-function": Code("no such function, or one that cannot take these arguments"),
    "unrecognised": Code("none of these explains all of the evidence"),
}


def table() -> Iterator[str]:
    """The lines of docs/diagnoses.md that name every code."""
    yield "| code | the mistake |"
    yield "|---|---|"
    yield from (f"| `{name}` | {each.title} |" for name, each in CODES.items())


def thought(code: str, spec: FunctionSpec) -> str:
    """The thought for a code, in the terms of the function; empty where the message says it all."""
    known, upstream = CODES[code], next(filter(is_cotangent, spec.parameters), "")
    if spec.role == "jacobian" or (_gives_gradients(spec) and not upstream and "{g}" in known.think):
        return known.jacobian or ("" if "{g}" in known.think else known.think)
    own = known.think if _gives_gradients(spec) else known.other or known.think
    return own.replace("{g}", upstream) if upstream or "{g}" not in own else ""


def _gives_gradients(spec: FunctionSpec) -> bool:
    if spec.role == "backward" or any(map(is_cotangent, spec.parameters)):
        return True
    names = _names(spec.reference.names) if spec.reference is not None else ()
    return any(name.startswith(("grad_", "the gradient", "dC/")) for name in names)


def _names(names: Names) -> Iterator[str]:
    if isinstance(names, tuple):
        for each in names:
            yield from _names(each)
    else:
        yield names.name if isinstance(names, Leaf) else names
