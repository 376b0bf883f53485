"""What goes wrong in backpropagation through a graph."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import Misconception

Parents = dict[str, list[str]]
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


def _depth_first_once(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    grads, seen = {output: grad_output.clone()}, set()

    def visit(child: str) -> None:
        if child in seen:
            return
        seen.add(child)
        for parent in parents[child]:
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
            visit(parent)

    visit(output)
    return grads


def _handed_on_again(parents: Parents, local_jacobians: Jacobians, output: str, grad_output: Any) -> Grads:
    grads = {output: grad_output.clone()}

    def visit(child: str) -> None:
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


GRAPH_MISCONCEPTIONS = (
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
        "you went back level by level and visited each node once: some handed on their gradient before it was complete",
        _breadth_first_once,
        "When is a node's gradient complete, if a short and a long way lead to it?",
    ),
    Misconception(
        "backward",
        "updated-too-early",
        "you followed each way to its end, each node once: some handed on their gradient before it was complete",
        _depth_first_once,
        "When is a node's gradient complete, if a short and a long way lead to it?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "a node that is reached twice hands on its first share twice",
        _handed_on_again,
        "The second time a node is reached, what of its gradient is new?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "you started from every node without children, with a gradient of ones: C depends on the output alone",
        _every_sink_has_a_gradient,
        "Does C change when a node does that no way leads from to the output?",
    ),
)
