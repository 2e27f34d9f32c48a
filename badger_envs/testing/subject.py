"""What is checked: a family behind an id or by itself, its faces, and trajectories to compare."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv

from badger_envs import keyed_random
from badger_envs.faces.gymnasium_env import FamilyEnv
from badger_envs.faces.spaces import slot_shapes
from badger_envs.faces.vector_env import FamilyVectorEnv
from badger_envs.family import Family
from badger_envs.keyed_random import Array
from badger_envs.registry import family_of

Target = str | Family
"""What to check: a registered id, or a family that can be imported as "module:Class"."""

Draws = dict[tuple[str, int, int], dict[bytes, bytes]]
"""Words drawn: by name, start and count of a segment, and by key."""

Trajectory = dict[str, np.ndarray]
"""Arrays by name: observations and infos [T + 1, B, ...], "reward" and "terminated" [T, B]."""

RELATIVE, ABSOLUTE = 1e-5, 1e-6
"""Tolerances between faces, backends and batch sizes; the second in units of the array's largest value."""


def require(condition: Any, message: str) -> None:
    """AssertionError with the message unless the condition holds (also under python -O)."""
    if not condition:
        raise AssertionError(message)


def name_of(target: Target) -> str:
    """How messages call it."""
    return target if isinstance(target, str) else type(target).__name__


def resolve(target: Target, **settings: Any) -> Family:
    """The family, with settings changed where given."""
    if isinstance(target, str):
        return family_of(target, **settings)
    return type(target)(**{**target.settings(), **settings}) if settings else target


def family_path(family: Family) -> str:
    """The family as "module:Class"."""
    return f"{type(family).__module__}:{type(family).__qualname__}"


def single(target: Target, **settings: Any) -> Any:
    """The Gymnasium face: `gym.make` of an id, the bare face of a family."""
    if isinstance(target, str):
        return gym.make(target, disable_env_checker=True, **settings)
    return FamilyEnv(target, **settings)


def vector(target: Target, num_envs: int, **settings: Any) -> VectorEnv:
    """The vector face: `gym.make_vec` of an id, the bare face of a family."""
    if isinstance(target, str):
        return gym.make_vec(target, num_envs=num_envs, **settings)
    return FamilyVectorEnv(num_envs, target, **settings)


def seeded_keys(family: Family, seeds: range, trial: int = 0) -> np.ndarray:
    """Keys of the trials that environments of these seeds play: int64 [B, 4]."""
    return keyed_random.trial_keys(seeds, trial, family.split)


def legal_actions(family: Family, keys: Array, steps: int) -> np.ndarray:
    """Pseudo-random legal actions, a function of the keys: [T, B, O] floats or [T, B] indices."""
    keys = to_numpy(keys)
    outputs = family.slots.outputs
    if family.action_kind == "categorical":
        return np.ascontiguousarray(keyed_random.integers(keys, "checks: action", steps, 0, outputs - 1).T)
    drawn = keyed_random.uniform(keys, "checks: action", steps * outputs, dtype=family.dtype)
    return (2 * drawn - 1).reshape(len(keys), steps, outputs).swapaxes(0, 1).copy()


def play(family: Family, keys: Array, actions: np.ndarray) -> Trajectory:
    """Play whole trials on the pure functions, on the backend of the keys."""
    task = family.sample_task(keys)
    state = family.initial_state(task)
    noise = family.noise(keys, len(actions))
    records = [_shown(family, task, state)]
    for time, action in enumerate(actions):
        moved = family.step(task, state, like(action, keys), noise[:, time])
        state = moved.state
        results = {"reward": moved.reward, "loss": moved.loss, "terminated": moved.terminated}
        records.append({**_shown(family, task, state), **{k: to_numpy(v) for k, v in results.items()}})
    return stack(records)


def _shown(family: Family, task: Any, state: Any) -> dict[str, np.ndarray]:
    observation = family.observe(task, state)
    shown = {name: to_numpy(getattr(observation, name)) for name in slot_shapes(family)}
    shown = {name: array.reshape(len(array), -1) for name, array in shown.items()}
    return shown | {f"info {name}": to_numpy(value) for name, value in family.info(task, state).items()}


def stack(records: list[dict[str, Any]]) -> Trajectory:
    """A trajectory from what was seen at the start and after every step."""
    return {
        name: np.stack([record[name] for record in records if name in record])
        for name in dict.fromkeys(key for record in records for key in record)
    }


def until_end(terminated: np.ndarray) -> np.ndarray:
    """Bool [T, B]: the steps of a trial up to its last one, given terminations [T, B]."""
    before = np.cumsum(terminated, axis=0) - terminated
    return before == 0


def rows(trajectory: Trajectory, chosen: slice) -> Trajectory:
    """Some rows of a trajectory."""
    return {name: array[:, chosen] for name, array in trajectory.items()}


