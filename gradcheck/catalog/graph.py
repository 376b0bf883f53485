"""Backpropagation through any directed acyclic graph."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Leaf, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

ORDER = 6

Parents = dict[str, list[str]]

_NAMES = "abcdefghijklmnopqrstuvwxyz"
_REACH = 4
"""A node's parents are among the four drawn before it: paths of many lengths, and few enough edges to be quick."""


def _shuffled(draw: Draw, items: Any) -> list[Any]:
    left = list(items)
    return [left.pop(draw.whole(0, len(left) - 1)) for _ in range(len(left))]


_ALWAYS = ((), (0,), (1,), (2,), (3, 1), (4,), (4,))
"""Parents that a graph of seven has whatever the seed: a short and a long way, and two nodes that nothing follows."""


def _graph(draw: Draw) -> list[list[int]]:
    """Per node, its parents: numbers below its own."""
    count = min(12, draw.size("nodes") + draw.size("more"))
    parents = [{p for p in range(max(0, k - _REACH), k) if draw.whole(0, 2)} for k in range(count)]
    if count == len(_ALWAYS):
        parents = [drawn | set(always) for drawn, always in zip(parents, _ALWAYS, strict=True)]
        parents[-1] -= {count - 2}
    return [sorted(each) for each in parents]


def _named(draw: Draw, numbered: list[list[int]]) -> tuple[list[str], Parents]:
    """Names in no particular order, and a dict whose order is no topological one either, except by chance."""
    names = _shuffled(draw, _NAMES[: len(numbered)])
    named = {names[k]: [names[p] for p in _shuffled(draw, parents)] for k, parents in enumerate(numbered)}
    return names, {name: named[name] for name in _shuffled(draw, names)}


def _structure(draw: Draw, numbered: list[list[int]]) -> dict[str, Any]:
    return {"parents": _named(draw, numbered)[1]}


def _linearised(draw: Draw, numbered: list[list[int]], output: int, size: int = 0) -> dict[str, Any]:
    """`output` is a node's number, `size` that of every node if it shall be the same."""
    names, parents = _named(draw, numbered)
    sizes = {name: size or draw.size(f"d{k}") for k, name in enumerate(names)}
    edges = [(child, parent) for child in _shuffled(draw, names) for parent in parents[child]]
    return {
        "parents": parents,
        "local_jacobians": {(child, parent): draw.tensor(sizes[child], sizes[parent]) for child, parent in edges},
        "output": names[output],
        "grad_output": draw.cotangent(sizes[names[output]]),
    }


def _identities(draw: Any, numbered: list[list[int]], output: int) -> dict[str, Any]:
    """What comes through an edge is equal to what went in, but must not be changed with it."""
    import numpy as np

    made = _linearised(draw, numbered, output, size=3)
    return made | {"local_jacobians": {edge: draw.argument(np.eye(3)) for edge in made["local_jacobians"]}}


def _draw(draw: Draw) -> dict[str, Any]:
    numbered = _graph(draw)
    # One of the last nodes, so that there is something to go back through, and often something behind it.
    return _linearised(draw, numbered, len(numbered) - 1 - draw.whole(0, min(2, len(numbered) - 1)))


_SHAPES: dict[str, tuple[list[list[int]], int]] = {
    "one node": ([[]], 0),
    "a chain": ([[], [0], [1], [2]], 3),
    "a diamond": ([[], [0], [0], [1, 2]], 3),
    "a short way and a long one": ([[], [0], [1], [2, 0]], 3),
    "a long way and a short one, from the middle": ([[], [0], [1], [2], [3, 1], [4]], 5),
    "two diamonds in a row": ([[], [0], [0], [1, 2], [3], [3], [4, 5]], 6),
    "every node feeds all later ones": ([list(range(k)) for k in range(6)], 5),
    "one parent, many children": ([[], [0], [0], [0], [0], [1, 2, 3, 4]], 5),
    "many roots": ([[], [], [], [], [0, 1, 2, 3]], 4),
    "the output in the middle": ([[], [0], [0, 1], [2], [2, 3], [1, 4]], 2),
    "the output is a root": ([[], [0], [0, 1]], 0),
    "another sink beside the output": ([[], [0], [0, 1], [0, 1]], 2),
    "a part of its own": ([[], [0], [0, 1], [], [3], [3, 4]], 2),
    "a node all alone": ([[], [0], [0, 1], []], 2),
    "a root that feeds only what follows the output": ([[], [], [0], [2, 1]], 2),
}
"""Graphs by what they are: each node's parents, and the output."""


