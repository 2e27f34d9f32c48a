"""Random MDPs: where steps lead, what they pay, episodes, the plan, regret, sizes and shuffled slots."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from badger_envs import keyed_random, make_family
from badger_envs.families.random_mdp import RandomMDP, State, Task
from badger_envs.family import Observation


def keys_of(rows: int, split: str = "train", seed: int = 0) -> np.ndarray:
    return keyed_random.outer_keys(seed, 0, rows, split)


def chances(task: Task) -> np.ndarray:
    """Of successors, [B, S, A, S]."""
    return np.diff(task.below, axis=-1, prepend=0.0)


def play(family: RandomMDP, keys: np.ndarray, choose: Any) -> tuple[Task, list[State], list[Observation]]:
    """Task, states and observations, the first included; `choose(observation, task, state)` acts."""
    task = family.sample_task(keys)
    states, noise = [family.initial_state(task)], family.noise(keys, family.horizon)
    seen = [family.observe(task, states[0])]
    for time in range(family.horizon):
        action = choose(seen[-1], task, states[-1])
        states.append(family.step(task, states[-1], action, noise[:, time]).state)
        seen.append(family.observe(task, states[-1]))
    return task, states, seen


def at_random(observation: Observation, task: Task, state: State) -> np.ndarray:
    rows, slots = observation.outputs.shape
    return np.random.default_rng(int(state.time[0])).integers(0, slots, rows)


@pytest.mark.parametrize("concentration", [0, 0.1, 1, 3])
def test_successors_come_by_their_chances_which_are_a_dirichlet_draw(concentration: float) -> None:
    family = RandomMDP(states=4, choices=3, concentration=concentration, episode_steps=1, horizon=400)
    _, states, _ = play(RandomMDP(states=4, choices=3, horizon=2), keys_of(5), at_random)
    assert {int(place) for state in states for place in state.place} <= set(range(4))
    task = family.sample_task(keys_of(2000))
    found = chances(task)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-12)
    assert abs(found.mean((0, 1, 2)) - 1 / 4).max() < 0.012
    if concentration == 0:
        assert set(np.unique(found)) == {0, 1}
    else:  # the variance of a Dirichlet's component
        assert found.var() == pytest.approx(3 / 16 / (4 * concentration + 1), rel=0.03)


def test_steps_lead_where_the_chances_say() -> None:
    family = dataclasses.replace(RandomMDP(states=4, choices=2, horizon=2), episode_steps=2)
    one = family.sample_task(keys_of(1))
    many = Task(*(array.repeat(20_000, 0) for array in one))
    noise = family.noise(keys_of(20_000, seed=3), 1)[:, 0]
    moved = family.step(many, family.initial_state(many), np.ones(20_000, int), noise).state
    shares = np.bincount(moved.place, minlength=4) / 20_000
    assert abs(shares - chances(one)[0, 0, 1]).max() < 0.015
    spread = moved.reward - one.mean[0, 0, 1]
    assert abs(spread.mean()) < 0.03
    assert abs(spread.std() - 1) < 0.03


def test_means_of_rewards_are_normal_about_1() -> None:
    means = RandomMDP().sample_task(keys_of(500)).mean
    assert means.mean() == pytest.approx(1, abs=0.03)
    assert means.std() == pytest.approx(1, abs=0.03)


def test_episodes_begin_in_the_same_state_and_their_ends_are_told() -> None:
    family = RandomMDP(states=5, choices=3, episode_steps=4, horizon=10)
    _, states, seen = play(family, keys_of(50), at_random)
    for time, (state, observation) in enumerate(zip(states, seen, strict=True)):
        ends = time > 0 and (time % 4 == 0 or time == 10)
        assert (observation.feedback[:, 1] == ends).all(), time
        assert (observation.inputs.argmax(1)[:, 0] == state.place).all()
        assert (observation.inputs.sum((1, 2)) == 1).all()
        if ends or time == 0:
            assert (state.place == 0).all()
    assert len({int(place) for place in states[3].place}) == 5
    paid = sum(one.feedback[:, 0] for one in seen)
    np.testing.assert_allclose(states[-1].total, paid, rtol=1e-5, atol=1e-6)


def test_a_goal_pays_at_each_arrival_and_is_never_the_start() -> None:
    family = RandomMDP(kind="goal", concentration=0.1, states=6, choices=3, episode_steps=100)
    task, states, _ = play(family, keys_of(300), at_random)
    assert set(task.goal) == set(range(1, 6))
    for state in states[:-1]:  # the end hides where the last step led
        assert (state.reward == (state.place == task.goal)).all()
    expected = np.take_along_axis(chances(task), task.goal[:, None, None, None], -1)[..., 0]
    np.testing.assert_allclose(task.mean, expected, rtol=1e-6, atol=1e-7)


def test_the_plan_is_the_best_of_all_policies() -> None:
    """Every policy of a small process, by steps left and state, valued by brute force."""
    family = RandomMDP(states=2, choices=2, episode_steps=3, horizon=3, dtype="float64")
    task = family.sample_task(keys_of(20))
    led, rows = chances(task), np.arange(20)[:, None]
    best = np.full(20, -np.inf)
    for number in range(2**6):
        choices = np.array([number >> bit & 1 for bit in range(6)]).reshape(3, 2)  # by steps left, state
        value = np.zeros((20, 2))
        for left in range(3):
            state, action = np.arange(2)[None], choices[left][None]
            value = task.mean[rows, state, action] + (led[rows, state, action] * value[:, None]).sum(-1)
        best = np.maximum(best, value[:, 0])
    np.testing.assert_allclose(task.value[:, 3, 0].max(-1), best, rtol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"kind": "goal", "concentration": 0}])
def test_regret_is_what_the_best_earns_more(settings: Any) -> None:
    """Over 2,000 tasks, an episode cut short included: the best has none, and rewards beside it sum to it."""
    family = RandomMDP(states=6, choices=3, episode_steps=5, horizon=13, **settings)

    def best(observation: Observation, task: Task, state: State) -> np.ndarray:
        return family.solution(task, state).argmax(-1)

    keys = keys_of(2000)
    task, states, _ = play(family, keys, best)
    info = family.info(task, states[-1])
    assert (info["regret"] == 0).all()
    assert info["is_success"].all()
    optimum = 2 * task.value[:, 5, 0].max(-1) + task.value[:, 3, 0].max(-1)
    task, states, _ = play(family, keys, at_random)
    other = family.info(task, states[-1])
    assert not other["is_success"].all()
    for found in (info, other):
        missed = found["total_reward"] + found["regret"] - optimum
        assert abs(missed.mean()) < 4 * missed.std() / 2000**0.5 + 1e-9


def test_published_totals_of_random_actions_and_of_the_known_process() -> None:
    """Duan et al. 2016, table 2: 100.1 by random actions in ten episodes; 218 is the best there is."""
    task, states, _ = play(RandomMDP(split="test"), keys_of(2000, "test"), at_random)
    assert states[-1].total.mean() == pytest.approx(100.1, abs=1.5)
    assert 10 * task.value[:, 10, 0].max(-1).mean() == pytest.approx(218, abs=1.5)


def test_an_unused_action_takes_a_step_and_does_nothing_else() -> None:
    family = RandomMDP(states=3, choices=2, capacity=5, shuffle_slots=True, horizon=3)

    def unused(observation: Observation, task: Task, state: State) -> np.ndarray:
        return observation.output_mask.argmin(1)

    task, states, seen = play(family, keys_of(40), unused)
    assert len(set(seen[0].output_mask.argmin(1))) > 2
    assert all((state.place == 0).all() and not state.reward.any() for state in states)
    assert not any(one.outputs.any() for one in seen)
    regret = family.info(task, states[-1])["regret"]
    np.testing.assert_allclose(regret, task.value[:, 3, 0].max(-1), rtol=1e-9)


def test_a_process_is_the_same_in_any_number_of_slots_and_in_any_order() -> None:
    """The n-th action of a process pays the same at the same time, wherever its slot is."""
    plain = RandomMDP(states=4, choices=3, horizon=12)
    keys, order = keys_of(60), np.random.default_rng(0).integers(0, 3, (13, 60))

    def choose(observation: Observation, task: Task, state: State) -> np.ndarray:
        action = order[int(state.time[0])]
        if not task.action_order.shape[1]:
            return action
        return (task.action_order == action[:, None]).argmax(1)

    expected = play(plain, keys, choose)[1]
    for changes in ({"capacity": 9}, {"shuffle_slots": True}, {"capacity": 6, "shuffle_slots": True}):
        _, states, seen = play(dataclasses.replace(plain, **changes), keys, choose)
        for one, other, observation in zip(expected, states, seen, strict=True):
            np.testing.assert_array_equal(one.reward, other.reward)
            np.testing.assert_array_equal(one.place, other.place)
            assert ((observation.inputs[..., 0] == 1).sum(1) == 1).all()
            assert (observation.inputs[..., 0] <= observation.input_mask).all()
        assert (seen[0].input_mask.sum(1) == 4).all()
    shown = play(dataclasses.replace(plain, shuffle_slots=True), keys, choose)[2][0]
    assert len(set(shown.inputs[..., 0].argmax(1))) == 4


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"states": 51}, ValueError, "more than 50"),
        ({"states": (2, 30)}, ValueError, "test_states"),
        ({"states": 1, "kind": "goal"}, ValueError, "needs 2 at least"),
        ({"choices": 0}, ValueError, "choices is 0; it must be at least 1"),
        ({"capacity": 9}, ValueError, "capacity is 9"),
        ({"kind": "maze"}, ValueError, "normal, goal"),
        ({"concentration": 1e-9}, ValueError, "concentration is 1e-09"),
        ({"episode_steps": 0}, ValueError, "episode_steps is 0"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make_family("badger_envs.families.random_mdp:RandomMDP", settings)
