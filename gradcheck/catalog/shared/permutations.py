"""Whether many random orders look uniform: what a shuffle that goes wrong cannot meet, and a right one meets surely."""

from __future__ import annotations

import math
from typing import Any

ORDERS, MANY, BATCH = 100, 600, 128
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
RARE = 1e-11
"""How often one of these statistics refuses a right answer: five are of kind 1, three of kind 2, one of kind 4."""

FALSE_ALARMS = 9 * RARE + 2e-43


def not_uniform(orders: Any) -> str | None:
    """What shows that the rows of `orders` (100, 600) are no independent uniform permutations; None if nothing does."""
    if len({each.tobytes() for each in orders}) < len(orders):
        return "only few different orders come up"
    return _uneven(orders) or _neighbours(orders)


def _uneven(orders: Any) -> str | None:
    """Whether samples prefer places."""
    import numpy as np

    place, sample = np.arange(MANY), np.arange(MANY)[:, None]
    ahead = (sample - place) % MANY
    sets = {
        "samples of the first half and places of the first half": (sample < MANY / 2) & (place < MANY / 2),
        "samples and their own batch in the order 0, 1, 2, …": sample // BATCH == place // BATCH,
        "samples with an even number and places with an even number": (sample % 2 == 0) & (place % 2 == 0),
        "samples and the places just before their own": (ahead > 0) & (ahead <= MANY // 3),
        "samples and the places just after their own": ahead >= MANY - MANY // 3,
    }
    allowed = math.sqrt(2 * ORDERS * MANY * math.log(2 / RARE))
    for words, pairs in sets.items():
        mean = ORDERS * pairs.sum() / MANY
        count = pairs[orders, place].sum()
        if abs(count - mean) > allowed:
            found = f"{words} meet {count} times in {ORDERS} epochs"
            return f"not all orders are equally likely: {found}, which should be about {mean:.0f}"
    return None


def _neighbours(orders: Any) -> str | None:
    """Whether samples stay where they were, stay together, or stay sorted."""
    import numpy as np

    steps = np.diff(orders, axis=1)
    most = _upper_end(ORDERS)
    for words, count in (
        ("samples stay at their place", (orders == np.arange(MANY)).sum()),
        ("samples are followed by the next one", (steps == 1).sum()),
        ("samples are followed by the one before", (steps == -1).sum()),
    ):
        if count > most:
            return f"it does not mix enough: {words} {count} times in {ORDERS} epochs, not about {ORDERS}"
    if (orders != np.arange(MANY)).all():
        return "no sample is ever left at its place, as one is about once an epoch where all orders are equally likely"
    rising = (steps[:, ::2] > 0).sum()
    coins = steps[:, ::2].size
    if abs(rising - coins / 2) > math.sqrt(coins / 2 * math.log(2 / RARE)):
        return f"the order is partly sorted: the next index is the larger one in {rising} of {coins} pairs"
    return None


def _upper_end(mean: int) -> int:
    """The least t ≥ mean with e^(t − mean) (mean / t)^t ≤ RARE."""
    t = mean
    while t - mean + t * math.log(mean / t) > math.log(RARE):
        t += 1
    return t
