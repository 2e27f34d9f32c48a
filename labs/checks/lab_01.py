"""Lab 1: checkers of the error, the inner loop, triangulation and the policy made of it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

import badger_envs  # noqa: F401 (registers the ids)
from labs.checks import alike, as_tensor, require


def check_error(error: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """1.1: against the formula, on B = 5 trials of d = 3 numbers."""
    rng = np.random.default_rng(0)
    guess, target = rng.uniform(-1, 1, (2, 5, 3))
    squares = (guess - target) ** 2
    returned = error(guess, target)
    require(
        np.shape(returned) != (3,),
        "it has one number per slot; average over the last axis, not the first",
    )
    require(np.shape(returned) != (), "it is one number for all trials; average over the last axis only")
    found = as_tensor(returned, (5,), "the error")
    require(not alike(found, squares.mean(axis=-1)), "the factor 3 is missing")
    require(not alike(found, 3 * squares.sum(axis=-1)), "it is a sum over the numbers; take the mean")
    require(not alike(found, 3 * np.abs(guess - target).mean(axis=-1)), "it is of distances; square them")
    require(alike(found, 3 * squares.mean(axis=-1)), "it is not 3 times the mean of (guess - target) ** 2")


class _Growing:
    """Writes 0.1, 0.2, ... in all slots, and counts how often it is reset."""

    def __init__(self) -> None:
        self.resets = self.acts = 0

    def reset(self) -> None:
        self.resets += 1
        self.acts = 0

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        self.acts += 1
        return np.full(3, 0.1 * self.acts, dtype=np.float32)


def check_play(play: Callable[[Any, Any, int], list[float]]) -> None:
    """1.2: against the errors that the environment told, in a trial of 6 steps."""
    env = gym.make("Badger/GuessingGame-v0", dims=3, horizon=6)
    _, info = env.reset(seed=3)
    first, wanted, policy = float(info["error"]), [], _Growing()
    for step in range(6):
        wanted.append(float(env.step(np.full(3, 0.1 * (step + 1), dtype=np.float32))[4]["error"]))
    found = play(env, policy, 3)
    require(found is not None, "it returns None; return the list of errors")
    found = [float(number) for number in found]
    require(policy.resets > 0, "the policy was not reset; what it knows of the last trial would stay")
    require(policy.resets == 1, "the policy was reset more than once in a trial: its memory is lost")
    require(not alike(found, [first, *wanted]), "the error of the zeros before the first step is among them")
    require(not alike(found, [first, *wanted[:-1]]), "each error is one step late: take info after the step")
    require(
        not alike(found, [-each for each in wanted]),
        "they have the wrong sign: the reward is minus the error",
    )
    require(
        len(found) == 6, f"it has {len(found)} errors; the trial has 6 steps: go on until it has terminated"
    )
    require(
        alike(found, wanted), "these are not the errors of this trial; did you pass the seed to env.reset?"
    )


def check_triangulate(triangulate: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> None:
    """1.3: on B = 4 tasks of d = 5 numbers, where 3/d is not 1."""
    target = np.random.default_rng(1).uniform(-1, 1, (4, 5))
    zero = 3 * (target**2).mean(axis=-1)  # [B]
    h = 0.5
    probes = zero[:, None] + 3 / 5 * ((h - target) ** 2 - target**2)  # [B, d]
    found = as_tensor(triangulate(zero, probes, h), (4, 5), "the target")
    require(not alike(found, -target), "the sign is wrong: e_i - e_0 = 3/d * (h^2 - 2 h t_i)")
    plain = (h**2 - (probes - zero[:, None])) / (2 * h)
    require(not alike(found, plain), "the factor d / 3 of e_i - e_0 is missing")
    require(not alike(found, target - h / 2), "the term h^2 is missing")
    require(not alike(found, 2 * target), "the 2 of 2 h t_i is missing")
    require(
        alike(found, target), "it does not find the target; solve e_i - e_0 = 3/d * (h^2 - 2 h t_i) for t_i"
    )


def check_triangulation(make: Callable[[], Any]) -> None:
    """1.4: in trials of 3 and of 5 numbers, one policy in two trials."""
    require(callable(make), "give the class itself, Triangulation, not an instance")
    policy = make()
    for d in (3, 5):
        env = gym.make("Badger/GuessingGame-v0", dims=d)
        errors = []
        for seed in (0, 1):
            observation, _ = env.reset(seed=seed)
            policy.reset()
            for _ in range(20):
                action = policy.act(observation)
                as_tensor(action, (d,), "what act returns")
                observation, _, _, _, info = env.step(np.asarray(action, dtype=np.float32))
                errors.append(float(info["error"]))
        first, second = errors[:20], errors[20:]
        require(
            first[d] < 1e-4 or first[d + 1] >= 1e-4,
            f"with {d} numbers it is right in step {d + 2}, and could be in step {d + 1}: the first"
            " observation tells e_0 before anything is written",
        )
        require(
            first[d] < 1e-4,
            f"with {d} numbers the error of step {d + 1} is {first[d]:.3f}, not 0: is each error held to be"
            " of the probe of the step before?",
        )
        require(max(first[d:]) < 1e-4, f"the answer is right in step {d + 1} and is not written to the end")
        require(
            second[d] < 1e-4, "the second trial fails where the first does not: reset() must forget the first"
        )


CHECKS: dict[str, Callable[[Any], None]] = {
    "1.1": check_error,
    "1.2": check_play,
    "1.3": check_triangulate,
    "1.4": check_triangulation,
}
