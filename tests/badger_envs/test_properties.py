"""Whatever is legal works and stays within bounds, whatever is not gives one clear line, for every id.

`make test` tries 25 examples for each family, HYPOTHESIS_PROFILE=slow 2,000.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_envs import TABLE, Family, family_of, make_batched, make_family
from badger_envs.faces.pettingzoo import parallel_env
from badger_envs.faces.vector_env import FamilyVectorEnv
from badger_envs.testing import check_actions
from tests.badger_envs.ids import IDS, QUICK_AND_SLOW
from tests.badger_envs.legal_settings import ILLEGAL, LEGAL, LONGEST, Settings

EXAMPLES = settings.default.max_examples  # of the profile, see conftest.py
FAMILIES = {family_of(id).__class__: id for id in LEGAL}
MODES = ["NEXT_STEP", "SAME_STEP", "DISABLED"]
SEEDS = st.integers(0, 2**32) | st.integers(0, 3)


def test_every_family_has_its_legal_settings() -> None:
    assert {entry.family for entry in TABLE} == {
        f"{kind.__module__}:{kind.__qualname__}" for kind in FAMILIES
    }
    for kind in FAMILIES:
        assert {field.name for field in dataclasses.fields(kind)} <= ILLEGAL.keys()


def short(id: str) -> Settings:
    """Settings that shorten the trials of an id, for speed."""
    others: dict[str, Settings] = {
        "VariableIO": {"support": LONGEST // 2},
        "Recall-repeat-previous": {"pairs": (1, 2)},  # asks at every step
        "Recall-count": {"pairs": (1, 2)},
        "Recall": {"pairs": (1, 2), "questions": 2},
    }
    return {"horizon": LONGEST} | next((other for name, other in others.items() if name in id), {})


def drawn_action(data: st.DataObject, env: Any) -> Any:
    """A legal action: extreme, tiny, zero or anywhere between, in any memory layout."""
    space = env.action_space
    generator = np.random.default_rng(data.draw(SEEDS))
    if isinstance(space, gym.spaces.Discrete):
        return data.draw(st.sampled_from([int, np.int64, np.int8]))(generator.integers(space.n))
    if isinstance(space, gym.spaces.MultiDiscrete):
        return generator.integers(space.nvec)
    values = {
        "anywhere": generator.uniform(-1, 1, space.shape),
        "corners": np.sign(generator.uniform(-1, 1, space.shape)),
        "zeros": generator.choice([0.0, -0.0], space.shape),
        "tiny": generator.choice([1e-45, -1e-40, 1e-7, 0], space.shape),
    }[data.draw(st.sampled_from(["anywhere", "corners", "zeros", "tiny"]))]
    return np.asfortranarray(values.astype(data.draw(st.sampled_from([space.dtype, np.float64, np.float16]))))


def check_inside(env: Any, observation: Any, reward: Any, infos: dict[str, Any]) -> None:
    assert env.observation_space.contains(observation), f"outside: {observation}"
    assert np.isfinite(reward).all()
    numbers = [value for value in infos.values() if np.asarray(value).dtype.kind in "fiub"]
    assert all(np.isfinite(value).all() for value in numbers), infos


def check_legal(id: str, changes: Settings, data: st.DataObject) -> None:
    """Play on all four faces: nothing fails, nothing leaves its bounds."""
    family = family_of(id, **changes)
    written = json.loads(json.dumps(family.settings()))
    assert make_family(f"{type(family).__module__}:{type(family).__qualname__}", written) == family
    play_single(id, changes, data)
    play_vector(id, changes, data)
    play_torch(id, family, changes, data.draw(SEEDS))
    play_parallel(id, changes, data.draw(SEEDS))


def play_single(id: str, changes: Settings, data: st.DataObject) -> None:
    env = gym.make(id, disable_env_checker=True, **changes)
    seed = data.draw(st.none() | SEEDS)
    for _ in range(2):
        observation, info = env.reset(seed=seed)
        check_inside(env, observation, 0, info)
        terminated = False
        while not terminated:
            observation, reward, terminated, truncated, info = env.step(drawn_action(data, env))
            check_inside(env, observation, reward, info)
            assert not truncated


def play_vector(id: str, changes: Settings, data: st.DataObject) -> None:
    count, mode = data.draw(st.integers(1, 4)), data.draw(st.sampled_from(MODES))
    envs = gym.make_vec(id, num_envs=count, autoreset_mode=mode, **changes)
    seeds = st.none() | SEEDS | st.lists(st.none() | SEEDS, min_size=count, max_size=count)
    observations, infos = envs.reset(seed=data.draw(seeds))
    check_inside(envs, observations, 0, infos)
    ended = np.zeros(count, np.bool_)
    for _ in range(LONGEST):
        mask = data.draw(st.none() | st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
        must = mode == "DISABLED" and ended.any()
        if mask is not None or must:
            chosen = np.array(mask if mask is not None else ended) | (ended & must)
            observations, infos = envs.reset(seed=data.draw(seeds), options={"reset_mask": chosen})
            check_inside(envs, observations, 0, infos)
        observations, rewards, ended, truncated, infos = envs.step(drawn_action(data, envs))
        check_inside(envs, observations, rewards, infos)
        assert not truncated.any()
        for final in infos.get("final_obs", [])[ended] if mode == "SAME_STEP" and ended.any() else []:
            assert envs.single_observation_space.contains(final)
    envs.close()


def play_torch(id: str, family: Family, changes: Settings, seed: int) -> None:
    env = make_batched(id, batch_size=2, **changes)
    space = gym.make(id, disable_env_checker=True, **changes).observation_space
    observation = env.reset(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    outputs = family.slots.outputs
    for _ in range(family.horizon):
        if family.action_kind == "categorical":
            step = env.step(torch.randint(outputs, (2,), generator=generator))
        else:
            drawn = torch.rand(2, outputs, generator=generator, dtype=getattr(torch, family.dtype))
            step = env.step(2 * drawn - 1)
        observation = step.observation
        for row in range(2):
            shown = {name: getattr(observation, name)[row].reshape(-1).numpy() for name in space}
            assert space.contains(shown), f"outside: {shown}"
        assert torch.isfinite(step.reward).all()
        assert torch.isfinite(step.loss).all()
    assert step.terminated.all()


def play_parallel(id: str, changes: Settings, seed: int) -> None:
    env = parallel_env(id, **changes)
    observations, _ = env.reset(seed=seed)
    for agent in env.possible_agents:
        env.action_space(agent).seed(seed % 2**31)
    for _ in range(2):
        if not env.agents:
            break
        for agent in env.agents:
            assert env.observation_space(agent).contains(observations[agent])
        observations, rewards, *_ = env.step(
            {agent: env.action_space(agent).sample() for agent in env.agents}
        )
        assert np.isfinite(list(rewards.values())).all()


@pytest.mark.parametrize("id", LEGAL)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_legal_settings_seeds_masks_and_actions_work(id: str, data: st.DataObject) -> None:
    check_legal(id, data.draw(LEGAL[id], label="settings"), data)


@pytest.mark.parametrize("id", QUICK_AND_SLOW)
@settings(max_examples=max(2, EXAMPLES // 50))
@given(data=st.data())
def test_every_id_works(id: str, data: st.DataObject) -> None:
    common = {
        "split": st.sampled_from(["train", "validation", "test"]),
        "dtype": st.sampled_from(["float32", "float64"]),
    }
    check_legal(id, short(id) | data.draw(st.fixed_dictionaries({}, optional=common)), data)


@pytest.mark.slow  # `check_family` tries one seed
@pytest.mark.parametrize("id", IDS)
@settings(max_examples=max(1, EXAMPLES // 100))
@given(seed=SEEDS, count=st.integers(1, 4))
def test_every_id_refuses_illegal_actions_and_goes_on(id: str, seed: int, count: int) -> None:
    check_actions(id, seed=seed, num_envs=count, **short(id))


def refused(call: Callable[[], Any]) -> str:
    """The one line of the ValueError or TypeError that the call must give."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert message.strip()
    assert "\n" not in message
    return message


