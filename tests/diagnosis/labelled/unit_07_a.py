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


# ---------------------------------------------------------------- spiral
SP = "spiral"


def spiral(phi=None, order="class", xy=None, shift=0, labels=None, t=None):
    def make_spiral(noise, num_classes):
        k, p = noise.shape
        ts = (t or (lambda n, d: torch.linspace(0, 1, n, dtype=d)))(p, noise.dtype)
        angle = phi or (lambda ts, c, n, K: 2 * math.pi / K * (2 * ts + c + n))
        arms = []
        for c in range(k):
            a = angle(ts, c + shift, noise[c], num_classes)
            pair = (ts * torch.sin(a), ts * torch.cos(a)) if xy is None else xy(ts, a)
            arms.append(torch.stack(pair, 1))
        x = torch.cat(arms)
        y = torch.arange(k).repeat_interleave(p) if labels is None else labels(k, p)
        return x, y

    return make_spiral


wrong(SP, "make_spiral", "cosine first", "wrong-index", "swapped-gradients", "wrong-variable")(
    spiral(xy=lambda t, a: (t * a.cos(), t * a.sin()))
)
wrong(SP, "make_spiral", "radius forgotten", "missing-term")(spiral(xy=lambda t, a: (a.sin(), a.cos())))
wrong(SP, "make_spiral", "noise forgotten", "ignores-argument", "missing-term")(
    spiral(phi=lambda t, c, n, K: 2 * math.pi / K * (2 * t + c))
)

# ---------------------------------------------------------------- one_hot
OH = "one_hot"


def guarded(f):
    def one_hot(labels, num_classes):
        if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
            raise ValueError("label out of range")
        return f(labels, num_classes)

    return one_hot


wrong(OH, "one_hot", "integers", "wrong-dtype")(guarded(lambda t, k: torch.nn.functional.one_hot(t, k)))
wrong(OH, "one_hot", "turned", "transposed")(guarded(lambda t, k: (torch.arange(k)[:, None] == t).float()))
wrong(OH, "one_hot", "from one", "wrong-index")(guarded(lambda t, k: (t[:, None] == torch.arange(1, k + 1)).float()))
wrong(OH, "one_hot", "minimum of nothing", "empty-batch", "raised")(
    lambda t, k: guarded(lambda u, j: torch.eye(j)[u])(t, k) if int(t.min()) >= 0 else guarded(lambda u, j: u)(t, k)
)

# ---------------------------------------------------------------- two_layer_net
TL = "two_layer_net"


def net2(x, p):
    h = x @ p["w_h"].T + p["b_h"]
    return h, torch.relu(h)


wrong(TL, "forward", "relu left out", "missing-term", "missing-mask")(
    lambda x, p: net2(x, p)[0] @ p["w_y"].T + p["b_y"]
)
wrong(TL, "forward", "relu on the logits too", "extra-term")(
    lambda x, p: torch.relu(net2(x, p)[1] @ p["w_y"].T + p["b_y"])
)
wrong(TL, "forward", "bias after relu", "wrong-index")(
    lambda x, p: (torch.relu(x @ p["w_h"].T) + p["b_h"]) @ p["w_y"].T + p["b_y"]
)


def back2(mask=None, gh=None, act=None, red=None, scale=1.0, wy=None, wh=None, up=None):
    def backward(g, x, p):
        if up is not None:
            g = up(g)
        h, a = net2(x, p)
        ga = g @ p["w_y"]
        m = (h > 0) if mask is None else mask(h, a, ga)
        d = ga * m if gh is None else gh(g, h, a, p)
        r = (lambda v: v.sum(0)) if red is None else red
        return {
            "w_h": d.T @ x * scale if wh is None else wh(d, x),
            "b_h": r(d),
            "w_y": (g.T @ (a if act is None else act(h, a, x))) * scale if wy is None else wy(g, a),
            "b_y": r(g),
        }

    return backward


wrong(TL, "backward", "relu left out", "missing-mask", "missing-derivative")(
    back2(mask=lambda h, a, ga: torch.ones_like(h))
)
wrong(TL, "backward", "mask of the upstream", "mask-from-upstream")(back2(mask=lambda h, a, ga: ga > 0))
wrong(TL, "backward", "mask inverted", "wrong-mask")(back2(mask=lambda h, a, ga: h < 0))
wrong(TL, "backward", "activation for mask", "wrong-variable")(back2(mask=lambda h, a, ga: a))
wrong(TL, "backward", "biases averaged", "scaled-by-size")(back2(red=lambda v: v.mean(0)))
wrong(TL, "backward", "biases per sample", "missing-reduction")(back2(red=lambda v: v))
wrong(TL, "backward", "w_y turned", "transposed")(back2(wy=lambda g, a: a.T @ g))
wrong(TL, "backward", "all with minus", "sign-flipped")(lambda g, x, p: {n: -v for n, v in back2()(g, x, p).items()})
wrong(TL, "backward", "ones upstream", "missing-upstream", "assumes-ones-upstream")(back2(up=torch.ones_like))
wrong(TL, "backward", "softmax of the upstream", "changes-upstream", "extra-term")(
    back2(up=lambda g: torch.softmax(g, 1))
)
wrong(TL, "backward", "W_y left out", "missing-term")(back2(gh=lambda g, h, a, p: g.sum(1, keepdim=True) * (h > 0)))


