"""Bandits: what arms pay in each kind, regret, masks, bounds, and both backends alike."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_envs import family_of, keyed_random, make_family
from badger_envs.families.bandit import LARGEST_NORMAL, Bandit, State, Task

SIZED = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["bernoulli", "gaussian", "restless"]),
        "arms": st.integers(1, 20).flatmap(lambda n: st.sampled_from([n, (1, n)])),
        "walk": st.sampled_from([0, 0.05, 0.5]),
        "shuffle_slots": st.booleans(),
    }
)
DEPENDENT = st.fixed_dictionaries(
    {
        "kind": st.just("dependent"),
        "difficulty": st.sampled_from(["uniform", "easy", "medium", "hard"]),
        "capacity": st.sampled_from([None, 4]),
        "shuffle_slots": st.booleans(),
    }
)
INFORMATIVE = st.fixed_dictionaries(
    {
        "kind": st.just("informative"),
        "arms": st.sampled_from([None, 3, 7]),
        "capacity": st.sampled_from([None, 12]),
    }
)


def keys_of(rows: int, split: str = "train", seed: int = 0) -> np.ndarray:
    return keyed_random.outer_keys(seed, 0, rows, split)


def play(family: Bandit, task: Task, actions: Any, noise: Any) -> tuple[list, list, State]:
    """Observations (first to last), transitions, last state, of actions [T, B]."""
    state = family.initial_state(task)
    observations, transitions = [family.observe(task, state)], []
    for time in range(family.horizon):
        transitions.append(family.step(task, state, actions[time], noise[:, time]))
        state = transitions[-1].state
        observations.append(family.observe(task, state))
    return observations, transitions, state


def rewards_of(family: Bandit, rows: int, arm: int) -> tuple[np.ndarray, Task]:
    """Rewards [T, B] of always pulling one arm."""
    keys = keys_of(rows)
    task = family.sample_task(keys)
    actions = np.full((family.horizon, rows), arm)
    _, transitions, _ = play(family, task, actions, family.noise(keys, family.horizon))
    return np.stack([transition.reward for transition in transitions]), task


def test_bernoulli_arms_pay_1_with_their_mean() -> None:
    rewards, task = rewards_of(Bandit(arms=3, horizon=400), 200, arm=1)
    assert set(np.unique(rewards)) == {0, 1}
    deviation = rewards.mean(0) - task.mean[:, 1]
    assert abs(deviation).max() < 4.5 * 0.5 / 400**0.5
    assert abs(np.quantile(task.mean, [0.25, 0.5, 0.75]) - [0.25, 0.5, 0.75]).max() < 0.06


def test_gaussian_arms() -> None:
    rewards, task = rewards_of(Bandit(kind="gaussian", arms=2, horizon=100), 400, arm=0)
    spread = rewards - task.mean[:, 0]
    assert abs(spread.mean()) < 0.03
    assert abs(spread.std() - 1) < 0.03
    assert abs(task.mean.mean()) < 0.15
    assert abs(task.mean.std() - 1) < 0.1


def test_the_largest_normal_is_what_the_generator_can_give() -> None:
    most = keyed_random.normal_from_uniform(np.array([1 - 2.0**-24]), np.zeros(1))
    assert most == pytest.approx(LARGEST_NORMAL)


@pytest.mark.parametrize(
    ("difficulty", "means"), [("easy", {0.1, 0.9}), ("medium", {0.25, 0.75}), ("hard", {0.4, 0.6})]
)
def test_dependent_arms_sum_to_1(difficulty: Any, means: set[float]) -> None:
    family = Bandit(kind="dependent", difficulty=difficulty, dtype="float64")
    task = family.sample_task(keys_of(200))
    assert set(np.round(task.mean, 9).ravel()) == means
    assert 60 < (task.mean[:, 0] > 0.5).sum() < 140
    assert (task.mean.sum(1) == 1).all()
    uniform = Bandit(kind="dependent").sample_task(keys_of(200)).mean
    assert np.allclose(uniform.sum(1), 1)
    assert len(np.unique(uniform[:, 0])) == 200


def test_the_informative_arm_tells_the_target() -> None:
    family = Bandit(kind="informative", horizon=5)
    keys = keys_of(200)
    task, noise = family.sample_task(keys), family.noise(keys, 5)
    assert noise.shape == (200, 5, 0)
    state = family.initial_state(task)
    told = family.step(task, state, np.full(200, 10), noise[:, 0]).reward
    target = np.round(told * 10).astype(int) - 1
    assert set(target) == set(range(10))
    assert (family.step(task, state, target, noise[:, 0]).reward == 5).all()
    assert (family.step(task, state, (target + 1) % 10, noise[:, 0]).reward == np.float32(1.1)).all()
    assert (family.solution(task, family.initial_state(task)).argmax(1) == target).all()


def test_restless_arms_walk_within_0_and_1() -> None:
    family = Bandit(kind="restless", arms=3, capacity=4, walk=0.1, horizon=50)
    keys = keys_of(300)
    task = family.sample_task(keys)
    _, transitions, state = play(family, task, np.zeros((50, 300), int), family.noise(keys, 50))
    means = np.stack([task.mean] + [transition.state.mean for transition in transitions])
    assert means.min() >= 0
    assert means.max() <= 1
    assert (means[:, :, 3] == 0).all()
    inner = (means[:-1] > 0.2) & (means[:-1] < 0.8)
    assert np.diff(means, axis=0)[inner].std() == pytest.approx(0.1, rel=0.03)
    assert abs(np.diff(means, axis=0)[inner].mean()) < 0.002
    gaps = means[:-1].max(2) - means[:-1, :, 0]
    np.testing.assert_allclose(family.info(task, state)["regret"], gaps.sum(0), rtol=1e-4)


def test_regret_of_the_best_and_of_the_worst_arm() -> None:
    family = Bandit(arms=4, horizon=20)
    keys = keys_of(50)
    task, noise = family.sample_task(keys), family.noise(keys, 20)
    best, worst = task.mean.argmax(1), task.mean.argmin(1)
    for arm in (best, worst):
        _, transitions, state = play(family, task, np.stack([arm] * 20), noise)
        info = family.info(task, state)
        gap = task.mean.max(1) - np.take_along_axis(task.mean, arm[:, None], 1)[:, 0]
        np.testing.assert_allclose(info["regret"], 20 * gap, rtol=1e-4)
        np.testing.assert_array_equal(info["total_reward"], sum(t.reward for t in transitions))
        assert (info["is_success"] == (arm == best)).all()
        assert not family.info(task, family.initial_state(task))["is_success"].any()


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "restless"])
def test_an_unused_arm_earns_nothing_and_leaves_no_trace(kind: Any) -> None:
    family = Bandit(kind=kind, arms=2, capacity=5, shuffle_slots=True, horizon=3)
    keys = keys_of(40)
    task, noise = family.sample_task(keys), family.noise(keys, 3)
    unused = task.mask.argmin(1)
    assert len(set(unused.tolist())) > 2
    observations, transitions, _ = play(family, task, np.stack([unused] * 3), noise)
    assert all((transition.reward == 0).all() for transition in transitions)
    assert all((observation.outputs == 0).all() for observation in observations)


def test_what_was_pulled_and_paid_is_shown() -> None:
    family = Bandit(arms=4, horizon=6)
    keys = keys_of(30)
    task, noise = family.sample_task(keys), family.noise(keys, 6)
    actions = np.random.default_rng(0).integers(0, 4, (6, 30))
    observations, transitions, _ = play(family, task, actions, noise)
    assert not observations[0].outputs.any()
    for action, observation, transition in zip(actions, observations[1:], transitions, strict=True):
        assert (observation.outputs == np.eye(4)[action]).all()
        assert (observation.feedback[:, 0] == transition.reward).all()
        assert (transition.loss == -transition.reward).all()


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "dependent", "informative", "restless"])
def test_expected_reward_is_the_mean_over_noise_and_differentiable(kind: Any) -> None:
    family = Bandit(kind=kind, horizon=2, dtype="float64")
    keys = keys_of(1)
    task = family.sample_task(keys)
    state = family.step(task, family.initial_state(task), np.zeros(1, int), family.noise(keys, 1)[:, 0]).state
    probabilities = np.random.default_rng(0).dirichlet(np.ones(family.slots.outputs))
    rows = 20_000
    arms = np.random.default_rng(1).choice(family.slots.outputs, rows, p=probabilities)
    many_task = Task(*(array.repeat(rows, 0) for array in task))
    many_state = State(*(array.repeat(rows, 0) for array in state))
    noise = family.noise(keys_of(rows, seed=5), 1)[:, 0]
    rewards = family.step(many_task, many_state, arms, noise).reward
    expected = family.expected_reward(task, state, probabilities[None])
    assert abs(rewards.mean() - expected[0]) < 4 * rewards.std() / rows**0.5

    scores = torch.zeros(1, family.slots.outputs, dtype=torch.float64, requires_grad=True)
    there = State(*map(torch.from_numpy, state))
    value = family.expected_reward(Task(*map(torch.from_numpy, task)), there, torch.softmax(scores, -1))
    value.sum().backward()
    centred = (state.mean - state.mean.mean()) / family.slots.outputs
    np.testing.assert_allclose(scores.grad.numpy(), centred, atol=1e-12)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "dependent", "informative", "restless"])
@pytest.mark.parametrize("sized", [False, True])
def test_no_value_is_looked_at_and_no_device_assumed(kind: Any, sized: bool) -> None:
    if sized and kind in ("dependent", "informative"):
        family = Bandit(kind=kind, capacity=20, horizon=3)
    else:
        family = Bandit(kind=kind, arms=(2, 5) if sized else None, shuffle_slots=sized, horizon=3)
    keys = torch.empty(7, 4, dtype=torch.int64, device="meta")  # without values: to look is an error
    task, noise = family.sample_task(keys), family.noise(keys, 3)
    observations, transitions, state = play(family, task, torch.empty_like(keys[:, :3].T), noise)
    arrays = [*task, *state, *observations[-1], *transitions[-1][1:], *family.info(task, state).values()]
    assert all(array.device.type == "meta" and array.shape[0] == 7 for array in arrays)


def test_held_out_sizes_through_the_registered_id() -> None:
    sizes = {}
    for split in ("train", "test"):
        family = family_of("Badger/Bandit-v0", arms=(2, 4), split=split)
        assert family.slots.outputs == 7
        task = family.sample_task(keys_of(200, split))
        observation = family.observe(task, family.initial_state(task))
        sizes[split] = set(observation.output_mask.sum(1).astype(int).tolist())
        best = np.where(observation.output_mask > 0, task.mean, -1).max(1)
        assert (task.best == best).all()
    assert sizes == {"train": {2, 3, 4}, "test": {5, 6, 7}}


@given(
    settings=st.one_of(SIZED, DEPENDENT, INFORMATIVE),
    horizon=st.integers(1, 6),
    seed=st.integers(0, 2**32),
    split=st.sampled_from(keyed_random.SPLITS),
)
def test_bounds_hold_and_backends_agree(
    settings: dict[str, Any], horizon: int, seed: int, split: str
) -> None:
    settings = json.loads(json.dumps(settings | {"horizon": horizon, "split": split}))
    family = make_family("badger_envs.families.bandit:Bandit", settings)
    keys = keys_of(7, split, seed)
    actions = np.random.default_rng(seed).integers(0, family.slots.outputs, (horizon, 7))
    task, noise = family.sample_task(keys), family.noise(keys, horizon)
    observations, transitions, state = play(family, task, actions, noise)
    for observation in observations:
        for name, array in observation._asdict().items():
            low, high = getattr(family.bounds, name)
            assert array.dtype == np.float32
            assert ((array >= low) & (array <= high)).all(), name
    there = torch.from_numpy(keys)
    task2, noise2 = family.sample_task(there), family.noise(there, horizon)
    np.testing.assert_array_equal(noise, noise2.numpy())
    observations2, transitions2, state2 = play(family, task2, torch.from_numpy(actions), noise2)
    for one, other in zip([task, *observations, state], [task2, *observations2, state2], strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-5, atol=1e-5)
    if family.kind != "gaussian":  # integers and uniforms are bit-equal, and so are the rewards made of them
        for one, other in zip(transitions, transitions2, strict=True):
            np.testing.assert_array_equal(one.reward, other.reward.numpy())
    assert set(family.info(task, state)) == {"total_reward", "regret", "is_success"}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"arms": 0}, ValueError, "arms is 0; it must be at least 1"),
        ({"arms": 101}, ValueError, "more than 100"),
        ({"arms": (2, 60)}, ValueError, "test_arms"),
        ({"arms": "ten"}, TypeError, "must be an integer"),
        ({"arms": 5, "capacity": 4}, ValueError, "capacity is 4"),
        ({"kind": "adversarial"}, ValueError, "bernoulli, gaussian"),
        ({"kind": "dependent", "arms": 3}, ValueError, "kind 'dependent' has 2"),
        ({"kind": "dependent", "difficulty": "extreme"}, ValueError, "uniform, easy, medium, hard"),
        ({"difficulty": "easy"}, ValueError, "kind 'bernoulli' has none"),
        ({"kind": "informative", "arms": (3, 5)}, ValueError, "one number, at least 3"),
        ({"kind": "informative", "arms": 2}, ValueError, "one number, at least 3"),
        ({"kind": "informative", "shuffle_slots": True}, ValueError, "names positions"),
        ({"walk": 2}, ValueError, r"walk is 2; it must lie in \[0, 0.5\]"),
        ({"walk": "far"}, TypeError, "must be a number"),
        ({"walk": float("nan")}, ValueError, "walk is nan"),
        ({"horizon": 0}, ValueError, "horizon is 0"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make_family("badger_envs.families.bandit:Bandit", settings)
