"""`badger board prepare, validate, verify, season, schema`, and the page that tells how to submit."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from leaderboards.submissions.schema import FILE, json_schema
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.command import Done, refused, run
from tests.leaderboards.submissions.made import Place, make
from tests.leaderboards.test_killing import ROOT

PAGE = ROOT / "docs" / "submitting.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A valid submission of two outer seeds; nobody changes it."""
    return make(tmp_path_factory.mktemp("command"), seeds=2)


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy of it that may be changed."""
    return made.copy(tmp_path)


@pytest.mark.slow
def test_a_line_of_a_board_is_prepared_from_its_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    board = tiny_board(tmp_path, seeds=1)
    file, out = tmp_path / "tiny-v1.toml", tmp_path / "talk"
    file.write_text(recipe_text(board.model_dump(exclude_none=True), "For tests."))
    words = ("board", "prepare", file, "talk", "--runs", tmp_path / "runs", "--author", "A", "--out", out)
    assert "badger board run tiny-v1 --agents talk" in refused(capsys, *words)
    assert not out.exists()
    running = ("board", "run", file, "--out", tmp_path / "runs", "--processes", 1, "--agents", "talk")
    assert run(capsys, *running).status == 0
    done = run(capsys, *words, "--json")
    assert done.status == 0, done.err
    assert re.fullmatch("[0-9a-f]{64}", done.value("artifact"))
    shown = run(capsys, "board", "show", file, "--runs", tmp_path / "runs", "--json").results
    valid = run(capsys, "board", "validate", out, "--board", file, "--json").results
    scores = {row["cell"]: row["value"] for row in valid}
    assert scores == pytest.approx({cell: shown[0][f"{cell}.mean"] for cell in ("short", "long")})
    verified = run(capsys, "board", "verify", out, "--board", file, "--json").results
    assert [row["differing"] for row in verified] == [0, 0]
    (checkpoint,) = (tmp_path / "runs").rglob("checkpoint.safetensors")
    checkpoint.unlink()
    again = (*words[:-1], tmp_path / "again")
    assert "weights of talk with outer seed 0 are nowhere" in refused(capsys, *again)


def test_what_cannot_be_prepared_is_one_line(
    capsys: pytest.CaptureFixture[str], made: Place, tmp_path: Path
) -> None:
    def prepare(agent: str, *words: object) -> str:
        start = ("board", "prepare", made.board, agent, "--author", "A", "--out", tmp_path / "out")
        said = refused(capsys, *start, "--runs", made.folder / "runs", *words)
        assert not (tmp_path / "out").exists()
        return said

    assert "has no weights" in prepare("zeros")
    assert "has the weights of talk" in prepare("shuffled")
    assert "no checkpoint" in prepare("chess")
    assert "short, long" in prepare("small", "--cells", "chess")
    assert "there is nothing to submit" in prepare("small", "--failed", 0, 1)
    assert "your own runs" in prepare("talk", "--failed", 0)
    assert "lacks outer seeds [0, 1]" in prepare("talk")
    (tmp_path / "name with spaces").mkdir()
    words = ("board", "prepare", made.board, "small", "--author", "A", "--runs", made.folder / "runs")
    assert "is there already" in refused(capsys, *words, "--out", tmp_path / "name with spaces")
    assert "name" in refused(capsys, *words, "--out", tmp_path / "no such name")


def test_an_unfinished_run_is_finished_or_told_to_have_failed(
    capsys: pytest.CaptureFixture[str], made: Place, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made.folder / "runs", runs)
    words = ["train", made.folder / "small.toml", "--seed", 1, "--out", runs / "small-seed1"]
    shutil.rmtree(runs / "small-seed1")
    assert run(capsys, *words, "--outer-steps", 2).status == 0
    start = (
        "board",
        "prepare",
        made.board,
        "small",
        "--author",
        "A",
        "--runs",
        runs,
        "--out",
        tmp_path / "a",
    )
    assert "another recipe" in refused(capsys, *start)
    assert run(capsys, *start, "--failed", 1, "--cells", "short").status == 0
    done = run(capsys, "board", "validate", tmp_path / "a", "--board", made.board)
    said = " ".join(done.out.split())
    assert "failed outer seeds: [1]" in said
    assert "not measured: long" in said


def test_violations_are_a_line_each_with_status_2(capsys: pytest.CaptureFixture[str], place: Place) -> None:
    place.edit("horizon = 6", "horizon = 60")
    (place.submission / "run\x1b[2Jme.py").write_text("")
    for command in ("validate", "verify"):
        done = run(capsys, "board", command, place.submission, "--board", place.board)
        assert done.status == 2
        assert done.out == ""
        lines = done.err.splitlines()
        assert len(lines) == 2
        assert all(line.startswith("badger: ") for line in lines)
        assert "\x1b" not in done.err
    assert not (place.submission / "verified.json").exists()
    place.edit("runs]]", "runs]]\n" + "".join(f"x{number} = 1\n" for number in range(60)))
    lines = run(capsys, "board", "validate", place.submission, "--board", place.board).err.splitlines()
    assert len(lines) == 51
    assert lines[-1] == "badger: and 10 more violations"


def test_rows_that_the_weights_do_not_give_are_not_verified(
    capsys: pytest.CaptureFixture[str], place: Place
) -> None:
    place.change_rows(lambda rows: re.sub(r"(\n1,short,.*),.*", r"\1,0.001", rows))
    assert run(capsys, "board", "validate", place.submission, "--board", place.board).status == 0
    line = refused(capsys, "board", "verify", place.submission, "--board", place.board)
    assert "not verified: 6 of 24 rows differ" in line
    assert "in cell short 6 of 12" in line
    assert not (place.submission / "verified.json").exists()
    honest = run(capsys, "board", "verify", place.submission, "--board", place.board, "--seeds", 0)
    assert honest.status == 0
    assert "outer seeds [0]" in honest.out
    assert "--seeds 7" in refused(
        capsys, "board", "verify", place.submission, "--board", place.board, "--seeds", 7
    )


def test_a_season_from_opening_to_scores(
    capsys: pytest.CaptureFixture[str], place: Place, tmp_path: Path
) -> None:
    season, nonce = tmp_path / "spring-1.toml", tmp_path / "nonce.txt"

    def do(*words: object) -> Done:
        done = run(capsys, "board", *words, "--json")
        assert done.status == 0, done.err
        return done

    of_board = ("--board", place.board)
    opened = do("season", "open", season, "--nonce-file", nonce).value("commitment")
    assert len(nonce.read_text().strip()) == 64
    do("season", "register", place.submission, "--season", season, *of_board)
    verifying = ("board", "verify", place.submission, "--season", season, *of_board)
    assert "is open" in refused(capsys, *verifying)
    assert do("season", "close", season, "--nonce-file", nonce).value("commitment") == opened
    late = ("board", "season", "register", place.submission, "--season", season, *of_board)
    assert "is closed" in refused(capsys, *late)
    verified = do(*verifying[1:], "--retrain").results
    valid = do("validate", place.submission, "--season", season, *of_board).results
    held = [row for row in verified if "season" in row]
    assert [row for row in valid if "season" in row] == held
    assert [row["cell"] for row in held] == ["short", "long"]
    assert {row["value"] for row in held}.isdisjoint(row["value"] for row in valid if "season" not in row)
    facts = json.loads((place.submission / "verified.json").read_text())
    assert list(facts["seasons"]) == ["heldout-spring-1.csv.gz"]
    assert facts["retrained"]["within"] is True


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(capsys, "board", "schema").out) == json_schema()


def commands_of_the_page() -> list[list[str]]:
    """Words of all commands in the page's blocks, without `badger`."""
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.slow
def test_every_command_of_the_page_works(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (ROOT / "README.md").read_text()
    (policy,) = [each for each in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "MyPolicy" in each]
    monkeypatch.chdir(tmp_path)
    Path("my_policy.py").write_text(policy)
    commands = commands_of_the_page()
    assert len(commands) == 9
    for words in commands:
        done = run(capsys, *words, *(["--outer-steps", 2] if words[0] == "train" else []))
        assert done.status == 0, (words, done.err)
    folder = Path("submissions", "guessing-game-v1", "my-policy")
    named = set(re.findall(r"^\| `([a-z.0-9_-]+)`", PAGE.read_text(), re.MULTILINE))
    assert named == {FILE, "recipe.toml", "episodes.csv.gz", "weights-seed0.safetensors", "policy.py"}
    assert all((folder / name).is_file() for name in named)
