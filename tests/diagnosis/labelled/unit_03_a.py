from __future__ import annotations

import math

import torch
from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []


def wrong(exercise, function, name, *codes):
    def keep(f):
        SUBMISSIONS.append(Submission(exercise, function, name, codes, f))
        return f

    return keep


# ---------------------------------------------------------------- pointwise_chain
PC = "pointwise_chain"


@wrong(PC, "backward", "list not turned round", "wrong-index")
def _(g, ds):
    grads = [g]
    for d in reversed(ds):
        grads.append(grads[-1] * d)
    return grads


wrong(PC, "backward", "one derivative each, not multiplied up", "missing-term")(lambda g, ds: [g * d for d in ds] + [g])


@wrong(PC, "backward", "starts with ones", "missing-upstream")
def _(g, ds):
    grads = [torch.ones_like(g)]
    for d in ds[::-1]:
        grads.insert(0, grads[0] * d)
    return grads


@wrong(PC, "backward", "upstream in every stage", "changes-upstream", "extra-term")
def _(g, ds):
    grads = [g]
    for d in ds[::-1]:
        grads.insert(0, g * grads[0] * d)
    return grads


@wrong(PC, "backward", "dC/dz_K left out", "wrong-shape", "missing-term", "wrong-type")
def _(g, ds):
    grads = []
    for d in ds[::-1]:
        g = g * d
        grads.insert(0, g)
    return grads


@wrong(PC, "backward", "added instead of multiplied", "unrecognised")
def _(g, ds):
    grads = [g]
    for d in ds[::-1]:
        grads.insert(0, grads[0] + d)
    return grads


@wrong(PC, "backward", "turns the caller's list", "mutates-input")
def _(g, ds):
    ds.reverse()
    grads = [g]
    for d in ds:
        grads.append(grads[-1] * d)
    return grads[::-1]


@wrong(PC, "backward", "one tensor in every place", "overwritten-not-accumulated")
def _(g, ds):
    now = g.clone()
    grads = [now]
    for d in ds[::-1]:
        now *= d
        grads.insert(0, now)
    return grads


wrong(PC, "backward", "only handed through", "missing-derivative")(
    lambda g, ds: [g.clone() for _ in range(len(ds) + 1)]
)


@wrong(PC, "backward", "fails without stages", "raised", "edge-size")
def _(g, ds):
    grads = [g * ds[-1], g]
    for d in ds[-2::-1]:
        grads.insert(0, grads[0] * d)
    return grads


@wrong(PC, "backward", "needs a matrix", "raised", "edge-size")
def _(g, ds):
    rows, cols = g.shape
    grads = [g.reshape(rows, cols)]
    for d in ds[::-1]:
        grads.insert(0, grads[0] * d)
    return grads


# ---------------------------------------------------------------- weighted_sum
WS = "weighted_sum"
wrong(WS, "backward", "outer product turned", "transposed")(lambda g, z, w: (g @ w, torch.outer(z, g)))
wrong(WS, "backward", "column sums, g not used for z", "missing-upstream", "assumes-ones-upstream")(
    lambda g, z, w: (w.sum(0), torch.outer(g, z))
)
wrong(WS, "backward", "z in every row", "missing-upstream", "assumes-ones-upstream")(
    lambda g, z, w: (w.T @ g, z.expand(w.shape[0], -1).clone())
)
wrong(WS, "backward", "g in every column", "missing-derivative", "missing-term")(
    lambda g, z, w: (w.T @ g, g[:, None].repeat(1, w.shape[1]))
)
wrong(WS, "backward", "not summed over i", "missing-reduction")(lambda g, z, w: (g[:, None] * w, g[:, None] * z))
wrong(WS, "backward", "sum of g times sum of w", "changes-upstream")(
    lambda g, z, w: (g.sum() * w.sum(0), torch.einsum("i,j->ij", g, z))
)
wrong(WS, "backward", "weight first", "swapped-gradients")(lambda g, z, w: (torch.outer(g, z), g @ w))
wrong(WS, "backward", "mean over i", "scaled-by-size")(lambda g, z, w: ((g[:, None] * w).mean(0), torch.outer(g, z)))
wrong(WS, "backward", "s for g", "wrong-variable", "missing-upstream")(lambda g, z, w: (g @ w, torch.outer(w @ z, z)))


