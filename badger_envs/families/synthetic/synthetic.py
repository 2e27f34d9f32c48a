"""Synthetic tasks: a prior over what may be hidden, asked and told, so broad that nothing can be memorised."""

import dataclasses
import functools
import math
from typing import ClassVar, Literal, NamedTuple

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.families.synthetic import maps
from badger_envs.families.synthetic.maps import Maps
from badger_envs.families.task_kinds import Kinds, check_kinds, draw_kind, held_out_kinds
from badger_envs.family import (
    ActionKind,
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_boolean,
    check_choice,
    check_integer,
    check_number,
    namespace,
)
from badger_envs.keyed_random import Array

GOALS: dict[str, ActionKind] = {
    "match": "continuous",
    "optimum": "continuous",
    "choose": "categorical",
    "agree": "binary",
}
"""What may be asked, and how it is answered."""

FEEDBACK = ("answer", "error", "change", "sign", "gradient", "reward")

PROBES = 16
"""Random inputs by which the scale of a task's errors is found."""

LEAST = 0.02
"""Errors are relative to how much a task's answers vary, or to this, if that is less."""

LONGEST_DELAY, MOST_TASKS = 16, 2**31 - 1

SUCCESS = 0.1
"""Errors below it are success."""


class Task(NamedTuple):
    """What a trial hides.

    Attributes:
        kind, weights, offset, inner, bias, leaves: the map that is hidden, a `Maps`. It takes the inputs, or of
            goal "optimum" the outputs as they stand in slots.
        used: [B, N], 1 for numbers that the map takes.
        hidden: [B, N], what it takes where there is no context: constant inputs, or the optimum.
        scale: [B], an error is a squared or a lost value times this.
        first: [B, noise_size], noise of the first inputs.
        mixing: [B, N, N], inputs as they are shown are this times those of the map; [B, 0, 0]: they are.
        told: [B, S], 1 at what is fed back in this task, in the order of the setting.
        unit: [B], what feedback is multiplied by.
        loudness: [B], standard deviation of the noise on it.
        late: [B, D + 1], 1 at the number of steps by which it is late.
        ear: [B, O], 1 at the one slot where numbers about all outputs are told; all 0 if all hear them.
        column: int64 [B], in which of two columns of feedback they are.
        input_mask: [B, I].
        output_mask: [B, O].
        input_order, feature_order, output_order: int64, which element each slot or column holds; [B, 0] if in
            their order.
    """

    kind: Array
    weights: Array
    offset: Array
    inner: Array
    bias: Array
    leaves: Array
    used: Array
    hidden: Array
    scale: Array
    first: Array
    mixing: Array
    told: Array
    unit: Array
    loudness: Array
    late: Array
    ear: Array
    column: Array
    input_mask: Array
    output_mask: Array
    input_order: Array
    feature_order: Array
    output_order: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        shown: [B, N], what the map takes in now; of goal "optimum" nothing of it is shown.
        right: [B, O], the answer for that; of goal "choose" the values of all choices, of "optimum" [B, M], those
            of the optimum.
        outputs: [B, O], written last.
        error: [B], of that.
        heard: [B, D + 1, 2 + O], what was to be told of the last outputs, the latest first: a number about all,
            whether there was anything, a number about each.
        total: float64 [B], of the errors that count.
        time: int64 [B], steps done.
    """

    shown: Array
    right: Array
    outputs: Array
    error: Array
    heard: Array
    total: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Synthetic(Family):
    """Answer to a hidden map of which everything is drawn: what it is, what is asked of it, what is told.

    ## Description
    A prior over tasks, to train general learners on. A task hides a map from N numbers to numbers in [-1, 1],
    of one of these kinds, x in [-1, 1]^N being what it takes:

    * "linear": the a_j x + b_j, sums of absolute weights being 1.
    * "sparse": the same with 2 of the N numbers for each output.
    * "threshold": the sign of the first.
    * "network": 8 tanh units, and a tanh of each output.
    * "tree": three questions whether a number is above a bound, a value for each of 8 answers.
    * "lookup": the value of the most similar of 8 prototypes.

    `goal` says what is asked:

    * "match": write the map's values. With `context` the inputs are new at each step, and are shown; without,
      they are hidden and stay, so that constant numbers are to be found.
    * "optimum": find the hidden point at which the map has the values that it has there, hearing how far off
      the values of the point written are. No inputs.
    * "choose": name the output whose value is highest: a bandit, with `context` a contextual one.
    * "agree": give the sign of the map's only output in every slot, as a group that must agree on a bit.

    `feedback` says what is told of the last outputs: the right "answer" to them, or their "error", its "change",
    the "sign" of that (1 if the error fell), the "gradient" of the error in each output (not with "choose"; of
    maps that are flat in steps it is 0 in "optimum"), or the "reward": the value of the choice, or minus the
    error. Of several kinds each task has one. The numbers may come with noise, late, in units of their own,
    and at one slot only. Errors are relative: 1 on average for who writes zeros or chooses at random, 0 at best.

    ## Action space
    `Box(-1, 1, (O capacity,))` for "match", "optimum" and "agree", where the sign counts; `Discrete(O capacity)`
    for "choose". Values in unused slots have no effect; to choose an unused slot pays nothing.

    ## Observation space
    `inputs`: with `context` the numbers that the map takes in now, else one constant slot. `outputs`: written
    last; 1 at what was chosen. `feedback`: two columns, one of which holds numbers about all outputs.
    `output_feedback`: two columns, one for numbers about each output, and 1 in the other if anything is told;
    with `local` numbers about all outputs stand there too, at one output. `flags`: first step, query (1 if
    nothing will be told about the outputs written now), fraction of the trial gone.

    ## Rewards
    Minus the error of what was just written; with "choose" the value of what was chosen, in [0, 1]. The per-step
    loss is the error (the mean over used outputs of (x - y)**2, relative to the mean square of the task's
    values); for "optimum" 3 * mean((x - optimum)**2); for "agree" mean((x - bit)**2); for "choose" the error,
    without a gradient: `expected_reward` has one.

    ## Starting state
    All outputs 0; nothing told.

    ## Episode end
    Terminates after `horizon` steps. `info["error"]` (float64), the mean error over the second half of the trial
    (before the end the part of it so far), judges it; for "agree" it is twice the fraction of wrong signs.
    `info["is_success"]` (bool) says whether the trial has ended and it is below 0.1.

    ## Arguments
    `goal`, `context`, `feedback`: see above. `kind`: a kind of map, or several, of which each task has one
    (default all but "tree"); `test_kind`: those of the test split; several without it hold out all others.
    `inputs`, `features`, `outputs`: numbers of input slots, of numbers in each, and of output slots, or ranges
    drawn per task (default (1, 3), 1 and (2, 4)); `test_inputs`, `test_features`, `test_outputs`: of the test
    split; a range without it is followed by one as long. `capacity`: input slots and output slots (default: as
    many of each as any split needs). `slot_size`: numbers in an input slot, at least as many as features.
    `project`: show a random mixture of the inputs. `loudness`: the most standard deviation of noise on what is told,
    a task's own being uniform below. `delay`: the most steps by which it is late, at most 16. `unit`: feedback,
    but for answers, is in units drawn from 1 / unit to unit, log-uniformly. `local`: see above.
    `support`: steps that are told about, the rest are queries (default: all). `distinct`: how many different
    tasks there are in all, to see what is memorised (default: no end of them).
    `shuffle_slots` permutes slots and columns. `horizon`, `split`, `dtype`: see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/Synthetic-v0", num_envs=N)` steps all N at once.

    ## References
    Kirsch et al. 2022, "General-Purpose In-Context Learning by Meta-Learning Transformers"; Müller et al. 2022,
    "Transformers Can Do Bayesian Inference" (prior-fitted networks); Lee et al. 2023, "Supervised Pretraining Can
    Learn In-Context Reinforcement Learning".

    ## Version history
    * v0: first version.
    """

    goal: Literal["match", "optimum", "choose", "agree"] = "match"
    context: bool = True
    feedback: Kinds = "answer"
    kind: Kinds = ("linear", "sparse", "threshold", "network", "lookup")
    test_kind: Kinds | None = None
    inputs: Range = (1, 3)
    test_inputs: Range | None = None
    features: Range = 1
    test_features: Range | None = None
    outputs: Range = (2, 4)
    test_outputs: Range | None = None
    capacity: int | None = None
    slot_size: int | None = None
    project: bool = False
    loudness: float = 0.0
    delay: int = 0
    unit: float = 1.0
    local: bool = False
    support: int | None = None
    distinct: int | None = None

    outcome: ClassVar[str] = "error"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("goal", self.goal, GOALS)
        for name in ("context", "project", "local"):
            check_boolean(name, getattr(self, name))
        if self.goal == "optimum" and self.context:
            raise ValueError("context is True; goal 'optimum' has no inputs: use context=False")
        if "gradient" in check_kinds("feedback", self.feedback, FEEDBACK) and self.goal == "choose":
            raise ValueError("feedback has 'gradient'; a choice has none: use another")
        check_number("loudness", self.loudness, 0, 10)
        check_integer("delay", self.delay, low=0, high=LONGEST_DELAY)
        check_number("unit", self.unit, 1, 1000)
        if self.support is not None:
            check_integer("support", self.support, low=0, high=self.horizon)
        if self.distinct is not None:
            check_integer("distinct", self.distinct, low=1, high=MOST_TASKS)
        sizes = self.sizes[2]
        if self.goal == "choose" and min(sizes.train[0], sizes.test[0]) < 2:
            raise ValueError(f"outputs is {self.outputs}; there must be 2 at least to choose from")
        _ = self._kinds_of_splits  # checks them

    @property
    def action_kind(self) -> ActionKind:  # type: ignore[override]
        """As the goal is answered."""
        return GOALS[self.goal]

    @functools.cached_property
    def sizes(self) -> tuple[Sizes, Sizes, Sizes]:
        """How many input slots, numbers in each, and output slots there are."""
        names = {"inputs": self.capacity, "features": self.slot_size, "outputs": self.capacity}
        given = {name: (getattr(self, name), getattr(self, f"test_{name}")) for name in names}
        common = {"split": self.split, "shuffled": self.shuffle_slots}
        inputs, features, outputs = (
            Sizes.of(name, *given[name], capacity=capacity, **common) for name, capacity in names.items()
        )
        return inputs, features, outputs

    @functools.cached_property
    def _kinds_of_splits(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return held_out_kinds("kind", maps.KINDS, self.kind, self.test_kind)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that the tasks of this split are drawn from."""
        return self._kinds_of_splits[self.split == "test"]

    @functools.cached_property
    def _told(self) -> tuple[str, ...]:
        """Kinds of feedback."""
        return check_kinds("feedback", self.feedback, FEEDBACK)

    @functools.cached_property
    def _width(self) -> int:
        """N, numbers that a map takes."""
        inputs, features, outputs = self.sizes
        if self.goal == "optimum":
            return outputs.limits[1]
        return inputs.limits[1] * features.limits[1]

    @property
    def noise_size(self) -> int:
        """The next inputs, and one for each number that is told, if it is noisy."""
        told = 1 + self.sizes[2].capacity if self.loudness else 0
        return self._width * self.context + told

    @functools.cached_property
    def slots(self) -> Slots:
        """Inputs with context, or a constant one; two columns of either feedback."""
        inputs, features, outputs = self.sizes
        shown = (inputs.capacity, features.capacity) if self.context else (1, features.capacity)
        return Slots(*shown, outputs.capacity, 2, 2)

    @property
    def worst(self) -> float:
        """A number that no error passes."""
        return {"choose": 1 / LEAST, "agree": 2.0}.get(self.goal, 4 / LEAST)

    @functools.cached_property
    def bounds(self) -> Bounds:
        """All finite."""
        most = dict.fromkeys(FEEDBACK, self.worst) | {"answer": 1.0, "sign": 1.0}
        most["gradient"] = 4 * (maps.STEEPEST if self.goal == "optimum" else 1) / LEAST
        unit = {name: 1 if name == "answer" else self.unit for name in FEEDBACK}
        told = 1.01 * max((most[name] + math.sqrt(3) * self.loudness) * unit[name] for name in self._told)
        return Bounds(
            inputs=(-1.01, 1.01) if self.context else (0, 1),
            outputs=(0, 1) if self.goal == "choose" else (-1, 1),
            feedback=(-told, told),
            output_feedback=(-max(told, 1), max(told, 1)),
        )

    def sample_task(self, keys: Array) -> Task:
        """Draw all that is hidden: keys [B, 4] -> Task."""
        xp, (inputs, features, outputs) = namespace(keys), self.sizes
        first = keyed_random.uniform(keys, "first inputs", self.noise_size, dtype=self.dtype)
        if self.distinct is not None:
            number = keyed_random.integers(keys, "which task", 1, 0, self.distinct - 1)  # [B, 1]
            keys = xp.concat([number, 0 * keys[:, :2], keys[:, 3:] % len(keyed_random.SPLITS)], axis=-1)
        drawn = keyed_random.uniform(keys, "settings", 6, dtype=self.dtype)  # [B, 6]
        there, columns, written = (
            self._in_use(keys, sizes) for sizes in self.sizes
        )  # [B, i], [B, f], [B, M]
        used = written
        if self.goal != "optimum":
            used = xp.reshape(there[:, :, None] * columns[:, None, :], (keys.shape[0], self._width))
        hidden_map = maps.draw(keys, self.kinds, used, 1 if self.goal == "agree" else written.shape[1])
        hidden = (2 * keyed_random.uniform(keys, "hidden", self._width, dtype=self.dtype) - 1) * used
        scale, mixing = self._scale(keys, hidden_map, hidden, used, written), self._mixing(keys, used)
        order = outputs.order(keys)
        if self.goal == "optimum":  # what it takes stands in slots
            hidden_map = hidden_map._replace(
                weights=outputs.spread(hidden_map.weights, order),
                inner=outputs.spread(hidden_map.inner, order),
            )
            hidden, used = outputs.spread(hidden, order), outputs.spread(used, order)
        late = xp.astype(xp.floor(drawn[:, 3:4] * (self.delay + 1)), xp.int64)  # [B, 1]
        count = xp.sum(written, axis=-1, keepdims=True)  # [B, 1]
        ear = xp.floor(drawn[:, 4:5] * count) if self.local else count  # past the last: none
        mask, numbers = outputs.spread(written, order), _numbers(written, written.shape[1])
        return Task(
            **hidden_map._asdict(),
            used=used,
            hidden=hidden,
            scale=scale,
            first=first,
            mixing=mixing,
            told=xp.stack(list(draw_kind(drawn[:, 0], self._told).values()), axis=-1),
            unit=self.unit ** (2 * drawn[:, 1] - 1),
            loudness=math.sqrt(3) * self.loudness * drawn[:, 2],
            late=xp.astype(late == _numbers(late, self.delay + 1), mask.dtype),
            ear=outputs.spread(xp.astype(ear == xp.astype(numbers, mask.dtype), mask.dtype), order),
            column=xp.astype(drawn[:, 5] * (1 + self.shuffle_slots), xp.int64),
            input_mask=inputs.spread(there, inputs.order(keys)) if self.context else 0 * mask[:, :1] + 1,
            output_mask=mask,
            input_order=inputs.order(keys),
            feature_order=features.order(keys),
            output_order=order,
        )

    def _in_use(self, keys: Array, sizes: Sizes) -> Array:
        """1 for the elements that a task has, [B, highest]."""
        xp = namespace(keys)
        return xp.astype(_numbers(keys, sizes.limits[1]) < sizes.count(keys), getattr(xp, self.dtype))

    def _scale(self, keys: Array, hidden_map: Maps, hidden: Array, used: Array, written: Array) -> Array:
        """What makes an error of 1 of that of writing zeros, or of choosing at random, [B]."""
        xp, width = namespace(keys), self._width
        if self.goal == "agree":
            return 0 * used[:, 0] + 2
        points = 2 * keyed_random.uniform(keys, "probes", PROBES * width, dtype=self.dtype) - 1
        points = xp.reshape(points, (-1, PROBES, width)) * used[:, None, :]
        value = maps.values(hidden_map, self.kinds, points)  # [B, P, M]
        there = written[:, None, :]  # [B, 1, M]
        if self.goal == "choose":
            mean = xp.sum(value * there, axis=-1) / xp.sum(there, axis=-1)  # [B, P]
            lost = (xp.max(xp.where(there > 0, value, -1.0), axis=-1) - mean) / 2
        elif self.goal == "optimum":
            lost = xp.mean((value - maps.values(hidden_map, self.kinds, hidden[:, None, :])) ** 2, axis=-1)
        else:
            lost = xp.sum(value**2 * there, axis=-1) / xp.sum(there, axis=-1)
        return 1 / xp.clip(xp.mean(lost, axis=-1), LEAST, None)

    def _mixing(self, keys: Array, used: Array) -> Array:
        """A random matrix [B, N, N], whose rows have absolute values that sum to 1; [B, 0, N] if unmixed."""
        xp, width = namespace(keys), self._width * (self.project and self.context)
        mixing = 2 * keyed_random.uniform(keys, "mixing", width * self._width, dtype=self.dtype) - 1
        mixing = (
            xp.reshape(mixing, (keys.shape[0], width, self._width)) * used[:, None, :] * used[:, :width, None]
        )
        return mixing / (xp.sum(xp.abs(mixing), axis=-1, keepdims=True) + 1 - used[:, :width, None])

    def initial_state(self, task: Task) -> State:
        """The first inputs; nothing written or told."""
        xp = namespace(task.scale)
        shown = self._next(task, task.first)
        right, zero = self._right(task, shown), 0 * task.output_mask
        nothing = (
            xp.concat([0 * zero[:, :1], 0 * zero[:, :1], zero], axis=-1)[:, None, :] * task.late[:, :, None]
        )
        time, total = (xp.zeros_like(task.scale, dtype=kind) for kind in (xp.int64, xp.float64))
        return State(shown, right, zero, self._error(task, right, zero), nothing, total, time)

    def observe(self, task: Task, state: State) -> Observation:
        """The inputs, what was written last, and what has come of the feedback by now."""
        xp, (inputs, features, _) = namespace(state.outputs), self.sizes
        shown = 0 * task.scale[:, None, None] + 1  # [B, 1, 1]
        if self.context:
            mixed = xp.matmul(task.mixing, state.shown[:, :, None])[:, :, 0] if self.project else state.shown
            shown = xp.reshape(mixed, (-1, inputs.limits[1], features.limits[1]))
            shown = inputs.spread(xp.matrix_transpose(shown), task.input_order)  # [B, f, I]
            shown = xp.matrix_transpose(shown)
        shown = features.spread(shown, task.feature_order if self.context else task.feature_order[:, :0])
        heard = xp.sum(state.heard * task.late[:, :, None], axis=1)  # [B, 2 + O]
        about_all, told, each = heard[:, :1], heard[:, 1:2] * task.output_mask, heard[:, 2:]
        locally = xp.sum(task.ear, axis=-1, keepdims=True)  # [B, 1]
        here = xp.astype(task.column[:, None] == _numbers(task.column, 2), told.dtype)  # [B, 2]
        each = (each + task.ear * about_all)[:, :, None] * here[:, None, :]
        return Observation(
            inputs=shown,
            input_mask=task.input_mask,
            outputs=state.outputs,
            output_mask=task.output_mask,
            feedback=about_all * (1 - locally) * here,
            output_feedback=each + told[:, :, None] * (1 - here[:, None, :]),
            flags=self.flags(state.time, 1 - self._is_told(state)),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Judge what is written, tell of it, show the next inputs."""
        xp, count = namespace(action), _count(task.output_mask)
        outputs = self._chosen(task, action) if self.goal == "choose" else action * task.output_mask
        error = self._error(task, state.right, outputs)  # [B]
        loss, reward = error, -error
        if self.goal == "choose":
            reward = xp.vecdot(outputs, state.right)
        elif self.goal == "optimum":
            loss = 3 * xp.vecdot(task.output_mask, (action - task.hidden) ** 2) / count
        elif self.goal == "agree":
            loss = xp.vecdot(task.output_mask, (action - state.right) ** 2) / count
        now = self._tell(task, state, outputs, error, noise)  # [B, 2 + O]
        heard = xp.concat([now[:, None, :], state.heard[:, :-1]], axis=1)
        counts = xp.astype(state.time >= self.horizon // 2, xp.float64)
        shown = self._next(task, noise)
        right = self._right(task, shown) if self.context else state.right
        total = state.total + counts * xp.astype(error, xp.float64)
        after = State(shown, right, outputs, error, heard, total, state.time + 1)
        return Transition(after, reward, loss, after.time == self.horizon)

    def _next(self, task: Task, noise: Array) -> Array:
        """What the map takes in next, [B, N]."""
        if not self.context:
            return task.hidden
        xp = namespace(noise)
        return xp.where(task.used > 0, 2 * noise[:, : self._width] - 1, 0.0)  # not by a factor: -0 would tell

    def _right(self, task: Task, shown: Array) -> Array:
        """See `State.right`."""
        xp = namespace(shown)
        value = maps.values(_map(task), self.kinds, shown[:, None, :])[:, 0]  # [B, M]
        if self.goal == "optimum":
            return value
        if self.goal == "agree":
            return (2 * xp.astype(value >= 0, value.dtype) - 1) * task.output_mask
        value = self.sizes[2].spread(value, task.output_order)  # [B, O]
        return (value if self.goal == "match" else (value + 1) / 2) * task.output_mask

    def _error(self, task: Task, right: Array, outputs: Array) -> Array:
        """Of what is written, [B]: 0 at best, about 1 for zeros or a choice at random."""
        xp, count = namespace(right), _count(task.output_mask)
        if self.goal == "choose":
            return task.scale * (xp.max(right, axis=-1) - xp.vecdot(outputs, right))
        if self.goal == "agree":
            return (
                task.scale * xp.vecdot(task.output_mask, xp.astype(outputs * right <= 0, right.dtype)) / count
            )
        if self.goal == "optimum":
            value = maps.values(_map(task), self.kinds, outputs[:, None, :])[:, 0]  # [B, M]
            return task.scale * xp.mean((value - right) ** 2, axis=-1)
        return task.scale * xp.vecdot(task.output_mask, (outputs - right) ** 2) / count

    def _slope(self, task: Task, state: State, outputs: Array) -> Array:
        """The gradient of the error (of "agree" that of the loss) in each output, [B, O]."""
        if self.goal != "optimum":
            scale = task.scale if self.goal == "match" else 0 * task.scale + 1
            return (2 * scale / _count(task.output_mask))[:, None] * (outputs - state.right)
        value = maps.values(_map(task), self.kinds, outputs[:, None, :])  # [B, 1, M]
        pull = (2 * task.scale / value.shape[2])[:, None, None] * (value - state.right[:, None, :])
        return maps.pulled(_map(task), self.kinds, outputs[:, None, :], pull)[:, 0]

    def _is_told(self, state: State) -> Array:
        """1 where something will be told about what is written now, [B]."""
        xp = namespace(state.time)
        last = self.horizon if self.support is None else self.support
        return xp.astype(state.time < last, state.outputs.dtype)

    def _tell(self, task: Task, state: State, outputs: Array, error: Array, noise: Array) -> Array:
        """What there is to tell: a number about all, whether there is anything, a number of each, [B, 2 + O]."""
        xp, mask = namespace(error), task.output_mask
        change = error - state.error
        numbers = {"error": error, "change": change, "sign": -xp.sign(change)}
        numbers["reward"] = xp.vecdot(outputs, state.right) if self.goal == "choose" else -error
        about_all, each, factor = 0 * error, 0 * outputs, 0 * error
        loud = self._loud(task, noise)  # [B, 1 + O]
        for place, name in enumerate(self._told):
            here = task.told[:, place]
            factor = factor + here * (1 if name == "answer" else task.unit)
            if name in numbers:
                about_all = about_all + here * (numbers[name] + loud[:, 0])
                continue
            told = self._answer(task, state) if name == "answer" else self._slope(task, state, outputs)
            each = each + here[:, None] * (told + loud[:, 1:]) * mask
        any_told = self._is_told(state)  # [B]
        factor = factor * any_told
        return xp.concat([(factor * about_all)[:, None], any_told[:, None], factor[:, None] * each], axis=-1)

    def _loud(self, task: Task, noise: Array) -> Array:
        """Noise of a step for a number about all and one of each, [B, 1 + O]; zeros without."""
        if not self.loudness:
            return namespace(noise).concat([0 * task.loudness[:, None], 0 * task.output_mask], axis=-1)
        return task.loudness[:, None] * (2 * noise[:, self._width * self.context :] - 1)

    def _answer(self, task: Task, state: State) -> Array:
        """The right answer, [B, O]; of choices 1 at the best, which ties share."""
        if self.goal == "optimum":
            return task.hidden
        if self.goal != "choose":
            return state.right
        xp = namespace(state.right)
        best = xp.max(state.right, axis=-1, keepdims=True)
        return xp.astype(state.right == best, best.dtype) * task.output_mask

    def _chosen(self, task: Task, action: Array) -> Array:
        """1 at the choice, [B, O]; zeros if that slot is not in use."""
        xp = namespace(action)
        rows = xp.eye(task.output_mask.shape[1], dtype=task.output_mask.dtype, device=device(action))
        return xp.take(rows, action, axis=0) * task.output_mask

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """The mean error of the second half; success below `SUCCESS` once the trial has ended."""
        error = state.total / (self.horizon - self.horizon // 2)
        return {"error": error, "is_success": (state.time == self.horizon) & (error < SUCCESS)}

    def expected_reward(self, task: Task, state: State, probabilities: Array) -> Array:
        """Expected value [B] of a choice drawn from `probabilities` [B, O]."""
        if self.goal != "choose":
            return super().expected_reward(task, state, probabilities)
        return namespace(probabilities).sum(probabilities * state.right, axis=-1)

    def solution(self, task: Task, state: State) -> Array:
        """The right answer; of choices 1 at the best."""
        return self._answer(task, state)


def _map(task: Task) -> Maps:
    """The map that a task hides."""
    return Maps(*task[: len(Maps._fields)])


def _numbers(like: Array, count: int) -> Array:
    """0 to count - 1, int64 [1, count], where `like` is."""
    xp = namespace(like)
    return xp.arange(count, dtype=xp.int64, device=device(like))[None, :]


def _count(mask: Array) -> Array:
    """How many slots are in use, [B]."""
    return namespace(mask).sum(mask, axis=-1)
