"""`badger board`: run a leaderboard, and show what it says."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.atomic_files import write_together
from badger_agents.class_loading import Trust
from leaderboards.boards.board import FOLDER, Board, BoardError, board_names, load_board
from leaderboards.boards.cluster import check_cluster, work_on_cluster
from leaderboards.boards.finished import keep_runs, put_together
from leaderboards.boards.results import FILE as RESULTS
from leaderboards.boards.results import read_results
from leaderboards.boards.rows import RunRows, stem
from leaderboards.boards.standing import place
from leaderboards.boards.units import Unit, missing, rows_folder, shard_of, units_of
from leaderboards.boards.work import Steps, Told, work
from leaderboards.commands.list import list_
from leaderboards.commands.submission import Command as SubmissionCommand
from leaderboards.options import progress_bar
from leaderboards.results import record, show
from leaderboards.runs import make_folder
from leaderboards.site.board_text import WIDTH, cell_lines, cost_lines, kept, own_results, show_board
from leaderboards.site.pages import pages
from leaderboards.tuning.choosing import (
    Choice,
    TuningRow,
    arms,
    known_choice,
    load_as_run,
    read_tuning,
    tuned,
    tuning_file,
    tuning_of,
)
from leaderboards.tuning.trying import TuningUnit, tune_board


def run(
    board: Annotated[str, tyro.conf.Positional],
    *,
    agents: tuple[str, ...] = (),
    policy: str | None = None,
    seeds: int | None = None,
    processes: int = max(1, os.cpu_count() or 1),
    out: Path = Path("runs/boards"),
    ray: str | None = None,
    shard: str | None = None,
    keep: bool = False,
    trust: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Train and measure every agent of a board with every outer seed, then show the board.

    Each finished run is saved at once and never made again. Stopped or killed, the same command goes on
    where it was, and ends with the same rows. Boards share trainings. Where a board chooses optimisers by
    tuning, every agent is trained with the one that `badger board tune` found for it.

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
        shard: Make only a part of the work, as i/n: 1/4, 2/4, 3/4 and 4/4 on four machines without Ray. Then
            copy their folders of --out into one, and run the same command there without --shard.
        keep: Also put the finished rows where the suite keeps them (for those who work on the suite).
        trust: Files and packages of yours whose code the board or its recipes may name, such as my_package.
        json: Print the result as one JSON object.
    """
    if processes < 1:
        raise ValueError(f"--processes is {processes}; it must be at least 1")
    if ray is not None:
        check_cluster(ray)
    untuned, own = load_board(board, Trust.of(*trust)), None
    needed = agents if policy is None else (*agents, untuned.baseline)
    board_ = tuned(untuned, tuning_file(board), needed)
    if policy is not None:
        board_, own = with_policy(board_, policy)
        agents = (*agents, own)
    make_folder(rows_folder(out, board_))
    units = units_of(board_, out, agents, seeds)
    if shard is not None:
        units = shard_of(units, shard)
    make_all(board_, units, processes, ray)
    if shard is not None:
        made = record("runs", sum(len(unit.wanted) for unit in units))
        show([made], as_json=json, title=f"shard {shard} of {board_.name} is made", note=f"in {out}")
        return
    put_together(board_, rows_folder(out, board_), out / board_.name)
    if keep:
        keep_results(untuned if policy is None else board_, out / board_.name)
    rows = read_tuning(tuning_file(board))
    if policy is None:
        found = read_results(board_, out / board_.name / RESULTS)
        show_board(board_, found, tuning=rows, as_json=json)
        return
    assert own is not None
    results = own_results(board_, out / board_.name / RESULTS)
    show_board(board_, results, tuning=rows, as_json=json, note=place(board_, results, own))


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


