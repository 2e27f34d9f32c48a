"""Gradient estimators of the outer loop, by the name that a recipe uses (contract 5)."""

from typing import Any

from badger_agents.estimators.backpropagation import Backpropagation
from badger_agents.estimators.base import GradientEstimator, Memory, Update
from badger_agents.estimators.policy_gradient import PolicyGradient

ESTIMATORS: dict[str, type[GradientEstimator]] = {
    "backpropagation": Backpropagation,
    "policy_gradient": PolicyGradient,
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
    "Backpropagation",
    "GradientEstimator",
    "Memory",
    "PolicyGradient",
    "Update",
    "make_estimator",
]
