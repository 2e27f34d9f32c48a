"""`badger figure`: that the numbers drawn are those measured, and what is refused."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.evaluation import evaluate
from badger_envs.families.guessing_game import GuessingGame
from leaderboards import subjects
from paper.rollouts import _judged
from paper.figure_dimensions import PUBLISHED, draw_dimensions, read_anchor
from paper.figure_experts import draw_experts
from paper.figure_rollouts import one_number
from leaderboards.runs import open_run
from paper.subjects import find_subjects, game, met_in_training
from leaderboards.sweeps import Sweep
from tests.badger_agents.small import small_recipe
from tests.leaderboards.command import Done, refused, run

TRIALS = 16

HARDWIRED = """
name = "hardwired"
[env]
id = "Badger/GuessingGame-v0"
horizon = 4
[agent]
feedback_to = "one"
[agent.policy_settings]
hidden_size = 8
message_size = 4
[training]
outer_steps = 3
batch_size = 8
learning_rate = 0.1
objective = "last_step"
"""

ATTENTIONAL = """
name = "attentional"
[env]
id = "Badger/GuessingGame-v0"
dims = [1, 4]
shuffle_slots = true
horizon = 4
[agent]
membrane = "attentional"
echo = true
[agent.policy_settings]
hidden_size = 8
message_size = 4
[training]
outer_steps = 3
batch_size = 8
learning_rate = 0.1
[[training.stages]]
outer_steps = 2
agent = { experts = 2 }
[[training.stages]]
env = { dims = 5 }
agent = { experts = [1, 3] }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Folders of small runs, not to be written in: hardwired-0, attentional-0 and attentional-1."""
    from leaderboards.cli import main

    folder = tmp_path_factory.mktemp("trained")
    for name, text, seeds in (("hardwired", HARDWIRED, (0,)), ("attentional", ATTENTIONAL, (0, 1))):
        (folder / f"{name}.toml").write_text(text)
        for seed in seeds:
            out = folder / f"{name}-{seed}"
            main(["train", str(folder / f"{name}.toml"), f"--seed={seed}", f"--out={out}", "--json"])
    return lambda name: str(folder / name)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def draw(capsys: pytest.CaptureFixture[str], *words: object) -> Done:
    done = run(capsys, "figure", *words, "--json")
    assert done.status == 0, done.err
    return done


def values(done: Done, name: str, key: str, **wanted: Any) -> dict[Any, float]:
    """Values of records of a name by one of their keys, which must tell them apart."""
    rows = [
        row
        for row in done.results
        if row["name"] == name and all(row.get(setting) == value for setting, value in wanted.items())
    ]
    found = {row[key]: row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


def measured(target: str, experts: int, dims: int, horizon: int, trials: int = TRIALS) -> float:
    agent = open_run(target, experts=experts).agent
    return evaluate(
        agent, GuessingGame(dims=dims, horizon=horizon, split="test", shuffle_slots=True), trials
    ).mean


# figure 7


def test_figure_7_has_ours_the_published_curves_and_the_bounds(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    target = trained("attentional-0")
    words = ("--runs", target, "--dims", 3, 1, 2, "--experts", 2, "--trials", TRIALS)
    done = draw(capsys, 7, *words)
    ours = values(done, "error", "d", agent="attentional", experts=2, horizon=20)
    assert ours == {d: pytest.approx(measured(target, 2, d, 20)) for d in (1, 2, 3)}
    plain = values(done, "error", "d", agent="guessing-triangulation")
    assert plain == {d: pytest.approx(0, abs=1e-9) for d in (1, 2, 3)}
    published = values(done, "published_error", "d", column="trained_d3_to_d6")
    assert (len(published), published[1], published[6], published[20]) == (20, 0.078, 0.130, 0.828)
    assert values(done, "bound", "d", agent="one number everywhere") == pytest.approx(
        {1: 0, 2: 1 / 2, 3: 2 / 3}
    )
    assert Path("figure-7.png").read_bytes().startswith(b"\x89PNG")


def test_the_csv_beside_the_picture_has_the_same_numbers(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    words = ("--runs", trained("attentional-0"), "--dims", 2, "--trials", TRIALS, "--out", "sub/mine.svg")
    done = draw(capsys, 7, *words)
    assert done.value("numbers") == "sub/mine.csv"
    assert Path("sub/mine.svg").is_file()
    with open("sub/mine.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    told = [row for row in done.results if row["name"] not in ("picture", "numbers")]
    assert len(rows) == len(told)
    for row, wanted in zip(rows, told, strict=True):
        assert (row["name"], float(row["value"])) == (wanted["name"], wanted["value"])
        if "ci95" in wanted:
            assert [float(row["ci95_low"]), float(row["ci95_high"])] == wanted["ci95"]


def test_several_outer_seeds_are_told_with_their_median(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    runs = [trained(f"attentional-{seed}") for seed in (0, 1)]
    done = draw(capsys, 7, "--runs", *runs, "--dims", 2, "--experts", 3, "--trials", TRIALS)
    each = values(done, "error", "outer_seed", agent="attentional")
    assert set(each) == {0, 1}
    assert each[0] != each[1]
    assert values(done, "median_error", "outer_seeds") == {2: pytest.approx((each[0] + each[1]) / 2)}


def test_the_published_curves_ship_and_are_whole() -> None:
    published = read_anchor()
    d = np.arange(1, 21)
    np.testing.assert_array_equal(published["d"], d)
    np.testing.assert_allclose(published["mean_only"], 1 - 1 / d, atol=6e-4)
    for curve in PUBLISHED:  # each is best near where it was trained
        low, high = curve.trained
        assert low - 1 <= d[published[curve.column].argmin()] <= high


def made_sweep(seeds: int, places: tuple[int, ...] = (1, 2, 3), **more: Any) -> Sweep:
    mean = np.random.default_rng(0).uniform(0.1, 1, (seeds, len(places)))
    ci95 = np.stack([mean - 0.05, mean + 0.05], axis=-1)
    settings = {"experts": 4, "horizon": 20, "d": 6, **more}
    return Sweep("error", "made", "d", places, tuple(range(seeds)), mean, ci95, 10, settings)


@pytest.mark.parametrize("seeds", [1, 3])
def test_figure_7_draws_every_curve_in_both_panels(seeds: int) -> None:
    ours, published = made_sweep(seeds), read_anchor()
    for axis in draw_dimensions(ours, [], published, (3, 6)).axes:
        drawn = {np.asarray(line.get_ydata(), dtype=float).tobytes() for line in axis.lines}
        wanted = [ours.median, *(published[curve.column] for curve in PUBLISHED)]
        wanted += list(ours.mean) if seeds > 1 else []
        assert all(curve.tobytes() in drawn for curve in wanted)


# experts


def test_experts_are_compared_on_the_same_tasks(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    target = trained("attentional-0")
    done = draw(capsys, "experts", "--runs", target, "--dims", 2, "--experts", 1, 2, "--trials", TRIALS)
    errors = values(done, "error", "experts", d=2)
    assert set(errors) == {1, 2, 3, 12}  # asked for, training's most, four times that
    assert errors[1] == pytest.approx(measured(target, 1, 2, 4))
    (row,) = (row for row in done.results if row["name"] == "difference")
    assert (row["experts"], row["against_experts"], row["n"]) == (12, 3, TRIALS)
    assert row["value"] == pytest.approx(errors[12] - errors[3])
    family = GuessingGame(dims=2, horizon=4, split="test", shuffle_slots=True)
    many, few = (evaluate(open_run(target, experts=n).agent, family, TRIALS).outcomes for n in (12, 3))
    half = 1.96 * float((many - few).std()) / TRIALS**0.5
    assert row["ci95"] == pytest.approx([row["value"] - half, row["value"] + half])


def test_the_numbers_of_experts_met_in_training_are_shaded() -> None:
    figure = draw_experts(made_sweep(1)._replace(over="experts"), (5, 9))
    labels = {text.get_text() for legend in figure.legends for text in legend.texts}
    assert "experts in training: 5 to 9" in labels


def test_what_training_met_is_read_off_all_stages(trained: Callable[[str], str]) -> None:
    recipe = find_subjects([trained("attentional-0")], "", "cpu")[0].recipe
    assert met_in_training(recipe, "agent", "experts") == (1, 3)
    assert met_in_training(recipe, "env", "dims") == (1, 5)
    assert met_in_training(recipe, "env", "horizon") == (4, 4)
    assert met_in_training(small_recipe(), "agent", "experts") == (3, 3)  # said nowhere
    assert met_in_training(small_recipe(env={"dims": [1, 2]}, agent={"experts": 4}), "env", "dims") == (1, 2)


# lives


def test_lives_are_1_2_5_and_10_times_as_long_as_in_training(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    target = trained("attentional-0")
    done = draw(capsys, "lives", "--runs", target, "--dims", 2, 3, "--trials", TRIALS)
    for dims in (2, 3):
        ends = values(done, "error", "horizon", d=dims)
        assert list(ends) == [4, 8, 20, 40]
        assert ends[8] == pytest.approx(measured(target, 3, dims, 8))
        within = values(done, "error_within", "step", d=dims)
        assert list(within) == list(range(1, 41))
        assert within[40] == pytest.approx(ends[40], rel=1e-5)
        differences = values(done, "difference", "horizon", d=dims)
        assert differences == {h: pytest.approx(ends[h] - ends[4]) for h in (8, 20, 40)}


# figures 6, 8 and 9


def test_ten_rollouts_with_their_targets_and_messages(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    target = trained("hardwired-0")
    done = draw(capsys, 9, "--runs", target, "--trials", TRIALS)
    opened = open_run(target)
    evaluation = evaluate(opened.agent, opened.recipe.family(split="test"), TRIALS)
    assert done.value("error") == pytest.approx(evaluation.mean)
    rows: dict[tuple[Any, ...], float] = {
        (row["name"], row["task"], row["step"], row.get("slot", row.get("expert"))): row["value"]
        for row in done.results
        if "task" in row
    }
    for task in range(1, 11):
        for step in range(1, 5):
            misses = [rows["outputs", task, step, i] - rows["solution", task, step, i] for i in range(3)]
            assert rows["error_of_task", task, step, None] == pytest.approx(np.square(misses).sum(), rel=1e-4)
            assert all(abs(rows["message_component", task, step, i]) <= 1 for i in range(3))
    assert len(rows) == 10 * 4 * (3 + 3 + 3 + 1)


def test_slots_not_in_use_and_messages_of_nobody_s_output_are_left_out(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    done = draw(capsys, 6, "--runs", trained("attentional-0"), "--trials", TRIALS)
    sizes = [len(values(done, "solution", "slot", task=task, step=4)) for task in range(1, 11)]
    assert len(set(sizes)) > 1
    assert all(5 <= size <= 8 for size in sizes)  # what the range (1, 4) holds out
    assert not [row for row in done.results if row["name"] == "message_component"]


def test_figure_8_has_what_the_experts_say_and_to_whom_they_listen(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    done = draw(capsys, 8, "--runs", trained("hardwired-0"))
    said = [row for row in done.results if row["name"] == "messages"]
    assert len(said) == 3 * 4 * 3 * 4  # tasks, steps, experts, numbers
    heard = [row for row in done.results if row["name"] == "attention"]
    for task in (1, 2, 3):
        for expert in range(3):
            rows = [row for row in heard if (row["task"], row["step"], row["expert"]) == (task, 2, expert)]
            assert sum(row["value"] for row in rows) == pytest.approx(1)
            assert [row["value"] for row in rows if row["speaker"] == expert] == [0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 5), st.floats(0.1, 10))
def test_messages_along_one_line_are_one_number(seed: int, size: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    along, line = rng.normal(size=(4, 3, 2)), rng.normal(size=size)
    number, share = one_number(along[..., None] * line * scale + rng.normal(size=size))
    assert share == pytest.approx(1)
    assert number.max() == pytest.approx(1)
    assert np.abs(number).max() == pytest.approx(1)
    assert abs(np.corrcoef(number.ravel(), along.ravel())[0, 1]) == pytest.approx(1)


def test_messages_that_never_change_are_no_number() -> None:
    number, share = one_number(np.full((4, 3, 2, 5), 0.7))
    assert share == 0
    assert not number.any()


def test_the_steps_judged_are_those_that_the_objective_depends_on() -> None:
    assert {name: _judged(name, 20) for name in OBJECTIVES} == {
        "last_step": (20, 20),
        "second_half": (11, 20),
        "as_soon_as_possible": (1, 20),
    }


# tables, and what is refused


def test_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "figure", "--help")
    assert (done.status, done.err) == (0, "")
    assert all(option in done.out for option in ("experts,lives", "--runs", "--trials", "--json"))


def test_a_table_for_people_says_where_the_picture_is(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    words = ("--runs", trained("attentional-0"), "--experts", 2, "--trials", TRIALS, "--out", "a.png")
    done = run(capsys, "figure", "experts", *words)
    assert done.status == 0
    assert "a.png" in done.out
    assert "a.csv" in done.out


def test_without_runs_it_is_the_pretrained_policy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trained: Callable[[str], str]
) -> None:
    from badger_agents.training.checkpoint import load_checkpoint

    monkeypatch.setattr(subjects, "pretrained_names", lambda: ["guessing-attentional"])
    path = Path(trained("attentional-1")) / "checkpoint.safetensors"
    monkeypatch.setattr(subjects, "load_pretrained", lambda name: load_checkpoint(path))
    done = draw(capsys, "experts", "--dims", 2, "--experts", 2, "--trials", TRIALS)
    assert values(done, "error", "outer_seed", experts=2)[1] == pytest.approx(measured(path, 2, 2, 4))
    line = refused(capsys, "figure", 9)
    assert "no pretrained policy 'guessing-as-soon-as-possible'" in line
    assert "--runs" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("7", "--dims", 0), "--dims is 0"),
        (("experts", "--experts", 2, 0), "--experts is 2 0"),
        (("7", "--trials", 0), "--trials is 0"),
        (("7", "--out", "a.bmp"), "must end in .png"),
        (("7", "--seed", -1), "--seed is -1"),
        (("7", "--experts", 1, 2), "one number"),
        (("experts", "--dims", 1, 2), "one number"),
        (("6", "--dims", 3), "as it was trained"),
        (("8", "--trials", 9), "figure 8 is of the first 3 tasks"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str], words: tuple[Any, ...], said: str
) -> None:
    assert said in refused(capsys, "figure", *words, "--runs", trained("hardwired-0"))
    assert not list(Path().iterdir())


def test_runs_that_do_not_fit_are_refused(
    capsys: pytest.CaptureFixture[str], trained: Callable[[str], str]
) -> None:
    both = (trained("hardwired-0"), trained("attentional-0"))
    assert "different recipes (attentional, hardwired)" in refused(capsys, "figure", 7, "--runs", *both)
    two = (trained("attentional-0"), trained("attentional-1"))
    assert "figure 6 is of one run, not of 2" in refused(capsys, "figure", 6, "--runs", *two)
    assert "no experts that talk" in refused(capsys, "figure", 8, "--runs", "guessing-triangulation")
    line = refused(capsys, "figure", "experts", "--runs", both[0], "--trials", 4)
    assert "hardwired membrane" in line  # one expert for six outputs
    with pytest.raises(ValueError, match=r"xor .*figure is of the guessing game"):
        game(small_recipe(name="xor", env={"id": "Badger/XOR-v0", "horizon": 1}))
