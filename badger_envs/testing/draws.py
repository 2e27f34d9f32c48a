"""Checks of randomness: draws bit-equal on every backend, noise in one block, splits that do not meet."""

import dataclasses

import numpy as np

from badger_envs.family import Family
from badger_envs.random import SPLITS, Array
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
    """Splits draw different tasks; a family of several sizes is tested on sizes that it never trains on.

    What is drawn is read through the registered id, as a user would: `gym.make(id, split="test")`.

    Args:
        target: a registered id, or a family.
        batch: trials drawn per split.
        held_out: whether several sizes in training mean others in the test split.

    Raises:
        AssertionError: splits share their draws, or sizes are not held out.
    """
    name = name_of(target)
    sizes, drawn = {}, {}
    for split in SPLITS:
        face = single(target, split=split)
        found = face.unwrapped.family.split
        require(found == split, f"{name}: asked for split {split!r}, the environment plays {found!r}")
        face.close()
        family = resolve(target, split=split)
        keys = seeded_keys(dataclasses.replace(family, split="train"), range(batch))
        keys[:, 3] = seeded_keys(family, range(1))[0, 3]  # all else equal
        parts = leaves(family.sample_task(keys))
        drawn[split] = [np.reshape(to_numpy(part), (batch, -1)) for part in parts.values()]
        drawn[split].append(family.noise(keys, min(8, family.horizon)).reshape(batch, -1))
        sizes[split] = _sizes(target, split, batch)
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        one, other = drawn[first], drawn[second]
        equal = len(one) == len(other) and all(map(np.array_equal, one, other))
        require(not equal, f"{name}: splits {first!r} and {second!r} draw the same tasks and noise")
    if held_out and len(sizes["train"]) > 1:
        for split in ("train", "validation"):
            common = sizes[split] & sizes["test"]
            message = f"{name}: sizes (inputs, outputs) {sorted(common)} are in the {split} and test splits"
            require(not common, f"{message}; a range of sizes must hold out others")


def _sizes(target: Target, split: str, batch: int) -> set[tuple[int, int]]:
    """Numbers of used inputs and outputs met in a split."""
    env = vector(target, batch, split=split)
    observation, _ = env.reset(seed=0)
    env.close()
    inputs, outputs = observation["input_mask"].sum(axis=1), observation["output_mask"].sum(axis=1)
    return {(int(i), int(o)) for i, o in zip(inputs, outputs, strict=True)}
