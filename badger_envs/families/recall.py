"""Recall: pairs of key and value are told to one part of the agent each; a key is asked of any part."""

import dataclasses
import functools
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from array_api_compat import device

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
    check_integer,
    entries,
    namespace,
    positions,
)
from badger_envs.keyed_random import Array

KINDS = ("lookup", "autoencode", "repeat-previous", "count")
STREAMS = KINDS[2:]
"""Kinds in which something is told at each step, and who is told it is asked at once."""

ASKED = ("any", "holder", "other")

SUCCESS = 0.99
"""Accuracies above it are success."""


class Task(NamedTuple):
    """What a trial hides, and what will be told and asked at each of T steps.

    Attributes:
        shown: [B, R + 1, F], all that a slot may show; the last row where nothing is told or asked.
        row: int64 [B, T], which of them is shown.
        slot: int64 [B, T], where; -1 where nothing is.
        answer: [B, T], what is right there, -1 or +1.
        first: int64 [B], the first step at which something is asked.
        mask: [B, O], 1 for used slots.
    """

    shown: Array
    row: Array
    slot: Array
    answer: Array
    first: Array
    mask: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        outputs: [B, O], written last.
        feedback: [B], 1 or -1 if what was written last was a right or a wrong answer that counts, else 0.
        right: int64 [B], right answers that counted.
        time: int64 [B], steps done.
    """

    outputs: Array
    feedback: Array
    right: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recall(Family):
    """Remember what any part of the agent was told, and let the part that is asked know it.

    ## Description
    First, pairs of a key and a value are told, one at each step, each to one of M members alone: members take
    turns in a random order. A key is a random vector of length 1, a value is -1 or +1. Then nothing happens
    for a while. In the last steps keys are asked, each of one member alone, which must answer with the value
    that belongs to the key, whoever was told it. So the memory is spread over the group, and what a member
    needs to know another member may hold. A member that never talks knows its own pairs at best.

    What one member can hold is limited by its state, what the group can hold by how many members there are.
    Agents whose experts come and go within a trial (`badger grow`) show what is lost with those who leave.

    Other kinds are after POPGym. "autoencode" has values without keys: what was told is asked in reverse
    order, from the last value to the first, and then again. In the other two a random member is told
    something at each step, and must answer at once. "repeat-previous": it is told a value, and asked for the
    one that was told `pairs` steps before, to whomever. "count": it is told one of `pairs` keys, and asked
    whether that key has been told an odd number of times, this time included (+1) or not (-1).

    ## Action space
    `Box(-1, 1, (capacity,))`: a value per output slot, whose sign is the answer; 0 is no answer, and wrong.
    Only the slot that is asked counts. Values in unused slots have no effect.

    ## Observation space
    `inputs`: of the one slot that shows something the key (none with "autoencode" and "repeat-previous"); the
    value, or 0 when it is not told; 1 if something is told, else 0; 1 if something is asked, else 0. Zeros in
    all other slots. `outputs`: what
    was written last. `feedback`: 1 if an answer that counted was right, -1 if it was wrong, else 0. No
    `output_feedback`. `flags`: first step, query (1 where the answer written now counts), fraction of the
    trial gone.

    ## Rewards
    1 / (number of questions) for each right answer, so that rewards sum to the accuracy. The per-step loss is
    (x - value) ** 2 of the slot that is asked, while it is asked, else 0: 1 for writing zeros. It is for the
    outer loop: it tells the answer.

    ## Starting state
    All outputs 0.

    ## Episode end
    Terminates after `horizon` steps. `info["accuracy"]` (float64) is the fraction of questions answered right
    so far; guessing scores 0.5 in the end. `info["is_success"]` (bool) says whether it is above 0.99.

    ## Arguments
    `pairs`: number of pairs, or a range (lowest, highest) drawn per task (default 4). `members`: number of
    members M, or a range (default 4). `test_pairs`, `test_members`: ranges of the test split; a range without
    it is followed by one as long: (1, 4) holds out (5, 8). `capacity`: slots (default: as many as any split
    has members). `width`: numbers in a key, at least 2 (default 8). `questions`: how many keys are asked, of
    pairs drawn at random (default 4). `patience`: steps for which a question stands; the answer at the last
    of them counts (default 1; agents whose messages come a step late need 3). `asked`: who: "any" member,
    the "holder" who was told, or any "other", of which there must be one.
    `horizon`: steps (default 10), at least as many as pairs in any split and questions with their patience
    take together; those left over are the delay between telling and asking. `kind`: "lookup", "autoencode",
    "repeat-previous" or "count"; with the last two `questions`, `patience` and `asked` have no meaning and
    must be left as they are. `split`, `shuffle_slots`, `dtype`: see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/Recall-v0", num_envs=N)` steps all N at once.

    ## References
    Arora et al. 2024, "Zoology: Measuring and improving recall in efficient language models" (multi-query
    associative recall); Morad et al. 2023, "POPGym: Benchmarking partially observable reinforcement
    learning".

    ## Version history
    * v0: first version.
    """

    horizon: int = 10
    pairs: Range = 4
    test_pairs: Range | None = None
    members: Range = 4
    test_members: Range | None = None
    capacity: int | None = None
    width: int = 8
    questions: int = 4
    patience: int = 1
    asked: Literal["any", "holder", "other"] = "any"
    kind: Literal["lookup", "autoencode", "repeat-previous", "count"] = "lookup"

    action_kind: ClassVar[ActionKind] = "binary"
    outcome: ClassVar[str] = "accuracy"
    outcome_bounds: ClassVar[tuple[float, float]] = (0, 1)  # type: ignore[misc]
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        check_choice("asked", self.asked, ASKED)
        check_integer("width", self.width, low=2)
        for name in ("questions", "patience"):
            check_integer(name, getattr(self, name), low=1)
        fewest = min(self.sizes.train[0], self.sizes.test[0])
        if self.asked == "other" and fewest < 2:
            raise ValueError(f"members is {self.members}; asked 'other' needs 2 at least")
        if self.kind in STREAMS:
            self._check_stream()
            return
        least = self.pair_sizes.highest + self._asking
        if self.horizon < least:
            raise ValueError(
                f"horizon is {self.horizon}; it must be {least} at least: pairs take a step each, questions"
                f" ({self.questions}) their patience ({self.patience})"
            )

    def _check_stream(self) -> None:
        """That what is asked at every step is not said otherwise, and that something is asked."""
        for name in ("questions", "patience", "asked"):
            if getattr(self, name) != (usual := getattr(type(self), name)):
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; kind {self.kind!r} asks at every step whom it tells:"
                    f" leave it at {usual!r}"
                )
        most = self.pair_sizes.highest
        if self.kind == "repeat-previous" and self.horizon <= most:
            raise ValueError(
                f"horizon is {self.horizon}; it must be above {most}: what is asked was"
                " told that many steps before"
            )

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How many members there are."""
        return Sizes.of_setting("members", self)

    @functools.cached_property
    def pair_sizes(self) -> Sizes:
        """How many pairs there are; no slots."""
        return Sizes.of("pairs", self.pairs, self.test_pairs, split=self.split)

    @property
    def _asking(self) -> int:
        """How many steps there are in which something is asked."""
        return self.questions * self.patience

    @functools.cached_property
    def slots(self) -> Slots:
        """As many inputs of key, value, told, asked as outputs; whether the answer was right."""
        return Slots(self.sizes.capacity, self._key_width + 3, self.sizes.capacity, 1, 0)

    @property
    def _key_width(self) -> int:
        """Numbers in a key."""
        return self.width if self.kind in ("lookup", "count") else 0

    @property
    def bounds(self) -> Bounds:
        """All in [-1, 1]; keys may be rounded beyond."""
        return Bounds(inputs=(-1.0001, 1.0001), outputs=(-1, 1), feedback=(-1, 1))

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes, what is told and what is asked: keys [B, 4] -> Task."""
        xp = namespace(keys)
        pairs = self.pair_sizes.count(keys)  # [B, 1]
        members, order, _, _, mask = self.sizes.fill(keys, self.dtype)  # [B, 1], [B, O or 0], [B, O]
        plan = self._stream if self.kind in STREAMS else self._told_then_asked
        shown, row, slot, answer, first = plan(keys, pairs, members)  # slot: a member
        if order.shape[1]:
            place = xp.argsort(order, axis=-1)  # [B, O], slots of the members
            slot = xp.where(slot < 0, slot, xp.take_along_axis(place, xp.where(slot < 0, 0, slot), axis=-1))
        return Task(shown, row, slot, answer, first, mask)

    def _told_then_asked(
        self, keys: Array, pairs: Array, members: Array
    ) -> tuple[Array, Array, Array, Array, Array]:
        """All pairs, a pause, then questions: shown, row, member, answer and first of `Task`."""
        xp = namespace(keys)
        where = {"dtype": xp.int64, "device": device(keys)}
        most, batch = self.pair_sizes.limits[1], keys.shape[0]
        turns = keyed_random.words(keys, "turns", self.sizes.limits[1])  # [B, M]
        turns = xp.where(positions(keys, self.sizes.limits[1]) < members, turns, 2**32)
        turns = xp.argsort(turns, axis=-1, stable=True)  # [B, M], members in a random order, then the unused
        number = positions(keys, most)  # [1, N]
        holder = xp.take_along_axis(turns, number % members, axis=-1)  # [B, N]
        item, who = self._asked(keys, holder, pairs, members)  # [B, Q] each
        start = self.horizon - self._asking
        item, who = (xp.repeat(each, self.patience, axis=-1) for each in (item, who))  # [B, Q P] each
        every = number + xp.zeros((batch, most), **where)  # [B, N]
        silence = xp.zeros((batch, start - most), **where)
        row = xp.concat([every, silence + 2 * most, item + most], axis=-1)  # [B, T]
        told = xp.where(number < pairs, holder, -1)  # [B, N]
        slot = xp.concat([told, silence - 1, who], axis=-1)  # [B, T]
        names, values = self._pairs(keys, most)  # [B, N, W], [B, N]
        answer = xp.take_along_axis(values, xp.concat([every, silence, item], axis=-1), axis=-1)  # [B, T]
        yes, no = xp.ones_like(values), xp.zeros_like(values)  # [B, N]
        shown = xp.concat(
            [
                xp.concat([names, xp.stack([values, yes, no], axis=-1)], axis=-1),
                xp.concat([names, xp.stack([no, no, yes], axis=-1)], axis=-1),
                self._nothing(values),
            ],
            axis=1,
        )  # [B, 2 N + 1, F]
        return shown, row, slot, answer, xp.full((batch,), start, **where)

    def _stream(self, keys: Array, pairs: Array, members: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Something told at each step, and asked at once: shown, row, member, answer and first of `Task`."""
        xp, steps = namespace(keys), self.horizon
        drawn = keyed_random.words(keys, "questions", steps)  # [B, T], a half for each of the two
        who = ((drawn & 0xFFFF) * members) >> 16  # [B, T]
        row = positions(keys, steps) + xp.zeros_like(who)  # [B, T]
        if self.kind == "repeat-previous":
            names, values = self._pairs(keys, steps)  # [B, T, 0], [B, T]
            first = pairs[:, 0]  # [B]
            back = xp.where(row < pairs, 0, row - pairs)  # [B, T]
            answer = xp.take_along_axis(values, back, axis=-1)  # [B, T]
            asked = xp.astype(row >= pairs, values.dtype)  # [B, T]
        else:
            names, values = self._pairs(keys, self.pair_sizes.limits[1])  # [B, N, W], [B, N]
            item = ((drawn >> 16) * pairs) >> 16  # [B, T]
            told = xp.astype(
                item[..., None] == positions(keys, names.shape[1])[:, None], xp.int64
            )  # [B, T, N]
            so_far = xp.cumulative_sum(told, axis=1)  # [B, T, N]
            number = xp.take_along_axis(so_far, item[..., None], axis=2)[..., 0]  # [B, T]
            names = xp.take_along_axis(names, item[..., None], axis=1)  # [B, T, W]
            answer = xp.astype(2 * (number % 2) - 1, values.dtype)  # [B, T]
            values, asked = xp.zeros_like(answer), xp.ones_like(answer)  # [B, T] each
            first = xp.zeros_like(pairs[:, 0])  # [B]
        rows = xp.concat([names, xp.stack([values, xp.ones_like(values), asked], axis=-1)], axis=-1)
        return xp.concat([rows, self._nothing(values)], axis=1), row, who, answer, first

    def _nothing(self, like: Array) -> Array:
        """The row of a slot that shows nothing, [B, 1, F]."""
        xp = namespace(like)
        return xp.zeros((like.shape[0], 1, self.slots.input_size), dtype=like.dtype, device=device(like))

    def _asked(self, keys: Array, holder: Array, pairs: Array, members: Array) -> tuple[Array, Array]:
        """Which pair each question is about, and which member is asked: int64 [B, Q] each."""
        xp, questions = namespace(keys), self.questions
        drawn = keyed_random.words(keys, "questions", questions)  # [B, Q], a half for each of the two
        if self.kind == "lookup":
            item = ((drawn >> 16) * pairs) >> 16
        else:
            item = pairs - 1 - positions(keys, questions) % pairs
        knows = xp.take_along_axis(holder, item, axis=-1)  # [B, Q]
        if self.asked == "holder":
            return item, knows
        others = members - int(self.asked == "other")  # [B, 1]
        chosen = ((drawn & 0xFFFF) * others) >> 16  # [B, Q]
        return item, (knows + 1 + chosen) % members if self.asked == "other" else chosen

    def _pairs(self, keys: Array, most: int) -> tuple[Array, Array]:
        """The keys of the pairs, [B, N, W], and their values, [B, N]; made of 8 random bits a number."""
        xp, dtype = namespace(keys), getattr(namespace(keys), self.dtype)
        width = self._key_width
        size = most * (width + 1)
        drawn = keyed_random.words(keys, "pairs", -(-size // 4))
        drawn = xp.stack([drawn & 0xFF, (drawn >> 8) & 0xFF, (drawn >> 16) & 0xFF, drawn >> 24], axis=-1)
        drawn = xp.reshape(xp.reshape(drawn, (keys.shape[0], -1))[:, :size], (-1, most, width + 1))
        names = xp.astype(2 * drawn[:, :, 1:] - 0xFF, dtype)  # odd: never 0
        names = names / xp.sqrt(xp.vecdot(names, names))[..., None]
        return names, xp.astype(2 * (drawn[:, :, 0] & 1) - 1, dtype)

    def initial_state(self, task: Task) -> State:
        """Nothing written."""
        xp = namespace(task.mask)
        zero = xp.zeros_like(task.mask)
        none = xp.zeros_like(task.first)
        return State(zero, zero[:, 0], none, none)

    def observe(self, task: Task, state: State) -> Observation:
        """What one slot is told or asked."""
        xp = namespace(state.outputs)
        shown, slot = entries([task.row, task.slot], self._time(state))  # [B] each
        batch, rows, size = task.shown.shape
        here = positions(slot, task.mask.shape[1]) == slot[:, None]  # [B, O]
        row = xp.where(here, shown[:, None], rows - 1)
        row = row + xp.arange(0, batch * rows, rows, dtype=xp.int64, device=device(slot))[:, None]
        inputs = xp.take(xp.reshape(task.shown, (batch * rows, size)), xp.reshape(row, (-1,)), axis=0)
        return Observation(
            inputs=xp.reshape(inputs, (*task.mask.shape, size)),
            input_mask=task.mask,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=state.feedback[:, None],
            output_feedback=state.outputs[:, :, None][:, :, :0],
            flags=self.flags(state.time, xp.astype(self._counts(task, state), state.outputs.dtype)),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Judge the answer of the one that is asked."""
        xp = namespace(action)
        slot, answer = entries([task.slot, task.answer], self._time(state))  # [B] each
        (said,) = entries([action], xp.where(slot < 0, 0, slot))  # [B]
        asked = xp.astype(self._is_asked(task, state), action.dtype)  # [B]
        loss = (said - answer) ** 2 * asked
        counts = self._counts(task, state)  # [B]
        number = xp.astype(counts & (said * answer > 0), xp.int64)
        reward = xp.astype(number, action.dtype) / xp.astype(self._number(task), action.dtype)
        feedback = xp.astype(2 * number - xp.astype(counts, xp.int64), action.dtype)
        time = state.time + 1
        after = State(action * task.mask, feedback, state.right + number, time)
        return Transition(after, reward, loss, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Fraction of the questions answered right so far; success above `SUCCESS`."""
        xp = namespace(state.right)
        accuracy = xp.astype(state.right, xp.float64) / xp.astype(self._number(task), xp.float64)
        return {"accuracy": accuracy, "is_success": accuracy > SUCCESS}

    def solution(self, task: Task, state: State) -> Array:
        """The answer in the slot that is asked; zeros elsewhere."""
        xp = namespace(task.answer)
        slot, answer = entries([task.slot, task.answer], self._time(state))  # [B] each
        slot = xp.where(self._is_asked(task, state), slot, -1)[:, None]  # [B, 1]
        here = positions(slot, task.mask.shape[1]) == slot  # [B, O]
        return xp.where(here, answer[:, None], 0.0)

    def sketch(self, inputs: np.ndarray, used: np.ndarray) -> str:
        """Who is told or asked what."""
        for slot, (*key, value, told, asked) in enumerate(inputs.tolist()):
            name = f"the value of ({' '.join(f'{number:+.2f}' for number in key)})" if key else "a value"
            if told and self.kind == "count":
                return f"member {slot} is told {name.removeprefix('the value of ')}: an odd number of times?"
            if told:
                then = ", and asked for an earlier one" if asked else ""
                return f"member {slot} is told {name}: {value:+.0f}{then}"
            if asked:
                return f"member {slot} is asked {name}"
        return "nothing is told or asked"

    def _time(self, state: State) -> Array:
        """Steps done, int64 [B]; after the end as before the last step."""
        xp = namespace(state.time)
        return xp.where(state.time < self.horizon, state.time, self.horizon - 1)

    def _is_asked(self, task: Task, state: State) -> Array:
        """Whether something is asked now, bool [B]."""
        return state.time >= task.first

    def _counts(self, task: Task, state: State) -> Array:
        """Whether the answer written now counts, bool [B]."""
        counts = self._is_asked(task, state) & (state.time < self.horizon)
        if self.patience == 1:
            return counts
        into = (state.time - task.first) % self.patience  # [B]
        return counts & (into == self.patience - 1)

    def _number(self, task: Task) -> Array:
        """How many questions there are, int64 [B]."""
        return (self.horizon - task.first) // self.patience
