"""The one thing to think about, by diagnosis code: a question that leads on and gives nothing away."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.checks.reference import Leaf, Names
from gradcheck.checks.task import FunctionSpec
from gradcheck.diagnosis.evidence import is_upstream

THOUGHTS: dict[str, str] = {
    "returns-zero": "If this were true, no input could change C at all. Which path from input to C did you cut?",
    "sign-flipped": "Make one input a little larger, by hand. Does C grow or shrink, and what does your sign say?",
    "scaled-by-constant": "Differentiate one entry by hand. Where does the constant come in, or drop out?",
    "scaled-by-size": "Is there a mean or a sum in the definition, and over what? Count how often you divide.",
    "hard-coded-size": "What changes when there is one more sample, or one more class? Read sizes off the tensors.",
    "transposed": "Write down what row i and column j of the result mean. Which of the two is the output?",
    "missing-reduction": "In how many ways does this one number reach C? The gradient is the sum over all of them.",
    "extra-reduction": "How many entries has the input? Each has a derivative of its own.",
    "missing-upstream": "y changes by dy, C by grad_output · dy. By how much does C change when x does?",
    "assumes-ones-upstream": "What if C cares for some outputs more than for others? Where would your code notice?",
    "changes-upstream": "The gradient is linear in grad_output: double it, negate it, and the result must follow.",
    "missing-derivative": "grad_output is dC/dy. Which factor turns it into dC/dx?",
    "missing-term": "Go through the definition once more: in how many places does the variable stand?",
    "extra-term": "Which part of the definition would have this term as its derivative?",
    "diagonal-only": "Which outputs does x_j reach? If more than one, more than one term belongs in dC/dx_j.",
    "wrong-variable": "Say for every factor what it is: an input, the output, or what comes from upstream?",
    "wrong-function": "Put one small number in, by hand and by your code. Which step first gives another number?",
    "wrong-index": "Take one entry and follow its indices through your code. Do they meet the right partners?",
    "swapped-gradients": "In which order do the inputs stand in the signature, and in which do you return?",
    "wrong-axis": "One sample is one row. Which numbers of a batch may know of each other?",
    "mask-from-upstream": "Whose sign decides whether something is let through: the input's, or that of grad_output?",
    "missing-mask": "Where the forward pass lets nothing through, how can a gradient come back?",
    "wrong-mask": "Take one entry that was let through and one that was not. What does your mask say of each?",
    "overwritten-not-accumulated": "A number that is used twice reaches C in two ways. What becomes of the first?",
    "low-precision": "How many digits are right? Look for a cast, a rounded constant, a small ε.",
    "unstable": "What are the largest and the smallest number on the way? Which of them leaves the range of floats?",
    "not-finite": "Where do you divide, take a logarithm or an exponential? With which number there?",
    "kink": "What happens exactly at the kink, where both sides meet?",
    "keeps-state": "The same arguments must give the same, whatever was called before.",
    "nondeterministic": "What else than the arguments does the result depend on?",
    "non-contiguous": "A transposed tensor is not laid out row after row. Which step counts on that?",
    "empty-batch": "What is a sum over nothing, a maximum over nothing, a reshape of nothing?",
    "edge-case": "What is special about this case, and which line of yours does not expect it?",
    "contradicts-backward": "backward is grad_output · Jacobian. Which of the two do you trust, and why?",
    "multiplies-matrices": "A row vector times a matrix is a row vector. In which order do the products stay small?",
    "ignores-generator": "Two generators in the same state must lead to the same numbers, and only they decide.",
    "not-independent": "How many numbers do you draw, and for how many entries?",
    "wrong-distribution": "What share, mean and spread should a large sample have? Draw one and look.",
    "edge-size": "Does your code treat an axis of size one, or a missing batch axis, like any other?",
    "ignores-argument": "Change the argument: should the result stay as it is?",
    "ignores-learning-rate": "With twice the learning rate, how far should the step go?",
    "wrong-direction": "The gradient points to where the cost grows. Which way do you want to go?",
    "no-update": "What does the function return that it was not given?",
    "mutates-input": "Who else holds this tensor, and what do they see after your call?",
    "aliases-input": "If the caller changes its tensor now, what becomes of the gradient that you returned?",
    "uses-autograd": "Which formula would autograd use here? Write that one.",
    "wrong-type": "What does the signature promise to return?",
    "wrong-shape": "A gradient has the shape of what it is the gradient of. Which axis does not fit?",
    "wrong-dtype": "Where on the way does the dtype change? Results keep that of the input.",
}


_OF_JACOBIANS: dict[str, str] = {
    "returns-zero": "If this were true, no input could change any output. Which way from input to output did you cut?",
    "sign-flipped": "Make one input a little larger, by hand. Does the output grow, and what does your sign say?",
    "missing-reduction": "In how many ways does this input reach the output? The derivative is the sum of them.",
    "diagonal-only": "Which outputs does x_j reach? If more than one, column j has more than one entry.",
    "wrong-variable": "Say for every factor what it is: an input, or the output?",
    "missing-mask": "Where the forward pass lets nothing through, how steep is it?",
    "overwritten-not-accumulated": "A number that is used twice reaches the output twice. What becomes of the first?",
    "wrong-shape": "Rows are outputs, columns are inputs. How many are there of each?",
}
"""Where a derivative is asked for, but no C and no grad_output is in sight."""

_OF_OTHERS: dict[str, str] = {
    "returns-zero": "Which argument should have an influence? Follow it through your code: where does it get lost?",
    "sign-flipped": "Put small numbers in, by hand. Which sign should come out, and in which step does yours turn?",
    "scaled-by-constant": "Put small numbers in, by hand. Where does the constant come in, or drop out?",
    "transposed": "Write down what row i and column j of the result mean. Which of the two is which in yours?",
    "missing-reduction": "Over what does the definition sum? Count the axes before it and after.",
    "extra-reduction": "How many numbers should come out? Each has a value of its own.",
    "missing-term": "Go through the definition once more: which part of it is not in your code?",
    "extra-term": "Go through the definition once more: which part of your code is not in it?",
    "wrong-variable": "Say for every factor what it is. Which one does the definition name there?",
    "missing-mask": "Take one entry that should be let through and one that should not. What does yours do?",
    "overwritten-not-accumulated": "What comes twice counts twice. What becomes of the first?",
    "wrong-shape": "What does each axis of the result stand for? Which step adds one, or drops it?",
    "aliases-input": "If the caller changes its tensor now, what becomes of the result that you returned?",
}
"""Where no derivative is asked for: a model, a loss, an update, a prediction."""


def thought(code: str, spec: FunctionSpec) -> str:
    """The thought for a code, in the terms of the function; empty where the message says it all."""
    own = _OF_JACOBIANS if spec.role == "jacobian" else {} if _gives_gradients(spec) else _OF_OTHERS
    return own.get(code, THOUGHTS.get(code, ""))


def _gives_gradients(spec: FunctionSpec) -> bool:
    if spec.role == "backward" or any(map(is_upstream, spec.parameters)):
        return True
    names = _names(spec.reference.names) if spec.reference is not None else ()
    return any(name.startswith(("grad_", "the gradient", "dC/")) for name in names)


def _names(names: Names) -> Iterator[str]:
    if isinstance(names, tuple):
        for each in names:
            yield from _names(each)
    else:
        yield names.name if isinstance(names, Leaf) else names
