from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []
MORE: list[Submission] = []  # the same kind, kept apart: a second set that nobody has looked at yet
_seen: dict[tuple[str, ...], int] = {}


def wrong(exercise, function, name, *codes):
    def put(function_):
        unnamed = codes[0] == "unrecognised"
        key = ("unrecognised",) if unnamed else (exercise, function)
        turn = _seen[key] = _seen.get(key, -1) + 1
        first = name.startswith("two mistakes") or turn % (4 if unnamed else 2 if function == "backward" else 3) == 0
        (SUBMISSIONS if first else MORE).append(Submission(exercise, function, name, codes, function_))
        return function_

    return put


# ------------------------------------------------------------- pointwise_chain
P = "pointwise_chain"


@wrong(P, "backward", "output first", "wrong-index")
def _(grad_output, derivatives):
    grads = [grad_output]
    for d in derivatives[::-1]:
        grads.append(grads[-1] * d)
    return grads


@wrong(P, "backward", "derivatives from the front", "wrong-index")
def _(grad_output, derivatives):
    grads = [grad_output]
    for d in derivatives:
        grads.insert(0, grads[0] * d)
    return grads


@wrong(P, "backward", "output's own gradient left out", "missing-term", "wrong-shape")
def _(grad_output, derivatives):
    grads, g = [], grad_output
    for d in reversed(derivatives):
        g = g * d
        grads.insert(0, g)
    return grads


@wrong(P, "backward", "one stage each", "missing-term")
def _(grad_output, derivatives):
    return [grad_output * d for d in derivatives] + [grad_output]


@wrong(P, "backward", "starts from one", "missing-upstream")
def _(grad_output, derivatives):
    grads = [torch.ones_like(grad_output)]
    for d in reversed(derivatives):
        grads = [grads[0] * d, *grads]
    return grads


@wrong(P, "backward", "one object throughout", "mutates-input", "aliases-input", "overwritten-not-accumulated")
def _(grad_output, derivatives):
    grad = grad_output
    grads = [grad]
    for d in reversed(derivatives):
        grad *= d
        grads.append(grad)
    return grads[::-1]


@wrong(P, "backward", "adds the slopes", "unrecognised")
def _(grad_output, derivatives):
    grads, slope = [grad_output], torch.zeros_like(grad_output)
    for d in reversed(derivatives):
        slope = slope + d
        grads.insert(0, grad_output * slope)
    return grads


@wrong(P, "backward", "reverses the caller's list", "mutates-input")
def _(grad_output, derivatives):
    derivatives.reverse()
    grads = [grad_output]
    for d in derivatives:
        grads.append(grads[-1] * d)
    return list(reversed(grads))


@wrong(P, "backward", "needs a stage", "raised", "edge-size")
def _(grad_output, derivatives):
    grads = [grad_output, grad_output * derivatives[-1]]
    for d in derivatives[-2::-1]:
        grads.append(grads[-1] * d)
    return grads[::-1]


@wrong(P, "backward", "stops one too early", "missing-term", "wrong-index")
def _(grad_output, derivatives):
    grads = [grad_output] * (len(derivatives) + 1)
    for k in range(len(derivatives) - 1, 0, -1):
        grads[k] = grads[k + 1] * derivatives[k]
    return grads


# ---------------------------------------------------------------- weighted_sum
W = "weighted_sum"
wrong(W, "backward", "outer the other way round", "transposed")(
    lambda grad_output, z, w: (w.T @ grad_output, torch.outer(z, grad_output))
)
wrong(W, "backward", "column sums", "missing-upstream", "assumes-ones-upstream")(
    lambda grad_output, z, w: (w.sum(0), z.expand_as(w).clone())
)
wrong(W, "backward", "all the upstream for everyone", "changes-upstream", "extra-reduction")(
    lambda grad_output, z, w: (grad_output.sum() * w.sum(0), grad_output[:, None] * z)
)
wrong(W, "backward", "mean over the outputs", "scaled-by-size")(
    lambda grad_output, z, w: (grad_output @ w / w.shape[0], torch.outer(grad_output, z))
)
wrong(W, "backward", "weights once more", "extra-term", "unrecognised")(
    lambda grad_output, z, w: (grad_output @ w, grad_output[:, None] * z * w)
)
wrong(W, "backward", "gradient of z for z", "wrong-variable")(
    lambda grad_output, z, w: (grad_output @ w, torch.outer(grad_output, grad_output @ w))
)
wrong(W, "backward", "output for its gradient", "wrong-variable", "missing-upstream")(
    lambda grad_output, z, w: ((w @ z) @ w, torch.outer(w @ z, z))
)


