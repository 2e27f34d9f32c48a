"""The site as files: same bytes each time, closed tags, links that lead somewhere, numbers of the boards."""

import csv
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from leaderboards.boards.board import Board
from leaderboards.boards.changes import CHANGES
from leaderboards.boards.rows import RunRows, read_runs, write_run
from leaderboards.boards.standing import said, standing
from leaderboards.site.bands import band
from leaderboards.site.build import MANIFEST, SiteError, site_files, write_site
from leaderboards.site.drawing import floor_for
from leaderboards.site.tables import agent_page
from leaderboards.site.view import seeds_said, slug, view_of
from leaderboards.statistics import KIND, over_seeds
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.command import refused, run
from tests.leaderboards.commands.test_killing import ROOT
from tests.leaderboards.site.boards import TITLE, three_boards
from tests.leaderboards.site.made_up import write_made_up
from tests.leaderboards.site.page import Page


class Built(NamedTuple):
    """A site in a folder, and what it was built from."""

    folder: Path
    boards: list[tuple[Board, Path]]
    site: Path
    files: dict[str, bytes]

    def page(self, name: str) -> Page:
        return Page(self.site / name)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("site")
    boards = three_boards(folder)
    files = site_files(boards, folder / "site")
    write_site(files, folder / "site")
    return Built(folder, boards, folder / "site", files)


