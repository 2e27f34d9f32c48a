"""Checks of randomness: draws bit-equal on every backend, noise in one block, splits that do not meet."""

import dataclasses

import numpy as np

from badger_envs.family import Family
from badger_envs.keyed_random import SPLITS, Array
from badger_envs.testing.subject import (
    Draws,
    Target,
    leaves,
    name_of,
    recorded_draws,
    require,
    require_draws,
    require_identical,
    resolve,
    seeded_keys,
    single,
    to_numpy,
    to_torch,
    torch_devices,
    vector,
)


def check_draws(target: Target, batch: int = 33) -> None:
    """Draws are bit-equal on NumPy and torch and in a batch of any size; a block of noise is its steps.

    Args:
        target: a registered id, or a family.
        batch: trials at once.

    Raises:
        AssertionError: draws differ, or noise in one block is not bit-equal to noise step by step.
    """
    family, name = resolve(target), name_of(target)
    keys = seeded_keys(family, range(batch))
    expected = _draws(family, keys)
    for device in torch_devices():
        found = _draws(family, to_torch(keys, device))
        require_draws(expected, found, keys, f"{name}: draws on torch, {device}")
    require_draws(expected, _draws(family, keys[2:3]), keys[2:3], f"{name}: draws of a row alone")
    block = family.noise(keys, family.horizon)
    shape = (batch, family.horizon, family.noise_size)
    require(block.shape == shape, f"{name}: noise has shape {block.shape}, not {shape}")
    require(((block >= 0) & (block < 1)).all(), f"{name}: noise is not in [0, 1)")
    for time in range(family.horizon):
        step = family.noise(keys, 1, time)
        require_identical(
            block[:, time : time + 1], step, f"{name}: noise of step {time} in a block and alone"
        )


def _draws(family: Family, keys: Array) -> Draws:
    with recorded_draws() as drawn:
        family.sample_task(keys)
        family.noise(keys, family.horizon)
    return drawn


def check_splits(target: Target, batch: int = 256, *, held_out: bool = True) -> None:
    """Splits draw different tasks and noise; what varies in size or kind is tested on others than trained on.

    Sizes are read through the registered id, as a user would: `gym.make_vec(id, split="test")`. Numbers of
    inputs and of outputs are compared each by itself. Kinds are those of the family's property `kinds`, if
    it has one: a tuple of strings, the kinds that tasks of its split are drawn from.

    Args:
        target: a registered id, or a family.
        batch: trials drawn per split.
        held_out: whether several sizes or kinds in training mean others in the test split.

    Raises:
        AssertionError: splits share draws of tasks or noise, or sizes or kinds are not held out.
    """
    name = name_of(target)
    sizes, drawn, kinds = {}, {}, {}
    for split in SPLITS:
        face = single(target, split=split)
        found = face.unwrapped.family.split
        require(found == split, f"{name}: asked for split {split!r}, the environment plays {found!r}")
        face.close()
        family = resolve(target, split=split)
        keys = seeded_keys(dataclasses.replace(family, split="train"), range(batch))
        keys[:, 3] = seeded_keys(family, range(1))[0, 3]  # all else equal
        parts = {f"task {part}": to_numpy(array) for part, array in leaves(family.sample_task(keys)).items()}
        noise = family.noise(keys, min(8, family.horizon))
        drawn[split] = {**parts, "noise": noise.reshape(batch, -1)}
        sizes[split] = _sizes(target, split, batch)
        kinds[split] = set(getattr(family, "kinds", ()))
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        for part, one in drawn[first].items():
            same = _same_draws(one, drawn[second][part])
            require(not same, f"{name}: splits {first!r} and {second!r} draw the same {part}")
    if held_out:
        met = {f"numbers of {side}": {split: sizes[split][side] for split in SPLITS} for side in _SIDES}
        for what, values in {**met, "kinds": kinds}.items():
            for split in ("train", "validation"):
                common = sorted(values[split] & values["test"])
                message = f"{name}: {what} {common} are in the {split} and test splits"
                fine = len(values["train"]) < 2 or not common
                require(fine, f"{message}; several {what} must hold out others")


def _same_draws(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether what two splits drew with keys equal in all but the split is equal, and not a constant."""
    if one.ndim == other.ndim == 2:  # splits may need unequal amounts of noise: compare what both have
        width = min(one.shape[1], other.shape[1])
        one, other = one[:, :width], other[:, :width]
    return bool((one != one[:1]).any()) and np.array_equal(one, other)


_SIDES = ("inputs", "outputs")


def _sizes(target: Target, split: str, batch: int) -> dict[str, set[int]]:
    """Numbers of used inputs and of used outputs met in a split."""
    env = vector(target, batch, split=split)
    observation, _ = env.reset(seed=0)
    env.close()
    return {side: {int(n) for n in observation[f"{side[:-1]}_mask"].sum(axis=1)} for side in _SIDES}
