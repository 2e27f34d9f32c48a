"""An exact memory for recall: all that was told to anybody, looked up by whoever is asked."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.recall import Recall
from badger_envs.family import Family, Observation

UNLIKE = -2.0
"""How like a key is to what was never told: less than any other."""

ALIKE = 0.999
"""How like a key is to itself, but for rounding."""


class Told(NamedTuple):
    """What has been told.

    Attributes:
        shown: [B, n, F], key, value, whether told and whether asked, at each of the n steps so far.
        patience: int64 [B], steps for which a question stands.
    """

    shown: Tensor
    patience: Tensor


class Remembering:
    """Answers with the value that was told with the key most like the one asked for; no weights.

    Without keys ("autoencode") with the values from the last to the first, and again. Where something is
    told and asked at once: with the value that was told as many steps before as there were before the first
    question ("repeat-previous"), or by whether the key was told an odd number of times ("count").
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Told:
        """Nothing told.

        Raises:
            ValueError: the family is not `Recall`.
        """
        if not isinstance(family, Recall):
            raise ValueError(f"Remembering answers what was told; {type(family).__name__} tells nothing")
        size, dtype = family.slots.input_size, getattr(torch, family.dtype)
        shown = torch.zeros(len(keys), 0, size, dtype=dtype, device=keys.device)
        return Told(shown, torch.full((len(keys),), family.patience, device=keys.device))

    def act(
        self, state: Told, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Told, Float[Tensor, "B O"], dict[str, Tensor]]:
        """The answer in all slots, of which one is asked; the value itself while it is told."""
        now = observation.inputs.sum(dim=1)  # (B, F), of the one slot that shows something
        shown = torch.cat([state.shown, now[:, None]], dim=1)  # (B, n, F)
        told, asked = shown[..., -2], shown[..., -1]  # (B, n) each
        width = shown.shape[-1] - 3
        if width:
            like = (shown[..., :width] @ now[:, :width, None])[..., 0]  # (B, n)
        else:
            place = told.cumsum(dim=1) - 1  # (B, n), of each value among those told
            count = told.sum(dim=1)  # (B,)
            question = torch.div(asked.sum(dim=1) - 1, state.patience, rounding_mode="floor")  # (B,)
            like = -(place - (count - 1 - question % count.clamp(min=1))[:, None]).abs()  # (B, n)
            like = like.clamp(min=-1)
        best = torch.where(told > 0, like, UNLIKE).argmax(dim=1, keepdim=True)  # (B, 1)
        answer = shown[..., width].gather(1, best)  # (B, 1)
        if width:
            stream = 2 * ((like > ALIKE).sum(dim=1, keepdim=True) % 2) - 1  # (B, 1), count
        else:
            back = (asked == 0).sum(dim=1, keepdim=True)  # (B, 1)
            stream = shown[..., 0].gather(1, (len(told[0]) - 1 - back).clamp(min=0))  # (B, 1)
        answer = torch.where(told[:, -1:] * asked[:, -1:] > 0, stream.to(answer), answer)  # (B, 1)
        return Told(shown, state.patience), answer * observation.output_mask, {}