@wrong(W, "backward", "rows overwrite each other", "overwritten-not-accumulated", "missing-reduction")
def _(grad_output, z, w):
    grad_z, grad_w = torch.zeros_like(z), torch.zeros_like(w)
    for i in range(len(grad_output)):
        for j in range(len(z)):
            grad_z[j] = grad_output[i] * w[i, j]
            grad_w[i, j] = grad_output[i] * z[j]
    return grad_z, grad_w


@wrong(W, "backward", "last weight of each row forgotten", "missing-term", "wrong-index")
def _(grad_output, z, w):
    grad_z, grad_w = torch.zeros_like(z), torch.zeros_like(w)
    for i in range(w.shape[0]):
        for j in range(w.shape[1] - 1):
            grad_z[j] += grad_output[i] * w[i, j]
            grad_w[i, j] += grad_output[i] * z[j]
    return grad_z, grad_w


wrong(W, "backward", "weights the wrong way round", "transposed", "raised")(
    lambda grad_output, z, w: (w @ grad_output, torch.outer(grad_output, z))
)
wrong(W, "backward", "not added up for z", "missing-reduction", "wrong-shape")(
    lambda grad_output, z, w: (grad_output[:, None] * w, grad_output[:, None] * z[None, :])
)
wrong(W, "backward", "sign and size", "sign-flipped", "scaled-by-size")(
    lambda grad_output, z, w: (-(grad_output @ w) / len(grad_output), -torch.outer(grad_output, z) / len(grad_output))
)

# ----------------------------------------------------------- vector_chain_rule
V = "vector_chain_rule"


@wrong(V, "backward", "input side first", "wrong-index", "raised")
def _(grad_output, jacobians):
    row = grad_output
    for J in jacobians:
        row = row @ J
    return row


@wrong(V, "backward", "columns for rows", "transposed", "raised")
def _(grad_output, jacobians):
    row = grad_output.reshape(-1)
    for J in reversed(jacobians):
        row = J @ row
    return row.reshape(*grad_output.shape[:-1], -1)


@wrong(V, "backward", "first stage skipped", "missing-term", "wrong-shape")
def _(grad_output, jacobians):
    row = grad_output
    for k in range(len(jacobians) - 1, 0, -1):
        row = row @ jacobians[k]
    return row


@wrong(V, "backward", "column sums of the product", "missing-upstream", "assumes-ones-upstream")
def _(grad_output, jacobians):
    row = torch.ones_like(grad_output)
    for J in reversed(jacobians):
        row = row @ J
    return row


@wrong(V, "backward", "always flat", "wrong-shape")
def _(grad_output, jacobians):
    row = grad_output.flatten()
    for J in reversed(jacobians):
        row = J.T @ row
    return row


@wrong(V, "backward", "averages in each stage", "scaled-by-size")
def _(grad_output, jacobians):
    row = grad_output
    for J in jacobians[::-1]:
        row = row @ J / J.shape[0]
    return row


@wrong(V, "backward", "every stage from the top", "overwritten-not-accumulated", "missing-term", "wrong-variable")
def _(grad_output, jacobians):
    squares = [J for J in jacobians if J.shape[0] == grad_output.shape[-1]]
    for J in squares:
        row = grad_output @ J
    return row


@wrong(V, "compose", "written in reading order", "wrong-index", "raised")
def _(jacobians):
    product = jacobians[0]
    for J in jacobians[1:]:
        product = product @ J
    return product


@wrong(V, "compose", "transposed at the end", "transposed")
def _(jacobians):
    product = jacobians[0].T
    for J in jacobians[1:]:
        product = product @ J.T
    return product


@wrong(V, "compose", "pops the list", "mutates-input")
def _(jacobians):
    product = jacobians.pop()
    while jacobians:
        product = product @ jacobians.pop()
    return product


@wrong(V, "compose", "last one left out", "missing-term", "wrong-shape")
def _(jacobians):
    product = torch.eye(jacobians[0].shape[1], dtype=jacobians[0].dtype)
    for k in range(len(jacobians) - 1):
        product = jacobians[k] @ product
    return product


@wrong(V, "compose", "last one twice", "extra-term", "raised")
def _(jacobians):
    product = jacobians[-1]
    for J in reversed(jacobians):
        product = product @ J
    return product


