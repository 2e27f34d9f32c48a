"""Bounds of outcomes: what no agent can reach in a cell, good or bad."""

import dataclasses
import math

from badger_envs.combinators.sequence import Sequence
from badger_envs.families.bandit import Bandit
from badger_envs.families.deliberation import Deliberation
from badger_envs.families.digits import Digits
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hidden_profile import HiddenProfile
from badger_envs.families.hot_cold import HotCold
from badger_envs.families.random_mdp import RandomMDP
from badger_envs.families.recall import Recall
from badger_envs.families.variable_io import VariableIO
from badger_envs.families.xor import XOR
from badger_envs.family import Family

SLACK = 1e-5
"""Share of the width by which bounds are wider, as outcomes are rounded."""


def outcome_bounds(family: Family) -> tuple[float, float]:
    """Lowest and highest outcome of a trial, as it may be rounded: `exact_bounds` with some slack."""
    low, high = exact_bounds(family)
    slack = 0.0 if math.isinf(high - low) else SLACK * (high - low)
    return low - slack, high + slack


def exact_bounds(family: Family) -> tuple[float, float]:
    """Lowest and highest outcome of a trial; infinities for families of which nothing is known."""
    if isinstance(family, XOR | HiddenProfile | Deliberation | Recall | Digits):
        return 0.0, 1.0  # a fraction of answers
    if isinstance(family, Bandit | RandomMDP):
        low, high = family.bounds.feedback  # of a single reward
        return low * family.horizon, high * family.horizon
    if isinstance(family, GuessingGame):
        return 0.0, 3 * (1 + family.target_scale) ** 2
    if isinstance(family, HotCold):
        return tuple(map(float, dataclasses.replace(family, feedback="value").bounds.feedback))  # type: ignore[return-value]
    if isinstance(family, VariableIO):
        low, high = family.bounds.feedback  # of a single error, of which the outcome is a mean
        return float(low), float(high)
    if isinstance(family, Sequence) and all(isinstance(part, GuessingGame) for part in family.parts):
        return 0.0, max(exact_bounds(part)[1] for part in family.parts)  # losses of these are their errors
    return -math.inf, math.inf
