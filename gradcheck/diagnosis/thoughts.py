"""The one thing to think about, by diagnosis code: a question that leads on and gives nothing away."""

from __future__ import annotations

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


def thought(code: str) -> str:
    """The thought for a code; empty where the message says it all."""
    return THOUGHTS.get(code, "")
