"""Choosing: actions drawn by scores, one for each output slot, and how likely they were."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional

from badger_envs import random
from badger_envs.family import ActionKind

NEVER = -1e9
"""Logit of a slot that is not in use: finite, so that nothing becomes 0 times infinity."""

STREAM = "choice"
"""Name of the stream of uniforms from which actions are drawn, one for each slot and step."""


def is_drawn(kind: ActionKind, writing: str) -> bool:
    """Whether an agent draws its actions by scores: categorical ones always, binary ones if it writes scores.

    Args:
        kind: of the family's actions.
        writing: the agent's setting.

    Raises:
        ValueError: scores for continuous actions.
    """
    if kind == "continuous" and writing == "score":
        raise ValueError(
            "writing is 'score', by which actions are drawn, and here they are continuous; set writing to"
            " 'increment' or 'absolute'"
        )
    return kind == "categorical" or writing == "score"


def logits_of(
    kind: ActionKind, scores: Float[Tensor, "*T B O"], mask: Float[Tensor, "*T B O"], temperature: float
) -> Float[Tensor, "*T B O"]:
    """What the probabilities of actions are made of.

    Args:
        kind: "categorical": slots are drawn by a softmax over those in use. "binary": the sign of each slot
            is + with probability sigmoid.
        scores: as written.
        mask: 1 for slots in use.
        temperature: above 0. Near 0 the highest score, or the sign of each, is as good as certain (equal
            scores share the chances); 1 is usual in training.
    """
    logits = scores / temperature  # (B, O)
    return torch.where(mask > 0, logits, NEVER) if kind == "categorical" else logits


def draw(
    kind: ActionKind,
    logits: Float[Tensor, "B O"],
    mask: Float[Tensor, "B O"],
    keys: Int[Tensor, "B 4"],
    time: int,
) -> Shaped[Tensor, "B *O"]:
    """Draw an action.

    The stream "choice" of the agent's keys has one number for each slot and step, so that what another slot
    scores, or whether it is in use, shifts no draw. Categorical actions are drawn by Gumbel's trick: the
    highest of logit + noise (Maddison, Tarlow, Minka 2014).

    Args:
        kind: of the family's actions.
        logits: from `logits_of`.
        mask: 1 for slots in use.
        keys: the agent's keys of the trials.
        time: steps done: position in the stream.

    Returns:
        Categorical: int64 [B]. Binary: [B, O], 1 or -1, and 0 where a slot is not in use. No gradient
        passes through either.
    """
    slots, dtype = logits.shape[-1], str(logits.dtype).removeprefix("torch.")
    chance = random.uniform(keys, STREAM, slots, time * slots, dtype)  # (B, O), in [0, 1)
    if kind == "categorical":
        noise = -torch.log(-torch.log(chance + 2.0**-25))  # (B, O), Gumbel's; never log 0
        return (logits.detach() + noise).argmax(dim=-1)  # (B,)
    sign = 2.0 * (chance < torch.sigmoid(logits.detach())).to(logits.dtype) - 1.0  # (B, O)
    return sign * mask


def log_probability(
    kind: ActionKind,
    logits: Float[Tensor, "*T B O"],
    mask: Float[Tensor, "*T B O"],
    action: Tensor,
) -> Float[Tensor, "*T B"]:
    """Log of the probability of having drawn these actions, [*T, B] or [*T, B, O].

    Of binary ones: of all slots in use together.
    """
    if kind == "categorical":
        return torch.log_softmax(logits, dim=-1).gather(-1, action[..., None])[..., 0]  # (*T, B)
    return (functional.logsigmoid(action * logits) * mask).sum(dim=-1)  # (*T, B)


def entropy(
    kind: ActionKind, logits: Float[Tensor, "*T B O"], mask: Float[Tensor, "*T B O"]
) -> Float[Tensor, "*T B"]:
    """Entropy of the draws in nats: from 0 to log N of N slots in use, or N log 2 for binary actions."""
    if kind == "categorical":
        logs = torch.log_softmax(logits, dim=-1)  # (*T, B, O)
        return -(logs.exp() * logs).sum(dim=-1)  # (*T, B)
    up, down = functional.logsigmoid(logits), functional.logsigmoid(-logits)  # (*T, B, O)
    return -((up.exp() * up + down.exp() * down) * mask).sum(dim=-1)  # (*T, B)
