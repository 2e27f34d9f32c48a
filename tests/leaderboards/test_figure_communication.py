"""`badger figure bits`, `rounds` and `halting`: the numbers drawn are those measured; what is refused."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from scipy import stats

from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe
from badger_agents.training.loop import train
from paper.parity import parity
from paper.figure_bits import draw_bits
from leaderboards.runs import find_source, open_run
from paper.subjects import find_settings
from leaderboards.sweeps import Sweep, over_seeds
from tests.badger_agents.small import keys, small_recipe
from tests.leaderboards.command import Done, refused, run

TRIALS = 20


def talking(**agent: Any) -> Recipe:
    tables = {"experts": 3, "policy_settings": {"hidden_size": 8, "message_size": 4, "key_size": 0}, **agent}
    return small_recipe(name="talking", agent=tables, training={"outer_steps": 2, "learning_rate": 0.1})


def deciding(topology: str, halts: bool = False) -> Recipe:
    policy = {"hidden_size": 8, "message_size": 4, "halts": halts}
    agent = {
        "experts": 4,
        "rounds": 3,
        "topology": topology,
        "membrane": "attentional",
        "writing": "absolute",
    }
    return small_recipe(
        name=f"deciding-{topology}",
        env={"id": "Badger/XOR-v0", "bits": 2, "horizon": 1},
        agent={"feedback_to": "all", "policy_settings": policy, **agent},
        training={
            "outer_steps": 3,
            "learning_rate": 0.1,
            "objective": "last_step",
            "stages": [{"outer_steps": 1}, {"env": {"bits": [2, 3]}, "agent": {"rounds": [2, 3]}}],
        },
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small runs, not to be written in."""
    place = tmp_path_factory.mktemp("talking")
    for seed in (0, 1):
        train(talking(channel={"vocabulary": 4}), seed, place / f"2bits{seed}")
        train(talking(topology="none"), seed, place / f"silent{seed}")
        train(deciding("ring"), seed, place / f"ring{seed}")
        train(deciding("ring", halts=True), seed, place / f"halting{seed}")
    train(deciding("all"), 0, place / "all0")
    return place


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def draw(capsys: pytest.CaptureFixture[str], name: str, *words: object) -> Done:
    done = run(capsys, "figure", name, *words, "--trials", TRIALS, "--json")
    assert done.status == 0, done.err
    assert imread(f"figure-{name}.png").ndim == 3
    return done


def rows(done: Done, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in done.results if all(row.get(key) == value for key, value in wanted.items())]


# bits


