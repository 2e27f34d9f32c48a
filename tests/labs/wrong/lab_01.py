"""Lab 1: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

import numpy as np

from labs.solutions.lab_01 import Triangulation, triangulate


def returns_rewards(env: Any, policy: Any, seed: int) -> list[float]:
    observation, _ = env.reset(seed=seed)
    policy.reset()
    rewards = []
    for _ in range(env.unwrapped.family.horizon):
        observation, reward, *_ = env.step(policy.act(observation))
        rewards.append(float(reward))
    return rewards


def begins_with_zeros(env: Any, policy: Any, seed: int) -> list[float]:
    observation, info = env.reset(seed=seed)
    policy.reset()
    errors, terminated = [float(info["error"])], False
    while not terminated:
        observation, _, terminated, _, info = env.step(policy.act(observation))
        errors.append(float(info["error"]))
    return errors


def never_resets(env: Any, policy: Any, seed: int) -> list[float]:
    observation, _ = env.reset(seed=seed)
    return [float(env.step(policy.act(observation))[4]["error"]) for _ in range(env.unwrapped.family.horizon)]


class Late(Triangulation):
    """Writes zeros first, though their error is known."""

    def reset(self) -> None:
        super().reset()
        self.begun = False

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        if not self.begun:
            self.begun = True
            return np.zeros_like(observation["outputs"])
        return super().act(observation)


class Shifted(Triangulation):
    """Takes an error for that of the probe which it is about to write."""

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        d = len(observation["outputs"])
        self.heard.append(float(observation["feedback"][0]))
        if len(self.heard) <= d:
            return self.h * np.eye(d, dtype=np.float32)[len(self.heard) - 1]
        zero, probes = np.array(self.heard[:1]), np.array([self.heard[:d]])
        return triangulate(zero, probes, self.h)[0].astype(np.float32)


class Forgetless(Triangulation):
    """Does not forget the last trial."""

    def __init__(self) -> None:
        super().__init__()
        super().reset()

    def reset(self) -> None:
        if len(self.heard) and self.found is not None and len(self.found) != 3:
            super().reset()


WRONG: dict[str, list[tuple[Any, str]]] = {
    "1.1": [
        (lambda guess, target: 3 * ((guess - target) ** 2).mean(axis=0), "not the first"),
        (lambda guess, target: ((guess - target) ** 2).mean(axis=-1), "factor 3"),
        (lambda guess, target: 3 * ((guess - target) ** 2).mean(), "one number for all trials"),
        (lambda guess, target: 3 * abs(guess - target).mean(axis=-1), "square them"),
    ],
    "1.2": [
        (returns_rewards, "wrong sign"),
        (begins_with_zeros, "before the first step"),
        (never_resets, "not reset"),
    ],
    "1.3": [
        (lambda zero, probes, h: (h**2 - (probes - zero[:, None])) / (2 * h), "d / 3"),
        (lambda zero, probes, h: -triangulate(zero, probes, h), "sign"),
        (lambda zero, probes, h: triangulate(zero, probes, h) - h / 2, "h^2 is missing"),
        (lambda zero, probes, h: triangulate(zero, probes, h).T, "shape"),
    ],
    "1.4": [(Late, "could be in step"), (Shifted, "step before"), (Forgetless, "must forget")],
}
