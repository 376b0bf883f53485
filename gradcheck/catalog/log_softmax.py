"""The logarithm of softmax."""

from __future__ import annotations

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.normalising import LOG_SOFTMAX

ORDER = 10

EXERCISE = Exercise(
    name="log_softmax",
    unit="04_modules",
    title="The logarithm of softmax",
    about=About(
        statement=(
            "The logarithm of softmax, y_i = x_i − log Σ_k e^(x_k). Softmax goes flat where one score is far ahead, "
            "and little of a gradient gets through; its logarithm does not. In two steps it fails, for a probability "
            "that has underflowed to 0 has the logarithm −∞. In one step the score is there as it is, and only the "
            "logarithm of the sum needs care."
        ),
        purpose=(
            "Log-probabilities of classes or of the next token: likelihoods are added up from them, where products "
            "would underflow."
        ),
        torch=("torch.nn.functional.log_softmax", "torch.nn.LogSoftmax"),
        idea=(
            "Only the second term of the difference mixes the entries, and it is the same for every i: its derivative "
            "is the softmax. So backward needs the sum of grad_output per sample, and e^y."
        ),
        minutes=30,
        difficulty=2,
    ),
    operator=LOG_SOFTMAX,
    functions=(
        forward("x"),
        backward("grad_output", "x", points=3),
        jacobian("x", wrt="x", points=2),
    ),
    hints=(
        "log(e^(x_i) / Σ) is a difference. Which of its two terms depends on x_j for every j?",
        "What is the derivative of log Σ_k e^(x_k) by x_j? You have written that function before. In the forward "
        "pass do not take the logarithm of a softmax: what happens to it where the softmax rounds to 0?",
        "dC/dx_j = Σ_i g_i ∂y_i/∂x_j, and ∂y_i/∂x_j = ∂x_i/∂x_j − ∂/∂x_j log Σ_k e^(x_k), where the second term "
        "does not depend on i.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "missing-term",
            "you returned the probabilities: the logarithm is missing",
            lambda x: x.softmax(-1),
            "Which sign has the logarithm of a probability?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you subtracted the largest score alone: the logarithm of the sum is missing",
            lambda x: x - x.amax(-1, keepdim=True),
            "What do the e^(y_i) of one sample add up to?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you shifted the scores inside the sum and not outside: the largest score is never put back",
            lambda x: x - (x - x.amax(-1, keepdim=True)).logsumexp(-1, keepdim=True),
            "What do the e^(y_i) of one sample add up to?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the log of a quotient as a quotient of logs",
            lambda x: x / x.logsumexp(-1, keepdim=True),
            "What is log(a / b) in terms of log a and log b?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the log of the sum as the sum of the logs",
            lambda x: x - x.sum(-1, keepdim=True),
            "Is log(e + e) equal to 1 + 1?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you treated each entry by itself: this is the log of the logistic function",
            lambda x: x.sigmoid().log(),
            "What do the e^(y_i) of one sample add up to?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you subtracted the mean score: the logarithm of the sum of exponentials is another number",
            lambda x: x - x.mean(-1, keepdim=True),
            "What do the e^(y_i) of one sample add up to?",
        ),
        Misconception(
            "backward",
            "diagonal-only",
            "you multiplied softmax with each entry's own grad_output: the sum over the sample is missing",
            lambda grad_output, x: grad_output * (1 - x.softmax(-1)),
            "Which outputs does x_j reach?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put the output, the logarithms, where the probabilities belong",
            lambda grad_output, x: grad_output - x.log_softmax(-1) * grad_output.sum(-1, keepdim=True),
            "What is the derivative of log Σ_k e^(x_k) by x_j, and which sign has it?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you weighted grad_output with the probabilities inside the sum",
            lambda grad_output, x: grad_output - (grad_output * x.softmax(-1)).sum(-1, keepdim=True),
            "In Σ_i g_i ∂y_i/∂x_j, does the second term of ∂y_i/∂x_j depend on i or on j?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "this is the gradient of softmax",
            lambda grad_output, x: x.softmax(-1) * (grad_output - (grad_output * x.softmax(-1)).sum(-1, keepdim=True)),
            "y_i is a difference of two terms. What is the derivative of the first by x_i?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied all by the probabilities, the first term too",
            lambda grad_output, x: x.softmax(-1) * (grad_output - grad_output.sum(-1, keepdim=True)),
            "y_i is a difference of two terms. What is the derivative of the first by x_i?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "you differentiated the logarithm alone: grad_output is divided by the probabilities",
            lambda grad_output, x: grad_output / x.softmax(-1),
            "The probabilities depend on x themselves: which factor comes from that?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you subtracted grad_output from the probabilities, as if it were a one-hot label under a cross-entropy",
            lambda grad_output, x: x.softmax(-1) - grad_output,
            "With twice the grad_output, does your gradient double?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "the sum runs over the other classes only: a class's own grad_output is left out of it",
            lambda grad_output, x: grad_output - x.softmax(-1) * (grad_output.sum(-1, keepdim=True) - grad_output),
            "Is x_j itself one of the scores in log Σ_k e^(x_k)?",
        ),
        Misconception(
            "jacobian",
            "wrong-function",
            "this is the Jacobian of softmax",
            lambda x: x.softmax(0).diag() - x.softmax(0).outer(x.softmax(0)),
            "y_i is a difference of two terms. What is the derivative of the first by x_i?",
        ),
        Misconception(
            "jacobian",
            "extra-term",
            "you subtracted products of two probabilities",
            lambda x: (x * 0 + 1).diag() - x.softmax(0).outer(x.softmax(0)),
            "Does the derivative of log Σ_k e^(x_k) by x_j depend on i?",
        ),
        Misconception(
            "jacobian",
            "wrong-variable",
            "you put the output, the logarithms, where the probabilities belong",
            lambda x: (x * 0 + 1).diag() - x.log_softmax(0),
            "What is the derivative of log Σ_k e^(x_k) by x_j, and which sign has it?",
        ),
        Misconception(
            "jacobian",
            "wrong-index",
            "you used the case i = j in all places: each column has the same number throughout",
            lambda x: (1 - x.softmax(0)).repeat(len(x), 1),
            "By how much does x_1, the first term of y_1, change when x_2 does?",
        ),
        Misconception(
            "jacobian",
            "missing-derivative",
            "you differentiated the logarithm alone: a diagonal of 1 / softmax",
            lambda x: (1 / x.softmax(0)).diag(),
            "The probabilities depend on x themselves: which factor comes from that?",
        ),
    ),
)