def illegal_action(data: st.DataObject, family: Family, shape: tuple[int, ...]) -> Any:
    """What no face may take in place of an action of that shape."""
    values = np.zeros(shape, np.int64 if family.action_kind == "categorical" else family.dtype)
    outputs = family.slots.outputs
    wrong: list[Any] = [None, "0", {}, [[0], [0, 0]], values.astype(bool), values.astype(complex), object()]
    wrong += [values[None], values[..., None], np.zeros((*shape[:-1], outputs + 7), values.dtype)]
    if values.dtype == np.int64:
        wrong.append(values.astype(np.float32))
    worst = [-1, outputs, 2**40] if values.dtype == np.int64 else [np.nan, np.inf, -np.inf]
    place = data.draw(st.integers(0, values.size - 1))
    for value in worst:
        spoilt = values.copy()
        spoilt.reshape(-1)[place] = value
        wrong.append(spoilt)
    return wrong[data.draw(st.integers(0, len(wrong) - 1))]


@pytest.mark.parametrize("id", LEGAL)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_an_illegal_action_is_refused_on_every_face(id: str, data: st.DataObject) -> None:
    changes = data.draw(LEGAL[id])
    family = family_of(id, **changes)
    single = gym.make(id, disable_env_checker=True, **changes)
    several = gym.make_vec(id, num_envs=3, **changes)
    parallel, batched = parallel_env(id, message_size=2, **changes), make_batched(id, 2, **changes)
    for env in (single, several, parallel, batched):
        env.reset(seed=data.draw(SEEDS))
    one = () if family.action_kind == "categorical" else (family.slots.outputs,)
    refused(lambda: single.step(illegal_action(data, family, one)))
    refused(lambda: several.step(illegal_action(data, family, (3, *one))))
    acts = {agent: np.zeros(3, family.dtype) for agent in parallel.agents}
    spoilt = data.draw(st.sampled_from(parallel.agents))
    bad = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    some = [np.full(3, bad, family.dtype), np.zeros(4, family.dtype), np.zeros(3, bool), None, "up"]
    refused(lambda: parallel.step({**acts, spoilt: data.draw(st.sampled_from(some))}))
    refused(lambda: parallel.step({agent: act for agent, act in acts.items() if agent != spoilt}))
    refused(lambda: parallel.step({**acts, "expert_1000": acts[spoilt]}))
    wrong = [
        torch.zeros(2, *one),
        torch.zeros(2, *one, dtype=torch.int64),
        torch.zeros(2, *one, dtype=torch.bool),
    ]
    right = torch.int64 if family.action_kind == "categorical" else getattr(torch, family.dtype)
    wrong = [tensor for tensor in wrong if tensor.dtype != right] + [torch.zeros(3, *one, dtype=right)]
    refused(lambda: batched.step(data.draw(st.sampled_from(wrong))))


