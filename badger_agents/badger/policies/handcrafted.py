"""Handcrafted expert policies: what membrane and channel can carry, with nothing to learn."""

from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_agents import tree
from badger_agents.badger.membrane.attentional import USUAL, WINDOW_LENGTH
from badger_agents.badger.membrane.readings import Reading, reading_widths, split_reading
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy, Size
from badger_envs.family import Slots

LOUD = 64.0
"""A query this large makes whole-numbered keys that differ by 1 differ by a factor of exp(64): the
greatest key is heard alone, and exactly (64 is a power of 2, so that scores are not rounded)."""

RANKS = 2**24
"""Ranks are whole numbers from 1 to this, the greatest up to which float32 has them all."""

PROBE = 1.0
"""Where a probe puts an output. Rounding errors pass on times target / PROBE: below 1, they would grow."""

WAITING, PROBING, ANSWERED, DONE = range(4)
"""Where an expert stands with its output; ANSWERED is the one step in which it found its target."""

SLOTS = Slots(inputs=1, input_size=1, outputs=1, feedback=1, output_feedback=0)
"""Widths of what is read; the numbers of slots do not matter."""


class HandcraftedPolicy(ExpertPolicy):
    """Base of policies that take readings of an attentional membrane apart.

    Args:
        reading_size: R.

    Raises:
        ValueError: what is read is not what an attentional membrane lets experts read of one number per
            input and one global feedback.
    """

    def __init__(self, reading_size: int) -> None:
        super().__init__()
        wanted = sum(reading_widths(SLOTS))
        if reading_size != wanted:
            raise ValueError(
                f"{type(self).__name__} reads {wanted} numbers, not {reading_size}: it needs an attentional"
                " membrane, neither received attention nor identities, a family with one number per input,"
                " one global feedback and none per output"
            )

    def parts(self, reading: Float[Tensor, "B E R"]) -> Reading:
        """The parts of what the experts read, each [B, E, 1] but for the empty `output_feedback`."""
        return split_reading(reading, SLOTS)


class ScheduleState(NamedTuple):
    """What an expert of `TriangulationPolicy` remembers.

    Attributes:
        rank: [B, E, 2], two random whole numbers; who is next goes by the first, on ties by the second.
        stage: [B, E, 1], one of `WAITING`, ...
        base: [B, E, 1], d times the error if no output were being probed, less that at the window's start.
        found: [B, E, 1], its target, once it is known.
        clock: [B, E, 1], how much of the window was gone at the last call; -1 before the first.
        rounds: [B, E, 1], rounds of this step before this one.
    """

    rank: Tensor
    stage: Tensor
    base: Tensor
    found: Tensor
    clock: Tensor
    rounds: Tensor


