"""States of the agents that no recipe names are nested tuples of tensors [B, ...] too."""

import pytest
import torch

from badger_agents.agent import Agent
from badger_envs.families.bandit import Bandit
from badger_envs.families.deliberation import Deliberation
from badger_envs.families.digits import Digits
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hidden_profile import HiddenProfile
from badger_envs.families.hot_cold import HotCold
from badger_envs.families.recall import Recall
from badger_envs.families.variable_io import VariableIO
from badger_envs.families.xor import XOR
from badger_envs.family import Family
from baselines.bandits.special import AskAndTake, DiscountedUCB, GaussianUCB, SharedEvidence
from baselines.constant_policies import FirstSlot, Grid, Spread, UsualAnswer
from baselines.monolith.monolith import Monolith, MonolithSettings
from baselines.optimisers.classical import Bisection, HillClimber, RandomSearch
from baselines.oracle import Oracle
from baselines.supervised.boolean import Memoriser, ReadAll
from baselines.supervised.classical import BayesLookup
from baselines.supervised.group_decisions import MajorityVote, Pooling
from baselines.supervised.local_rules import LocalRule
from baselines.supervised.remembering import Remembering
from baselines.supervised.streams import KernelRidge, NearestNeighbour, OnlineLinear, Prototypes
from tests.badger_agents.test_agent_states import check_agent

ARMS, HIDDEN = Bandit(arms=3, horizon=4), HotCold(dims=2, horizon=4)
LIVES: list[tuple[Agent, Family]] = [
    (GaussianUCB(), Bandit(kind="gaussian", horizon=4)),
    (SharedEvidence(), Bandit(kind="dependent", horizon=4)),
    (AskAndTake(), Bandit(kind="informative", horizon=4)),
    (DiscountedUCB(), Bandit(kind="restless", horizon=4)),
    (FirstSlot(), ARMS),
    (Spread(), HIDDEN),
    (Grid(4), HIDDEN),
    (UsualAnswer(), Deliberation(kind="maze", size=2)),
    (Oracle(), HIDDEN),
    (Memoriser(), XOR(function="table", horizon=4)),
    (ReadAll(), XOR(function="majority", bits=3)),
    (BayesLookup(), VariableIO(kind="lookup", horizon=12)),
    (LocalRule(), Deliberation(kind="maze", size=2)),
    (Remembering(), Recall(pairs=2, questions=1, horizon=4)),
    (NearestNeighbour(), Digits(horizon=4)),
    (Prototypes(), Digits(horizon=4)),
    (KernelRidge(), Digits(horizon=4)),
    (OnlineLinear(), Digits(horizon=4)),
    (Pooling(), HiddenProfile(horizon=3)),
    (MajorityVote(), HiddenProfile(options=2, horizon=4)),
    (RandomSearch(), HotCold(feedback="value", horizon=2)),  # the last step is another one
    (HillClimber(), HotCold(feedback="value", horizon=4)),
    (Bisection(), HotCold(feedback="delta", horizon=2)),
]


@pytest.mark.parametrize(("agent", "family"), LIVES, ids=lambda each: type(each).__name__)
def test_states_of_algorithms(agent: Agent, family: Family) -> None:
    check_agent(agent, family)


@pytest.mark.parametrize(
    "family", [ARMS, GuessingGame(horizon=4), XOR(horizon=4)], ids=lambda each: type(each).__name__
)
@pytest.mark.parametrize("model", ["gru", "lstm", "fast_weights", "transformer"])
def test_states_of_monoliths(model: str, family: Family) -> None:
    agent = Monolith(family, MonolithSettings.model_validate({"sequence_model": model}))
    with torch.no_grad():
        check_agent(agent, family)
    other = Monolith(GuessingGame(horizon=4), MonolithSettings(), action_kind="binary")
    assert other.action_kind == "binary"