def _shapes_of_backward(draw: Any) -> Iterator[Edge]:
    for words, (numbered, output) in _SHAPES.items():
        yield words, _linearised(draw, numbered, output)
    for words in ("a diamond", "a short way and a long one"):
        yield f"{words}, single numbers", _linearised(draw, *_SHAPES[words], size=1)
        yield f"{words}, equal sizes", _linearised(draw, *_SHAPES[words], size=2)
    for words in ("a chain", "a diamond", "a short way and a long one", "one parent, many children"):
        yield f"{words}, identity Jacobians", _identities(draw, *_SHAPES[words])


def _shapes_of_order(draw: Any) -> Iterator[Edge]:
    yield "no node", {"parents": {}}
    for words, (numbered, _) in _SHAPES.items():
        yield words, _structure(draw, numbered)
    yield "twenty nodes", _structure(draw, [[p for p in range(k) if draw.whole(0, 3) == 0] for k in range(20)])
    cyclic = {
        "a self-loop": [[0]],
        "a self-loop in a chain": [[], [0], [1, 2], [2]],
        "a cycle of two": [[1], [0]],
        "a cycle of three": [[2], [0], [1]],
        "a cycle that the roots lead to": [[], [0, 3], [1], [2]],
        "a cycle that leads to a sink": [[1], [0], [1], [2]],
        "a cycle between a root and a sink": [[], [0, 2], [1], [2]],
        "a cycle beside a chain": [[], [0], [1], [4], [3]],
        "a cycle across a diamond": [[4], [0], [0], [1, 2], [3]],
    }
    for words, numbered in cyclic.items():
        yield words, _structure(draw, numbered), "ValueError"


def _in_order(arguments: dict[str, Any], value: Any) -> tuple[str, str] | None:
    """What is wrong with an order of the nodes."""
    parents = arguments["parents"]
    if not isinstance(value, tuple) or not all(isinstance(each, str) for each in value):
        return "type", "expected a list of the names of the nodes"
    if unknown := [each for each in value if each not in parents]:
        return "values", f"the order holds {unknown[0]!r}, which is no node"
    if missing := [each for each in parents if each not in value]:
        return "values", f"the order lacks the node {missing[0]!r}"
    if len(value) > len(parents):
        twice = next(each for each in parents if value.count(each) > 1)
        return "values", f"the order holds the node {twice!r} more than once"
    place = {name: position for position, name in enumerate(value)}
    for child, above in parents.items():
        for parent in above:
            if place[parent] > place[child]:
                return "values", f"{child!r} comes before its parent {parent!r}"
    return None


def _reaching(parents: Parents, output: str) -> set[str]:
    """The output and every node that it depends on."""
    found, waiting = set(), [output]
    while waiting:
        found.add(waiting[-1])
        waiting += parents[waiting.pop()]
    return found


def _backward(
    parents: Parents, local_jacobians: dict[tuple[str, str], Tensor], output: str, grad_output: Tensor
) -> dict[str, Tensor]:
    grads = {output: grad_output}
    reaching = _reaching(parents, output)
    for child in reversed(_order(parents)):
        for parent in parents[child] if child in reaching else ():
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
    # Whatever else there is does not reach the output. Without an edge a node's size is not known.
    sizes = {name: jacobian.shape[0] for (name, _), jacobian in local_jacobians.items()}
    sizes |= {name: jacobian.shape[1] for (_, name), jacobian in local_jacobians.items()}
    missing = [name for name in parents if name not in grads]
    return grads | {name: grad_output.new_zeros((sizes[name],) if name in sizes else ()) for name in missing}


def _holds_the_output(arguments: dict[str, Any], value: Any) -> tuple[str, str] | None:
    """A node that does not reach the output may be left out or be 0, but no other."""
    if not isinstance(value, dict):
        return None
    output = arguments["output"]
    if output not in value:
        return "type", f"the result lacks the output node {output!r}; its gradient is grad_output"
    for name in _reaching(arguments["parents"], output):
        if name not in value:
            return "values", f"the result lacks the node {name!r}, on which the output depends"
        if isinstance(value[name], float):
            return "type", f"the entry {name!r} is the number {value[name]:g}; expected a torch.Tensor"
    return None


