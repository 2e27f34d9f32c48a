"""Checks of actions: what is legal is taken and stays within bounds, what is not gives one clear line."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from badger_envs.family import Family
from badger_envs.testing.subject import (
    Target,
    legal_actions,
    name_of,
    require,
    require_identical,
    resolve,
    seeded_keys,
    single,
    vector,
)


def check_actions(target: Target, seed: int = 0, num_envs: int = 3, **settings: Any) -> None:
    """Legal actions never fail nor leave the declared spaces; illegal ones change nothing.

    Plays one trial on the Gymnasium and vector faces with pseudo-random actions, extreme ones among
    them, beside a twin that gets values of continuous and binary actions stretched beyond [-1, 1] wherever
    they are at its ends: they are clipped. Before every third step illegal actions are tried: NaN, infinity,
    indices out of range, wrong shape, wrong dtype, nothing at all. A search over seeds and settings
    (hypothesis, say) can call this.

    Args:
        target: a registered id, or a family.
        seed: of the environments and the actions.
        num_envs: number of environments of the vector face.
        settings: settings of the family to change.

    Raises:
        AssertionError: a legal action fails or leads out of the spaces, or a value beyond is not clipped; an
            illegal one passes, gives another error than ValueError or TypeError or one of several lines, or
            changes the trial.
    """
    family, name = resolve(target, **settings), name_of(target)
    actions = legal_actions(family, seeded_keys(family, range(seed, seed + num_envs)), family.horizon)
    if actions.dtype.kind == "f":
        actions[1::3] = np.sign(actions[1::3])
        actions[2::5] = 0
    envs = {"gym.make": single(target, **settings), "make_vec": vector(target, num_envs, **settings)}
    for face, env in envs.items():
        what, batched = f"{name} ({face})", face == "make_vec"
        legal = actions if batched else actions[:, 0]
        twin = single(target, **settings) if not batched else vector(target, num_envs, **settings)
        observation, _ = env.reset(seed=seed)
        twin.reset(seed=seed)
        require(
            env.observation_space.contains(observation), f"{what}: the first observation is not in the space"
        )
        for time, action in enumerate(legal):
            require(
                env.action_space.contains(action if np.ndim(action) else np.int64(action)),
                f"{what}: legal action {time} is not in the space",
            )
            if time % 3 == 0:
                for label, illegal in _illegal(family, (num_envs,) if batched else ()):
                    _check_refused(env, illegal, f"{what}: an action of {label}")
            before = np.array(action)
            returned, undisturbed = env.step(action), twin.step(_beyond(action))
            require_identical(before, np.array(action), f"{what}: the action after step {time}")
            observation = returned[0]
            inside = env.observation_space.contains(observation)
            require(inside, f"{what}: the observation after step {time} is not in the space")
            require(np.isfinite(returned[1]).all(), f"{what}: the reward of step {time} is not finite")
            same = f"{what}: observations after refused actions, at step {time},"
            require_identical(undisturbed[0], observation, same)
            if np.any(returned[2]):
                break
        env.close()
        twin.close()


def _beyond(action: Any) -> Any:
    """The same action as a face takes it: values at the ends of [-1, 1] far beyond them."""
    action = np.array(action)
    return np.where(np.abs(action) == 1, 1e6 * action, action) if action.dtype.kind == "f" else action


def _illegal(family: Family, batch: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Actions that no face may take, and what is wrong with them."""
    outputs, dtype = family.slots.outputs, family.dtype
    yield "None", None
    yield "text", "left"
    yield "a dict", {"action": 0}
    if family.action_kind == "categorical":
        zeros = np.zeros(batch, np.int64)
        yield "a negative index", zeros - 1
        yield "an index too high", zeros + outputs
        yield "floats", zeros.astype(np.float32)
        yield "booleans", zeros.astype(bool)
        yield "one axis too many", zeros[..., None]
        return
    zeros = np.zeros((*batch, outputs), dtype)
    for label, value in (("NaN", np.nan), ("infinity", np.inf), ("-infinity", -np.inf)):
        wrong = zeros.copy()
        wrong[..., -1] = value
        yield label, wrong
    yield "one output too many", np.zeros((*batch, outputs + 1), dtype)
    yield "one axis too many", zeros[None]
    yield "booleans", zeros.astype(bool)
    yield "complex numbers", zeros.astype(np.complex64)


def _check_refused(env: Any, action: Any, what: str) -> None:
    try:
        env.step(action)
    except (ValueError, TypeError) as error:
        message = str(error)
        require(
            message and "\n" not in message, f"{what} gives an error of several lines, or none: {message!r}"
        )
    except Exception as error:
        raise AssertionError(f"{what} gives {type(error).__name__}, not ValueError or TypeError") from error
    else:
        raise AssertionError(f"{what} is taken; it must give a ValueError or TypeError")