class TriangulationPolicy(HandcraftedPolicy):
    """The guessing game: experts take turns to probe their outputs, and each solves for its own.

    A step has two rounds. In the first, experts whose output is still to be probed send their random
    rank; all hear the highest of the others, and who hears none higher moves its output from 0 to
    `PROBE`. One step later that expert reads what it did to the error: d times the error has changed by
    3 * (PROBE ** 2 - 2 * PROBE * target). It writes its target and sends, in the second round, the error
    that this leaves, which is what the next prober has to compare with. So every step but the last can
    begin a probe, as in the plain algorithm.

    Experts without an output, and all when the window ends before an answer could come, keep silent. An
    output that is not 0 was found in an earlier window and is left alone. Needs at least 2 rounds, all
    to hear the feedback and each other, one-to-one matching, and writing by increments.

    Args:
        reading_size: R.
        window_length: of the membrane.
        feedback_scale: of the membrane.
    """

    message_size = 3  # rank and base; the first number is the key as well
    key_size = 1
    draw_size = 2

    def __init__(
        self,
        reading_size: int,
        *,
        window_length: Size = WINDOW_LENGTH,
        feedback_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0,
    ) -> None:
        super().__init__(reading_size)
        self.window_length = window_length
        self.feedback_scale = feedback_scale

    def initial_state(self, draws: Float[Tensor, "B E 2"]) -> ScheduleState:
        """Ranks from the draws; nothing done."""
        rank = (torch.special.ndtr(draws) * (RANKS - 1)).round() + 1  # (B, E, 2)
        zero = torch.zeros_like(draws[..., :1])  # (B, E, 1)
        return ScheduleState(rank, zero, zero, zero, zero - 1, zero)

    def forward(
        self, state: ScheduleState, inbox: Float[Tensor, "B E 3"], reading: Float[Tensor, "B E R"]
    ) -> tuple[ScheduleState, Emission, Float[Tensor, "B E 1"]]:
        """Both rounds are computed, and each row takes the one that it is in."""
        seen = self.parts(reading)
        state = _where(seen.gone != state.clock, self._step_begins(state, inbox, seen), state)
        left = (1 - seen.gone) * (seen.length + 1) * self.window_length  # (B, E, 1), steps of the window
        waits = (state.stage == WAITING) & (seen.output_share > 0) & (seen.output == 0)
        waits = waits & (left > 1 + 1e-3)  # (B, E, 1), a probe's answer comes one step later
        rank, heard = state.rank, inbox[..., :2]  # (B, E, 2)
        starts = waits & _precedes(heard, rank) & (state.rounds == 1)  # (B, E, 1)
        stage = torch.where(starts, PROBING, state.stage)  # (B, E, 1)
        asks, tells = waits & (state.rounds == 0), (stage == ANSWERED) & (state.rounds > 0)  # (B, E, 1)
        news = torch.cat([torch.ones_like(rank), state.base], dim=-1)  # (B, E, 3)
        ask = torch.cat([rank, torch.zeros_like(state.base)], dim=-1)  # (B, E, 3)
        message = ask * asks + news * tells  # (B, E, 3)
        key = message[..., :1]  # (B, E, 1), 0 of the silent
        wanted = torch.where(
            stage == PROBING, PROBE, torch.where(stage == ANSWERED, state.found, seen.output)
        )
        state = state._replace(stage=stage, rounds=state.rounds + 1)
        return state, Emission(message, key, torch.full_like(key, LOUD)), wanted - seen.output

    def _step_begins(
        self, state: ScheduleState, inbox: Float[Tensor, "B E 3"], seen: Reading
    ) -> ScheduleState:
        """The state once the step's feedback is known, and what was said at the end of the last step."""
        spoken = inbox[..., :1] > 0  # (B, E, 1)
        base = torch.where(spoken, inbox[..., 2:], state.base)  # (B, E, 1)
        change = seen.since_start / self.feedback_scale - base  # (B, E, 1)
        answer = ((PROBE**2 - change / 3) / (2 * PROBE)).clamp(-1, 1)  # (B, E, 1)
        answered, begins = state.stage == PROBING, seen.begins > 0  # (B, E, 1)
        found = torch.where(answered, answer, state.found)  # (B, E, 1)
        base = torch.where(answered, base - 3 * answer**2, base)  # (B, E, 1)
        stage = torch.where(answered, ANSWERED, torch.where(state.stage == ANSWERED, DONE, state.stage))
        return ScheduleState(
            state.rank,
            torch.where(begins, WAITING, stage),
            torch.where(begins, 0, base),
            found,
            seen.gone,
            torch.zeros_like(state.rounds),
        )