def _by_autograd(parents: Parents, local_jacobians: dict[tuple[str, str], Any], output: str, grad_output: Any) -> Any:
    import torch

    sizes = {name: jacobian.shape[0] for (name, _), jacobian in local_jacobians.items()}
    sizes |= {name: jacobian.shape[1] for (_, name), jacobian in local_jacobians.items()}
    sizes[output] = len(grad_output)
    # Every node is a linear function of its parents, plus a leaf that says what a change of this node does.
    leaves = {name: grad_output.new_zeros(sizes[name], requires_grad=True) for name in parents if name in sizes}
    values: dict[str, Any] = {}
    for name in _order(parents):
        if name in sizes:
            ways = [(local_jacobians[name, parent] * values[parent]).sum(1) for parent in parents[name]]
            values[name] = sum(ways, leaves[name])
    grads = torch.autograd.grad(values[output], list(leaves.values()), grad_output, allow_unused=True)
    return {name: grad for name, grad in zip(leaves, grads, strict=True) if grad is not None}


# What goes wrong.


Jacobians = dict[tuple[str, str], Any]
Grads = dict[str, Any]


def _order(parents: Parents) -> list[str]:
    """A right order; that of a graph with a cycle ends before it."""
    order: list[str] = []
    while ready := [node for node in parents if node not in order and set(parents[node]) <= set(order)]:
        order += ready
    return order


def _by_the_shortest_way(parents: Parents) -> list[str]:
    order = [node for node in parents if not parents[node]]
    for node in order:
        order += [child for child in parents if node in parents[child] and child not in order]
    return order


def _swept(order: list[str], parents: Parents, local_jacobians: Jacobians, grads: Grads) -> Grads:
    """The gradients handed on in this order, children first, from those that are there already."""
    for child in order:
        for parent in parents[child] if child in grads else ():
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
    return grads


