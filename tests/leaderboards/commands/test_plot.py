"""`badger plot`: that learning curves are those of the logs, seed by seed, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from leaderboards.plots.learning import Curve, draw_learning, median, read_curve, smooth
from tests.badger_agents.small import small_recipe
from tests.leaderboards.command import refused, run


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a recipe with two stages and one of a recipe without, not to be written in."""
    place = tmp_path_factory.mktemp("learning")
    stages = [{"until": 1e9, "env": {"horizon": 3}}, {"env": {"horizon": 4}}]
    training = {"outer_steps": 5, "validate_every": 2, "validation_trials": 4, "stages": stages}
    for seed in (3, 4):
        train(small_recipe(name="staged", training=training), seed, place / f"staged{seed}")
    train(small_recipe(), 0, place / "small")
    return place


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def curve(seed: int, loss: list[float], every: int = 10, changes: int | None = None, **more: object) -> Curve:
    steps = every * np.arange(1.0, len(loss) + 1)
    stage = (steps >= changes).astype(float) if changes else np.zeros(len(loss))
    made = Curve(
        "made", seed, "error", False, steps, steps / 2 + seed, np.array(loss), stage, stage * np.nan, 0
    )
    return made._replace(**more)


def test_the_losses_at_the_end_are_told_of_each_seed_and_their_median(
    capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    runs = [folders / name for name in ("small", "staged4", "staged3")]
    done = run(capsys, "plot", *runs, "--smoothing", 2, "--out", "new/curves.png", "--json")
    assert done.status == 0, done.err
    assert imread("new/curves.png").ndim == 3
    ends = {}
    for name, seed in (("small", 0), ("staged", 3), ("staged", 4)):
        log = read_log(folders / (name if name == "small" else f"{name}{seed}") / "log.jsonl")
        (row,) = (r for r in done.results if r.get("outer_seed") == seed and r["agent"] == name)
        ends[seed] = (log[-1]["loss"] + log[-2]["loss"]) / 2
        assert row["value"] == pytest.approx(ends[seed])
        assert (row["outer_steps"], row["seconds"]) == (log[-1]["step"], log[-1]["seconds"])
        assert row["stage"] == (1 if name == "small" else 2)
    assert done.value("median_loss") == pytest.approx((ends[3] + ends[4]) / 2)
    assert "preliminary" in done.out
    table = run(capsys, "plot", *runs, "--over", "seconds")
    assert "plot.png" in table.out
    assert Path("plot.png").is_file()


def test_a_curve_has_the_stages_and_the_validation_of_the_log(folders: Path) -> None:
    found = read_curve(str(folders / "staged3"))
    assert found.steps.tolist() == [1, 2, 3, 4, 5]
    assert found.starts == {1: 2}  # the second stage begins at the third row
    logged = [row.get("validation") for row in read_log(folders / "staged3" / "log.jsonl")]
    assert [None if np.isnan(value) else value for value in found.validation] == logged
    assert sum(value is not None for value in logged) == 1
    assert read_curve(str(folders / "small")).starts == {}


def test_medians_are_over_the_steps_that_all_seeds_have() -> None:
    seeds = [
        curve(0, [1, 2, 9], changes=20),
        curve(1, [3, 6], changes=20),
        curve(2, [5, 7, 8, 9], changes=30),
    ]
    middle = median(seeds, 1)
    assert middle.steps.tolist() == [10, 20]
    assert middle.loss.tolist() == [3, 6]
    assert middle.seconds.tolist() == [6, 11]
    assert middle.starts == {1: 1}
    assert median(seeds, 2).loss.tolist() == [3, 4.5]
    with pytest.raises(ValueError, match="no logged step in common"):
        median([curve(0, [1, 2]), curve(1, [1, 2], every=7)], 1)


@pytest.mark.parametrize("over", ["steps", "seconds"])
def test_every_seed_is_thin_and_their_median_thick(over: str) -> None:
    seeds = [curve(0, [4, 3, 2], changes=20), curve(1, [2, 1, 1], changes=30)]
    figure = draw_learning({"made": seeds, "alone": [curve(0, [1, 1, 1])]}, over, 1)
    (axis,) = figure.axes  # nobody was validated
    drawn = {line.get_linewidth(): [] for line in axis.lines}
    for line in axis.lines:
        if line.get_marker() == "None":
            drawn[line.get_linewidth()].append(line.get_ydata().tolist())
    assert drawn[0.7] == [[4, 3, 2], [2, 1, 1]]
    assert drawn[2] == [[3, 2, 1.5], [1, 1, 1]]
    bars = [line.get_xdata().tolist() for line in axis.lines if line.get_marker() == "|"]
    assert bars == ([[20], [30]] if over == "steps" else [[10], [16]])
    assert [text.get_text() for text in axis.texts] == ["2"]
    assert axis.get_yscale() == "log"


def test_validation_is_dots_below_on_the_scale_of_its_outcome() -> None:
    shown = curve(0, [1, 1e-9, 1], validation=np.array([np.nan, 0.3, 0.6]))
    for more, scale in (({}, "log"), ({"higher_is_better": True, "outcome": "accuracy"}, "linear")):
        above, below = draw_learning({"made": [shown._replace(**more)]}, "steps", 1).axes
        assert above.get_yscale() == "linear"  # a loss next to 0
        assert below.get_yscale() == scale
        (dots,) = below.lines
        assert dots.get_linestyle() == "None"
        np.testing.assert_array_equal(dots.get_ydata(), [np.nan, 0.3, 0.6])
        assert ("accuracy" in below.get_ylabel()) == bool(more)


def test_stages_that_begin_at_about_the_same_time_share_a_label() -> None:
    stage = np.repeat([0, 1, 2, 3], [50, 1, 48, 1])
    figure = draw_learning({"made": [curve(0, [1.0] * 100, stage=stage)]}, "steps", 1)
    assert [text.get_text() for text in figure.axes[0].texts] == ["2-3", "4"]


def test_rows_without_a_finite_loss_are_left_out(folders: Path, tmp_path: Path) -> None:
    rows = read_log(folders / "small" / "log.jsonl")
    rows[2]["loss"] = float("nan")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "checkpoint.safetensors").write_bytes((folders / "small" / "checkpoint.safetensors").read_bytes())
    (copy / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_curve(str(copy))
    assert found.steps.tolist() == [1, 2, 4, 5, 6]
    assert np.isfinite(smooth(found.loss, 3)).all()


def test_smoothing_is_a_running_mean_that_starts_short() -> None:
    values = np.array([1.0, 2.0, 6.0, 3.0])
    np.testing.assert_allclose(smooth(values, 2), [1.0, 1.5, 4.0, 4.5])
    np.testing.assert_allclose(smooth(values, 10), [1.0, 1.5, 3.0, 3.0])


def test_what_cannot_be_drawn_is_refused(capsys: pytest.CaptureFixture[str], folders: Path) -> None:
    small = folders / "small"
    assert "no run 'nowhere'" in refused(capsys, "plot", "nowhere")
    assert "was not trained" in refused(capsys, "plot", "guessing-triangulation")
    assert "no log.jsonl" in refused(capsys, "plot", small / "checkpoint.safetensors")
    assert "outer seed 0 of small is given twice" in refused(capsys, "plot", small, small)
    assert "--smoothing is 0" in refused(capsys, "plot", small, "--smoothing", 0)
    assert "must end in" in refused(capsys, "plot", small, "--out", "a.bmp")
    assert not list(Path().iterdir())
