from __future__ import annotations

import torch
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- pointwise_chain
@wrong(
    "pointwise_chain",
    "backward",
    "each derivative meets grad_output alone",
    "missing-term",
    right="dC/dz_k lacks the later derivatives: each gradient is the next one, not grad_output, times h_k'.",
)
def backward(grad_output, derivatives):
    grads = []
    for d in derivatives:
        grads.append(grad_output * d)
    grads.append(grad_output)
    return grads


@wrong(
    "pointwise_chain",
    "backward",
    "goes through the derivatives from the input on",
    "wrong-index",
    "wrong-variable",
    right="The derivatives are taken in the wrong order: the last stage's comes first when going back.",
)
def backward(grad_output, derivatives):
    grads = [grad_output]
    for d in derivatives:
        grads.insert(0, grads[0] * d)
    return grads


@wrong(
    "pointwise_chain",
    "backward",
    "returns what list.reverse() returns",
    "wrong-type",
    right="None came back: reverse() turns the list round in place and returns None.",
)
def backward(grad_output, derivatives):
    grads = [grad_output]
    for d in derivatives[::-1]:
        grads.append(grads[-1] * d)
    return grads.reverse()


@wrong(
    "pointwise_chain",
    "backward",
    "*= on grad_output",
    "mutates-input",
    right="g *= d changes grad_output itself, and all entries of the list are one tensor.",
)
def backward(grad_output, derivatives):
    g = grad_output
    grads = [g]
    for d in reversed(derivatives):
        g *= d
        grads.insert(0, g)
    return grads


@wrong(
    "pointwise_chain",
    "backward",
    "stacks an empty list",
    "raised",
    "edge-size",
    right="Without derivatives torch.stack of an empty list raises: [grad_output] is the answer then.",
)
def backward(grad_output, derivatives):
    products = torch.stack(derivatives).flip(0).cumprod(dim=0).flip(0)
    return [grad_output * p for p in products] + [grad_output]


# ---------------------------------------------------------------- weighted_sum
@wrong(
    "weighted_sum",
    "backward",
    "w @ grad_output without a transpose",
    "raised",
    right="w (m, n) @ grad_output (m,) does not fit: the sum runs over the outputs, so w.T @ grad_output.",
)
def backward(grad_output, z, w):
    grad_z = w @ grad_output
    grad_w = torch.outer(grad_output, z)
    return grad_z, grad_w


@wrong(
    "weighted_sum",
    "backward",
    "outer product in the wrong order",
    "transposed",
    "wrong-shape",
    right="grad_w is transposed: entry ij is grad_output_i z_j.",
)
def backward(grad_output, z, w):
    return grad_output @ w, torch.outer(z, grad_output)


@wrong(
    "weighted_sum",
    "backward",
    "grad_z sums over the inputs",
    "wrong-axis",
    "wrong-shape",
    right="grad_z is summed over the wrong axis: over the outputs i (dim 0), so that one entry per input is left.",
)
def backward(grad_output, z, w):
    grad_z = (grad_output[:, None] * w).sum(dim=1)
    grad_w = grad_output[:, None] * z
    return grad_z, grad_w


@wrong(
    "weighted_sum",
    "backward",
    "w for z in grad_w",
    "wrong-variable",
    right="In grad_w stands w where z belongs: ∂s_i/∂w_ij = z_j.",
)
def backward(grad_output, z, w):
    grad_z = w.T @ grad_output
    grad_w = grad_output.unsqueeze(1) * w
    return grad_z, grad_w


@wrong(
    "weighted_sum",
    "backward",
    "returned as (grad_w, grad_z)",
    "swapped-gradients",
    "wrong-shape",
    right="The two gradients have changed places: grad_z comes first.",
)
def backward(grad_output, z, w):
    grad_w = torch.outer(grad_output, z)
    grad_z = grad_output @ w
    return grad_w, grad_z


# ---------------------------------------------------------------- vector_chain_rule
@wrong(
    "vector_chain_rule",
    "backward",
    "always returns a row (1, d)",
    "wrong-shape",
    right="For a grad_output of one axis a row (1, d) came back: the result has as many axes as grad_output.",
)
def backward(grad_output, jacobians):
    row = grad_output.reshape(1, -1)
    for J in reversed(jacobians):
        row = torch.mm(row, J)
    return row


