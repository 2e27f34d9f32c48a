"""What any model reaches: outcome and normalised score on the test split of an id, on the boards' tasks."""

import inspect
import math
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from badger_envs.registry import base_id
from badger_envs.scoring import scales

_TOGETHER = 1_000
"""Trials that a model with `predict` plays side by side."""


class Evaluation(NamedTuple):
    """What a model reached.

    Attributes:
        id: of the environment.
        outcome: mean over trials of the family's outcome, `info[family.outcome]` at the end of a trial.
        standard_error: of that mean, over trials; NaN of one trial.
        score: 0 for the best policy of those tried that ignores its input, 1 for the reference solution
            (`badger_envs.scoring`); None where the id has no constants or its settings were changed.
        success: fraction of trials with `info["is_success"]`.
        outcomes: float64 [N], of each trial.
    """

    id: str
    outcome: float
    standard_error: float
    score: float | None
    success: float
    outcomes: np.ndarray


def evaluate(
    model: Any, id: str, trials: int = 100, *, seed: int = 0, deterministic: bool = True, **settings: Any
) -> Evaluation:
    """Let a model play trials of the test split.

    Trial i is what `gym.make(id, split="test").reset(seed=seed + i)` plays: with seed 0 the boards' tasks.
    Which observations the model gets is the id's matter: "Badger/XOR-2-v0" gives dicts,
    "Badger/XOR-2-flat-v0" (or `observation="flat"`) arrays.

    Args:
        model: one of
            a model of Stable-Baselines3 or sb3-contrib, or anything with their
            `predict(observation, state, episode_start, deterministic)` that gives actions and state of many
            environments at once (where it takes `action_masks`, it gets them);
            a policy with `act(observation)`, and with `reset()` if it has memory, called before each trial;
            a function from an observation to an action.
        id: a registered id.
        trials: N, at least 1.
        seed: of the first trial.
        deterministic: handed to `predict`.
        settings: settings of the family to change, and `observation`.

    Returns:
        An `Evaluation`.

    Raises:
        TypeError: the model is none of these.
        ValueError: no trials.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}; it must be at least 1")
    if hasattr(model, "predict"):
        ends = _predicted(model, id, trials, seed, deterministic, settings)
    elif hasattr(model, "act") or callable(model):
        ends = _acted(model, id, trials, seed, settings)
    else:
        raise TypeError(f"model is a {type(model).__name__}; it must be callable, or have predict() or act()")
    outcomes, successes = np.array(ends, np.float64).T
    mean = float(outcomes.mean())
    error = float(outcomes.std(ddof=1)) / math.sqrt(trials) if trials > 1 else math.nan
    scale = None if set(settings) - {"observation"} else scales().get(base_id(id))
    score = None if scale is None else scale.score(mean)
    return Evaluation(id, mean, error, score, float(successes.mean()), outcomes)


def _acted(model: Any, id: str, trials: int, seed: int, settings: dict[str, Any]) -> list[tuple[float, bool]]:
    """Outcome and success of each trial, one after the other."""
    env: Any = gym.make(id, **{"split": "test", **settings})
    act = getattr(model, "act", model)
    ends = []
    for trial in range(trials):
        observation, info = env.reset(seed=seed + trial)
        if hasattr(model, "reset"):
            model.reset()
        done = False
        while not done:
            observation, _, terminated, truncated, info = env.step(act(observation))
            done = terminated or truncated
        ends.append((info[env.unwrapped.family.outcome], info["is_success"]))
    env.close()
    return ends


def _predicted(
    model: Any, id: str, trials: int, seed: int, deterministic: bool, settings: dict[str, Any]
) -> list[tuple[float, bool]]:
    """Outcome and success of each trial, many side by side."""
    takes_masks = "action_masks" in inspect.signature(model.predict).parameters
    ends: list[tuple[float, bool]] = []
    for first in range(0, trials, _TOGETHER):
        count = min(_TOGETHER, trials - first)
        envs: Any = gym.make_vec(id, num_envs=count, **{"split": "test", **settings})
        masked = takes_masks and hasattr(envs.unwrapped, "action_masks")
        outcome = envs.unwrapped.family.outcome
        observations, infos = envs.reset(seed=seed + first)
        state, running = None, np.ones(count, np.bool_)
        outcomes, successes = np.zeros(count), np.zeros(count, np.bool_)
        start = running.copy()
        while running.any():
            masks = {"action_masks": envs.unwrapped.action_masks()} if masked else {}
            actions, state = model.predict(
                observations, state=state, episode_start=start, deterministic=deterministic, **masks
            )
            observations, _, terminations, truncations, infos = envs.step(actions)
            ended = running & (terminations | truncations)
            outcomes = np.where(ended, infos[outcome], outcomes)
            successes = np.where(ended, infos["is_success"], successes)
            running, start = running & ~ended, np.zeros(count, np.bool_)
        envs.close()
        ends += list(zip(outcomes.tolist(), successes.tolist(), strict=True))
    return ends
