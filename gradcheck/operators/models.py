"""The linear module (lecture part B, basic modules), losses, and parametrised models with theirs (lecture part A).

The losses of training (practicum: negative log-likelihood; lecture part B: cross-entropy) take a mean each.
"""

from __future__ import annotations

from gradcheck.operators.record import Input, Operator

LINEAR = Operator(
    name="linear",
    formula="y[o] = Sum(weight[o, i] * x[i], (i, 0, I-1)) + bias[o]",
    inputs=(
        Input("x", ("I",), wrt=("q",), batched=True),
        Input("weight", ("O", "I"), wrt=("p", "q")),
        Input("bias", ("O",), wrt=("p",)),
    ),
    output_shape=("O",),
    function=lambda x, weight, bias: x @ weight.T + bias,
    empty_batch=True,
    source="lecture part B, basic modules: linear; torch.nn.Linear",
)


_LABELS = Input("labels", ("B",), kind="label", classes="K")

MSE = Operator(
    name="mse",
    formula="C = Sum((y[i] - y_bar[i])**2, (i, 0, n-1)) / n",
    inputs=(Input("y", ("n",), wrt=("j",)), Input("y_bar", ("n",), wrt=("j",))),
    function=lambda y, y_bar: (y - y_bar).square().mean(),
    flattened=True,
    source="lecture part A, loss functions; torch.nn.MSELoss",
)

NLL = Operator(
    name="nll",
    formula="C = -Sum(log_probs[b, labels[b]], (b, 0, B-1)) / B",
    inputs=(Input("log_probs", ("B", "K"), wrt=("p", "q")), _LABELS),
    function=lambda log_probs, labels: -log_probs.gather(1, labels[:, None]).mean(),
    source="practicum, training; torch.nn.NLLLoss",
)

CROSS_ENTROPY = Operator(
    name="cross_entropy",
    formula="C = Sum(log(Sum(exp(logits[b, k]), (k, 0, K-1))) - logits[b, labels[b]], (b, 0, B-1)) / B",
    inputs=(Input("logits", ("B", "K"), wrt=("p", "q")), _LABELS),
    function=lambda logits, labels: -logits.log_softmax(-1).gather(1, labels[:, None]).mean(),
    stable=True,
    source="lecture part B: cross-entropy; torch.nn.CrossEntropyLoss",
)

BCE_WITH_LOGITS = Operator(
    name="bce_with_logits",
    formula="C = Sum(log(1 + exp(logits[i])) - targets[i] * logits[i], (i, 0, n-1)) / n",
    inputs=(
        Input("logits", ("n",), wrt=("j",)),
        Input("targets", ("n",), kind="probability"),
    ),
    function=lambda logits, targets: (logits.logaddexp(logits.new_zeros(())) - targets * logits).mean(),
    flattened=True,
    any_shape=True,
    stable=True,
    forward_forms=("Sum(Max(logits[i], 0) - targets[i] * logits[i] + log1p(exp(-Abs(logits[i]))), (i, 0, n-1)) / n",),
    torch_forms=(
        # F.softplus(z) - t z, with the threshold of F.softplus.
        (
            "Sum(Piecewise((logits[i], logits[i] > 20), (log1p(exp(logits[i])), True))"
            " - targets[i] * logits[i], (i, 0, n-1)) / n"
        ),
        # t softplus(−z) + (1 − t) softplus(z), with that threshold on either side.
        (
            "Sum(targets[i] * Piecewise((-logits[i], -logits[i] > 20), (log1p(exp(-logits[i])), True))"
            " + (1 - targets[i]) * Piecewise((logits[i], logits[i] > 20), (log1p(exp(logits[i])), True)),"
            " (i, 0, n-1)) / n"
        ),
        # F.binary_cross_entropy_with_logits: (1 − t) z + softplus(−z), which cancels for z ≪ 0; by hand with F.softplus
        # the threshold comes in.
        "Sum((1 - targets[i]) * logits[i] + log1p(exp(-logits[i])), (i, 0, n-1)) / n",
        (
            "Sum((1 - targets[i]) * logits[i]"
            " + Piecewise((-logits[i], -logits[i] > 20), (log1p(exp(-logits[i])), True)), (i, 0, n-1)) / n"
        ),
    ),
    jacobian_forms=(
        (
            "logits",
            (
                "(1 / (1 + exp(-logits[j])) - targets[j]) / n",
                "(1 - 1 / (1 + exp(logits[j])) - targets[j]) / n",
                "(exp(logits[j] - log1p(exp(logits[j]))) - targets[j]) / n",  # σ(z) = e^(z − softplus(z))
            ),
        ),
    ),
    torch_jacobian_forms=(
        (
            "logits",
            ("(Piecewise((1, logits[j] > 20), (1 / (1 + exp(-logits[j])), True)) - targets[j]) / n",),
        ),
    ),
    source="torch.nn.BCEWithLogitsLoss",
)


LINEAR_MODEL = Operator(
    name="linear_model",
    formula="y_bar = Sum(w[i] * x[i], (i, 0, n-1))",
    inputs=(Input("x", ("n",), wrt=("j",)), Input("w", ("n",), wrt=("j",))),
    function=lambda x, w: (w * x).sum(),
    source="lecture part A, parametrised models: the linear model",
)

SQUARED_DISTANCES = Operator(
    name="squared_distances",
    formula="d[k] = Sum((x[i] - w[k, i])**2, (i, 0, n-1))",
    inputs=(Input("x", ("n",), wrt=("j",)), Input("w", ("K", "n"), wrt=("p", "q"))),
    output_shape=("K",),
    function=lambda x, w: (x - w).square().sum(1),
    # The square multiplied out: a matrix product in place of K differences, and less exact where x is close to w_k.
    forward_forms=(
        "Sum((x[i] - w[k, i])**2, (i, 0, n-1))",
        "Sum(x[i]**2, (i, 0, n-1)) - 2 * Sum(x[h] * w[k, h], (h, 0, n-1)) + Sum(w[k, l]**2, (l, 0, n-1))",
    ),
    source="lecture part A, parametrised models: nearest neighbour",
)

SQUARED_ERROR = Operator(
    name="squared_error",
    formula="C = Sum((y[i] - y_bar[i])**2, (i, 0, n-1))",
    inputs=(Input("y", ("n",), wrt=("j",)), Input("y_bar", ("n",), wrt=("j",))),
    function=lambda y, y_bar: (y - y_bar).square().sum(),
    forward_forms=(
        "Sum((y[i] - y_bar[i])**2, (i, 0, n-1))",
        "Sum(y[i]**2, (i, 0, n-1)) - 2 * Sum(y[h] * y_bar[h], (h, 0, n-1)) + Sum(y_bar[l]**2, (l, 0, n-1))",
    ),
    source="lecture part A, loss functions: the squared error of one sample",
)

AVERAGE_LOSS = Operator(
    name="average_loss",
    formula="L = Sum((y[p] - Sum(w[i] * x[p, i], (i, 0, n-1)))**2, (p, 0, P-1)) / P",
    inputs=(Input("w", ("n",), wrt=("j",)), Input("x", ("P", "n")), Input("y", ("P",))),
    function=lambda w, x, y: (y - x @ w).square().mean(),
    source="lecture part A, loss functions: average loss over a training set",
)
