"""Pictures show what they claim to show."""

import pickle
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, ResetNeeded

from badger_envs import rendering
from badger_envs.bitmap_font import text_mask
from badger_envs.rendering import Frame, ansi, rgb_array

GAME = "Badger/GuessingGame-v0"


def frame(**changes: Any) -> Frame:
    plain = Frame(
        title="Toy",
        inputs=np.ones((1, 1)),
        outputs=np.array([0.5, -0.5, 0.0]),
        mask=np.array([1.0, 1.0, 0.0]),
        solution=np.array([-1.0, 1.0, 0.0]),
        feedback=np.array([2.0]),
        time=3,
        horizon=10,
        reward=-2.0,
    )
    return plain._replace(**changes)


def rows_of(picture: np.ndarray, colour: tuple[int, int, int], left: int, right: int) -> np.ndarray:
    """Rows above the legend in which a colour appears between two columns."""
    found = (picture[: rendering._BOTTOM + 10, left:right] == colour).all(axis=-1).any(axis=1)
    return np.flatnonzero(found)


def test_marks_stand_at_their_values() -> None:
    picture = rgb_array(frame())
    assert picture.shape == (rendering.HEIGHT, rendering.WIDTH, 3)
    assert picture.dtype == np.uint8
    width = (rendering._RIGHT - rendering._LEFT) // 3
    span = rendering._BOTTOM - rendering._TOP
    for slot, (written, target) in enumerate([(0.5, -1.0), (-0.5, 1.0)]):
        left = rendering._LEFT + slot * width
        for colour, value in ((rendering._WRITTEN, written), (rendering._TARGET, target)):
            rows = rows_of(picture, colour, left, left + width)
            assert abs(rows.mean() - (rendering._TOP + (1 - value) / 2 * span)) <= 2
    unused = (rendering._LEFT + 2 * width + 2, rendering._RIGHT)
    assert rows_of(picture, rendering._WRITTEN, *unused).size == 0
    assert rows_of(picture, rendering._UNUSED, *unused).size > span / 2


def test_the_time_bar_grows() -> None:
    def filled(time: int) -> int:
        return int((rgb_array(frame(time=time))[32] == rendering._NEUTRAL).all(axis=-1).sum())

    lengths = [filled(time) for time in (0, 5, 10)]
    assert lengths == [0, (rendering._RIGHT - 10) // 2, rendering._RIGHT - 10]


def test_an_unknown_solution_is_not_drawn() -> None:
    picture = rgb_array(frame(solution=None))
    assert not (picture == rendering._TARGET).all(axis=-1).any()
    assert "target" not in ansi(frame(solution=None))


def test_any_frame_can_be_drawn() -> None:
    rgb_array(
        frame(outputs=np.array([np.nan, 7.0, -np.inf]), feedback=np.array([np.nan, np.inf]), reward=None)
    )
    many = np.ones(100)
    rgb_array(
        frame(
            title="A title that is far too long for its picture, umlaut ü",
            inputs=np.linspace(-2, 2, 800).reshape(100, 8),
            outputs=-many,
            mask=many,
            solution=many,
            feedback=many,
            time=999999,
        )
    )


def test_inputs_appear_when_there_are_some() -> None:
    red, blue = (255, 55, 55), (55, 55, 255)
    plain, shown = rgb_array(frame()), rgb_array(frame(inputs=np.array([[1.0], [-1.0]])))
    for colour in (red, blue):
        assert not (plain == colour).all(axis=-1).any()
        assert (shown == colour).all(axis=-1).any()


def test_ansi_is_one_line_without_unused_slots() -> None:
    assert ansi(frame()) == (
        "Toy   3/10  outputs [+0.50 -0.50]  target [-1.00 +1.00]  feedback [+2.00]  reward -2.000"
    )


def test_the_font_writes_a_t() -> None:
    bar, stem = text_mask("T")[0], text_mask("T")[1:7]
    assert bar.tolist() == [True] * 5 + [False]
    assert stem.tolist() == [[False, False, True, False, False, False]] * 6
    assert text_mask("ab", scale=3).shape == (24, 36)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_render_modes_through_make(mode: str) -> None:
    env = gym.make(GAME, render_mode=mode)
    with pytest.raises(ResetNeeded):
        env.unwrapped.render()
    env.reset(seed=0)
    before: Any = env.render()
    env.step(np.full(3, 0.9, np.float32))
    after: Any = env.render()
    assert type(before) is {"ansi": str, "rgb_array": np.ndarray}[mode]
    assert not np.array_equal(before, after)


def test_rgb_array_needs_no_pygame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    env = gym.make(GAME, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render() is not None


def test_human_without_pygame_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    env = gym.make(GAME, render_mode="human")
    with pytest.raises(DependencyNotInstalled, match=r"badger-suite\[render\]"):
        env.reset(seed=0)


def test_human_shows_the_picture_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gym.make(GAME, render_mode="human")
    env.reset(seed=0)
    env.step(np.full(3, 0.9, np.float32))
    assert env.render() is None
    twin = gym.make(GAME, render_mode="rgb_array")
    twin.reset(seed=0)
    twin.step(np.full(3, 0.9, np.float32))
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(shown, twin.render())
    assert pickle.loads(pickle.dumps(env.unwrapped)).family == env.unwrapped.family  # type: ignore[attr-defined]
    env.close()
    env.close()
    assert not pygame.display.get_init()


def test_closing_one_window_leaves_the_other_environment_running(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    one, other = (gym.make(GAME, render_mode="human") for _ in range(2))
    one.reset(seed=0)
    other.reset(seed=1)
    one.close()
    other.step(np.full(3, 0.9, np.float32))
    twin = gym.make(GAME, render_mode="rgb_array")
    twin.reset(seed=1)
    twin.step(np.full(3, 0.9, np.float32))
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(shown, twin.render())
    other.close()
    assert not pygame.display.get_init()
