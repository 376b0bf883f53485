"""The binary cross-entropy of a logit."""

from gradcheck.catalog.exercise import Exercise, backward, forward
from gradcheck.operators.losses import BCE_WITH_LOGITS

ORDER = 4

EXERCISE = Exercise(
    name="bce_with_logits",
    unit="05_losses",
    title="The binary cross-entropy of a logit",
    operator=BCE_WITH_LOGITS,
    functions=(
        forward("logits", "targets", returns="scalar"),
        backward("grad_output", "logits", "targets", points=3),
    ),
    hints=(
        "Write −t log σ(z) − (1 − t) log(1 − σ(z)) with softplus alone. One term is left that is linear in z.",
        "The derivative of softplus is a function you know. What does the linear term add?",
        "Mean over all entries, whatever the shape: which factor does every entry of the gradient carry?",
    ),
)
