"""The minibatches of one epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.outcome import GeneratorArgument, Returned
from gradcheck.checks.task import Edge, Property, Reference

if TYPE_CHECKING:
    from gradcheck.checks.outcome import Arguments, Outcome, Value
    from gradcheck.checks.properties import Ask

ORDER = 2


# A single call.


def _draw(draw: Any) -> dict[str, Any]:
    batch_size, batches = draw.size("batch_size"), draw.size("batches")
    num_samples = batch_size * batches - draw.whole(0, batch_size - 1)
    return {"num_samples": num_samples, "batch_size": batch_size, "generator": draw.generator()}


def _edges(draw: Any) -> Iterator[Edge]:
    for name, samples, size in (
        ("batches that come out even", 12, 4),
        ("one sample left over", 13, 4),
        ("one sample missing", 11, 4),
        ("batches of one sample", 5, 1),
        ("one batch of all samples", 6, 6),
        ("a batch larger than the training set", 5, 8),
        ("one sample more than a batch holds", 7, 6),
        ("one sample", 1, 1),
        ("one sample, a larger batch", 1, 3),
        ("two samples", 2, 1),
        ("two batches", 6, 3),
        ("three batches of as many samples", 6, 2),
        ("many samples", 1000, 64),
        ("many batches", 301, 2),
    ):
        yield name, {"num_samples": samples, "batch_size": size, "generator": draw.generator()}


def _verdict(arguments: Arguments, value: Value) -> tuple[str, str] | None:
    """Whether these are batches, of the right sizes, that hold each sample once."""
    samples, size = arguments["num_samples"], arguments["batch_size"]
    if not isinstance(value, tuple):
        return "type", "the batches are a list (or tuple) of tensors, one tensor per batch"
    for k, batch in enumerate(value):
        told = _malformed(k, batch)
        if told:
            return told
    wanted = [size] * (samples // size) + ([samples % size] if samples % size else [])
    sizes = [batch.shape[0] for batch in value if isinstance(batch, Returned)]
    if sizes != wanted:
        return "shape", f"the batches have {_listed(sizes)} samples; expected {_listed(wanted)}"
    return _incomplete(samples, value)


def _malformed(k: int, batch: Value) -> tuple[str, str] | None:
    if not isinstance(batch, Returned) or batch.problem:
        return "type", f"batch {k} is not a plain torch.Tensor; each batch is an int64 tensor of indices"
    if len(batch.shape) != 1:
        return "shape", f"batch {k} has shape {batch.shape}; a batch has one axis, (batch_size,)"
    if batch.dtype != "int64" or batch.values is None:
        on = "" if batch.device == "cpu" else f" on the device {batch.device!r}"
        return "dtype", f"batch {k} is {batch.dtype}{on}; expected int64{' on the CPU' if on else ''}"
    return None


def _incomplete(samples: int, value: tuple[Any, ...]) -> tuple[str, str] | None:
    import numpy as np

    order = np.concatenate([batch.values for batch in value])
    outside = order[(order < 0) | (order >= samples)]
    if outside.size:
        return "values", f"{outside[0]} is the index of no sample; they are numbered 0 … {samples - 1}"
    often = np.bincount(order, minlength=samples)
    if (often != 1).any():
        sample = int(np.argmax(often != 1))
        return "values", f"sample {sample} occurs {often[sample]} times; each of them occurs once in an epoch"
    return None


def _listed(sizes: list[int]) -> str:
    return str(sizes) if len(sizes) < 9 else f"{str(sizes[:4])[:-1]}, …, {str(sizes[-2:])[1:]}"


# Many calls.


class _RefusedError(Exception):
    """What a single call is refused for: the message, and perhaps a diagnosis code."""


def _order(ask: Ask, samples: int, size: int, generator: GeneratorArgument) -> tuple[Any, Outcome]:
    """The order in which one epoch goes through the samples, and what came of the call."""
    import numpy as np

    outcome = ask.outcome(samples, size, generator)
    told = _verdict({"num_samples": samples, "batch_size": size}, outcome.value)
    if told:
        raise _RefusedError(f"with {samples} samples in batches of {size}, {told[1]}")
    if outcome.mutated:
        raise _RefusedError(f"it changes {outcome.mutated[0]}, which the caller still has", "mutates-input")
    assert isinstance(outcome.value, tuple)
    batches: list[Any] = [batch.values for batch in outcome.value if isinstance(batch, Returned)]
    return np.concatenate(batches), outcome


def _generators(ask: Ask, count: int) -> list[GeneratorArgument]:
    """Generators in different states, surely: of a hundred random seeds two may be equal."""
    first = ask.generator().seed
    return [GeneratorArgument(first + k) for k in range(count)]


def _with_verdicts(holds: Callable[[Ask], str | None]) -> Callable[[Ask], tuple[str, str] | str | None]:
    def checked(ask: Ask) -> tuple[str, str] | str | None:
        try:
            return holds(ask)
        except _RefusedError as refused:
            message, *code = refused.args
            return (message, code[0]) if code else str(message)

    return checked


# Two orders of 30 samples are equal with probability 1/30! = 4e-33; neither property below compares more than 10 pairs.
_SAMPLES, _SIZE, _EQUAL = 30, 4, 10 / math.factorial(30)


def _drawn_from_the_generator(ask: Ask) -> str | None:
    """The order is made of the generator's state and of nothing else."""
    seen = []
    for generator in _generators(ask, 4):
        order, outcome = _order(ask, _SAMPLES, _SIZE, generator)
        if outcome.drew_elsewhere:
            return "it draws from the global generator, or seeds it; use only the `generator` that is passed"
        if "generator" not in outcome.advanced:
            return "it draws nothing from `generator`: its state is the same afterwards"
        seen.append(order.tolist())
    if any(seen[i] == seen[j] for i in range(4) for j in range(i)):
        return "generators in different states give the same order"
    generator = ask.generator()
    orders = [_order(ask, _SAMPLES, _SIZE, replace(generator, elsewhere=seed))[0].tolist() for seed in (1, 2)]
    return (
        None if orders[0] == orders[1] else "torch.manual_seed or random.seed changes the order; `generator` alone may"
    )


