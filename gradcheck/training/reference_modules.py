"""The modules of the two-layer network as they should be, to be put in the place of a learner's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight.T + bias


def _linear_backward(grad_output: Any, x: Any, weight: Any, _bias: Any) -> Any:
    return grad_output @ weight, grad_output.T @ x, grad_output.sum(0)


def _relu(x: Any) -> Any:
    return x.clamp(min=0)


def _relu_backward(grad_output: Any, x: Any) -> Any:
    return grad_output * (x > 0)


def _cross_entropy(logits: Any, labels: Any) -> Any:
    return (logits.logsumexp(1) - logits[range(len(labels)), labels]).mean()


def _cross_entropy_backward(grad_output: Any, logits: Any, labels: Any) -> Any:
    grad = logits.softmax(1)
    grad[range(len(labels)), labels] -= 1
    return grad_output * grad / len(labels)


def _network(x: Any, params: Any) -> Any:
    return _linear(_relu(_linear(x, params["w_h"], params["b_h"])), params["w_y"], params["b_y"])


def _network_backward(grad_logits: Any, x: Any, params: Any) -> Any:
    hidden = _linear(x, params["w_h"], params["b_h"])
    to_active, w_y, b_y = _linear_backward(grad_logits, _relu(hidden), params["w_y"], params["b_y"])
    _, w_h, b_h = _linear_backward(_relu_backward(to_active, hidden), x, params["w_h"], params["b_h"])
    return {"w_h": w_h, "b_h": b_h, "w_y": w_y, "b_y": b_y}


REFERENCE: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "linear": {"forward": _linear, "backward": _linear_backward},
    "relu": {"forward": _relu, "backward": _relu_backward},
    "cross_entropy": {"forward": _cross_entropy, "backward": _cross_entropy_backward},
    "two_layer_net": {"forward": _network, "backward": _network_backward},
}
"""By exercise and function."""
