"""Action distributions: actions drawn by what is written, a number a slot, and how likely they were."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Normal

from badger_envs import keyed_random
from badger_envs.family import ActionKind

NEVER = -1e9
"""Logit of a slot that is not in use: finite, so that nothing becomes 0 times infinity."""

STREAM = "choice"
"""Name of the stream from which actions are drawn, one number for each slot and step."""


def is_drawn(kind: ActionKind, writing: str, noise: float = 0.0) -> bool:
    """Whether an agent draws its actions.

    Categorical ones always, binary ones if it writes scores, continuous ones if they are noisy.

    Args:
        kind: of the family's actions.
        writing: the agent's setting.
        noise: the agent's setting, if it has one.

    Raises:
        ValueError: scores for continuous actions.
    """
    if kind == "continuous" and writing == "score":
        raise ValueError(
            "writing is 'score', by which actions are drawn, and here they are continuous; set writing to"
            " 'increment' or 'absolute'"
        )
    return noise > 0 if kind == "continuous" else kind == "categorical" or writing == "score"


def logits_of(
    kind: ActionKind, scores: Float[Tensor, "*T B O"], mask: Float[Tensor, "*T B O"], temperature: float
) -> Float[Tensor, "*T B O"]:
    """What the probabilities of actions are made of.

    Args:
        kind: "categorical": slots are drawn by a softmax over those in use. "binary": the sign of each slot
            is + with probability sigmoid. "continuous": each slot is normal around what is written.
        scores: as written.
        mask: 1 for slots in use.
        temperature: above 0. Near 0 the highest score, or the sign of each, is as good as certain (equal
            scores share the chances); 1 is usual in training. Of continuous actions: the standard deviation,
            in which all else here counts them.
    """
    logits = scores / temperature  # (B, O)
    return torch.where(mask > 0, logits, NEVER) if kind == "categorical" else logits


def draw(
    kind: ActionKind,
    logits: Float[Tensor, "B O"],
    mask: Float[Tensor, "B O"],
    keys: Int[Tensor, "B 4"],
    step: int,
) -> Shaped[Tensor, "B *O"]:
    """Draw an action: `choose` by the draws of this step.

    Args:
        kind: of the family's actions.
        logits: from `logits_of`.
        mask: 1 for slots in use.
        keys: the agent's keys of the trials.
        step: steps done: position in the stream.
    """
    dtype = str(logits.dtype).removeprefix("torch.")
    return choose(kind, logits, mask, draws(kind, keys, logits.shape[-1], step, 1, dtype)[:, 0])


def draws(
    kind: ActionKind, keys: Int[Tensor, "B 4"], slots: int, step: int, steps: int, dtype: str
) -> Float[Tensor, "B k O"]:
    """What chance says at some steps: uniforms in [0, 1), of continuous actions standard normals.

    At once or step by step they are the same; at once takes less time.

    Args:
        kind: of the family's actions.
        keys: the agent's keys of the trials.
        slots: O.
        step: steps done before the first.
        steps: k.
        dtype: "float32" or "float64".
    """
    made = keyed_random.normal if kind == "continuous" else keyed_random.uniform
    drawn: Tensor = made(keys, STREAM, steps * slots, step * slots, dtype)  # (B, k * O)
    return drawn.unflatten(-1, (steps, slots))


def choose(
    kind: ActionKind,
    logits: Float[Tensor, "B O"],
    mask: Float[Tensor, "B O"],
    chance: Float[Tensor, "B O"],
) -> Shaped[Tensor, "B *O"]:
    """The action that chance picks.

    The stream "choice" of the agent's keys has one number for each slot and step, so that what another slot
    scores, or whether it is in use, shifts no draw. Categorical actions are drawn by Gumbel's trick: the
    highest of logit + noise (Maddison, Tarlow, Minka 2014).

    Args:
        kind: of the family's actions.
        logits: from `logits_of`.
        mask: 1 for slots in use.
        chance: from `draws`.

    Returns:
        Categorical: int64 [B]. Binary: [B, O], 1 or -1, and 0 where a slot is not in use. Continuous:
        [B, O], in standard deviations, without limits. No gradient passes through any of them.
    """
    if kind == "continuous":
        return (logits.detach() + chance) * mask  # (B, O)
    if kind == "categorical":
        below_one = 1 - torch.finfo(chance.dtype).eps / 2  # the greatest number: noise stays finite
        uniform = (chance + 2.0**-25).clamp(max=below_one)  # (B, O), in (0, 1)
        noise = -torch.log(-torch.log(uniform))  # (B, O), Gumbel's
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

    Of binary ones: of all slots in use together. Of continuous ones: of the density, likewise.
    """
    if kind == "categorical":
        return Categorical(logits=logits, validate_args=False).log_prob(action)  # (*T, B)
    if kind == "continuous":
        return (_normal(logits).log_prob(action) * mask).sum(dim=-1)  # (*T, B)
    raised = (action > 0).to(logits.dtype)  # (*T, B, O)
    return (Bernoulli(logits=logits, validate_args=False).log_prob(raised) * mask).sum(dim=-1)  # (*T, B)


def entropy(
    kind: ActionKind, logits: Float[Tensor, "*T B O"], mask: Float[Tensor, "*T B O"]
) -> Float[Tensor, "*T B"]:
    """Entropy of the draws in nats: from 0 to log N of N slots in use, or N log 2 for binary actions.

    Of continuous actions: of their density in standard deviations, the same whatever is written.
    """
    if kind == "categorical":
        return Categorical(logits=logits, validate_args=False).entropy()  # (*T, B)
    slots = _normal(logits) if kind == "continuous" else Bernoulli(logits=logits, validate_args=False)
    return (slots.entropy() * mask).sum(dim=-1)  # (*T, B)


def _normal(means: Float[Tensor, "*T B O"]) -> Normal:
    """Continuous actions, in standard deviations."""
    return Normal(means, torch.ones_like(means), validate_args=False)
