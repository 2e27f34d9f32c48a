"""Handcrafted expert policies: what membrane and channel can carry, with nothing to learn."""

from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_agents import tree
from badger_agents.badger.membrane.readings import Reading, reading_widths, split_reading
from badger_agents.badger.membrane.windows import USUAL, WINDOW_LENGTH
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
        clock: [B, E, 1], how much of the window was gone in the last round; -1 before the first.
        rounds: [B, E, 1], rounds of the last round's step so far, that one included.
    """

    rank: Tensor
    stage: Tensor
    base: Tensor
    found: Tensor
    clock: Tensor
    rounds: Tensor


class TriangulationPolicy(HandcraftedPolicy):
    """The guessing game: experts take turns to probe their outputs, and each solves for its own.

    A step has two rounds. In the second, experts whose output is still to be probed send their random
    rank; all hear the highest of the others, and who hears none higher moves its output from 0 to
    `PROBE`. One step later that expert reads what it did to the error: d times the error has changed by
    3 * (PROBE ** 2 - 2 * PROBE * target). It writes its target and sends, in the first round, the error
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

    def emit(self, state: ScheduleState, reading: Float[Tensor, "B E R"]) -> Emission:
        """In a step's first round what an answer leaves, in its second the rank of who waits."""
        seen = self.parts(reading)
        first = seen.gone != state.clock  # (B, E, 1), whether the step begins
        tells = first & (state.stage == PROBING) & (seen.begins == 0)  # (B, E, 1)
        asks = ~first & (state.rounds == 1) & self._waits(state, seen)  # (B, E, 1)
        left = self._answer(state, seen)[1]  # (B, E, 1)
        news = torch.cat([torch.ones_like(state.rank), left], dim=-1)  # (B, E, 3)
        ask = torch.cat([state.rank, torch.zeros_like(left)], dim=-1)  # (B, E, 3)
        message = ask * asks + news * tells  # (B, E, 3)
        key = message[..., :1]  # (B, E, 1), 0 of the silent
        return Emission(message, key, torch.full_like(key, LOUD))

    def update(
        self, state: ScheduleState, inbox: Float[Tensor, "B E 3"], reading: Float[Tensor, "B E R"]
    ) -> tuple[ScheduleState, Float[Tensor, "B E 1"]]:
        """Both rounds are computed, and each row takes the one that it is in."""
        seen = self.parts(reading)
        first = seen.gone != state.clock  # (B, E, 1)
        state = _where(first, self._step_begins(state, inbox, seen), state)
        starts = ~first & (state.rounds == 1) & self._waits(state, seen)  # (B, E, 1)
        starts = starts & _precedes(inbox[..., :2], state.rank)  # (B, E, 1)
        stage = torch.where(starts, PROBING, state.stage)  # (B, E, 1)
        wanted = torch.where(
            stage == PROBING, PROBE, torch.where(stage == ANSWERED, state.found, seen.output)
        )
        return state._replace(stage=stage, rounds=state.rounds + 1), wanted - seen.output  # (B, E, 1)

    def _waits(self, state: ScheduleState, seen: Reading) -> Tensor:
        """Who still has to probe, and can: the answer to a probe comes one step later; bool [B, E, 1]."""
        left = (1 - seen.gone) * (seen.length + 1) * self.window_length  # (B, E, 1), steps of the window
        able = (seen.output_share > 0) & (seen.output == 0) & (left > 1 + 1e-3)  # (B, E, 1)
        return (state.stage == WAITING) & able

    def _answer(
        self, state: ScheduleState, seen: Reading
    ) -> tuple[Float[Tensor, "B E 1"], Float[Tensor, "B E 1"]]:
        """If this expert has probed: its target, and what base the error has once that is written."""
        change = seen.since_start / self.feedback_scale - state.base  # (B, E, 1)
        answer = ((PROBE**2 - change / 3) / (2 * PROBE)).clamp(-1, 1)  # (B, E, 1)
        return answer, state.base - 3 * answer**2

    def _step_begins(
        self, state: ScheduleState, inbox: Float[Tensor, "B E 3"], seen: Reading
    ) -> ScheduleState:
        """The state once the step's feedback is known, and what the answer of another expert leaves."""
        answered, begins = state.stage == PROBING, seen.begins > 0  # (B, E, 1)
        answer, left = self._answer(state, seen)  # (B, E, 1)
        told = torch.where(inbox[..., :1] > 0, inbox[..., 2:], state.base)  # (B, E, 1)
        base = torch.where(answered, left, told)  # (B, E, 1)
        stage = torch.where(answered, ANSWERED, torch.where(state.stage == ANSWERED, DONE, state.stage))
        return ScheduleState(
            state.rank,
            torch.where(begins, WAITING, stage),
            torch.where(begins, 0, base),
            torch.where(answered, answer, state.found),
            seen.gone,
            torch.zeros_like(state.rounds),
        )


