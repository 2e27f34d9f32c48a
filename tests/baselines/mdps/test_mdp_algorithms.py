"""Algorithms for random MDPs: what they believe, how they plan, and published totals."""

import dataclasses

import numpy as np
import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_envs import keyed_random
from badger_envs.families.bandit import Bandit
from badger_envs.families.random_mdp import RandomMDP
from baselines.mdps.algorithms import BEB, UCRL2, EpsilonGreedy, OneStepOptimism, PosteriorSampling
from baselines.mdps.beliefs import drawn_model, expected_model, learnt, nothing_seen, planned, planned_in_hope
from baselines.mdps.knowing import KnownProcess
from baselines.mdps.ties import best

SMALL = RandomMDP(states=4, choices=3, episode_steps=5, horizon=40)
GOAL = dataclasses.replace(SMALL, kind="goal", concentration=0)


def lived(family: RandomMDP, rows: int = 40):
    """Task, belief, last observation after random actions, and what was visited, counted by hand."""
    keys = torch.from_numpy(keyed_random.outer_keys(0, 0, rows, "train"))
    task, belief = family.sample_task(keys), nothing_seen(family, keys, 1.0)
    state, noise = family.initial_state(task), family.noise(keys, family.horizon)
    led = np.zeros((rows, 4, 3, 4))
    generator = np.random.default_rng(0)
    for time in range(family.horizon):
        observation = family.observe(task, state)
        belief = learnt(belief, observation)
        action = torch.from_numpy(generator.integers(0, 3, rows))
        moved = family.step(task, state, action, noise[:, time]).state
        if (time + 1) % family.episode_steps and time < family.horizon - 1:
            led[np.arange(rows), state.place, action, moved.place] += 1
        state = moved
    return task, belief, observation, led, keys


def test_a_belief_counts_what_was_shown() -> None:
    _, belief, _, led, _ = lived(SMALL)
    np.testing.assert_array_equal(belief.led, led)
    assert (belief.visits.sum((1, 2)) == SMALL.horizon - 1).all()


def test_a_goal_is_found_and_fixed_ways_are_known() -> None:
    task, belief, observation, led, _ = lived(GOAL)
    paid = torch.from_numpy(led.sum((1, 2)))[torch.arange(40), task.goal] > 0
    assert paid.sum() > 10
    assert (belief.goal[paid].argmax(-1) == task.goal[paid]).all()
    assert (belief.goal[paid].amax(-1) == 1).all()
    assert torch.allclose(belief.goal.sum(-1), torch.ones(40, dtype=torch.float64))
    assert (belief.goal[torch.arange(40), task.goal] > 0).all()
    chance = expected_model(belief, observation).chance
    known = torch.from_numpy(led) > 0
    assert (chance[known] > 0.995).all()


def test_drawn_processes_are_the_expected_one_on_average() -> None:
    _, belief, observation, _, keys = lived(SMALL)
    mean = expected_model(belief, observation)
    drawn = [drawn_model(belief, observation, keys, draw, SMALL.horizon) for draw in range(400)]
    chance = torch.stack([model.chance for model in drawn]).mean(0)
    reward = torch.stack([model.reward for model in drawn]).mean(0)
    assert (chance - mean.chance).abs().max() < 0.08
    assert (reward - mean.reward).abs().max() < 5 / 400**0.5


def test_a_known_model_is_planned_as_the_family_plans() -> None:
    task, _, observation, _, _ = lived(SMALL)
    chance = torch.diff(task.below, dim=-1, prepend=torch.zeros_like(task.below[..., :1]))
    model = expected_model(lived(SMALL)[1], observation)._replace(chance=chance, reward=task.mean.double())
    values = planned(model, 5, observation.output_mask)
    torch.testing.assert_close(values, task.value[:, 1:].flip(1))


def test_hope_moves_chances_to_the_best_from_the_worst() -> None:
    _, belief, observation, _, _ = lived(SMALL, rows=3)
    model, slack = expected_model(belief, observation), torch.full((3, 4, 3), 0.5, dtype=torch.float64)
    torch.testing.assert_close(
        planned_in_hope(model, 0 * slack, 5, observation), planned(model, 5, observation.output_mask)
    )
    values = planned_in_hope(model, slack, 2, observation)
    later = values[:, 1].amax(-1).numpy()
    for row, state, action in np.ndindex(3, 4, 3):
        chance, order = model.chance[row, state, action].numpy().copy(), later[row].argsort()
        chance[order[-1]] = min(1.0, chance[order[-1]] + 0.25)
        for worst in order:  # as Jaksch, Ortner, Auer 2010, figure 2
            chance[worst] -= min(chance[worst], max(0.0, chance.sum() - 1))
        worth = model.reward[row, state, action] + chance @ later[row]
        assert values[row, 0, state, action] == pytest.approx(float(worth))


