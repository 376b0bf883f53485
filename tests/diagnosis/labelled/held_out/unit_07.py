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


wrong(SP, "make_spiral", "one arm on", "wrong-index")(spiral(shift=1))
wrong(SP, "make_spiral", "labels from one", "wrong-index")(
    spiral(labels=lambda k, p: torch.arange(1, k + 1).repeat_interleave(p))
)
wrong(SP, "make_spiral", "labels in turn", "wrong-index")(spiral(labels=lambda k, p: torch.arange(k).repeat(p)))
wrong(SP, "make_spiral", "noise subtracted", "sign-flipped")(
    spiral(phi=lambda t, c, n, K: 2 * math.pi / K * (2 * t + c - n))
)
wrong(SP, "make_spiral", "half the turn", "missing-term", "scaled-by-constant")(
    spiral(phi=lambda t, c, n, K: 2 * math.pi / K * (t + c + n))
)
wrong(SP, "make_spiral", "three arms always", "hard-coded-size")(
    spiral(phi=lambda t, c, n, K: 2 * math.pi / 3 * (2 * t + c + n))
)
wrong(SP, "make_spiral", "end left out", "wrong-index", "missing-term")(
    spiral(t=lambda n, d: torch.arange(n, dtype=d) / n)
)
wrong(SP, "make_spiral", "noise not turned into an angle", "missing-term", "wrong-index")(
    spiral(phi=lambda t, c, n, K: 2 * math.pi / K * (2 * t + c) + n)
)
wrong(SP, "make_spiral", "pi instead of two pi", "missing-term", "scaled-by-constant")(
    spiral(phi=lambda t, c, n, K: math.pi / K * (2 * t + c + n))
)
wrong(SP, "make_spiral", "labels as floats", "wrong-dtype")(
    spiral(labels=lambda k, p: torch.arange(float(k)).repeat_interleave(p))
)
wrong(SP, "make_spiral", "noise of the first arm", "wrong-index", "wrong-variable")(
    lambda noise, K: spiral()(noise[:1].expand_as(noise), K)
)

# ---------------------------------------------------------------- one_hot
OH = "one_hot"


def guarded(f):
    def one_hot(labels, num_classes):
        if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
            raise ValueError("label out of range")
        return f(labels, num_classes)

    return one_hot


wrong(OH, "one_hot", "everything but the label", "wrong-mask")(
    guarded(lambda t, k: (t[:, None] != torch.arange(k)).float())
)
wrong(OH, "one_hot", "the label's number", "labels-as-numbers")(
    guarded(lambda t, k: (t[:, None] == torch.arange(k)) * t[:, None].float())
)
wrong(OH, "one_hot", "up to the label", "wrong-mask", "extra-term")(
    guarded(lambda t, k: (torch.arange(k) <= t[:, None]).float())
)
wrong(OH, "one_hot", "columns of all labels", "wrong-index")(
    guarded(lambda t, k: torch.zeros(len(t), k).index_fill(1, t, 1.0))
)
wrong(OH, "one_hot", "ten digits", "hard-coded-size", "ignores-argument", "wrong-shape")(
    guarded(lambda t, k: (t[:, None] == torch.arange(10)).float())
)
wrong(OH, "one_hot", "classes counted from the labels", "ignores-argument", "wrong-shape")(
    guarded(lambda t, k: (t[:, None] == torch.arange(int(t.max()) + 1 if len(t) else k)).float())
)
wrong(OH, "one_hot", "negative counts from the end", "unrecognised", "edge-size", "wrong-index")(
    lambda t, k: torch.eye(k)[t]
)
wrong(OH, "one_hot", "last one overwrites", "overwritten-not-accumulated", "missing-term")(
    guarded(lambda t, k: torch.cat((torch.zeros(max(len(t) - 1, 0), k), torch.eye(k)[t[-1:]])))
)

# ---------------------------------------------------------------- two_layer_net
TL = "two_layer_net"


def net2(x, p):
    h = x @ p["w_h"].T + p["b_h"]
    return h, torch.relu(h)


wrong(TL, "forward", "hidden bias left out", "missing-term")(
    lambda x, p: torch.relu(x @ p["w_h"].T) @ p["w_y"].T + p["b_y"]
)
wrong(TL, "forward", "softmax on top", "extra-term")(
    lambda x, p: torch.softmax(net2(x, p)[1] @ p["w_y"].T + p["b_y"], 1)
)
wrong(TL, "forward", "output bias left out", "missing-term")(lambda x, p: net2(x, p)[1] @ p["w_y"].T)


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