def tune(
    board: Annotated[str, tyro.conf.Positional],
    *,
    agents: tuple[str, ...] = (),
    processes: int = max(1, min(2, os.cpu_count() or 1)),
    out: Path = Path("runs/boards"),
    trust: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Choose the optimiser of every agent of a board that is trained, among the same candidates for all.

    Candidates and outer seeds are those of the board's [tuning] table. Each is trained as on the board and
    measured in its main cell, on tasks of the validation split. All that is measured is kept at once beside
    the board's file, in tuning.csv, or in mine-tuning.csv beside mine.toml; what is there is not made again
    unless the agent's recipe has changed.

    Args:
        board: Name of a board (see `badger board list`), or path to a TOML file.
        agents: Lines of the board to tune; all if not given.
        processes: How many agents at a time; each uses one core.
        out: Where run folders are put.
        trust: Files and packages of yours whose code the board or its recipes may name, such as my_package.
        json: Print what is chosen as one JSON object.
    """
    if processes < 1:
        raise ValueError(f"--processes is {processes}; it must be at least 1")
    board_ = load_board(board, Trust.of(*trust))
    steps: dict[tuple[str, object], int] = {}
    tuning_of(board_)
    if not arms(board_, agents):
        raise ValueError(f"--agents {agents[0]}: references are not trained, so there is nothing to tune")
    make_folder(out)
    with progress_bar() as bar:
        line = bar.add_task(f"tuning {board_.name}", total=0, note="")

        def on_told(unit: TuningUnit, told: Steps | TuningRow) -> None:
            if isinstance(told, Steps):
                steps[unit.name, unit.runs] = told.done
            else:
                steps[unit.name, unit.runs] = unit.steps
                bar.update(line, note=f"{told.agent} seed {told.seed} {told.status}")
            bar.update(line, completed=sum(steps.values()))

        choices = tune_board(
            board_,
            tuning_file(board),
            agents=agents,
            out=out,
            processes=processes,
            on_start=lambda total: bar.update(line, total=total),
            on_told=on_told,
        )
    show_choices(board_, choices, as_json=json)


def show_choices(board: Board, choices: Sequence[Choice], *, as_json: bool) -> None:
    """Print what tuning chose for each arm."""
    seeds = len(tuning_of(board).seeds)
    results = [
        record(
            board.outcome,
            choice.mean,
            agent=choice.agent,
            optimiser=choice.optimiser.model_dump_json(),
            diverged=choice.diverged,
            at_end=choice.at_end,
        )
        for choice in choices
    ]
    chosen = {choice.agent for choice in choices}
    without = [name for name in arms(board) if name not in chosen]
    note = f"mean over {seeds} outer seeds on the validation split"
    note += f"; not tuned: {', '.join(without)}" * bool(without)
    show(results, as_json=as_json, title=f"Optimisers of {board.name}", note=note)


def with_policy(board: Board, policy: str) -> tuple[Board, str]:
    """The board with a line for a user's own expert policy, and its name."""
    file, _, name = policy.rpartition(":")
    if not name or not Path(file).is_file():
        raise ValueError(f"--policy is {policy!r}; give a file and a class in it, as my_file.py:MyPolicy")
    if name in board.agents:
        raise ValueError(
            f"--policy {policy}: {board.name} has an agent {name!r} already; name yours otherwise"
        )
    line = board.agents[board.baseline]
    own = {
        "policy": f"{Path(file).resolve()}:{name}",
        "agent": {key: value for key, value in line.agent.items() if key != "policy"},
    }
    entrant = line.trusting(Trust.of(policy)).model_copy(update=own)
    return board.model_copy(update={"agents": {**board.agents, name: entrant}}), name


def show_(
    board: Annotated[str, tyro.conf.Positional],
    *,
    runs: Path | None = None,
    cells: bool = False,
    costs: bool = False,
    tuning: bool = False,
    trust: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Show what a board says, from its results.

    Args:
        board: Name of a board, or path to a TOML file.
        runs: Folder of `badger board run --out`, to show your own runs; the suite's if not given.
        cells: Show the means in every cell instead, by size where cells differ in one.
        costs: Show instead what agents cost: outer steps, trials, weights, operations, seconds.
        tuning: Show instead which optimiser was chosen for each agent.
        trust: Files and packages of yours whose code the board or its recipes may name, such as my_package.
        json: Print the result as one JSON object.
    """
    board_, note = load_as_run(board, Trust.of(*trust)), ""
    rows = read_tuning(tuning_file(board))
    if tuning:
        known = {row.key: row for row in rows}
        found = [known_choice(board_, name, known) for name in arms(board_)]
        choices = [choice for choice in found if choice is not None]
        if not choices:
            raise BoardError(f"{board_.name} has not been tuned; run badger board tune {board_.called}")
        show_choices(board_, choices, as_json=json)
        return
    if runs is None:
        board_, results, note = kept(board_)
    else:
        results = read_results(board_, runs / board_.name / RESULTS)
    if costs and not json:
        print("\n".join([textwrap.fill(board_.title, WIDTH), *cost_lines(board_, results)]))
        return
    if cells and not json:
        print("\n".join([textwrap.fill(board_.title, WIDTH), *cell_lines(board_, results)]))
        return
    show_board(board_, results, tuning=rows, as_json=json, note=note)


def list_boards(*, json: bool = False) -> None:
    """Name the boards that come with the suite.

    Args:
        json: Print the result as one JSON object.
    """
    list_("boards", json=json)


def build(
    boards: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    runs: Path | None = None,
    out: Path = Path("runs/pages"),
    trust: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Write a Markdown page for each board, with its pictures, for the documentation.

    The same results give the same bytes.

    Args:
        boards: Names of boards, or paths to TOML files; all of the suite's if not given.
        runs: Folder of `badger board run --out`, to show your own runs; the suite's if not given.
        out: Folder of the pages.
        trust: Files and packages of yours whose code boards or their recipes may name, such as my_package.
        json: Print the result as one JSON object.
    """
    names = boards or tuple(board_names())
    chosen = [load_as_run(name, Trust.of(*trust)) for name in names]
    found = [
        kept(board)[:2] if runs is None else (board, read_results(board, runs / board.name / RESULTS))
        for board in chosen
    ]
    tuning = {board.name: read_tuning(tuning_file(name)) for name, board in zip(names, chosen, strict=True)}
    files = pages(found, tuning)
    out.mkdir(parents=True, exist_ok=True)
    write_together({out / name: text for name, text in files.items()})
    show([record("files", len(files))], as_json=json, title="Pages of boards", note=f"in {out}")


def keep_results(board: Board, folder: Path) -> None:
    """Put finished results, and what they took, where the suite keeps them, beside what is there."""
    if board.name not in board_names() or load_board(board.name).model_dump() != board.model_dump():
        raise BoardError(f"--keep is for the suite's own boards; {board.name} is none")
    keep_runs(board, folder, FOLDER / board.name)


Command = (
    Annotated[None, tyro.conf.subcommand("run", constructor=run)]
    | Annotated[None, tyro.conf.subcommand("tune", constructor=tune)]
    | Annotated[None, tyro.conf.subcommand("show", constructor=show_)]
    | Annotated[None, tyro.conf.subcommand("list", constructor=list_boards)]
    | Annotated[None, tyro.conf.subcommand("build", constructor=build)]
    | SubmissionCommand
)
"""What `badger board` can do."""


def board(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """Run and show leaderboards, and submit to them."""