@pytest.mark.parametrize("shuffled", [False, True])
def test_who_knows_the_process_loses_nothing(shuffled: bool) -> None:
    family = RandomMDP(states=5, choices=3, capacity=7, shuffle_slots=shuffled, horizon=30)
    found = evaluate(KnownProcess(), family, 200)
    task = family.sample_task(keyed_random.trial_keys(range(200), 0, "train"))
    missed = found.outcomes.double().numpy() - 3 * task.value[:, 10, 0].max(-1)
    assert abs(missed.mean()) < 4 * missed.std() / 200**0.5
    assert evaluate(KnownProcess("one step"), family, 200).mean < found.mean


def test_ties_are_taken_alike_and_nobody_goes_round_in_circles() -> None:
    keys = torch.from_numpy(keyed_random.trial_keys(range(6000), 0, "train"))
    scores = torch.tensor([0.3, 0.5, 0.5 - 1e-12, 0.4, 0.5]).double().expand(6000, 5)
    taken = [torch.bincount(best(scores, keys, step), minlength=5) for step in (0, 1)]
    assert all(count[[0, 3]].sum() == 0 for count in taken)
    assert all((count[[1, 2, 4]] - 2000).abs().max() < 5 * (6000 * 2 / 9) ** 0.5 for count in taken)
    assert not torch.equal(best(scores, keys, 0), best(scores, keys, 1))
    family = RandomMDP(kind="goal", concentration=0)
    found = evaluate(KnownProcess("one step"), family, 400, chunk=400).outcomes  # the first on ties: 0 in 90
    assert (found == 0).sum() < 4


def test_planning_at_every_step_uses_what_an_episode_has_shown() -> None:
    family = RandomMDP(kind="goal", concentration=0)
    once, always = (evaluate(BEB(0.4, every_step=each), family, 400, chunk=400) for each in (False, True))
    gain = (always.outcomes - once.outcomes).double()
    assert gain.mean() > 2 + 3 * gain.std() / 400**0.5


def test_planning_is_what_the_goal_variant_is_about() -> None:
    """One step ahead gets 0.71 of the way from random to the best there, 0.98 with normal rewards."""
    for kind, concentration, share in (("normal", 1, 0.98), ("goal", 0.1, 0.80), ("goal", 0, 0.71)):
        family = RandomMDP(kind=kind, concentration=concentration)  # type: ignore[arg-type]
        agents = (EpsilonGreedy(1.0), KnownProcess("one step"), KnownProcess())
        chance, near, best = (evaluate(agent, family, 400, chunk=400).mean for agent in agents)
        assert (near - chance) / (best - chance) == pytest.approx(share, abs=0.07)


def test_algorithms_earn_what_was_published() -> None:
    """Duan et al. 2016, table 2, ten episodes: PSRL 138.1 +- 1.2; here optimism in one step 160.9."""
    family = RandomMDP(split="test")
    psrl = evaluate(PosteriorSampling(prior_mean=0.0), family, 600, chunk=600)
    assert psrl.mean == pytest.approx(138.1, abs=3 * (1.2**2 + float(psrl.outcomes.var()) / 600) ** 0.5)
    optimism = evaluate(OneStepOptimism(0.7), family, 600, chunk=600)
    assert optimism.mean == pytest.approx(
        160.9, abs=3 * (0.4**2 + float(optimism.outcomes.var()) / 600) ** 0.5
    )


def test_every_algorithm_learns_and_draws_make_it_optimistic() -> None:
    agents = [EpsilonGreedy(), EpsilonGreedy(0.1), PosteriorSampling(), PosteriorSampling(3), BEB(0.5)]
    for family in (SMALL, GOAL, RandomMDP(states=(2, 4), choices=(2, 3), shuffle_slots=True, horizon=50)):
        chance = evaluate(EpsilonGreedy(1.0), family, 100).mean
        for agent in [*agents, UCRL2(0.03), OneStepOptimism(0.5)]:
            assert evaluate(agent, family, 100).mean > 1.1 * chance, (agent, family)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EpsilonGreedy(1.1), r"epsilon is 1.1; it must lie in \[0, 1\]"),
        (lambda: BEB(-1), "beta is -1; it must be a number from 0 up"),
        (lambda: UCRL2(doubt=0), "doubt is 0; it must lie above it"),
        (lambda: PosteriorSampling(0), "draws is 0; it must be an integer from 1 to 100"),
        (lambda: PosteriorSampling(every_step=True), "drawn for a whole episode: use False"),
        (lambda: KnownProcess("two"), "sees is 'two'"),
        (lambda: evaluate(BEB(), Bandit(), 2), "BEB is for RandomMDP, not for Bandit"),
    ],
)
def test_mistakes_say_what_would_do(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
