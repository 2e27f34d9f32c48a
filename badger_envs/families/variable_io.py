"""Variable IO: learn a hidden map between any number of inputs and outputs from a few examples."""

import dataclasses
import functools
from typing import ClassVar, NamedTuple

from badger_envs.families.hidden_maps import KINDS, Task, draw, error_bound, present
from badger_envs.families.task_kinds import Kinds, OfKinds
from badger_envs.family import (
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_integer,
    check_number,
    namespace,
)
from badger_envs.keyed_random import Array

SUCCESS = 0.1
"""Query errors below it are success."""


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        inputs: [B, I], shown now.
        right: [B, O], the right output for them.
        outputs: [B, O], written last.
        target: [B, O], what would have been right then; 0 at the start.
        error: [B], of what was written last; 0 at the start.
        query_error: float64 [B], errors of the queries so far, summed, over the number of all queries.
        time: int64 [B], steps done.
    """

    inputs: Array
    right: Array
    outputs: Array
    target: Array
    error: Array
    query_error: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariableIO(OfKinds, Family):
    """Learn a hidden map from I inputs to O outputs within the trial, then be asked.

    ## Description
    A task hides a map from I numbers to O numbers; both sizes are drawn per task. Every step shows new
    inputs, and the agent writes outputs. After each of the first `support` steps the right output is
    revealed; after the others, the queries, nothing is. What helps is a learning algorithm that works
    for any number of inputs and outputs. With inputs x in [-1, 1], the kinds of map are:

    * "identity": output j is input j (input j mod I where there are more outputs than inputs).
    * "permutation": output j is input p(j mod I), p a random permutation of the inputs.
    * "affine": output j is (sum(a_ji x_i) + b_j) / (sum(|a_ji|) + |b_j|), with |a_ji| uniform in
      [1/2, 1], random signs, and b_j uniform in [-1, 1].
    * "sparse_linear": the same without b_j and with `nonzero` random inputs alone for every output.
    * "lookup": classification. Each of the O outputs is a class with a prototype, uniform in
      [-1, 1]^I; the inputs are (1 - s) prototype + s e, with e uniform in [-1, 1]^I and s = `blur`.
      Right is +1 at the input's class and -1 elsewhere. In support steps the classes take turns, so that
      support = O is one-shot learning; a query's class is random. Needs two outputs at least.

    Inputs of the other kinds are uniform in [-1, 1].

    ## Action space
    `Box(-1, 1, (O capacity,))`: a value per output slot. Values in unused slots have no effect.

    ## Observation space
    `inputs`: one number per slot. `outputs`: what was written last, in answer to the inputs *before*
    these. `feedback`: the error of that, if it is revealed, else 0. `output_feedback`: the right output
    if it is revealed, else 0; and 1 if it is revealed, else 0. So the inputs of an example stand one
    observation before its right output. `flags`: first step, query (1 if the right output to the inputs
    shown now will not be revealed), fraction of the trial gone.

    ## Rewards
    Minus the error at queries, over their number; 0 at support steps: rewards sum to minus the query error.
    The error is the squared error over the used outputs, divided by the variance of the right outputs:
    exactly 1 for an answer that is always the task's mean output. That mean is 0 for "identity",
    "permutation" and "sparse_linear", b_j / (...) for "affine" and 2/O - 1 for "lookup" (where classes
    are equally likely). The per-step loss is the error, at every step: differentiable. An agent that is
    shown its rewards (`RL2Observation`) hears its errors at queries too.

    ## Starting state
    All outputs 0, nothing revealed.

    ## Episode end
    Terminates after `horizon` steps. `info["query_error"]` (float64) after the last step, the mean error
    of the queries (before, the part of it that those so far make up), judges the trial;
    `info["is_success"]` (bool) says whether the trial has ended and it is below 0.1.

    ## Arguments
    `inputs`, `outputs`: numbers of them, or ranges (lowest, highest) drawn per task (default (1, 3) and
    (2, 3)). `test_inputs`, `test_outputs`: ranges of the test split; a range without it is followed by
    one as long: (1, 3) holds out (4, 6). `capacity`: number of input slots and of output slots (default:
    as many of each as any split needs).
    `kind`: a kind, or several, of which each task draws one (default "identity", "permutation",
    "affine"). `test_kind`: kinds of the test split; several kinds without it hold out all others.
    `support`: steps after which the right output is revealed (default 10), fewer than `horizon`.
    `nonzero`: of "sparse_linear" (default 2). `blur`: of "lookup", in [0, 1) (default 0.2).
    `horizon`, `split`, `shuffle_slots`, `dtype`: see `badger_envs.Family`. Inputs and outputs are shuffled
    apart from each other, so that shuffled identities are permutations: neither is held out from the other.

    ## Vectorised environment
    `gym.make_vec("Badger/VariableIO-v0", num_envs=N)` steps all N at once.

    ## References
    Rosa et al. 2019, "BADGER: Learning to (Learn [Learning Algorithms] through Multi-Agent
    Communication)", next steps: one-shot learning, variable numbers of inputs and outputs. Santoro et
    al. 2016, "Meta-learning with memory-augmented neural networks", for inputs that come one step before
    their label.

    ## Version history
    * v0: first version.
    """

    inputs: Range = (1, 3)
    test_inputs: Range | None = None
    outputs: Range = (2, 3)
    test_outputs: Range | None = None
    capacity: int | None = None
    kind: Kinds = ("identity", "permutation", "affine")
    test_kind: Kinds | None = None
    support: int = 10
    nonzero: int = 2
    blur: float = 0.2

    known_kinds: ClassVar[tuple[str, ...]] = KINDS
    outcome: ClassVar[str] = "query_error"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        splits = zip(self._kinds_of_splits, (self.output_sizes.train, self.output_sizes.test), strict=True)
        if any("lookup" in kinds and low < 2 for kinds, (low, _) in splits):
            raise ValueError(f"outputs is {self.outputs}; kind 'lookup' needs 2 at least, its classes")
        _ = self.input_sizes  # checks them
        check_integer("support", self.support, low=0, high=self.horizon - 1)
        check_integer("nonzero", self.nonzero, low=1)
        if check_number("blur", self.blur, 0, 1) == 1:
            raise ValueError(f"blur is {self.blur}; it must lie in [0, 1)")

    @functools.cached_property
    def input_sizes(self) -> Sizes:
        """How many inputs there are."""
        return Sizes.of_setting("inputs", self)

    @functools.cached_property
    def output_sizes(self) -> Sizes:
        """How many outputs there are."""
        return Sizes.of_setting("outputs", self)

    @property
    def noise_size(self) -> int:
        """A number per input, and one for the class of a "lookup"."""
        return self.input_sizes.limits[1] + ("lookup" in self.kinds)

    @functools.cached_property
    def slots(self) -> Slots:
        """Inputs and outputs; the error as global feedback; right output and whether it is revealed."""
        return Slots(self.input_sizes.capacity, 1, self.output_sizes.capacity, 1, 2)

    @functools.cached_property
    def bounds(self) -> Bounds:
        """All in [-1, 1] but the error, whose bound follows from the smallest variance of right outputs."""
        inputs, outputs = self.input_sizes, self.output_sizes
        most = max(
            error_bound(kind, i, o, self.nonzero)
            for kinds, (low, high), ends in (
                (self._kinds_of_splits[0], inputs.train, outputs.train),
                (self._kinds_of_splits[1], inputs.test, outputs.test),
            )
            for kind in kinds
            for i in range(low, high + 1)
            for o in ends
        )
        return Bounds(inputs=(-1, 1), outputs=(-1, 1), feedback=(0, most), output_feedback=(-1, 1))

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """A mean of errors."""
        return self.bounds.feedback

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes and maps: keys [B, 4] -> Task."""
        return draw(
            keys,
            self.kinds,
            inputs=self.input_sizes,
            outputs=self.output_sizes,
            nonzero=self.nonzero,
            blur=self.blur,
            noise_size=self.noise_size,
            dtype=self.dtype,
        )

    def initial_state(self, task: Task) -> State:
        """Zeros written, nothing revealed, the first inputs shown."""
        xp = namespace(task.offset)
        zero, scalar = xp.zeros_like(task.offset), xp.zeros_like(task.scale)
        time, nothing = (xp.zeros_like(scalar, dtype=kind) for kind in (xp.int64, xp.float64))
        inputs, right = present(task, self.input_sizes, time, task.first, self.support)
        return State(inputs, right, zero, zero, scalar, nothing, time)

    def observe(self, task: Task, state: State) -> Observation:
        """New inputs, what was written last and, after a support step, what was right then."""
        xp = namespace(state.error)
        shown = (state.time > 0) & (state.time <= self.support)
        revealed = xp.astype(shown, state.error.dtype)[:, None]  # [B, 1]
        query = xp.astype(state.time >= self.support, state.error.dtype)
        return Observation(
            inputs=state.inputs[:, :, None],
            input_mask=task.input_mask,
            outputs=state.outputs,
            output_mask=task.output_mask,
            feedback=state.error[:, None] * revealed,
            output_feedback=xp.stack([state.target, task.output_mask], axis=-1) * revealed[:, :, None],
            flags=self.flags(state.time, query),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Answer the inputs shown; the noise makes the next ones."""
        xp = namespace(action)
        error = xp.vecdot((action - state.right) ** 2, task.output_mask) * task.scale  # [B]
        query = xp.astype(state.time >= self.support, error.dtype)
        counted = error * query / (self.horizon - self.support)
        time = state.time + 1
        inputs, right = present(task, self.input_sizes, time, noise, self.support)
        outputs = action * task.output_mask
        answered = State(inputs, right, outputs, state.right, error, state.query_error + counted, time)
        return Transition(answered, -counted, error, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Mean error of the queries; success below `SUCCESS`."""
        success = (state.time == self.horizon) & (state.query_error < SUCCESS)
        return {"query_error": state.query_error, "is_success": success}

    def solution(self, task: Task, state: State) -> Array:
        """The right output to the inputs that `state` shows."""
        return state.right
