"""The binary cross-entropy of a logit."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.operators.models import BCE_WITH_LOGITS

ORDER = 4


def _softplus(logits: Any) -> Any:
    return logits.logaddexp(logits * 0)


def _cost(logits: Any, targets: Any) -> Any:
    return (_softplus(logits) - targets * logits).mean()


def _errors(grad_output: Any, logits: Any, targets: Any) -> Any:
    return grad_output * (logits.sigmoid() - targets)


EXERCISE = Exercise(
    name="bce_with_logits",
    unit="05_losses",
    title="The binary cross-entropy of a logit",
    about=About(
        statement=(
            "A yes-or-no question has one score z, the logit, and σ(z) is the probability of a yes. With a target t in "
            "[0, 1] an entry costs −t log σ(z) − (1 − t) log(1 − σ(z)); C is the mean over all entries. As in "
            "cross-entropy the logarithm and what is in it belong into one module: apart, σ(z) rounds to 0 or 1, and "
            "the logarithm is infinite."
        ),
        purpose=(
            "The loss where several labels may hold at once, each with its own yes or no, and of many a GAN's "
            "discriminator."
        ),
        torch=("torch.nn.functional.binary_cross_entropy_with_logits", "torch.nn.BCEWithLogitsLoss"),
        idea=(
            "With softplus an entry costs log(1 + e^z) − t z. The slope of the first term is σ(z), that of the second "
            "t: prediction minus target once more, divided by the number of entries."
        ),
        minutes=25,
        difficulty=2,
    ),
    operator=BCE_WITH_LOGITS,
    functions=(
        forward("logits", "targets", returns="scalar"),
        backward("grad_output", "logits", "targets", points=3),
    ),
    hints=(
        "Write −t log σ(z) − (1 − t) log(1 − σ(z)) with softplus alone. Which term is left that is linear in z?",
        "The derivative of softplus is a function you know. What does the linear term add? It is a mean over all "
        "entries, whatever the shape: which factor does every entry of the gradient carry?",
        "With logits z and targets t, dC/dz_j = g ∂/∂z_j (1/n) Σ_i (log(1 + e^(z_i)) − t_i z_i) = g/n ∂/∂z_j "
        "(log(1 + e^(z_j)) − t_j z_j); n counts all elements.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "missing-term",
            "you took the term of the positive class alone: nothing is said about 1 − t",
            lambda logits, targets: (targets * _softplus(-logits)).mean(),
            "What does a confident 1 cost where the target is 0?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "you took the term of the negative class alone: nothing is said about t",
            lambda logits, targets: ((1 - targets) * _softplus(logits)).mean(),
            "What does a confident 0 cost where the target is 1?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "the logistic function was applied twice",
            lambda logits, targets: _cost(logits.sigmoid(), targets),
            "What does your second exponential take: logits, or probabilities?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "t and 1 − t have changed places",
            lambda logits, targets: _cost(logits, 1 - targets),
            "What does a confident 1 cost where the target is 1?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "one of the two logarithms has the other's argument: your softplus takes −z in both places",
            lambda logits, targets: (_softplus(-logits) - targets * logits).mean(),
            "For t = 0 and a large z, is the cost large or small?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "your stable form holds for negative z only: what was taken out of the logarithm is missing",
            lambda logits, targets: ((-logits.abs()).exp().log1p() - targets * logits).mean(),
            "What is log(1 + e^z) near for z = 10?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "in your stable form the logarithm is missing: max(z, 0) is only near log(1 + e^z)",
            lambda logits, targets: (logits.relu() - targets * logits).mean(),
            "What does z = 0 cost where the target is 1?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you averaged squared differences of probability and target: that is mse",
            lambda logits, targets: (logits.sigmoid() - targets).square().mean(),
            "How much may an entry cost where the prediction is sure and wrong?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took softmax over the last axis: the entries share in one sum",
            lambda logits, targets: -(targets * logits.log_softmax(-1)).mean(),
            "Are the entries classes of which one is right, or questions with an answer each?",
        ),
        Misconception(
            "forward",
            "wrong-variable",
            "you rounded the targets to 0 and 1",
            lambda logits, targets: _cost(logits, targets.round()),
            "Which targets may stand between 0 and 1?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put the logits themselves where the probabilities belong",
            lambda grad_output, logits, targets: grad_output * (logits - targets) / logits.numel(),
            "What is the derivative of log(1 + e^z)?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took softmax over the last axis: the entries share in one sum",
            lambda grad_output, logits, targets: grad_output * (logits.softmax(-1) - targets) / logits.numel(),
            "Are the entries classes of which one is right, or questions with an answer each?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "log(1 + e^z) still stands in your gradient: it is not differentiated",
            lambda grad_output, logits, targets: grad_output * (_softplus(logits) - targets) / logits.numel(),
            "Between which two numbers does the slope of log(1 + e^z) lie?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied by the logistic function's derivative too, as squared differences would ask",
            lambda grad_output, logits, targets: (
                _errors(grad_output, logits, targets) * logits.sigmoid() * (1 - logits.sigmoid()) / logits.numel()
            ),
            "What should a confident but wrong prediction get: a large gradient, or hardly any?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "you stopped at the probabilities: this is the gradient by them, not by the logits",
            lambda grad_output, logits, targets: (
                _errors(grad_output, logits, targets) / (logits.sigmoid() * (1 - logits.sigmoid())) / logits.numel()
            ),
            "How does the probability change when the logit does?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "the logistic function was applied twice",
            lambda grad_output, logits, targets: _errors(grad_output, logits.sigmoid(), targets) / logits.numel(),
            "What does your second exponential take: logits, or probabilities?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you compared with hard predictions, 0 or 1: the probability between them is lost",
            lambda grad_output, logits, targets: (
                grad_output * ((logits > 0).to(logits.dtype) - targets) / logits.numel()
            ),
            "What should a prediction learn that is right, but not sure?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you differentiated the term of the positive class alone: nothing is said about 1 − t",
            lambda grad_output, logits, targets: -grad_output * targets * (1 - logits.sigmoid()) / logits.numel(),
            "What should a confident 1 learn where the target is 0?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you differentiated the term of the negative class alone: nothing is said about t",
            lambda grad_output, logits, targets: grad_output * (1 - targets) * logits.sigmoid() / logits.numel(),
            "What should a confident 0 learn where the target is 1?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "t and 1 − t have changed places",
            lambda grad_output, logits, targets: _errors(grad_output, logits, 1 - targets) / logits.numel(),
            "For t = 1, should z grow or shrink?",
        ),
        Misconception(
            "backward",
            "scaled-by-size",
            "the two terms do not have the same factor: brackets are missing, and only one is divided",
            lambda grad_output, logits, targets: grad_output * (logits.sigmoid() - targets / logits.numel()),
            "In a − b / n, what does n divide?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you rounded the targets to 0 and 1",
            lambda grad_output, logits, targets: _errors(grad_output, logits, targets.round()) / logits.numel(),
            "Which targets may stand between 0 and 1?",
        ),
    ),
)
