"""Choosing: draws follow the probabilities, masks hold, and every draw has a name."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from badger_agents.action_distribution import (
    choose,
    draw,
    draws,
    entropy,
    is_drawn,
    log_probability,
    logits_of,
)
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growth import Change, grow
from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_agents.whitebox.interventions import Intervened, Intervention, Silence
from badger_agents.whitebox.measures import equivariance
from badger_agents.whitebox.trace import record_trace
from badger_envs import keyed_random
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.xor import XOR
from badger_envs.family import ActionKind, Family
from baselines.monolith.monolith import Monolith, MonolithSettings
from tests.badger_agents.small import badger_settings, keys, shake

SCORES = torch.tensor([[2.0, -1.0, 0.5, 9.0]])
MASK = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
ROWS = 20_000

KINDS: tuple[ActionKind, ...] = ("categorical", "binary")
AGENTS: list[dict[str, Any]] = [
    {"experts": 7},
    {"experts": 7, "feedback_to": "chosen"},
    {"experts": 3, "membrane": "attentional"},
    {"experts": 8, "membrane": "attentional", "feedback_to": "chosen"},
]


def bandit(**settings: Any) -> Bandit:
    return Bandit(**{"arms": (2, 5), "test_arms": (6, 7), "horizon": 6, **settings})


def lively(family: Family, **settings: Any) -> BadgerAgent:
    agent = BadgerAgent(family, badger_settings(**{"policy": {"hidden_size": 8}, **settings}))
    shake(agent)
    return agent


def drawn(kind: ActionKind, temperature: float = 1.0, time: int = 0) -> tuple[Tensor, Tensor]:
    logits = logits_of(kind, SCORES, MASK, temperature).expand(ROWS, -1)
    return draw(kind, logits, MASK.expand(ROWS, -1), keys(ROWS), time), logits


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_slots_are_drawn_as_often_as_their_probability_says(temperature: float) -> None:
    action, logits = drawn("categorical", temperature)
    wanted = log_probability("categorical", logits[:4], MASK.expand(4, -1), torch.arange(4)).exp()
    torch.testing.assert_close(wanted[:3], torch.softmax(SCORES[0, :3] / temperature, dim=0))
    often = torch.bincount(action, minlength=4) / ROWS
    assert often[3] == 0  # not in use, though it has the highest score
    assert float((often - wanted).abs().max()) < 4 * 0.5 / math.sqrt(ROWS)


def test_signs_are_drawn_as_often_as_their_probability_says() -> None:
    action, logits = drawn("binary")
    assert (action[:, 3] == 0).all()
    assert action[:, :3].abs().eq(1).all()
    often = (action[:, :3] > 0).float().mean(dim=0)
    assert float((often - torch.sigmoid(SCORES[0, :3])).abs().max()) < 4 * 0.5 / math.sqrt(ROWS)
    logs = log_probability("binary", logits, MASK.expand(ROWS, -1), action)
    up = torch.sigmoid(SCORES[0, :3])
    wanted = torch.where(action[:, :3] > 0, up, 1 - up).prod(dim=-1)
    torch.testing.assert_close(logs.exp(), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_entropy_is_minus_the_mean_log_probability(kind: ActionKind) -> None:
    action, logits = drawn(kind)
    mask = MASK.expand(ROWS, -1)
    logs = log_probability(kind, logits, mask, action)
    exact = entropy(kind, logits, mask)
    torch.testing.assert_close(exact, exact[:1].expand(ROWS))
    assert abs(float(exact[0] + logs.mean())) < 4 * float(logs.std()) / math.sqrt(ROWS)


def test_entropy_of_equal_scores_is_the_log_of_what_can_be_drawn() -> None:
    flat = logits_of("categorical", torch.zeros(1, 4), MASK, 1.0)
    assert float(entropy("categorical", flat, MASK)) == pytest.approx(math.log(3))
    assert float(entropy("binary", torch.zeros(1, 4), MASK)) == pytest.approx(3 * math.log(2))


def test_near_temperature_zero_the_best_is_certain_and_ties_share() -> None:
    assert (drawn("categorical", 1e-6)[0] == 0).all()
    assert (drawn("binary", 1e-6)[0][:, :3] == torch.tensor([1.0, -1.0, 1.0])).all()
    tie = logits_of("categorical", torch.tensor([[1.0, 1.0, 0.0]]), torch.ones(1, 3), 1e-6).expand(ROWS, -1)
    often = torch.bincount(draw("categorical", tie, torch.ones(ROWS, 3), keys(ROWS), 0), minlength=3) / ROWS
    torch.testing.assert_close(often, torch.tensor([0.5, 0.5, 0.0]), atol=0.015, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_and_trial_has_draws_of_its_own(kind: ActionKind) -> None:
    logits, mask = torch.zeros(64, 4), torch.ones(64, 4)
    first, second = (draw(kind, logits, mask, keys(64), time) for time in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, draw(kind, logits, mask, keys(64), 0))
    torch.testing.assert_close(first[5:9], draw(kind, logits[5:9], mask[5:9], keys(64)[5:9], 0))


def test_continuous_actions_are_normal_around_what_is_written() -> None:
    action, logits = drawn("continuous", temperature=0.5)
    mask = MASK.expand(ROWS, -1)
    assert (action[:, 3] == 0).all()
    mean, spread = 0.5 * action[:, :3].mean(dim=0), 0.5 * action[:, :3].std(dim=0)
    torch.testing.assert_close(mean, SCORES[0, :3], atol=4 * 0.5 / math.sqrt(ROWS), rtol=0)
    torch.testing.assert_close(spread, torch.full((3,), 0.5), atol=4 * 0.5 / math.sqrt(2 * ROWS), rtol=0)
    normal = torch.distributions.Normal(logits[:, :3], 1.0)
    logs = log_probability("continuous", logits, mask, action)
    torch.testing.assert_close(logs, normal.log_prob(action[:, :3]).sum(-1))
    torch.testing.assert_close(entropy("continuous", logits, mask), normal.entropy().sum(-1))


@pytest.mark.parametrize("kind", [*KINDS, "continuous"])
def test_chance_drawn_for_many_steps_is_that_of_each(kind: ActionKind) -> None:
    logits, mask, own = torch.zeros(8, 4), torch.ones(8, 4), keys(8)
    block = draws(kind, own, 4, 3, 5, "float32")
    for step in range(5):
        assert torch.equal(
            choose(kind, logits, mask, block[:, step]), draw(kind, logits, mask, own, 3 + step)
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_highest_draw_picks_no_slot_that_is_not_in_use(dtype: torch.dtype) -> None:
    highest = torch.nextafter(torch.ones(1, dtype=dtype), torch.zeros(1, dtype=dtype))  # below 1
    lowest = torch.zeros(1, dtype=dtype)
    mask = torch.tensor([[1.0, 1.0, 0.0]], dtype=dtype)
    logits = logits_of("categorical", torch.zeros(1, 3, dtype=dtype), mask, 1.0)
    chance = torch.cat([lowest, highest, highest])[None]
    assert choose("categorical", logits, mask, chance).tolist() == [1]
    assert choose("categorical", logits, mask, chance[:, [0, 0, 1]]).tolist() == [0]


def test_scores_are_not_for_continuous_actions() -> None:
    with pytest.raises(ValueError, match="'increment' or 'absolute'"):
        is_drawn("continuous", "score")
    assert is_drawn("continuous", "increment", 0.1)
    assert not is_drawn("binary", "increment", 0.1)
    assert is_drawn("categorical", "increment")
    assert is_drawn("binary", "score")
    assert not is_drawn("binary", "increment")


@pytest.mark.parametrize("settings", AGENTS, ids=str)
def test_badger_agents_pull_arms_in_use_alone(settings: dict[str, Any]) -> None:
    family = bandit()
    agent = lively(family, **settings)
    lived = rollout(agent, family, keys(64), record=True)
    unused = family.observe(family.sample_task(keys(64)), family.initial_state(family.sample_task(keys(64))))
    pulled = lived.trace["action"]  # (T, B)
    assert pulled.dtype == torch.int64
    assert (unused.output_mask.expand(6, -1, -1).gather(-1, pulled[..., None]) == 1).all()
    assert torch.equal(pulled, lived.trace["choice"])
    assert not pulled.eq(pulled[:1]).all()


@pytest.mark.parametrize("writing", ["score", "increment"])
def test_binary_actions_are_drawn_if_scores_are_written(writing: Any) -> None:
    family = XOR(bits=3, horizon=4)
    lived = rollout(lively(family, experts=3, writing=writing), family, keys(16), record=True)
    assert ("logits" in lived.trace) == (writing == "score")
    assert lived.trace["action"].abs().eq(1).all() == (writing == "score")


def test_the_monolith_draws_too() -> None:
    agent = Monolith(bandit(), MonolithSettings(hidden_size=8))
    assert 2.0 < evaluate(agent, bandit(), 200).mean < 4.0  # of 6 pulls, half pay
    with pytest.raises(ValueError, match="continuous"):
        Monolith(GuessingGame(), MonolithSettings(writing="score"))


def test_a_noisy_monolith_writes_around_what_it_would_write() -> None:
    family = GuessingGame(dims=2, horizon=20)
    agent = Monolith(family, MonolithSettings(hidden_size=8, noise=0.05))  # which at first writes nothing
    lived = rollout(agent, family, keys(500), record=True)
    steps = lived.trace["action"].diff(dim=0)  # (T-1, B, O)
    assert float(steps.std()) == pytest.approx(0.05, rel=0.02)
    assert float(steps.mean()) == pytest.approx(0.0, abs=0.002)
    far = rollout(Monolith(family, MonolithSettings(hidden_size=8, noise=3.0)), family, keys(50), record=True)
    assert float(far.trace["action"].abs().max()) == 1.0


def test_the_chosen_expert_alone_hears_what_it_brought() -> None:
    family = bandit(arms=4, test_arms=None)
    for settings in AGENTS[1], AGENTS[3]:
        agent = lively(family, **settings)
        lived = rollout(agent, family, keys(32), record=True)
        slots = family.slots
        width = 2 * slots.feedback + 1 if "membrane" not in settings else 3 * slots.feedback + 1
        start = 2 + slots.input_size + 1
        hears = lived.trace["readings"][..., start + width - 1]  # (T, B, E)
        assert (hears[0] == 0).all()
        assert (hears[1:].sum(dim=-1) == 1).all()
        if "membrane" not in settings:
            assert torch.equal(hears[1:].argmax(dim=-1), lived.trace["action"][:-1])


@pytest.mark.parametrize("membrane", ["hardwired", "attentional"])
def test_tools_that_look_inside_work_where_actions_are_drawn(membrane: Any) -> None:
    family = bandit(arms=3, test_arms=None)
    agent = lively(family, experts=4, membrane=membrane)
    assert equivariance(agent, family, keys(8)) < 1e-5
    kept = rollout(Intervened(agent, Intervention()), family, keys(8), record=True)
    assert torch.equal(kept.trace["action"], rollout(agent, family, keys(8), record=True).trace["action"])
    logits = record_trace(agent, family, keys(8)).tensors["logits"]
    cut = record_trace(Intervened(agent, Silence()), family, keys(8)).tensors["logits"]
    assert not torch.allclose(logits[1:], cut[1:])


def test_a_grown_agent_goes_on_drawing_where_it_was() -> None:
    family = bandit(arms=3, test_arms=None)
    agent, own = lively(family, experts=3, topology="none"), keyed_random.agent_keys(keys(64))
    task = family.sample_task(keys(64))
    seen = family.observe(task, family.initial_state(task))
    state, first, _ = agent.act(agent.initial_state(family, own), seen, own, 0)
    grown, after = grow(agent, state, own, Change(add=2), 1)
    assert torch.equal(grown.act(after, seen, own, 1)[1], agent.act(state, seen, own, 1)[1])
    assert not torch.equal(first, agent.act(state, seen, own, 1)[1])
