"""The command line: help, results as JSON, and what a user gets wrong."""

import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

import badger_envs
from badger_agents.loading import pretrained_names
from badger_agents.recipe.loading import recipe_files
from badger_agents.training.run import CHECKPOINT, LOG
from badger_envs import TABLE
from badger_envs.topology import BUILDERS
from leaderboards.boards.board import board_names
from leaderboards.cli import ADMIN, COMMANDS, main
from tests.badger_agents.small import small_toml
from tests.leaderboards.command import refused, run


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run; not to be written in."""
    folder = tmp_path_factory.mktemp("trained")
    main(["train", str(small_toml(folder)), "--out", str(folder / "run"), "--json"])
    return folder / "run"


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A run of one's own."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


pytestmark = pytest.mark.usefixtures("_here")


# help


@pytest.mark.parametrize("words", [[name] for name in COMMANDS] + [["admin", name] for name in ADMIN])
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    done = run(capsys, *words, "--help")
    assert done.status == 0
    assert done.err == ""
    assert f"badger {' '.join(words)}" in done.out


def test_the_help_is_a_line_a_command_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "--help")
    assert done.status == 0
    lines = done.out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    named = [line.split()[0] for line in lines if line.startswith("  ")]
    assert named == [*COMMANDS, "admin", "--version"]
    done = run(capsys, "admin", "--help")
    assert [line.split()[0] for line in done.out.splitlines() if line.startswith("  ")] == list(ADMIN)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"badger {badger_envs.__version__}\n", "")


@pytest.mark.parametrize("words", [["train"], ["evaluate", "x", "--trials", "many"]])
def test_missing_words_are_refused_without_a_traceback(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    done = run(capsys, *words)
    assert done.status == 2
    assert done.err


def test_no_words_are_the_help_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys)
    assert (done.status, done.out) == (2, "")
    assert done.err == run(capsys, "--help").out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["trian"], "'train'"),
        (["publish"], "`badger admin publish`"),
        (["admin", "publsh"], "'publish'"),
        (["list", "recipies"], "'recipes'"),
        (["train", "guessing-hardwird"], "'guessing-hardwired'"),
        (["evaluate", "guessing-triangulatoin"], "'guessing-triangulation'"),
        (["evaluate", "--pretrained", "guessing-atentional"], "'guessing-attentional'"),
        (["trace", "--pretrained", "guessing-atentional"], "'guessing-attentional'"),
        (["play", "Badger/GuesingGame-v0"], "`GuessingGame`"),
    ],
)
def test_a_misspelt_name_is_guessed(capsys: pytest.CaptureFixture[str], words: list[str], meant: str) -> None:
    assert meant in refused(capsys, *words)


def test_a_missing_extra_is_named_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "leaderboards.commands.play", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError):  # one of ours is no package to install
        main(["play", "Badger/XOR-v0"])
    monkeypatch.delitem(sys.modules, "leaderboards.commands.play")
    monkeypatch.delitem(sys.modules, "leaderboards.options", raising=False)
    assert refused(capsys, "play", "Badger/XOR-v0") == (
        "badger: badger play needs torch: pip install 'badger-suite[boards]'"
    )


# lists


def test_a_bare_list_counts(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {row["id"]: row["number"] for row in run(capsys, "list", "--json").results}
    assert counts == {
        "envs": len(TABLE),
        "recipes": len(recipe_files()),
        "pretrained": len(pretrained_names()),
        "boards": len(board_names()),
        "topologies": len(BUILDERS),
    }


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("envs", [entry.id for entry in TABLE]),
        ("recipes", sorted(recipe_files())),
        ("pretrained", pretrained_names()),
        ("boards", board_names()),
        ("topologies", list(BUILDERS)),
    ],
)
def test_a_list_names_all_in_80_columns(
    capsys: pytest.CaptureFixture[str], what: str, names: list[str]
) -> None:
    assert [row["id"] for row in run(capsys, "list", what, "--json").results] == names
    lines = run(capsys, "list", what).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == names


def test_lists_are_read_without_torch() -> None:
    code = (
        "import sys\n"
        "from leaderboards.cli import main\n"
        "for what in ([], ['envs'], ['recipes'], ['pretrained'], ['boards'], ['topologies']):\n"
        "    main(['list', *what])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# results


def test_train_evaluate_and_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = run(capsys, "train", small_toml(tmp_path), "--seed", 3, "--json")
    folder = Path(done.value("folder"))
    assert folder == Path("runs/small-seed3")
    assert sorted(os.listdir(folder)) == [CHECKPOINT, LOG]
    assert (done.value("outer_steps"), done.value("skipped_updates")) == (6, 0)
    assert 0 < done.value("loss") < 12
    assert done.err  # progress

    done = run(capsys, "evaluate", folder, "--trials", 50, "--json")
    (error,) = (row for row in done.results if row["name"] == "error")
    assert error["n"] == 50
    assert error["outer_seed"] == 3
    assert error["ci95"][0] < error["value"] < error["ci95"][1]
    assert done.value("parameters") > 0
    by_file = run(capsys, "evaluate", folder / CHECKPOINT, "--trials", 50, "--json")
    assert by_file.results == done.results

    done = run(capsys, "trace", folder, "--out", "new/picture.png", "--json")
    assert done.value("picture") == "new/picture.png"
    assert Path("new/picture.png").read_bytes().startswith(b"\x89PNG")


def test_tables_for_people(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    done = run(capsys, "evaluate", trained, "--trials", 20)
    assert "ci95" in done.out
    assert "preliminary" in done.out
    assert not done.out.startswith("{")


def test_another_split_and_seed_are_other_tasks(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    choices = [(), ("--split", "train"), ("--split", "validation"), ("--seed", 1)]
    values = [run(capsys, "evaluate", trained, "--trials", 20, "--json", *c).value("error") for c in choices]
    assert len(set(values)) == 4
    assert run(capsys, "evaluate", trained, "--trials", 20, "--json").value("error") == values[0]


def test_settings_can_be_changed_for_one_use(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    words = ("--trials", 20, "--json", "--env", "dims=2", "horizon=6", "--agent", "experts=4")
    done = run(
        capsys, "evaluate", trained, *words, "channel.topology=[[0,1,0,0],[0,0,1,0],[0,0,0,1],[1,0,0,0]]"
    )
    assert all(row["dims"] == 2 and row["horizon"] == 6 and row["experts"] == 4 for row in done.results)


def test_an_algorithm_needs_no_training(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "evaluate", "guessing-triangulation", "--trials", 50, "--json", "--env", "dims=5")
    assert done.value("error") < 1e-9
    assert done.value("parameters") == 0
    done = run(capsys, "trace", "guessing-triangulation", "--json")
    assert Path(done.value("picture")).stat().st_size > 1000


def test_a_trained_run_goes_before_a_recipe_of_its_name(
    capsys: pytest.CaptureFixture[str], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.rename(copy.parent / "guessing-hardwired")
    assert run(capsys, "evaluate", "guessing-hardwired", "--trials", 5, "--json").status == 0


def test_the_demo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from leaderboards.commands import demo

    monkeypatch.setattr(demo, "TRIALS", 300)
    done = run(capsys, "demo", "--outer-steps", 20, "--out", "d", "--json")
    assert done.status == 0
    agents = [row["agent"] for row in done.results if row["name"] == "error"]
    assert agents == list(demo.AGENTS.values())
    for row in done.results:
        assert row["n"] == 300
        assert row["ci95"][0] < row["value"] < row["ci95"][1]
        assert row["bound"] == pytest.approx(2 / 3)
        assert row["parameters"] > 1000
        assert row["seconds"] > 0
    assert Path("d/demo.png").read_bytes().startswith(b"\x89PNG")
    assert "d/demo.png" in done.out
    assert "preliminary" in done.out
    assert all((Path("d") / name / CHECKPOINT).is_file() for name in demo.AGENTS)
    assert run(capsys, "evaluate", "d/guessing-monolith", "--trials", 5, "--json").status == 0


# what a user gets wrong

GOOD = object()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "nothing"], "no recipe 'nothing'; `badger list recipes` names them"),
        (["train", "nothing.toml"], "no recipe 'nothing.toml'"),
        (["train", "guessing-triangulation"], "nothing to train; evaluate it"),
        (["train", GOOD, "--device", "nonsense"], "--device 'nonsense' cannot be used"),
        (["train", GOOD, "--device", "cuda:99"], "--device 'cuda:99' cannot be used"),
        (["train", GOOD, "--device", "meta"], "--device 'meta' cannot be used"),
        (["train", GOOD, "--seed", "-1"], "--seed is -1"),
        (["train", GOOD, "--outer-steps", "0"], "training.outer_steps is 0"),
        (["train", GOOD, "--out", "file/run"], "cannot write into file/run"),
        (["train", GOOD, "--out", "file"], "cannot write into file"),
        (["demo", "--out", "file/run"], "cannot write into file/run"),
        (["demo", "--outer-steps", "-3"], "training.outer_steps is -3"),
        (["demo", "--seed", "-3"], "--seed is -3"),
        (["evaluate", "nothing"], "no run 'nothing'; give a run folder"),
        (["evaluate", "folder"], "no checkpoint at folder/checkpoint.safetensors"),
        (["evaluate", "file"], "file cannot be read as a checkpoint"),
        (["evaluate", "guessing-hardwired"], "has to be trained first: badger train guessing-hardwired"),
        (["trace", "guessing-hardwired"], "has to be trained first"),
        (["trace", "nothing"], "no run 'nothing'"),
        (["evaluate", "guessing-triangulation", "--split", "exam"], "split is 'exam'"),
        (["evaluate", "guessing-triangulation", "--trials", "0"], "trials is 0"),
        (["evaluate", "guessing-triangulation", "--device", "nonsense"], "--device 'nonsense'"),
        (["evaluate", "guessing-triangulation", "--env", "dims"], "write key=value"),
        (["evaluate", "guessing-triangulation", "--env", "dims=0"], "dims is 0"),
        (["evaluate", "guessing-triangulation", "--env", "dimz=3"], "no setting 'dimz'"),
        (["evaluate", "guessing-triangulation", "--agent", "x=3"], "argument 'x'"),
        (["trace", "guessing-triangulation", "--out", "picture.gif"], "must end in .png, .svg or .pdf"),
        (["trace", "guessing-triangulation", "--out", "file/picture.png"], "cannot write file/picture.png"),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_mistakes_are_one_line_and_leave_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list, message: str, json: bool
) -> None:
    recipe = small_toml(tmp_path)
    Path("file").write_text("not a checkpoint")
    Path("folder").mkdir()
    before = sorted(map(str, Path().rglob("*")))
    words = [str(recipe) if word is GOOD else word for word in words]
    assert message in refused(capsys, *words, *(["--json"] if json else []))
    assert sorted(map(str, Path().rglob("*"))) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--agent", "experts=2"], "2 experts for 3 outputs"),
        (["--agent", "experts=x"], "agent.experts is 'x'"),
        (["--agent", "expert=3"], "agent.expert: unknown key; known keys: experts"),
        (["--agent", "channel.topology=everyone"], "it must be one of all, none, self, ring"),
        (["--env", "dims=4"], "3 experts for 4 outputs"),
        (["--env", "dtype=float64"], "float64"),
        (["--env", "dtype=int"], "dtype is 'int'"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "trace"])
def test_changes_that_do_not_fit_a_run_are_one_line(
    capsys: pytest.CaptureFixture[str], trained: Path, command: str, words: list[str], message: str
) -> None:
    assert message in refused(capsys, command, trained, *words)


def test_a_monolith_cannot_live_in_another_size(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe = small_toml(tmp_path)
    text = recipe.read_text()
    head, _, rest = text.partition("[agent]")
    training = rest.partition("[training]")[2]
    recipe.write_text(f'{head}[agent]\nkind = "baselines.monolith.monolith:Monolith"\n[training]{training}')
    assert run(capsys, "train", recipe, "--out", "run", "--json").status == 0
    line = refused(capsys, "evaluate", "run", "--env", "dims=4")
    assert "outputs" in line
    assert "4" in line
    assert run(capsys, "evaluate", "run", "--env", "horizon=9", "--trials", 5).status == 0


@pytest.mark.parametrize("kind", ["corrupt", "truncated", "empty", "foreign", "pickle", "folder"])
@pytest.mark.parametrize("command", ["evaluate", "trace", "train"])
def test_a_bad_checkpoint_is_refused_and_left_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, copy: Path, command: str, kind: str
) -> None:
    path = copy / CHECKPOINT
    data = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(
            {
                "corrupt": b"\xff" * 8 + data[8:],
                "truncated": data[:-100],
                "empty": b"",
                "foreign": safetensors.torch.save({"a": torch.zeros(2)}),
                "pickle": pickle.dumps({"a": 1}),
            }[kind]
        )
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    words = {"train": ["train", small_toml(tmp_path), "--out", copy, "--resume"]}.get(
        command, [command, copy]
    )
    line = refused(capsys, *words)
    assert CHECKPOINT in line
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before
    assert not list(tmp_path.glob("*.png"))


def test_a_run_is_not_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path, copy: Path) -> None:
    before = {file: file.read_bytes() for file in copy.iterdir()}
    words = ["train", small_toml(tmp_path), "--out", copy]
    assert "use --resume to go on with it, or another --out" in refused(capsys, *words)
    assert "another recipe or seed (seed is 0, not 1)" in refused(capsys, *words, "--resume", "--seed", 1)
    other = refused(capsys, *words, "--resume", "--outer-steps", 7)
    assert "(training.outer_steps is 6, not 7)" in other
    assert {file: file.read_bytes() for file in copy.iterdir()} == before
    assert run(capsys, *words, "--resume", "--json").value("outer_steps") == 6
    assert (copy / CHECKPOINT).read_bytes() == before[copy / CHECKPOINT]


def test_a_run_that_is_being_made_is_not_touched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe = small_toml(tmp_path, checkpoint_every=1_000_000)  # of a checkpoint something else is said
    words = ["-m", "leaderboards.cli", "train", str(recipe), "--outer-steps", "1000000"]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    owner = subprocess.Popen([sys.executable, *words, "--out", "busy"], env=environment)
    try:
        limit = time.monotonic() + 60
        while not Path("busy", LOG).exists() and time.monotonic() < limit:
            time.sleep(0.02)
        for more in ([], ["--resume"]):
            line = refused(capsys, "train", "xor-3", "--out", "busy", *more)
            assert "busy is being written by another process" in line
    finally:
        owner.kill()
        owner.wait()
    words = ["train", small_toml(tmp_path), "--outer-steps", 1, "--out", "busy", "--json"]
    shutil.copytree("busy", "left")
    Path("busy", CHECKPOINT).unlink(missing_ok=True)
    assert run(capsys, *words).status == 0  # what a killed process left behind is no lock


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux's means")
def test_a_tensor_that_does_not_fit_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", small_toml(tmp_path), "--training", "batch_size=1000000000", "--out", "run"]
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, hard))  # else a large machine would really try
    try:
        done = run(capsys, *words)  # behind a bar
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert done.status == 2
    assert done.err.splitlines()[-1].startswith("badger: out of memory")


def test_a_device_that_torch_knows_and_nobody_has_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "--device 'hpu' cannot be used" in refused(
        capsys, "train", small_toml(tmp_path), "--device", "hpu"
    )


def test_a_number_of_processes_that_is_none_names_the_variable(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "")
    assert "WORLD_SIZE is ''" in refused(capsys, "train", small_toml(tmp_path))


@pytest.mark.parametrize(
    "told", [{"RANK": "0"}, {"LOCAL_RANK": "0"}, {"WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}]
)
def test_a_part_of_what_torchrun_sets_is_one_line_and_leaves_no_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str]
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**told, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert "the environment variable " in refused(capsys, "train", small_toml(tmp_path), "--out", "made")
    assert not Path("made").exists()


@pytest.mark.parametrize(
    "fault", ["raise ModuleNotFoundError('no tensorboard')", "raise RuntimeError('a\\nb')"]
)
@pytest.mark.parametrize("words", [[], ["--seeds", "2"], ["--resume"]])
def test_a_missing_or_broken_tensorboard_is_one_line_and_leaves_no_folder(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    words: list[str],
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tensorboard.py").write_text(fault, encoding="utf-8")
    ours = [name for name in sys.modules if "tensorboard" in name.split(".")]
    for name in ours:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path / "broken")
    source = "from badger_agents import GRUPolicy\nclass Mine(GRUPolicy):\n    pass\n"
    Path("mine.py").write_text(source, encoding="utf-8")
    own = ("--policy", "mine.py:Mine", "--out", "made/run")
    line = refused(capsys, "train", small_toml(tmp_path), "--tensorboard", *own, *words)
    assert line.endswith("; pip install 'badger-suite[tensorboard]'")
    assert not Path("made").exists()


def test_code_that_imports_its_neighbour_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Path("neighbour.py").write_text("SIZE = 3\n", encoding="utf-8")
    source = "import neighbour\nfrom badger_agents import GRUPolicy\nclass Mine(GRUPolicy):\n    pass\n"
    Path("mine.py").write_text(source, encoding="utf-8")
    line = refused(capsys, "train", small_toml(tmp_path), "--policy", "mine.py:Mine")
    assert "neighbour, which lies beside it" in line
