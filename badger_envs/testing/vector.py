"""A checker for any vector environment of Gymnasium, which has none: not for ours only."""

import inspect
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from badger_envs.testing.subject import Target, name_of, require, require_close, single, vector
from badger_envs.testing.vector_steps import Returned, check_infos, row_of, slices, unshared, values_of

_FRAMEWORK = ("episode", "final_obs", "final_info")
"""Infos of Gymnasium's own, which are there only where a trial has ended."""


def check_vector_env(
    env: VectorEnv | Target, *, num_envs: int = 3, steps: int = 250, seed: int = 5, **settings: Any
) -> None:
    """A vector environment keeps the conventions of Gymnasium's `VectorEnv`.

    Checked are: attributes and spaces; a number, a list and no seed; that the same seed gives the same
    trial again; types and shapes of what is returned; that infos have constant keys, each with its mask;
    that no array is shared between any two things returned, or with the actions; that actions are left
    as they are; the environment's autoreset mode; `options={"reset_mask": ...}`.

    Of an id or a family, the environments of `gym.make_vec` are also compared with those of `gym.make`,
    seeded with seed, seed + 1, ..., over all steps and autoresets; and every autoreset mode is checked, if
    the environment takes `autoreset_mode` as an argument.

    Args:
        env: a vector environment (it is used, and not closed), any registered id, or a family.
        num_envs: number of environments, of an id or a family.
        steps: how many to take. Autoreset is checked if a trial ends within them.
        seed: the seed.
        settings: keywords for `gym.make_vec` and `gym.make`, of an id; settings of a family.

    Raises:
        AssertionError: a convention is broken; the message says which.
    """
    if isinstance(env, VectorEnv):
        _Check(env, type(env.unwrapped).__name__, seed).run(steps, None)
        return
    modes = [mode.name for mode in AutoresetMode] if _takes_mode(env) else [None]
    for mode in modes:
        chosen: dict[str, Any] = {} if mode is None else {"autoreset_mode": mode}
        made = vector(env, num_envs, **chosen, **settings)
        check = _Check(made, f"{name_of(env)} ({made.metadata['autoreset_mode']})", seed)
        if mode is not None:
            check.require(made.metadata["autoreset_mode"] is AutoresetMode[mode], f"is not in mode {mode}")
        singles = [single(env, **settings) for _ in range(num_envs)]
        check.run(steps, singles)
        made.close()
        for one in singles:
            one.close()


def _takes_mode(target: Target) -> bool:
    if not isinstance(target, str):
        return True
    entry = gym.spec(target).vector_entry_point
    if entry is None:
        return False
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    return "autoreset_mode" in inspect.signature(creator).parameters