@pytest.mark.parametrize("id", LEGAL)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_one_illegal_setting_among_legal_ones_is_refused_by_name(id: str, data: st.DataObject) -> None:
    names = sorted(field.name for field in dataclasses.fields(family_of(id)) if field.name in ILLEGAL)
    name = data.draw(st.sampled_from(names))
    wrong = data.draw(LEGAL[id]) | {name: data.draw(st.sampled_from(ILLEGAL[name]))}
    assert name.removeprefix("test_") in refused(lambda: family_of(id, **wrong))
    faces: list[Callable[[], Any]] = [
        lambda: gym.make(id, disable_env_checker=True, **wrong),
        lambda: gym.make_vec(id, num_envs=2, **wrong),
        lambda: make_batched(id, 2, **wrong),
        lambda: parallel_env(id, **wrong),
    ]
    refused(data.draw(st.sampled_from(faces)))


@pytest.mark.parametrize("id", LEGAL)
@settings(max_examples=max(5, EXAMPLES // 10))
@given(data=st.data())
def test_whatever_is_no_setting_is_refused_by_name(id: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["dim", "Horizon", "seed", "slots", "noise_size", "action_kind"]))
    assert name in refused(lambda: gym.make(id, **{name: 3}))


@pytest.mark.parametrize("id", LEGAL)
def test_illegal_seeds_masks_and_numbers_are_refused(id: str) -> None:
    env, envs = gym.make(id, disable_env_checker=True), gym.make_vec(id, num_envs=3)
    for seed in (-1, 1.5, "3", True, [1], np.array([1]), float("nan")):
        refused(lambda seed=seed: env.reset(seed=seed))
    for seed in (-1, 1.5, "3", True, [1, 2], [1, 2, -3], [1, 2, 3.0], [True, 1, 2], {1, 2, 3}, [[1, 2, 3]]):
        refused(lambda seed=seed: envs.reset(seed=seed))
    envs.reset(seed=0)
    for mask in (
        [0, 1, 1],
        [True, False],
        [[True] * 3],
        [False] * 3,
        "all",
        np.ones(4, np.bool_),
        [True, None, True],
    ):
        refused(lambda mask=mask: envs.reset(options={"reset_mask": mask}))
    for count in (0, -1, 2.0, True, None):
        refused(lambda count=count: FamilyVectorEnv(count, "badger_envs.families.xor:XOR"))
    for mode in ("next", None, 3, "DISABLE"):
        refused(lambda mode=mode: gym.make_vec(id, num_envs=2, autoreset_mode=mode))
    for size in (0, -1, 2.0, True, None, "2"):
        refused(lambda size=size: make_batched(id, size))
    for steps in (0, -2, 2.5, True, "7"):
        refused(lambda steps=steps: gym.make_vec(id, num_envs=2, max_episode_steps=steps))
