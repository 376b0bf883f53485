"""Backpropagation through any directed acyclic graph (lecture parts A and B).

The graph is a dict {node: [its parents]}: a node is computed from its parents, its children are computed from it. Node
names are strings, every node is a key, a root has no parents. local_jacobians[child, parent] is ∂child/∂parent,
(d_child, d_parent), for every edge; the nodes' values are vectors.
"""

from __future__ import annotations

from torch import Tensor


def topological_order(parents: dict[str, list[str]]) -> list[str]:
    """Every node once, after all of its parents; any such order will do.

    Raises ValueError where there is none because of a cycle; a node that is its own parent is a cycle too.
    """
    # A node can come next when all of its parents are there. In a graph without cycles there is always one: go from
    # any node that is left to a parent that is left, again and again; without a cycle this ends, and where it ends no
    # parent is left. So if no node can come next, what is left contains a cycle.
    order: list[str] = []
    placed: set[str] = set()
    while len(order) < len(parents):
        ready = [node for node in parents if node not in placed and placed.issuperset(parents[node])]
        if not ready:
            raise ValueError("the graph has a cycle")
        order += ready
        placed.update(ready)
    return order


def backward(
    parents: dict[str, list[str]],
    local_jacobians: dict[tuple[str, str], Tensor],
    output: str,
    grad_output: Tensor,
) -> dict[str, Tensor]:
    """The gradients of C by the nodes, {node: dC/dnode}, each (d_node,).

    C depends on the graph through the node `output` alone; grad_output is dC/doutput (d_output,), and the result holds
    it. A node that does not reach the output may be left out, or have zeros. The graph has no cycle.
    """
    # A change of a node reaches C through each of its children, and these ways add up:
    #     dC/dnode = Σ_children dC/dchild · ∂child/∂node
    # Children first, so that a node's gradient is complete before it is handed on: the topological order backwards.
    # Nodes that come after the output have no gradient; nothing starts from them.
    grads = {output: grad_output}
    for child in reversed(topological_order(parents)):
        if child not in grads:
            continue
        for parent in parents[child]:
            share = grads[child] @ local_jacobians[child, parent]
            grads[parent] = grads[parent] + share if parent in grads else share
    return grads