@wrong(
    "vector_chain_rule",
    "backward",
    "multiplies the Jacobians first",
    "multiplies-matrices",
    right="Matrices are multiplied with each other; begin with grad_output, so that it is always vector times matrix.",
)
def backward(grad_output, jacobians):
    total = jacobians[-1]
    for J in reversed(jacobians[:-1]):
        total = total @ J
    return grad_output @ total


@wrong(
    "vector_chain_rule",
    "backward",
    "begins with the first Jacobian",
    "raised",
    right="grad_output meets the first Jacobian; the last one, whose rows are the outputs, comes first.",
)
def backward(grad_output, jacobians):
    grad = grad_output
    for J in jacobians:
        grad = grad @ J
    return grad


@wrong(
    "vector_chain_rule",
    "compose",
    "multi_dot of a single matrix",
    "raised",
    "edge-size",
    right="With a single Jacobian multi_dot raises, as it wants two at least: the answer is that Jacobian.",
)
def compose(jacobians):
    return torch.linalg.multi_dot(list(reversed(jacobians)))


@wrong(
    "vector_chain_rule",
    "compose",
    "the last Jacobian is left out",
    "missing-term",
    "wrong-shape",
    right="The last Jacobian is not in the product.",
)
def compose(jacobians):
    product = jacobians[0]
    for k in range(1, len(jacobians) - 1):
        product = jacobians[k] @ product
    return product


# ---------------------------------------------------------------- cost_of_model
@wrong(
    "cost_of_model",
    "grad_cost",
    "a column, not a row",
    "wrong-shape",
    "transposed",
    right="A column (M, 1) came back; the gradient of a number is a row (1, M).",
)
def grad_cost(y, y_bar):
    return 2 * (y_bar - y).reshape(-1, 1)


@wrong(
    "cost_of_model",
    "grad_cost",
    "divided by M like a mean",
    "scaled-by-size",
    right="The gradient is divided by M: the cost is a sum of squares, not their mean.",
)
def grad_cost(y, y_bar):
    M = y.shape[0]
    return (2 / M) * (y_bar - y).unsqueeze(0)


@wrong(
    "cost_of_model",
    "jacobian_model",
    "kron in the wrong order: w column after column",
    "wrong-flattening",
    right="The columns are those of w flattened column after column; row after row is wanted.",
)
def jacobian_model(x, w):
    eye = torch.eye(w.shape[0], dtype=x.dtype)
    return torch.kron(x.reshape(1, -1), eye)


@wrong(
    "cost_of_model",
    "jacobian_model",
    "zeros in float32 whatever x is",
    "wrong-dtype",
    "low-precision",
    right="torch.zeros makes float32; for float64 inputs the result must be float64 (dtype=x.dtype).",
)
def jacobian_model(x, w):
    M, n = w.shape
    J = torch.zeros(M, M * n)
    for i in range(M):
        J[i, i * n : (i + 1) * n] = x
    return J


@wrong(
    "cost_of_model",
    "gradient",
    "shaped like w, not flattened",
    "wrong-shape",
    right="The gradient has w's shape (M, n); it should be a row (1, M·n).",
)
def gradient(x, y, w):
    error = w @ x - y
    return 2 * torch.outer(error, x)


# ---------------------------------------------------------------- multi_stage
@wrong(
    "multi_stage",
    "forward",
    "z0 is not among the states",
    "wrong-shape",
    "missing-term",
    "wrong-type",
    right="The list lacks its first state, z0: K weights make K + 1 states.",
)
def forward(z0, weights):
    states = []
    z = z0
    for W in weights:
        z = torch.tanh(W @ z)
        states.append(z)
    return states


@wrong(
    "multi_stage",
    "backward",
    "tanh' from the state before the stage",
    "raised",
    "wrong-index",
    right="The slope of stage k is 1 − z_(k+1)²; states[k] stands where states[k + 1] belongs.",
)
def backward(grad_output, states, weights):
    grad = grad_output
    grad_weights = [None] * len(weights)
    for k in reversed(range(len(weights))):
        grad_s = grad * (1 - states[k] ** 2)
        grad_weights[k] = torch.outer(grad_s, states[k])
        grad = weights[k].T @ grad_s
    return grad, grad_weights