@wrong(TL, "backward", "written into params", "mutates-input")
def _(g, x, p):
    grads = back2()(g, x, p)
    for n in grads:
        p[n] = grads[n]
    return p


total = {}


@wrong(TL, "backward", "adds to the last call's gradients", "keeps-state")
def _(g, x, p):
    grads = back2()(g, x, p)
    for n, v in grads.items():
        old = total.get(n)
        total[n] = v if old is None or old.shape != v.shape or old.dtype != v.dtype else old + v
    return dict(total)


# ---------------------------------------------------------------- three_layer_net
T3 = "three_layer_net"


def net3(image, p, flat=lambda v: v.reshape(-1), h=torch.relu):
    z0 = flat(image)
    z1 = h(p["w0"] @ z0 + p["b0"])
    z2 = h(p["w1"] @ z1 + p["b1"])
    return z0, z1, z2


def back3(m1=None, m2=None, up=None, bias=None, order=None, flat=None, w1in=None):
    def backward(g, image, p):
        z0, z1, z2 = net3(image, p) if flat is None else net3(image, p, flat)
        g2 = g if up is None else up(g)
        k2 = (z2 > 0) if m2 is None else m2(z2, g2, p)
        g1 = (g2 @ p["w2"]) * k2
        k1 = (z1 > 0) if m1 is None else m1(z1, g1, p)
        g0 = (g1 @ p["w1"]) * k1
        b = bias or (lambda v: v.clone())
        o = order or torch.outer
        return {
            "w0": o(g0, z0),
            "b0": b(g0),
            "w1": o(g1, z1 if w1in is None else w1in(z0, z1, z2)),
            "b1": b(g1),
            "w2": o(g2, z2),
            "b2": b(g2),
        }

    return backward


wrong(T3, "forward", "second relu left out", "missing-term", "missing-mask")(
    lambda image, p: p["w2"] @ (p["w1"] @ net3(image, p)[1] + p["b1"]) + p["b2"]
)
wrong(T3, "forward", "column after column", "wrong-flattening", "wrong-index")(
    lambda image, p: p["w2"] @ net3(image, p, lambda v: v.permute(*reversed(range(v.dim()))).reshape(-1))[2] + p["b2"]
)
wrong(T3, "forward", "tanh", "unrecognised", "wrong-variable")(
    lambda image, p: p["w2"] @ net3(image, p, h=torch.tanh)[2] + p["b2"]
)
wrong(T3, "backward", "no masks", "missing-mask", "missing-derivative")(
    back3(m1=lambda z, g, p: 1.0, m2=lambda z, g, p: 1.0)
)
wrong(T3, "backward", "masks of the gradients", "mask-from-upstream")(
    back3(m1=lambda z, g, p: (g @ p["w1"]) > 0, m2=lambda z, g, p: (g @ p["w2"]) > 0)
)
wrong(T3, "backward", "masks inverted", "wrong-mask")(back3(m1=lambda z, g, p: z <= 0, m2=lambda z, g, p: z <= 0))
wrong(T3, "backward", "states for masks", "wrong-variable")(back3(m1=lambda z, g, p: z, m2=lambda z, g, p: z))
wrong(T3, "backward", "ones upstream", "missing-upstream", "assumes-ones-upstream")(back3(up=torch.ones_like))
wrong(T3, "backward", "weights turned", "transposed")(back3(order=lambda a, b: torch.outer(b, a)))
wrong(T3, "backward", "column-major image", "wrong-flattening", "wrong-index")(
    back3(flat=lambda v: v.permute(*reversed(range(v.dim()))).reshape(-1))
)
wrong(T3, "backward", "biases as sums", "extra-reduction")(back3(bias=lambda v: v.sum().expand_as(v).clone()))
wrong(T3, "backward", "biases with minus", "sign-flipped")(back3(bias=lambda v: -v))
wrong(T3, "backward", "biases frozen", "returns-zero", "missing-derivative")(back3(bias=torch.zeros_like))
wrong(T3, "backward", "two dimensions only", "raised", "edge-size")(
    back3(flat=lambda v: torch.cat([v[i] for i in range(v.shape[0])]).reshape(v.shape[0] * v.shape[1]))
)

# ---------------------------------------------------------------- training_loop
TR = "training_loop"


def lossgrad(x, labels, p, mean=True, sign=1.0, hot=True):
    rows = torch.arange(len(labels))
    h, a = net2(x, p)
    z = a @ p["w_y"].T + p["b_y"]
    loss = (torch.logsumexp(z, 1) - z[rows, labels]).mean()
    g = torch.softmax(z, 1)
    if hot:
        g[rows, labels] -= 1
    if mean:
        g = g / len(labels)
    return loss, back2()(g * sign, x, p)


