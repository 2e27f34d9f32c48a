"""The hardwired membrane: expert i has slot i."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from badger_agents.agent import feedback_and_change
from badger_agents.badger.membrane.base import FeedbackTo, Membrane, Writing, limited
from badger_agents.settings import Settings
from badger_envs.family import FLAGS, Family, Observation, Slots


class HardwiredSettings(Settings):
    """Settings of a hardwired membrane, [agent.membrane].

    Attributes:
        magnification: above 0, experts also read global feedback and its change `magnified` by so much (see
            `badger_agents.agent.magnified`): for errors that become small.
    """

    kind: Literal["hardwired"] = "hardwired"
    magnification: float = Field(default=0.0, ge=0, allow_inf_nan=False)


USUAL_SETTINGS = HardwiredSettings()


class HardwiredState(NamedTuple):
    """feedback: [B, G], of the last step, to tell its change."""

    feedback: Tensor


class HardwiredMembrane(Membrane):
    """Expert i reads input slot i and output slot i and writes output slot i (the paper's figure 6).

    Experts beyond the slots read no slot and write nothing: they only hear and talk.

    Of global feedback, "one" is expert 0; "chosen" is told what its own output brought.

    Args:
        slots, feedback_to, writing: see `Membrane`.
        settings: see `HardwiredSettings`.
    """

    def __init__(
        self,
        slots: Slots,
        feedback_to: FeedbackTo = "all",
        writing: Writing = "increment",
        settings: HardwiredSettings = USUAL_SETTINGS,
    ) -> None:
        super().__init__(slots, feedback_to, writing)
        self.settings = settings

    @property
    def reading_size(self) -> int:
        """R, numbers an expert reads.

        Own output, whether it is in use, its feedback; own input, whether it is in use; global feedback
        and its change, both magnified, if they are, whether this expert hears it; flags.
        """
        slots, heard = self.slots, 4 if self.settings.magnification else 2
        return 2 + slots.output_feedback + slots.input_size + 1 + heard * slots.feedback + 1 + len(FLAGS)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"], experts: int) -> HardwiredState:
        """Nothing heard yet.

        Raises:
            ValueError: fewer experts than output slots: some output would have no writer.
        """
        _check_experts(experts, family.slots.outputs)
        dtype = getattr(torch, family.dtype)
        return HardwiredState(torch.zeros(len(keys), self.slots.feedback, dtype=dtype, device=keys.device))

    def read(
        self, state: HardwiredState, observation: Observation, step: int, experts: int
    ) -> tuple[HardwiredState, Float[Tensor, "B E R"]]:
        """What each expert reads, in the order that `reading_size` lists."""
        _check_experts(experts, observation.outputs.shape[1])
        own = [observation.outputs[..., None], observation.output_mask[..., None]]  # (B, O, 1) each
        own += [observation.output_feedback, observation.inputs]  # (B, O, P), (B, I, F)
        own.append(observation.input_mask[..., None])  # (B, I, 1)
        first = observation.flags[:, :1]  # (B, 1)
        feedback = feedback_and_change(
            observation.feedback, state.feedback, first, self.settings.magnification
        )  # (B, 2G or 4G)
        heard = torch.cat([feedback, torch.ones_like(first)], dim=-1)[:, None]  # (B, 1, 2G+1 or 4G+1)
        if self.feedback_to == "one":
            heard = _pad_experts(heard, experts)  # (B, E, ...), zeros but for expert 0
        else:
            heard = heard.expand(-1, experts, -1)  # (B, E, ...)
        if self.feedback_to == "chosen":
            heard = heard * _pad_experts(observation.outputs[..., None], experts)  # (B, E, ...)
        flags = observation.flags[:, None].expand(-1, experts, -1)  # (B, E, 3)
        slots = [_pad_experts(each, experts) for each in own if each.shape[-1]]
        return HardwiredState(observation.feedback), torch.cat([*slots, heard, flags], dim=-1)  # (B, E, R)

    def scores(
        self, state: HardwiredState, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """What the experts that have an output write."""
        return _first_rows(writing, observation.outputs.shape[1]).squeeze(-1)  # (B, O)

    def write(
        self, state: HardwiredState, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """Outputs in [-1, 1] from the experts' writings."""
        own = self.scores(state, observation, writing)  # (B, O)
        if self.writing == "absolute":
            return limited(own)  # (B, O)
        return (observation.outputs + own).clamp(-1, 1)  # (B, O)

    def grow(
        self, state: HardwiredState, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int, step: int
    ) -> HardwiredState:
        """Slots belong to places: who is at a place now has its slots."""
        return state


def _check_experts(experts: int, outputs: int) -> None:
    """ValueError if some output would have no writer."""
    if experts < outputs:
        raise ValueError(
            f"{experts} experts for {outputs} outputs: a hardwired membrane needs one per output; set"
            f" experts={outputs} or more"
        )


def _pad_experts(features: Float[Tensor, "B N F"], experts: int) -> Float[Tensor, "B E F"]:
    """One row per expert: zeros for those beyond the slots, nothing for slots beyond the experts."""
    missing = experts - features.shape[1]
    if missing > 0:
        return torch.nn.functional.pad(features, (0, 0, 0, missing))
    return _first_rows(features, experts)


def _first_rows(features: Float[Tensor, "B N F"], count: int) -> Float[Tensor, "B M F"]:
    """The first rows; all of them as they are, without a slice, whose gradient would be copied."""
    return features if features.shape[1] == count else features[:, :count]