def _fresh_every_epoch(ask: Ask) -> str | None:
    """One generator for all epochs of a training: each call goes on where the last one stopped."""
    generator = ask.generator()
    epochs, before = [], []
    for _ in range(4):
        before.append(generator)
        order, outcome = _order(ask, _SAMPLES, _SIZE, generator)
        epochs.append(order.tolist())
        generator = replace(generator, state=outcome.generators.get("generator", b""))
    again = _order(ask, _SAMPLES, _SIZE, before[2])[0].tolist()
    if any(epochs[i] == epochs[j] for i in range(4) for j in range(i)):
        return "called again and again with one generator, as in a training, it repeats an order"
    if again != epochs[2]:
        return "a generator put back into an earlier state does not give that epoch's order again"
    return None


# Of 2 samples every order comes up in 40 calls, of 3 samples in 150, but for 2 (1/2)^40 + 6 (5/6)^150 ≤ 1.1e-11.
_FEW = ((2, 40), (3, 150))
_MISSING = 2 * (1 / 2) ** 40 + 6 * (5 / 6) ** 150


def _uniform(ask: Ask) -> str | None:
    """Every order of the samples is equally likely."""
    import numpy as np

    for samples, calls in _FEW:
        seen = {tuple(_order(ask, samples, 2, each)[0].tolist()) for each in _generators(ask, calls)}
        if len(seen) < math.factorial(samples):
            return f"of the {math.factorial(samples)} orders of {samples} samples only {sorted(seen)} come up"
    return _not_uniform(np.stack([_order(ask, _MANY, _BATCH, each)[0] for each in _generators(ask, _ORDERS)]))


# Whether many random orders look uniform: what a shuffle that goes wrong cannot meet, and a right one meets surely.

_ORDERS, _MANY, _BATCH = 100, 600, 128
"""100 orders of 600 samples are looked at, drawn in batches of 128."""

# Let π(i) be the sample at place i. For independent uniform orders:
#
# 1. A count X of the places i, over all orders, with (i, π(i)) in a fixed set of pairs. Let an order be shown place by
#    place. What π(i) turns out to be moves the expectation of X within an interval of length 2: with another sample at
#    place i two places would differ, i and the one where that sample is now. So by Azuma and Hoeffding
#    P(|X − EX| ≥ t) ≤ 2 exp(−t² / (2 · 100 · 600)).
# 2. The number S of places of one order with π(i) = i. Any k places do so with probability (600 − k)! / 600!, and there
#    are C(600, k) choices of them: E[C(S, k)] = 1 / k!. With π(i + 1) = π(i) + 1, or − 1, k places leave 600 − k blocks
#    that can stand in any order: E[C(S, k)] = C(599, k) (600 − k)! / 600! ≤ 1 / k!. Hence E[z^S] ≤ e^(z − 1) for z ≥ 1,
#    and for the sum over 100 orders P(sum ≥ t) ≤ e^(t − 100) (100 / t)^t, with z = t / 100.
# 3. No place at all with π(i) = i, in any order: at most (1/e + 1/601!)^100 ≤ 1e-43.
# 4. Of the 30 000 pairs of places (2i, 2i + 1) of all orders those with π rising: independent fair coins, so
#    P(|X − 15 000| ≥ t) ≤ 2 exp(−2 t² / 30 000) by Hoeffding.
# 5. Two of the orders equal: at most 4950 / 600!.
_RARE = 1e-11
"""How often one of these statistics refuses a right answer: five are of kind 1, three of kind 2, one of kind 4."""

