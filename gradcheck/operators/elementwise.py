"""Operators that act on each entry alone: the lecture's point-wise modules (part B, basic modules)."""

from __future__ import annotations

from gradcheck.operators.record import Input, Operator

_X = Input("x", ("n",), wrt=("j",))


RELU = Operator(
    name="relu",
    formula="y[i] = Piecewise((x[i], x[i] > 0), (0, True))",
    inputs=(_X,),
    output_shape=("n",),
    function=lambda x: x.relu(),
    flattened=True,
    any_shape=True,
    empty_batch=True,
    source="lecture part B, basic modules: ReLU",
)

SIGMOID = Operator(
    name="sigmoid",
    formula="y[i] = 1 / (1 + exp(-x[i]))",
    inputs=(_X,),
    output_shape=("n",),
    function=lambda x: x.sigmoid(),
    flattened=True,
    stable=True,
    jacobian_forms=(
        (
            "x",
            (
                # y (1 - y), from y and from 1 - y: each cancels in one of the two tails.
                "delta(i, j) * (1 - 1 / (1 + exp(-x[i]))) / (1 + exp(-x[i]))",
                "delta(i, j) * (1 - 1 / (1 + exp(x[i]))) / (1 + exp(x[i]))",
            ),
        ),
    ),
    # e^−softplus(−x), and e^(−softplus(x) − softplus(−x)) for the derivative, with the threshold of F.softplus.
    torch_forms=("Piecewise((exp(x[i]), x[i] < -20), (1 / (1 + exp(-x[i])), True))",),
    torch_jacobian_forms=(
        (
            "x",
            (
                (
                    "Piecewise((delta(i, j) * exp(-x[i]), x[i] > 20), (delta(i, j) * exp(x[i]), x[i] < -20),"
                    " (delta(i, j) * exp(-x[i]) / (1 + exp(-x[i]))**2, True))"
                ),
            ),
        ),
    ),
    empty_batch=True,
    source="torch.nn.Sigmoid",
)

TANH = Operator(
    name="tanh",
    formula="y[i] = tanh(x[i])",
    inputs=(_X,),
    output_shape=("n",),
    function=lambda x: x.tanh(),
    flattened=True,
    stable=True,
    forward_forms=("tanh(x[i])", "2 / (1 + exp(-2*x[i])) - 1"),
    jacobian_forms=(("x", ("delta(i, j) * (1 - (2 / (1 + exp(-2*x[i])) - 1)**2)",)),),
    empty_batch=True,
    source="lecture part A, multi-stage graphs; torch.nn.Tanh",
)

SOFTPLUS = Operator(
    name="softplus",
    formula="y[i] = log(1 + exp(x[i]))",
    inputs=(_X,),
    output_shape=("n",),
    function=lambda x: x.logaddexp(x.new_zeros(())),  # F.softplus returns x above 20, 2e-9 off in float64
    flattened=True,
    stable=True,
    forward_forms=("Max(x[i], 0) + log1p(exp(-Abs(x[i])))",),
    torch_forms=("Piecewise((x[i], x[i] > 20), (log1p(exp(x[i])), True))",),
    jacobian_forms=(
        (
            "x",
            (
                "delta(i, j) / (1 + exp(-x[i]))",
                "delta(i, j) * (1 - 1 / (1 + exp(x[i])))",
                "delta(i, j) * exp(x[i] - log1p(exp(x[i])))",  # e^(x − y)
            ),
        ),
    ),
    torch_jacobian_forms=(("x", ("Piecewise((delta(i, j), x[i] > 20), (delta(i, j) / (1 + exp(-x[i])), True))",)),),
    empty_batch=True,
    source="torch.nn.Softplus",
)
