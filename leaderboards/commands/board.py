"""`badger board`: run a leaderboard, and show what it says."""

import math
import os
from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.files import write_together
from leaderboards.boards.board import FOLDER, Board, BoardError, board_names, load_board
from leaderboards.boards.claims import verdicts
from leaderboards.boards.cluster import check_cluster, work_on_cluster
from leaderboards.boards.rows import RunRows, kept_folder, read_runs, stem
from leaderboards.boards.scaling import crossings
from leaderboards.boards.standing import Line, place, said, standing
from leaderboards.boards.units import Unit, missing, rows_folder, units_of
from leaderboards.boards.work import Steps, Told, work
from leaderboards.commands.season import Command as SeasonCommand
from leaderboards.commands.site import build
from leaderboards.commands.submission import Command as SubmissionCommand
from leaderboards.commands.train import progress_bar
from leaderboards.results import Record, record, show
from leaderboards.runs import make_folder
from leaderboards.statistics import KIND, Estimate


def run(
    board: Annotated[str, tyro.conf.Positional],
    *,
    agents: tuple[str, ...] = (),
    policy: str | None = None,
    seeds: int | None = None,
    processes: int = max(1, os.cpu_count() or 1),
    out: Path = Path("runs/boards"),
    ray: str | None = None,
    keep: bool = False,
    json: bool = False,
) -> None:
    """Train and measure every agent of a board with every outer seed, then show the board.

    Each finished run is saved at once and never made again. Stopped or killed, the same command goes on
    where it was, and ends with the same rows. Boards share trainings.

    With --policy, your own expert policy takes the place of that of the board's first agent, is trained as
    that one was, and is compared in pairs with the runs that come with the suite.

    Args:
        board: Name of a board (see `badger board list`), or path to a TOML file.
        agents: Lines of the board to run; all if not given, or none but your own with --policy.
        policy: Your own expert policy, as my_file.py:MyPolicy.
        seeds: How many outer seeds, from 0 on; the board's own number if not given.
        processes: How many units of work at a time; each uses one core.
        out: Where run folders and rows are put: rows in a folder named after the board.
        ray: Address of a Ray cluster, or 'local' for one on this machine; --processes does not count then.
        keep: Also put the finished rows where the suite keeps them (for those who work on the suite).
        json: Print the result as one JSON object.
    """
    if processes < 1:
        raise ValueError(f"--processes is {processes}; it must be at least 1")
    if ray is not None:
        check_cluster(ray)
    board_, own = load_board(board), None
    if policy is not None:
        board_, own = with_policy(board_, policy)
        agents = (*agents, own)
    make_folder(rows_folder(out, board_))
    make_all(board_, units_of(board_, out, agents, seeds), processes, ray)
    if keep:
        keep_rows(board_, rows_folder(out, board_))
    show_board(board_, rows_folder(out, board_), json, kept=policy is not None, own=own)


def make_all(board: Board, units: list[Unit], processes: int, ray: str | None = None) -> None:
    """Make what is missing of units, with a bar."""
    left = missing(units)
    for unit in left:  # what is wrong with a recipe shows before hours of work
        board.fingerprint(unit.source)
    wanted = sum(len(unit.wanted) for unit in units)
    done = wanted - sum(len(unit.wanted) for unit in left)
    steps = {unit.name: 0 for unit in left}
    with progress_bar() as bar:
        line = bar.add_task(
            board.name, total=sum(unit.steps for unit in left), note=f"{done} of {wanted} runs"
        )

        def on_told(unit: Unit, told: Told) -> None:
            nonlocal done
            if isinstance(told, Steps):
                steps[unit.name] = told.done
            else:
                done, steps[unit.name] = done + 1, unit.steps
            name = (
                f", {stem(told.agent, told.seed)} {told.facts['status']}" if isinstance(told, RunRows) else ""
            )
            bar.update(line, completed=sum(steps.values()), note=f"{done} of {wanted} runs{name}")

        if left and ray is not None:
            work_on_cluster(left, ray, on_told)
        elif left:
            work(left, processes, on_told)


def with_policy(board: Board, policy: str) -> tuple[Board, str]:
    """The board with a line for a user's own expert policy, and its name."""
    file, _, name = policy.rpartition(":")
    if not name or not Path(file).is_file():
        raise ValueError(f"--policy is {policy!r}; give a file and a class in it, as my_file.py:MyPolicy")
    if name in board.agents:
        raise ValueError(
            f"--policy {policy}: {board.name} has an agent {name!r} already; name yours otherwise"
        )
    entrant = board.agents[board.baseline].model_copy(update={"policy": f"{Path(file).resolve()}:{name}"})
    return board.model_copy(update={"agents": {**board.agents, name: entrant}}), name


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


def show_board(
    board: Board, folder: Path, as_json: bool, *, kept: bool = False, own: str | None = None
) -> None:
    """Print a board; BoardError if there is not one run of it.

    Args:
        board: the board.
        folder: with rows.
        as_json: as one JSON object.
        kept: where the folder lacks a line's rows, show those that the suite keeps.
        own: line of which to say where it stands.
    """
    found = read_runs(folder, board)
    if kept:
        theirs = read_runs(kept_folder(board), board)
        found = {agent: runs or theirs[agent] for agent, runs in found.items()}
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
    note += "".join(f"; {verdict.sentence} {verdict.speed}".rstrip() for verdict in verdicts(board, found))
    note += "" if own is None else f"; {place(board, found, own)}"
    show([_record(board, line, as_json) for line in lines], as_json=as_json, title=board.title, note=note)


def keep_rows(board: Board, folder: Path) -> None:
    """Put finished rows where the suite keeps them."""
    if board.name not in board_names() or load_board(board.name).model_dump() != board.model_dump():
        raise BoardError(f"--keep is for the suite's own boards; {board.name} is none")
    target = FOLDER / board.name / "runs"
    make_folder(target)
    for runs in read_runs(folder, board).values():
        for each in runs:
            names = [f"{stem(each.agent, each.seed)}{ending}" for ending in (".csv.gz", ".json")]
            write_together({target / name: (folder / name).read_bytes() for name in names})


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
    | SubmissionCommand
    | SeasonCommand
)
"""What `badger board` can do."""


def board(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """Run and show leaderboards, and submit to them."""