_FALSE_ALARMS = 9 * _RARE + 2e-43


def _not_uniform(orders: Any) -> str | None:
    """What shows that the rows of `orders` (100, 600) are no independent uniform permutations; None if nothing does."""
    if len({each.tobytes() for each in orders}) < len(orders):
        return "only few different orders come up"
    return _uneven(orders) or _neighbours(orders)


def _uneven(orders: Any) -> str | None:
    """Whether samples prefer places."""
    import numpy as np

    place, sample = np.arange(_MANY), np.arange(_MANY)[:, None]
    ahead = (sample - place) % _MANY
    sets = {
        "samples of the first half and places of the first half": (sample < _MANY / 2) & (place < _MANY / 2),
        "samples and their own batch in the order 0, 1, 2, …": sample // _BATCH == place // _BATCH,
        "samples with an even number and places with an even number": (sample % 2 == 0) & (place % 2 == 0),
        "samples and the places just before their own": (ahead > 0) & (ahead <= _MANY // 3),
        "samples and the places just after their own": ahead >= _MANY - _MANY // 3,
    }
    allowed = math.sqrt(2 * _ORDERS * _MANY * math.log(2 / _RARE))
    for words, pairs in sets.items():
        mean = _ORDERS * pairs.sum() / _MANY
        count = pairs[orders, place].sum()
        if abs(count - mean) > allowed:
            found = f"{words} meet {count} times in {_ORDERS} epochs"
            return f"not all orders are equally likely: {found}, which should be about {mean:.0f}"
    return None


def _neighbours(orders: Any) -> str | None:
    """Whether samples stay where they were, stay together, or stay sorted."""
    import numpy as np

    steps = np.diff(orders, axis=1)
    most = _upper_end(_ORDERS)
    for words, count in (
        ("samples stay at their place", (orders == np.arange(_MANY)).sum()),
        ("samples are followed by the next one", (steps == 1).sum()),
        ("samples are followed by the one before", (steps == -1).sum()),
    ):
        if count > most:
            return f"it does not mix enough: {words} {count} times in {_ORDERS} epochs, not about {_ORDERS}"
    if (orders != np.arange(_MANY)).all():
        return "no sample is ever left at its place, as one is about once an epoch where all orders are equally likely"
    rising = (steps[:, ::2] > 0).sum()
    coins = steps[:, ::2].size
    if abs(rising - coins / 2) > math.sqrt(coins / 2 * math.log(2 / _RARE)):
        return f"the order is partly sorted: the next index is the larger one in {rising} of {coins} pairs"
    return None


def _upper_end(mean: int) -> int:
    """The least t ≥ mean with e^(t − mean) (mean / t)^t ≤ _RARE."""
    t = mean
    while t - mean + t * math.log(mean / t) > math.log(_RARE):
        t += 1
    return t


# What goes wrong.


def _order_of(num_samples: int, generator: Any) -> Any:
    import torch

    order: Any = torch.randperm(num_samples, generator=generator)
    return order


def _left_over_dropped(num_samples: int, batch_size: int, generator: Any) -> Any:
    whole = num_samples // batch_size * batch_size
    return list(_order_of(num_samples, generator)[:whole].split(batch_size)) if whole else []


def _filled_up(num_samples: int, batch_size: int, generator: Any) -> Any:
    import torch

    order = _order_of(num_samples, generator)
    filled: Any = torch.cat([order, order[: -num_samples % batch_size]])
    return list(filled.split(batch_size))


def _overlapping(num_samples: int, batch_size: int, generator: Any) -> Any:
    order = _order_of(num_samples, generator)
    return [order[start : start + batch_size + 1] for start in range(0, num_samples, batch_size)]


def _batches_shuffled(num_samples: int, batch_size: int, generator: Any) -> Any:
    import torch

    numbered: Any = torch.arange(num_samples)
    batches = numbered.split(batch_size)
    return [batches[k] for k in _order_of(len(batches), generator).tolist()]


def _numbered_from_one(num_samples: int, batch_size: int, generator: Any) -> Any:
    import torch

    order: Any = torch.randperm(num_samples, generator=generator) + 1
    return list(order.split(batch_size))


def _with_replacement(num_samples: int, batch_size: int, generator: Any) -> Any:
    import torch

    drawn: Any = torch.randint(num_samples, (num_samples,), generator=generator)
    return list(drawn.split(batch_size))


def _shuffled_for_each_batch(num_samples: int, batch_size: int, generator: Any) -> Any:
    import torch

    sizes = [min(batch_size, num_samples - start) for start in range(0, num_samples, batch_size)]
    return [torch.randperm(num_samples, generator=generator)[:size] for size in sizes]


EXERCISE = Exercise(
    name="minibatches",
    unit="02_gradient_descent",
    title="The minibatches of one epoch",
    about=About(
        statement=(
            "Samples in a fixed order teach a network that order: one that sees all the zeros first learns to answer "
            "0, and then unlearns it. So every epoch goes through the training set in a new random order, cut into "
            "minibatches. Each sample is used once an epoch, and the last batch may be smaller."
        ),
        purpose=(
            "What a data loader does before every epoch, so that each batch is a fair sample of the whole training set."
        ),
        torch=("torch.utils.data.DataLoader",),
        idea=(
            "Draw one random order of all indices, then cut it into pieces. Shuffled first, any two samples can meet "
            "in a batch, and none is left out or used twice."
        ),
        minutes=15,
        difficulty=1,
    ),
    functions=(
        function(
            "epoch_batches",
            "num_samples",
            "batch_size",
            "generator",
            points=3,
            reference=Reference(
                draw=_draw,
                verdict=_verdict,
                edges=_edges,
                names="the batches",
                usual=frozenset(("sizes",)),
                source="lecture part A: minibatches; lecture part B, practical tricks: shuffle the samples",
            ),
            properties=(
                Property("drawn_from_the_generator", _with_verdicts(_drawn_from_the_generator), _EQUAL),
                Property("fresh_every_epoch", _with_verdicts(_fresh_every_epoch), _EQUAL),
                Property("uniform", _with_verdicts(_uniform), _MISSING + _FALSE_ALARMS),
            ),
        ),
    ),
    hints=(
        "Which comes first: shuffling the samples, or cutting them into batches? Which samples could never meet in a "
        "batch, if you did it the other way round?",
        "One function of torch gives a random order of 0 … n − 1: how is it told which generator to draw from? Cut "
        "that order into pieces. 13 samples in batches of 4: how many batches, and how large is the last?",
        "order = a permutation of 0 … n − 1, and batch k holds order_i for k b ≤ i < (k + 1) b, as long as i < n, "
        "where n = num_samples and b = batch_size. The first batch starts at i = 0, the second at i = b, …",
    ),
    formula=(
        "order = torch.randperm(n, generator=generator), n = num_samples\n"
        "batch_k = order_i for k b ≤ i < min((k + 1) b, n), b = batch_size\n"
        "k = 0, …, ⌈n / b⌉ − 1"
    ),
    # By numbers these can be told only from a learner who draws as here; by the sizes of the batches, from everybody.
    misconceptions=(
        Misconception(
            "epoch_batches",
            "missing-term",
            "you dropped the samples that are left over: the last batch, which is smaller, is missing",
            _left_over_dropped,
            "11 samples in batches of 3: how many samples are in no batch of yours?",
        ),
        Misconception(
            "epoch_batches",
            "extra-term",
            "you filled the last batch up: it holds samples that other batches hold too",
            _filled_up,
            "11 samples in batches of 3: how many samples are in your batches, taken together?",
        ),
        Misconception(
            "epoch_batches",
            "wrong-variable",
            "you made batch_size batches, where batch_size is how many samples a batch holds",
            lambda n, b, generator: list(_order_of(n, generator).chunk(b)),
            "How many samples should your first batch hold, and how many batches should there be?",
        ),
        Misconception(
            "epoch_batches",
            "wrong-index",
            "your batches overlap: the last sample of each is the first of the next",
            _overlapping,
            "How many entries has order[0:3], and where does the next batch begin?",
        ),
        Misconception(
            "epoch_batches",
            "wrong-distribution",
            "you cut the samples into batches first and shuffled the batches: neighbours always stay together",
            _batches_shuffled,
            "Which two samples can never meet in a batch of yours?",
        ),
        Misconception(
            "epoch_batches",
            "ignores-argument",
            "all samples are in one batch: batch_size has no influence",
            lambda num_samples, batch_size, generator: [_order_of(num_samples, generator)],  # noqa: ARG005
            "What should change in your batches when batch_size does?",
        ),
        Misconception(
            "epoch_batches",
            "wrong-index",
            "you numbered the samples from 1",
            _numbered_from_one,
            "Which index does the first sample have, and which the last of n?",
        ),
        Misconception(
            "epoch_batches",
            "wrong-distribution",
            "you drew every index by itself, so that some samples come twice and others never",
            _with_replacement,
            "How often should each sample be seen in one epoch?",
        ),
        Misconception(
            "epoch_batches",
            "wrong-distribution",
            "you shuffled anew for every batch, so that some samples come twice and others never",
            _shuffled_for_each_batch,
            "How many orders are drawn in one epoch?",
        ),
    ),
)
