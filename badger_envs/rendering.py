"""Pictures of a trial, from a plain description that every family and every face can give."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import DependencyNotInstalled

from badger_envs import bitmap_font
from badger_envs.family import FLAGS, Family, Observation

RENDER_FPS = 8
"""Pictures per second in a window."""

WIDTH, HEIGHT = 480, 360
"""Pixels of a picture."""

Colour = tuple[int, int, int]

_PAPER, _INK, _FAINT, _UNUSED = (255, 255, 255), (40, 44, 52), (205, 209, 215), (232, 234, 238)
_TARGET, _WRITTEN, _MISS, _NEUTRAL = (30, 150, 80), (25, 100, 210), (225, 120, 110), (130, 137, 148)

_LEFT, _RIGHT = 36, WIDTH - 12
_TOP, _BOTTOM = 74, 270  # where the marks of +1 and -1 lie


class Frame(NamedTuple):
    """What a picture shows: one step of one trial.

    Attributes:
        title: name of the family.
        inputs: [n, F], of the input slots in use.
        outputs: [O], what was written last.
        mask: [O], 1 for output slots in use.
        solution: [O], what the outputs should hold; None if unknown.
        feedback: [G].
        time: steps done.
        horizon: steps in the trial.
        reward: of the last step; None before the first.
        output_feedback: [O, P], feedback per output slot; P may be 0.
        query: whether the last action answered a query.
    """

    title: str
    inputs: np.ndarray
    outputs: np.ndarray
    mask: np.ndarray
    solution: np.ndarray | None
    feedback: np.ndarray
    time: int
    horizon: int
    reward: float | None
    output_feedback: np.ndarray = np.zeros((0, 0))
    query: bool = False


def frame_of(
    family: Family, task: Any, asked: Any, observation: Observation, row: int, time: int, reward: float | None
) -> Frame:
    """The frame of one row of a batch of trials (NumPy arrays).

    `asked` is the state in which the last action was chosen: inputs, target and query are what it showed
    and called for; outputs and feedback are what came of it.
    """
    solution = family.solution(task, asked)
    shown = family.observe(task, asked)
    return Frame(
        type(family).__name__,
        shown.inputs[row][shown.input_mask[row] != 0],
        observation.outputs[row],
        observation.output_mask[row],
        None if solution is None else solution[row],
        observation.feedback[row],
        time,
        family.horizon,
        reward,
        observation.output_feedback[row],
        bool(shown.flags[row, FLAGS.index("query")]),
    )


def check_render_mode(mode: str | None, modes: Sequence[str]) -> str | None:
    """The mode itself; ValueError if it is not one of `modes` (or None)."""
    if mode is not None and mode not in modes:
        raise ValueError(f"render_mode is {mode!r}; it must be None or one of {', '.join(modes)}")
    return mode


def ansi(frame: Frame) -> str:
    """The frame as one line of text: time, outputs in use, what they should be, feedback, reward."""
    used = frame.mask != 0
    parts = [f"{frame.title} {frame.time:>3}/{frame.horizon}"]
    if frame.inputs.size > 1:
        parts.append(f"inputs {_numbers(frame.inputs.reshape(-1))}")
    parts.append(f"outputs {_numbers(frame.outputs[used])}")
    if frame.solution is not None:
        parts.append(f"target {_numbers(frame.solution[used])}")
    parts.append(f"feedback {_numbers(frame.feedback)}")
    if frame.output_feedback.size:
        parts.append(f"per output {_numbers(frame.output_feedback[used].reshape(-1))}")
    if frame.query:
        parts.append("query")
    if frame.reward is not None:
        parts.append(f"reward {frame.reward:+.3f}")
    return "  ".join(parts)


def rgb_array(frame: Frame) -> np.ndarray:
    """The frame as a picture: a column per output slot, with what was written and what it should be.

    Above, the time and the inputs (if there is more than a constant); below, reward and feedback.

    Returns:
        uint8 [HEIGHT, WIDTH, 3].
    """
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    _text(canvas, 10, 8, frame.title, _INK, scale=2)
    clock = f"{'query, ' if frame.query else ''}step {frame.time}/{frame.horizon}"
    _text(canvas, _RIGHT - bitmap_font.WIDTH * 2 * len(clock), 8, clock, _INK, scale=2)
    _box(canvas, 10, 30, _RIGHT, 35, _UNUSED)
    _box(canvas, 10, 30, 10 + (_RIGHT - 10) * min(1.0, frame.time / frame.horizon), 35, _NEUTRAL)
    if frame.inputs.size > 1:
        _draw_inputs(canvas, frame.inputs)
    _draw_outputs(canvas, frame)
    _draw_feedback(canvas, frame)
    return canvas


def _draw_inputs(canvas: np.ndarray, inputs: np.ndarray) -> None:
    """A cell per input number, a slot's numbers side by side: red is +1, blue is -1, white is 0."""
    _text(canvas, 10, 48, "in", _INK)
    slots, size = inputs.shape
    width = min(24.0, (_RIGHT - _LEFT) / slots)
    for i, slot in enumerate(inputs):
        for j, value in enumerate(slot):
            strength = float(np.clip(value, -1, 1))
            fade = round(255 - 200 * abs(strength))
            colour = (255, fade, fade) if strength > 0 else (fade, fade, 255)
            left = _LEFT + i * width
            end = left + (width - (2 if width > 6 else 0))
            step = (end - left) / size
            _box(canvas, left + j * step, 44, left + (j + 1) * step, 60, _FAINT)
            _box(canvas, left + j * step + 1, 45, left + (j + 1) * step - (1 if step > 3 else 0), 59, colour)


