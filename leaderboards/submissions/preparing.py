"""Preparing a submission: from runs of `badger train` to a folder with results, recipe and weights."""

import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import badger_envs
from badger_agents.atomic_files import write_atomically
from badger_agents.class_loading import Trust, code_files
from badger_agents.evaluation import evaluate
from badger_agents.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    portable_recipe,
    save_checkpoint,
    weights_only,
    weights_sha256,
)
from badger_agents.training.log import read_log
from badger_agents.training.own_code import keep_code
from badger_agents.training.run import CHECKPOINT, LOG
from badger_envs.testing.golden import check_golden, golden_sha256
from leaderboards.boards.board import Board, EntrantTable
from leaderboards.boards.csv_rows import rows_text
from leaderboards.boards.results import Row, rows_of
from leaderboards.boards.rows import RunRows
from leaderboards.submissions.manifest import (
    FILE,
    RECIPE,
    RESULTS,
    Manifest,
    SubmissionError,
    sha256,
    source_sha256,
    told,
    weights_file,
)
from leaderboards.submissions.verification import CHUNK
from leaderboards.toml_text import recipe_text


def prepare(
    folder: Path,
    board: Board,
    runs: Sequence[Path],
    *,
    authors: Sequence[str],
    cells: Sequence[str] = (),
    failed: Sequence[int] = (),
    about: str = "",
    hardware: str = "",
) -> Manifest:
    """Measure runs on the tasks of a board, and write the folder of a submission, whole or not at all.

    Args:
        folder: which must not be there yet; the submission is called after it.
        board: the board.
        runs: a run folder of each outer seed of the board, in their order.
        authors: who made it.
        cells: in which it is measured; all if empty.
        failed: outer seeds whose training failed.
        about: what it is, in a few words.
        hardware: on what it was trained; this machine if empty.

    Raises:
        ValueError: the folder is there, a run is not finished, or an environment does not play as its version
            says.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already; choose another --out, or remove it")
    if unknown := sorted(set(failed) - set(board.outer_seeds)):
        raise ValueError(f"--failed {unknown[0]}: {board.name} has outer seeds {list(board.outer_seeds)}")
    if set(failed) >= set(board.outer_seeds):
        raise ValueError("all outer seeds failed; there is nothing to submit")
    name, cells = folder.resolve().name, tuple(cells) or tuple(board.cells)
    ids = sorted({board.cells[cell].id for cell in cells})
    for id in ids:
        try:
            check_golden(id)
        except AssertionError as error:
            raise ValueError(str(error)) from None
    seeds = {seed: run for seed, run in zip(board.outer_seeds, runs, strict=True) if seed not in failed}
    checkpoints = {seed: finished(run, seed, board.trust) for seed, run in seeds.items()}
    code_names = {file.name for each in checkpoints.values() for file in code_files(each.recipe.model_dump())}

    def manifest_of(files: dict[str, str]) -> Manifest:
        facts = {
            "format": 1,
            "board": board.name,
            "name": name,
            "authors": list(authors),
            "about": about,
            "hardware": hardware or f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
            "suite": badger_envs.__version__,
            "source_sha256": source_sha256(),
            "environments": {id: golden_sha256(id) or "" for id in ids},
            "files": files,
        }
        try:
            return Manifest.model_validate(facts)
        except ValidationError as error:
            raise SubmissionError(*told(error)) from None

    manifest_of(dict.fromkeys([RECIPE, RESULTS, *code_names], sha256(b"")))  # names, before what takes long
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{name}."))
    try:
        rows: list[Row] = []
        first: tuple[str, dict[str, bytes]] | None = None
        alone = board.model_copy(update={"agents": {name: EntrantTable(recipe=RECIPE, cells=list(cells))}})
        for seed, run in zip(board.outer_seeds, runs, strict=True):
            log = read_log(run / LOG)
            costs = {"outer_steps": log[-1]["step"]} if log else {}
            if seed in failed:
                lost = RunRows(name, seed, {}, {"status": "failed: as its authors say", **costs})
                rows += rows_of(alone, lost)
                continue
            checkpoint = checkpoints[seed]
            kept = weights_only(checkpoint._replace(recipe=keep_code(checkpoint.recipe, part)))
            text = recipe_text(portable_recipe(kept.recipe, part), f"How {name} was trained.")
            (part / RECIPE).write_text(text, encoding="utf-8")
            code = {file.name: file.read_bytes() for file in part.glob("*.py")}
            if (first := first or (text, code)) != (text, code):
                raise ValueError(f"{run} was trained by another recipe or code than the runs before it")
            save_checkpoint(part / weights_file(seed), kept)
            rows += rows_of(alone, measured(name, board, cells, checkpoint, costs))
        write_atomically(part / RESULTS, rows_text(Row, rows).encode())
        there = [RECIPE, RESULTS, *sorted(file.name for file in part.glob("*.py"))]
        manifest = manifest_of({file: sha256((part / file).read_bytes()) for file in there})
        comment = f"A submission to the board {board.name}: badger board validate"
        (part / FILE).write_text(recipe_text(manifest.model_dump(), comment), encoding="utf-8")
        part.chmod(0o755)  # as any other folder; mkdtemp's is private
        os.rename(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return manifest


def finished(run: Path, seed: int, trust: Trust) -> Checkpoint:
    """The checkpoint of a run, if it is the last of that outer seed's training; ValueError if not."""
    checkpoint = load_checkpoint(run / CHECKPOINT, trust=trust | Trust(folders=(run,)))
    training = checkpoint.recipe.training
    if checkpoint.seed != seed:
        raise ValueError(f"{run} is of outer seed {checkpoint.seed}, not {seed}")
    if training is None or not training.ends(checkpoint.step, checkpoint.place.waits):
        raise ValueError(f"{run} is at outer step {checkpoint.step}; finish it, or give --failed {seed}")
    return checkpoint


def measured(
    name: str, board: Board, cells: Sequence[str], checkpoint: Checkpoint, costs: dict[str, Any]
) -> RunRows:
    """What an outer seed does on the board's tasks."""
    outcomes = {}
    for cell in cells:
        table = board.cells[cell]
        try:
            agent = checkpoint.agent(**table.agent).eval()
            found = evaluate(agent, table.family(), board.tasks, seed=board.task_seed, chunk=CHUNK).outcomes
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name} cannot be measured in cell {cell} ({error}); see --cells") from error
        outcomes[cell] = found.double().numpy()
    count = sum(value.numel() for value in checkpoint.weights.values())
    facts = {"parameters": count, "weights_sha256": weights_sha256(checkpoint.weights), "status": "ok"}
    return RunRows(name, checkpoint.seed, outcomes, {**costs, **facts, "outer_steps": checkpoint.step})