class ParityPolicy(HandcraftedPolicy):
    """XOR's parity: every expert sends its bit, and counts what it hears.

    Experts without an input keep silent, so that what the others' mean is over is known from the number
    of inputs. Needs at least as many experts as inputs, all of whom hear each other, and absolute writing;
    what is shown is answered in the same round.
    """

    message_size = 1
    key_size = 1

    def initial_state(self, draws: Float[Tensor, "B E 0"]) -> Float[Tensor, "B E 1"]:
        """No bit yet."""
        return draws.new_zeros(*draws.shape[:-1], 1)

    def emit(self, state: Float[Tensor, "B E 1"], reading: Float[Tensor, "B E R"]) -> Emission:
        """One's bit."""
        bit = self._bit(state, self.parts(reading))  # (B, E, 1)
        holds = (bit != 0).to(bit.dtype)  # (B, E, 1)
        return Emission(bit, holds, torch.full_like(holds, LOUD))

    def update(
        self, state: Float[Tensor, "B E 1"], inbox: Float[Tensor, "B E 1"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E 1"], Float[Tensor, "B E 1"]]:
        """Write the parity of all that is known."""
        seen = self.parts(reading)
        bit = self._bit(state, seen)  # (B, E, 1)
        holds = (bit != 0).to(bit.dtype)  # (B, E, 1)
        count = (seen.inputs * USUAL).round()  # (B, E, 1)
        total = inbox * (count - holds) + bit  # (B, E, 1), number of +1 less number of -1
        odd = ((count - total) / 2).round() % 2  # (B, E, 1), whether the number of -1 is odd
        return bit, 1 - 2 * odd

    @staticmethod
    def _bit(state: Float[Tensor, "B E 1"], seen: Reading) -> Float[Tensor, "B E 1"]:
        """The bit, which may be shown only once; 0 for who has none."""
        return torch.where(seen.input == 0, state, seen.input)


class RingParityState(NamedTuple):
    """What an expert of `RingParityPolicy` knows; bits are -1 and +1.

    Attributes:
        now: [B, E, 1], sum of the two bits t places away to both sides, t being the rounds so far; from the
            first on.
        before: [B, E, 1], the same for t - 1.
        total: [B, E, 1], sum of all bits at most t places away.
        rounds: [B, E, 1], t.
    """

    now: Tensor
    before: Tensor
    total: Tensor
    rounds: Tensor


class RingParityPolicy(HandcraftedPolicy):
    """XOR's parity on a ring of as many experts as bits, in N // 2 rounds (one, if N is 1).

    Everyone sends the sum x of the two bits t places away. Its two neighbours' sums are of the bits t - 1
    and t + 1 places away, so that the next sum is theirs less the one before. At the end of the ring, if N
    is even, both ways lead to the same bit. Needs a topology "ring" and absolute writing; bits are taken
    from the first step and answered in the round in which all are known, and from then on.
    """

    message_size = 1

    def initial_state(self, draws: Float[Tensor, "B E 0"]) -> RingParityState:
        """Nothing known."""
        zero = draws.new_zeros(*draws.shape[:-1], 1)  # (B, E, 1)
        return RingParityState(zero, zero, zero, zero)

    def emit(self, state: RingParityState, reading: Float[Tensor, "B E R"]) -> Emission:
        """The sum of the bits t places away; at first one's own."""
        return Emission.alike(self._begun(state, self.parts(reading)).now)

    def update(
        self, state: RingParityState, inbox: Float[Tensor, "B E 1"], reading: Float[Tensor, "B E R"]
    ) -> tuple[RingParityState, Float[Tensor, "B E 1"]]:
        """One place further; the mean that is heard is that of two neighbours, or twice the only one's."""
        seen = self.parts(reading)
        state = self._begun(state, seen)
        count, rounds = (seen.inputs * USUAL).round(), state.rounds + 1  # (B, E, 1)
        twice = torch.where(rounds == 2, 2, 1)  # (B, E, 1), one's own bit comes back from both sides
        now = 2 * inbox - twice * state.before  # (B, E, 1)
        half = torch.where(2 * rounds == count, 0.5, 1)  # (B, E, 1), of the bit met on both ways
        within = 2 * rounds <= count  # (B, E, 1), what lies further was counted from the other side
        total = state.total + torch.where(within, half * now, 0)  # (B, E, 1)
        odd = ((count - total) / 2).round() % 2  # (B, E, 1), whether the number of -1 is odd
        return RingParityState(now, state.now, total, rounds), 1 - 2 * odd

    @staticmethod
    def _begun(state: RingParityState, seen: Reading) -> RingParityState:
        """The state, in the first round with one's own bit."""
        first = state.rounds == 0  # (B, E, 1)
        own = (torch.where(first, seen.input, part) for part in (state.now, state.total))  # (B, E, 1) each
        now, total = own
        return state._replace(now=now, total=total)


def _precedes(low: Float[Tensor, "B E 2"], high: Float[Tensor, "B E 2"]) -> Tensor:
    """Whether the one rank is below the other: by the first number, on ties by the second; bool [B, E, 1]."""
    below, tie = low < high, low == high  # (B, E, 2)
    return below[..., :1] | tie[..., :1] & below[..., 1:]


def _where(condition: Tensor, yes: ScheduleState, no: ScheduleState) -> ScheduleState:
    """One state or the other, expert by expert."""
    chosen: ScheduleState = tree.map(lambda one, other: torch.where(condition, one, other), yes, no)
    return chosen
