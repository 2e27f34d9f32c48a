"""What a family of tasks is: settings, and pure functions on batched arrays (contracts 1 and 2).

A family knows no backend, no device, no generator and no experts. Its functions take and return
`NamedTuple`s of arrays with a leading batch axis B; the faces (Gymnasium, vector, PettingZoo, torch)
are derived from them and add no dynamics of their own.
"""

import dataclasses
import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import array_api_compat.numpy
import numpy as np
from array_api_compat import array_namespace, device

from badger_envs import keyed_random
from badger_envs.keyed_random import Array, split_index

Range = int | tuple[int, int]
"""A size: a number, or (lowest, highest), both included, drawn per task."""

ActionKind = Literal["continuous", "categorical", "binary"]

FLAGS = ("first", "query", "elapsed")
"""Columns of `Observation.flags`: first step of a trial; query phase; fraction of the trial gone."""


class Observation(NamedTuple):
    """What every family shows an agent: slots with masks (contract 2). All arrays are floating point.

    Attributes:
        inputs: [B, I, F], zeros in slots not in use.
        input_mask: [B, I], 1 for slots in use; never all 0.
        outputs: [B, O], what was written last; zeros at the start.
        output_mask: [B, O], 1 for slots in use; never all 0, and the same at all steps of a trial.
        feedback: [B, G], global feedback on what was written last.
        output_feedback: [B, O, P], feedback per output slot; P may be 0.
        flags: [B, 3], see `FLAGS`, each in [0, 1].
    """

    inputs: Array
    input_mask: Array
    outputs: Array
    output_mask: Array
    feedback: Array
    output_feedback: Array
    flags: Array


class Transition(NamedTuple):
    """What a step gives.

    Attributes:
        state: the family's next state.
        reward: [B].
        loss: [B], what the outer loop minimises at this step; differentiable in a continuous or
            binary action.
        terminated: bool [B].
    """

    state: Any
    reward: Array
    loss: Array
    terminated: Array


class Slots(NamedTuple):
    """Sizes of an observation, fixed by a family's settings.

    Attributes:
        inputs: I, input slots.
        input_size: F, numbers per input slot.
        outputs: O, output slots.
        feedback: G, global feedback numbers.
        output_feedback: P, feedback numbers per output slot.
    """

    inputs: int
    input_size: int
    outputs: int
    feedback: int
    output_feedback: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """Base of every family: the settings they all have, and what must be written.

    A subclass is a frozen dataclass (`kw_only=True`) whose settings are numbers, strings, booleans and
    tuples of them, so that they pass through JSON. Nothing in it may look at the values of arrays
    (`if`, `float`, `.item()`): that would stall a GPU.

    Args:
        horizon: steps in a trial, at least 1.
        split: "train", "validation" or "test": separates keys, and held-out sizes or kinds where the
            family holds out any.
        shuffle_slots: permute the slots' positions per trial, so that position carries no meaning.
        dtype: "float32" or "float64", of every array but keys, times and indices.
    """

    horizon: int = 20
    split: str = "train"
    shuffle_slots: bool = False
    dtype: str = "float32"

    action_kind: ClassVar[ActionKind] = "continuous"
    """What an agent writes: a value in [-1, 1] per output slot; one index; or the sign of a value."""

    outcome: ClassVar[str]
    """Key of `info` that judges a finished trial, read after its last step."""

    higher_is_better: ClassVar[bool] = False
    """Whether a higher outcome is better."""

    def __post_init__(self) -> None:
        """Check the shared settings; subclasses check theirs and call this."""
        check_integer("horizon", self.horizon, low=1)
        split_index(self.split)
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype is {self.dtype!r}; it must be 'float32' or 'float64'")
        if not isinstance(self.shuffle_slots, bool):
            raise TypeError(f"shuffle_slots is {self.shuffle_slots!r}; it must be True or False")

    @property
    def noise_size(self) -> int:
        """Uniform numbers that `step` needs, per step: a property or a class constant."""
        return 0

    @property
    @abstractmethod
    def slots(self) -> Slots:
        """Sizes of the observation."""

    @property
    @abstractmethod
    def bounds(self) -> Observation:
        """(low, high) of each observation array; infinities where there is no bound."""

    @abstractmethod
    def sample_task(self, keys: Array) -> Any:
        """Draw tasks: keys [B, 4] -> a NamedTuple of arrays [B, ...]."""

    @abstractmethod
    def initial_state(self, task: Any) -> Any:
        """State at the start of a trial: a NamedTuple of arrays [B, ...] with `time`, int64 [B]."""

    @abstractmethod
    def observe(self, task: Any, state: Any) -> Observation:
        """What the agent sees in this state."""

    @abstractmethod
    def step(self, task: Any, state: Any, action: Array, noise: Array) -> Transition:
        """One step of a trial; never clips, never looks at values.

        Args:
            task: from `sample_task`.
            state: from `initial_state` or the last transition.
            action: [B, O] (continuous, binary) or int64 [B] (categorical).
            noise: [B, noise_size], uniforms in [0, 1), from `noise`.
        """

    @abstractmethod
    def info(self, task: Any, state: Any) -> dict[str, Array]:
        """Measurements of a state, each [B]: the `outcome` among them, and "is_success" (bool)."""

    def solution(self, task: Any, state: Any) -> Array | None:
        """What an agent that sees this state should write, [B, O], for pictures; None if unknown.

        It is the task's secret: no face shows it to an agent.
        """
        return None

    def expected_reward(self, task: Any, state: Any, probabilities: Array) -> Array:
        """Expected reward [B] of a categorical action drawn from `probabilities` [B, O]."""
        raise NotImplementedError(f"{type(self).__name__} has no categorical actions")

    def noise(self, keys: Array, steps: int, start: int = 0) -> Array:
        """Noise of steps `start .. start + steps - 1` of the trials named by keys.

        One block is bit-equal to step by step.

        Returns:
            [B, steps, noise_size], uniforms in [0, 1).
        """
        xp = array_namespace(keys)
        size = self.noise_size
        block = keyed_random.uniform(keys, "noise", steps * size, start * size, self.dtype)
        return xp.reshape(block, (keys.shape[0], steps, size))

    def flags(self, time: Array, query: Array | None = None) -> Array:
        """`Observation.flags` from the number of steps done, int64 [B], and a query flag [B]."""
        xp = namespace(time)
        dtype = getattr(xp, self.dtype)
        flags = xp.zeros((time.shape[0], len(FLAGS)), dtype=dtype, device=device(time))
        flags[:, 0] = time == 0  # to fill an array takes half the time of a stack
        if query is not None:
            flags[:, 1] = query
        flags[:, 2] = xp.astype(time, dtype) / self.horizon
        return flags

    def settings(self) -> dict[str, Any]:
        """Settings as plain JSON values."""
        return dataclasses.asdict(self)