wrong(V, "compose", "sums the matrices", "unrecognised", "raised")(
    lambda jacobians: sum(jacobians[1:], jacobians[0].clone())
)

# --------------------------------------------------------------- cost_of_model
C = "cost_of_model"
wrong(C, "grad_cost", "by the target", "sign-flipped", "wrong-variable")(
    lambda y, y_bar: (2 * (y - y_bar)).reshape(1, -1)
)
wrong(C, "grad_cost", "two forgotten", "scaled-by-constant")(lambda y, y_bar: (y_bar - y).unsqueeze(0))
wrong(C, "grad_cost", "no row", "wrong-shape")(lambda y, y_bar: 2 * (y_bar - y))
wrong(C, "grad_cost", "a column", "transposed", "wrong-shape")(lambda y, y_bar: 2 * (y_bar - y)[:, None])
wrong(C, "grad_cost", "mean squared", "scaled-by-size")(lambda y, y_bar: 2 * (y_bar - y)[None] / len(y))
wrong(C, "grad_cost", "summed up", "extra-reduction")(lambda y, y_bar: 2 * (y_bar - y).sum().reshape(1, 1))
wrong(C, "jacobian_model", "column after column", "wrong-flattening", "wrong-index")(
    lambda x, w: torch.kron(x[None, :], torch.eye(w.shape[0], dtype=x.dtype))
)
wrong(C, "jacobian_model", "x in every block", "missing-mask", "extra-term")(
    lambda x, w: x.repeat(w.shape[0], w.shape[0])
)
wrong(C, "jacobian_model", "inputs as rows", "transposed")(
    lambda x, w: torch.kron(torch.eye(w.shape[0], dtype=x.dtype), x[:, None])
)
wrong(C, "jacobian_model", "weights in the blocks", "wrong-variable")(lambda x, w: torch.block_diag(*w))
wrong(C, "jacobian_model", "three axes", "wrong-shape", "wrong-flattening")(
    lambda x, w: torch.eye(w.shape[0], dtype=x.dtype)[:, :, None] * x
)
wrong(C, "jacobian_model", "by x", "wrong-variable")(lambda x, w: w.clone())


@wrong(C, "jacobian_model", "stride of the rows", "wrong-index")
def _(x, w):
    m, n = w.shape
    J = torch.zeros(m, m * n, dtype=x.dtype)
    for p in range(m):
        for q in range(n):
            J[p, q * m + p] = x[q]
    return J


@wrong(C, "jacobian_model", "first output only", "missing-term")
def _(x, w):
    m, n = w.shape
    J = torch.zeros(m, m * n, dtype=x.dtype)
    J[0, :n] = x
    return J


@wrong(C, "jacobian_model", "two by three", "hard-coded-size", "raised")
def _(x, w):
    J = torch.zeros(2, 6, dtype=x.dtype)
    J[0, 0:3] = x
    J[1, 3:6] = x
    return J


wrong(C, "gradient", "uphill side", "sign-flipped")(lambda x, y, w: 2 * torch.outer(y - w @ x, x).reshape(1, -1))
wrong(C, "gradient", "outer transposed", "wrong-flattening", "transposed", "wrong-index")(
    lambda x, y, w: 2 * torch.outer(x, w @ x - y).reshape(1, -1)
)
wrong(C, "gradient", "as a matrix", "wrong-shape", "wrong-flattening")(lambda x, y, w: 2 * torch.outer(w @ x - y, x))
wrong(C, "gradient", "target forgotten", "missing-term")(lambda x, y, w: 2 * torch.outer(w @ x, x).reshape(1, -1))
wrong(C, "gradient", "one and a half mistakes", "sign-flipped", "wrong-flattening", "scaled-by-constant")(
    lambda x, y, w: torch.outer(x, y - w @ x).reshape(1, -1)
)
wrong(C, "gradient", "flat", "wrong-shape")(lambda x, y, w: 2 * torch.outer(w @ x - y, x).flatten())
wrong(C, "gradient", "weights for the sample", "wrong-variable")(
    lambda x, y, w: (2 * (w @ x - y)[:, None] * w).reshape(1, -1)
)

# ----------------------------------------------------------------- multi_stage
S = "multi_stage"


@wrong(S, "forward", "last stage linear", "missing-term")
def _(z0, weights):
    states = [z0]
    for k, weight in enumerate(weights):
        s = weight @ states[-1]
        states.append(s if k == len(weights) - 1 else torch.tanh(s))
    return states


