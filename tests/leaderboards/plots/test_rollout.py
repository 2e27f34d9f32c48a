"""Pictures: that they show the numbers given, and where they can be written."""

from pathlib import Path

import numpy as np
import pytest

from leaderboards.plots.demo import Curve, draw_demo
from leaderboards.plots.rollout import attention_among, draw_trace
from leaderboards.plots.style import save_figure


def trace(experts: int, trials: int = 10, slots: int = 3, steps: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {
        "outputs": rng.uniform(-1, 1, (steps, trials, slots)),
        "solution": np.broadcast_to(rng.uniform(-1, 1, (trials, slots)), (steps, trials, slots)),
    }
    if experts:
        arrays["messages"] = rng.normal(size=(steps, trials, experts, 4))
        arrays["attention"] = rng.uniform(size=(steps, trials, experts, experts))
    return arrays


def lines(figure) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata()) for axis in axes_of(figure) for line in axis.lines]


def axes_of(figure) -> list:
    """All axes, of figures within too."""
    return [*figure.axes, *(axis for sub in figure.subfigs for axis in axes_of(sub))]


def images(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axis in axes_of(figure) for image in axis.images]


@pytest.mark.parametrize("experts", [0, 1, 3, 9])
@pytest.mark.parametrize("trials", [1, 10, 12])
def test_a_trace_draws_outputs_and_targets_of_up_to_ten_trials(experts: int, trials: int) -> None:
    arrays = trace(experts, trials)
    drawn = {line.tobytes() for line in lines(draw_trace(arrays, "title"))}
    for trial in range(trials):
        for slot in range(3):
            assert (arrays["outputs"][:, trial, slot].tobytes() in drawn) == (trial < 10)
            assert (arrays["solution"][:, trial, slot].tobytes() in drawn) == (trial < 10)


def test_a_trace_draws_how_much_each_expert_is_heard() -> None:
    arrays = trace(3, trials=2)
    drawn = images(draw_trace(arrays, "title"))
    for task in range(2):
        got = arrays["attention"][:, task].mean(1).T  # [E, T]
        assert any(image.shape == got.shape and np.allclose(image, got) for image in drawn)


def test_attention_over_lists_is_drawn_as_a_matrix_is() -> None:
    arrays, lists = trace(9), trace(9)
    senders = np.tile(np.stack([(np.arange(9) + step) % 9 for step in (1, 4)], axis=-1), (5, 10, 1, 1))
    lists.update(attention=lists["attention"][..., :2], senders=senders)
    arrays["attention"][:] = 0
    np.put_along_axis(arrays["attention"], senders, lists["attention"], axis=-1)
    for shown in (4, 9, 20):
        expected = arrays["attention"][:, :, :shown, :shown]
        np.testing.assert_array_equal(attention_among(lists, shown), expected)
    drawn = [images(draw_trace(each, "title")) for each in (arrays, lists)]
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_allclose(one, other)


def test_who_is_heard_is_left_out_where_nobody_is() -> None:
    arrays = trace(2)
    del arrays["solution"]
    heard = len(images(draw_trace(arrays, "title")))
    arrays["attention"][:] = 0
    assert len(images(draw_trace(arrays, "title"))) == heard / 2


def test_choices_are_dots_at_the_slot_chosen() -> None:
    chosen, right = np.array([2, 0, 1, 1]), np.array([1, 1, 1, 1])
    arrays = {"outputs": np.eye(3)[chosen][:, None], "solution": np.eye(3)[right][:, None]}
    drawn = [line.tolist() for line in lines(draw_trace(arrays, "title"))]
    assert drawn == [chosen.tolist(), right.tolist()]


def test_the_loss_of_each_task_is_a_row_of_its_own() -> None:
    loss = np.linspace(1.0, 0.1, 10).reshape(5, 2)
    mean = loss.mean(1)
    drawn = [line.tolist() for line in lines(draw_trace(trace(0, 2), "title", loss=loss, mean=mean))]
    assert drawn.count(mean.tolist()) == 2
    assert all(loss[:, task].tolist() in drawn for task in range(2))


def curve(label: str) -> Curve:
    arrays = trace(0)
    steps = np.arange(10, 60, 10)
    return Curve(label, steps, steps / 50, np.linspace(1, 0.1, 5), arrays["outputs"], arrays["solution"])


def test_the_demo_draws_every_agent_s_error(tmp_path: Path) -> None:
    curves = [curve(f"agent {number}") for number in range(4)]
    figure = draw_demo(curves, 2 / 3, 300)
    drawn = {line.tobytes() for line in lines(figure)}
    assert all(each.error.tobytes() in drawn for each in curves)
    labels = [
        item.get_text() for axis in axes_of(figure) if axis.get_legend() for item in axis.get_legend().texts
    ]
    assert {each.label for each in curves} <= set(labels)
    assert any("0.667" in label for label in labels)


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_pictures_are_written_as_their_ending_says(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new" / f"picture{ending}"
    save_figure(draw_trace(trace(2), "title"), path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    figure = draw_trace(trace(0), "title")
    for path in (tmp_path / "file" / "p.png", tmp_path):
        with pytest.raises(ValueError, match="cannot"):
            save_figure(figure, path)
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg or \.pdf"):
        save_figure(figure, tmp_path / "p.bmp")