@wrong(WS, "backward", "z overwritten row by row", "overwritten-not-accumulated")
def _(g, z, w):
    gz, gw = torch.zeros_like(z), torch.zeros_like(w)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            gz[j] = g[i] * w[i, j]
            gw[i, j] = g[i] * z[j]
    return gz, gw


wrong(WS, "backward", "weights in both", "extra-term", "wrong-variable")(lambda g, z, w: (g @ w, torch.outer(g, z) * w))

# ---------------------------------------------------------------- vector_chain_rule
VC = "vector_chain_rule"


@wrong(VC, "backward", "from the input on", "wrong-index", "raised")
def _(g, js):
    for j in js:
        g = g @ j
    return g


@wrong(VC, "backward", "columns instead of rows", "transposed", "wrong-index", "raised")
def _(g, js):
    row = g.reshape(-1)
    for j in js[::-1]:
        row = j @ row
    return row.reshape(1, -1) if g.dim() == 2 else row


@wrong(VC, "backward", "first stage left out", "missing-term", "wrong-index")
def _(g, js):
    for j in js[:0:-1]:
        g = g @ j
    return g


@wrong(VC, "backward", "starts from ones", "missing-upstream", "assumes-ones-upstream")
def _(g, js):
    g = torch.ones_like(g)
    for j in js[::-1]:
        g = g @ j
    return g


@wrong(VC, "backward", "always a row", "wrong-shape")
def _(g, js):
    row = g.reshape(1, -1)
    for j in reversed(js):
        row = row @ j
    return row


@wrong(VC, "backward", "takes the list apart", "mutates-input")
def _(g, js):
    while js:
        g = g @ js.pop()
    return g


@wrong(VC, "backward", "unit length at every stage", "changes-upstream")
def _(g, js):
    for j in reversed(js):
        g = g / g.norm() @ j
    return g


@wrong(VC, "compose", "the earlier on the left", "wrong-index", "raised")
def _(js):
    p = js[0]
    for j in js[1:]:
        p = p @ j
    return p


wrong(VC, "compose", "turned over", "transposed")(
    lambda js: torch.linalg.multi_dot([*js[::-1], torch.eye(js[0].shape[1], dtype=js[0].dtype)]).T
)


@wrong(VC, "compose", "last one forgotten", "missing-term")
def _(js):
    p = torch.eye(js[0].shape[1], dtype=js[0].dtype)
    for j in js[: len(js) - 1]:
        p = j @ p
    return p


# ---------------------------------------------------------------- cost_of_model
CM = "cost_of_model"


def jac(x, w):
    return torch.kron(torch.eye(w.shape[0], dtype=x.dtype), x[None])


wrong(CM, "grad_cost", "with respect to y", "sign-flipped", "wrong-variable")(
    lambda y, y_bar: 2 * (y - y_bar).unsqueeze(0)
)
wrong(CM, "grad_cost", "two lost", "scaled-by-constant")(lambda y, y_bar: (y_bar - y)[None])
wrong(CM, "grad_cost", "a vector", "wrong-shape")(lambda y, y_bar: 2 * (y_bar - y))
wrong(CM, "jacobian_model", "column-major", "wrong-flattening", "wrong-index")(
    lambda x, w: torch.kron(x[None], torch.eye(w.shape[0], dtype=x.dtype))
)
wrong(CM, "jacobian_model", "turned", "transposed")(lambda x, w: jac(x, w).T.contiguous())
wrong(CM, "jacobian_model", "x in every block", "extra-term", "missing-mask")(
    lambda x, w: x.repeat(w.shape[0], w.shape[0])
)


wrong(CM, "gradient", "column-major", "wrong-flattening", "wrong-index", "transposed")(
    lambda x, y, w: 2 * torch.outer(w @ x - y, x).T.reshape(1, -1)
)
wrong(CM, "gradient", "as a matrix", "wrong-shape", "wrong-flattening")(lambda x, y, w: 2 * torch.outer(w @ x - y, x))
wrong(CM, "gradient", "uphill sign", "sign-flipped")(lambda x, y, w: 2 * (y - w @ x)[None] @ jac(x, w))

