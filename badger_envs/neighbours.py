"""Neighbour lists: who hears whom, at a cost linear in the edges (arrays [E, c] in place of [E, E])."""

import math
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from badger_envs import keyed_random
from badger_envs.keyed_random import Array


class Neighbours(NamedTuple):
    """Whom every expert can hear, as lists padded to the length c of the longest.

    Attributes:
        index: int64 [E, c], or [B, E, c] where it is drawn per trial: the experts that each one hears, in
            rising order. Padding is the expert itself: a legal index, spread over all.
        mask: bool, of the same shape: False where `index` is padding.
    """

    index: Array
    mask: Array


def nobody(experts: int) -> Neighbours:
    """Nobody hears anything: lists of length 0."""
    return _listed(np.empty((experts, 0), np.int64))


def oneself(experts: int) -> Neighbours:
    """Everyone hears only itself: the same computation as a channel, and no information."""
    return Neighbours(np.arange(experts)[:, None], np.ones((experts, 1), bool))


def ring(experts: int) -> Neighbours:
    """Everyone hears its two neighbours on a circle (one neighbour with 2 experts, none with 1)."""
    own = np.arange(experts)
    return _listed(np.stack([own - 1, own + 1], axis=1) % experts)


def chain(experts: int) -> Neighbours:
    """A row in which everyone hears the one before it; the first hears nobody. News goes one way."""
    return _listed(np.arange(experts)[:, None] - 1)


def grid(experts: int) -> Neighbours:
    """Rows as long as the square root of E, rounded up; everyone hears left, right, above and below.

    Nothing wraps around, and the last row may be shorter.
    """
    columns = math.isqrt(experts - 1) + 1
    own = np.arange(experts)
    left = np.where(own % columns > 0, own - 1, -1)
    right = np.where(own % columns < columns - 1, own + 1, -1)
    return _listed(np.stack([left, right, own - columns, own + columns], axis=1))