def stepping(lg=lossgrad, rule=None, loss_of=None):
    def train_step(x, labels, p, lr):
        loss, grads = lg(x, labels, p)
        new = {n: (v - lr * grads[n] if rule is None else rule(n, v, grads[n], lr)) for n, v in p.items()}
        return (loss if loss_of is None else loss_of(x, labels, new)), new

    return train_step


def training(step, first=0):
    def train(x, labels, p, lr, epochs):
        losses = []
        for _ in range(first, epochs):
            loss, p = step(x, labels, p, lr)
            losses.append(loss)
        return losses, dict(p)

    return train


wrong(TR, "train_step", "uphill", "wrong-direction", "sign-flipped")(stepping(rule=lambda n, v, g, lr: v + lr * g))
wrong(TR, "train_step", "lr left out", "ignores-learning-rate", "ignores-argument")(
    stepping(rule=lambda n, v, g, lr: v - g)
)
wrong(TR, "train_step", "parameters unchanged", "no-update")(stepping(rule=lambda n, v, g, lr: v.clone()))


@wrong(TR, "train_step", "params changed in place", "mutates-input")
def _(x, labels, p, lr):
    loss, grads = lossgrad(x, labels, p)
    for n in p:
        p[n] -= lr * grads[n]
    return loss, p


wrong(TR, "train", "one epoch too few", "wrong-index", "missing-term", "wrong-shape")(training(stepping(), first=1))
wrong(TR, "train", "starts anew every epoch", "no-update", "overwritten-not-accumulated")(
    lambda x, t, p, lr, epochs: (
        [stepping()(x, t, p, lr)[0] for _ in range(epochs)],
        stepping()(x, t, p, lr)[1] if epochs else dict(p),
    )
)
wrong(TR, "train", "loss after the step", "loss-after-update")(
    training(stepping(loss_of=lambda x, t, p: lossgrad(x, t, p)[0]))
)


# ---------------------------------------------------------------- inference
IN = "inference"
wrong(IN, "probabilities", "over the batch", "wrong-axis")(lambda z: torch.softmax(z, 0))
wrong(IN, "probabilities", "sigmoids", "unrecognised", "wrong-variable")(lambda z: torch.sigmoid(z))
wrong(IN, "probabilities", "no shift", "unstable", "not-finite")(lambda z: z.exp() / z.exp().sum(1, keepdim=True))
wrong(IN, "probabilities", "one largest for all rows", "unstable", "not-finite")(
    lambda z: (z - z.max()).exp() / (z - z.max()).exp().sum(1, keepdim=True)
)
wrong(IN, "predict", "over the batch", "wrong-axis")(lambda z: z.argmax(0))
wrong(IN, "predict", "smallest", "sign-flipped", "wrong-direction")(lambda z: z.argmin(1))
wrong(IN, "predict", "the logit", "wrong-variable", "wrong-dtype")(lambda z: z.max(1).values)
wrong(IN, "predict", "of the rounded probabilities", "unstable", "kink", "low-precision")(
    lambda z: torch.softmax(z, 1).argmax(1)
)
wrong(IN, "predict", "last of a tie", "kink")(lambda z: z.shape[1] - 1 - z.flip(1).argmax(1))
wrong(IN, "accuracy", "count", "scaled-by-size")(lambda z, t: float((z.argmax(1) == t).sum()))
wrong(IN, "accuracy", "per cent", "scaled-by-constant")(lambda z, t: 100 * float((z.argmax(1) == t).double().mean()))
wrong(IN, "accuracy", "errors", "wrong-mask", "sign-flipped")(lambda z, t: float((z.argmax(1) != t).double().mean()))

# ---------------------------------------------------------------- ensemble
EN = "ensemble"
wrong(EN, "mean_and_variance", "sample variance", "scaled-by-size", "not-finite")(lambda q: (q.mean(0), q.var(0)))
wrong(EN, "mean_and_variance", "over the points", "wrong-axis")(lambda q: (q.mean(1), q.var(1, unbiased=False)))
wrong(EN, "mean_and_variance", "standard deviation", "extra-term", "unrecognised")(
    lambda q: (q.mean(0), q.std(0, unbiased=False))
)
wrong(EN, "mean_and_variance", "squares minus square", "unstable")(
    lambda q: (q.mean(0), (q * q).mean(0) - q.mean(0) ** 2)
)


# ---------------------------------------------------------------- two mistakes at once
wrong(TL, "backward", "biases averaged, w_y turned", "scaled-by-size", "transposed")(
    back2(red=lambda v: v.mean(0), wy=lambda g, a: a.T @ g)
)
wrong(T3, "backward", "masks left out, biases with minus", "missing-mask", "sign-flipped", "missing-derivative")(
    back3(m1=lambda z, g, p: 1.0, m2=lambda z, g, p: 1.0, bias=lambda v: -v)
)
wrong(TR, "train_step", "uphill without lr", "wrong-direction", "ignores-learning-rate", "sign-flipped")(
    stepping(rule=lambda n, v, g, lr: v + g)
)
