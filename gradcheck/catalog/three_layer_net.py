"""The lecture's network of three layers, on one image of any shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared import networks
from gradcheck.catalog.shared.three_layer_net_misconceptions import THREE_LAYER_NET_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw

ORDER = 4

_SHAPES = {
    "an image of one axis": (5,),
    "an image of three axes": (2, 3, 2),
    "an image of four axes": (1, 2, 1, 3),
    "an image without axes": (),
    "a square image": (3, 3),
    "an image of one column": (4, 1),
}


def _image(draw: Draw) -> dict[str, Any]:
    return networks.three_layer_data(draw, draw.size("height"), draw.size("width"))


def _image_and_cotangent(draw: Draw) -> dict[str, Any]:
    data = _image(draw)
    return {"grad_output": draw.cotangent(draw.size("K"))} | data


def _images(draw: Any) -> Iterator[Edge]:
    for name, shape in _SHAPES.items():
        yield name, networks.three_layer_data(draw, *shape)
    yield "an image of three axes, non-contiguous", _laid_out(networks.three_layer_data(draw, 2, 3, 2))


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


EXERCISE = Exercise(
    name="three_layer_net",
    unit="07_training",
    title="A network of three layers for one image",
    functions=(
        function(
            "forward",
            "image",
            "params",
            reference=Reference(
                draw=_image,
                compute=networks.three_layer_output,
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
                compute=networks.three_layer_backward,
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
    misconceptions=THREE_LAYER_NET_MISCONCEPTIONS,
)