wrong(TL, "backward", "sum before relu for w_y", "wrong-variable", "missing-mask")(back2(act=lambda h, a, x: h))
wrong(TL, "backward", "biases of the first sample", "missing-reduction")(back2(red=lambda v: v[0]))
wrong(TL, "backward", "w_h turned", "transposed")(back2(wh=lambda d, x: x.T @ d))
wrong(TL, "backward", "all over the batch", "scaled-by-size")(
    lambda g, x, p: {n: v / len(x) for n, v in back2()(g, x, p).items()}
)
wrong(TL, "backward", "mask of the logits' side", "missing-upstream")(
    back2(gh=lambda g, h, a, p: (h > 0) * p["w_y"].sum(0))
)
wrong(TL, "backward", "bias forgotten in the hidden sum", "missing-term", "wrong-mask")(
    lambda g, x, p: back2()(g, x, {**p, "b_h": torch.zeros_like(p["b_h"])})
)
wrong(TL, "backward", "samples overwrite each other", "overwritten-not-accumulated", "missing-reduction")(
    lambda g, x, p: [back2()(g[b : b + 1], x[b : b + 1], p) for b in range(len(x))][-1]
)
wrong(TL, "backward", "biases get zeros", "returns-zero", "missing-derivative")(
    back2(red=lambda v: torch.zeros_like(v[0]))
)
wrong(TL, "backward", "first layer frozen", "returns-zero", "missing-term", "missing-derivative")(
    back2(gh=lambda g, h, a, p: torch.zeros_like(h))
)
wrong(TL, "backward", "biases exchanged", "swapped-gradients")(
    lambda g, x, p: (lambda r: {**r, "b_h": r["b_y"], "b_y": r["b_h"]})(back2()(g, x, p))
)
wrong(TL, "backward", "no mask, mean over batch", "missing-mask", "scaled-by-size")(
    back2(
        mask=lambda h, a, ga: torch.ones_like(h),
        red=lambda v: v.mean(0),
        scale=0.1,
        wh=lambda d, x: d.T @ x / len(x),
        wy=lambda g, a: g.T @ a / len(g),
    )
)
wrong(TL, "backward", "b_y not in the dict", "missing-term", "wrong-type")(
    lambda g, x, p: {n: v for n, v in back2()(g, x, p).items() if n != "b_y"}
)


total = {}


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


