"""Deliberation: answers that need thinking time and no further input."""

import dataclasses
import functools
from typing import ClassVar, Literal, NamedTuple

import numpy as np

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
    positions,
)
from badger_envs.keyed_random import Array

KINDS = ("prefix", "chase", "maze")
MOST = {"prefix": 512, "chase": 64, "maze": 16}

NAME_BITS = 6
"""Numbers in a name of "chase": enough for `MOST` different ones."""

SUCCESS = 0.99
"""Accuracies above it are success."""


class Task(NamedTuple):
    """What a trial shows and asks.

    Attributes:
        inputs: [B, I, F], shown at every step; 0 in unused slots.
        mask: [B, I], 1 in used slots, of inputs and outputs alike.
        answer: [B, I], -1 or +1 where something is asked, else 0.
        asked: [B], how many answers are asked for.
    """

    inputs: Array
    mask: Array
    answer: Array
    asked: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        outputs: [B, I], written last.
        feedback: [B], fraction of the answers that was right, 0 before they are due.
        right: int64 [B], answers that were right, 0 before they are due.
        time: int64 [B], steps done.
    """

    outputs: Array
    feedback: Array
    right: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deliberation(Family):
    """Think until the answer is there: all that can be known is shown at the first step.

    ## Description
    Every slot shows a piece of a puzzle, the same at all steps, and every slot must answer -1 or +1 at the
    last one. One rule that looks at a slot and at what it depends on, applied again and again, finds all
    answers; larger puzzles take more steps, not another rule. So a policy that was trained on short puzzles
    and few steps can be asked for long ones with many. What talking buys: parts that see one slot each know
    only what has reached them, one hop per step.

    `kind` = "prefix": a row of bits, -1 or +1. Slot i answers with the product of the bits 0 to i: the
    prefix parity. It depends on the slot before it, whose answer it multiplies by its own bit. Parts
    that sit in a row (topology "chain": each hears the one before it) need `size` - 1 steps.

    "chase": a table of pointers. Each slot shows its own name, the name of the slot that it points to, and
    a bit or 0. Pointers form two chains of nearly equal length, each ending in a slot that points to itself
    and shows a bit; the two bits are opposite. A slot answers with the bit at its chain's end, up to
    (`size` + 1) // 2 - 1 hops away. Names are different strings of 6 bits; slots are in random order.

    "maze": a square of `size` x `size` rooms, with doors between, seen from above as (2 `size` - 1) x
    (2 `size` - 1) squares in rows, as in the topology "grid". Every room has a door to the room above it or
    to its left, drawn at random, which is shut with probability 1 / `size`. A square shows 1 if it is
    open and -1 if it is a wall, and 1 if it is where one starts, a random room. An open square
    answers +1 if one can get there, else -1; walls are not asked. Ways are up to 8 `size` - 10 squares long.

    Places are not shown: the order of slots carries what lies next to what, and an expert must know its
    place through whom it hears.

    ## Action space
    `Box(-1, 1, (slots,))`: a value per output slot, whose sign is the answer; 0 is no answer, and wrong.
    Values in slots that are unused or not asked have no effect.

    ## Observation space
    `inputs`: see above; 1 number per slot ("prefix"), 13 ("chase": name, name pointed to, bit) or 2
    ("maze"), at every step. `outputs`: what was written last. `feedback`: 0 until the last answer has been
    given, then the fraction that was right. `flags`: first step, query (1 where the answer written now
    counts), fraction of the trial gone.

    ## Rewards
    The fraction of the answers asked for whose sign is right, at the last step; 0 before. The per-step
    loss is the mean over them of (x - answer) ** 2, at every step as if it were due then: 1 for writing
    zeros, 0 for the answers, 4 at worst. It is for the outer loop: it tells the answers.

    ## Starting state
    All outputs 0.

    ## Episode end
    Terminates after `horizon` steps. `info["accuracy"]` (float64) is the sum of rewards, 0 before the last
    step. `info["is_success"]` (bool) says whether it is above 0.99.

    ## Arguments
    `kind`: see above (default "prefix"). `size`: bits, slots of the table or rooms per side, or a range
    (lowest, highest) drawn per task (default 8; at most 512, 64 and 16). `test_size`: the range of the test
    split; a `size` range without it is followed by one as long: (2, 8) holds out (9, 15). `capacity`: the
    largest size that there are slots for (default: as many as any split needs).
    `horizon` (default 8), `split`, `dtype`: see `badger_envs.Family`. `shuffle_slots` must be False: the
    order of slots is part of the puzzle.

    ## Vectorised environment
    `gym.make_vec("Badger/Deliberation-v0", num_envs=N)` steps all N at once.

    ## References
    Bansal et al. 2022, "End-to-end Algorithm Synthesis with Recurrent Networks: Logical Extrapolation
    Without Overthinking": prefix sums trained on 32 bits, 97.12 % of strings of 512 bits right, and mazes.
    A string is right if all of its answers are; the accuracy here is the fraction of answers.

    ## Version history
    * v0: first version.
    """

    horizon: int = 8
    kind: Literal["prefix", "chase", "maze"] = "prefix"
    size: Range = 8
    test_size: Range | None = None
    capacity: int | None = None

    action_kind: ClassVar[ActionKind] = "binary"
    outcome: ClassVar[str] = "accuracy"
    outcome_bounds: ClassVar[tuple[float, float]] = (0, 1)  # type: ignore[misc]
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        sizes, most = self.sizes, MOST[self.kind]
        if sizes.capacity > most:
            raise ValueError(
                f"size {sizes.train} with test_size {sizes.test} and capacity {sizes.capacity} is more than"
                f" the {most} that kind {self.kind!r} takes; give less"
            )
        if self.shuffle_slots:
            raise ValueError("shuffle_slots is True; the order of slots is part of the puzzle: use False")

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How large puzzles are."""
        return Sizes.of_setting("size", self)

    @property
    def side(self) -> int:
        """Squares per side of the largest maze that there are slots for."""
        return 2 * self.sizes.capacity - 1

    @functools.cached_property
    def slots(self) -> Slots:
        """As many inputs as outputs; the fraction right as feedback."""
        number = self.side**2 if self.kind == "maze" else self.sizes.capacity
        width = {"prefix": 1, "chase": 2 * NAME_BITS + 1, "maze": 2}[self.kind]
        return Slots(number, width, number, 1, 0)

    @property
    def bounds(self) -> Bounds:
        """Inputs and outputs in [-1, 1], the fraction right in [0, 1]."""
        return Bounds(inputs=(-1, 1), outputs=(-1, 1), feedback=(0, 1))

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes and puzzles: keys [B, 4] -> Task."""
        xp, sizes = namespace(keys), self.sizes
        count = sizes.count(keys)  # [B, 1]
        draw = {"prefix": _prefix, "chase": _chase, "maze": _maze}[self.kind]
        inputs, used, asked, answer = draw(keys, count, sizes.capacity)
        dtype = getattr(xp, self.dtype)
        mask, of_asked = xp.astype(used, xp.int8), xp.astype(asked, xp.int8)
        return Task(  # masked as integers: floats would leave -0, which tells
            inputs=xp.astype(inputs * mask[:, :, None], dtype),
            mask=xp.astype(mask, dtype),
            answer=xp.astype(answer * of_asked, dtype),
            asked=xp.sum(xp.astype(of_asked, dtype), axis=-1),
        )

    def initial_state(self, task: Task) -> State:
        """Nothing written."""
        xp = namespace(task.mask)
        zero = xp.zeros_like(task.asked)
        none = xp.zeros_like(zero, dtype=xp.int64)
        return State(xp.zeros_like(task.mask), zero, none, none)

    def observe(self, task: Task, state: State) -> Observation:
        """The puzzle, what was written last, and at the end how much of it was right."""
        xp = namespace(state.outputs)
        query = xp.astype(state.time >= self.horizon - 1, state.outputs.dtype)
        return Observation(
            inputs=task.inputs,
            input_mask=task.mask,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=state.feedback[:, None],
            output_feedback=state.outputs[:, :, None][:, :, :0],
            flags=self.flags(state.time, query),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Judge the answers if they are due."""
        xp = namespace(action)
        loss = xp.vecdot(xp.abs(task.answer), (action - task.answer) ** 2) / task.asked  # [B]
        number = xp.sum(xp.astype(action * task.answer > 0, xp.int64), axis=-1)  # [B]
        time = state.time + 1
        right = number * xp.astype(time == self.horizon, xp.int64)
        due = xp.astype(right, loss.dtype) / task.asked
        return Transition(State(action * task.mask, due, right, time), due, loss, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Fraction right, 0 before the answers are due; success above `SUCCESS`."""
        xp = namespace(state.right)
        accuracy = xp.astype(state.right, xp.float64) / task.asked
        return {"accuracy": accuracy, "is_success": accuracy > SUCCESS}

    def solution(self, task: Task, state: State) -> Array:
        """The answers; 0 where none is asked."""
        return task.answer

    def sketch(self, inputs: np.ndarray, used: np.ndarray) -> str | None:
        """A maze seen from above; a table with names as numbers; bits as they are."""
        if self.kind == "maze":
            shown = np.where(inputs[:, 1] > 0, "S", np.where(inputs[:, 0] > 0, ".", np.where(used, "#", " ")))
            return "\n".join(" ".join(row) for row in shown.reshape(self.side, self.side))
        if self.kind == "prefix":
            return None
        digits = 2 ** np.arange(NAME_BITS)
        own, other = ((inputs[:, start : start + NAME_BITS] > 0) @ digits for start in (0, NAME_BITS))
        ends = {0: "", 1: ", bit +", -1: ", bit -"}
        rows = zip(own[used], other[used], inputs[used, -1], strict=True)
        return "\n".join(f"{a:2} points to {b:2}{ends[int(bit)]}" for a, b, bit in rows)


Puzzle = tuple[Array, Array, Array, Array]
"""Inputs [B, I, F] and answers [B, I], int8; which slots are used and which of them asked, bool [B, I]."""


def _prefix(keys: Array, count: Array, capacity: int) -> Puzzle:
    """Bits in a row, and the product of all up to each."""
    xp = namespace(keys)
    bit = xp.astype(keyed_random.integers(keys, "bits", capacity, 0, 1), xp.int16)  # [B, I], 1 for -1
    used = positions(keys, capacity) < count  # [B, I]
    odd = xp.cumulative_sum(bit, axis=-1, dtype=xp.int16) % 2
    bit, odd = xp.astype(bit, xp.int8), xp.astype(odd, xp.int8)
    return (1 - 2 * bit)[:, :, None], used, used, 1 - 2 * odd


def _chase(keys: Array, count: Array, capacity: int) -> Puzzle:
    """Pointers in two chains, and the bit at the end of each."""
    xp = namespace(keys)
    slot = positions(keys, capacity)  # [1, I]
    used = slot < count  # [B, I]
    drawn = keyed_random.uniform(keys, "table", capacity + 3)
    order = xp.argsort(drawn[:, 3:] + xp.astype(~used, drawn.dtype), axis=-1, stable=True)  # used slots first
    place = xp.argsort(order, axis=-1, stable=True)  # [B, I], of each slot in the two chains
    half = (count + 1) // 2  # [B, 1], length of the first
    second = place >= half  # [B, I]
    end = (place == 0) | (place == half)
    target = xp.take_along_axis(order, place - xp.astype(~end, xp.int64), axis=-1)  # slot pointed to
    sign = drawn[:, :1] < 0.5  # [B, 1], of the first chain
    answer = 2 * xp.astype(sign ^ second, xp.int8) - 1
    number = 2**NAME_BITS
    first, step = (xp.astype(xp.floor(drawn[:, i : i + 1] * number), xp.int64) for i in (1, 2))  # [B, 1]
    own, other = ((first + (step | 1) * each) % number for each in (slot, target))  # different: steps are odd
    digits = xp.matrix_transpose(positions(keys, number)) >> positions(keys, NAME_BITS)
    names = xp.astype(2 * (digits % 2) - 1, xp.int8)  # [64, NAME_BITS]
    own, other = (
        xp.reshape(xp.take(names, xp.reshape(each, (-1,)), axis=0), (*place.shape, NAME_BITS))
        for each in (own, other)
    )  # [B, I, NAME_BITS]
    bit = (answer * xp.astype(end, xp.int8))[:, :, None]
    return xp.concat([own, other, bit], axis=-1), used, used, answer


def _maze(keys: Array, count: Array, capacity: int) -> Puzzle:
    """Rooms, each with one door towards the first, some of them shut; and who is connected to the start."""
    xp, rooms = namespace(keys), capacity**2
    number = positions(keys, rooms)  # [1, R]
    row, column = number // capacity, number % capacity
    used = (row < count) & (column < count)  # [B, R]
    drawn = keyed_random.uniform(keys, "doors", 2 * rooms + 1)
    up = (row > 0) & ((column == 0) | (drawn[:, :rooms] < 0.5))  # [B, R]: the door is above, else left
    size = xp.astype(count, drawn.dtype)
    open_ = used & (number > 0) & (drawn[:, rooms:-1] * size >= 1)
    above, left = open_ & up, open_ & ~up
    parent = number - capacity * xp.astype(above, xp.int64) - xp.astype(left, xp.int64)
    for _ in range((2 * capacity).bit_length()):  # twice as far each time: a way has < 2 capacity doors
        parent = xp.take_along_axis(parent, parent, axis=-1)
    chosen = xp.astype(
        xp.floor(drawn[:, -1:] * (size * size)), xp.int64
    )  # [B, 1], rounding never reaches the end
    start = chosen // count * capacity + chosen % count
    reached = parent == xp.take_along_axis(parent, start, axis=-1)  # [B, R]
    opens = _squares(used, left, above, capacity)  # [B, I]
    begins = _squares(used & (number == start), used & False, used & False, capacity)
    answer = 2 * xp.astype(_squares(reached, reached, reached, capacity), xp.int8) - 1
    side = positions(keys, 2 * capacity - 1)
    within = side < 2 * count - 1  # [B, side]
    inside = xp.reshape(within[:, :, None] & within[:, None, :], opens.shape)
    shown = [2 * xp.astype(opens, xp.int8) - 1, xp.astype(begins, xp.int8)]
    return xp.stack(shown, axis=-1), inside, opens, answer


def _squares(rooms: Array, left: Array, above: Array, capacity: int) -> Array:
    """Rooms and the doors to the left of and above each, bool [B, R] each, as squares in rows, [B, I]."""
    xp, side = namespace(rooms), 2 * capacity - 1
    walls = rooms & False
    pairs = xp.stack([walls, above, left, rooms], axis=-1)  # of a room: corner, above, left, itself
    blocks = xp.reshape(pairs, (rooms.shape[0], capacity, capacity, 2, 2))
    whole = xp.reshape(xp.permute_dims(blocks, (0, 1, 3, 2, 4)), (rooms.shape[0], side + 1, side + 1))
    return xp.reshape(whole[:, 1:, 1:], (rooms.shape[0], side * side))
