"""`badger board prepare, validate, verify, season`, and the page that tells how to submit."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from leaderboards.boards.board import load_board
from leaderboards.submissions.entries import with_submissions
from leaderboards.submissions.manifest import FILE, artifact
from leaderboards.submissions.season import SeasonError, held_out_seed, read_season
from leaderboards.toml_text import recipe_text
from tests.leaderboards.command import refused, run
from tests.leaderboards.submissions.made import Place, make

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "submitting.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A valid submission of two outer seeds; nobody changes it."""
    return make(tmp_path_factory.mktemp("command"), seeds=2)


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy of it that may be changed."""
    return made.copy(tmp_path)


def test_what_cannot_be_prepared_is_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made.folder / "runs", runs)

    def prepare(agent: str, *words: object) -> str:
        start = ("board", "prepare", made.board, agent, "--author", "A", "--out", tmp_path / "out")
        said = refused(capsys, *start, "--runs", runs, *words)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]
        return said

    assert "no checkpoint" in prepare("chess")
    assert "short, long" in prepare("small", "--cells", "chess")
    assert "there is nothing to submit" in prepare("small", "--failed", 0, 1)
    assert "--failed 7" in prepare("small", "--failed", 7)
    with monkeypatch.context() as without:
        without.setattr("leaderboards.submissions.preparing.measured", None)  # takes long
        assert "authors.0: String should match" in prepare("small", "--author", "A\nB")
    assert "is there already" in prepare("small", "--out", made.submission)
    assert "name" in prepare("small", "--out", tmp_path / "no such name")
    words = ["train", made.folder / "small.toml", "--seed", 1, "--out", runs / "small-seed1"]
    shutil.rmtree(runs / "small-seed1")
    assert run(capsys, *words, "--outer-steps", 2).status == 0
    assert "another recipe" in prepare("small")
    shutil.rmtree(runs / "small-seed1")
    (runs / "small-seed0").rename(runs / "small-seed1")
    assert "is of outer seed 0, not 1" in prepare("small", "--failed", 0)

    def changed(id: str) -> None:
        raise AssertionError(f"{id} no longer plays as its version says")

    monkeypatch.setattr("leaderboards.submissions.preparing.check_golden", changed)
    assert "no longer plays" in prepare("small")


def test_violations_are_a_line_each_with_status_2(capsys: pytest.CaptureFixture[str], place: Place) -> None:
    place.change_rows(lambda row: row._replace(tasks=7))
    (place.submission / "run\x1b[2Jme.py").write_text("")
    for command in ("validate", "verify"):
        done = run(capsys, "board", command, place.submission, "--board", place.board)
        assert done.status == 2
        assert done.out == ""
        lines = done.err.splitlines()
        assert len(lines) == 2
        assert all(line.startswith("badger: ") for line in lines)
        assert "\x1b" not in done.err
    place.edit("format = 1", "format = 1\n" + "".join(f"x{number} = 1\n" for number in range(60)))
    lines = run(capsys, "board", "validate", place.submission, "--board", place.board).err.splitlines()
    assert len(lines) == 51
    assert lines[-1] == "badger: and 10 more"


@pytest.mark.slow
def test_scores_that_are_shown_and_kept_are_those_measured_again(
    capsys: pytest.CaptureFixture[str], place: Place, tmp_path: Path
) -> None:
    place.change_rows(lambda row: row._replace(mean=(row.mean or 0.0) - 0.1 * (row.std or 0.0)))
    of_board = ("--board", place.board, "--json")
    told = run(capsys, "board", "validate", place.submission, *of_board)
    assert "nothing was measured again" in told.out
    verified = run(capsys, "board", "verify", place.submission, *of_board, "--out", tmp_path / "kept")
    assert verified.status == 0, verified.err
    board, runs = with_submissions(place.table, tmp_path / "kept")
    (line,) = runs
    for cell in board.cells:
        (said,) = (row["value"] for row in told.results if row["cell"] == cell)
        shown, public = [row["value"] for row in verified.results if row["cell"] == cell]
        kept = [each.rows[cell].mean for each in runs[line]]
        assert shown == pytest.approx(sum(kept) / len(kept), rel=1e-6)
        assert said < public - 0.01
        assert public != shown
    place.change_rows(lambda row: row._replace(mean=0.01))
    done = run(capsys, "board", "verify", place.submission, *of_board, "--out", tmp_path / "none")
    assert done.status == 2
    assert all(line.startswith("badger: not verified: ") for line in done.err.splitlines())
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_season_from_opening_to_its_close(
    capsys: pytest.CaptureFixture[str], place: Place, tmp_path: Path
) -> None:
    file, nonce, kept = tmp_path / "spring.toml", tmp_path / "nonce.txt", ("--board", place.board)
    season = ("admin", "season", file)
    verify = ("board", "verify", place.submission, "--season", file, *kept)
    opened = run(capsys, *season, "--nonce-file", nonce, "--json").value("commitment")
    secret = nonce.read_text().strip()
    assert len(secret) == 64
    assert secret not in file.read_text()
    assert "opened once" in refused(capsys, *season, "--nonce-file", nonce)
    register = (*season, "--submission", place.submission, *kept)
    assert run(capsys, *register).status == 0
    assert read_season(file).registered == {"tiny-v1/mine": artifact(place.submission)}
    assert "registered in season spring already" in refused(capsys, *register)
    assert "is open" in refused(capsys, *verify)
    (tmp_path / "other.txt").write_text("another nonce that is long enough for one")
    close = (*season, "--close", "--nonce-file")
    assert "not the one published" in refused(capsys, *close, tmp_path / "other.txt")
    closed = run(capsys, *close, nonce, "--json")
    assert closed.value("commitment") == opened
    assert secret in closed.out
    assert "is closed" in refused(capsys, *register)
    assert "closed already" in refused(capsys, *close, nonce)
    verified = run(capsys, *verify, "--json")
    assert verified.status == 0, verified.err
    assert secret in verified.out
    place.edit('about = ""', 'about = "changed since"')
    assert "was not registered" in refused(capsys, *verify)
    assert "give --nonce-file" in refused(capsys, *season)


def test_held_out_tasks_follow_from_nonce_and_submission() -> None:
    seeds = {held_out_seed(nonce, artifact) for nonce in ("n" * 32, "m" * 32) for artifact in ("a", "b")}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**62 for seed in seeds)


NO_NUMBERS = ("nan", "inf", "-inf", "1e999")
KEPT = f'commitment = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'commitment = "{"0" * 64}"\nnonce = "{"n" * 32}"\n', "not the one whose hash"),
        (f'commitment = "{"0" * 64}"\nnonce = "short"\n', "can be guessed"),
        ('commitment = "short"\n', "commitment"),
        (f'commitment = "{"0" * 64}"\nwinner = "me"\n', "winner"),
        ("name", "no season"),
        *[(f"commitment = {value}\n", "commitment: Input should be a valid string") for value in NO_NUMBERS],
        *[(f"{KEPT}nonce = {value}\n", "nonce: Input should be a valid string") for value in NO_NUMBERS],
        *[(f"{KEPT}registered.one = {value}\n", "registered.one: Input should be") for value in NO_NUMBERS],
        (f"{KEPT}nonce = {'9' * 5000}\n", "no season.*digits"),
        (f"{KEPT}nonce = {'[' * 5000}\n", "no season.*recursion"),
    ],
)
def test_a_forged_season_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(SeasonError, match=message) as raised:
        read_season(tmp_path / "s.toml")
    assert "\n" not in str(raised.value)
    with pytest.raises(SeasonError, match="no season"):
        read_season(tmp_path / "nowhere.toml")


@pytest.mark.slow
def test_every_command_of_the_page_works(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a board whose budget is two outer steps; nothing else is otherwise."""
    readme = (ROOT / "README.md").read_text()
    (policy,) = [each for each in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "MyPolicy" in each]
    monkeypatch.chdir(tmp_path)
    Path("my_policy.py").write_text(policy)
    real = load_board("guessing-game-v1").model_dump(exclude_none=True)
    tables = {key: real[key] for key in ("name", "title", "main", "cells")}
    tables |= {"agents": {"badger": real["agents"]["badger"]}, "training": {"outer_steps": 2}, "tasks": 20}
    Path("board.toml").write_text(recipe_text(tables, "For tests."))
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    assert len(lines) == 8
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "train":
            words[words.index("--outer-steps") + 1] = "2"
        elif words[1] == "prepare":
            words[2] = "board.toml"
        elif "--close" not in words and "--nonce-file" not in words:
            words += ["--board", "board.toml"]
        done = run(capsys, *words)
        assert done.status == 0, (words, done.err)
    named = set(re.findall(r"^\| `([a-z.0-9_-]+)`", PAGE.read_text(), re.MULTILINE))
    assert named == {FILE, "recipe.toml", "results.csv", "weights-seed0.safetensors", "my_policy.py"}
    (folder,) = Path("submissions").iterdir()
    assert all((folder / name).is_file() for name in named)
