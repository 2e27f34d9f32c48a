"""Hot/cold: find the minimum of a hidden function from little more than "hotter" and "colder"."""

import dataclasses
import functools
from typing import ClassVar, Literal, NamedTuple

from badger_envs.families import landscapes
from badger_envs.families.landscapes import Functions
from badger_envs.families.task_kinds import Kinds, OfKinds
from badger_envs.family import (
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_boolean,
    check_choice,
    namespace,
)
from badger_envs.keyed_random import Array

FEEDBACK = ("sign", "delta", "value", "gradient")
LOSSES = ("value", "best")

SUCCESS = 1e-4
"""Regrets below it are success."""


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        outputs: [B, O], the point written last.
        value: [B], the function there.
        change: [B], by how much it has grown since the point before; 0 at the start.
        best: [B], lowest value so far.
        time: int64 [B], steps done.
    """

    outputs: Array
    value: Array
    change: Array
    best: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class HotCold(OfKinds, Family):
    """Find the minimum of a hidden function, hearing whether the last point was hotter or colder.

    ## Description
    A task hides a function on [-1, 1]^d, drawn from one or several kinds, with its minimum placed
    uniformly in [-1, 1]^d. At every step of a trial the agent writes a point and hears how it compares
    with the one before. What helps is a search strategy, made for the kinds met in training. With
    `reveal_inputs=True` the optimum stands on the inputs, slot i telling coordinate i: an agent may
    copy it (the identity function), or search as before and not look at it.

    With z = point - optimum, the kinds are, up to a scale:

    * "sphere": sum(z_i^2).
    * "ellipsoid": the same along randomly rotated axes with curvatures 1 to c, spaced evenly on a log
      scale; the condition number c is drawn log-uniformly from [1, 1000].
    * "absolute": sum(|z_i|).
    * "rosenbrock": sum(100 (u_{i+1} - u_i^2)^2, i < d) + sum((1 - u_i)^2) with u = 1 + z: a bent
      valley. (The second sum includes the last coordinate, so that d = 1 has a minimum.)
    * "rastrigin": sum(10 (1 - cos(2 pi 5.12 z_i)) + (5.12 z_i)^2): ten local minima per dimension.
    * "network": |n(point) - n(optimum)|^2 for a random network n with 16 tanh units and 4 outputs; the
      optimum is a minimum by construction, though perhaps not the only one.

    The minimum is 0, and the mean over points and optima, both uniform, is 1 for every kind and d
    (exact; for "network" 0.88 at d = 1, 0.96 at 2, 1.00 +- 0.02 above).

    ## Action space
    `Box(-1, 1, (capacity,))`: a coordinate per output slot. Values in unused slots have no effect.

    ## Observation space
    `outputs`: the point written last, zeros at the start. What is fed back on it, by `feedback`:

    * "sign": `feedback` is +1 if its value is lower than that of the point before (hotter), -1 if
      higher (colder), 0 if the same;
    * "delta": `feedback` is its value minus that of the point before;
    * "value": `feedback` is its value;
    * "gradient": `feedback` is its value and `output_feedback` its gradient, a number per coordinate.

    "sign" and "delta" are 0 at the start. `inputs`: one constant slot, or with `reveal_inputs` the
    optimum. `flags`: first step, query (always 0), fraction of the trial gone.

    ## Rewards
    The improvement of the best value so far, 0 if there is none: rewards sum to the value at the start
    minus the regret. The per-step loss is the value of what was just written, or with `loss="best"` the
    lowest so far: both differentiable. An agent that is shown its rewards (`RL2Observation`) hears more than
    "sign" feedback tells.

    ## Starting state
    The point 0, which counts as one of the points so far.

    ## Episode end
    Terminates after `horizon` steps. `info["regret"]` (float64), the lowest value so far (above the
    minimum, which is 0), judges the trial; `info["is_success"]` (bool) says whether it is below 0.0001,
    which points chosen blindly seldom reach.

    ## Arguments
    `dims`: number of coordinates d, or a range (lowest, highest) drawn per task (default 2).
    `test_dims`: the range of the test split; a `dims` range without it is followed by one as long:
    (1, 8) holds out (9, 16). `capacity`: slots (default: as many as any split needs).
    `kind`: a kind, or several, of which each task draws one (default "sphere", "ellipsoid", "absolute",
    "rosenbrock"). `test_kind`: kinds of the test split; several kinds without it hold out all others.
    `feedback`: "sign" (default), "delta", "value" or "gradient". `reveal_inputs`: default False.
    `loss`: "value" (default) or "best".
    `horizon`, `split`, `shuffle_slots`, `dtype`: see `badger_envs.Family`. Inputs are shuffled as outputs.

    ## Vectorised environment
    `gym.make_vec("Badger/HotCold-v0", num_envs=N)` steps all N at once.

    ## References
    Rosa et al. 2019, "BADGER: Learning to (Learn [Learning Algorithms] through Multi-Agent
    Communication)": identity with a hot/cold signal. Rosenbrock 1960; Rastrigin 1974; Hansen et al.
    2009, "Real-parameter black-box optimization benchmarking", for random rotation and conditioning.

    ## Version history
    * v0: first version.
    """

    dims: Range = 2
    test_dims: Range | None = None
    capacity: int | None = None
    kind: Kinds = ("sphere", "ellipsoid", "absolute", "rosenbrock")
    test_kind: Kinds | None = None
    feedback: Literal["sign", "delta", "value", "gradient"] = "sign"
    reveal_inputs: bool = False
    loss: Literal["value", "best"] = "value"

    known_kinds: ClassVar[tuple[str, ...]] = landscapes.KINDS
    outcome: ClassVar[str] = "regret"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("feedback", self.feedback, FEEDBACK)
        check_boolean("reveal_inputs", self.reveal_inputs)
        check_choice("loss", self.loss, LOSSES)
        _ = self.sizes, self._kinds_of_splits  # checks them

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How many coordinates there are."""
        return Sizes.of_setting("dims", self)

    @functools.cached_property
    def slots(self) -> Slots:
        """`capacity` outputs; as many inputs, or one; feedback by its kind."""
        outputs = self.sizes.capacity
        return Slots(outputs if self.reveal_inputs else 1, 1, outputs, 1, int(self.feedback == "gradient"))

    @functools.cached_property
    def bounds(self) -> Bounds:
        """All finite: the same for all splits, from the kinds' largest values and slopes on the domain."""
        dims = [d for low, high in (self.sizes.train, self.sizes.test) for d in range(low, high + 1)]
        kinds = sum(self._kinds_of_splits, ())
        most = landscapes.value_bound(kinds, dims)
        steepest = landscapes.gradient_bound(kinds, dims)
        return Bounds(
            inputs=(-1, 1) if self.reveal_inputs else (0, 1),
            outputs=(-1, 1),
            feedback={"sign": (-1.0, 1.0), "delta": (-most, most)}.get(self.feedback, (0.0, most)),
            output_feedback=(-steepest, steepest) if self.feedback == "gradient" else (0, 0),
        )

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """The values of the functions."""
        return dataclasses.replace(self, feedback="value").bounds.feedback

    def sample_task(self, keys: Array) -> Functions:
        """Draw functions: keys [B, 4] -> Functions."""
        return landscapes.draw(keys, self.kinds, self.sizes, self.dtype)

    def initial_state(self, task: Functions) -> State:
        """The point 0, its value, and no change."""
        xp = namespace(task.optimum)
        outputs = xp.zeros_like(task.optimum)
        value = landscapes.values(task, self.kinds, outputs)
        return State(outputs, value, xp.zeros_like(value), value, xp.zeros_like(value, dtype=xp.int64))

    def observe(self, task: Functions, state: State) -> Observation:
        """The point written last and what is fed back on it."""
        xp = namespace(state.value)
        told = state.value
        if self.feedback == "sign":
            told = -xp.sign(state.change)
        elif self.feedback == "delta":
            told = state.change
        slopes = xp.zeros_like(state.outputs)[:, :, None][:, :, :0]  # [B, O, 0]
        if self.feedback == "gradient":
            slopes = landscapes.gradients(task, self.kinds, state.outputs)[:, :, None]  # [B, O, 1]
        constant = xp.ones_like(told)[:, None]
        return Observation(
            inputs=(task.optimum if self.reveal_inputs else constant)[:, :, None],
            input_mask=task.mask if self.reveal_inputs else constant,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=told[:, None],
            output_feedback=slopes,
            flags=self.flags(state.time),
        )

    def step(self, task: Functions, state: State, action: Array, noise: Array) -> Transition:
        """Move to the action; the loss is its value or the best so far, the reward what the best gains."""
        xp = namespace(action)
        value = landscapes.values(task, self.kinds, action)  # [B]
        best = xp.minimum(state.best, value)
        time = state.time + 1
        moved = State(action * task.mask, value, value - state.value, best, time)
        loss = best if self.loss == "best" else value  # [B]
        return Transition(moved, state.best - best, loss, time == self.horizon)

    def info(self, task: Functions, state: State) -> dict[str, Array]:
        """Lowest value so far; success below `SUCCESS`."""
        return {"regret": state.best, "is_success": state.best < SUCCESS}

    def solution(self, task: Functions, state: State) -> Array:
        """The optimum."""
        return task.optimum
