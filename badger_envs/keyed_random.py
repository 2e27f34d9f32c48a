"""Named randomness: every draw is a function of (key, name, index), on any array backend.

The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as
1, 2, 3", Random123), written in array-API integer arithmetic: bit-equal on NumPy and torch, on a CPU
and a GPU, for one row or a million. Nothing here holds state.

A *key* names one trial by (seed, step, row, split) and is a row of four 32-bit words kept in int64:

    [seed low, seed high, step, 4 * row + split]

Environments and evaluations play (seed, number of the trial, 0, split), see `trial_keys`; the outer loop
plays (outer seed, outer step, row, "train"), see `outer_keys`.

The first two words are Philox's key, the last two half of its counter; the other half is the position in the
stream and the stream's name. So streams of different keys or names never overlap.
"""

import operator
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array

Array = Any
"""A NumPy array or a torch tensor."""

SPLITS = ("train", "validation", "test")
"""The splits of a family; keys of different splits never meet."""

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)

PROPOSALS = 3
"""Proposals per gamma draw."""

_PIECE = 8192
"""Blocks of four words that NumPy draws at once: so many stay in the cache (twice as fast at 8,192 rows)."""


def philox(counter: Sequence[Array], key: Sequence[Array]) -> tuple[Array, Array, Array, Array]:
    """Philox4x32-10: encrypt four counter words under two key words.

    Args:
        counter: four int64 arrays, or integers, broadcastable to one shape, with values in [0, 2**32).
        key: two int64 arrays, broadcastable to that shape too.

    Returns:
        Four int64 arrays of the broadcast shape with values in [0, 2**32).
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]  # low 64 bits, sign ignored
        c0, c2 = ((product1 >> 32) ^ (c1 ^ k0)) & _MASK, ((product0 >> 32) ^ (c3 ^ k1)) & _MASK
        c1, c3 = product1, product0
        k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]  # what grows beyond 32 bits is masked with c0 and c2
    return c0, c1 & _MASK, c2, c3 & _MASK


def split_index(split: str) -> int:
    """Position of a split's name in `SPLITS`; ValueError for a name that is not one."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    return SPLITS.index(split)


def trial_keys(seeds: Sequence[int] | Array, trial: Array | int, split: str) -> Array:
    """Keys of trial number `trial` of environments seeded with `seeds`: (seed, trial, row 0, split).

    Task i of an evaluation is `trial_keys([i], 0, "test")`, which is what
    `gym.make(id, split="test").reset(seed=i)` plays.

    Args:
        seeds: B seeds from 0 to 2**64 - 1: a sequence of integers, or an integer array of any backend, of
            whose numbers 64 bits are read. Values of a torch tensor are not checked: that would stall a GPU.
        trial: number of the trial since seeding, from 0 to 2**32 - 1: an int or int64 [B].
        split: name of the split.

    Returns:
        int64 [B, 4], on the backend and device of the seeds; NumPy for a sequence.

    Raises:
        ValueError: a number is out of its range, or the split is unknown.
        TypeError: seeds are no integers.
    """
    if is_numpy_array(seeds) or isinstance(seeds, Sequence):
        seeds = seed_array(seeds).view(np.int64)
    if isinstance(trial, int) and not 0 <= trial < 2**32:
        raise ValueError(f"trial is {trial}; it must lie in [0, 2**32)")
    xp = array_namespace(seeds)
    zero = xp.zeros_like(seeds)
    return xp.stack([seeds & _MASK, (seeds >> 32) & _MASK, zero + trial, zero + split_index(split)], axis=-1)


def seed_array(seeds: Sequence[int] | np.ndarray) -> np.ndarray:
    """Seeds as uint64 [B].

    Raises:
        ValueError: a seed is below 0 or above 2**64 - 1.
        TypeError: a seed is no integer.
    """
    if not is_numpy_array(seeds) and not all(type(seed) is int for seed in seeds):
        seeds = [_seed(seed) for seed in seeds]
    try:
        array = seeds if is_numpy_array(seeds) else np.array(seeds, np.uint64)
    except OverflowError:
        seeds = [seed for seed in seeds if not 0 <= seed < 2**64]
        raise ValueError(f"a seed is {seeds[0]}; seeds must lie in [0, 2**64)") from None
    if array.dtype.kind not in "iu":
        raise TypeError(f"seeds hold {array.dtype}; they must be integers")
    if array.dtype.kind == "i" and (array < 0).any():
        raise ValueError(f"a seed is {array.min()}; seeds must lie in [0, 2**64)")
    return array.astype(np.uint64)


