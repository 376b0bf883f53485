"""What backpropagation is explained with: the weighted sum and one stage of a cascade (lecture part A)."""

from __future__ import annotations

from gradcheck.operators.record import Input, Operator

_INPUTS = (Input("z", ("n",), wrt=("q",)), Input("w", ("m", "n"), wrt=("p", "q")))

WEIGHTED_SUM = Operator(
    name="weighted_sum",
    formula="s[i] = Sum(w[i, j] * z[j], (j, 0, n-1))",
    inputs=_INPUTS,
    output_shape=("m",),
    function=lambda z, w: w @ z,
    source="lecture part A, backpropagation through a weighted sum",
)

STAGE = Operator(
    name="tanh_stage",
    formula="y[i] = tanh(Sum(w[i, j] * z[j], (j, 0, n-1)))",
    inputs=_INPUTS,
    forward_forms=(
        "tanh(Sum(w[i, j] * z[j], (j, 0, n-1)))",
        # Rounds as 2 σ(2s) − 1 does, which has no bound in balls where s is large. The modulus, which changes nothing,
        # keeps SymPy from cancelling the ones.
        "Abs(1 + tanh(Sum(w[i, j] * z[j], (j, 0, n-1)))) - 1",
    ),
    output_shape=("m",),
    function=lambda z, w: (w @ z).tanh(),
    source="lecture part A, multi-stage graphs: one stage",
)
