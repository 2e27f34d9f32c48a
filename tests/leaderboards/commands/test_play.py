"""`badger play`: typed text becomes actions, wrong text is asked for again, and the score is honest."""

import io
import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from badger_envs import family_of, scoring
from badger_envs.scoring import Anchor, Scale
from leaderboards.cli import main
from leaderboards.commands.play import parsed, wanted
from tests.badger_envs.ids import QUICK_AND_SLOW

GAME = "Badger/GuessingGame-v0"
BANDIT = "Badger/Bandit-k5-n10-v0"
SCALES = {GAME: Scale("error", Anchor("zeros", 1.0, 0.01, 10_000), Anchor("triangulation", 0.0, 0.0, 10_000))}


@pytest.fixture(autouse=True)
def _known_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "scales", lambda: SCALES)


class Played:
    """What a game with this typed text left behind."""

    def __init__(self, monkeypatch: Any, capsys: Any, typed: str, *arguments: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        self.status = 0
        try:
            main(["play", *arguments])
        except SystemExit as stop:
            self.status = int(stop.code or 0)
        self.out, self.err = capsys.readouterr()

    @property
    def results(self) -> dict[tuple[str, str], Any]:
        rows = json.loads(self.out)["results"]
        return {(row["name"], row["agent"]): row for row in rows}


def test_what_is_typed_is_played_and_scored(monkeypatch: Any, capsys: Any) -> None:
    """The outcome is that of `gym.make` with the same actions; the score lies on the line of the scale."""
    typed = ["0.1 -0.2 0.3", "1,1,1", ".5 0 -.25"] + ["-1 -1 0.125"] * 17
    played = Played(monkeypatch, capsys, "\n".join(typed), GAME, "--seed", "4", "--json")
    env = gym.make(GAME, split="test")
    env.reset(seed=4)
    for line in typed:
        action = [float(word) for word in line.replace(",", " ").split()]
        *_, info = env.step(np.array(action, np.float32))
    assert played.status == 0
    you = played.results["error", "you"]
    assert you["value"] == pytest.approx(info["error"])
    assert (you["env"], you["task_seed"], you["n"]) == (GAME, 4, 1)
    assert played.results["score", "you"]["value"] == pytest.approx(1 - info["error"])
    assert played.results["error", "zeros"]["value"] == 1.0
    assert played.results["error", "triangulation"]["value"] == 0.0
    assert "step 20 of 20" in played.err


def test_each_step_shows_what_an_agent_sees(monkeypatch: Any, capsys: Any) -> None:
    played = Played(monkeypatch, capsys, "0.25 -1 1\nq\n", GAME, "--seed", "0")
    env = gym.make(GAME, split="test")
    first = env.reset(seed=0)[0]["feedback"][0]
    second = env.step(np.array([0.25, -1, 1], np.float32))[0]["feedback"][0]
    assert "step 0 of 20" in played.out
    assert f"{first:+.3f}" in played.out
    assert "+0.250  -1.000  +1.000" in played.out
    assert f"{second:+.3f}" in played.out
    assert "target" not in played.out  # while the trial goes on


def test_a_maze_is_shown_from_above(monkeypatch: Any, capsys: Any) -> None:
    played = Played(monkeypatch, capsys, "q\n", "Badger/Deliberation-maze-v0", "--seed", "1")
    lines = played.out.split("step 0 of 16")[1].splitlines()[1:6]
    assert all(set(line[14:]) <= set(".#S ") and len(line) == 23 for line in lines)
    assert sum("S" in line for line in lines) == 1


def test_the_truth_is_told_at_the_end(monkeypatch: Any, capsys: Any) -> None:
    played = Played(monkeypatch, capsys, "0 0 0\n", GAME, "--env", "horizon=1")
    assert "target" in played.out
    assert "no score: floor and ceiling are those of the environment's own settings" in " ".join(
        played.out.split()
    )


def test_an_id_without_constants_says_so(monkeypatch: Any, capsys: Any) -> None:
    played = Played(monkeypatch, capsys, "0\n" * 10, BANDIT)
    assert played.status == 0
    assert f"floor and ceiling of {BANDIT} are not known" in " ".join(played.out.split())
    assert "total_reward" in played.out


@pytest.mark.parametrize("id", ["Badger/GuessingGame-flat-v0", "Badger/GuessingGame-rl2-v0"])
def test_of_an_id_with_another_observation_the_dict_is_played(monkeypatch: Any, capsys: Any, id: str) -> None:
    ids = (id, "Badger/GuessingGame-v0")
    other, usual = (Played(monkeypatch, capsys, "q\n", each, "--seed", "3").out for each in ids)
    assert other == usual


@pytest.mark.parametrize("end", ["q\n", "Q\n", "", "quit\n"])
def test_q_or_the_end_of_input_ends_cleanly(monkeypatch: Any, capsys: Any, end: str) -> None:
    played = Played(monkeypatch, capsys, f"0 0 0\n{end}", GAME)
    assert played.status == 0
    assert "Traceback" not in played.out + played.err
    assert "ended before the end of the trial" in played.out
    assert "score" not in played.out
    assert Played(monkeypatch, capsys, f"0 0 0\n{end}", GAME, "--json").results == {}


def test_ctrl_c_ends_cleanly(monkeypatch: Any, capsys: Any) -> None:
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    main(["play", GAME])
    assert "ended before the end" in capsys.readouterr().out


def test_wrong_input_is_asked_for_again_in_one_line(monkeypatch: Any, capsys: Any) -> None:
    wrong = ["1 2", "a b c", "0 0 1.5", "nan 0 0", "", "0 0 0 0", "inf 0 0", "+ + +"]
    played = Played(monkeypatch, capsys, "\n".join([*wrong, "0 0 0", "q"]), GAME, "--seed", "1")
    step, last = played.out.split("step 0 of 20")[1].split("step 1 of 20")
    complaints = [line for line in step.splitlines() if "type 3 numbers in [-1, 1]" in line]
    assert len(complaints) == len(wrong) + 1  # the first asks
    assert "'a' is no number" in step
    assert "1.5 is not between -1 and 1" in step
    assert "nan is not between" in step
    assert "that was 4" in step
    assert "step 2" not in last


def test_a_question_mark_shows_the_manual(monkeypatch: Any, capsys: Any) -> None:
    played = Played(monkeypatch, capsys, "?\nq\n", GAME)
    assert "## Observation space" in played.out


def test_choices_are_named_by_their_slots(monkeypatch: Any, capsys: Any) -> None:
    wrong = ["5", "-1", "1.0", "a", "1 2", "99999999999999999999", "²"]
    played = Played(monkeypatch, capsys, "\n".join([*wrong, "4", "q"]), BANDIT, "--seed", "1")
    step, last = played.out.split("step 0 of 10")[1].split("step 1 of 10")
    assert step.count("is no choice: type a number from 0 to 4") == len(wrong)
    assert "chosen last 4" in last


def test_slots_not_in_use_are_neither_asked_for_nor_written() -> None:
    family = family_of("Badger/VariableIO-v0")
    used = np.array([1, 3])
    action = parsed("0.5 -1", family, used)
    assert action.tolist() == [0, 0.5, 0, -1, 0][: family.slots.outputs] + [0] * (family.slots.outputs - 5)
    bandit = family_of("Badger/Bandit-v0")
    assert parsed("7", bandit, np.array([2, 7])) == 7
    assert "one of 2 7" in wanted(bandit, np.array([2, 7]))
    with pytest.raises(ValueError, match="one of 2 7"):
        parsed("0", bandit, np.array([2, 7]))


def test_bits_are_answered_by_signs() -> None:
    family, used = family_of("Badger/XOR-3-v0"), np.arange(3)
    assert parsed("+", family, used).tolist() == [1, 1, 1]
    assert parsed("- + -", family, used).tolist() == [-1, 1, -1]
    with pytest.raises(ValueError, match="that was 2"):
        parsed("+ -", family, used)


@pytest.mark.parametrize("id", QUICK_AND_SLOW)
def test_every_id_can_be_played_as_its_prompt_says(monkeypatch: Any, capsys: Any, id: str) -> None:
    family = family_of(id, split="test")
    one = {"categorical": "0\n", "binary": "-\n", "continuous": ""}[family.action_kind]
    if family.action_kind == "continuous":  # the number that is wanted differs between trials
        env = gym.make(id, split="test")
        one = "0.5 " * int(env.reset(seed=2)[0]["output_mask"].sum()) + "\n"
    played = Played(monkeypatch, capsys, one * family.horizon, id, "--seed", "2", "--json")
    assert played.status == 0
    assert np.isfinite(played.results[family.outcome, "you"]["value"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Badger/Nothing-v0"], "`badger list envs`"),
        (["nowhere:Badger/XOR-v0"], "No module named 'nowhere'"),
        (["CartPole-v1"], "no environment of a badger_envs family"),
        ([GAME, "--trials", "0"], "--trials is 0"),
        ([GAME, "--seed", "-1"], "--seed is -1"),
        ([GAME, "--env", "dims=0"], "dims is 0"),
        ([GAME, "--env", "dims"], "write key=value"),
    ],
)
def test_what_cannot_be_played_is_one_line(
    monkeypatch: Any, capsys: Any, arguments: list[str], words: str
) -> None:
    played = Played(monkeypatch, capsys, "", *arguments)
    assert played.status == 2
    assert played.out == ""
    assert played.err.count("\n") == 1
    assert words in played.err


def test_trials_follow_one_another(monkeypatch: Any, capsys: Any) -> None:
    played = Played(monkeypatch, capsys, "0\n" * 25, BANDIT, "--trials", "3", "--json")
    assert played.results["total_reward", "you"]["n"] == 2  # the third was not finished
