"""Controls of learning: without feedback chance is left, without memory what can be had without it."""

import dataclasses
from typing import Any

import pytest
import torch

from badger_agents.agent import Agent
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.loading import load_pretrained
from badger_agents.whitebox.controls import CONTROLS, BornAnew, Forgetful, WithheldFeedback
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.variable_io import VariableIO
from badger_envs.family import Family, Observation
from baselines.bandits.classical import Greedy
from baselines.bandits.win_stay_lose_shift import WinStayLoseShift
from baselines.optimisers.triangulation import MemorylessTriangulation, Triangulation
from baselines.supervised.classical import LeastSquares, MeanPredictor
from tests.badger_agents.small import keys


class Counting:
    """Records how often it has acted, as far as it remembers, and what it was told."""

    def initial_state(self, family: Family, own: torch.Tensor) -> tuple[int]:
        return (0,)

    def act(self, state: tuple[int], seen: Observation, own: torch.Tensor, step: int) -> Any:
        told = torch.cat([seen.feedback, seen.output_feedback.flatten(1)], dim=1).abs().sum(dim=1)
        written = torch.zeros_like(seen.outputs)
        return (state[0] + 1,), written, {"acted": torch.full_like(told, state[0]), "told": told}


@dataclasses.dataclass
class Watched:
    """A wrapper that keeps what the agent records."""

    agent: Any
    records: list[dict[str, torch.Tensor]] = dataclasses.field(default_factory=list)

    def initial_state(self, family: Family, own: torch.Tensor) -> Any:
        return self.agent.initial_state(family, own)

    def act(self, state: Any, seen: Observation, own: torch.Tensor, step: int) -> Any:
        state, action, record = self.agent.act(state, seen, own, step)
        self.records.append(record)
        return state, action, record


def test_withheld_feedback_is_zeros_of_both_kinds_and_memory_stays() -> None:
    family = VariableIO(horizon=6, support=5)
    free, deaf = Watched(Counting()), Watched(WithheldFeedback(Counting()))
    for agent in (free, deaf):
        evaluate(agent, family, 8)
    assert any((record["told"] > 0).any() for record in free.records)
    assert all((record["told"] == 0).all() for record in deaf.records)
    assert [int(record["acted"][0]) for record in deaf.records] == list(range(6))


def test_a_forgetful_agent_acts_for_the_first_time_at_every_step_but_hears() -> None:
    agent = Watched(Forgetful(Counting()))
    evaluate(agent, GuessingGame(horizon=5), 8)
    assert [int(record["acted"][0]) for record in agent.records] == [0] * 5
    assert all((record["told"] > 0).all() for record in agent.records)


def test_its_clock_goes_on() -> None:
    family = Bandit(arms=3, horizon=4)
    task = family.sample_task(keys(2))
    seen, clocks = family.observe(task, family.initial_state(task)), []

    class Clocked(Greedy):
        def act(self, state: Any, seen: Observation, own: torch.Tensor, step: int) -> Any:
            clocks.append(step)
            return super().act(state, seen, own, step)

    agent = Forgetful(Clocked())
    state = agent.initial_state(family, keys(2))
    for step in range(3):
        state, _, _ = agent.act(state, seen, keys(2), step)
    assert clocks == [0, 1, 2]


def test_one_born_anew_lives_as_in_short_lives_from_what_is_written() -> None:
    """Every third step it is told to be the first, and knows what an agent without a past knows."""
    family, short = GuessingGame(horizon=8), GuessingGame(horizon=3)
    flags: list[torch.Tensor] = []

    class Clocked(Triangulation):
        def act(self, state: Any, seen: Observation, own: torch.Tensor, step: int) -> Any:
            flags.append(seen.flags[0])
            assert seen.flags[0, 0] == (step == 0)
            return super().act(state, seen, own, step)

    counting = Watched(BornAnew(Counting(), 3))
    evaluate(counting, family, 4)
    assert [int(record["acted"][0]) for record in counting.records] == [0, 1, 2, 0, 1, 2, 0, 1]
    evaluate(Clocked(), short, 4)
    once, _ = list(flags), flags.clear()
    evaluate(BornAnew(Clocked(), 3), family, 4)
    assert torch.equal(torch.stack(flags), torch.stack([*once, *once, *once[:2]]))
    long = evaluate(BornAnew(Triangulation(), 8), family, 50).outcomes
    assert torch.equal(long, evaluate(Triangulation(), family, 50).outcomes)


def test_agents_without_memory_lose_nothing() -> None:
    cases: list[tuple[Agent, Family]] = [
        (WinStayLoseShift(), Bandit(arms=5, split="test")),
        (MemorylessTriangulation(), GuessingGame(dims=4, split="test")),
    ]
    for agent, family in cases:
        forgetful, free = (evaluate(one, family, 200).outcomes for one in (Forgetful(agent), agent))
        assert torch.equal(forgetful, free)


def test_learners_lose_what_they_have_learned() -> None:
    family = VariableIO(kind="affine", inputs=3, outputs=2, split="test")
    assert evaluate(LeastSquares(), family, 200).mean < 1e-3
    for control in CONTROLS.values():
        assert evaluate(control(LeastSquares()), family, 200).mean > 0.3
    deaf = [evaluate(WithheldFeedback(one), family, 200).mean for one in (MeanPredictor(), LeastSquares())]
    assert deaf[0] == deaf[1]  # both write zeros
    game = GuessingGame(dims=4, split="test")
    assert evaluate(WithheldFeedback(Triangulation()), game, 500).mean > 1
    assert evaluate(Forgetful(Triangulation()), game, 500).mean > 0.5


def compared(agent: Agent, family: Family, trials: int) -> dict[str, Evaluation]:
    """The agent as it is and under each control, on the same tasks."""
    both = {name: evaluate(control(agent), family, trials, chunk=400) for name, control in CONTROLS.items()}
    return {"as it is": evaluate(agent, family, trials, chunk=400), **both}


@pytest.mark.parametrize("arms", [5, *(pytest.param(arms, marks=pytest.mark.slow) for arms in (10, 50))])
def test_the_pretrained_bandit_learns_within_its_trials(arms: int) -> None:
    trials = 300 if arms == 5 else 2_000
    family = Bandit(arms=arms, split="test")
    agent = load_pretrained("bandit").agent(experts=arms)
    found = compared(agent, family, trials)
    low, high = found["withheld"].ci95
    assert low - 0.3 < 50 < high + 0.3  # a random arm pays in one of two pulls, whatever their number
    reference = evaluate(WinStayLoseShift(), family, trials).outcomes
    beyond = found["forgetful"].outcomes - reference
    assert beyond.mean() < 2 * beyond.std() / trials**0.5
    gain = found["as it is"].outcomes - reference
    assert gain.mean() > 3 * gain.std() / trials**0.5


def test_the_pretrained_guesser_learns_within_its_trials() -> None:
    checkpoint = load_pretrained("guessing-hardwired")
    family = checkpoint.recipe.family(split="test")
    found = compared(checkpoint.agent(), family, 300)
    assert found["as it is"].ci95[1] < 0.01
    # Without feedback no writing has less than 1 on average. Without memory an agent can still be exact, if
    # it writes down what it found: so 0 is the reference, and this agent is far above it.
    assert found["withheld"].ci95[0] > 1
    assert found["forgetful"].ci95[0] > 1
    assert evaluate(MemorylessTriangulation(), family, 300).outcomes.max() < 1e-6
