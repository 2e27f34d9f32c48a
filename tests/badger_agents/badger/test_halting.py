"""Learned halting: weights, rounds and costs by hand, and what an ended trial keeps."""

import math

import pytest
import torch
from torch import Tensor

from badger_agents.badger.halting import EPSILON, Stopping, talk_on
from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import RecipeError
from badger_agents.rollout import rollout
from badger_agents.training.loop import train
from tests.badger_agents.small import keys, random_agent, seen_at, small_family, small_recipe

HALTS = {"hidden_size": 6, "message_size": 3, "key_size": 2, "halts": True}


def odds(*chances: float) -> Tensor:
    """Log-odds of trials [B, 1, 1]."""
    return torch.tensor([math.log(p / (1 - p)) for p in chances], dtype=torch.float64).view(-1, 1, 1)


def talked(chances: list[list[float]]) -> Stopping:
    """Rounds with given chances of stopping, [round][trial]; states and writings are the round's number."""
    talk = None
    for number, row in enumerate(chances):
        value = torch.full((len(row), 1, 1), float(number), dtype=torch.float64)
        final = number == len(chances) - 1
        talk = talk_on(talk, odds(*row), (value, value.long()), value, (value, ()), final=final)
    assert talk is not None
    return talk


def test_by_hand() -> None:
    # the first trial stops in its second round (0.3 + 0.8 > 1), the second is cut off at the third
    talk = talked([[0.3, 0.2], [0.8, 0.1], [0.5, 0.1]])
    assert talk.rounds.flatten().tolist() == [2, 3]
    torch.testing.assert_close(talk.cost.flatten(), torch.tensor([2 + 0.7, 3 + 0.7], dtype=torch.float64))
    mean = [0.3 * 0 + 0.7 * 1, 0.2 * 0 + 0.1 * 1 + 0.7 * 2]
    torch.testing.assert_close(talk.writing.flatten(), torch.tensor(mean, dtype=torch.float64))
    torch.testing.assert_close(talk.states[0].flatten(), torch.tensor(mean, dtype=torch.float64))
    assert talk.states[1].flatten().tolist() == [1, 2]  # what is no mean is that of the last round used
    assert talk.last[0].flatten().tolist() == [1, 2]
    assert not talk.left.any()


def test_one_round_can_do() -> None:
    talk = talked([[1 - EPSILON / 2], [0.5]])
    assert float(talk.rounds) == 1
    assert float(talk.writing) == 0


def test_the_vote_is_everybodys_and_gets_a_gradient_from_cost_and_writing() -> None:
    votes = torch.zeros(1, 4, 1, requires_grad=True)
    first = talk_on(None, votes, torch.zeros(1, 4, 1), torch.zeros(1, 4, 1), (), final=False)
    done = talk_on(first, votes, torch.zeros(1, 4, 1), torch.ones(1, 4, 1), (), final=True)
    for result in (done.cost.sum(), done.writing.sum()):
        (gradient,) = torch.autograd.grad(result, votes, retain_graph=True)
        assert bool((gradient < 0).all())  # stopping sooner costs less, and writes less of the second round
        assert torch.equal(gradient, gradient[:, :1].expand(-1, 4, -1))


def test_an_agent_that_votes_to_stop_is_one_that_has_fewer_rounds() -> None:
    family, names = small_family(), keys(5)
    agent = random_agent(family, rounds=4, policy=HALTS)
    with torch.no_grad():
        agent.policy.stop.weight.zero_()
        agent.policy.stop.bias.fill_(50.0)  # everybody is certain at once
    single = random_agent(family, rounds=1, policy=HALTS)
    single.load_state_dict(agent.state_dict())
    ours, theirs = rollout(agent, family, names, record=True), rollout(single, family, names, record=True)
    torch.testing.assert_close(ours.loss, theirs.loss)
    torch.testing.assert_close(ours.trace["messages"], theirs.trace["messages"])
    assert bool((ours.trace["rounds"] == 1).all())


def test_a_trial_that_stopped_early_keeps_what_was_on_its_way_then_messages_and_keys_alike() -> None:
    family, names = small_family(), keys(8)
    channel = {"delay": 1, "noise": 0.1}
    agents = {
        rounds: random_agent(family, rounds=rounds, policy=HALTS, channel=channel) for rounds in (1, 2, 3)
    }
    with torch.no_grad():
        for agent in agents.values():
            agent.policy.stop.weight *= 40  # some stop at once
    seen, ends = seen_at(family, names), {}
    for rounds, agent in agents.items():
        state, _, record = agent.act(agent.initial_state(family, names), seen, names, 0)
        ends[rounds] = state.channel.delay_buffer
    used = record["rounds"].long()
    assert set(used.tolist()) > {1}
    for row, rounds in enumerate(used.tolist()):
        for (value, key), (alone, its) in zip(ends[3], ends[rounds], strict=True):
            torch.testing.assert_close(value[row], alone[row])
            torch.testing.assert_close(key[row], its[row])


def test_evaluation_reports_rounds() -> None:
    family = small_family()
    result = evaluate(random_agent(family, rounds=5, policy=HALTS), family, 20)
    assert result.rounds is not None
    assert 1 <= float(result.rounds.min()) <= float(result.rounds.max()) <= 5
    assert evaluate(random_agent(family), family, 20).rounds is None


@pytest.mark.slow
def test_rounds_that_cost_become_fewer(tmp_path) -> None:
    agent = {"rounds": 6, "policy": {**HALTS, "hidden_size": 8, "message_size": 4}}
    stages = [{"outer_steps": 5}, {"halting_cost": 1.0}]
    training = {"outer_steps": 60, "optimiser": {"learning_rate": 0.03}, "stages": stages}
    recipe = small_recipe(agent=agent, training=training)
    before = evaluate(recipe.make_agent(0), recipe.family(), 50).rounds
    trained = recipe.make_agent(0)
    trained.load_state_dict(train(recipe, 0, tmp_path).weights)
    after = evaluate(trained, recipe.family(), 50).rounds
    assert before is not None
    assert after is not None
    assert float(after.mean()) < float(before.mean()) - 1


def test_a_cost_of_rounds_needs_somebody_who_votes() -> None:
    with pytest.raises(RecipeError, match="no rounds_cost, which halting_cost needs"):
        small_recipe(training={"halting_cost": 0.1})
    with pytest.raises(RecipeError, match=r"stages\[0\].* no rounds_cost, which halting_cost needs"):
        small_recipe(training={"stages": [{"halting_cost": 0.1}]})