def namespace(array: Array) -> Any:
    """`array_api_compat.array_namespace` of one array, without its 2 microseconds where that is NumPy's."""
    return array_api_compat.numpy if type(array) is np.ndarray else array_namespace(array)


def make_family(path: str, settings: Mapping[str, Any]) -> Family:
    """Build a family from `"module:Class"` and settings, as a registered id or a recipe names it.

    JSON lists become tuples.

    Raises:
        ValueError: the path does not lead to a family, or a setting's value is impossible.
        TypeError: a setting is unknown or of the wrong type.
    """
    if not isinstance(path, str):
        raise TypeError(f"family is {path!r}; it must be a string 'module:Class'")
    module, _, name = path.partition(":")
    try:
        family = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"family {path!r} cannot be loaded ({error}); it must be 'module:Class'") from error
    if not (isinstance(family, type) and issubclass(family, Family)):
        raise ValueError(f"family {path!r} is not a subclass of badger_envs.Family")
    known = [field.name for field in dataclasses.fields(family)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise TypeError(f"{name} has no setting {unknown[0]!r}; it has {', '.join(known)}")
    return family(**{key: _tuples(value) for key, value in settings.items()})


def check_integer(name: str, value: Any, low: int, high: float = math.inf) -> None:
    """TypeError unless `value` is an int (no bool), ValueError unless low <= value <= high."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high:g}"
        raise ValueError(f"{name} is {value}; it must be {limits}")


def check_range(name: str, value: Any, low: int = 1) -> tuple[int, int]:
    """A size setting as (lowest, highest): an int n means (n, n). Errors as `check_integer`."""
    ends = value if isinstance(value, tuple) else (value, value)
    if len(ends) != 2:
        raise ValueError(f"{name} is {value}; it must be a number or (lowest, highest)")
    for end in ends:
        check_integer(name, end, low)
    if ends[0] > ends[1]:
        raise ValueError(f"{name} is {value}: an empty range; write (lowest, highest)")
    return ends


def held_out(name: str, train: Range, test: Range | None) -> tuple[tuple[int, int], tuple[int, int]]:
    """Ranges of a size in training and in the test split.

    A fixed size is the same in both, unless another is given for the test. A range without its own test
    range is followed by one as long: (1, 8) holds out (9, 16).

    Raises:
        ValueError: an empty range; or a range of training overlaps that of the test.
        TypeError: a size is no integer.
    """
    low, high = check_range(name, train)
    if test is not None:
        other = check_range(f"test_{name}", test)
        if low != high and other[0] <= high and low <= other[1]:
            raise ValueError(f"test_{name} {other} overlaps {name} {(low, high)}; held-out sizes must differ")
        return (low, high), other
    return (low, high), (low, high) if low == high else (high + 1, 2 * high - low + 1)


def touches_unused_slot(kind: ActionKind, output_mask: Array, action: Array) -> Array:
    """Whether an action names or fills an output slot that is not in use: legal, without effect.

    Args:
        kind: the family's action kind.
        output_mask: [B, O].
        action: [B, O], or int64 [B] for a categorical action.

    Returns:
        bool [B].
    """
    xp = namespace(output_mask)
    if kind == "categorical":
        return xp.take_along_axis(output_mask, action[:, None], axis=-1)[:, 0] == 0
    return xp.vecdot(xp.abs(action), 1 - output_mask) > 0  # half the time of an `any` over so short an axis


def _tuples(value: Any) -> Any:
    """Lists, also nested, as tuples: settings must be hashable."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
