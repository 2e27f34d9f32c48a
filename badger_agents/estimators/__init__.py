"""Gradient estimators of the outer loop, by the name that a recipe uses (contract 5)."""

from typing import Any

from badger_agents.estimators.backpropagation import Backpropagation, TruncatedBackpropagation
from badger_agents.estimators.base import GradientEstimator, Memory, Update, Weights
from badger_agents.estimators.evolution import Evolution, PersistentEvolution
from badger_agents.estimators.imitation import Imitation
from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.estimators.policy_gradient import PolicyGradient
from badger_agents.estimators.trials import Trials

ESTIMATORS: dict[str, type[GradientEstimator]] = {
    "backpropagation": Backpropagation,
    "truncated_backpropagation": TruncatedBackpropagation,
    "evolution": Evolution,
    "persistent_evolution": PersistentEvolution,
    "policy_gradient": PolicyGradient,
    "imitation": Imitation,
}
"""Estimators by the name that a recipe uses."""


def make_estimator(name: str, settings: dict[str, Any]) -> GradientEstimator:
    """Build an estimator.

    Raises:
        pydantic.ValidationError: a setting is unknown or wrong.
    """
    kind = ESTIMATORS[name]
    return kind(kind.Settings.model_validate(settings))


__all__ = [
    "ESTIMATORS",
    "OBJECTIVES",
    "Backpropagation",
    "Evolution",
    "GradientEstimator",
    "Imitation",
    "Memory",
    "PersistentEvolution",
    "PolicyGradient",
    "Trials",
    "TruncatedBackpropagation",
    "Update",
    "Weights",
    "make_estimator",
]