@wrong(
    "multi_stage",
    "backward",
    "grad_weights from last to first",
    "wrong-index",
    "wrong-shape",
    right="grad_weights is the wrong way round: the first stage's gradient comes first.",
)
def backward(grad_output, states, weights):
    grad = grad_output
    grad_weights = []
    for k in range(len(weights) - 1, -1, -1):
        grad = grad * (1 - states[k + 1] ** 2)
        grad_weights.append(grad[:, None] * states[k])
        grad = grad @ weights[k]
    return grad, grad_weights


@wrong(
    "multi_stage",
    "state_jacobian",
    "inputs in the rows",
    "transposed",
    "wrong-shape",
    right="The Jacobian is transposed: rows are outputs, columns inputs.",
)
def state_jacobian(z, w):
    slope = 1 - torch.tanh(w @ z) ** 2
    return w.T * slope


@wrong(
    "multi_stage",
    "weight_jacobian",
    "an outer product, without the axis of outputs",
    "wrong-shape",
    "missing-term",
    right="An axis is missing: every output i has its own gradient by w, which is zero except in row i.",
)
def weight_jacobian(z, w):
    slope = 1 - torch.tanh(w @ z) ** 2
    return torch.outer(slope, z)


# ---------------------------------------------------------------- graph
@wrong(
    "graph",
    "topological_order",
    "a cycle goes unnoticed",
    "must-raise",
    right="A cycle must raise ValueError; here an order comes back.",
)
def topological_order(parents):
    order = []
    visited = set()

    def visit(node):
        if node in visited:
            return
        visited.add(node)
        for p in parents[node]:
            visit(p)
        order.append(node)

    for node in parents:
        visit(node)
    return order


@wrong(
    "graph",
    "topological_order",
    "children come first",
    "wrong-index",
    right="The order is the wrong way round: parents come before their children.",
)
def topological_order(parents):
    order = []
    left = dict(parents)
    while left:
        ready = [n for n in left if all(p in order for p in left[n])]
        if not ready:
            raise ValueError("cycle")
        for n in ready:
            order.insert(0, n)
            del left[n]
    return order


@wrong(
    "graph",
    "backward",
    "(parent, child) for (child, parent)",
    "raised",
    right="local_jacobians is indexed the wrong way round: its keys are (child, parent).",
)
def backward(parents, local_jacobians, output, grad_output):
    grads = {output: grad_output}
    order = []
    left = list(parents)
    while left:
        for n in list(left):
            if all(p in order for p in parents[n]):
                order.append(n)
                left.remove(n)
    for node in reversed(order):
        if node in grads:
            for parent in parents[node]:
                contribution = grads[node] @ local_jacobians[(parent, node)]
                grads[parent] = grads.get(parent, 0) + contribution
    return grads


@wrong(
    "graph",
    "backward",
    "hands a gradient on before it is complete, and again after",
    "extra-term",
    right="A node with several children hands its gradient on at each visit, so that parts count twice: children first, each once.",
)
def backward(parents, local_jacobians, output, grad_output):
    grads = {output: grad_output}
    stack = [output]
    while stack:
        node = stack.pop(0)
        for parent in parents[node]:
            share = grads[node] @ local_jacobians[node, parent]
            if parent in grads:
                grads[parent] = grads[parent] + share
            else:
                grads[parent] = share
            stack.append(parent)
    return grads


@wrong(
    "graph",
    "backward",
    "first contribution counted twice",
    "extra-term",
    "scaled-by-constant",
    right="The first contribution to each node counts twice: setdefault stores it and the next line adds it again.",
)
def backward(parents, local_jacobians, output, grad_output):
    order = []
    seen = set()

    def visit(n):
        if n not in seen:
            seen.add(n)
            for p in parents[n]:
                visit(p)
            order.append(n)

    visit(output)
    grads = {output: grad_output}
    for child in order[::-1]:
        for parent in parents[child]:
            share = local_jacobians[child, parent].T @ grads[child]
            grads.setdefault(parent, share)
            grads[parent] = grads[parent] + share
    return grads
