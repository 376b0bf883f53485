"""The average loss of a linear model over a training set."""

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward
from gradcheck.catalog.parts.errors import every_error
from gradcheck.operators.models import AVERAGE_LOSS

ORDER = 4

EXERCISE = Exercise(
    name="average_loss",
    unit="01_models_and_losses",
    title="The average loss over a training set",
    about=About(
        statement=(
            "Training minimises one number, the average of the losses of all P samples of the training set S: L(S, w) "
            "= 1/P Σ_p L(x_p, y_p, w). Here the loss of a sample is the squared error of a linear model, (y_p − "
            "w·x_p)². The samples are data and stay as they are; what L is a function of is w."
        ),
        purpose=(
            "The height of a training curve. With a linear model it is least squares; in a deep network only the "
            "prediction changes."
        ),
        torch=("torch.nn.MSELoss",),
        idea=(
            "Each sample pulls w along its own row of x, the harder the larger its error. The sum of these pulls is a "
            "single product, errors times x; the average keeps its 1/P."
        ),
        minutes=20,
        difficulty=2,
    ),
    operator=AVERAGE_LOSS,
    functions=(
        forward("w", "x", "y", returns="scalar"),
        backward("grad_output", "w", "x", "y"),
    ),
    hints=(
        "One sample first: by how much does (y_p − w·x_p)² change when w_i does?",
        "The loss is an average of P such terms, and the derivative of an average is the average of the derivatives: a "
        "sum over samples of a number times a row of x, divided by P. Such a sum is a matrix product. Which one?",
        "dC/dw_i = g/P Σ_p ∂/∂w_i (y_p − Σ_j w_j x_pj)² = g/P Σ_p 2 (y_p − Σ_j w_j x_pj) · ∂(y_p − Σ_j w_j x_pj)/∂w_i",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-function",
            "you took the root of the average (the root mean square), which the loss does not have",
            lambda w, x, y: (y - x @ w).square().mean().sqrt(),
            "Which unit does the loss have, that of y or that of y²?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the absolute errors where their squares belong",
            lambda w, x, y: (y - x @ w).abs().mean(),
            "How many times as much does an error count that is twice as large?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you averaged the errors first and squared the average",
            lambda w, x, y: (y - x @ w).mean().square(),
            "Two samples with errors 3 and −3: how large is the loss?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "every y_p met every prediction: a column minus a row is a whole matrix of differences",
            lambda w, x, y: (y[:, None] - x @ w).square().mean(),
            "How many errors do P samples have? Print the shape of yours.",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you subtracted the average error before you squared: that is the variance of the errors",
            lambda w, x, y: ((y - x @ w) - (y - x @ w).mean()).square().mean(),
            "A model that is 5 too low for every sample: is it without loss?",
        ),
        Misconception(
            "backward",
            "extra-reduction",
            "you averaged the errors and the samples each by itself and multiplied the two averages",
            lambda grad_output, w, x, y: -2 * grad_output * (y - x @ w).mean() * x.mean(0),
            "Which error does sample p have to meet, in the sum over p?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "the whole loss stands where each sample's own error belongs",
            lambda grad_output, w, x, y: -2 * grad_output * (y - x @ w).square().mean() * x.mean(0),
            "What does the derivative of e_p² leave of e_p, and does it know of the other samples' errors?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "the errors are still squared: the square is not differentiated yet",
            lambda grad_output, w, x, y: -grad_output / len(y) * (y - x @ w).square() @ x,
            "How steep is e² at e = 3?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "only the signs of the errors are left: you differentiated their absolute values",
            lambda grad_output, w, x, y: -grad_output / len(y) * (y - x @ w).sign() @ x,
            "Is a square equally steep everywhere?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you divided by the root of the loss: you differentiated the root mean square",
            lambda grad_output, w, x, y: -grad_output / len(y) * ((y - x @ w) @ x) / (y - x @ w).square().mean().sqrt(),
            "Is there a root in L?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied by w too: the parameter stays in its own derivative",
            lambda grad_output, w, x, y: -2 * grad_output / len(y) * ((y - x @ w) @ x) * w,
            "How steep is w x as a function of w?",
        ),
        *(
            Misconception(
                "backward",
                *each.told,
                lambda grad_output, w, x, y, e=each: grad_output * e.gradient(w, x, y),
                each.think,
            )
            for each in every_error()
        ),
    ),
)