class ParityPolicy(HandcraftedPolicy):
    """XOR's parity: every expert sends its bit, and counts what it hears.

    Experts without an input keep silent, so that what the others' mean is over is known from the number
    of inputs. Needs at least as many experts as inputs, all of whom hear each other, and absolute writing;
    what is shown at one step is answered two rounds later.
    """

    message_size = 1
    key_size = 1

    def initial_state(self, draws: Float[Tensor, "B E 0"]) -> Float[Tensor, "B E 1"]:
        """No bit yet."""
        return draws.new_zeros(*draws.shape[:-1], 1)

    def forward(
        self, state: Float[Tensor, "B E 1"], inbox: Float[Tensor, "B E 1"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E 1"], Emission, Float[Tensor, "B E 1"]]:
        """Send one's bit; write the parity of all that is known."""
        seen = self.parts(reading)
        bit = torch.where(seen.input == 0, state, seen.input)  # (B, E, 1), which may be shown only once
        holds = (bit != 0).to(bit.dtype)  # (B, E, 1)
        count = (seen.inputs * USUAL).round()  # (B, E, 1)
        total = inbox * (count - holds) + bit  # (B, E, 1), number of +1 less number of -1
        odd = ((count - total) / 2).round() % 2  # (B, E, 1), whether the number of -1 is odd
        return bit, Emission(bit, holds, torch.full_like(holds, LOUD)), 1 - 2 * odd


class RingParityState(NamedTuple):
    """What an expert of `RingParityPolicy` knows; bits are -1 and +1.

    Attributes:
        now: [B, E, 1], sum of the two bits t places away to both sides, t being the rounds so far.
        before: [B, E, 1], the same for t - 1.
        total: [B, E, 1], sum of all bits less than t places away.
        rounds: [B, E, 1], t; -1 before the first round.
    """

    now: Tensor
    before: Tensor
    total: Tensor
    rounds: Tensor


class RingParityPolicy(HandcraftedPolicy):
    """XOR's parity on a ring of as many experts as bits, in N // 2 + 1 rounds.

    Everyone sends the sum x of the two bits t places away. Its two neighbours' sums are of the bits t - 1
    and t + 1 places away, so that the next sum is theirs less the one before. At the end of the ring, if N
    is even, both ways lead to the same bit. Needs a topology "ring" and absolute writing; bits are taken
    from the first step and answered in the round in which all are known, and from then on.
    """

    message_size = 1

    def initial_state(self, draws: Float[Tensor, "B E 0"]) -> RingParityState:
        """Nothing known."""
        zero = draws.new_zeros(*draws.shape[:-1], 1)  # (B, E, 1)
        return RingParityState(zero, zero, zero, zero - 1)

    def forward(
        self, state: RingParityState, inbox: Float[Tensor, "B E 1"], reading: Float[Tensor, "B E R"]
    ) -> tuple[RingParityState, Emission, Float[Tensor, "B E 1"]]:
        """One place further; the mean that is heard is that of two neighbours, or twice the only one's."""
        seen = self.parts(reading)
        count, rounds = (seen.inputs * USUAL).round(), state.rounds + 1  # (B, E, 1)
        sums = (
            2 * inbox - torch.where(rounds == 2, 2, 1) * state.before
        )  # (B, E, 1), one's own bit came twice
        now = torch.where(rounds == 0, seen.input, sums)  # (B, E, 1)
        half = torch.where(2 * rounds == count, 0.5, 1)  # (B, E, 1), of the bit met on both ways
        within = 2 * rounds <= count  # (B, E, 1), what lies further was counted from the other side
        total = state.total + torch.where(within, half * now, 0)  # (B, E, 1)
        odd = ((count - total) / 2).round() % 2  # (B, E, 1), whether the number of -1 is odd
        return RingParityState(now, state.now, total, rounds), Emission.alike(now), 1 - 2 * odd


def _precedes(low: Float[Tensor, "B E 2"], high: Float[Tensor, "B E 2"]) -> Tensor:
    """Whether the one rank is below the other: by the first number, on ties by the second; bool [B, E, 1]."""
    below, tie = low < high, low == high  # (B, E, 2)
    return below[..., :1] | tie[..., :1] & below[..., 1:]


def _where(condition: Tensor, yes: ScheduleState, no: ScheduleState) -> ScheduleState:
    """One state or the other, expert by expert."""
    chosen: ScheduleState = tree.map(lambda one, other: torch.where(condition, one, other), yes, no)
    return chosen