@wrong(S, "forward", "input not kept", "missing-term", "wrong-shape", "wrong-index")
def _(z0, weights):
    states, z = [], z0
    for weight in weights:
        z = torch.tanh(weight @ z)
        states.append(z)
    return states


@wrong(S, "forward", "tanh of the input too", "extra-term")
def _(z0, weights):
    states = [torch.tanh(z0)]
    for weight in weights:
        states.append(torch.tanh(weight @ states[-1]))
    return states


@wrong(S, "forward", "sums as states", "wrong-variable")
def _(z0, weights):
    states, z = [z0], z0
    for weight in weights:
        states.append(weight @ z)
        z = torch.tanh(states[-1])
    return states


@wrong(S, "forward", "tanh before the weights", "unrecognised", "wrong-index", "wrong-variable")
def _(z0, weights):
    states = [z0]
    for weight in weights:
        states.append(weight @ torch.tanh(states[-1]))
    return states


def cascade(slope=lambda new, old: 1 - new * new, matrix=torch.outer):
    def backward(grad_output, states, weights):
        g, found = grad_output, []
        for k in range(len(weights) - 1, -1, -1):
            s = g * slope(states[k + 1], states[k])
            found.insert(0, matrix(s, states[k]))
            g = weights[k].T @ s
        return g, found

    return backward


wrong(S, "backward", "no tanh slope", "missing-derivative", "missing-term")(cascade(lambda new, old: 1))
wrong(S, "backward", "slope without square", "unrecognised", "missing-term")(cascade(lambda new, old: 1 - new))
wrong(S, "backward", "sigmoid's slope", "wrong-variable", "unrecognised")(cascade(lambda new, old: new * (1 - new)))
wrong(S, "backward", "tanh of a tanh", "wrong-variable", "extra-term")(
    cascade(lambda new, old: 1 - torch.tanh(new) ** 2)
)
wrong(S, "backward", "slope with a plus", "sign-flipped")(cascade(lambda new, old: 1 + new**2))
wrong(S, "backward", "slope of the older state", "wrong-index", "raised")(cascade(lambda new, old: 1 - old**2))
wrong(S, "backward", "weights' gradients transposed", "transposed")(cascade(matrix=lambda s, z: torch.outer(z, s)))
wrong(S, "backward", "weights' gradients for a mean", "scaled-by-size")(
    cascade(matrix=lambda s, z: torch.outer(s, z) / len(s))
)


@wrong(S, "backward", "weights' gradients last first", "wrong-index")
def _(grad_output, states, weights):
    g, found = grad_output, []
    for k in reversed(range(len(weights))):
        s = g * (1 - states[k + 1] ** 2)
        found.append(torch.outer(s, states[k]))
        g = s @ weights[k]
    return g, found


@wrong(S, "backward", "slope missing in the weights", "missing-term", "missing-derivative")
def _(grad_output, states, weights):
    g, found = grad_output, []
    for k in reversed(range(len(weights))):
        found.insert(0, torch.outer(g, states[k]))
        g = (g * (1 - states[k + 1] ** 2)) @ weights[k]
    return g, found


@wrong(S, "backward", "starts from ones", "missing-upstream", "assumes-ones-upstream")
def _(grad_output, states, weights):
    return cascade()(torch.ones_like(grad_output), states, weights)


@wrong(S, "backward", "takes the states off", "mutates-input")
def _(grad_output, states, weights):
    g, found = grad_output, []
    for weight in reversed(weights):
        s = g * (1 - states.pop() ** 2)
        found.append(torch.outer(s, states[-1]))
        g = s @ weight
    return g, list(reversed(found))


@wrong(S, "backward", "slope after the weights", "wrong-index", "missing-term", "extra-term")
def _(grad_output, states, weights):
    g, found = grad_output, []
    for k in reversed(range(len(weights))):
        found.insert(0, torch.outer(g, states[k]))
        g = (g @ weights[k]) * (1 - states[k] ** 2)
    return g, found


@wrong(S, "backward", "stops before z0", "missing-term", "wrong-index", "wrong-shape")
def _(grad_output, states, weights):
    g, found = grad_output, []
    for k in reversed(range(len(weights))):
        g = g * (1 - states[k + 1] ** 2)
        found.insert(0, torch.outer(g, states[k]))
        if k > 0:
            g = g @ weights[k]
    return g, found


def slope_of(z, w):
    return 1 - torch.tanh(w @ z) ** 2