def _seed(value: Any) -> int:
    """A seed as Python's integer."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"a seed is {value!r}; seeds must be integers")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"a seed is {value!r}; seeds must be integers") from None


def outer_keys(
    seed: int, step: int, rows: int, split: str = "train", *, first_row: int = 0, like: Array | None = None
) -> Array:
    """Keys of the trials of one outer step: a function of (outer seed, split, outer step, row).

    Args:
        seed: outer seed, in [0, 2**64).
        step: outer step, in [0, 2**32).
        rows: number of rows B; row numbers are first_row .. first_row + B - 1, below 2**30.
        split: name of the split.
        first_row: number of the first row (large evaluations go in chunks).
        like: an array whose backend and device the keys get; NumPy without it.

    Returns:
        int64 [B, 4].

    Raises:
        ValueError: a number is outside its range, or the split is unknown.
    """
    limits = (("outer seed", seed, 64), ("outer step", step, 32), ("last row", first_row + rows - 1, 30))
    for what, value, bits in limits:
        if not 0 <= value < 2**bits:
            raise ValueError(f"{what} is {value}; it must lie in [0, 2**{bits})")
    xp = np if like is None else array_namespace(like)
    where = {} if like is None else {"device": device(like)}
    row = xp.arange(first_row, first_row + rows, dtype=xp.int64, **where)
    zero = xp.zeros_like(row)
    words = [zero + (seed & _MASK), zero + (seed >> 32), zero + step, row * 4 + split_index(split)]
    return xp.stack(words, axis=-1)


def agent_keys(keys: Array) -> Array:
    """Keys that an agent draws under in the trials that `keys` name, int64 [B, 4].

    They are drawn from a stream of the trials' and lead to the tasks no more than other draws do: the seed is
    Philox's key, and nobody knows a way back to it but to try all seeds.
    """
    return words(keys, "an agent's keys", 4)


def words(keys: Array, name: str, count: int, start: int = 0) -> Array:
    """Raw 32-bit words `start .. start + count - 1` of the stream `name` of every key.

    Asking for a segment at once or piece by piece gives the same bits.

    Args:
        keys: int64 [B, 4].
        name: the stream's name; different names give independent streams.
        count: number of words per key.
        start: position of the first.

    Returns:
        int64 [B, count] with values in [0, 2**32).
    """
    xp = array_namespace(keys)
    if count == 0:
        return 0 * keys[:, :0]  # new, as the others are: `uniform` writes on it
    first, last = start // 4, -(-(start + count) // 4)
    index = xp.arange(first, last, dtype=xp.int64, device=device(keys))[:, None]  # [blocks, 1]
    label = zlib.crc32(name.encode())
    if not is_numpy_array(keys):  # at once, and nothing is written into, so that torch.vmap can map it
        key = xp.matrix_transpose(keys)  # [4, rows]
        block = philox((index, label, key[2:3], key[3:4]), (key[0:1], key[1:2]))  # [blocks, rows] each
        drawn = xp.permute_dims(xp.stack(block, axis=-1), (1, 0, 2))
    else:
        drawn = xp.empty((keys.shape[0], last - first, 4), dtype=xp.int64)
        rows = max(1, _PIECE // (last - first))
        for i in range(0, keys.shape[0], rows):
            key = xp.asarray(xp.matrix_transpose(keys[i : i + rows]), copy=True)  # [4, rows], in C order
            block = philox((index, label, key[2:3], key[3:4]), (key[0:1], key[1:2]))  # [blocks, rows] each
            for k, word in enumerate(block):
                drawn[i : i + rows, :, k] = xp.matrix_transpose(word)
    flat = xp.reshape(drawn, (keys.shape[0], 4 * (last - first)))
    return flat[:, start - 4 * first : start - 4 * first + count]


def uniform(keys: Array, name: str, count: int, start: int = 0, dtype: str = "float32") -> Array:
    """Uniforms in [0, 1), multiples of 2**-24 in either dtype, so both see the same numbers.

    Args: as for `words`; `dtype` is "float32" or "float64".

    Returns:
        [B, count] of that dtype.
    """
    xp = array_namespace(keys)
    drawn = words(keys, name, count, start)
    drawn >>= 8  # in place, as below, on fresh memory: otherwise it takes longer
    values = xp.astype(drawn, getattr(xp, dtype))
    values *= 2.0**-24
    return values


def integers(keys: Array, name: str, count: int, low: int, high: int, start: int = 0) -> Array:
    """Integers from low to high, both included (bias below (high - low + 1) / 2**32).

    Args: as for `words`; 0 <= high - low < 2**31.

    Returns:
        int64 [B, count].
    """
    if high < low:
        raise ValueError(f"integers from {low} to {high}: the range is empty")
    return low + ((words(keys, name, count, start) * (high - low + 1)) >> 32)


def normal(keys: Array, name: str, count: int, start: int = 0, dtype: str = "float32") -> Array:
    """Standard normals by Box and Muller, equal between backends to rounding (log, sqrt, cos).

    Args: as for `uniform`.

    Returns:
        [B, count] of that dtype.
    """
    pairs = uniform(keys, name, 2 * count, 2 * start, dtype)
    return normal_from_uniform(pairs[:, 0::2], pairs[:, 1::2])


def normal_from_uniform(first: Array, second: Array) -> Array:
    """Standard normals from two arrays of uniforms in [0, 1) of one shape (Box and Muller)."""
    xp = array_namespace(first)
    return xp.sqrt(-2.0 * xp.log(1.0 - first)) * xp.cos(2.0 * np.pi * second)


def log_gamma(
    keys: Array, name: str, count: int, shape: Array | float, start: int = 0, proposals: int = PROPOSALS
) -> Array:
    """Logarithms of gamma draws, in float64; gammas divided by the sum of their like are a Dirichlet draw.

    A gamma of shape 1 is minus the logarithm of a uniform. Any other is one of shape + 1 (Marsaglia and Tsang
    2000: the first of the proposals that is accepted) times a power of a uniform. Where none is accepted the
    last is taken: five in a hundred are rejected at worst, so that chances err by 0.05 ** proposals.
    Logarithms, since most gammas of shape 0.001 are below the smallest float.

    Args: as for `uniform`; `shape` is a number above 0, or float64 [B, count] of them.

    Returns:
        float64 [B, count].
    """
    xp = array_namespace(keys)
    if isinstance(shape, int | float) and shape == 1:
        level = uniform(keys, name, count, start, "float64") + 2.0**-25  # in the middle: never 0
        return xp.log(-xp.log(1.0 - level))
    size = 3 * proposals
    drawn = uniform(keys, name, size * count, size * start, "float64")
    drawn = xp.reshape(drawn, (keys.shape[0], size, count))
    d = shape + 2 / 3
    gamma = 0.0 * drawn[:, 0]
    for i in reversed(range(proposals)):  # the first that is accepted
        normals = normal_from_uniform(drawn[:, 3 * i], drawn[:, 3 * i + 1])
        root = 1 + normals / (9 * d) ** 0.5
        log_volume = 3 * xp.log(xp.abs(root) + 1e-12)
        if i == proposals - 1:
            gamma, power = log_volume, drawn[:, 3 * i + 2]
            continue
        bound = normals**2 / 2 + d * (1 - xp.exp(log_volume) + log_volume)
        accepted = (root > 0) & (xp.log(1.0 - drawn[:, 3 * i + 2]) < bound)
        gamma = xp.where(accepted, log_volume, gamma)
    return xp.log(d + 0 * gamma) + gamma + xp.log(1.0 - power) / shape


def permutation(keys: Array, name: str, count: int) -> Array:
    """A random permutation of 0 .. count - 1 per key: int64 [B, count]."""
    xp = array_namespace(keys)
    return xp.argsort(words(keys, name, count), axis=-1, stable=True)
