"""XOR across experts: bits that say nothing alone, and an answer that all outputs must give."""

import dataclasses
import functools
from typing import ClassVar, Literal, NamedTuple

from badger_envs import keyed_random
from badger_envs.family import (
    ActionKind,
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_choice,
    namespace,
)
from badger_envs.keyed_random import Array

FUNCTIONS = ("parity", "majority", "table")
MOST_BITS = {"parity": 64, "majority": 64, "table": 6}

SUCCESS = 0.99
"""Accuracies above it are success."""


class Task(NamedTuple):
    """What a trial hides. Bits and answers are -1 (on, where parity is concerned) or +1 (off).

    Attributes:
        bits: [B, I], shown at the start; 0 in unused slots.
        mask: [B, I], 1 in used slots, of inputs and outputs alike.
        count: [B], N, the number of used slots.
        digit: int64 [B, I], what a bit of +1 adds to the index into the table; 0 in unused slots.
        table: [B, 2**N_max], the answers of "table"; [B, 0] otherwise.
    """

    bits: Array
    mask: Array
    count: Array
    digit: Array
    table: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        bits: [B, I], shown now.
        answer: [B], right for these bits.
        outputs: [B, I], written last.
        feedback: [B], fraction of the outputs written last that was right, 0 before it is due.
        revealed: [B], the answer that was right for them, 0 unless `function` is "table".
        right: int64 [B], outputs that were right, over the steps that count.
        time: int64 [B], steps done.
    """

    bits: Array
    answer: Array
    outputs: Array
    feedback: Array
    revealed: Array
    right: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class XOR(Family):
    """Give the parity of N bits of which every part of the agent may see only one.

    ## Description
    Each of N input slots shows one bit, -1 or +1, both equally likely. Every one of N output slots must
    answer with the same number: the parity of all bits, as their product. Any N - 1 of the bits carry
    exactly no information about it, so parts that see one bit each must all be heard; a vote or a mean
    of guesses is worth nothing. The answer is due at the last step of a trial, the steps before are for
    thinking: with one message per step, what is read at one step reaches others at the next, so that
    `horizon` must be 2 at least where parts see one bit each.

    `function` = "majority" asks for the more frequent bit (+1 on a tie): every bit tells a little, and a
    guess from one bit is right more often than not. The control to compare parity with.

    `function` = "table" asks for a random Boolean function of the bits, drawn per task, which cannot be
    known from one example: new bits are shown at every step, an answer to them is due at that step, and
    the next observation reveals what was right. The second half of the trial counts. Remembering every
    example scores 1 - mean((1 - 2 ** -N) ** t) / 2, t being the steps from horizon // 2 to horizon - 1.

    ## Action space
    `Box(-1, 1, (capacity,))`: a value per output slot, whose sign is the answer; 0 is no answer, and
    wrong. Values in unused slots have no effect.

    ## Observation space
    `inputs`: a bit per slot, -1 or +1, at every step or (`show="first"`) at the first only; 0 in unused
    slots. `outputs`: what was written last. `feedback`: the fraction of those that was right, 0 before it
    is due: parity and majority tell nothing until the last answer has been given. `output_feedback`, with
    "table" only: the right answer to the bits shown before, 0 at the start. `flags`: first step, query
    (1 where the answer written now counts), fraction of the trial gone.

    ## Rewards
    The fraction of used outputs whose sign is right, at the last step; 0 before. With "table" at every
    step of the second half, divided by their number, so that rewards sum to the accuracy in either case.
    The per-step loss is the mean over used outputs of (x - answer) ** 2, at every step as if it were due
    then (a learner chooses the steps that count): 1 for writing zeros, which is the best one can do
    without information; 0 for the answer; 4 at worst. It is for the outer loop: it tells the answer.

    ## Starting state
    All outputs 0.

    ## Episode end
    Terminates after `horizon` steps. `info["accuracy"]` (float64) is the sum of rewards, 0 until an answer
    counts; guessing scores 0.5. `info["is_success"]` (bool) says whether it is above 0.99. With majority of
    an even number, writing +1 scores 0.5 + C(N, N/2) / 2**(N + 1).

    ## Arguments
    `bits`: number of bits N, or a range (lowest, highest) drawn per task (default 3; at most 64, with
    "table" 6). `test_bits`: the range of the test split; a `bits` range without it is followed by one as
    long: (2, 8) holds out (9, 15). `capacity`: slots (default: as many as any split needs).
    `function`: "parity", "majority" or "table". `show`: "always" or "first".
    `horizon` (default 4; "table" needs 2 at least, and several times 2 ** N to be learnable), `split`,
    `shuffle_slots`, `dtype`: see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/XOR-v0", num_envs=N)` steps all N at once.

    ## References
    Minsky and Papert 1969, "Perceptrons" (parity needs a look at every bit).

    ## Version history
    * v0: first version.
    """

    horizon: int = 4
    bits: Range = 3
    test_bits: Range | None = None
    capacity: int | None = None
    function: Literal["parity", "majority", "table"] = "parity"
    show: Literal["always", "first"] = "always"

    action_kind: ClassVar[ActionKind] = "binary"
    outcome: ClassVar[str] = "accuracy"
    outcome_bounds: ClassVar[tuple[float, float]] = (0, 1)  # type: ignore[misc]
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("function", self.function, FUNCTIONS)
        check_choice("show", self.show, ("always", "first"))
        sizes, most = self.sizes, MOST_BITS[self.function]
        if sizes.highest > most:
            raise ValueError(
                f"bits {sizes.train} with test_bits {sizes.test} are more than the {most} that function "
                f"{self.function!r} takes; give fewer, or a test_bits within {most}"
            )
        if self.function == "table" and self.horizon < 2:
            raise ValueError("horizon is 1; function 'table' needs 2 at least, to learn from and to answer")
        if self.function == "table" and self.show == "first":
            raise ValueError("show is 'first'; function 'table' shows new bits at every step: use 'always'")

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How many bits there are."""
        return Sizes.of_setting("bits", self)

    @property
    def _counted_from(self) -> int:
        """The first step (counted from 0) whose answer counts."""
        return self.horizon // 2 if self.function == "table" else self.horizon - 1

    @property
    def _counted(self) -> int:
        """How many steps' answers count."""
        return self.horizon - self._counted_from

    @property
    def noise_size(self) -> int:
        """With "table" the next step's bits; otherwise nothing."""
        return self.sizes.capacity if self.function == "table" else 0

    @functools.cached_property
    def slots(self) -> Slots:
        """As many inputs of one bit as outputs; the fraction right; with "table" the right answer."""
        return Slots(self.sizes.capacity, 1, self.sizes.capacity, 1, int(self.function == "table"))

    @property
    def bounds(self) -> Bounds:
        """Bits, outputs and answers in [-1, 1], the fraction right in [0, 1]."""
        revealed = (-1, 1) if self.function == "table" else (0, 0)
        return Bounds(inputs=(-1, 1), outputs=(-1, 1), feedback=(0, 1), output_feedback=revealed)

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes, bits and, where asked for, the table: keys [B, 4] -> Task."""
        xp, sizes = namespace(keys), self.sizes
        dtype = getattr(xp, self.dtype)
        count, _, element, used, mask = sizes.fill(keys, self.dtype)  # [B, 1], [B or 1, I], [B, I] twice
        bits = 2 * keyed_random.integers(keys, "values", sizes.capacity, 0, 1) - 1  # [B, I]
        entries = 2 ** sizes.limits[1] if self.function == "table" else 0
        table = xp.astype(keyed_random.integers(keys, "table", entries, 0, 1), dtype)
        digit = xp.astype(used, xp.int64) << xp.clip(element, 0, MOST_BITS["table"])
        first = xp.astype(bits * xp.astype(used, xp.int64), dtype)  # not as floats: -0 would tell
        return Task(first, mask, xp.astype(count[:, 0], dtype), digit, 2 * table - 1)

    def initial_state(self, task: Task) -> State:
        """The first bits, nothing written."""
        xp = namespace(task.bits)
        zero = xp.zeros_like(task.bits[:, 0])
        none = xp.zeros_like(zero, dtype=xp.int64)
        answer = self._answer(task, task.bits)
        return State(task.bits, answer, xp.zeros_like(task.bits), zero, zero, none, none)

    def observe(self, task: Task, state: State) -> Observation:
        """The bits, what was written last, and what has been told about it."""
        xp = namespace(state.outputs)
        inputs = state.bits
        if self.show == "first":
            inputs = xp.where((state.time == 0)[:, None], inputs, 0.0)  # not by a factor: -0 would tell
        revealed = (state.revealed[:, None] * task.mask)[:, :, None]  # [B, O, 1]
        query = xp.astype(state.time >= self._counted_from, inputs.dtype)
        return Observation(
            inputs=inputs[:, :, None],
            input_mask=task.mask,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=state.feedback[:, None],
            output_feedback=revealed[:, :, : self.slots.output_feedback],
            flags=self.flags(state.time, query),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Judge the answer if it is due; with "table" reveal the right one and show new bits."""
        xp = namespace(action)
        answer = state.answer[:, None]  # [B, 1]
        loss = xp.vecdot(task.mask, (action - answer) ** 2) / task.count  # [B]
        number = xp.vecdot(task.mask, xp.astype(action * answer > 0, task.mask.dtype))  # [B], exact
        right = number / task.count
        counts = xp.astype(state.time >= self._counted_from, right.dtype)
        due, time = right * counts, state.time + 1
        if self.function == "table":
            bits = task.mask - 2 * xp.astype(noise < 0.5, task.mask.dtype) * task.mask  # never -0
            shown = (bits, self._answer(task, bits), action * task.mask, right, state.answer)
        else:
            shown = (state.bits, state.answer, action * task.mask, due, state.revealed)
        after = State(*shown, right=state.right + xp.astype(number * counts, xp.int64), time=time)
        return Transition(after, due / self._counted, loss, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Fraction right so far, over the steps that count; success above `SUCCESS`."""
        xp = namespace(state.right)
        accuracy = xp.astype(state.right, xp.float64) / (task.count * self._counted)
        return {"accuracy": accuracy, "is_success": accuracy > SUCCESS}

    def solution(self, task: Task, state: State) -> Array:
        """The answer to the bits of this state (also where they are no longer shown), in every used slot."""
        bits = state.bits if self.function == "table" else task.bits
        return self._answer(task, bits)[:, None] * task.mask

    def _answer(self, task: Task, bits: Array) -> Array:
        """The function's value [B] for bits [B, I]."""
        xp = namespace(bits)
        if self.function == "parity":
            return xp.prod(bits + (1 - task.mask), axis=-1)
        if self.function == "majority":
            return 2 * xp.astype(xp.sum(bits, axis=-1) >= 0, bits.dtype) - 1
        index = xp.sum(task.digit * xp.astype(bits > 0, xp.int64), axis=-1, keepdims=True)  # [B, 1]
        return xp.take_along_axis(task.table, index, axis=-1)[:, 0]