# ---------------------------------------------------------------- multi_stage
MS = "multi_stage"


@wrong(MS, "forward", "input not among the states", "missing-term", "wrong-shape", "wrong-type")
def _(z0, weights):
    states = []
    z = z0
    for w in weights:
        z = torch.tanh(w @ z)
        states.append(z)
    return states


@wrong(MS, "forward", "sums instead of states", "wrong-variable", "missing-term")
def _(z0, weights):
    states, z = [z0], z0
    for w in weights:
        states.append(w @ z)
        z = torch.tanh(states[-1])
    return states


def stage_backward(slope, order=-1, weight_state=0, carry=True, transpose=False, start=lambda g: g):
    def backward(g, states, weights):
        grad, out = start(g), []
        for k in range(len(weights) - 1, -1, -1):
            grad_s = (grad if carry else g) * slope(states, k, weights)
            outer = torch.outer(grad_s, states[k])
            out.append(outer.T if transpose else outer)
            grad = grad_s @ weights[k]
        return grad, out[::order]

    return backward


tanh_slope = lambda states, k, weights: 1 - states[k + 1] ** 2
wrong(MS, "backward", "tanh' left out", "missing-derivative", "missing-term")(stage_backward(lambda s, k, w: 1.0))
wrong(MS, "backward", "square left out", "unrecognised", "missing-term")(stage_backward(lambda s, k, w: 1 - s[k + 1]))
wrong(MS, "backward", "plus the square", "sign-flipped")(stage_backward(lambda s, k, w: 1 + s[k + 1] ** 2))
wrong(MS, "backward", "tanh of the state again", "wrong-variable")(
    stage_backward(lambda s, k, w: 1 - torch.tanh(s[k + 1]) ** 2)
)
wrong(MS, "backward", "weights' gradients from the output on", "wrong-index")(stage_backward(tanh_slope, order=1))
wrong(MS, "backward", "grad_W turned", "transposed")(stage_backward(tanh_slope, transpose=True))
wrong(MS, "backward", "ones at the output", "missing-upstream", "assumes-ones-upstream")(
    stage_backward(tanh_slope, start=torch.ones_like)
)


@wrong(MS, "backward", "tanh' not in the weights' gradients", "missing-term", "missing-derivative")
def _(g, states, weights):
    gw = [None] * len(weights)
    for k in range(len(weights))[::-1]:
        gw[k] = torch.outer(g, states[k])
        g = weights[k].T @ (g * (1 - states[k + 1] ** 2))
    return g, gw


wrong(MS, "state_jacobian", "slope left out", "missing-derivative", "missing-term")(lambda z, w: w.clone())
wrong(MS, "state_jacobian", "turned", "transposed")(lambda z, w: (w * (1 - torch.tanh(w @ z) ** 2)[:, None]).T)
wrong(MS, "state_jacobian", "slope at z", "wrong-variable", "wrong-axis", "wrong-index")(
    lambda z, w: w * (1 - torch.tanh(z) ** 2)
)
wrong(MS, "weight_jacobian", "slope left out", "missing-derivative", "missing-term")(
    lambda z, w: torch.eye(len(w), dtype=z.dtype)[:, :, None] * z
)
wrong(MS, "weight_jacobian", "no delta", "extra-term", "missing-mask")(
    lambda z, w: (1 - torch.tanh(w @ z) ** 2)[:, None, None] * z.expand(len(w), len(w), -1)
)
wrong(MS, "weight_jacobian", "one axis short", "diagonal-only", "wrong-shape")(
    lambda z, w: torch.outer(1 - torch.tanh(w @ z) ** 2, z)
)

# ---------------------------------------------------------------- graph
GR = "graph"


def order_of(parents):
    order = []
    while len(order) < len(parents):
        ready = [n for n in parents if n not in order and all(p in order for p in parents[n])]
        if not ready:
            raise ValueError("cycle")
        order += ready
    return order


wrong(GR, "topological_order", "children first", "wrong-index", "unrecognised")(lambda parents: order_of(parents)[::-1])
wrong(GR, "topological_order", "order of the dict", "unrecognised", "wrong-index")(lambda parents: list(parents))


