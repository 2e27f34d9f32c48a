"""Checks of what a family says of itself: settings, shapes, dtypes, masks, bounds, ends."""

import dataclasses
import json
import pickle
from typing import Any

import numpy as np

from badger_envs.family import Family, Observation, Transition, make_family
from badger_envs.testing.subject import (
    Target,
    family_path,
    legal_actions,
    name_of,
    require,
    resolve,
    seeded_keys,
)


def check_definition(target: Target, batch: int = 16) -> None:
    """A family's settings pass through JSON; its arrays have the shapes, dtypes, bounds it declares.

    Plays one trial of every split with pseudo-random legal actions.

    Args:
        target: a registered id, or a family.
        batch: trials at once.

    Raises:
        AssertionError: a promise is broken.
    """
    family, name = resolve(target), name_of(target)
    hash(family)
    require(pickle.loads(pickle.dumps(family)) == family, f"{name}: pickling changes the family")
    again = make_family(family_path(family), json.loads(json.dumps(family.settings())))
    require(again == family, f"{name}: settings do not survive JSON: {again} instead of {family}")
    for split in ("train", "validation", "test"):
        of_split = dataclasses.replace(family, split=split)
        same = of_split.slots == family.slots and of_split.bounds == family.bounds
        require(same, f"{name}: slots or bounds of split {split!r} differ, so no agent fits them all")
        _check_trial(of_split, f"{name} ({split})", batch)
    for dtype in ("float32", "float64"):
        if dtype != family.dtype:
            _check_trial(dataclasses.replace(family, dtype=dtype), f"{name} ({dtype})", batch)


def _check_trial(family: Family, name: str, batch: int) -> None:
    keys = seeded_keys(family, range(batch))
    task = family.sample_task(keys)
    state = family.initial_state(task)
    noise = family.noise(keys, family.horizon)
    _check_tuple(task, batch, f"{name}: task")
    _check_state(family, state, 0, batch, name)
    first = family.observe(task, state)
    _check_observation(family, first, batch, f"{name}: first observation")
    require((first.outputs == 0).all(), f"{name}: outputs of the first observation are not zeros")
    require((first.flags[:, 0] == 1).all(), f"{name}: the flag of a first step is not 1 there")
    info_names = list(_checked_info(family, task, state, batch, name))
    ended = np.zeros(batch, bool)
    for time, action in enumerate(legal_actions(family, keys, family.horizon)):
        moved = family.step(task, state, action, noise[:, time])
        _check_transition(family, moved, batch, f"{name}: step {time}")
        state = moved.state
        _check_state(family, state, time + 1, batch, name)
        observation = family.observe(task, state)
        _check_observation(family, observation, batch, f"{name}: observation after step {time}")
        for mask in ("input_mask", "output_mask"):
            same = np.array_equal(getattr(observation, mask), getattr(first, mask))
            require(same, f"{name}: {mask} changes within a trial, at step {time}")
        require((observation.flags[:, 0] == 0).all(), f"{name}: flagged as first after step {time}")
        names = list(_checked_info(family, task, state, batch, name))
        require(names == info_names, f"{name}: keys of info change from {info_names} to {names}")
        ended |= moved.terminated
    require(ended.all(), f"{name}: a trial has not terminated after {family.horizon} steps, its horizon")
    secret = family.solution(task, family.initial_state(task))
    shape = (batch, family.slots.outputs)
    require(secret is None or secret.shape == shape, f"{name}: solution has not the shape {shape}")


def _check_tuple(value: Any, batch: int, name: str) -> None:
    require(isinstance(value, tuple) and hasattr(value, "_fields"), f"{name} is not a NamedTuple")
    for field, array in value._asdict().items():
        is_array = isinstance(array, np.ndarray)
        require(is_array, f"{name}.{field} is {type(array).__name__}, not an array of its keys' backend")
        require(array.shape[:1] == (batch,), f"{name}.{field} has shape {array.shape}, not [{batch}, ...]")


def _check_state(family: Family, state: Any, time: int, batch: int, name: str) -> None:
    _check_tuple(state, batch, f"{name}: state after {time} steps")
    right = state.time.dtype == np.int64 and state.time.shape == (batch,) and (state.time == time).all()
    require(right, f"{name}: state.time is not int64 [{batch}] full of {time} after {time} steps")


def _check_observation(family: Family, observation: Observation, batch: int, name: str) -> None:
    require(isinstance(observation, Observation), f"{name} is not an Observation")
    for field, shape in family.slots.shapes._asdict().items():
        array = getattr(observation, field)
        _check_array(array, (batch, *shape), family.dtype, f"{name}: {field}")
        low, high = getattr(family.bounds, field)
        if array.size:
            inside = array.min() >= low and array.max() <= high
            found = f"from {array.min()} to {array.max()}"
            require(inside, f"{name}: {field} runs {found}, out of the declared bounds [{low}, {high}]")
    for side in ("input", "output"):
        mask, values = getattr(observation, f"{side}_mask"), getattr(observation, f"{side}s")
        require(np.isin(mask, (0, 1)).all(), f"{name}: {side}_mask holds something other than 0 and 1")
        require(mask.any(axis=1).all(), f"{name}: {side}_mask is all zero; a slot must be in use")
        require((values[mask == 0] == 0).all(), f"{name}: {side}s are not 0 in slots not in use")


def _check_transition(family: Family, moved: Transition, batch: int, name: str) -> None:
    require(isinstance(moved, Transition), f"{name} does not give a Transition")
    _check_array(moved.reward, (batch,), family.dtype, f"{name}: reward")
    _check_array(moved.loss, (batch,), family.dtype, f"{name}: loss")
    _check_array(moved.terminated, (batch,), "bool", f"{name}: terminated", finite=False)


def _checked_info(family: Family, task: Any, state: Any, batch: int, name: str) -> dict[str, np.ndarray]:
    info = family.info(task, state)
    require(family.outcome in info, f"{name}: info lacks {family.outcome!r}, the family's outcome")
    require("is_success" in info, f"{name}: info lacks 'is_success'")
    for key, value in info.items():
        require(
            getattr(value, "shape", None) == (batch,), f"{name}: info {key!r} has not the shape [{batch}]"
        )
        reserved = key.startswith("_") or key in ("episode", "final_obs", "final_info", "unused_slot")
        require(not reserved, f"{name}: info {key!r} is a name that Gymnasium or the faces use")
    require(info["is_success"].dtype == bool, f"{name}: info 'is_success' is not boolean")
    require(np.isfinite(info[family.outcome]).all(), f"{name}: the outcome is not finite")
    return info


def _check_array(array: Any, shape: tuple[int, ...], dtype: str, name: str, finite: bool = True) -> None:
    require(isinstance(array, np.ndarray), f"{name} is {type(array).__name__}, not an array of its backend")
    require(array.dtype == dtype, f"{name} is {array.dtype}, not {dtype}")
    require(array.shape == shape, f"{name} has shape {array.shape}, not {shape}")
    require(not finite or np.isfinite(array).all(), f"{name} is not finite")