def require_equal(expected: Trajectory, found: Trajectory, what: str) -> None:
    """AssertionError unless trajectories agree up to the end of each trial.

    Integers and booleans must be equal, floats within the tolerances. What `found` lacks is not compared.
    """
    running = until_end(expected["terminated"])  # [T, B]
    started = np.concatenate([np.ones_like(running[:1]), running])  # [T + 1, B]
    for name, array in found.items():
        if name not in expected:
            raise AssertionError(f"{what}: {name!r} is not in the family's trajectory")
        wanted = expected[name]
        require(array.shape == wanted.shape, f"{what}: {name!r} has shape {array.shape}, not {wanted.shape}")
        where = running if len(wanted) == len(running) else started
        require_close(wanted[where], array[where], f"{what}: {name!r}")


def require_close(expected: np.ndarray, found: np.ndarray, what: str) -> None:
    """AssertionError unless arrays agree: integers and booleans exactly, floats within the tolerances."""
    require(expected.shape == found.shape, f"{what} has shape {found.shape}, not {expected.shape}")
    if np.array_equal(expected, found):
        return
    if expected.dtype.kind != "f":
        raise AssertionError(f"{what} differs: {_first(expected, found, expected != found)}")
    finite = expected[np.isfinite(expected)]
    scale = max(1.0, float(np.abs(finite).max())) if finite.size else 1.0
    close = np.isclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE * scale, equal_nan=True)
    if not close.all():
        raise AssertionError(f"{what} differs: {_first(expected, found, ~close)}")


def _first(expected: np.ndarray, found: np.ndarray, wrong: np.ndarray) -> str:
    where = tuple(np.argwhere(wrong)[0].tolist())
    return (
        f"{found[where]} instead of {expected[where]} at {where} ({int(wrong.sum())} of {wrong.size} places)"
    )


def bits(array: Any) -> np.ndarray:
    """An array as bytes, for comparisons in which -0 is not 0 and NaN is itself."""
    return np.ascontiguousarray(to_numpy(array)).reshape(-1).view(np.uint8)


def require_identical(expected: Any, found: Any, what: str) -> None:
    """AssertionError unless two arrays, or two structures of arrays, are equal bit by bit."""
    first, second = leaves(expected), leaves(found)
    require(first.keys() == second.keys(), f"{what}: parts {list(second)} instead of {list(first)}")
    for name, array in first.items():
        other = second[name]
        same = array.dtype == other.dtype and array.shape == other.shape
        same = bool(same and np.array_equal(bits(array), bits(other)))
        require(same, f"{what}: {name or 'it'} is not the same bit by bit")


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Arrays in a structure of tuples, lists and dicts, by their places in it."""
    if value is None:
        return {}
    if hasattr(value, "_fields"):
        value = value._asdict()
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= leaves(item, f"{name}.{key}" if name else str(key))
        return found
    return {name: value}


def like(array: np.ndarray, keys: Array) -> Array:
    """A NumPy array on the backend and device of the keys."""
    if isinstance(keys, np.ndarray):
        return array
    import torch

    return torch.from_numpy(array).to(keys.device)


def to_torch(array: np.ndarray, device: str = "cpu") -> Any:
    """A NumPy array as a tensor of its own."""
    import torch

    return torch.from_numpy(array.copy()).to(device)


def to_numpy(array: Any) -> np.ndarray:
    """An array of any backend as a NumPy array."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


def torch_devices() -> list[str]:
    """Devices to check on: the CPU, and a GPU where there is one."""
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@contextlib.contextmanager
def recorded_draws() -> Iterator[Draws]:
    """Collect all words that are drawn."""
    drawn: Draws = {}
    words = keyed_random.words

    def record(keys: Array, name: str, count: int, start: int = 0) -> Array:
        made = words(keys, name, count, start)
        if count:
            pairs = zip(to_numpy(keys).astype("<i8"), to_numpy(made).astype("<i8"), strict=True)
            stream = drawn.setdefault((name, start, count), {})
            stream.update({key.tobytes(): row.tobytes() for key, row in pairs})
        return made

    with mock.patch.object(keyed_random, "words", record):
        yield drawn


def require_draws(expected: Draws, found: Draws, keys: Array, what: str) -> None:
    """AssertionError unless every segment of `expected` for these keys is in `found`, bit by bit."""
    rows = [key.tobytes() for key in to_numpy(keys).astype("<i8")]
    for (name, start, count), stream in expected.items():
        drawn = found.get((name, start, count))
        if drawn is None:
            raise AssertionError(f"{what}: {count} words of {name!r} are not drawn")
        same = all(drawn.get(row) == stream[row] for row in rows if row in stream)
        require(same, f"{what}: draws of {name!r} are not bit-equal")
