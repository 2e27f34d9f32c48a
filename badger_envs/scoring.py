"""Scores that compare between environments: 0 for the best policy without input, 1 for the reference."""

import functools
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from badger_envs.registry import base_id

FILE = Path(__file__).parent / "scores.json"
"""The constants, by versioned id, with the command that measured them."""

COMMAND = "badger admin score --write"


class Anchor(NamedTuple):
    """What an agent reached on the test split of an id.

    Attributes:
        agent: the agent's name.
        mean: mean outcome.
        standard_error: of the mean, over trials.
        trials: number of them.
    """

    agent: str
    mean: float
    standard_error: float
    trials: int


class Scale(NamedTuple):
    """What the outcomes of an id are measured against.

    Attributes:
        outcome: name of the outcome, a key of `info` at the end of a trial.
        floor: the best policy that ignores its input, of those tried: score 0.
        reference: the reference solution: score 1.
    """

    outcome: str
    floor: Anchor
    reference: Anchor

    def score(self, outcome: float) -> float:
        """The score of an outcome: linear, 0 at the floor, 1 at the reference; may lie outside of [0, 1]."""
        return (outcome - self.floor.mean) / (self.reference.mean - self.floor.mean)


@functools.cache
def scales() -> dict[str, Scale]:
    """All scales, by versioned id."""
    stored = json.loads(FILE.read_text(encoding="utf-8"))["scores"] if FILE.exists() else {}
    return {id: _scale(entry) for id, entry in stored.items()}


def scale_of(id: str) -> Scale:
    """The scale of a versioned id or of a variant of it, with its default settings.

    Raises:
        ValueError: no constants are known for it.
    """
    known = scales()
    name = base_id(id)
    if name not in known:
        raise ValueError(f"{id!r} has no score constants; ids that have: {', '.join(known) or 'none'}")
    return known[name]


def normalised_score(id: str, outcome: float) -> float:
    """The score of a mean outcome on the test split of an id.

    Args:
        id: a versioned id, with its default settings.
        outcome: mean of the family's outcome (`Family.outcome`) over trials.

    Returns:
        0 for the best policy that ignores its input, 1 for the reference solution; linear between and
        beyond.

    Raises:
        ValueError: no constants are known for the id, or the outcome is not finite.
    """
    if not math.isfinite(outcome):
        raise ValueError(f"outcome is {outcome}; it must be finite")
    return scale_of(id).score(outcome)


def to_json(known: dict[str, Scale]) -> str:
    """The text of `FILE` for these scales, ids in alphabetical order."""
    scores = {
        id: {"outcome": scale.outcome, "floor": scale.floor._asdict(), "reference": scale.reference._asdict()}
        for id, scale in sorted(known.items())
    }
    return json.dumps({"command": COMMAND, "scores": scores}, indent=1, allow_nan=False) + "\n"


def _scale(entry: dict[str, Any]) -> Scale:
    return Scale(entry["outcome"], Anchor(**entry["floor"]), Anchor(**entry["reference"]))