@wrong(GR, "topological_order", "node listed once per child", "extra-term", "unrecognised")
def _(parents):
    order = []
    order_of(parents)

    def visit(n):
        for p in parents[n]:
            visit(p)
        order.append(n)

    for n in parents:
        visit(n)
    return order


@wrong(GR, "topological_order", "empties the dict", "mutates-input")
def _(parents):
    order = []
    while parents:
        ready = [n for n in parents if all(p in order for p in parents[n])]
        if not ready:
            raise ValueError("cycle")
        for n in ready:
            order.append(n)
            del parents[n]
    return order


@wrong(GR, "backward", "last path wins", "overwritten-not-accumulated")
def _(parents, jac, output, g):
    grads = {output: g}
    for child in order_of(parents)[::-1]:
        if child in grads:
            for p in parents[child]:
                grads[p] = grads[child] @ jac[child, p]
    return grads


@wrong(GR, "backward", "handed on before complete", "updated-too-early", "missing-term")
def _(parents, jac, output, g):
    grads, queue, done = {output: g}, [output], set()
    while queue:
        child = queue.pop(0)
        if child in done:
            continue
        done.add(child)
        for p in parents[child]:
            share = grads[child] @ jac[child, p]
            grads[p] = grads[p] + share if p in grads else share
            queue.append(p)
    return grads


@wrong(GR, "backward", "mean over the paths", "scaled-by-size", "scaled-by-constant")
def _(parents, jac, output, g):
    grads, count = {output: g}, {output: 1}
    for child in order_of(parents)[::-1]:
        if child in grads:
            grads[child] = grads[child] / count[child]
            for p in parents[child]:
                share = grads[child] @ jac[child, p]
                grads[p] = grads[p] + share if p in grads else share
                count[p] = count.get(p, 0) + 1
    return grads


@wrong(GR, "backward", "starts with ones", "missing-upstream", "assumes-ones-upstream")
def _(parents, jac, output, g):
    grads = {output: torch.ones_like(g)}
    for child in order_of(parents)[::-1]:
        if child in grads:
            for p in parents[child]:
                grads[p] = grads.get(p, 0) + grads[child] @ jac[child, p]
    return grads


@wrong(GR, "backward", "output not in the result", "missing-term", "wrong-type")
def _(parents, jac, output, g):
    grads = {output: g}
    for child in order_of(parents)[::-1]:
        if child in grads:
            for p in parents[child]:
                grads[p] = grads.get(p, 0) + grads[child] @ jac[child, p]
    return {n: v for n, v in grads.items() if n != output}


@wrong(GR, "backward", "paths subtract after the first", "sign-flipped")
def _(parents, jac, output, g):
    grads = {output: g}
    for child in order_of(parents)[::-1]:
        if child in grads:
            for p in parents[child]:
                share = grads[child] @ jac[child, p]
                grads[p] = grads[p] - share if p in grads else share
    return grads


@wrong(GR, "backward", "adds its own gradient on top", "extra-term")
def _(parents, jac, output, g):
    grads = {output: g}
    for child in order_of(parents)[::-1]:
        if child in grads:
            for p in parents[child]:
                share = grads[child] @ jac[child, p]
                if p in grads:
                    grads[p] = grads[p] + share
                else:
                    grads[p] = share + 1
    return grads


@wrong(CM, "jacobian_model", "one output: x itself", "aliases-input")
def _(x, w):
    return x[None] if len(w) == 1 else torch.block_diag(*[x] * len(w))


# ---------------------------------------------------------------- two mistakes at once
wrong(WS, "backward", "turned, and g not used for z", "transposed", "missing-upstream", "assumes-ones-upstream")(
    lambda g, z, w: (w.sum(0), torch.outer(z, g))
)
wrong(MS, "backward", "order and slope", "wrong-index", "missing-term", "missing-derivative")(
    stage_backward(lambda s, k, w: 1.0, order=1)
)
wrong(PC, "backward", "no upstream, list not turned round", "missing-upstream", "wrong-index")(
    lambda g, ds: [torch.stack([torch.ones_like(g), *ds[::-1]])[: k + 1].prod(0) for k in range(len(ds) + 1)]
)
