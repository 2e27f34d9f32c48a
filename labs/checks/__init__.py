"""Checkers, one module a lab: `CHECKS` maps exercises to functions that raise `Mistake` at a wrong answer."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # else imported where used: `badger labs` reads names here, and should be quick
    from torch import Tensor


class Mistake(Exception):
    """What is wrong with an answer, in words that help: it names the mistake where the checker knows it."""


def require(holds: Any, message: str) -> None:
    """A `Mistake` with this message unless it holds."""
    if not bool(holds):
        raise Mistake(message)


def as_tensor(found: Any, shape: tuple[int, ...], name: str = "the result") -> "Tensor":
    """What a student's function returned, as float64, if it has the right shape.

    Args:
        found: a tensor, array or number.
        shape: that it must have.
        name: of it in the message.

    Raises:
        Mistake: it is none of these, or has another shape, or holds a number that is not finite.
    """
    import numpy as np
    import torch

    require(found is not None, f"{name} is None; is there a return?")
    try:
        made = torch.as_tensor(np.asarray(found) if not isinstance(found, torch.Tensor) else found)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Mistake(f"{name} is a {type(found).__name__}; it must be numbers of shape {shape}") from error
    require(tuple(made.shape) == shape, f"{name} has shape {tuple(made.shape)}; it must be {shape}")
    require(torch.isfinite(made.detach()).all(), f"{name} holds numbers that are not finite")
    return made.double()


def alike(found: Any, wanted: Any, tolerance: float = 1e-5) -> bool:
    """Whether numbers of the same shape are equal up to a tolerance, absolute and relative."""
    import torch

    one, other = (torch.as_tensor(each).detach().double() for each in (found, wanted))
    return one.shape == other.shape and torch.allclose(one, other, rtol=tolerance, atol=tolerance)