class _Check:
    """One vector environment under check."""

    def __init__(self, env: VectorEnv, name: str, seed: int) -> None:
        self.env, self.name, self.seed = env, name, seed
        self.n = env.num_envs
        self.mode = env.metadata.get("autoreset_mode")
        self.keys: list[str] | None = None
        self.kept: list[tuple[str, list[np.ndarray]]] = []  # arrays of the last things returned

    def require(self, condition: Any, message: str) -> None:
        require(condition, f"{self.name}: {message}")

    def tried(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            raise AssertionError(f"{self.name}: {what} raises {type(error).__name__}: {error}") from error

    def run(self, steps: int, singles: list[gym.Env] | None) -> None:
        self.check_attributes()
        self.check_seeds()
        self.check_steps(steps, singles)
        self.check_reset_mask()

    def check_attributes(self) -> None:
        env = self.env
        self.require(isinstance(self.n, int) and self.n >= 1, f"num_envs is {self.n!r}")
        self.require(
            isinstance(self.mode, AutoresetMode),
            f"metadata['autoreset_mode'] is {self.mode!r}, no AutoresetMode",
        )
        for what in ("observation", "action"):
            one, all_ = getattr(env, f"single_{what}_space"), getattr(env, f"{what}_space")
            message = f"{what}_space is not single_{what}_space batched {self.n} times"
            self.require(all_ == batch_space(one, self.n), message)

    def reset(self, what: str, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        returned = self.tried(what, lambda: self.env.reset(**arguments))
        pair = isinstance(returned, tuple) and len(returned) == 2
        self.require(pair, f"{what} does not return (observations, infos)")
        observation, infos = returned
        inside = self.env.observation_space.contains(observation)
        self.require(inside, f"{what} gives an observation that is not in observation_space")
        self.check_infos(infos, what)
        self.keep(what, observation, infos)
        return observation, infos

    def step(self, actions: Any, what: str) -> Returned:
        before = [array.copy() for array in values_of(actions)]
        returned = self.tried(what, lambda: self.env.step(actions))
        self.require(
            isinstance(returned, tuple) and len(returned) == 5, f"{what} does not return five things"
        )
        step = Returned(*returned)
        same = all(map(np.array_equal, before, values_of(actions)))
        self.require(same, f"{what} changes the actions that it is given")
        inside = self.env.observation_space.contains(step.observation)
        self.require(inside, f"{what} gives an observation that is not in observation_space")
        for field, kinds in (("reward", "fiu"), ("terminated", "b"), ("truncated", "b")):
            array = getattr(step, field)
            right = isinstance(array, np.ndarray) and array.shape == (self.n,) and array.dtype.kind in kinds
            self.require(right, f"{what} gives {field} {array!r}, no array [{self.n}] of the right kind")
        self.require(np.isfinite(step.reward).all(), f"{what} gives rewards {step.reward}")
        self.check_infos(step.infos, what)
        self.keep(what, *step, beside=actions)
        return step

    def check_infos(self, infos: Any, what: str) -> None:
        self.require(isinstance(infos, dict), f"{what} gives infos {type(infos).__name__}, no dict")
        problem = check_infos(infos, self.n)
        self.require(problem is None, f"{what}: {problem}")
        keys = sorted(key for key in infos if key.removeprefix("_") not in _FRAMEWORK)
        self.keys = keys if self.keys is None else self.keys
        self.require(keys == self.keys, f"{what}: keys of infos change from {self.keys} to {keys}")

    def keep(self, what: str, *returned: Any, beside: Any = None) -> None:
        """Arrays of the last two things returned share no memory, nor do those of one, nor the actions."""
        arrays = [array for part in returned for array in values_of(part)]
        apart = unshared([*arrays, *values_of(beside)])
        self.require(apart, f"{what}: two of the arrays returned, or the actions, share memory")
        for earlier, others in self.kept:
            apart = unshared([*arrays, *others])
            self.require(apart, f"{what} returns an array that {earlier} has already returned")
        self.kept = [*self.kept[-1:], (what, arrays)]

    def actions(self, count: int) -> list[Any]:
        self.env.action_space.seed(self.seed)
        return [self.env.action_space.sample() for _ in range(count)]

    def check_seeds(self) -> None:
        first, _ = self.reset("reset(seed=number)", seed=self.seed)
        actions = self.actions(3)
        moved = [self.step(action, f"step {i}").observation for i, action in enumerate(actions[:1])]
        again, _ = self.reset("a second reset(seed=number)", seed=self.seed)
        self.same(first, again, "the same seed gives another first observation")
        self.same(moved[0], self.step(actions[0], "step 0").observation, "the same seed gives another trial")
        seeds = [self.seed + i for i in range(self.n)]
        listed, _ = self.reset("reset(seed=list)", seed=seeds)
        self.same(first, listed, "a list of seeds s, s + 1, ... and the seed s give other observations")
        later, _ = self.reset("reset() without a seed")
        self.reset("reset(seed=number)", seed=self.seed)
        repeated, _ = self.reset("reset() without a seed")
        self.same(later, repeated, "reset() after a seed gives another observation the second time")

    def same(self, first: Any, second: Any, message: str) -> None:
        equal = all(map(np.array_equal, values_of(first), values_of(second)))
        self.require(equal, message)

    def check_steps(self, steps: int, singles: list[gym.Env] | None) -> None:
        """Steps and autoresets, beside single environments if given."""
        observation, _ = self.reset("reset(seed=number)", seed=self.seed)
        for i, one in enumerate(singles or []):
            self.match(i, one.reset(seed=self.seed + i)[0], observation, "after reset")
        done, ends = np.zeros(self.n, bool), 0
        enough = 2 if self.mode is AutoresetMode.NEXT_STEP else 1
        for time, actions in enumerate(self.actions(steps)):
            what = f"step {time}"
            if self.mode is AutoresetMode.DISABLED and done.any():
                observation, _ = self.reset("reset with a reset_mask", options={"reset_mask": done.copy()})
                self.rest(singles, done, observation, "after reset with a reset_mask")
                done = np.zeros(self.n, bool)
            step = self.step(actions, what)
            begun = done if self.mode is AutoresetMode.NEXT_STEP else np.zeros(self.n, bool)
            idle = not (
                step.reward[begun].any() or step.terminated[begun].any() or step.truncated[begun].any()
            )
            self.require(idle, f"{what}: NEXT_STEP: rewards or ends where a new trial has just begun")
            done = step.terminated | step.truncated
            self.check_final(step, done, what)
            for i, one in enumerate(singles or []):
                self.follow(i, one, actions, step, bool(begun[i]), what)
            ends += bool(done.any())
            if ends >= enough and not done.any():
                break

    def check_final(self, step: Returned, done: np.ndarray, what: str) -> None:
        wanted = self.mode is AutoresetMode.SAME_STEP and bool(done.any())
        for key in ("final_obs", "final_info"):
            self.require((key in step.infos) == wanted, f"{what}: {key!r} is {'not ' * wanted}in infos")
        if not wanted:
            return
        for key in ("_final_obs", "_final_info"):
            self.require(np.array_equal(step.infos[key], done), f"{what}: {key!r} does not say who ended")
        for i in np.flatnonzero(done):
            inside = self.env.single_observation_space.contains(step.infos["final_obs"][i])
            self.require(inside, f"{what}: final_obs[{i}] is not in single_observation_space")

    def follow(self, i: int, one: gym.Env, actions: Any, step: Returned, begun: bool, what: str) -> None:
        """Environment i does as the single environment does."""
        if begun:
            self.match(i, one.reset()[0], step.observation, f"{what}, its first after autoreset")
            return
        action = row_of(self.env.single_action_space, actions, i)
        observation, reward, terminated, truncated, info = one.step(action)
        end = (bool(step.terminated[i]), bool(step.truncated[i]))
        self.require(end == (terminated, truncated), f"{what}: environment {i} and gym.make end differently")
        require_close(
            np.array([float(reward)]),
            step.reward[i : i + 1].astype(float),
            f"{self.name}: {what}: reward {i}",
        )
        infos = step.infos
        if (terminated or truncated) and self.mode is AutoresetMode.SAME_STEP:
            infos = step.infos["final_info"]
            final = step.infos["final_obs"]
            self.match_values(i, observation, final[i], f"{what}, final_obs")
            observation = one.reset()[0]
        self.match(i, observation, step.observation, what)
        for key, value in info.items():
            self.require(
                key in infos and infos[f"_{key}"][i], f"{what}: info {key!r} of environment {i} is missing"
            )
            self.match_values(i, value, infos[key][i], f"{what}, info {key!r}")

    def rest(self, singles: list[gym.Env] | None, mask: np.ndarray, observation: Any, what: str) -> None:
        for i, one in enumerate(singles or []):
            if mask[i]:
                self.match(i, one.reset()[0], observation, what)

    def match(self, i: int, expected: Any, batched: Any, what: str) -> None:
        self.match_values(i, expected, slices(self.env.single_observation_space, batched, self.n)[i], what)

    def match_values(self, i: int, expected: Any, found: Any, what: str) -> None:
        first, second = values_of(expected), values_of(found)
        self.require(len(first) == len(second), f"{what}: environment {i} and gym.make differ in their parts")
        for one, other in zip(first, second, strict=True):
            label = f"{self.name}: {what}: environment {i}, beside gym.make,"
            require_close(np.asarray(one), np.asarray(other), label)

    def check_reset_mask(self) -> None:
        """A mask resets its environments, and leaves the others where they are."""
        if self.n < 2:
            return
        self.reset("reset(seed=number)", seed=self.seed)
        before = self.step(self.actions(1)[0], "a step before a masked reset")
        if (before.terminated | before.truncated).any():
            return
        mask = np.arange(self.n) % 2 == 0
        given = mask.copy()
        after, _ = self.reset("reset with a reset_mask", seed=self.seed, options={"reset_mask": mask})
        self.require(np.array_equal(mask, given), "reset changes the reset_mask that it is given")
        fresh, _ = self.reset("reset(seed=number)", seed=self.seed)
        space = self.env.single_observation_space
        rows = (slices(space, part, self.n) for part in (before.observation, after, fresh))
        for i, (old, now, new) in enumerate(zip(*rows, strict=True)):
            side = "begin anew" if mask[i] else "stay where it was"
            self.same(
                new if mask[i] else old, now, f"reset_mask is {mask[i]}, but environment {i} does not {side}"
            )
