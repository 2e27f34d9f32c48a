"""Minimum viable environments for learning to learn: importing this registers them with Gymnasium."""

from typing import Any

from badger_envs.evaluation import Evaluation, evaluate
from badger_envs.family import FLAGS, Bounds, Family, Observation, Sizes, Slots, Transition, make_family
from badger_envs.registry import TABLE, family_of, register, register_all

__all__ = [
    "FLAGS",
    "TABLE",
    "Bounds",
    "Evaluation",
    "Family",
    "Observation",
    "Sizes",
    "Slots",
    "Transition",
    "evaluate",
    "family_of",
    "make_batched",
    "make_family",
    "register",
]

__version__ = "0.1.0"


def make_batched(id: str, batch_size: int, device: str = "cpu", **settings: Any) -> Any:
    """The torch face of a registered id: `batch_size` trials at once on a device.

    See `badger_envs.faces.batched.BatchedEnv`.

    Raises:
        ImportError: torch is missing.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ImportError("the torch face needs torch: pip install 'badger-suite[agents]'") from error
    from badger_envs.faces.batched import BatchedEnv

    return BatchedEnv(family_of(id, **settings), batch_size, device)


register_all()
