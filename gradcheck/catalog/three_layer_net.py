"""The lecture's network of three layers, on one image of any shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.catalog.parts import networks
from gradcheck.checks.task import Edge, Reference
from gradcheck.operators.elementwise import RELU
from gradcheck.operators.models import LINEAR
from gradcheck.references import apply
from gradcheck.training.steps import gated, handed_down, itself, outer, relu, through_softmax, upstream

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

    Tensors = dict[str, Tensor]

ORDER = 4

_SHAPES = {
    "an image of one axis": (5,),
    "an image of three axes": (2, 3, 2),
    "an image of four axes": (1, 2, 1, 3),
    "an image without axes": (),
    "a square image": (3, 3),
    "an image of one column": (4, 1),
}


def _output(image: Tensor, params: Tensors) -> Tensor:
    befores, _ = _layers(image, params)
    return befores[2].reshape(-1)


def _gradients(grad_output: Tensor, image: Tensor, params: Tensors) -> Tensors:
    befores, actives = _layers(image, params)
    grad, grads = grad_output.reshape(1, -1), {}
    for k in (2, 1, 0):
        layer = apply.vjp(LINEAR, grad, x=actives[k], weight=params[f"w{k}"], bias=params[f"b{k}"])
        grads[f"w{k}"], grads[f"b{k}"] = layer["weight"], layer["bias"]
        if k:
            grad = apply.vjp(RELU, layer["x"], x=befores[k - 1])["x"]
    return {name: grads[name] for name in params}


def _layers(image: Tensor, params: Tensors) -> tuple[list[Tensor], list[Tensor]]:
    """What each linear module gives, and what it gets: one image is a batch of one."""
    befores, actives = [], [image.reshape(1, -1)]
    for k in (0, 1, 2):
        befores.append(apply.forward(LINEAR, x=actives[k], weight=params[f"w{k}"], bias=params[f"b{k}"]))
        actives.append(apply.forward(RELU, x=befores[k]))
    return befores, actives


def _data(draw: Draw, *shape: int) -> dict[str, Any]:
    """An image of this shape and params."""
    import numpy as np

    image = draw.tensor(*shape)
    sizes = [image.values.size, draw.size("H0"), draw.size("H1"), draw.size("K")]
    active = image.values.reshape(1, -1)
    params: dict[str, Any] = {}
    for k in range(3):
        weight, bias = draw.tensor(sizes[k + 1], sizes[k]), draw.tensor(sizes[k + 1])
        if k < 2:
            bias = networks.clear_bias(active, weight, bias)
        active = np.maximum(active @ weight.values.T + bias.values, 0)
        params |= {f"w{k}": weight, f"b{k}": bias}
    return {"image": image, "params": params}


def _image(draw: Draw) -> dict[str, Any]:
    return _data(draw, draw.size("height"), draw.size("width"))


def _image_and_cotangent(draw: Draw) -> dict[str, Any]:
    data = _image(draw)
    return {"grad_output": draw.cotangent(draw.size("K"))} | data


def _images(draw: Any) -> Iterator[Edge]:
    for name, shape in _SHAPES.items():
        yield name, _data(draw, *shape)
    yield "an image of three axes, non-contiguous", _laid_out(_data(draw, 2, 3, 2))


def _images_and_cotangents(draw: Any) -> Iterator[Edge]:
    for name, arguments, *_ in _images(draw):
        yield name, {"grad_output": draw.cotangent(draw.size("K"))} | arguments


def _laid_out(arguments: dict[str, Any]) -> dict[str, Any]:
    """The image alone with its last two axes swapped in memory."""
    image = arguments["image"]
    return arguments | {"image": type(image)(image.values, image.dtype, "transposed")}


def _forward_by_torch(image: Any, params: Any) -> Any:
    hidden = (params["w0"] @ image.reshape(-1) + params["b0"]).relu()
    hidden = (params["w1"] @ hidden + params["b1"]).relu()
    return params["w2"] @ hidden + params["b2"]


def _backward_by_torch(grad_output: Any, image: Any, params: Any) -> Any:
    leaves = {name: each.clone().requires_grad_() for name, each in params.items()}
    _forward_by_torch(image, leaves).backward(grad_output)
    return {name: each.grad for name, each in leaves.items()}


# What goes wrong.


Function = Callable[[Any], Any]
Pair = Callable[[Any, Any], Any]


def _row_after_row(image: Any) -> Any:
    return image.reshape(-1)


def _forward(
    lower: Function = relu, upper: Function = relu, *, flat: Function = _row_after_row, last: Function = itself
) -> Callable[[Any, dict[str, Any]], Any]:
    """The network with other functions before, between and behind its layers."""

    def forward(image: Any, params: dict[str, Any]) -> Any:
        z1 = lower(params["w0"] @ flat(image) + params["b0"])
        z2 = upper(params["w1"] @ z1 + params["b1"])
        return last(params["w2"] @ z2 + params["b2"])

    return forward


def _backward(
    *,
    top: Pair = upstream,
    down: Pair = handed_down,
    gates: tuple[Pair, Pair] = (gated, gated),
    seen: Function = relu,
    weight: Pair = outer,
    with_bias: bool = True,
) -> Callable[[Any, Any, dict[str, Any]], dict[str, Any]]:
    """The gradients with one step of the way back done in another way. `top` makes the gradient by the output from
    grad_output and the output, `down` hands a gradient to what is below a module, `gates` the lower one and the upper
    through relu; `seen` makes what a weight was multiplied by from the sum before relu, `weight` a weight's gradient.
    """

    def backward(grad_output: Any, image: Any, params: dict[str, Any]) -> dict[str, Any]:
        bias = {name: params[name] if with_bias else 0 for name in ("b0", "b1")}
        s0 = params["w0"] @ _row_after_row(image) + bias["b0"]
        s1 = params["w1"] @ s0.relu() + bias["b1"]
        g2 = top(grad_output, params["w2"] @ s1.relu() + params["b2"])
        g1 = gates[1](down(g2, params["w2"]), s1)
        g0 = gates[0](down(g1, params["w1"]), s0)
        weights = {"w0": weight(g0, _row_after_row(image)), "w1": weight(g1, seen(s0)), "w2": weight(g2, seen(s1))}
        return weights | {"b0": g0, "b1": g1, "b2": g2.clone()}

    return backward


def _times_the_value(grad: Any, before: Any) -> Any:
    return grad * before.relu()


def _cut(grad: Any, _before: Any) -> Any:
    return grad.relu()


def _gated_and_cut(grad: Any, before: Any) -> Any:
    return grad.relu() * (before > 0)


def _bell(grad: Any, before: Any) -> Any:
    return grad * before.sigmoid() * (1 - before.sigmoid())


EXERCISE = Exercise(
    name="three_layer_net",
    unit="07_training",
    title="A network of three layers for one image",
    about=About(
        statement=(
            "The lecture's network in PyTorch: an image is flattened and goes through linear, ReLU, linear, ReLU, "
            "linear. Its linear modules are objects, because they hold parameters; ReLU holds none and is a mere "
            "function. Only the forward pass is written there, and torch finds the way back. Here you write both, for "
            "one image at a time."
        ),
        purpose=(
            "The multi-layer perceptron: written by hand once, it shows what one call of backward() does at any depth."
        ),
        torch=("torch.nn.Module",),
        idea=(
            "Each linear module does the same with what arrives: an outer product for its weights, the thing itself "
            "for its bias, the transposed weights for what is below. In between stands ReLU's mask."
        ),
        minutes=35,
        difficulty=3,
    ),
    functions=(
        function(
            "forward",
            "image",
            "params",
            reference=Reference(
                draw=_image,
                compute=_output,
                opinion=_forward_by_torch,
                edges=_images,
                names="the output",
                what="that of the network",
                source="lecture part A: a network of three layers in PyTorch",
            ),
        ),
        function(
            "backward",
            "grad_output",
            "image",
            "params",
            points=4,
            may_share=("grad_output",),  # it is the gradient of b2
            reference=Reference(
                draw=_image_and_cotangent,
                compute=_gradients,
                opinion=_backward_by_torch,
                edges=_images_and_cotangents,
                names="the gradient",
                what="the chain rule",
                source="lecture part A: a network of three layers in PyTorch",
            ),
        ),
    ),
    hints=(
        "One image is one vector. Of which shape is the gradient of a matrix that turns one vector into another?",
        "Each linear module does the same with its grad_output: one gradient for W, one for b, one for what is "
        "below. The image gets no gradient: where does the way down end, then, and what must be kept from the way "
        "up?",
        "With s_k = W_k z_k + b_k, z_(k+1) = relu(s_k) and dC/ds_2 = g: dC/dW_k,ij = dC/ds_k,i ∂s_k,i/∂W_k,ij, "
        "dC/dz_k,j = Σ_i dC/ds_k,i ∂s_k,i/∂z_k,j, and through relu dC/ds_(k−1),j = dC/dz_k,j · relu'(s_(k−1),j).",
    ),
    formula=(
        "forward:  z_0 = the image, flattened, z_(k+1) = relu(s_k)\n"
        "          s_k,i = Σ_j W_k,ij z_k,j + b_k,i, output s_2\n"
        "backward: dC/ds_2 = g\n"
        "          dC/ds_(k−1),j = Σ_i dC/ds_k,i W_k,ij where s_(k−1),j > 0, else 0\n"
        "          dW_k,ij = dC/ds_k,i z_k,j, db_k,i = dC/ds_k,i, k = 2, 1, 0"
    ),
    misconceptions=(
        Misconception(
            "forward",
            "extra-term",
            "you put a relu behind the last layer too: no output is negative",
            _forward(last=relu),
            "Which modules have a relu behind them?",
        ),
        Misconception(
            "forward",
            "missing-mask",
            "there is no relu in your network: it is linear",
            _forward(itself, itself),
            "Three linear modules, one after the other: are they more than one?",
        ),
        Misconception(
            "forward",
            "missing-mask",
            "relu is missing behind the first layer",
            _forward(itself, relu),
            "Which modules have a relu behind them?",
        ),
        Misconception(
            "forward",
            "missing-mask",
            "relu is missing behind the second layer",
            _forward(relu, itself),
            "Which modules have a relu behind them?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "there are sigmoids where relus belong",
            _forward(lambda s: s.sigmoid(), lambda s: s.sigmoid()),
            "Which function stands between the layers?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "there are hyperbolic tangents where relus belong",
            _forward(lambda s: s.tanh(), lambda s: s.tanh()),
            "Which function stands between the layers?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you put the image through relu: its dark pixels are cut",
            _forward(flat=lambda image: image.reshape(-1).relu()),
            "What does the first module see?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you returned probabilities: there is a softmax too many",
            _forward(last=lambda output: output.softmax(0)),
            "Which module is the last one of this network?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "the last bias is missing",
            lambda image, params: _forward()(image, params) - params["b2"],
            "Which parameters of the dict did you not use?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "the biases are missing",
            lambda image, params: params["w2"] @ (params["w1"] @ (params["w0"] @ image.reshape(-1)).relu()).relu(),
            "Which parameters of the dict did you not use?",
        ),
        Misconception(
            "backward",
            "missing-mask",
            "the relus have no part in your gradient: all of it gets through",
            _backward(gates=(upstream, upstream)),
            "Where relu gave 0, does the output change when the sum before it does?",
        ),
        Misconception(
            "backward",
            "missing-mask",
            "the lower relu has no part in your gradient: all of it gets through to the first layer",
            _backward(gates=(upstream, gated)),
            "Through how many relus does C see the first layer?",
        ),
        Misconception(
            "backward",
            "missing-mask",
            "the upper relu has no part in your gradient: all of it gets through to the second layer",
            _backward(gates=(gated, upstream)),
            "Through how many relus does C see the second layer?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you gave the weights what stands before relu, not what they were multiplied by",
            _backward(seen=itself),
            "Which vector did the module get to see in forward?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied by relu's value where its slope belongs",
            _backward(gates=(_times_the_value, _times_the_value)),
            "How steep is relu at 3, and at 100?",
        ),
        Misconception(
            "backward",
            "mask-from-upstream",
            "you asked for the sign of the gradient, not for that of the sum that relu saw",
            _backward(gates=(_cut, _cut)),
            "What decided in forward whether a hidden unit was on?",
        ),
        Misconception(
            "backward",
            "changes-upstream",
            "relu was applied to the gradient too: where a hidden unit is on, a negative gradient got lost",
            _backward(gates=(_gated_and_cut, _gated_and_cut)),
            "Can a growing hidden unit make C smaller?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took the slope of a sigmoid for that of relu",
            _backward(gates=(_bell, _bell)),
            "How steep is relu at 3, and at 100?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "the weights have no part in what is handed down: every unit below got the sum",
            _backward(down=lambda grad, weight: grad.sum().expand(weight.shape[1])),
            "By how much does an output of a module change when one of its inputs does?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you computed the sums without their biases: other units are on",
            _backward(with_bias=False),
            "Which sum did relu see in forward?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you reshaped products that have to be turned: the numbers have lost their places",
            _backward(weight=lambda grad, seen: (seen[:, None] * grad).reshape(len(grad), len(seen))),
            "Reshape [[1, 2, 3], [4, 5, 6]] to (3, 2) and print it: is it what .T gives?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you went through a relu behind the last layer, where there is none",
            _backward(top=lambda grad, output: grad * (output > 0)),
            "Which modules have a relu behind them?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you went through a softmax: grad_output is the gradient by what the last module gives",
            _backward(top=lambda grad, output: through_softmax(grad[None], output[None])[0]),
            "Does forward end with a softmax?",
        ),
    ),
)
