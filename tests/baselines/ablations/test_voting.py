"""Voting: all answer what most would have answered, and chance decides between equals."""

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hidden_profile import HiddenProfile
from badger_envs.families.xor import XOR
from baselines.ablations.voting import Voting
from baselines.constant_policies import Constant
from baselines.supervised.group_decisions import Individual
from tests.badger_agents.small import keys


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