wrong(T3, "forward", "last bias left out", "missing-term")(lambda image, p: p["w2"] @ net3(image, p)[2])
wrong(T3, "backward", "first mask only", "missing-mask", "missing-term")(back3(m1=lambda z, g, p: 1.0))
wrong(T3, "backward", "w0 in the image's shape", "wrong-shape")(
    lambda g, image, p: (lambda r: {**r, "w0": r["w0"].reshape(-1, *image.shape, 1)})(back3()(g, image, p))
)
wrong(T3, "backward", "size of the upstream", "changes-upstream")(back3(up=torch.abs))
wrong(T3, "backward", "middle bias gets the last one's size", "scaled-by-size")(back3(bias=lambda v: v / len(v)))
wrong(T3, "backward", "in single precision", "low-precision")(
    lambda g, image, p: {
        n: v.to(g.dtype) for n, v in back3()(g.float(), image.float(), {m: u.float() for m, u in p.items()}).items()
    }
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


wrong(TR, "train_step", "loss after the step", "loss-after-update")(
    stepping(loss_of=lambda x, t, p: lossgrad(x, t, p)[0])
)
wrong(TR, "train_step", "gradient of the sum", "scaled-by-size")(
    stepping(lambda x, t, p: lossgrad(x, t, p, mean=False))
)
wrong(TR, "train_step", "one-hot forgotten", "missing-term")(stepping(lambda x, t, p: lossgrad(x, t, p, hot=False)))
wrong(TR, "train_step", "only the weights learn", "missing-term", "no-update")(
    stepping(rule=lambda n, v, g, lr: v - lr * g if n[0] == "w" else v)
)
wrong(TR, "train_step", "loss as a sum", "scaled-by-size")(
    lambda x, t, p, lr: (lambda r: (r[0] * len(t), r[1]))(stepping()(x, t, p, lr))
)
wrong(TR, "train_step", "gradients returned", "wrong-variable", "no-update", "missing-term")(
    lambda x, t, p, lr: lossgrad(x, t, p)
)
wrong(TR, "train_step", "lr over the batch size", "scaled-by-size")(
    lambda x, t, p, lr: stepping()(x, t, p, lr / len(t))
)


@wrong(TR, "train_step", "second layer updated first", "updated-too-early")
def _(x, labels, p, lr):
    loss, grads = lossgrad(x, labels, p)
    new = dict(p)
    new["w_y"] = p["w_y"] - lr * grads["w_y"]
    new["b_y"] = p["b_y"] - lr * grads["b_y"]
    rows = torch.arange(len(labels))
    h, a = net2(x, p)
    g = torch.softmax(a @ p["w_y"].T + p["b_y"], 1)
    g[rows, labels] -= 1
    d = (g / len(labels)) @ new["w_y"] * (h > 0)
    new["w_h"] = p["w_h"] - lr * d.T @ x
    new["b_h"] = p["b_h"] - lr * d.sum(0)
    return loss, new


wrong(TR, "train", "last loss only", "wrong-type", "wrong-shape", "overwritten-not-accumulated")(
    lambda x, t, p, lr, epochs: (lambda r: (r[0][-1] if r[0] else 0.0, r[1]))(training(stepping())(x, t, p, lr, epochs))
)
wrong(TR, "train", "losses added up", "accumulated-over-steps", "extra-term")(
    lambda x, t, p, lr, epochs: (lambda r: ([sum(r[0][: i + 1]) for i in range(len(r[0]))], r[1]))(
        training(stepping())(x, t, p, lr, epochs)
    )
)


@wrong(TR, "train", "gradients never cleared", "accumulated-over-steps", "keeps-state")
def _(x, labels, p, lr, epochs):
    losses, sums = [], {n: torch.zeros_like(v) for n, v in p.items()}
    for _ in range(epochs):
        loss, grads = lossgrad(x, labels, p)
        losses.append(loss)
        sums = {n: sums[n] + grads[n] for n in p}
        p = {n: p[n] - lr * sums[n] for n in p}
    return losses, dict(p)


wrong(TR, "train", "uphill", "wrong-direction", "sign-flipped")(training(stepping(rule=lambda n, v, g, lr: v + lr * g)))
wrong(TR, "train", "fifty epochs", "hard-coded-size", "ignores-argument")(
    lambda x, t, p, lr, epochs: training(stepping())(x, t, p, lr, 50)
)
wrong(TR, "train", "last epoch's weights lost", "missing-term", "wrong-index", "no-update")(
    lambda x, t, p, lr, epochs: (
        training(stepping())(x, t, p, lr, epochs)[0],
        training(stepping())(x, t, p, lr, max(epochs - 1, 0))[1],
    )
)

# ---------------------------------------------------------------- inference
IN = "inference"
wrong(IN, "probabilities", "log-probabilities", "missing-term", "wrong-variable", "extra-term")(
    lambda z: torch.log_softmax(z, 1)
)
wrong(IN, "predict", "from one", "wrong-index")(lambda z: z.argmax(1) + 1)
wrong(IN, "predict", "as a column", "wrong-shape")(lambda z: z.argmax(1, keepdim=True))
wrong(IN, "accuracy", "over the classes too", "scaled-by-size")(
    lambda z, t: float((z.argmax(1) == t).sum()) / z.numel()
)
wrong(IN, "accuracy", "against a column", "wrong-index", "extra-reduction", "wrong-axis")(
    lambda z, t: float((z.argmax(1, keepdim=True) == t).double().mean())
)
wrong(IN, "accuracy", "hundred samples", "hard-coded-size")(lambda z, t: int((z.argmax(1) == t).sum()) / 100)
wrong(IN, "accuracy", "probability of the label", "wrong-variable")(
    lambda z, t: float(torch.softmax(z, 1)[torch.arange(len(t)), t].mean())
)
wrong(IN, "accuracy", "one per sample", "missing-reduction")(lambda z, t: (z.argmax(1) == t).double())

# ---------------------------------------------------------------- ensemble
EN = "ensemble"
wrong(EN, "mean_and_variance", "sums", "scaled-by-size")(lambda q: (q.sum(0), ((q - q.mean(0)) ** 2).sum(0)))
wrong(EN, "mean_and_variance", "mean of the squares", "missing-term")(lambda q: (q.mean(0), (q**2).mean(0)))
wrong(EN, "mean_and_variance", "ten networks", "hard-coded-size")(
    lambda q: (q.sum(0) / 10, ((q - q.mean(0)) ** 2).sum(0) / 10)
)
wrong(EN, "mean_and_variance", "all points together", "wrong-axis", "extra-reduction")(
    lambda q: (q.mean(0), q.var(unbiased=False).expand(q.shape[1]).clone())
)
wrong(EN, "mean_and_variance", "squared mean deviation", "unrecognised", "returns-zero")(
    lambda q: (q.mean(0), (q - q.mean(0)).mean(0) ** 2)
)
wrong(EN, "mean_and_variance", "not averaged", "missing-reduction")(lambda q: (q.mean(0), (q - q.mean(0)) ** 2))
wrong(EN, "mean_and_variance", "variance first", "swapped-gradients", "wrong-index")(
    lambda q: (q.var(0, unbiased=False), q.mean(0))
)
