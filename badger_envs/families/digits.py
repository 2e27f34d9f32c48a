"""Digits: learn to read handwriting anew in every trial, from a stream of examples with hidden pixels."""

import dataclasses
import functools
import math
from typing import Any, ClassVar, NamedTuple

import numpy as np
from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.family import (
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_boolean,
    check_integer,
    entries,
    namespace,
    positions,
)
from badger_envs.keyed_random import Array

PIXELS = 64
DIGITS = 10

HELD_OUT = 4
"""Every so many-th image of a digit belongs to the test split."""

SHARPNESS = 5.0
"""Outputs times this are the logits of the loss."""

SUCCESS = 0.8
"""Accuracies above it are success."""


class Task(NamedTuple):
    """What a trial hides.

    Attributes:
        digit: int64 [B, O], the digit that an output slot stands for.
        mask: [B, O], 1 for classes in use.
        count: [B], how many they are.
        input_mask: [B, I].
        seen: bool [B, I * F], the numbers of slots in use; [B, 0] where all are.
        signs: [B, 2, PIXELS], -1 or +1, of the projection; [B, 2, 0] where pixels are shown as they are.
        walk: int64 [B, 2], which image of a digit comes first, and how far it is to the next.
        first: [B, 1], a uniform number: the class of the first image.
    """

    digit: Array
    mask: Array
    count: Array
    input_mask: Array
    seen: Array
    signs: Array
    walk: Array
    first: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        shown: [B, PIXELS], the image shown now, as it is shown.
        target: [B, O], 1 at its class, else 0.
        label: [B, O], 1 at the class of the image before; 0 at the start.
        met: int64 [B, O], images of a class so far, this one included.
        outputs: [B, O], written last.
        right: [B], 1 if that was right; 0 at the start.
        total: int64 [B], right answers so far, but for the first image.
        time: int64 [B], steps done.
    """

    shown: Array
    target: Array
    label: Array
    met: Array
    outputs: Array
    right: Array
    total: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Digits(Family):
    """Learn to tell handwritten digits apart from a stream of examples, answering before each label.

    ## Description
    Every step shows an image of a digit, 8 x 8 pixels, and the agent says which of C classes it is of; then
    it is told, and the next image comes. Which digits take part, and which of them is which class, is drawn
    per task; so is what is seen of an image: its pixels, less their mean, pass through a random rotation
    (signs, a Hadamard transform, other signs, the transform again), of which the agent sees the first
    numbers, half of them unless told otherwise. So what a policy may bring along is how to learn from few
    examples, not how digits look. What talking buys: an expert that sees a few numbers of an image can
    hardly tell its class.

    Classes are equally likely at every step; images of a class come without repetition until all were met.
    The images are scikit-learn's: 131 of each digit for training and validation, 43 others for the test
    split (every 4th of a digit).

    ## Action space
    `Box(-1, 1, (O capacity,))`: a value per class; the answer is the class with the highest one, and it is
    wrong if another used class has the same. Values in unused slots have no effect.

    ## Observation space
    `inputs`: `slot_size` numbers per slot, which have mean 0 and a mean square of 1 over all images and
    pixels; or with `projected` = False a patch of pixels, -1 (paper) to 1 (ink). `outputs`: what was written
    last, for the image *before*. `feedback`: 1 if that was right, else 0. `output_feedback`: 1 at the class
    that was right, 0 elsewhere and at the start. `flags`: first step, query (always 0), fraction of the trial
    gone.

    ## Rewards
    For a right answer 1 / (`horizon` - 1), but nothing for the first image, of which nothing can be known:
    rewards sum to the accuracy. The per-step loss is the cross-entropy of a softmax of 5 times the outputs,
    over log(C): 1 for equal outputs. It is differentiable.

    ## Starting state
    All outputs 0; the first image shown.

    ## Episode end
    Terminates after `horizon` steps. `info["accuracy"]` (float64) after the last step, the fraction right of
    the images after the first, judges the trial; before, it is what the answers so far add to it.
    `info["is_success"]` (bool) says whether it is above 0.8.

    ## Arguments
    `classes`: their number C, or a range (lowest, highest) drawn per task (default 10; 2 to 10).
    `inputs`: input slots in use, or a range (default 8). `test_classes`, `test_inputs`: ranges of the test
    split; a range without it is followed by one as long. `slot_size`: numbers per input slot (default 4); no
    task may show more than 64 numbers. `capacity`: number of input slots and of output slots (default: as
    many of each as any split needs).
    `projected`: pass images through a random rotation (default True). If not, slots are patches: pixels are
    numbered so that 4, 16 or 64 in a row form a square.
    `horizon`: images (default 100; at least 2), `split`, `dtype`: see `badger_envs.Family`. `shuffle_slots`
    must be False: classes and numbers are in random order already.

    Needs scikit-learn: pip install 'badger-suite[digits]'. Nothing is downloaded.

    ## Vectorised environment
    `gym.make_vec("Badger/Digits-v0", num_envs=N)` steps all N at once.

    ## References
    Alpaydin and Kaynak 1998, "Cascading classifiers" (the images, UCI's "Optical recognition of handwritten
    digits"). Santoro et al. 2016, "Meta-learning with memory-augmented neural networks" (labels one step
    late). Kirsch et al. 2022, "General-purpose in-context learning by meta-learning transformers" (random
    projections and permuted labels). Ailon and Chazelle 2006, "Approximate nearest neighbors and the fast
    Johnson-Lindenstrauss transform" (signs and transforms).

    ## Version history
    * v0: first version.
    """

    horizon: int = 100
    classes: Range = 10
    test_classes: Range | None = None
    inputs: Range = 8
    test_inputs: Range | None = None
    slot_size: int = 4
    capacity: int | None = None
    projected: bool = True

    outcome: ClassVar[str] = "accuracy"
    outcome_bounds: ClassVar[tuple[float, float]] = (0, 1)  # type: ignore[misc]
    higher_is_better: ClassVar[bool] = True
    noise_size: ClassVar[int] = 1  # type: ignore[misc]

    def __post_init__(self) -> None:
        """Check the settings, and that the images are there.

        Raises:
            ImportError: scikit-learn is missing.
        """
        super().__post_init__()
        check_integer("horizon", self.horizon, low=2)
        check_boolean("projected", self.projected)
        check_integer("slot_size", self.slot_size, low=1, high=PIXELS)
        classes, inputs = self.class_sizes, self.input_sizes
        if min(classes.train[0], classes.test[0]) < 2 or classes.highest > DIGITS:
            raise ValueError(
                f"classes {classes.train} with test_classes {classes.test} must be from 2 to {DIGITS}"
            )
        if inputs.highest * self.slot_size > PIXELS:
            raise ValueError(
                f"inputs {inputs.train} with test_inputs {inputs.test} of slot_size {self.slot_size} are more"
                f" than the {PIXELS} numbers of an image; give fewer"
            )
        if self.shuffle_slots:
            raise ValueError(
                "shuffle_slots is True; classes and numbers are in random order already: use False"
            )
        _images()

    @functools.cached_property
    def class_sizes(self) -> Sizes:
        """How many classes there are."""
        return Sizes.of_setting("classes", self)

    @functools.cached_property
    def input_sizes(self) -> Sizes:
        """How many input slots are in use."""
        return Sizes.of_setting("inputs", self)

    @functools.cached_property
    def slots(self) -> Slots:
        """Pieces of an image; an output per class; whether the last answer was right; the right class."""
        return Slots(self.input_sizes.capacity, self.slot_size, self.class_sizes.capacity, 1, 1)

    @functools.cached_property
    def bounds(self) -> Bounds:
        """A rotation makes no number larger than the longest image."""
        most = math.ceil(np.sqrt((_images().centred ** 2).sum(axis=-1).max())) if self.projected else 1
        return Bounds(inputs=(-most, most), outputs=(-1, 1), feedback=(0, 1), output_feedback=(0, 1))

    def sample_task(self, keys: Array) -> Task:
        """Draw digits, their order and the projection: keys [B, 4] -> Task."""
        xp = namespace(keys)
        dtype = getattr(xp, self.dtype)
        count, _, slot, _, mask = self.class_sizes.fill(keys, self.dtype)  # [B, 1], [1, O], [B, O]
        digit = keyed_random.permutation(keys, "digits", DIGITS)  # [B, DIGITS]
        digit = xp.take(digit, xp.clip(slot[0], 0, DIGITS - 1), axis=1)  # [B, O]; what is beyond is not used
        drawn = keyed_random.uniform(keys, "stream", 3)
        number = self._number
        start = xp.astype(xp.floor(drawn[:, 1] * number), xp.int64)
        stride = 1 + xp.astype(xp.floor(drawn[:, 2] * (number - 1)), xp.int64)  # number is prime
        words = keyed_random.words(keys, "projection", 2 * PIXELS // 32 * self.projected)
        bits = (words[:, :, None] >> positions(keys, 32)) & 1
        signs = xp.reshape(xp.astype(1 - 2 * bits, dtype), (keys.shape[0], 2, PIXELS * self.projected))
        input_mask = self.input_sizes.fill(keys, self.dtype).mask
        some = input_mask[:, : 0 if self.input_sizes.fills_all else None]
        return Task(
            digit=digit,
            mask=mask,
            count=xp.astype(count[:, 0], dtype),
            input_mask=input_mask,
            seen=xp.repeat(some, self.slot_size, axis=-1) > 0,
            signs=signs,
            walk=xp.stack([start, stride], axis=-1),
            first=xp.astype(drawn[:, :1], dtype),
        )

    @property
    def _number(self) -> int:
        """Images per digit in this split, a prime: any stride visits all."""
        return _images().number[self.split == "test"]

    def _present(self, task: Task, met: Array, noise: Array) -> tuple[Array, Array, Array]:
        """The next image [B, PIXELS], its class as 1 among 0 [B, O], and how many were met by then."""
        xp = namespace(noise)
        chosen = xp.astype(xp.floor(noise * task.count[:, None]), xp.int64)  # [B, 1]
        slot = self.class_sizes.element(chosen[:, :0])  # [1, O]
        here = slot == chosen  # [B, O]
        counted = xp.astype(here, xp.int64)
        digit, before = entries([task.digit, met], chosen[:, 0])  # [B] each
        image = (task.walk[:, 0] + task.walk[:, 1] * before) % self._number + digit * self._number
        table = _table(xp, device(noise), self.dtype, self.split == "test", self.projected)
        shown = xp.take(table, image, axis=0)  # [B, PIXELS]
        if self.projected:
            turned = xp.matrix_transpose(shown * task.signs[:, 0])
            turned = xp.reshape(xp.reshape(turned, (-1,)), turned.shape)  # [PIXELS, B] in C order
            turned = _transformed(_transformed(turned) * xp.matrix_transpose(task.signs[:, 1]))
            shown = xp.matrix_transpose(turned)
        return shown, xp.astype(here, noise.dtype), met + counted

    def initial_state(self, task: Task) -> State:
        """The first image, nothing written."""
        xp = namespace(task.mask)
        zero, scalar = xp.zeros_like(task.mask), xp.zeros_like(task.count)
        none, nothing = xp.zeros_like(task.digit), xp.zeros_like(scalar, dtype=xp.int64)
        shown, target, met = self._present(task, none, task.first)
        return State(shown, target, zero, met, zero, scalar, nothing, nothing)

    def observe(self, task: Task, state: State) -> Observation:
        """The image, and what it said of the one before."""
        xp = namespace(state.shown)
        slots, size = self.slots.inputs, self.slot_size
        shown = state.shown[:, : slots * size]
        if slots * size > PIXELS:
            shape = (shown.shape[0], slots * size - PIXELS)
            more = xp.zeros(shape, dtype=shown.dtype, device=device(shown))
            shown = xp.concat([shown, more], axis=-1)
        if task.seen.shape[1]:
            shown = xp.reshape(xp.reshape(shown, (-1,)), shown.shape)  # in C order
            shown = xp.where(task.seen, shown, 0.0)
        return Observation(
            inputs=xp.reshape(shown, (shown.shape[0], slots, size)),
            input_mask=task.input_mask,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=state.right[:, None],
            output_feedback=state.label[:, :, None],
            flags=self.flags(state.time),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Judge the answer, tell the class; the noise chooses the next image's."""
        xp = namespace(action)
        logits = action * SHARPNESS
        own = xp.vecdot(state.target, logits)  # [B]
        loss = (xp.log(xp.vecdot(task.mask, xp.exp(logits))) - own) / xp.log(task.count)
        others = task.mask - state.target  # [B, O]
        rival = xp.where(others > 0, action, -2.0)  # [B, O]
        rival = functools.reduce(xp.maximum, (rival[:, i] for i in range(rival.shape[1])))  # 5 times a `max`
        right = xp.vecdot(state.target, action) > rival
        counted = right & (state.time > 0)
        shown, target, met = self._present(task, state.met, noise)
        after = State(
            shown=shown,
            target=target,
            label=state.target,
            met=met,
            outputs=action * task.mask,
            right=xp.astype(right, loss.dtype),
            total=state.total + xp.astype(counted, xp.int64),
            time=state.time + 1,
        )
        reward = xp.astype(counted, loss.dtype) / (self.horizon - 1)
        return Transition(after, reward, loss, after.time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Fraction right; success above `SUCCESS`."""
        xp = namespace(state.total)
        accuracy = xp.astype(state.total, xp.float64) / (self.horizon - 1)
        return {"accuracy": accuracy, "is_success": accuracy > SUCCESS}

    def solution(self, task: Task, state: State) -> Array:
        """1 at the class of the image shown, -1 at the others."""
        return 2 * state.target - task.mask

    def sketch(self, inputs: np.ndarray, used: np.ndarray) -> str | None:
        """The image, where pixels are shown as they are and as many as there are."""
        shown = inputs[used]
        if self.projected or shown.size != PIXELS:
            return None
        shades = np.array(list(" .:-=+*#%"))[np.rint((shown.reshape(-1) + 1) * 4).astype(int)]
        image = np.full((8, 8), " ")
        image.reshape(-1)[_squares()] = shades
        return "\n".join("".join(2 * shade for shade in row).rstrip() or "." for row in image)


class Images(NamedTuple):
    """All images, by digit, pixels numbered as `_squares` says.

    Attributes:
        number: how many of each digit there are for training, and for the test.
        pixels: two float64 [DIGITS * number, PIXELS], those for training and for the test, in [-1, 1].
        scale: of the centred ones: 1 over the root of the mean variance.
        mean: [PIXELS], of those for training.
    """

    number: tuple[int, int]
    pixels: tuple[np.ndarray, np.ndarray]
    mean: np.ndarray
    scale: float

    @property
    def centred(self) -> np.ndarray:
        """All, less the mean, scaled."""
        return (np.concatenate(self.pixels) - self.mean) * self.scale


def _squares() -> np.ndarray:
    """Which pixel comes when: 4, 16 and 64 in a row are squares (Morton's order), int64 [PIXELS]."""
    number = np.arange(PIXELS)
    bits = [(number >> bit) & 1 for bit in range(6)]
    return 8 * (bits[1] + 2 * bits[3] + 4 * bits[5]) + bits[0] + 2 * bits[2] + 4 * bits[4]


@functools.cache
def _images() -> Images:
    """scikit-learn's images.

    Raises:
        ImportError: scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("Digits needs scikit-learn: pip install 'badger-suite[digits]'") from error
    data = load_digits()
    pixels = data.data[:, _squares()] / 8 - 1  # of 0 to 16
    by_digit = [pixels[data.target == digit] for digit in range(DIGITS)]
    fewest = min(len(images) for images in by_digit)
    held_out = np.arange(fewest) % HELD_OUT == HELD_OUT - 1
    train, test = (
        np.stack([images[:fewest][which] for images in by_digit]) for which in (~held_out, held_out)
    )
    mean = train.mean(axis=(0, 1))
    scale = float(1 / np.sqrt(train.var(axis=(0, 1)).mean()))
    number = (train.shape[1], test.shape[1])
    return Images(number, (train.reshape(-1, PIXELS), test.reshape(-1, PIXELS)), mean, scale)


@functools.cache
def _table(xp: Any, where: Any, dtype: str, test: bool, projected: bool) -> Array:
    """Images of a split, [DIGITS * number, PIXELS]: a constant on a device."""
    images = _images()
    table = images.pixels[test]
    if projected:
        table = (table - images.mean) * images.scale
    return xp.asarray(table, dtype=getattr(xp, dtype), device=where)


def _transformed(values: Array) -> Array:
    """Hadamard's transform of [PIXELS, B], a rotation: sums and differences, alike in a batch and alone."""
    xp, batch, width = namespace(values), values.shape[1], 1
    while width < PIXELS:
        pairs = xp.reshape(values, (PIXELS // (2 * width), 2, width, batch))
        first, second = pairs[:, :1], pairs[:, 1:]
        values = xp.concat([first + second, first - second], axis=1)
        width *= 2
    return xp.reshape(values, (PIXELS, batch)) / math.sqrt(PIXELS)
