"""The guessing game: find hidden numbers from one global error (the paper's experiment)."""

import dataclasses
import functools
from typing import ClassVar, NamedTuple

from badger_envs import keyed_random
from badger_envs.family import (
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_number,
    namespace,
)
from badger_envs.keyed_random import Array

SCALE = 3.0
"""error = SCALE * mean((x - target) ** 2): 1 on average for zeros."""

SUCCESS = 0.01
"""Errors below it are success."""


class Task(NamedTuple):
    """A target per output slot.

    Attributes:
        target: [B, O], 0 in unused slots.
        weight: [B, O], SCALE / d in used slots, so that error = sum(weight * (x - target) ** 2).
        mask: [B, O].
    """

    target: Array
    weight: Array
    mask: Array


class State(NamedTuple):
    """outputs: [B, O], written last; error: [B], of those; time: int64 [B], steps done."""

    outputs: Array
    error: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuessingGame(Family):
    """Guess d hidden numbers, hearing only how wrong all guesses together are.

    ## Description
    A task hides d numbers, uniform in [-1, 1]. At every step of a trial the agent writes d numbers and
    hears one: the error 3 * mean((x - target) ** 2). It must find out how each of its outputs matters
    from a signal that all of them share: the smallest problem in which parts that hear one global
    signal must coordinate. Writing zeros scores 1 on average; the same number everywhere scores at best
    1 - 1/d on average; writing at random scores 2. Probing one output at a time and solving (triangulation)
    finds the target exactly after d + 1 writings, as the error is a quadratic with known curvature.

    ## Action space
    `Box(-1, 1, (capacity,))`: a value per output slot. Values in unused slots have no effect.

    ## Observation space
    `outputs`: what was written last, zeros at the start. `feedback`: its error, in [0, 12].
    One constant input slot. `flags`: first step, query (always 0), fraction of the trial gone.

    ## Rewards
    Minus the error of what was just written. The per-step loss is the error: differentiable.

    ## Starting state
    All outputs 0; the first observation shows the error of that.

    ## Episode end
    Terminates after `horizon` steps. `info["error"]` (float64) after the last step judges the trial;
    `info["is_success"]` (bool) says whether it is below 0.01.

    ## Arguments
    `dims`: number of hidden numbers, or a range (lowest, highest) drawn per task (default 3).
    `test_dims`: the range of the test split; a `dims` range without it is followed by one as long:
    (1, 8) holds out (9, 16). `capacity`: output slots (default: as many as any split needs).
    `target_scale`: hidden numbers are uniform in [-target_scale, target_scale], in (0, 1].
    `horizon`, `split`, `shuffle_slots`, `dtype`: see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/GuessingGame-v0", num_envs=N)` steps all N at once.

    ## References
    Rosa et al. 2019, "BADGER: Learning to (Learn [Learning Algorithms] through Multi-Agent
    Communication)", section "Experiment - Guessing Game", figures 6, 7 and 9; GoodAI/badger-2019 for
    the factor 3.

    ## Version history
    * v0: first version.
    """

    dims: Range = 3
    test_dims: Range | None = None
    capacity: int | None = None
    target_scale: float = 1.0

    outcome: ClassVar[str] = "error"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number("target_scale", self.target_scale, 0, 1, above=True)
        _ = self.sizes  # checks them

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How many numbers are hidden."""
        return Sizes.of_setting("dims", self)

    @functools.cached_property
    def slots(self) -> Slots:
        """One constant input, `capacity` outputs, the error as the only feedback."""
        return Slots(1, 1, self.sizes.capacity, 1, 0)

    @property
    def bounds(self) -> Bounds:
        """Outputs in [-1, 1], error in [0, 12]: SCALE * (1 + target_scale) ** 2 at most."""
        return Bounds(outputs=(-1, 1), feedback=(0, 4 * SCALE))

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """An error is 3 at most for each unit of squared distance."""
        return 0, SCALE * (1 + self.target_scale) ** 2

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes and targets: keys [B, 4] -> Task."""
        xp, sizes = namespace(keys), self.sizes
        target = keyed_random.uniform(keys, "target", sizes.capacity, dtype=self.dtype)  # [B, O]
        target = (2 * target - 1) * self.target_scale
        if sizes.fills_all:
            mask = xp.ones_like(target)
            return Task(target, mask * (SCALE / sizes.capacity), mask)
        count, _, _, _, mask = sizes.fill(keys, self.dtype)  # [B, 1], [B, O]
        return Task(target * mask, mask * SCALE / xp.astype(count, target.dtype), mask)

    def initial_state(self, task: Task) -> State:
        """Zeros written, and their error."""
        xp = namespace(task.target)
        error = xp.sum(task.weight * task.target**2, axis=-1)
        return State(xp.zeros_like(task.target), error, xp.zeros_like(error, dtype=xp.int64))

    def observe(self, task: Task, state: State) -> Observation:
        """What was written last and its error."""
        xp = namespace(state.error)
        feedback = state.error[:, None]  # [B, 1]
        constant = xp.ones_like(feedback)
        return Observation(
            inputs=constant[:, :, None],
            input_mask=constant,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=feedback,
            output_feedback=state.outputs[:, :, None][:, :, :0],
            flags=self.flags(state.time),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Write the action; the error of it is loss and minus the reward."""
        xp = namespace(action)
        miss = action - task.target
        error = xp.linalg.vecdot(task.weight * miss, miss)  # [B]; half the time of a sum over a short axis
        time = state.time + 1
        return Transition(State(action * task.mask, error, time), -error, error, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Error of what was written last; success below `SUCCESS`."""
        return {"error": state.error, "is_success": state.error < SUCCESS}

    def solution(self, task: Task, state: State) -> Array:
        """The hidden numbers."""
        return task.target