wrong(S, "state_jacobian", "weights alone", "missing-term", "missing-derivative")(lambda z, w: w.clone())
wrong(S, "state_jacobian", "other convention", "transposed")(lambda z, w: w.T * slope_of(z, w))
wrong(S, "state_jacobian", "square of the sum", "wrong-variable", "missing-term")(
    lambda z, w: torch.diag(1 - (w @ z) ** 2) @ w
)
wrong(S, "state_jacobian", "sigmoid's slope", "unrecognised", "wrong-variable")(
    lambda z, w: (torch.tanh(w @ z) * (1 - torch.tanh(w @ z)))[:, None] * w
)
wrong(S, "state_jacobian", "slope along the columns", "wrong-axis", "raised", "wrong-index")(
    lambda z, w: slope_of(z, w) * w
)
wrong(S, "state_jacobian", "only the slopes", "missing-term", "diagonal-only", "wrong-shape")(
    lambda z, w: torch.diag(slope_of(z, w))
)
wrong(S, "weight_jacobian", "no slope", "missing-term", "missing-derivative")(
    lambda z, w: torch.einsum("ip,q->ipq", torch.eye(len(w), dtype=z.dtype), z)
)
wrong(S, "weight_jacobian", "every output has every row", "missing-mask", "extra-term")(
    lambda z, w: (slope_of(z, w)[:, None, None] * z).expand(len(w), *w.shape).clone()
)
wrong(S, "weight_jacobian", "one matrix", "diagonal-only", "wrong-shape")(lambda z, w: torch.outer(slope_of(z, w), z))
wrong(S, "weight_jacobian", "weights in the rows", "wrong-variable")(
    lambda z, w: torch.einsum("i,ip,pq->ipq", slope_of(z, w), torch.eye(len(w), dtype=z.dtype), w)
)
wrong(S, "weight_jacobian", "flattened", "wrong-shape", "wrong-flattening")(
    lambda z, w: (torch.diag(slope_of(z, w))[:, :, None] * z).reshape(len(w), -1)
)

# ----------------------------------------------------------------------- graph
H = "graph"


def order_of(parents):
    order = []
    while len(order) < len(parents):
        ready = [n for n in parents if n not in order and all(p in order for p in parents[n])]
        if not ready:
            raise ValueError("cycle")
        order += ready
    return order


wrong(H, "topological_order", "children first", "wrong-index", "sign-flipped")(lambda parents: order_of(parents)[::-1])


@wrong(H, "topological_order", "by the number of parents", "unrecognised", "wrong-index")
def _(parents):
    order_of(parents)
    return sorted(parents, key=lambda n: len(parents[n]))


@wrong(H, "topological_order", "a cycle goes unnoticed", "missing-term", "unrecognised")
def _(parents):
    order = []
    for _ in parents:
        order += [n for n in parents if n not in order and set(parents[n]) <= set(order)]
    return order


@wrong(H, "topological_order", "self-loops are skipped", "unrecognised", "missing-term")
def _(parents):
    return order_of({n: [p for p in ps if p != n] for n, ps in parents.items()})


@wrong(H, "topological_order", "crosses out the parents", "mutates-input")
def _(parents):
    order, left = [], list(parents)
    while left:
        ready = [n for n in left if not parents[n]]
        if not ready:
            raise ValueError("cycle")
        for n in ready:
            left.remove(n)
            order.append(n)
            for other in left:
                while n in parents[other]:
                    parents[other].remove(n)
    return order


@wrong(H, "topological_order", "roots left out", "missing-term")
def _(parents):
    return [n for n in order_of(parents) if parents[n]]


@wrong(H, "topological_order", "a node for every path", "extra-term")
def _(parents):
    order_of(parents)
    order = []

    def visit(n):
        for p in parents[n]:
            visit(p)
        order.append(n)

    for n in parents:
        visit(n)
    return order


def walk(parents, jacobians, output, grad_output, put, order=None):
    grads = {output: grad_output}
    for child in order or order_of(parents)[::-1]:
        if child in grads:
            for parent in parents[child]:
                put(grads, parent, child, jacobians[child, parent])
    return grads


def plain(grads, parent, child, J):
    grads[parent] = grads[child] @ J + grads.get(parent, 0)


@wrong(H, "backward", "last child wins", "overwritten-not-accumulated")
def _(parents, local_jacobians, output, grad_output):
    def put(grads, parent, child, J):
        grads[parent] = grads[child] @ J

    return walk(parents, local_jacobians, output, grad_output, put)


