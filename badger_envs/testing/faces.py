"""Checks that the four faces play the same trials, whatever the number of environments."""

import importlib.util
import json
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from badger_envs import keyed_random
from badger_envs.family import Family
from badger_envs.testing.subject import (
    Draws,
    Target,
    Trajectory,
    legal_actions,
    name_of,
    play,
    recorded_draws,
    require,
    require_draws,
    require_equal,
    require_identical,
    resolve,
    rows,
    seeded_keys,
    single,
    stack,
    to_numpy,
    to_torch,
    torch_devices,
    vector,
)


def check_faces(target: Target, num_envs: Sequence[int] = (1, 7, 1024), seed: int = 11) -> None:
    """Same seed, same actions: bit-equal draws and equal trajectories on all faces.

    Faces are `gym.make` (two trials), `gym.make_vec` with each of `num_envs`, the batched torch face (on
    a GPU too, where there is one), and both of PettingZoo if it is installed. Every face's info has the
    same keys throughout.

    Args:
        target: a registered id, or a family.
        num_envs: numbers of environments of the vector face; the largest is the torch face's batch.
        seed: of the first environment.

    Raises:
        AssertionError: faces disagree.
    """
    family, name = resolve(target), name_of(target)
    if isinstance(target, str):
        json.loads(gym.spec(target).to_json())
    keys = seeded_keys(family, range(seed, seed + max(num_envs)))
    actions = legal_actions(family, keys, family.horizon)
    with recorded_draws() as draws:
        expected = play(family, keys, actions)
    for n in num_envs:
        with recorded_draws() as found:
            played = _vector_trial(target, n, seed, actions[:, :n])
        what = f"{name}: make_vec with {n} environments"
        require_draws(draws, found, keys[:n], what)
        require_equal(rows(expected, slice(n)), played, what)
    for device in torch_devices():
        with recorded_draws() as found:
            played = _batched_trial(family, seed, actions, device)
        require_draws(draws, found, keys, f"{name}: torch face on {device}")
        require_equal(expected, played, f"{name}: torch face on {device}")
    for row in range(min(2, len(keys))):
        _check_single(target, seed + row, rows(expected, slice(row, row + 1)), draws, actions[:, row])
    if importlib.util.find_spec("pettingzoo"):
        from pettingzoo.utils.conversions import aec_to_parallel_wrapper

        from badger_envs.faces.pettingzoo import env, parallel_env

        for face, agents in (("", parallel_env(target)), ("AEC ", aec_to_parallel_wrapper(env(target)))):
            played = _pettingzoo_trial(agents, target, seed, actions[:, 0])
            require_equal(rows(expected, slice(1)), played, f"{name}: PettingZoo {face}face")


def check_seeding(target: Target, seed: int = 3) -> None:
    """Environment i seeded with s is the single environment seeded with s + i, whatever N is.

    Also: the same seed gives the same first observation again, a list of seeds is as good as a number,
    later trials count up, and the keys of an environment do not depend on its neighbours.

    Args:
        target: a registered id, or a family.
        seed: s.

    Raises:
        AssertionError: it is not.
    """
    name = name_of(target)
    firsts: dict[int, list[dict[str, np.ndarray]]] = {}
    for n in (1, 2, 5):
        env: Any = vector(target, n)  # Any: Gymnasium's type knows no lists of seeds
        first, second = env.reset(seed=seed)[0], env.reset()[0]
        listed = env.reset(seed=[seed + i for i in range(n)])[0]
        require_identical(first, listed, f"{name}: observations of a list of seeds")
        require_identical(second, env.reset()[0], f"{name}: observations of the second trial of a seed")
        firsts[n] = [first, second]
        env.close()
    for trial in (0, 1):
        for n in (1, 2):
            part = {field: array[:n] for field, array in firsts[5][trial].items()}
            require_identical(part, firsts[n][trial], f"{name}: trial {trial} of {n} and of 5 environments")
    env = single(target)
    for row in (0, 1):
        for trial in (0, 1):
            alone = env.reset(seed=None if trial else seed + row)[0]
            part = {field: array[row] for field, array in firsts[5][trial].items()}
            require_identical(part, alone, f"{name}: gym.make seeded {seed + row}, trial {trial}")
    env.close()


def _check_single(target: Target, seed: int, expected: Trajectory, draws: Draws, actions: np.ndarray) -> None:
    """`gym.make` seeded with `seed`: its first trial, and the next one after a bare `reset()`."""
    name, family = f"{name_of(target)}: gym.make seeded {seed}", resolve(target)
    env = single(target)
    with recorded_draws() as found:
        played = _single_trial(env, seed, actions, name)
    require_draws(draws, found, seeded_keys(family, range(seed, seed + 1)), name)
    require_equal(expected, played, name)
    keys = keyed_random.trial_keys([seed], 1, family.split)
    later = play(family, keys, actions[:, None])
    require_equal(later, _single_trial(env, None, actions, name), f"{name}, second trial")
    env.close()