def tree(experts: int) -> Neighbours:
    """A binary tree, expert 0 its root; parents and children hear each other."""
    own = np.arange(experts)
    return _listed(np.stack([(own + 1) // 2 - 1, 2 * own + 1, 2 * own + 2], axis=1))


def clusters(experts: int) -> Neighbours:
    """About sqrt(E) clusters of about sqrt(E) experts, in a ring.

    In a cluster all hear each other. Its last expert and the first of the next cluster hear each other;
    there is one such pair between two clusters also where there are only two. Edges grow as E**1.5.
    """
    number = round(math.sqrt(experts))
    own = np.arange(experts)
    starts = -(-np.arange(number + 1) * experts // number)  # [number + 1]: sizes differ by 1 at the most
    cluster = own * number // experts
    first, end = starts[cluster], starts[cluster + 1]
    size = int(np.diff(starts).max())
    wraps = number > 2  # with two clusters, the way round would be a second pair
    found = np.full((experts, size + 2), -1)
    found[:, :size] = first[:, None] + np.arange(size)
    found[:, :size][found[:, :size] >= end[:, None]] = -1
    before = np.where(own == first, (own - 1) % experts if wraps else own - 1, -1)
    after = np.where(own == end - 1, (own + 1) % experts if wraps else own + 1, -1)
    found[:, size], found[:, size + 1] = before, after
    return _listed(found)


def from_matrix(matrix: np.ndarray) -> Neighbours:
    """Lists that say the same as a matrix, bool [E, E], self-edges included."""
    sender = np.nonzero(matrix)[1]
    degrees = matrix.sum(1)
    longest = int(degrees.max())
    mask = np.arange(longest) < degrees[:, None]
    index = np.repeat(np.arange(len(matrix))[:, None], longest, axis=1)
    index[mask] = sender  # both in C order
    return Neighbours(index, mask)


def random_edges(experts: int, keys: Array, degree: float) -> Neighbours:
    """Erdos-Renyi: each expert hears each other one with the same probability, independently.

    The probability is degree / (E - 1), and 1 where there are not as many others. Directed: that i hears
    j says nothing of whether j hears i. Exact, without looking at all pairs: if an expert picks others with
    replacement, and a Poisson number of times with the right mean, each is picked at least once with this
    probability, independently of all others. (Numbers of picks so large that their probability is below
    2**-24, what a uniform can resolve, do not occur.)

    Args:
        experts: E.
        keys: int64 [B, 4], one draw each, from the streams "topology" and "topology/degree".
        degree: mean number of experts that an expert hears, above 0.

    Returns:
        Lists [B, E, c], on the backend of the keys.
    """
    xp, others = array_namespace(keys), experts - 1
    if degree >= others:
        return _distinct(_others(xp.broadcast_to(_range(keys, others), (len(keys), experts, others))), None)
    mean = -others * math.log1p(-degree / others)
    counts = np.arange(math.ceil(mean + 12 * math.sqrt(mean) + 24))
    logs = counts * math.log(mean) - mean - np.cumsum(np.log(np.maximum(counts, 1)))
    below = np.cumsum(np.exp(logs))  # probability that there are at most so many picks
    below = below[below < 1 - 2.0**-24]
    longest = len(below)
    level = keyed_random.uniform(keys, "topology/degree", experts, dtype="float64")  # [B, E]
    picked = level[:, :, None] >= xp.asarray(below, device=device(keys))  # [B, E, c]: more than so many picks
    found = keyed_random.integers(keys, "topology", experts * longest, 0, others - 1)
    return _distinct(_others(xp.reshape(found, (len(keys), experts, longest))), picked)


def small_world(experts: int, keys: Array, neighbours: int, rewired: float) -> Neighbours:
    """Watts and Strogatz 1998, directed: everyone hears its nearest on a circle, and some farther ones.

    Each expert hears its `neighbours` nearest on a circle, but each of them, save the two nearest, is
    with probability `rewired` another one drawn from all others instead. The two nearest stay, so that
    news always reaches everyone. Who is found twice is heard once.

    Args:
        experts: E.
        keys: int64 [B, 4], one draw each, from the streams "topology" and "topology/rewired".
        neighbours: c, an even number, at least 4.
        rewired: probability, from 0 to 1.

    Returns:
        Lists [B, E, c], on the backend of the keys.
    """
    xp, far = array_namespace(keys), neighbours - 2
    step = _range(keys, neighbours) // 2 + 1
    step = xp.where(_range(keys, neighbours) % 2 == 0, step, -step)  # 1, -1, 2, -2, ...
    own = _range(keys, experts)[:, None]
    circle = xp.broadcast_to((own + step) % experts, (len(keys), experts, neighbours))
    if experts == 1:
        return _distinct(circle, None)
    drawn = keyed_random.integers(keys, "topology", experts * far, 0, experts - 2)
    chance = keyed_random.uniform(keys, "topology/rewired", experts * far)
    drawn, chance = (xp.reshape(numbers, (len(keys), experts, far)) for numbers in (drawn, chance))
    farther = xp.where(chance < rewired, _others(drawn), circle[:, :, 2:])
    return _distinct(xp.concat([circle[:, :, :2], farther], axis=-1), None)


def candidates(experts: int, keys: Array, count: int) -> Neighbours:
    """Experts choose whom to hear, among `count` others drawn uniformly, all different.

    They are all the others where there are not more. By Floyd's algorithm (Bentley, Floyd 1987, "A sample of
    brilliance"), for all experts at once.

    Args:
        experts: E.
        keys: int64 [B, 4], one draw each, from the stream "topology".
        count: c, at least 1.

    Returns:
        Lists [B, E, min(c, E - 1)], on the backend of the keys; no padding in them.
    """
    xp, others = array_namespace(keys), experts - 1
    count = min(count, others)
    words = xp.reshape(keyed_random.words(keys, "topology", experts * count), (len(keys), experts, count))
    found = xp.empty_like(words)
    for k in range(count):
        last = others - count + k
        pick = words[:, :, k] * (last + 1) >> 32  # from 0 to `last`
        taken = xp.any(found[:, :, :k] == pick[:, :, None], axis=-1)
        found[:, :, k] = xp.where(taken, last, pick)
    return _distinct(_others(found), None)


def trimmed(lists: Neighbours) -> Neighbours:
    """The same edges [E, c] (NumPy) with c no longer than it must be."""
    return _listed(np.where(lists.mask, lists.index, -1))


def _range(keys: Array, count: int) -> Array:
    xp = array_namespace(keys)
    return xp.arange(count, dtype=xp.int64, device=device(keys))


def _others(numbers: Array) -> Array:
    """Numbers [B, E, c] from 0 to E - 2 as experts, each row's own one left out."""
    own = _range(numbers, numbers.shape[1])[:, None]
    return numbers + array_namespace(numbers).astype(numbers >= own, numbers.dtype)


def _distinct(index: Array, mask: Array | None) -> Neighbours:
    """Lists in rising order, from experts [B, E, c] with repetitions and oneself among them."""
    xp, experts = array_namespace(index), index.shape[1]
    own = _range(index, experts)[:, None]
    edges = index != own if mask is None else mask & (index != own)
    index = xp.sort(xp.where(edges, index, experts), axis=-1)  # what is none comes last
    first = xp.concat([index[:, :, :1] < experts, index[:, :, 1:] != index[:, :, :-1]], axis=-1)
    mask = first & (index < experts)
    return Neighbours(xp.where(mask, index, own), mask)


def _listed(index: np.ndarray) -> Neighbours:
    """Lists [E, c], as short as may be, from experts [E, any]; oneself and numbers of no expert are none."""
    experts = len(index)
    own = np.arange(experts)[:, None]
    index = np.where((index < 0) | (index == own), experts, index)
    index.sort(axis=-1)
    index[:, 1:][index[:, 1:] == index[:, :-1]] = experts  # heard once
    index.sort(axis=-1)
    longest = int((index < experts).sum(-1).max())
    index = index[:, :longest]
    mask = index < experts
    return Neighbours(np.where(mask, index, own), mask)
