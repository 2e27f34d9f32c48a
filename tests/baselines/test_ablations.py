"""Ablations of communication: what they change, and nothing else."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.settings import BadgerSettings
from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.rollout import rollout
from badger_agents.training.loop import train_population
from badger_agents.training.run import RunPlan
from badger_agents.whitebox import equivariance
from badger_envs import keyed_random
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hidden_profile import HiddenProfile
from badger_envs.families.hot_cold import HotCold
from badger_envs.families.variable_io import VariableIO
from badger_envs.families.xor import XOR
from badger_envs.family import Family
from baselines.ablations.communication import OracleChannel
from baselines.ablations.voting import Voting
from baselines.constant_policies import Constant
from baselines.oracle import Oracle, OracleState
from baselines.supervised.group_decisions import Individual
from tests.badger_agents.small import keys, random_agent, shake, small_family, small_recipe

# Controls of talking: frozen speakers stay as they were drawn, an oracle's channel tells the answer.


SMALL = {"hidden_size": 8, "message_size": 4}
FROZEN = "baselines.ablations.communication:FrozenSenderPolicy"


def frozen() -> Recipe:
    return small_recipe(agent={"policy": {"kind": FROZEN, "of": SMALL}})


def test_a_frozen_speaker_stays_as_it_was_drawn_and_its_listener_learns(tmp_path: Path) -> None:
    recipe, seeds = frozen(), (0, 1)
    done = train_population([RunPlan(recipe, seed, tmp_path / str(seed)) for seed in seeds])
    for seed, last in zip(seeds, done, strict=True):
        before = recipe.make_agent(seed).state_dict()  # type: ignore[attr-defined]
        moved = {name for name, weight in last.weights.items() if not torch.equal(weight, before[name])}
        assert not [name for name in moved if ".speaker." in name]
        assert {name for name in before if ".listener.cell" in name} <= moved
    assert not torch.equal(*(last.weights["policy.speaker.say.weight"] for last in done))


def test_what_is_heard_is_the_frozen_speakers_message() -> None:
    family = small_family()
    agent = random_agent(family, policy={"kind": FROZEN, "of": SMALL})
    trace = rollout(agent, family, keys(3), record=True).trace
    said = agent.policy.speaker.emit(trace["states.0"][0], trace["readings"][1])
    torch.testing.assert_close(trace["messages"][1], said.value)
    assert equivariance(agent, family, keys(3)) < 1e-5


def test_speakers_of_any_policy_can_be_frozen() -> None:
    kind = "badger_agents.badger.policies.averaging:AveragingPolicy"
    averaging = {"kind": kind, "heads": 2, "hidden_size": 6, "message_size": 3}
    family = small_family()
    agent = random_agent(family, policy={"kind": FROZEN, "of": averaging})
    rollout(agent, family, keys(4)).loss.mean().backward()
    grown = {name for name, weight in agent.named_parameters() if weight.grad is not None}
    assert {"policy.listener.remember.weight", "policy.listener.write.weight"} <= grown
    assert not [name for name in grown if ".speaker." in name]
    for wrong, reason in (({"kind": "nothing"}, "module:Class"), ({"size": 3}, "size: unknown key")):
        with pytest.raises(ValueError, match=reason):
            random_agent(family, policy={"kind": FROZEN, "of": wrong})


def test_speakers_whose_messages_are_plain_tensors_can_be_frozen() -> None:
    family, names = small_family(), keys(4)
    of = {"kind": "tests.badger_agents.whitebox.handmade:Parrot"}
    trace = rollout(random_agent(family, policy={"kind": FROZEN, "of": of}), family, names, record=True).trace
    assert torch.equal(trace["messages"][0], trace["states.0"][0])  # a parrot says its state: the speaker's


def oracle_channel(**settings: object) -> Recipe:
    tables = small_recipe().model_dump()
    tables["agent"] |= {"kind": "baselines.ablations.communication:OracleChannel", **settings}
    return check_recipe(tables, "a test's recipe")


def test_the_channel_tells_each_expert_what_to_write_and_nothing_else() -> None:
    recipe = oracle_channel()
    family, agent, names = recipe.family(), recipe.make_agent(), keys(5)
    trace = rollout(agent, family, names, record=True).trace
    answer = rollout(Oracle(), family, names, record=True).trace["action"]  # (T, B, O)
    torch.testing.assert_close(trace["inbox"][..., 0], answer)
    assert not trace["inbox"][..., 1:].any()
    told = agent.badger  # type: ignore[attr-defined]
    assert isinstance(told, BadgerAgent)
    badger = told.with_parts(channel=told.channel.channel)
    assert rollout(badger, family, names, record=True).trace["inbox"].std() > 0  # untouched by it


@pytest.mark.parametrize(
    ("family", "writing"),
    [
        (VariableIO(inputs=2, outputs=2, support=3, horizon=6), "absolute"),
        (Bandit(kind="restless", walk=0.4, arms=2, horizon=6), "score"),
        (HotCold(dims=2, horizon=6), "absolute"),
        (XOR(bits=2, horizon=6, function="table"), "absolute"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_told_is_what_would_be_right_at_each_step(family: Family, writing: str) -> None:
    """The world's own solution, whatever the agent does; nothing to an expert that drives no output."""
    settings = BadgerSettings(writing=writing, experts=3)  # type: ignore[arg-type]
    agent = OracleChannel(family, settings)
    shake(agent)
    trace = rollout(agent, family, keys(16), record=True).trace
    torch.testing.assert_close(trace["inbox"][:, :, :2, 0], trace["solution"])
    assert trace["action"].double().std() > 0
    assert not trace["inbox"][:, :, 2].any()
    changes = not isinstance(family, HotCold)
    assert bool((trace["solution"][1:] != trace["solution"][:-1]).any()) == changes