@pytest.mark.slow
def test_another_process_builds_the_same_bytes(built: Built) -> None:
    names = [str(built.folder / f"{board.name}.toml") for board, _ in built.boards]
    again = built.folder / "again"  # beside the first, so that ways to raw rows are the same
    command = [sys.executable, "-m", "leaderboards.cli", "board", "build", *names]
    command += ["--runs", str(built.folder / "runs"), "--out", str(again)]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=built.folder, env=surroundings, capture_output=True, check=True, timeout=120)
    found = {str(path.relative_to(again)): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert found.keys() == built.files.keys()
    assert [name for name, data in found.items() if data != built.files[name]] == []
    assert sum(map(len, found.values())) < 600_000


def test_pages_are_well_formed_and_all_links_lead_somewhere(built: Built) -> None:
    pages = {path.resolve(): Page(path) for path in built.site.rglob("*.html")}
    assert len(pages) == 1 + 3 + 7
    outside = set()
    for page in pages.values():
        for path, fragment in page.targets():
            assert path.exists(), f"{page.path} links to {path}"
            if fragment:
                assert fragment in pages[path].ids, f"{page.path} links to {path}#{fragment}"
            if not path.is_relative_to(built.site.resolve()):
                outside.add(path)
    assert outside == {folder.resolve() for board, folder in built.boards if board.name != "empty-v1"}
    linked = {path for page in pages.values() for path, _ in page.targets()}
    files = {path.resolve() for path in built.site.rglob("*") if path.is_file()}
    assert {path.name for path in files - linked} == {MANIFEST}  # nothing lies around that nobody links to


def test_tables_have_the_numbers_of_the_boards(built: Built) -> None:
    for board, folder in built.boards[:2]:
        lines = {line.agent: line for line in standing(board, read_runs(folder, board))}
        page = built.page(f"boards/{board.name}.html")
        heads, *rows = page.tables["standing"]
        assert [row[0][0] for row in rows] == list(lines)  # the order of the board
        names = [text for text, _ in heads]
        for row in rows:
            line = lines[row[0][0]]
            mean = line.cells[board.main]
            cells = dict(zip(names, row, strict=True))
            assert cells[f"error in {board.main}, mean"] == (said(mean, 3), str(mean.value))
            assert cells["inter-quartile mean"] == (said(line.middle, 3), str(line.middle.value))
            if line.difference is not None:
                found = (said(line.difference, 3), str(line.difference.value))
                assert cells["paired difference"] == found
            assert cells["group"][0] == (line.group or ("preliminary" if line.preliminary else "–"))
        assert {row[3][0] for row in page.tables["cells"][1:]} == {"error, lower is better"}
        every = {(row[0][0], row[2][0]): row for row in page.tables["cells"][1:]}
        assert every.keys() == {(line.agent, cell) for line in lines.values() for cell in line.cells}
        for (agent, cell), row in every.items():
            estimate = lines[agent].cells[cell]
            expected = [estimate.value, estimate.low, estimate.high]
            for (_, value), number in zip(row[4:7], expected, strict=True):
                assert value == (None if math.isnan(number) else str(number))


def test_every_caption_says_how_many_seeds_and_which_interval(built: Built) -> None:
    told = [("tiny-v1", "9 to 10 outer seeds (below 10 preliminary)", 9)]
    told += [("sizes-v1", "preliminary, 4 outer seeds, too few for intervals", 4)]
    for name, few, few_pairs in told:
        page = built.page(f"boards/{name}.html")
        assert len(page.captions) >= 6
        for caption in page.captions:
            paired = f"preliminary, {few_pairs} pairs of outer seeds" if "Differences" in caption else few
            assert paired in caption or "; 10 outer seeds" in caption
            assert KIND in caption or "too few for intervals" in caption
    for path in (built.site / "figures").iterdir():
        drawn = path.read_text(encoding="utf-8")
        if path.name.endswith("-trial.svg"):
            assert "n = 1: outer seed 0" in drawn or "a reference" in drawn
        else:
            assert "outer seeds" in drawn
            assert "preliminary" in drawn or "10 outer seeds" in drawn
        assert "http-equiv" not in drawn
        assert "<dc:date>" not in drawn


def test_what_was_not_run_or_failed_is_told(built: Built) -> None:
    first = built.page("index.html")
    assert first.text.count("Not run yet.") == 1
    assert first.text.count("badger board build") == 1
    empty = built.page("boards/empty-v1.html")
    assert "Not run yet." in empty.text
    assert "badger board run empty-v1" in empty.text
    assert empty.tables == {}
    assert "talk, outer seed 9: failed: no finite loss" in built.page("boards/tiny-v1.html").text
    assert "Without a finished run: never." in built.page("boards/sizes-v1.html").text
    assert "No claim on tiny-v1 (talk): not shown: at least 10 outer seeds" in first.text
    rows = {(row[0][0], row[2][0]): row for row in first.tables["lines"][1:]}
    assert rows["never", "sizes-v1"][3][0] == "not run"
    assert rows["talk", "sizes-v1"][3][0] == "preliminary"
    assert len(rows) == 5 + 3 + 5


def test_scales_have_their_sentence_and_differences(built: Built) -> None:
    page = built.page("boards/sizes-v1.html")
    told = "talk and more-experts are not distinguishable anywhere."
    assert f"steps, talk against more-experts: {told}" in page.text
    assert [row[0][0] for row in page.tables["life-more-experts"]] == ["steps", "4", "6"]
    assert "figures/sizes-v1-scale-life.svg" in built.files


def test_an_agents_page_has_its_recipe_and_each_seed(built: Built) -> None:
    board, folder = built.boards[0]
    page = built.page(agent_page("talk"))
    recipe = Path(board.agents["talk"].recipe)
    assert recipe.read_text().strip() in page.text
    assert str(recipe.parent) not in page.text  # no path of the builder's machine
    rows = page.tables["seeds-tiny-v1"]
    assert [row[0][0] for row in rows] == ["outer seed", *map(str, range(10))]
    (first,) = [each for each in read_runs(folder, board)["talk"] if each.seed == 0]
    assert rows[1][2][1] == str(first.outcomes["short"].mean())
    assert rows[10][1][0] == "failed: no finite loss"
    shuffled = built.page(agent_page("shuffled"))
    assert 'intervention = "shuffle across tasks"' in shuffled.text
    assert "talk on sizes-v1" in page.text  # made alike


def test_an_agents_page_has_a_trial_of_its_first_outer_seed(built: Built) -> None:
    page = built.page(agent_page("talk"))
    (caption,) = [
        each for each in page.captions if "tiny-v1" not in each and "cell short, outer seed 0" in each
    ][:1]
    assert "what the first 3 experts send" in caption
    drawn = (built.site / "figures" / "tiny-v1-talk-trial.svg").read_text(encoding="utf-8")
    assert "expert 3" in drawn
    assert "the arm that is pulled" in " ".join(built.page(agent_page("zeros")).captions)


def test_outcomes_of_seeds_are_there_as_csv(built: Built) -> None:
    board, folder = built.boards[0]
    with (built.site / "data" / "tiny-v1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    runs = {(run.agent, str(run.seed)): run for found in read_runs(folder, board).values() for run in found}
    whole = [row for row in rows if row["status"] == "ok"]
    assert len(rows) == 10 * 4 * 2 - 1 + 1
    for row in whole:
        run = runs[row["agent"], row["outer_seed"] or "None"]
        assert row["outcome"] == "error"
        assert float(row["mean"]) == pytest.approx(run.outcomes[row["cell"]].mean(), rel=1e-6)


def test_what_is_done_to_agents_is_explained(built: Built) -> None:
    meaning = CHANGES["shuffle across tasks"]
    for name in (agent_page("shuffled"), "boards/tiny-v1.html", "index.html"):
        assert meaning in built.page(name).text, name
    assert "those of talk: " in built.page(agent_page("shuffled")).text  # it has no costs of its own
    assert meaning not in built.page("boards/sizes-v1.html").text


def test_the_only_contestant_is_not_called_the_best(tmp_path: Path) -> None:
    board, folder = tiny_board(tmp_path, seeds=10), tmp_path / "rows"
    write_made_up(board, folder, seeds=10)
    page = site_files([(board, folder)], tmp_path / "site")["boards/tiny-v1.html"].decode()
    assert "The only contestant:" in page
    assert "Best of the contestants" not in page
    view = view_of(board, folder)
    assert len(view.lines) == 5
    for line in view.lines:
        within = line.difference is not None and line.difference.low <= 0 <= line.difference.high
        assert (line.agent in view.like_it) == within


def test_an_axis_ends_a_decade_below_the_contestants(built: Built) -> None:
    view = view_of(*built.boards[0])
    means = {line.agent: np.array([line.cells["short"].value]) for line in view.lines}

    def floor() -> float | None:
        return floor_for([(line, means[line.agent]) for line in view.lines])

    assert floor() is None  # nobody is so far below
    means["zeros"] = means["talk"] * 1e-6
    assert floor() == pytest.approx(means["talk"][0] / 10)
    means["zeros"] = np.array([0.0])
    assert floor() is None  # not a logarithmic axis


def test_text_is_escaped_and_names_become_files(built: Built) -> None:
    raw = (built.site / "boards" / "sizes-v1.html").read_text(encoding="utf-8")
    assert "<b>&amp;</b>" not in raw
    assert TITLE in built.page("boards/sizes-v1.html").text
    assert slug("gru-monolith") == "gru-monolith"
    assert slug("a/b c") != slug("a_b c")
    assert "/" not in slug("../x")


def test_a_band_is_the_interval_of_each_point() -> None:
    curves = np.random.default_rng(0).normal(size=(7, 3))
    found = band(curves)
    for point in range(3):
        alone = over_seeds(curves[:, point])
        assert (found.value[point], found.low[point], found.high[point]) == pytest.approx(alone[:3])
    assert np.isnan(band(curves[:4]).low).all()


def test_what_becomes_of_an_older_site(built: Built, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(built.site, site)
    less = site_files(built.boards[2:], site)
    write_site(less, site)
    assert {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()} == less.keys()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(SiteError, match="empty folder"):
        write_site(less, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    (tmp_path / "mine" / MANIFEST).write_text('{"files": ["../site/index.html"]}')
    with pytest.raises(SiteError, match="empty folder"):
        write_site(less, tmp_path / "mine")


def test_the_command_says_what_it_wrote_and_refuses_in_one_line(
    built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = built.folder / "empty-v1.toml"
    done = run(capsys, "board", "build", file, "--runs", tmp_path, "--out", tmp_path / "site", "--json")
    assert done.status == 0, done.err
    assert done.value("files") == len([path for path in (tmp_path / "site").rglob("*") if path.is_file()])
    assert "each name" in refused(capsys, "board", "build", file, file, "--out", tmp_path / "other")
    assert "chess-v1" in refused(capsys, "board", "build", "chess-v1")
    (tmp_path / "file").touch()
    assert "--out" in refused(capsys, "board", "build", file, "--out", tmp_path / "file")
    assert seeds_said([]) == "references only: no outer seeds, no intervals"


EDGES = {
    "constant": lambda agent, tasks: np.ones(tasks),
    "zero": lambda agent, tasks: np.zeros(tasks),
    "negative": lambda agent, tasks: -np.arange(tasks, dtype=float),
    "over many decades": lambda agent, tasks: 10.0 ** np.arange(tasks),
    "failed": lambda agent, tasks: None,
    "failed but for one": lambda agent, tasks: None if agent == "talk" else np.ones(tasks),
}


@pytest.mark.slow
@pytest.mark.parametrize("edge", EDGES)
def test_no_outcomes_are_too_strange_to_draw(edge: str, tmp_path: Path) -> None:
    board = tiny_board(tmp_path, seeds=5)
    for agent, entrant in board.agents.items():
        for seed in [None] if entrant.role == "reference" else range(5):
            outcomes = EDGES[edge](agent, board.tasks)
            cells = {} if outcomes is None else dict.fromkeys(board.cells_of(agent), outcomes)
            facts = {"fingerprint": board.fingerprint(agent), "loss_by_step": [0.0] * 4, "seconds": 1.0}
            facts |= {
                "status": "failed: nan" if outcomes is None else "ok",
                "parameters": 10,
                "outer_steps": 9,
            }
            write_run(tmp_path, RunRows(agent, seed, cells, facts))
    files = site_files([(board, tmp_path)], tmp_path / "site")
    assert ("figures/tiny-v1-outcomes.svg" in files) == (edge != "failed")
    page = files["boards/tiny-v1.html"].decode()
    assert "talk</a>, outer seed 4: failed: nan" in page or not edge.startswith("failed")
