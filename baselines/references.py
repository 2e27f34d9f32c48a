"""Which agents set the scale of a family: policies that ignore their input, and reference solutions."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from badger_agents.agent import Agent
from badger_envs.combinators.sequence import Sequence
from badger_envs.families.bandit import Bandit
from badger_envs.families.deliberation import Deliberation
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.random_mdp import RandomMDP
from badger_envs.families.synthetic.synthetic import Synthetic
from badger_envs.families.variable_io import VariableIO
from badger_envs.families.xor import XOR
from badger_envs.family import Family
from baselines.bandits.classical import UCB1, Greedy, RandomArm
from baselines.bandits.special import AskAndTake, DiscountedUCB, GaussianUCB, SharedEvidence
from baselines.constant_policies import Constant, FirstSlot, Grid, Spread, UsualAnswer
from baselines.mdps.algorithms import BEB, EpsilonGreedy, OneStepOptimism
from baselines.optimisers.triangulation import Triangulation
from baselines.oracle import BestChoice, Oracle
from baselines.restarted import Recalling, Restarted
from baselines.supervised.boolean import Memoriser, ReadAll
from baselines.supervised.classical import BayesLookup, BestSupervised, LeastSquares, MeanPredictor
from baselines.supervised.group_decisions import Pooling
from baselines.supervised.local_rules import LocalRule
from baselines.supervised.remembering import Remembering
from baselines.supervised.streams import KernelRidge, NearestNeighbour, OnlineLinear, Prototypes


class Candidates(NamedTuple):
    """Agents by name; the best of each set the scale.

    Attributes:
        floors: ignore their input.
        references: solve the family as well as is known.
    """

    floors: Mapping[str, Agent]
    references: Mapping[str, Agent]


def _guessing_game(family: Family) -> Candidates:
    return Candidates({"zeros": Constant(0.0)}, {"triangulation": Triangulation()})


def _xor(family: Family) -> Candidates:
    assert isinstance(family, XOR)
    floors = {"all +1": Constant(1.0), "all -1": Constant(-1.0)}
    if family.function == "table":
        return Candidates(floors, {"memoriser": Memoriser()})
    return Candidates(floors, {f"{family.function} of all bits": ReadAll()})


def _bandit(family: Family) -> Candidates:
    assert isinstance(family, Bandit)
    floors: dict[str, Agent] = {"random arm": RandomArm()}  # before it listens, all arms are alike
    if family.kind == "gaussian":
        return Candidates(floors, {f"gaussian UCB, c = {c}": GaussianUCB(c) for c in (0.5, 1.0, 1.5, 2.0)})
    if family.kind == "dependent":
        return Candidates(floors, {"shared evidence": SharedEvidence()})
    if family.kind == "informative":
        return Candidates({**floors, "first arm": FirstSlot()}, {"ask and take": AskAndTake()})
    if family.kind == "restless":
        return Candidates(
            floors,
            {
                f"discounted UCB1, c = {c}, gamma = {gamma}": DiscountedUCB(c=c, gamma=gamma)
                for c in (0.1, 0.2, 0.3)
                for gamma in (0.9, 0.95, 0.98)
            },
        )
    bounds = {f"UCB1, c = {c}": UCB1(c) for c in (0.1, 0.2, 0.3, 0.5, 1.0)}
    return Candidates(floors, {"greedy": Greedy(), **bounds})


def _random_mdp(family: Family) -> Candidates:
    assert isinstance(family, RandomMDP)
    learners: dict[str, Agent] = {"greedy by the posterior": EpsilonGreedy(0.0)}
    learners |= {f"optimism in one step, c = {c}": OneStepOptimism(c) for c in (0.1, 0.3, 0.7, 1.0)}
    if family.kind == "goal":
        learners |= {
            f"BEB at every step, beta = {beta}": BEB(beta, every_step=True)
            for beta in (0.1, 0.2, 0.3, 0.4, 0.5)
        }
    return Candidates({"random arm": RandomArm()}, learners)


def _sequence(family: Family) -> Candidates:
    assert isinstance(family, Sequence)
    if not all(isinstance(part, GuessingGame) for part in family.parts):
        raise ValueError("floors and references are known for sequences of guessing games alone")
    learners: dict[str, Agent] = {}
    for probe in (1.0, 0.3, 0.1, 0.03):
        anew = Restarted(Triangulation(probe), family)
        learners |= {
            f"triangulation, anew each visit, probe = {probe}": anew,
            f"triangulation, recalled, probe = {probe}": Recalling(anew),
        }
    return Candidates({"zeros": Constant(0.0)}, learners)


def _hot_cold(family: Family) -> Candidates:
    radii = (0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    blind: dict[str, Agent] = {"zeros": Constant(0.0)}
    blind |= {f"even spread, radius {radius}": Spread(radius) for radius in radii}
    blind |= {f"grid, radius {radius}": Grid(family.horizon, radius) for radius in radii}
    return Candidates(blind, {"optimum": Oracle()})


def _variable_io(family: Family) -> Candidates:
    assert isinstance(family, VariableIO)
    classes = family.slots.outputs
    floors: dict[str, Agent] = {"mean predictor": MeanPredictor(), "zeros": Constant(0.0)}
    if family.kinds == ("lookup",):
        floors["chance of a class"] = Constant(2 / classes - 1)
    references = {
        "least squares": LeastSquares(),
        "Bayes": BayesLookup(),
        "Bayes or least squares": BestSupervised(),
    }
    return Candidates(floors, references)


def _hidden_profile(family: Family) -> Candidates:
    spreads = {f"spread ratings, radius {radius}": Spread(radius) for radius in (0.5, 1.0)}
    return Candidates({"equal ratings": Constant(0.0), **spreads}, {"pooling": Pooling()})


def _deliberation(family: Family) -> Candidates:
    assert isinstance(family, Deliberation)
    floors: dict[str, Agent] = {"all +1": Constant(1.0), "all -1": Constant(-1.0)}
    floors["what is usual"] = UsualAnswer()
    return Candidates(floors, {"local rule": LocalRule()})


def _recall(family: Family) -> Candidates:
    return Candidates({"all +1": Constant(1.0), "all -1": Constant(-1.0)}, {"exact memory": Remembering()})


def _digits(family: Family) -> Candidates:
    learners = {
        "nearest neighbour": NearestNeighbour(),
        "kernel ridge": KernelRidge(),
        "prototypes": Prototypes(),
        "online linear": OnlineLinear(),
    }
    return Candidates({"spread answers": Spread(1.0)}, learners)


def _synthetic(family: Family) -> Candidates:
    assert isinstance(family, Synthetic)
    if family.goal == "choose":
        return Candidates({"random choice": RandomArm()}, {"best choice": BestChoice()})
    floors: dict[str, Agent] = {"zeros": Constant(0.0)}
    if family.goal == "agree":
        floors = {"all +1": Constant(1.0), "all -1": Constant(-1.0)}
    return Candidates(floors, {"answer": Oracle()})


REFERENCES: dict[str, Callable[[Family], Candidates]] = {
    "badger_envs.families.guessing_game:GuessingGame": _guessing_game,
    "badger_envs.families.xor:XOR": _xor,
    "badger_envs.families.bandit:Bandit": _bandit,
    "badger_envs.families.random_mdp:RandomMDP": _random_mdp,
    "badger_envs.combinators.sequence:Sequence": _sequence,
    "badger_envs.families.hot_cold:HotCold": _hot_cold,
    "badger_envs.families.variable_io:VariableIO": _variable_io,
    "badger_envs.families.hidden_profile:HiddenProfile": _hidden_profile,
    "badger_envs.families.deliberation:Deliberation": _deliberation,
    "badger_envs.families.recall:Recall": _recall,
    "badger_envs.families.digits:Digits": _digits,
    "badger_envs.families.synthetic.synthetic:Synthetic": _synthetic,
}
"""Candidates of a family, by "module:Class": a new family adds a row."""


def candidates_of(family: Family) -> Candidates:
    """Candidates for the floor and the reference of a family.

    Raises:
        ValueError: its class is not in `REFERENCES`.
    """
    path = f"{type(family).__module__}:{type(family).__qualname__}"
    if path not in REFERENCES:
        raise ValueError(f"no floor and reference are known for {path}; add them to baselines.references")
    return REFERENCES[path](family)