def _single_trial(env: Any, seed: int | None, actions: np.ndarray, name: str) -> Trajectory:
    """One trial of the Gymnasium face, a trajectory of one row; its last step is repeated to the horizon."""
    observation, info = env.reset(seed=seed)
    known, records = list(info), [_seen(observation, info)]
    for time, action in enumerate(actions):
        if not (time and records[-1]["terminated"]):
            observation, reward, terminated, truncated, info = env.step(action)
            require(list(info) == known, f"{name}: keys of info change from {known} to {list(info)}")
            require(
                env.observation_space.contains(observation), f"{name}: an observation is not in the space"
            )
            require(truncated is False, f"{name}: truncated is {truncated!r}, not False, at step {time}")
        records.append({**_seen(observation, info), "reward": reward, "terminated": terminated})
    return {field: array[:, None] for field, array in stack(records).items()}


def _vector_trial(target: Target, n: int, seed: int, actions: np.ndarray) -> Trajectory:
    """The first trial of the vector face."""
    env = vector(target, n)
    observation, info = env.reset(seed=seed)
    records = [_seen(observation, info)]
    for action in actions:
        observation, reward, terminated, _, info = env.step(action)
        records.append({**_seen(observation, info), "reward": reward, "terminated": terminated})
    env.close()
    return stack(records)


def _batched_trial(family: Family, seed: int, actions: np.ndarray, device: str) -> Trajectory:
    """The first trial of the torch face."""
    from badger_envs.faces.batched import BatchedEnv

    env = BatchedEnv(family, actions.shape[1], device)
    records = [_flat(env.reset(seed=seed)._asdict())]
    for action in actions:
        step = env.step(to_torch(action, device))
        record = _flat(step.observation._asdict()) | {f"info {k}": to_numpy(v) for k, v in step.info.items()}
        results = {"reward": step.reward, "loss": step.loss, "terminated": step.terminated}
        records.append(record | {field: to_numpy(value) for field, value in results.items()})
    info = env.family.info(env.task, env.family.initial_state(env.task))  # `reset` does not return it
    records[0] |= {f"info {name}": to_numpy(value) for name, value in info.items()}
    return stack(records)


def _pettingzoo_trial(env: Any, target: Target, seed: int, actions: np.ndarray) -> Trajectory:
    """The first trial of a PettingZoo ParallelEnv, while experts chatter over the channel; closes it."""
    family, experts = env.unwrapped.family, len(env.possible_agents)
    widths = {name: box.shape[0] for name, box in single(target).observation_space.spaces.items()}
    size = env.action_space(env.possible_agents[0]).shape[0]
    keys = np.repeat(seeded_keys(family, range(seed, seed + 1)), experts, axis=0)
    keys[:, 2] = np.arange(experts)
    chatter = (
        2 * keyed_random.uniform(keys, "checks: messages", family.horizon * size, dtype=family.dtype) - 1
    )
    chatter = chatter.reshape(experts, family.horizon, size)

    def seen(infos: dict[str, dict[str, Any]]) -> dict[str, Any]:
        parts = np.split(env.state(), np.cumsum(list(widths.values())))
        info = next(iter(infos.values()))
        require(all(other == info for other in infos.values()), "PettingZoo: experts' infos differ")
        return _seen(dict(zip(widths, parts, strict=False)), info)

    _, infos = env.reset(seed=seed)
    records = [seen(infos)]
    for time, action in enumerate(actions):
        if env.agents:
            acts = chatter[:, time].copy()
            written = np.eye(family.slots.outputs)[action] if family.action_kind == "categorical" else action
            acts[: family.slots.outputs, 0] = written
            _, rewards, ends, _, infos = env.step(dict(zip(env.agents, acts, strict=True)))
            require(len(set(rewards.values())) == 1, "PettingZoo: experts' rewards differ")
            reward, end = next(iter(rewards.values())), all(ends.values())
        records.append({**seen(infos), "reward": reward, "terminated": end})
    env.close()
    return {field: array[:, None] for field, array in stack(records).items()}


def _seen(observation: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """What a NumPy face shows, under the names of a trajectory; what the faces add is left out."""
    kept = {
        k: v for k, v in info.items() if not k.startswith("_") and k not in ("unused_slot", "action_mask")
    }
    kept = {name: value for name, value in kept.items() if not name.startswith("final_")}
    return {**observation, **{f"info {name}": value for name, value in kept.items()}}


def _flat(observation: dict[str, Any]) -> dict[str, np.ndarray]:
    """A torch observation in NumPy rows, arrays of no numbers left out."""
    arrays = {name: to_numpy(tensor) for name, tensor in observation.items()}
    return {name: array.reshape(len(array), -1) for name, array in arrays.items() if array.size}
