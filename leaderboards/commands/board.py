"""`badger board`: run a leaderboard, and show what it says."""

import math
import os
from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.files import write_together
from leaderboards.boards.board import FOLDER, Board, BoardError, board_names, load_board
from leaderboards.boards.claims import verdicts
from leaderboards.boards.rows import RunRows, kept_folder, read_runs, stem
from leaderboards.boards.scaling import crossings
from leaderboards.boards.standing import Line, said, standing
from leaderboards.boards.work import jobs_of, missing, work
from leaderboards.commands.site import build
from leaderboards.commands.train import make_folder, progress_bar
from leaderboards.results import Record, record, show
from leaderboards.statistics import KIND, Estimate


def run(
    board: Annotated[str, tyro.conf.Positional],
    *,
    agents: tuple[str, ...] = (),
    seeds: int | None = None,
    processes: int = max(1, os.cpu_count() or 1),
    out: Path = Path("runs/boards"),
    keep: bool = False,
    json: bool = False,
) -> None:
    """Train and measure every agent of a board with every outer seed, then show the board.

    Each finished run is saved at once and never made again. Stopped or killed, the same command goes on
    where it was, and ends with the same rows.

    Args:
        board: Name of a board (see `badger board list`), or path to a TOML file.
        agents: Lines of the board to run; all if not given.
        seeds: How many outer seeds, from 0 on; the board's own number if not given.
        processes: How many runs at a time; each uses one core.
        out: Where run folders and rows are put, in a folder named after the board.
        keep: Also put the finished rows where the suite keeps them (for those who work on the suite).
        json: Print the result as one JSON object.
    """
    if processes < 1:
        raise ValueError(f"--processes is {processes}; it must be at least 1")
    board_ = load_board(board)
    folder = out / board_.name
    make_folder(folder)
    jobs = jobs_of(board_, folder, agents, seeds)
    left = missing(jobs)
    for job in left:  # what is wrong with a recipe shows before hours of work
        board_.fingerprint(job.agent)
    with progress_bar() as bar:
        line = bar.add_task(board_.name, total=len(jobs), completed=len(jobs) - len(left), note="")

        def on_done(done: RunRows) -> None:
            bar.update(line, advance=1, note=f"{stem(done.agent, done.seed)} {done.facts['status']}")

        if left:
            work(left, processes, on_done)
    if keep:
        keep_rows(board_, folder / "rows")
    show_board(board_, folder / "rows", json)


def show_(
    board: Annotated[str, tyro.conf.Positional],
    *,
    runs: Path | None = None,
    json: bool = False,
) -> None:
    """Show what a board says, from raw rows.

    Args:
        board: Name of a board, or path to a TOML file.
        runs: Folder of `badger board run --out`, to show your own runs; the suite's if not given.
        json: Print the result as one JSON object.
    """
    board_ = load_board(board)
    show_board(board_, kept_folder(board_) if runs is None else runs / board_.name / "rows", json)


def list_boards(*, json: bool = False) -> None:
    """Name the boards that come with the suite.

    Args:
        json: Print the result as one JSON object.
    """
    boards = [load_board(name) for name in board_names()]
    rows = [
        record("board", each.name, title=each.title, track=each.track, agents=len(each.agents))
        for each in boards
    ]
    show(rows, as_json=json, title="Boards", note="next: badger board show NAME")


def show_board(board: Board, folder: Path, as_json: bool) -> None:
    """Print a board; BoardError if there is not one run of it."""
    found = read_runs(folder, board)
    lines = standing(board, found)
    if not lines:
        raise BoardError(f"{board.name} has no finished runs here; make some: badger board run {board.name}")
    better = "higher" if board.higher_is_better else "lower"
    counts = sorted({len(line.seeds) for line in lines if line.role != "reference"})
    few = [line.agent for line in lines if line.preliminary]
    note = f"mean {board.outcome} over {board.tasks} tasks, {better} is better"
    if counts:
        seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        note += f"; intervals: {KIND}, {seeds} outer seeds"
        note += "; agents that share a letter are not distinguishable"
    note += f"; fewer than 10 outer seeds, preliminary: {', '.join(few)}" if few else ""
    failed = [f"{line.agent} {list(line.failed)}" for line in lines if line.failed]
    note += f"; failed outer seeds: {', '.join(failed)}" if failed else ""
    note += "".join(f"; {crossing.sentence}" for crossing in crossings(board, found))
    note += "".join(f"; {verdict.sentence}" for verdict in verdicts(board, found))
    show([_record(board, line, as_json) for line in lines], as_json=as_json, title=board.title, note=note)


def keep_rows(board: Board, folder: Path) -> None:
    """Put finished rows where the suite keeps them."""
    if load_board_or_none(board.name) != board:
        raise BoardError(f"--keep is for the suite's own boards; {board.name} is none")
    target = FOLDER / board.name / "runs"
    make_folder(target)
    for runs in read_runs(folder, board).values():
        for each in runs:
            names = [f"{stem(each.agent, each.seed)}{ending}" for ending in (".csv.gz", ".json")]
            write_together({target / name: (folder / name).read_bytes() for name in names})


def load_board_or_none(name: str) -> Board | None:
    """The suite's board of a name."""
    return load_board(name) if name in board_names() else None


def _record(board: Board, line: Line, as_json: bool) -> Record:
    """A line of the board as a record: flat, with text for people and numbers for programs."""
    facts: Record = {"role": line.role, "group": line.group, "seeds": len(line.seeds)}
    if as_json:
        facts |= {"failed_seeds": list(line.failed), **line.facts}
        facts |= {"iqm": line.middle.value, "iqm_ci95": _ends(line.middle)}
        for cell, estimate in line.cells.items():
            facts |= {f"{cell}.mean": estimate.value, f"{cell}.ci95": _ends(estimate)}
        if line.difference is not None:
            facts |= {"compared_with": line.compared_with, "difference": line.difference.value}
            facts |= {"difference_ci95": _ends(line.difference)}
        main = line.cells[board.main]
        return record(board.outcome, main.value, agent=line.agent, **facts) | {"ci95": _ends(main)}
    versus = "" if line.difference is None else f"{said(line.difference, 3)} to {line.compared_with}"
    facts |= {cell: said(estimate, 3) for cell, estimate in line.cells.items()}
    facts |= {"difference": versus, "weights": int(line.facts.get("parameters", 0))}
    facts |= {"seconds": round(line.facts.get("seconds", 0))}
    row = {"agent": line.agent, **facts}
    return row


def _ends(estimate: Estimate) -> list[float] | None:
    return None if math.isnan(estimate.low) else [estimate.low, estimate.high]


Command = (
    Annotated[None, tyro.conf.subcommand("run", constructor=run)]
    | Annotated[None, tyro.conf.subcommand("show", constructor=show_)]
    | Annotated[None, tyro.conf.subcommand("list", constructor=list_boards)]
    | Annotated[None, tyro.conf.subcommand("build", constructor=build)]
)
"""What `badger board` can do."""


def board(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """Run and show leaderboards."""
