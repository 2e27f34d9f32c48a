"""Hidden profiles: members of a group know different things, and only together point to the best option."""

import dataclasses
import functools
import operator
from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from badger_envs import keyed_random
from badger_envs.family import (
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_choice,
    check_integer,
    chosen_rows,
    entries,
    namespace,
    positions,
)
from badger_envs.keyed_random import Array

KINDS = ("choice", "ranking")
PROFILES = ("any", "hidden")

_HALF = 2**16 - 1
"""The lower half of a random word. Cues are made of 16 bits each, so that their sums are exact everywhere."""

CANDIDATES = 64
"""Tasks drawn for a hidden profile, of which the first that is one is taken."""

SUCCESS = 0.99
"""Accuracies above it are success."""


class Task(NamedTuple):
    """What a trial hides.

    Attributes:
        cues: [B, K, O * F], what each member knows of each option; 0 for unused options and members.
        value: [B, K], mean of all cues of an option, the shared ones counted once; 0 for unused options.
        best: int64 [B], the option that is worth most.
        rank: int64 [B, K], how many options are better than each, K for unused ones; [B, 0] unless `kind` is
            "ranking".
        options: int64 [B], number of options.
        mask: [B, O], 1 for members.
        count: [B], number of members.
        hidden: bool [B], whether every member would choose a wrong option by what it knows alone.
    """

    cues: Array
    value: Array
    best: Array
    rank: Array
    options: Array
    mask: Array
    count: Array
    hidden: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        best: [B, O], each member's last rating of the best option, 0 at the start.
        rival: [B, O], in the last round the highest of the other options; minus infinity before.
        ratings: [B, K, O], the last of each option, 0 at the start; [B, 0, O] unless `kind` is "ranking".
        outputs: [B, O], written last.
        accuracy: float64 [B], of the ratings, once the trial has ended; 0 before.
        time: int64 [B], steps done.
    """

    best: Array
    rival: Array
    ratings: Array
    outputs: Array
    accuracy: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiddenProfile(Family):
    """Choose the best option in a group whose members know different things about it.

    ## Description
    A group has to choose one of K options. Cues speak for an option or against it, each uniform in [-1, 1],
    and an option is worth the mean of all its cues. Some cues are shared: all members know them. The others
    are known to one member each. What all know so counts for more in every opinion than it should, and it
    often favours a wrong option. A *hidden profile* is a task in which each member would choose a wrong
    option by what it knows alone. A vote is lost there before it begins. Only who pools the cues is sure to
    find the best option. A minority of the usual tasks are hidden profiles (`info["hidden"]` says which).

    The group discusses one option at each step, one after the other, round after round. Input slot i shows
    what member i knows of the option under discussion; output slot i is member i's rating of it. A member
    chooses the option that it rated highest, by its last rating of each. All members must choose well.
    Ratings are never added up: nothing is pooled but by talking. One who sees all inputs needs no talk.

    ## Action space
    `Box(-1, 1, (capacity,))`: a rating per member. Values in unused slots have no effect.

    ## Observation space
    `inputs`: the cues of the option under discussion, first the shared ones, then the member's own; zeros in
    unused slots. `outputs`: the ratings written last, which were for the option before. `feedback`: the
    accuracy, 0 before the end. No `output_feedback`. `flags`: first step, query (1 in the last K steps: these
    ratings decide), fraction of the trial gone.

    ## Rewards
    The accuracy, at the last step; 0 before. With `kind` = "choice" it is the fraction of members whose
    highest rating is that of the best option; equal highest ratings are no choice, and wrong. With `kind` =
    "ranking" each member's ratings rank the options, as in the exercise of NASA (lost on the moon, rank what
    to take along): a member's error is the sum over options of the distance between rank given and right
    rank, equal ratings share their ranks, and the accuracy is 1 - (mean error) / floor(K ** 2 / 2), the
    greatest error there is. Guessing scores 1 / K of choices.
    The per-step loss is 3 N (rating - value) ** 2 in the mean over members, N being the number of different
    cues of an option: 1 on average for writing zeros, 0 for who knows all. It is for the outer loop: it tells
    the answer, and it is differentiable where a choice is not.

    ## Starting state
    All ratings 0.

    ## Episode end
    Terminates after `horizon` steps. `info["accuracy"]` (float64), 0 before the end, judges the trial.
    `info["is_success"]` (bool) says whether it is above 0.99. `info["hidden"]` (float64): 1 if the task
    is a hidden profile, else 0. No agent may read `info`.

    ## Arguments
    `options`: number of options K, or a range (lowest, highest) drawn per task, at least 2 (default 3).
    `members`: number of members, or a range (default 4). `test_options`, `test_members`: ranges of the test
    split; a range without it is followed by one as long: (2, 4) holds out (5, 7). `capacity`: slots (default:
    as many as any split has members). `shared`: shared cues of an option (default 6). `own`: cues of an
    option that each member alone knows, at least 1 (default 3). `kind`: "choice" or "ranking".
    `profile`: "any" tasks as they come, or "hidden" profiles only: the first of 64 draws that is one (tasks
    without one among them are as they come). `horizon`: steps, at least as many as there are
    options in any split (default 6, two rounds of 3 options). `split`, `shuffle_slots`, `dtype`: see
    `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/HiddenProfile-v0", num_envs=N)` steps all N at once.

    ## References
    Stasser and Titus 1985, "Pooling of unshared information in group decision making"; Hall and Watson 1970,
    "The effects of a normative intervention on group decision-making performance" (NASA's exercise).

    ## Version history
    * v0: first version.
    """

    horizon: int = 6
    options: Range = 3
    test_options: Range | None = None
    members: Range = 4
    test_members: Range | None = None
    capacity: int | None = None
    shared: int = 6
    own: int = 3
    kind: Literal["choice", "ranking"] = "choice"
    profile: Literal["any", "hidden"] = "any"

    outcome: ClassVar[str] = "accuracy"
    outcome_bounds: ClassVar[tuple[float, float]] = (0, 1)  # type: ignore[misc]
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        check_choice("profile", self.profile, PROFILES)
        check_integer("shared", self.shared, low=0)
        check_integer("own", self.own, low=1)
        _ = self.sizes  # checks them
        options = self.option_sizes
        if min(options.train[0], options.test[0]) < 2:
            raise ValueError(f"options is {self.options}; there must be 2 at least to choose from")
        if self.horizon < options.highest:
            raise ValueError(
                f"horizon is {self.horizon}; it must be {options.highest} at least, a step for each option"
            )

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How many members there are."""
        return Sizes.of_setting("members", self)

    @functools.cached_property
    def option_sizes(self) -> Sizes:
        """How many options there are; no slots."""
        return Sizes.of("options", self.options, self.test_options, split=self.split)

    @functools.cached_property
    def slots(self) -> Slots:
        """As many inputs of shared and own cues as outputs; the accuracy as the only feedback."""
        return Slots(self.sizes.capacity, self.shared + self.own, self.sizes.capacity, 1, 0)

    @property
    def bounds(self) -> Bounds:
        """Cues and ratings in [-1, 1], the accuracy in [0, 1]."""
        return Bounds(inputs=(-1, 1), outputs=(-1, 1), feedback=(0, 1))

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes and cues: keys [B, 4] -> Task."""
        xp, sizes = namespace(keys), self.sizes
        dtype = getattr(xp, self.dtype)
        most = self.option_sizes.limits[1]
        options = self.option_sizes.count(keys)  # [B, 1]
        count, order, _, used, mask = sizes.fill(keys, self.dtype)  # [B, 1], [B, O or 0], [B, O] twice
        there = positions(keys, most) < options  # [B, K]
        drawn = self._cues(keys, 0, count, there)
        if self.profile == "hidden":
            for number in range(1, CANDIDATES):
                other = self._cues(keys, number, count, there)
                drawn = _Cues(*(chosen_rows(drawn.hidden, *pair) for pair in zip(drawn, other, strict=True)))
        shared, own, total, best, hidden = drawn  # [B, K, S], [B, K, P, M], [B, K], [B], [B]
        own = xp.permute_dims(sizes.spread(own, order), (0, 1, 3, 2))  # [B, K, O, P]
        shared = xp.broadcast_to(shared[:, :, None, :], (*own.shape[:3], self.shared))
        cues = xp.concat([shared, own], axis=-1)  # [B, K, O, F]
        if not (sizes.fills_all and self.option_sizes.fills_all):
            shown = there[:, :, None] & used[:, None, :]  # [B, K, O]
            cues = xp.reshape(xp.reshape(cues, (-1,)), cues.shape)  # in C order
            cues = cues * xp.astype(shown, cues.dtype)[..., None] + 0.0  # -0 would tell, and no cue is 0
        ranked = slice(None if self.kind == "ranking" else 0)
        better = (total[:, None, :] > total[:, ranked, None]) & there[:, None, :]  # [B, K or 0, K]
        rank = xp.where(there[:, ranked], xp.sum(xp.astype(better, xp.int64), axis=-1), most)
        value = total / (self.shared + self.own * xp.astype(count, xp.float64))
        return Task(
            cues=xp.reshape(cues, (*cues.shape[:2], -1)),
            value=xp.astype(xp.where(there, value, 0.0), dtype),
            best=best,
            rank=rank,
            options=options[:, 0],
            mask=mask,
            count=xp.astype(count[:, 0], dtype),
            hidden=hidden,
        )

    def _cues(self, keys: Array, number: int, count: Array, there: Array) -> "_Cues":
        """Draw number `number` of the cues of tasks with so many members [B, 1] and options, bool [B, K]."""
        xp = namespace(keys)
        most, members = there.shape[1], self.sizes.limits[1]
        size = self.shared + self.own * members  # of an option
        words = -(-most * size // 2)  # of 32 bits, two cues each
        drawn = keyed_random.words(keys, "cues", words, number * words)
        drawn = xp.reshape(xp.stack([drawn & _HALF, drawn >> 16], axis=-1), (-1, 2 * words))
        cues = xp.astype(drawn, getattr(xp, self.dtype)) * 2.0**-15 - _HALF * 2.0**-16
        cues = xp.reshape(cues[:, : most * size], (-1, most, size))
        shared, own = cues[:, :, : self.shared], cues[:, :, self.shared :]
        own = xp.reshape(own, (-1, most, self.own, members))  # [B, K, P, M]
        known = xp.sum(xp.astype(shared, xp.float64), axis=-1)  # [B, K]
        apart = xp.astype(own[:, :, 0], xp.float64)  # [B, K, M]
        for i in range(1, self.own):
            apart = apart + own[:, :, i]
        present = positions(keys, members) < count  # [B, M]
        total = known + xp.vecdot(apart, xp.astype(present, xp.float64)[:, None, :])  # [B, K]
        best = xp.argmax(xp.where(there, total, -xp.inf), axis=-1)  # [B]
        alone = known[:, :, None] + apart  # [B, K, M]
        (mine,) = entries([alone], best)  # [B, M]
        misled = (alone > mine[:, None]) & there[:, :, None]  # [B, K, M]
        hidden = functools.reduce(operator.or_, _slices(misled), ~present)  # [B, M]
        hidden = functools.reduce(operator.and_, _slices(hidden))  # [B]
        return _Cues(shared, own, total, best, hidden)

    def initial_state(self, task: Task) -> State:
        """Nothing rated."""
        xp = namespace(task.value)
        zero = xp.zeros_like(task.mask)
        time, nothing = (xp.zeros_like(task.count, dtype=kind) for kind in (xp.int64, xp.float64))
        ratings = xp.zeros_like(task.rank, dtype=zero.dtype)[:, :, None] + zero[:, None]  # [B, K or 0, O]
        return State(zero, zero - xp.inf, ratings, zero, nothing, time)

    def observe(self, task: Task, state: State) -> Observation:
        """What each member knows of the option under discussion."""
        xp = namespace(state.outputs)
        (cues,) = entries([task.cues], state.time % task.options)  # [B, O * F]
        query = xp.astype(state.time >= self.horizon - task.options, state.outputs.dtype)
        return Observation(
            inputs=xp.reshape(cues, (*task.mask.shape, -1)),
            input_mask=task.mask,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=xp.astype(state.accuracy, state.outputs.dtype)[:, None],
            output_feedback=state.outputs[:, :, None][:, :, :0],
            flags=self.flags(state.time, query),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Rate the option under discussion; at the end judge all last ratings."""
        xp = namespace(action)
        shown = state.time % task.options  # [B]
        value = entries([task.value], shown)[0][:, None]  # [B, 1]
        different = self.shared + self.own * task.count  # [B], cues of an option
        loss = 3 * different * xp.vecdot(task.mask, (action - value) ** 2) / task.count  # [B]
        outputs = action * task.mask  # [B, O]
        time = state.time + 1
        ended = time == self.horizon
        best, rival, ratings = state.best, state.rival, state.ratings
        if self.kind == "choice":
            asked = shown == task.best  # [B]
            best = xp.where(asked[:, None], outputs, best)  # [B, O]
            counts = (state.time >= self.horizon - task.options) & ~asked  # [B]
            rival = xp.maximum(rival, xp.where(counts[:, None], outputs, -xp.inf))  # [B, O]
            right = xp.vecdot(xp.astype(best > rival, action.dtype), task.mask)  # [B], exact
            judged = xp.astype(right, xp.float64) / xp.astype(task.count, xp.float64)
        else:
            now = positions(action, self.option_sizes.limits[1]) == shown[:, None]  # [B, K]
            ratings = xp.where(now[:, :, None], outputs[:, None], ratings)  # [B, K, O]
            judged = self._ranking(task, ratings)
        accuracy = xp.where(ended, judged, 0.0)
        reward = xp.astype(accuracy, action.dtype)
        return Transition(State(best, rival, ratings, outputs, accuracy, time), reward, loss, ended)

    def _ranking(self, task: Task, ratings: Array) -> Array:
        """1 - mean error / greatest error, float64 [B], of the ranks that ratings [B, K, O] give."""
        xp, most = namespace(ratings), ratings.shape[1]
        there = xp.astype(task.rank < most, ratings.dtype)  # [B, K]
        full = self.option_sizes.fills_all  # then all are there, and nothing need be multiplied
        # twice the places given: how many are above, and half of one for each that is equal
        others = xp.astype(task.options[:, None] - 1, there.dtype)  # [B, 1]
        places = [xp.zeros_like(task.mask) + others] * most  # [B, O] each
        each = [ratings[:, k] + 0.0 for k in range(most)]  # [B, O] each, contiguous, which is faster
        for k in range(most):  # by hand, in a quarter of the time that all pairs at once take
            for other in range(k):
                above = xp.sign(each[other] - each[k])  # [B, O]
                places[k] = places[k] + (above if full else above * there[:, other, None])
                places[other] = places[other] - (above if full else above * there[:, k, None])
        far = xp.zeros_like(task.mask)  # [B, O], twice the distances, whole numbers
        for k, place in enumerate(places):
            distance = xp.abs(place - 2 * xp.astype(task.rank[:, k, None], ratings.dtype))
            far = far + (distance if full else distance * there[:, k, None])
        error = xp.astype(xp.vecdot(far, task.mask), xp.float64) / (2 * xp.astype(task.count, xp.float64))
        return 1 - error / xp.astype(task.options**2 // 2, xp.float64)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Accuracy, once the trial has ended; success above `SUCCESS`; whether the profile is hidden."""
        return {
            "accuracy": state.accuracy,
            "is_success": state.accuracy > SUCCESS,
            "hidden": namespace(task.hidden).astype(task.hidden, state.accuracy.dtype),
        }

    def solution(self, task: Task, state: State) -> Array:
        """What the option under discussion is worth, in every used slot."""
        return entries([task.value], state.time % task.options)[0][:, None] * task.mask

    def sketch(self, inputs: np.ndarray, used: np.ndarray) -> str:
        """What all know of the option under discussion, then what each member alone knows."""
        lines = {"all members know": inputs[used][0, : self.shared]} if self.shared else {}
        lines |= {f"member {i} knows": inputs[i, self.shared :] for i in np.flatnonzero(used)}
        return "\n".join(
            f"{who:<17}" + " ".join(f"{cue:+.2f}" for cue in known) for who, known in lines.items()
        )


class _Cues(NamedTuple):
    """A draw of cues.

    Attributes:
        shared: [B, K, S].
        own: [B, K, P, M].
        total: float64 [B, K], sums of all cues.
        best: int64 [B], the option of the highest sum.
        hidden: bool [B], whether each member alone would choose another.
    """

    shared: Array
    own: Array
    total: Array
    best: Array
    hidden: Array


def _slices(array: Array) -> Iterator[Array]:
    """array[:, 0], array[:, 1], ...: to reduce so short an axis by hand takes a quarter of the time."""
    return (array[:, i] for i in range(array.shape[1]))