@wrong(H, "backward", "first child wins", "overwritten-not-accumulated")
def _(parents, local_jacobians, output, grad_output):
    def put(grads, parent, child, J):
        if parent not in grads:
            grads[parent] = grads[child] @ J

    return walk(parents, local_jacobians, output, grad_output, put)


@wrong(H, "backward", "starts from ones", "missing-upstream", "assumes-ones-upstream")
def _(parents, local_jacobians, output, grad_output):
    return walk(parents, local_jacobians, output, torch.ones_like(grad_output), plain)


@wrong(
    H,
    "backward",
    "local Jacobians without what comes above",
    "missing-upstream",
    "missing-term",
    "assumes-ones-upstream",
)
def _(parents, local_jacobians, output, grad_output):
    def put(grads, parent, child, J):
        grads[parent] = grads.get(parent, 0) + J.sum(0)

    return walk(parents, local_jacobians, output, grad_output, put)


@wrong(H, "backward", "output not in the dict", "missing-term")
def _(parents, local_jacobians, output, grad_output):
    grads = walk(parents, local_jacobians, output, grad_output, plain)
    return {node: g for node, g in grads.items() if node != output}


@wrong(H, "backward", "from the last node", "ignores-argument", "wrong-variable", "raised")
def _(parents, local_jacobians, output, grad_output):
    return walk(parents, local_jacobians, order_of(parents)[-1], grad_output, plain)


@wrong(H, "backward", "breadth first along the edges", "extra-term", "updated-too-early")
def _(parents, local_jacobians, output, grad_output):
    grads, queue = {output: grad_output}, [output]
    while queue:
        child = queue.pop(0)
        for parent in parents[child]:
            grads[parent] = grads.get(parent, 0) + grads[child] @ local_jacobians[child, parent]
            queue.append(parent)
    return grads


@wrong(H, "backward", "hands on before it is complete", "updated-too-early", "missing-term")
def _(parents, local_jacobians, output, grad_output):
    grads, queue, seen = {output: grad_output}, [output], set()
    while queue:
        child = queue.pop(0)
        if child in seen:
            continue
        seen.add(child)
        for parent in parents[child]:
            grads[parent] = grads.get(parent, 0) + grads[child] @ local_jacobians[child, parent]
            queue.append(parent)
    return grads


@wrong(H, "backward", "mean over the children", "scaled-by-size", "unrecognised")
def _(parents, local_jacobians, output, grad_output):
    counts = {n: max(1, sum(n in ps for ps in parents.values())) for n in parents}

    def put(grads, parent, child, J):
        grads[parent] = grads.get(parent, 0) + grads[child] @ J / counts[parent]

    return walk(parents, local_jacobians, output, grad_output, put)


@wrong(H, "backward", "columns for rows", "transposed", "raised")
def _(parents, local_jacobians, output, grad_output):
    def put(grads, parent, child, J):
        grads[parent] = grads.get(parent, 0) + J @ grads[child]

    return walk(parents, local_jacobians, output, grad_output, put)


# --------------------------------------------------------------- two at a time
wrong(W, "backward", "two mistakes: transposed and no upstream in z", "transposed", "missing-upstream")(
    lambda grad_output, z, w: (w.sum(dim=0), torch.outer(z, grad_output))
)
wrong(C, "grad_cost", "two mistakes: sign and no 2", "sign-flipped", "scaled-by-constant")(
    lambda y, y_bar: (y - y_bar)[None]
)
wrong(S, "backward", "two mistakes: no slope and mean", "missing-derivative", "missing-term", "scaled-by-size")(
    cascade(lambda new, old: 1, lambda s, z: torch.outer(s, z) / len(z))
)
wrong(S, "state_jacobian", "two mistakes: no slope and transposed", "transposed", "missing-term", "missing-derivative")(
    lambda z, w: w.T.clone()
)


@wrong(P, "backward", "two mistakes: output first and from one", "wrong-index", "missing-upstream")
def _(grad_output, derivatives):
    grads = [torch.ones_like(grad_output)]
    for d in reversed(derivatives):
        grads.append(grads[-1] * d)
    return grads


@wrong(H, "backward", "two mistakes: last child wins and from ones", "overwritten-not-accumulated", "missing-upstream")
def _(parents, local_jacobians, output, grad_output):
    def put(grads, parent, child, J):
        grads[parent] = grads[child] @ J

    return walk(parents, local_jacobians, output, torch.ones_like(grad_output), put)