def _draw_outputs(canvas: np.ndarray, frame: Frame) -> None:
    for value, label in ((1, "+1"), (0, " 0"), (-1, "-1")):
        _text(canvas, 10, _height(value) - 3, label, _INK)
    columns = (_RIGHT - _LEFT) / len(frame.mask)
    gap = 4 if columns > 12 else 1
    spare = max(0.0, columns - gap - 40) / 2  # marks wider than 40 pixels look like areas
    for i, used in enumerate(frame.mask):
        left, right = _LEFT + i * columns, _LEFT + (i + 1) * columns - gap
        _box(canvas, left, _TOP - 8, right, _BOTTOM + 8, (247, 248, 250) if used else _UNUSED)
        for value in (1, 0, -1):
            _box(canvas, left, _height(value), right, _height(value) + 1, _FAINT)
        if not used:
            continue
        left, right = left + spare, right - spare
        middle = (left + right) / 2
        y = _height(frame.outputs[i])
        if frame.solution is not None:
            target = _height(frame.solution[i])
            _box(canvas, middle - 1, min(y, target), middle + 1, max(y, target), _MISS)
            _box(canvas, left, target - 3, right, target + 3, _TARGET)
        inset = min(6.0, (right - left) / 4)
        _box(canvas, left + inset, y - 2, right - inset, y + 2, _WRITTEN)
    x = _LEFT
    for label, colour in (("target", _TARGET), ("written", _WRITTEN), ("unused", _FAINT)):
        if (label == "target" and frame.solution is None) or (label == "unused" and frame.mask.all()):
            continue
        _box(canvas, x, _BOTTOM + 16, x + 14, _BOTTOM + 22, colour)
        _text(canvas, x + 18, _BOTTOM + 15, label, _INK)
        x += 76


def _draw_feedback(canvas: np.ndarray, frame: Frame) -> None:
    """Reward and feedback as numbers, with a bar each from the middle, full at infinity: v / (1 + |v|)."""
    rows = [] if frame.reward is None else [("reward", frame.reward)]
    names = (
        ["feedback"] if len(frame.feedback) == 1 else [f"feedback {i}" for i in range(len(frame.feedback))]
    )
    rows += list(zip(names, frame.feedback.tolist(), strict=True))
    for i, (name, value) in enumerate(rows[:4]):
        y = _BOTTOM + 32 + 14 * i
        _text(canvas, 10, y, name, _INK)
        _text(canvas, 80, y, f"{value:+.3f}", _INK)
        middle, half = 300, 150
        end = middle + half * value / (1 + abs(value)) if np.isfinite(value) else middle
        _box(canvas, middle - half, y + 3, middle + half, y + 4, _FAINT)
        colour = _NEUTRAL if name != "reward" else _TARGET if value > 0 else _MISS
        _box(canvas, min(middle, end), y, max(middle, end), y + 7, colour)
        _box(canvas, middle, y - 1, middle + 1, y + 8, _INK)


class Window:
    """A window that shows pictures one after the other, at `RENDER_FPS`; needs pygame.

    pygame has one window per process: environments share it, and it opens again for whoever shows a picture
    after another has closed it.

    Raises:
        gymnasium.error.DependencyNotInstalled: pygame is missing.
    """

    def __init__(self) -> None:
        try:
            import pygame
        except ImportError as error:
            raise DependencyNotInstalled(
                "render_mode 'human' needs pygame: pip install 'badger-suite[render]'"
            ) from error
        self._pygame = pygame
        self._clock = pygame.time.Clock()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Copied or pickled it becomes None: a copy of an environment opens its own when it draws."""
        return type(None), ()

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, uint8 [HEIGHT, WIDTH, 3], and wait for the next one's turn."""
        display = self._pygame.display
        screen = display.get_surface() if display.get_init() else None
        if screen is None:
            display.init()
            screen = display.set_mode((WIDTH, HEIGHT))
            display.set_caption("Badger")
        screen.blit(self._pygame.surfarray.make_surface(picture.swapaxes(0, 1)), (0, 0))
        self._pygame.event.pump()
        self._pygame.display.flip()
        self._clock.tick(RENDER_FPS)

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()


def _height(value: float) -> int:
    """Row of the picture where a value of [-1, 1] lies; values beyond lie just outside."""
    return round(_TOP + (1 - float(np.clip(np.nan_to_num(value), -1.06, 1.06))) / 2 * (_BOTTOM - _TOP))


def _box(canvas: np.ndarray, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
    canvas[round(top) : round(bottom), round(left) : round(right)] = colour


def _text(canvas: np.ndarray, left: int, top: int, text: str, colour: Colour, scale: int = 1) -> None:
    mask = bitmap_font.text_mask(text, scale)
    part = canvas[top : top + mask.shape[0], left : left + mask.shape[1]]
    part[mask[: part.shape[0], : part.shape[1]]] = colour


def _numbers(values: np.ndarray) -> str:
    return "[" + " ".join(f"{value:+.2f}" for value in values) + "]"