def _last_way_only(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    grads = {output: grad_output.clone()}
    for child in reversed(_order(parents)):
        for parent in parents[child] if child in grads else ():
            grads[parent] = grads[child] @ local_jacobians[child, parent]
    return grads


def _first_way_only(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    grads = {output: grad_output.clone()}
    for child in reversed(_order(parents)):
        for parent in parents[child] if child in grads else ():
            grads.setdefault(parent, grads[child] @ local_jacobians[child, parent])
    return grads


def _ways_averaged(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    ways, grads = {output: [grad_output]}, {}
    for child in reversed(_order(parents)):
        if child in ways:
            grads[child] = sum(ways[child]) / len(ways[child])
            for parent in parents[child]:
                ways.setdefault(parent, []).append(grads[child] @ local_jacobians[child, parent])
    return grads


def _direct_parents_only(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    return _swept([output], parents, local_jacobians, {output: grad_output.clone()})


def _first_parent_only(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    first = {node: above[:1] for node, above in parents.items()}
    return _swept(_order(parents)[::-1], first, local_jacobians, {output: grad_output.clone()})


def _breadth_first_once(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    grads, queue = {output: grad_output.clone()}, [output]
    for child in queue:
        _swept([child], parents, local_jacobians, grads)
        queue += [parent for parent in parents[child] if parent not in queue]
    return grads


def _depth_first(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any, *, once: bool) -> Grads:
    grads, seen = {output: grad_output.clone()}, set()

    def visit(child: str) -> None:
        if once and child in seen:
            return
        seen.add(child)
        for parent in parents[child]:
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
            visit(parent)

    visit(output)
    return grads


def _every_sink_has_a_gradient(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    # Right where nothing but the output is a sink; among the ordinary arguments there are others.
    grads = {output: grad_output.clone()}
    feeding = {parent for above in parents.values() for parent in above}
    for (child, _), jacobian in local_jacobians.items():
        if child not in feeding and child != output:
            grads[child] = jacobian[:, 0] * 0 + 1
    return _swept(_order(parents)[::-1], parents, local_jacobians, grads)


EXERCISE = Exercise(
    name="graph",
    unit="03_backpropagation",
    title="Backpropagation through any directed acyclic graph",
    about=About(
        statement=(
            "Modules need not stand in a row: any graph without cycles will do. Each node is computed after those that "
            "it depends on, in what is called a topological order, and gradients run through the same graph the other "
            "way. A node that feeds several others influences C in several ways. A cycle, as in a recurrent network, "
            "has to be unrolled in time first."
        ),
        purpose=(
            "The heart of automatic differentiation: residual connections, shared weights and attention are all graphs "
            "of this kind."
        ),
        torch=("torch.autograd.backward",),
        idea=(
            "Go through the topological order backwards and add each share to what has come already. When a node's "
            "turn comes all its children have been there, so its gradient is whole before any of it is handed on."
        ),
        minutes=45,
        difficulty=3,
    ),
    functions=(
        function(
            "topological_order",
            "parents",
            reference=Reference(
                draw=lambda draw: _structure(draw, _graph(draw)),
                verdict=_in_order,
                edges=_shapes_of_order,
                names="the order",
                usual=frozenset(("sizes",)),
                source="lecture part B: directed acyclic graphs",
            ),
        ),
        function(
            "backward",
            "parents",
            "local_jacobians",
            "output",
            "grad_output",
            reference=Reference(
                draw=_draw,
                compute=_backward,
                verdict=_holds_the_output,
                opinion=_by_autograd,
                edges=_shapes_of_backward,
                names=Leaf("dC/dz", kind="scalar", optional=True),
                what="the chain rule over all ways to the output",
                source="lecture part B: backpropagation works for any directed acyclic graph",
            ),
            points=3,
            may_share=("grad_output",),
        ),
    ),
    hints=(
        "Which nodes can come first in the order? Which can once these are out of the way? When does this end? And a "
        "node that feeds two others reaches C in two ways: what does the chain rule say of several ways?",
        "A node can be placed when all of its parents are; if none can, there is a cycle. Ways add up: start with "
        "grad_output at the output and go through the order backwards, so that a node has all of its gradient before "
        "it hands any of it on.",
        "dC/dz_a,j = Σ_c Σ_i dC/dz_c,i ∂z_c,i/∂z_a,j over all children c of a, and ∂z_c,i/∂z_a,j = "
        "local_jacobians[c, a][i, j]. At the output dC/dz = grad_output.",
    ),
    formula=(
        "order:    a node can follow as soon as all of its parents are there\n"
        "backward: dC/dz_output = g\n"
        "          dC/dz_a,j = Σ_c Σ_i dC/dz_c,i J_ca,ij\n"
        "          c: the children of a, J_ca = local_jacobians[c, a]"
    ),
    misconceptions=(
        Misconception(
            "topological_order",
            "wrong-index",
            "you placed the children before their parents",
            lambda parents: _order(parents)[::-1],
            "Which of the two must be computed first?",
        ),
        Misconception(
            "topological_order",
            "ignores-argument",
            "you sorted the nodes by name: their edges have no influence",
            sorted,
            "What would your order be if the nodes had other names?",
        ),
        Misconception(
            "topological_order",
            "ignores-argument",
            "you took the nodes as they stand in the dict: their edges have no influence",
            list,
            "What would your order be if the same graph were written down in another order?",
        ),
        Misconception(
            "topological_order",
            "wrong-variable",
            "you sorted the nodes by how many parents they have",
            lambda parents: sorted(parents, key=lambda node: len(parents[node])),
            "Can a node with one parent come after a node with two?",
        ),
        Misconception(
            "topological_order",
            "wrong-index",
            "you placed a node as soon as one of its parents was there",
            _by_the_shortest_way,
            "A node has one parent near the roots and one far away. When can it come?",
        ),
        Misconception(
            "backward",
            "overwritten-not-accumulated",
            "where several ways meet, the last one overwrites what was there",
            _last_way_only,
            "A node that feeds two others reaches C in two ways. What becomes of the first?",
        ),
        Misconception(
            "backward",
            "overwritten-not-accumulated",
            "where several ways meet, only the first one counts",
            _first_way_only,
            "A node that feeds two others reaches C in two ways. What becomes of the second?",
        ),
        Misconception(
            "backward",
            "scaled-by-size",
            "where several ways meet, you averaged them",
            _ways_averaged,
            "Two ways that each add 1 to C: what do they add together?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "only the output's own parents have a gradient: those further back are zero or missing",
            _direct_parents_only,
            "Does a change of a parent's parent reach C?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "each node handed its gradient to the first of its parents alone",
            _first_parent_only,
            "Which parents does a change of the node's value come from?",
        ),
        Misconception(
            "backward",
            "updated-too-early",
            "you went back level by level and visited each node once: some handed on their gradient before it "
            "was complete",
            _breadth_first_once,
            "When is a node's gradient complete, if a short and a long way lead to it?",
        ),
        Misconception(
            "backward",
            "updated-too-early",
            "you followed each way to its end, each node once: some handed on their gradient before it was complete",
            partial(_depth_first, once=True),
            "When is a node's gradient complete, if a short and a long way lead to it?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "a node that is reached twice hands on its first share twice",
            partial(_depth_first, once=False),
            "The second time a node is reached, what of its gradient is new?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you started from every node without children, with a gradient of ones: C depends on the output alone",
            _every_sink_has_a_gradient,
            "Does C change when a node does that no way leads from to the output?",
        ),
    ),
)