def test_error_against_bits_is_that_of_each_run_and_their_mean(
    capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    names = ("2bits1", "silent0", "2bits0")
    done = draw(capsys, "bits", "--runs", *(folders / name for name in names))
    for name in names:
        opened = open_run(str(folders / name))
        result = evaluate(opened.agent, opened.recipe.family(split="test"), TRIALS)
        bits = 2.0 if name.startswith("2bits") else 0.0
        (row,) = rows(done, name="error", bits_per_step=bits, outer_seed=opened.seed)
        assert (row["value"], row["n"], row["d"]) == (pytest.approx(result.mean), TRIALS, 3)
        assert row["ci95"] == pytest.approx(list(result.ci95))
    errors = [row["value"] for row in rows(done, name="error", bits_per_step=2.0)]
    mean, silent = (rows(done, name="mean_error", bits_per_step=bits)[0] for bits in (2.0, 0.0))
    ends = stats.t.interval(0.95, 1, np.mean(errors), stats.sem(errors))
    assert mean["value"] == pytest.approx(np.mean(errors))
    assert mean["ci95"] == pytest.approx(list(ends), rel=1e-3)
    assert (mean["outer_seeds"], silent["outer_seeds"]) == (2, 1)
    assert "ci95" not in silent  # one seed tells nothing of others
    assert rows(done, name="bound")[0]["value"] == pytest.approx(2 / 3)
    assert rows(done, agent="guessing-triangulation")[0]["value"] == pytest.approx(0, abs=1e-9)


def test_the_fewest_bits_that_solve_the_game_are_told(
    capsys: pytest.CaptureFixture[str], folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("bits", "--runs", folders / "2bits0", folders / "silent0")
    assert "fewest with a mean error of at most 0.1: none" in draw(capsys, *words).out
    monkeypatch.setattr("paper.bits.SOLVED", 1e9)
    done = draw(capsys, *words)
    assert "fewest with a mean error of at most 1000000000.0: 0;" in done.out
    assert "preliminary" in done.out


def made(bits: float, errors: list[float]) -> Sweep:
    mean, settings = np.array(errors)[:, None], {"bits_per_step": bits, "horizon": 20}
    return Sweep("error", "made", "d", (3,), tuple(range(len(errors))), mean, None, 10, settings)


def test_every_seed_is_a_dot_and_errors_too_small_stand_on_the_edge() -> None:
    sweeps = [made(0, [0.7]), made(8, [0.02, 1e-6, 0.04])]
    (axis,) = draw_bits(sweeps, [None, (-0.03, 0.07)], 2 / 3, 1e-12, 0.1).axes
    dots = [line.get_xydata().tolist() for line in axis.lines if line.get_marker() == "o"]
    assert dots == [[[0, 0.7]], [[8, 0.02], [8, 1e-3], [8, 0.04]]]
    (bar,) = axis.collections[0].get_segments()
    np.testing.assert_allclose(bar, [[8, 1e-3], [8, 0.07]])
    assert axis.get_ylim()[0] == 1e-3


@pytest.mark.parametrize("seeds", [2, 3, 10, 31, 32, 60])
def test_intervals_over_outer_seeds_are_student_s(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(size=seeds)
    mean, ends = over_seeds(values)
    assert mean == pytest.approx(values.mean())
    assert ends == pytest.approx(stats.t.interval(0.95, seeds - 1, mean, stats.sem(values)), rel=5e-3)


def test_of_one_outer_seed_nothing_is_known_of_others() -> None:
    assert over_seeds(np.array([0.5])) == (0.5, (-math.inf, math.inf))


# rounds


def test_accuracy_against_rounds_for_each_topology(capsys: pytest.CaptureFixture[str], folders: Path) -> None:
    names = ("ring0", "ring1", "all0")
    done = draw(capsys, "rounds", "--runs", *(folders / name for name in names))
    for name in names:
        source = find_source(str(folders / name))
        for bits in (2, 3):
            for rounds in (1, 2, 3):
                opened = source.open(rounds=rounds)
                family = opened.recipe.family(bits=bits, split="test")
                wanted = {"policy": "learned", "outer_seed": opened.seed, "bits": bits, "rounds": rounds}
                (row,) = rows(done, name="accuracy", topology=name[:-1], **wanted)
                assert row["value"] == pytest.approx(evaluate(opened.agent, family, TRIALS).mean)
    for topology, needed in (("all", 2), ("ring", 2)):  # of 2 and 3 bits
        crafted = rows(done, policy="handcrafted", topology=topology)
        assert len(crafted) == 2 * 3
        assert all((row["value"] == 1) == (row["rounds"] >= needed) for row in crafted)
    medians = rows(done, name="median_accuracy")
    assert len(medians) == 2 * 3
    assert {row["topology"] for row in medians} == {"ring"}


def test_handcrafted_parity_is_there_for_its_topology_alone(
    capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    done = draw(capsys, "rounds", "--runs", folders / "ring0", "--dims", 4, 2)
    crafted = rows(done, policy="handcrafted")
    assert {(row["topology"], row["bits"], row["experts"]) for row in crafted} == {
        ("ring", 2, 2),
        ("ring", 4, 4),
    }
    reached = {row["rounds"] for row in crafted if row["bits"] == 4 and row["value"] == 1}
    assert reached == {3}  # N // 2 + 1


def test_the_table_of_rounds_is_markdown_with_the_numbers_drawn(
    capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    words = ("figure", "rounds", "--runs", folders / "ring0", folders / "all0", "--dims", 2)
    done = run(capsys, *words, "--trials", TRIALS)
    lines = [line.strip("| ").split(" | ") for line in done.out.splitlines() if line.startswith("|")]
    assert lines[0] == ["bits", "topology", "policy", "R = 1", "R = 2", "R = 3"]
    with open("figure-rounds.csv", newline="") as file:
        numbers = list(csv.DictReader(file))
    assert len(lines) == 2 + 4
    for line in lines[2:]:
        told = [
            float(row["value"])
            for row in numbers
            if [row[key] for key in ("bits", "topology", "policy")] == line[:3]
        ]
        assert [float(cell) for cell in line[3:]] == pytest.approx(told, abs=5e-4)
    assert "preliminary" in done.out


# halting


def test_rounds_used_are_those_of_evaluation_and_differences_are_paired(
    capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    names = ("halting0", "halting1")
    done = draw(capsys, "halting", "--runs", *(folders / name for name in names))
    means = []
    for name in names:
        opened = open_run(str(folders / name))
        found = [
            evaluate(opened.agent, opened.recipe.family(bits=bits, split="test"), TRIALS) for bits in (2, 3)
        ]
        talks = [result.rounds for result in found if result.rounds is not None]
        for bits, result, talk in zip((2, 3), found, talks, strict=True):
            (used,) = rows(done, name="rounds_per_step", bits=bits, outer_seed=opened.seed)
            (right,) = rows(done, name="accuracy", bits=bits, outer_seed=opened.seed)
            assert used["value"] == pytest.approx(float(talk.mean()))
            assert right["value"] == pytest.approx(result.mean)
        for kind, paired in (
            ("rounds_per_step_difference", talks[1] - talks[0]),
            ("accuracy_difference", found[1].outcomes - found[0].outcomes),
        ):
            (row,) = rows(done, name=kind, outer_seed=opened.seed)
            half = 1.96 * float(paired.std()) / TRIALS**0.5
            mean = float(paired.mean())
            assert (row["bits"], row["against_bits"], row["value"]) == (3, 2, pytest.approx(mean))
            assert row["ci95"] == pytest.approx([mean - half, mean + half])
        means.append(float((talks[1] - talks[0]).mean()))
    assert done.value("mean_rounds_per_step_difference") == pytest.approx(np.mean(means))


def test_of_one_size_there_is_no_difference(capsys: pytest.CaptureFixture[str], folders: Path) -> None:
    done = draw(capsys, "halting", "--runs", folders / "halting0", "--dims", 3)
    assert {row["name"] for row in done.results} == {"rounds_per_step", "accuracy", "picture", "numbers"}


def test_trials_of_several_sizes_are_pairs(folders: Path) -> None:
    subject = find_settings([str(folders / "halting0")], (), "cpu")[0][0]
    names, agent = keys(5), subject.make()
    few, many = (parity(subject.recipe, number) for number in (2, 3))
    assert torch.equal(few.sample_task(names).bits, many.sample_task(names).bits[:, :2])
    states = [agent.initial_state(family, names).experts for family in (few, many)]
    assert torch.equal(*states)
    assert states[0].std() > 0.1


def test_the_tables_of_bits_and_halting_are_markdown(
    capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    def table(*words: object) -> list[list[str]]:
        out = run(capsys, "figure", *words, "--trials", TRIALS).out
        return [
            [cell.strip() for cell in line[1:-1].split("|")] for line in out.splitlines() if line[:1] == "|"
        ]

    lines = table("bits", folders / "2bits0", folders / "silent1")
    assert [line[0] for line in lines[2:]] == ["0", "2"]
    assert [line[1] for line in lines[2:]] == [line[3] for line in lines[2:]]  # the mean is the one seed's
    lines = table("halting", folders / "halting1", folders / "halting0")
    assert [line[:2] for line in lines[2:]] == [
        [str(seed), name] for seed in (0, 1) for name in ("rounds_per_step", "accuracy")
    ]
    for _, _, easy, hard, said in lines[2:]:
        assert float(said.split()[0]) == pytest.approx(float(hard) - float(easy), abs=2e-3)


# what is refused


def test_runs_that_cannot_be_compared_are_refused(capsys: pytest.CaptureFixture[str], folders: Path) -> None:
    def said(name: str, *runs: str) -> str:
        words = [folders / each if (folders / each).exists() else each for each in runs]
        line = refused(capsys, "figure", name, *(["--runs", *words] if words else []), "--trials", 2)
        assert not list(Path().iterdir())
        return line

    assert "give folders" in said("bits")
    assert "outer seed 0 of deciding-ring is given twice" in said("rounds", "ring0", "ring0")
    assert "differ in agent.policy_settings.halts" in said("rounds", "ring0", "halting1")
    assert "differ in agent.topology" in said("halting", "ring0", "all0")
    assert "env.id" in said("bits", "2bits0", "ring0")
    assert "cast no votes" in said("halting", "ring0")
    assert "this figure is of XOR" in said("halting", "2bits0")
    assert "this figure is of the guessing game" in said("bits", "ring0")
    assert "xor-handcrafted was not trained" in said("rounds", "xor-handcrafted")
    assert "--experts" in refused(capsys, "figure", "bits", "--runs", folders / "2bits0", "--experts", 2)
