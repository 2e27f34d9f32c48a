"""What a family of tasks is: settings, and pure functions on batched arrays (contracts 1 and 2).

A family knows no backend, no device, no generator and no experts. Its functions take and return
`NamedTuple`s of arrays with a leading batch axis B; the faces (Gymnasium, vector, PettingZoo, torch)
are derived from them and add no dynamics of their own.
"""

import dataclasses
import importlib
import math
import numbers
import operator
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """(low, high) of the numbers in each array of an `Observation`; infinite where there is no bound.

    Masks and flags need not be given: they lie in [0, 1]. So does an input slot that is the constant 1, and
    where P = 0 there is no output feedback.
    """

    inputs: tuple[float, float] = (0, 1)
    input_mask: tuple[float, float] = (0, 1)
    outputs: tuple[float, float]
    output_mask: tuple[float, float] = (0, 1)
    feedback: tuple[float, float]
    output_feedback: tuple[float, float] = (0, 0)
    flags: tuple[float, float] = (0, 1)


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

    @property
    def shapes(self) -> Observation:
        """Shapes of an observation's arrays without the batch axis, such as inputs (I, F), outputs (O,)."""
        return Observation(
            inputs=(self.inputs, self.input_size),
            input_mask=(self.inputs,),
            outputs=(self.outputs,),
            output_mask=(self.outputs,),
            feedback=(self.feedback,),
            output_feedback=(self.outputs, self.output_feedback),
            flags=(len(FLAGS),),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """Base of every family: the settings they all have, and what must be written.

    A subclass is a frozen dataclass (`kw_only=True`) whose settings are numbers, strings, booleans and
    tuples of them, so that they pass through JSON. They are checked once, at construction, and kept as
    Python's: NumPy's numbers and booleans are taken, and lists become tuples. What follows from them
    alone is best a `functools.cached_property`. Nothing in a family may look at the values of arrays
    (`if`, `float`, `.item()`), which would stall a GPU, or assign into them.

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
        """Keep settings as Python's and check the shared ones; subclasses call this and check theirs."""
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _python(getattr(self, field.name)))
        check_integer("horizon", self.horizon, low=1)
        split_index(self.split)
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype is {self.dtype!r}; it must be 'float32' or 'float64'")
        check_boolean("shuffle_slots", self.shuffle_slots)

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
    def bounds(self) -> Bounds:
        """(low, high) of each observation array."""

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """(lowest, highest) outcome of any trial, a property or a class constant; infinite: not known."""
        return -math.inf, math.inf

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

    def sketch(self, inputs: np.ndarray, used: np.ndarray) -> str | None:
        """Inputs of one trial as a picture made of text, for a person who plays; None: numbers will do.

        Args:
            inputs: [I, F], as observed.
            used: bool [I], slots in use.
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
        time = time[:, None]  # [B, 1]
        first = xp.astype(time == 0, dtype)  # [B, 1]
        asked = first * 0 if query is None else query[:, None]
        return xp.concat([first, asked, xp.astype(time, dtype) / self.horizon], axis=-1)

    def settings(self) -> dict[str, Any]:
        """Settings as plain JSON values."""
        return dataclasses.asdict(self)


def namespace(array: Array) -> Any:
    """`array_api_compat.array_namespace` of one array, found once for each type: it takes microseconds."""
    kind = type(array)
    known = _NAMESPACES.get(kind)
    if known is None:
        known = _NAMESPACES[kind] = array_namespace(array)
    return known


_NAMESPACES: dict[type, Any] = {}


def entries(arrays: Sequence[Array], index: Array) -> list[Array]:
    """Entry index[b] of each array[b]: [B, N, ...] and int64 [B] to [B, ...]; faster than along the axis.

    Args:
        arrays: one or more, with the same B and N.
        index: which of the N.
    """
    xp, (batch, length) = namespace(index), arrays[0].shape[:2]
    flat = xp.arange(0, batch * length, length, dtype=xp.int64, device=device(index)) + index
    return [xp.take(xp.reshape(array, (batch * length, *array.shape[2:])), flat, axis=0) for array in arrays]


def positions(like: Array, count: int) -> Array:
    """0 to count - 1, int64 [1, count], on the backend and device of an array."""
    return namespace(like).arange(count, dtype=namespace(like).int64, device=device(like))[None, :]


def chosen_rows(condition: Array, one: Array, other: Array) -> Array:
    """Rows of one array [B, ...] where the condition [B] holds, of another elsewhere."""
    if 0 in one.shape:
        return one
    xp = namespace(condition)
    return xp.where(xp.reshape(condition, (-1, *(1,) * (len(one.shape) - 1))), one, other)


def make_family(path: "str | Family", settings: Mapping[str, Any]) -> Family:
    """Build a family from `"module:Class"` and settings, as a registered id or a recipe names it.

    A family may stand in place of the path; the settings are changes to it then.

    Raises:
        ValueError: the path does not lead to a family, or a setting's value is impossible.
        TypeError: a setting is unknown or of the wrong type.
    """
    if isinstance(path, Family):
        family: Any = type(path)
        name, settings = family.__name__, {**path.settings(), **settings}
    elif not isinstance(path, str):
        raise TypeError(f"family is {path!r}; it must be a string 'module:Class' or a badger_envs.Family")
    else:
        module, _, name = path.partition(":")
        try:
            family = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            wanted = "it must be 'module:Class'"
            raise ValueError(f"family {path!r} cannot be loaded ({error}); {wanted}") from error
        if not (isinstance(family, type) and issubclass(family, Family)):
            raise ValueError(f"family {path!r} is not a subclass of badger_envs.Family")
    known = [field.name for field in dataclasses.fields(family)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise TypeError(
            f"{name} got an unexpected keyword argument {unknown[0]!r}:"
            f" it has no setting {unknown[0]!r}, but {', '.join(known)}"
        )
    return family(**settings)


def check_integer(name: str, value: Any, low: int, high: float = math.inf) -> int:
    """An integer of any kind (no boolean) as Python's.

    Raises:
        TypeError: it is none.
        ValueError: it is not from low to high.
    """
    value = _python(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high:g}"
        raise ValueError(f"{name} is {value}; it must be {limits}")
    return value


def check_number(name: str, value: Any, low: float, high: float, *, above: bool = False) -> float:
    """A real number of any kind (no boolean) as Python's.

    Raises:
        TypeError: it is none.
        ValueError: it is not finite or not from low to high; with `above` it must be more than low.
    """
    value = _python(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    if not low <= value <= high or abs(value) == math.inf or (above and value == low):
        if high == math.inf:
            limits = f"be finite and {'above' if above else 'at least'} {low:g}"
        else:
            limits = f"lie in {'(' if above else '['}{low:g}, {high:g}]"
        raise ValueError(f"{name} is {value}; it must {limits}")
    return value


def check_boolean(name: str, value: Any) -> bool:
    """A boolean, Python's or NumPy's, as Python's; TypeError if it is none."""
    value = _python(value)
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; it must be True or False")
    return value


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """One of several strings; ValueError if it is none of them."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    return value


class Filling(NamedTuple):
    """Which slots a batch of tasks uses, and what stands in them: what `Sizes.fill` gives.

    Attributes:
        count: int64 [B, 1], how many slots each task uses.
        order: int64 [B, O], which element each slot holds; [B, 0] where slot i holds element i.
        element: int64 [B, O], the same written out; [1, O] where slot i holds element i.
        used: bool [B, O].
        mask: [B, O], the same as numbers.
    """

    count: Array
    order: Array
    element: Array
    used: Array
    mask: Array


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How many slots tasks use: a number or a range, held out in the test split, permuted if asked.

    Every family whose tasks vary in size has one, made by `of_setting` from its settings, at construction.
    What is drawn does not depend on the capacity: element k of a task is the same in any number of slots.

    Attributes:
        name: of the setting, and of the streams that are drawn from.
        train: (lowest, highest) in the train and validation splits, both included.
        test: the same in the test split.
        capacity: O, slots that there are, at least as many as any split needs.
        limits: (lowest, highest) in the family's split.
        shuffled: whether elements are placed into slots at random, anew in each task.
    """

    name: str
    train: tuple[int, int]
    test: tuple[int, int]
    capacity: int
    limits: tuple[int, int]
    shuffled: bool

    @classmethod
    def of(
        cls,
        name: str,
        train: Range,
        test: Range | None = None,
        *,
        capacity: int | None = None,
        split: str = "train",
        shuffled: bool = False,
    ) -> "Sizes":
        """Check the settings of a size, and make one of them.

        A fixed size is the same in all splits, unless another is given for the test. A range without a
        test range of its own is followed by one as long: (1, 8) holds out (9, 16).

        Args:
            name: the setting's name; that of the test split is called test_`name`.
            train: a number, or (lowest, highest), each equally likely.
            test: of the test split.
            capacity: slots; None: as many as any split needs.
            split: the family's split.
            shuffled: whether to permute the slots of each task.

        Raises:
            ValueError: a size below 1, an empty range, one that overlaps that of the test split, or a
                capacity too small.
            TypeError: a size is no integer.
        """
        low, high = trained = _check_range(name, train)
        tested = trained if low == high else (high + 1, 2 * high - low + 1)
        if test is not None:
            tested = _check_range(f"test_{name}", test)
            if low != high and tested[0] <= high and low <= tested[1]:
                overlap = f"test_{name} {tested} overlaps {name} {trained}"
                raise ValueError(f"{overlap}; held-out sizes must differ")
        highest = max(high, tested[1])
        slots = highest if capacity is None else check_integer("capacity", capacity, low=highest)
        return cls(name, trained, tested, slots, tested if split == "test" else trained, shuffled)

    @classmethod
    def of_setting(cls, name: str, family: Any) -> "Sizes":
        """`of` a family's settings `name`, `test_name`, `capacity`, `split` and `shuffle_slots`."""
        return cls.of(
            name,
            getattr(family, name),
            getattr(family, f"test_{name}"),
            capacity=family.capacity,
            split=family.split,
            shuffled=family.shuffle_slots,
        )

    @property
    def highest(self) -> int:
        """The highest size of all splits."""
        return max(self.train[1], self.test[1])

    @property
    def fills_all(self) -> bool:
        """Whether all tasks of the family's split use all slots."""
        return self.limits[0] == self.capacity

    def count(self, keys: Array) -> Array:
        """How many slots each task uses: keys [B, 4] -> int64 [B, 1]."""
        low, high = self.limits
        if low == high:
            return 0 * keys[:, :1] + low
        return keyed_random.integers(keys, self.name, 1, low, high)

    def count_from(self, drawn: Array) -> Array:
        """The same from uniforms in [0, 1), [B, 1], that were drawn with others (calls cost)."""
        xp, (low, high) = namespace(drawn), self.limits
        return low + xp.astype(xp.floor(drawn * (high - low + 1)), xp.int64)  # rounding never passes `high`

    def order(self, keys: Array) -> Array:
        """Which element each slot holds: int64 [B, O], or [B, 0] where slot i holds element i."""
        return keyed_random.permutation(keys, f"{self.name} slots", self.capacity if self.shuffled else 0)

    def element(self, order: Array) -> Array:
        """An order written out: int64 [B, O], or [1, O] where slot i holds element i."""
        return order if order.shape[1] else positions(order, self.capacity)

    def fill(self, keys: Array, dtype: str) -> Filling:
        """Draw how many slots tasks use, and which: keys [B, 4] and the masks' dtype -> Filling."""
        xp = namespace(keys)
        count, order = self.count(keys), self.order(keys)
        element = self.element(order)
        used = element < count
        return Filling(count, order, element, used, xp.astype(used, getattr(xp, dtype)))

    def spread(self, values: Array, order: Array) -> Array:
        """From elements to slots along the last axis, with zeros in the slots left over.

        Args:
            values: [B, ..., N], N at most O.
            order: from `order`.

        Returns:
            [B, ..., O].
        """
        xp = namespace(values)
        if values.shape[-1] < self.capacity:
            shape = (*values.shape[:-1], self.capacity - values.shape[-1])
            values = xp.concat([values, xp.zeros(shape, dtype=values.dtype, device=device(values))], axis=-1)
        if order.shape[1] == 0:
            return values
        index = xp.reshape(order, (order.shape[0], *(1,) * (len(values.shape) - 2), self.capacity))
        return xp.take_along_axis(values, xp.broadcast_to(index, values.shape), axis=-1)


def _check_range(name: str, value: Any) -> tuple[int, int]:
    """A size setting as (lowest, highest): an integer n means (n, n)."""
    value = _python(value)
    ends = value if isinstance(value, tuple) else (value, value)
    if len(ends) != 2:
        raise ValueError(f"{name} is {value}; it must be a number or (lowest, highest)")
    low, high = (check_integer(name, end, low=1) for end in ends)
    if low > high:
        raise ValueError(f"{name} is {value}: an empty range; write (lowest, highest)")
    return low, high


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


def _python(value: Any) -> Any:
    """A setting as Python's: integers, real numbers and booleans of other kinds, lists as tuples."""
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        return tuple(_python(item) for item in value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.str_):
        return str(value)
    try:
        return operator.index(value)
    except TypeError:
        return float(value) if isinstance(value, numbers.Real) else value
