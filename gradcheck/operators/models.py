"""Parametrised models and their losses (lecture part A: parametrised models, loss functions)."""

from __future__ import annotations

from gradcheck.operators.operator import Input, Operator

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