def test_the_oracle_is_right_at_every_step() -> None:
    for family in (VariableIO(inputs=2, outputs=2, horizon=12), HotCold(dims=2, horizon=3)):
        lived = rollout(Oracle(), family, keys(16), record=True).trace
        torch.testing.assert_close(lived["action"], lived["solution"])
    with pytest.raises(ValueError, match="no solution that could be written"):
        rollout(Oracle(), Bandit(horizon=2), keys(2))


class Peeking(Oracle):
    """Looks answers up with what every agent gets; once it was enough to make an agent's keys of it again."""

    knows_trials = False

    def __init__(self, again: bool) -> None:
        self.again = again

    def initial_state(self, family: Family, keys: Tensor) -> OracleState:
        return super().initial_state(family, keyed_random.agent_keys(keys) if self.again else keys)


@pytest.mark.parametrize("again", [False, True])
def test_what_every_agent_gets_does_not_tell_the_answers(again: bool) -> None:
    lived = rollout(Peeking(again), HotCold(dims=2, horizon=3), keys(64), record=True).trace
    action, solution = lived["action"][-1].flatten(), lived["solution"][-1].flatten()
    assert not (action == solution).any()
    assert abs(torch.corrcoef(torch.stack([action, solution]))[0, 1]) < 0.3


def test_it_learns_to_write_what_it_is_told(tmp_path: Path) -> None:
    tables = oracle_channel(channel={"topology": "none"}).model_dump()
    tables["training"] |= {"outer_steps": 80, "batch_size": 64, "optimiser": {"learning_rate": 2e-2}}
    recipe = check_recipe(tables, "a test's recipe")
    (last,) = train_population([RunPlan(recipe, 0, tmp_path)])
    losses = rollout(last.agent(), recipe.family(), keys(64)).loss
    assert losses[-1].mean() < 0.1 < losses[0].mean()


def test_it_wants_an_answer_for_each_expert() -> None:
    with pytest.raises(ValueError, match="hardwired"):
        oracle_channel(membrane={"kind": "attentional"})


# Voting: all answer what most would have answered, and chance decides between equals.


class OwnBit:
    """Each writes its own bit."""

    def initial_state(self, family: object, names: torch.Tensor) -> tuple[()]:
        return ()

    def act(self, state: tuple[()], observation: object, names: torch.Tensor, step: int) -> tuple:
        return state, observation.inputs[:, :, 0], {}  # type: ignore[attr-defined]


def test_a_vote_of_bits_is_their_majority() -> None:
    family = XOR(bits=(1, 5), test_bits=(7, 9), function="majority", shuffle_slots=True)
    bits = rollout(Voting(OwnBit()), family, keys(200), record=True).trace["outputs"][-1]
    assert all(len(set(row[row != 0].tolist())) <= 1 for row in bits)
    odd = XOR(bits=5, function="majority")
    assert evaluate(Voting(OwnBit()), odd, 100).mean == 1
    assert evaluate(OwnBit(), odd, 100).mean < 0.9


def test_members_vote_for_what_they_rated_highest_in_the_round_before_the_last() -> None:
    family = HiddenProfile(options=(2, 3), test_options=4, members=5, horizon=7)
    trial = rollout(Voting(Individual()), family, keys(100), record=True)
    written, inputs = trial.trace["outputs"], trial.trace["inputs"].sum(-1)  # (T, B, O) each
    task = family.sample_task(keys(100))
    for row in range(100):
        options = int(task.options[row])
        before = written[7 - 2 * options : 7 - options, row]  # (K, O)
        counted = torch.bincount(before.argmax(dim=0), minlength=options)  # (K,)
        voted = written[7 - options :, row]  # (K, O)
        assert (voted == voted[:, :1]).all()
        assert int(counted[voted[:, 0].argmax()]) == int(counted.max())
    assert inputs.shape == written.shape


def test_equals_are_decided_by_chance() -> None:
    found = evaluate(Voting(Constant(0.0)), HiddenProfile(), 3000)
    assert found.mean == pytest.approx(1 / 3, abs=4 * float(found.outcomes.std()) / 3000**0.5)


def test_who_cannot_vote_is_refused() -> None:
    with pytest.raises(ValueError, match="a vote needs a round before the last one: 6 at least"):
        evaluate(Voting(Individual()), HiddenProfile(horizon=5), 5)
    with pytest.raises(ValueError, match="GuessingGame has none"):
        evaluate(Voting(Constant(0.0)), GuessingGame(), 5)
