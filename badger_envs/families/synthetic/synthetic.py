"""Synthetic tasks: a broad prior over what may be hidden, asked and told."""

import dataclasses
import functools
import math
from typing import ClassVar, Literal, NamedTuple

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.families.synthetic import goals, maps
from badger_envs.families.synthetic.goals import GOALS, LEAST, Asked, Task
from badger_envs.families.task_kinds import Kinds, OfKinds, check_kinds, draw_kind
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
    positions,
)
from badger_envs.keyed_random import Array

FEEDBACK = ("answer", "error", "change", "sign", "gradient", "reward")

OF_EACH = ("answer", "gradient")
"""Feedback that is a number about each output; the other kinds are one about all."""

LONGEST_DELAY, MOST_TASKS = 16, 2**31 - 1

SUCCESS = 0.1
"""Errors below it are success."""


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        shown: [B, N], what the map takes in now; of goal "optimum" nothing of it is shown.
        right: [B, O], the answer for that; of goal "choose" the values of all choices, of "optimum" [B, M],
            those of the optimum.
        outputs: [B, O], written last.
        error: [B], of that.
        heard: [B, D + 1, 2 + O], what was to be told of the last outputs, the latest first: a number about
            all, whether there was anything, a number about each.
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
class Synthetic(OfKinds, Family):
    """Answer to a hidden map of which everything is drawn: what it is, what is asked of it, what is told.

    ## Description
    A prior over tasks, to train general learners on. A task hides a map from N numbers to numbers in [-1, 1],
    of one of these kinds, x in [-1, 1]^N being what it takes:

    * "linear": a_j x + b_j for output j, absolute weights and offset summing to 1.
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

    `told` says what is told of the last outputs: the right "answer" to them, or their "error", its
    "change", the "sign" of that (1 if the error fell), the "gradient" of the error in each output (not with
    "choose"; of maps that are flat in steps it is 0 in "optimum"), or the "reward": the value of the choice,
    or minus the error. Of several kinds each task has one. The numbers may come with noise, late, in units of
    their own, and at one slot only. Errors are relative: 1 on average for who writes zeros or chooses at
    random, 0 at best.

    ## Action space
    `Box(-1, 1, (O capacity,))` for "match", "optimum" and "agree", where the sign counts; `Discrete(O
    capacity)` for "choose". Values in unused slots have no effect; to choose an unused slot pays nothing.

    ## Observation space
    `inputs`: with `context` the numbers that the map takes in now, else one constant slot. `outputs`: written
    last; 1 at what was chosen. `feedback`: two columns, one of which holds numbers about all outputs.
    `output_feedback`: two columns, one for numbers about each output; in half of the tasks that have such
    numbers the other holds 1 if anything is told, as it does in variable IO. With `local` numbers about all
    outputs stand in the first too, at one output. `flags`: first step, query (1 if
    nothing will be told about the outputs written now), fraction of the trial gone.

    ## Rewards
    Minus the error of what was just written; with "choose" the value of what was chosen, in [0, 1]. The
    per-step loss is the error (the mean over used outputs of (x - y) ** 2, relative to the mean square of the
    task's values); for "optimum" 3 * mean((x - optimum) ** 2); for "agree" mean((x - bit) ** 2); for "choose"
    the error, without a gradient: `expected_reward` has one.

    ## Starting state
    All outputs 0; nothing told.

    ## Episode end
    Terminates after `horizon` steps. `info["error"]` (float64), the mean error over the second half of the
    trial (before the end the part of it so far), judges it; for "agree" it is twice the fraction of wrong
    signs. `info["is_success"]` (bool) says whether the trial has ended and it is below 0.1.

    ## Arguments
    `goal`, `context`, `told`: see above. `kind`: a kind of map, or several, of which each task has one
    (default all but "tree"); `test_kind`: those of the test split; several without it hold out all others.
    `inputs`, `features`, `outputs`: numbers of input slots, of numbers in each, and of output slots, or
    ranges drawn per task (default (1, 3), 1 and (2, 4)); `test_inputs`, `test_features`, `test_outputs`: of
    the test split; a range without it is followed by one as long. `capacity`: input slots and output slots
    (default: as many of each as any split needs). `project`: show a random mixture of the inputs. `loudness`
    (default 0): the most standard deviation of noise on what is told, a task's own being uniform below.
    `delay` (default 0): the most steps by which it is late, at most 16. `unit` (default 1): feedback, but for
    answers, is in units drawn from 1 / unit to unit, log-uniformly. `local`: see above. `told_steps`: steps
    that are told about, the rest are queries (default: all). `distinct`: how many different tasks there are
    in all, to see what is memorised (default: no end of them). `shuffle_slots` permutes slots and columns.
    `horizon` (default 20), `split`, `dtype`: see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/Synthetic-v0", num_envs=N)` steps all N at once.

    ## References
    Kirsch et al. 2022, "General-Purpose In-Context Learning by Meta-Learning Transformers"; Müller et al.
    2022, "Transformers Can Do Bayesian Inference" (prior-fitted networks); Lee et al. 2023, "Supervised
    Pretraining Can Learn In-Context Reinforcement Learning".

    ## Version history
    * v0: first version.
    """

    goal: Literal["match", "optimum", "choose", "agree"] = "match"
    context: bool = True
    told: Kinds = "answer"
    kind: Kinds = ("linear", "sparse", "threshold", "network", "lookup")
    test_kind: Kinds | None = None
    inputs: Range = (1, 3)
    test_inputs: Range | None = None
    features: Range = 1
    test_features: Range | None = None
    outputs: Range = (2, 4)
    test_outputs: Range | None = None
    capacity: int | None = None
    project: bool = False
    loudness: float = 0.0
    delay: int = 0
    unit: float = 1.0
    local: bool = False
    told_steps: int | None = None
    distinct: int | None = None

    known_kinds: ClassVar[tuple[str, ...]] = maps.KINDS
    outcome: ClassVar[str] = "error"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("goal", self.goal, GOALS)
        for name in ("context", "project", "local"):
            check_boolean(name, getattr(self, name))
        if self.goal == "optimum" and self.context:
            raise ValueError("context is True; goal 'optimum' has no inputs: use context=False")
        if "gradient" in check_kinds("told", self.told, FEEDBACK) and self.goal == "choose":
            raise ValueError("told has 'gradient'; a choice has none: use another")
        check_number("loudness", self.loudness, 0, 10)
        check_integer("delay", self.delay, low=0, high=LONGEST_DELAY)
        check_number("unit", self.unit, 1, 1000)
        if self.told_steps is not None:
            check_integer("told_steps", self.told_steps, low=0, high=self.horizon)
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
        features = Sizes.of(
            "features", self.features, self.test_features, split=self.split, shuffled=self.shuffle_slots
        )
        return Sizes.of_setting("inputs", self), features, Sizes.of_setting("outputs", self)

    @functools.cached_property
    def _asked(self) -> Asked:
        """What is asked of which maps."""
        return Asked(self.goal, self.kinds, self.sizes[2])

    @functools.cached_property
    def _messages(self) -> tuple[str, ...]:
        """Kinds of feedback."""
        return check_kinds("feedback", self.told, FEEDBACK)

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
    def outcome_bounds(self) -> tuple[float, float]:
        """As of a single error, of which the outcome is a mean."""
        return 0.0, {"choose": 1 / LEAST, "agree": 2.0}.get(self.goal, 4 / LEAST)

    @functools.cached_property
    def bounds(self) -> Bounds:
        """All finite."""
        most = dict.fromkeys(FEEDBACK, self.outcome_bounds[1]) | {"answer": 1.0, "sign": 1.0}
        most["gradient"] = 4 * (maps.STEEPEST if self.goal == "optimum" else 1) / LEAST
        unit = {name: 1 if name == "answer" else self.unit for name in FEEDBACK}
        told = 1.01 * max((most[name] + math.sqrt(3) * self.loudness) * unit[name] for name in self._messages)
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
            keys = xp.concat([number, 0 * keys[:, :2], keys[:, 3:] % 4], axis=-1)  # of row 0
        drawn = keyed_random.uniform(keys, "settings", 7, dtype=self.dtype)  # [B, 7]
        there, columns, written = (
            self._in_use(keys, sizes) for sizes in self.sizes
        )  # [B, i], [B, f], [B, M]
        used = written
        if self.goal != "optimum":
            used = xp.reshape(there[:, :, None] * columns[:, None, :], (keys.shape[0], self._width))
        hidden_map = maps.draw(keys, self.kinds, used, 1 if self.goal == "agree" else written.shape[1])
        hidden = (2 * keyed_random.uniform(keys, "hidden", self._width, dtype=self.dtype) - 1) * used
        scale = goals.relative(self._asked, keys, hidden_map, used, written)
        mixing = self._mixing(keys, used)
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
        told = draw_kind(drawn[:, 0], self._messages)
        of_each = sum(told[name] for name in OF_EACH if name in told) + 0 * scale  # [B]
        mask, numbers = outputs.spread(written, order), positions(written, written.shape[1])
        return Task(
            **hidden_map._asdict(),
            used=used,
            hidden=hidden,
            scale=scale,
            first=first,
            mixing=mixing,
            told=xp.stack(list(told.values()), axis=-1),
            marked=of_each * xp.astype(drawn[:, 6] < 0.5, scale.dtype),
            unit=self.unit ** (2 * drawn[:, 1] - 1),
            loudness=math.sqrt(3) * self.loudness * drawn[:, 2],
            late=xp.astype(late == positions(late, self.delay + 1), mask.dtype),
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
        return xp.astype(positions(keys, sizes.limits[1]) < sizes.count(keys), getattr(xp, self.dtype))

    def _mixing(self, keys: Array, used: Array) -> Array:
        """A random matrix [B, N, N], whose rows have absolute values that sum to 1; [B, 0, N] if unmixed."""
        xp, width = namespace(keys), self._width * (self.project and self.context)
        mixing = 2 * keyed_random.uniform(keys, "mixing", width * self._width, dtype=self.dtype) - 1
        mixing = xp.reshape(mixing, (keys.shape[0], width, self._width)) * used[:, None, :]
        mixing = mixing * used[:, :width, None]
        return mixing / (xp.sum(xp.abs(mixing), axis=-1, keepdims=True) + 1 - used[:, :width, None])

    def initial_state(self, task: Task) -> State:
        """The first inputs; nothing written or told."""
        xp = namespace(task.scale)
        shown = self._next(task, task.first)
        right, zero = goals.right(self._asked, task, shown), 0 * task.output_mask
        nothing = xp.concat([zero[:, :1], zero[:, :1], zero], axis=-1)[:, None, :] * task.late[:, :, None]
        time, total = (xp.zeros_like(task.scale, dtype=kind) for kind in (xp.int64, xp.float64))
        return State(shown, right, zero, goals.error(self._asked, task, right, zero), nothing, total, time)

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
        about_all, told, each = (
            heard[:, :1],
            heard[:, 1:2] * task.marked[:, None] * task.output_mask,
            heard[:, 2:],
        )
        locally = xp.sum(task.ear, axis=-1, keepdims=True)  # [B, 1]
        here = xp.astype(task.column[:, None] == positions(task.column, 2), told.dtype)  # [B, 2]
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
        xp, count = namespace(action), goals.count(task.output_mask)
        outputs = self._chosen(task, action) if self.goal == "choose" else action * task.output_mask
        error = goals.error(self._asked, task, state.right, outputs)  # [B]
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
        right = goals.right(self._asked, task, shown) if self.context else state.right
        total = state.total + counts * xp.astype(error, xp.float64)
        after = State(shown, right, outputs, error, heard, total, state.time + 1)
        return Transition(after, reward, loss, after.time == self.horizon)

    def _next(self, task: Task, noise: Array) -> Array:
        """What the map takes in next, [B, N]."""
        if not self.context:
            return task.hidden
        xp = namespace(noise)
        return xp.where(task.used > 0, 2 * noise[:, : self._width] - 1, 0.0)  # not by a factor: -0 would tell

    def _is_told(self, state: State) -> Array:
        """1 where something will be told about what is written now, [B]."""
        xp = namespace(state.time)
        last = self.horizon if self.told_steps is None else self.told_steps
        return xp.astype(state.time < last, state.outputs.dtype)

    def _tell(self, task: Task, state: State, outputs: Array, error: Array, noise: Array) -> Array:
        """A number about all outputs, 1 if anything is told, a number about each: [B, 2 + O]."""
        xp, mask = namespace(error), task.output_mask
        change = error - state.error
        numbers = {"error": error, "change": change, "sign": -xp.sign(change)}
        numbers["reward"] = xp.vecdot(outputs, state.right) if self.goal == "choose" else -error
        about_all, each, factor = 0 * error, 0 * outputs, 0 * error
        loud = self._loud(task, noise)  # [B, 1 + O]
        for place, name in enumerate(self._messages):
            here = task.told[:, place]
            factor = factor + here * (1 if name == "answer" else task.unit)
            if name in numbers:
                about_all = about_all + here * (numbers[name] + loud[:, 0])
                continue
            told = goals.answer(self._asked, task, state.right)  # [B, O]
            if name == "gradient":
                told = goals.slope(self._asked, task, state.right, outputs)
            each = each + here[:, None] * (told + loud[:, 1:]) * mask
        any_told = self._is_told(state)  # [B]
        factor = factor * any_told
        return xp.concat([(factor * about_all)[:, None], any_told[:, None], factor[:, None] * each], axis=-1)

    def _loud(self, task: Task, noise: Array) -> Array:
        """Noise of a step for a number about all and one of each, [B, 1 + O]; zeros without."""
        if not self.loudness:
            return namespace(noise).concat([0 * task.loudness[:, None], 0 * task.output_mask], axis=-1)
        return task.loudness[:, None] * (2 * noise[:, self._width * self.context :] - 1)

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
        return goals.answer(self._asked, task, state.right)
