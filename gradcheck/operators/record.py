"""The record of one mathematical operator: its formula in index notation beside the torch function that computes it.

Nothing here computes. `gradcheck.references` derives the Jacobian, the VJP and the expected values from these records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

BATCH_INDEX = "b"
BATCH_SIZE = "B"
MODULES = "04_modules"
"""The unit whose functions take an empty batch; in every other B ≥ 1."""


@dataclass(frozen=True)
class Input:
    """One argument of an operator.

    `shape` names the sizes of one sample; a batched input has a leading axis of size B on top of it.
    `wrt` names the indices that a derivative with respect to this input uses (∂y_i/∂x_j: "j"); they must occur
    nowhere in the formula, because differentiating a sum by its own dummy index is silently wrong. An input without
    `wrt` is not differentiable. Labels are int64 and lie in 0 … `classes` − 1; probabilities lie in [0, 1].
    """

    name: str
    shape: tuple[str, ...]
    wrt: tuple[str, ...] = ()
    batched: bool = False
    kind: Literal["real", "label", "probability"] = "real"
    classes: str = ""

    @property
    def differentiable(self) -> bool:
        return bool(self.wrt) or (self.kind == "real" and not self.shape)


@dataclass(frozen=True)
class Operator:
    """An operator y = f(inputs), written for one sample.

    `formula`          index notation, `y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, n-1))`; the left side orders the
                       output's axes. See `gradcheck.references.formula` for what may stand in it.
    `function`         the same operator on torch tensors, batched: the second opinion, through torch.autograd.
    `output_shape`     names of the output's sizes, one per index on the left side.
    `forward_forms`    formulas whose rounding sets the tolerance of forward values. Empty: the definition's own.
                       Given where the definition itself rounds badly (log(1 + e^x) loses every small value).
    `torch_forms`      what torch's own forward function computes where that differs from the mathematics; the
                       distance is allowed, because learners may call it.
    `jacobian_forms`   per input, further right ways to write the Jacobian of one sample. The tolerance of gradients is
                       the largest over the derived form and these; tests prove each equal to the derived one.
    `torch_jacobian_forms`  likewise what torch's forward functions make of a Jacobian where they are used in it.
    `flattened`        the index of its inputs runs over the flattened tensor: a point-wise operator, or a mean of one.
    `any_shape`        any number of axes is promised to learners, none at all included; else one or two.
    `unbatched`        a single sample without the batch axis is accepted too.
    `stable`           results must be finite and accurate for inputs up to ±1e4.
    `empty_batch`      B = 0 is asked too. It has no meaning for a mean, and elsewhere the contract says B ≥ 1: only the
                       modules of unit 04 are asked.
    `source`           where the lecture or PyTorch's documentation defines it.
    """

    name: str
    formula: str
    inputs: tuple[Input, ...]
    function: Callable[..., Tensor]
    output_shape: tuple[str, ...] = ()
    forward_forms: tuple[str, ...] = ()
    torch_forms: tuple[str, ...] = ()
    jacobian_forms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    torch_jacobian_forms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    flattened: bool = False
    any_shape: bool = False
    unbatched: bool = False
    stable: bool = False
    empty_batch: bool = False
    source: str = ""

    @property
    def batched(self) -> bool:
        """Whether one call takes a batch of samples, one per row."""
        return any(an_input.batched for an_input in self.inputs)

    @property
    def differentiable_inputs(self) -> tuple[Input, ...]:
        return tuple(an_input for an_input in self.inputs if an_input.differentiable)

    @property
    def output_name(self) -> str:
        return self.formula.split("=", 1)[0].split("[", 1)[0].strip()

    def input(self, name: str) -> Input:
        return next(an_input for an_input in self.inputs if an_input.name == name)

    def forms_of_jacobian(self, name: str) -> tuple[str, ...]:
        return dict(self.jacobian_forms).get(name, ())

    def torch_forms_of_jacobian(self, name: str) -> tuple[str, ...]:
        return dict(self.torch_jacobian_forms).get(name, ())
