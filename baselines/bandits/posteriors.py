"""Beta posteriors of Bernoulli arms as tables: all that an arm can have paid, numbered, and quick draws."""

import functools

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random

CELLS = 384
"""Cells into which a posterior is cut; each is a small part of its standard deviation."""

WIDEST = 7.0
"""Standard deviations to either side within which the cells lie."""

NODES = 128
"""Intervals between the quantiles in a table; narrow at both ends, where the best arm is decided."""


def pairs(pulls: int) -> int:
    """How many pairs (pulls, successes) there are with so many pulls at the most."""
    return (pulls + 1) * (pulls + 2) // 2


def pair_number(pulls: Float[Tensor, "B O"], reward: Float[Tensor, "B O"]) -> Int[Tensor, "B O"]:
    """Number of each arm's pair: m (m + 1) / 2 + s after m pulls of which s paid."""
    done, paid = pulls.round().long(), reward.round().long()
    return done * (done + 1) // 2 + paid


@functools.lru_cache(maxsize=4)
def quantiles(pulls: int) -> Float[Tensor, "pairs nodes"]:
    """Quantiles of the Beta(1 + s, 1 + f) posterior of a uniform prior, for all s + f <= pulls.

    What is tabled is not the probability x but the angle arcsin(sqrt(x)), in which all these posteriors
    are about as wide as 1 / (2 sqrt(pulls)); the order of arms is the same in both.

    Args:
        pulls: the most pulls of an arm, at least 0.

    Returns:
        float32 [pairs, `NODES` + 1], by `pair_number`: quantiles at sin(pi j / (2 `NODES`))^2.
    """
    if pulls < 0:
        raise ValueError(f"pulls is {pulls}; it must be at least 0")
    return torch.cat([_rows(done) for done in range(pulls + 1)])


def _rows(done: int) -> Float[Tensor, "R nodes"]:
    """The rows of the table with so many pulls: sums of the density over narrow cells."""
    a = torch.arange(done + 1, dtype=torch.float64, device="cpu")[:, None] + 1  # (R, 1)
    b = done + 2 - a
    middle, width = torch.atan2(a.sqrt(), b.sqrt()), 0.5 / (done + 2) ** 0.5  # (R, 1)
    spread = torch.linspace(-WIDEST, WIDEST, CELLS + 1, dtype=torch.float64, device="cpu")
    edges = (middle + width * spread).clamp(0, np.pi / 2)  # (R, C + 1)
    angle = (edges[:, 1:] + edges[:, :-1]) / 2  # (R, C)
    density = log_density(a - 0.5, b - 0.5, angle)  # (R, C), of the angle: dx is 2 sin cos
    mass = (density - density.amax(dim=1, keepdim=True)).exp() * (edges[:, 1:] - edges[:, :-1])
    below = torch.nn.functional.pad(mass.cumsum(dim=1), (1, 0))  # (R, C + 1)
    below = below / below[:, -1:]
    levels = torch.linspace(0, np.pi / 2, NODES + 1, dtype=torch.float64, device="cpu").sin() ** 2
    levels = levels.expand(len(a), -1).contiguous()  # (R, nodes)
    right = torch.searchsorted(below, levels).clamp(1, CELLS)
    low, high = below.gather(1, right - 1), below.gather(1, right)
    share = ((levels - low) / (high - low).clamp(min=1e-300)).clamp(0, 1)
    start, end = edges.gather(1, right - 1), edges.gather(1, right)
    return (start + share * (end - start)).float()


def log_density(
    successes: Float[Tensor, "*#shape"], failures: Float[Tensor, "*#shape"], angle: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*#shape"]:
    """Logarithm of x^s (1 - x)^f at x = sin(angle)^2: the posterior's density of x, up to a constant."""
    sine, cosine = angle.sin().clamp(min=1e-12).log(), angle.cos().clamp(min=1e-12).log()
    return 2 * (successes * sine + failures * cosine)


def draw(
    table: Float[Tensor, "pairs nodes"],
    number: Int[Tensor, "B *N O"],
    keys: Int[Tensor, "B 4"],
    name: str,
    step: int,
) -> Float[Tensor, "B *N O"]:
    """Draws by a table of quantiles, linear in between; each takes half a word of the stream.

    Args:
        table: of `quantiles`.
        number: the row of each draw, by `pair_number`.
        keys: whose streams.
        name: of the stream.
        step: how many times such draws were made before.

    Returns:
        Angles.
    """
    count = number[0].numel()
    half = (count + 1) // 2
    words = keyed_random.words(keys, name, half, step * half)  # (B, half)
    level = torch.cat([words & 0xFFFF, words >> 16], dim=1)[:, :count].to(table.dtype)
    place = ((level + 0.5) / 2**16).sqrt().asin() * (2 * NODES / np.pi)  # (B, count), in (0, NODES)
    node = place.long()
    at = number.reshape(len(keys), count) * (NODES + 1) + node
    low = table.take(at)
    return (low + (place - node) * (table.take(at + 1) - low)).reshape(number.shape)
