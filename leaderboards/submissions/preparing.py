"""Preparing a submission: from finished runs to a folder with manifest, rows, recipe and weights."""

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import badger_envs
from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.log import read_log
from badger_agents.training.loop import CHECKPOINT, LOG
from leaderboards.boards.board import Board
from leaderboards.boards.rows import read_run
from leaderboards.submissions.measuring import board_keys, outcomes_of
from leaderboards.submissions.own_code import files_of, with_files
from leaderboards.submissions.packed import pack
from leaderboards.submissions.rows import write_rows
from leaderboards.submissions.schema import FILE, Manifest
from leaderboards.submissions.sources import check_sources, commit, golden_sha256, source_sha256
from leaderboards.submissions.validation import cells_of
from leaderboards.toml_text import recipe_text

Weights = dict[str, Tensor]


class Made(NamedTuple):
    """One outer seed of an agent.

    Attributes:
        seed: outer seed.
        status: "ok", or "failed: " and what went wrong.
        weights: by name; None if it failed.
        outcomes: [N] of each cell; empty if it failed.
        costs: outer_steps, trials, seconds; what is not known is None or left out.
    """

    seed: int
    status: str
    weights: Weights | None
    outcomes: Mapping[str, np.ndarray]
    costs: Mapping[str, Any]


def of_board(board: Board, agent: str, runs: Path) -> tuple[Recipe, list[Made]]:
    """All outer seeds of a line of a board, as `badger board run` left them.

    Args:
        board: the board.
        agent: a line of it that is trained.
        runs: folder of `badger board run --out`.

    Raises:
        ValueError: the line is not trained, or an outer seed or its weights are not there.
    """
    entrant = board.agents[agent]
    if not entrant.recipe or entrant.role == "reference":
        what = "has no weights" if entrant.recipe else f"has the weights of {entrant.weights_of}"
        raise ValueError(f"{agent} {what}; submit an agent that is trained")
    found = [read_run(runs / board.name / "rows", board, agent, seed) for seed in range(board.seeds)]
    if lost := [seed for seed, run in enumerate(found) if run is None]:
        raise ValueError(
            f"{runs} lacks outer seeds {lost} of {agent}; make them: badger board run {board.name}"
            f" --agents {agent} --out {runs}"
        )
    files = _weights_below(runs)
    made = []
    for run in found:
        assert run is not None
        assert run.seed is not None
        weights = None
        if run.ok:
            path = files.get(run.facts["weights_sha256"])
            if path is None:
                raise ValueError(
                    f"the weights of {agent} with outer seed {run.seed} are nowhere in {runs};"
                    " they are in the checkpoints of `badger board run`, which belong to its rows"
                )
            weights = _weights(path)
        costs = {name: run.facts.get(name) for name in ("outer_steps", "trials", "seconds")}
        made.append(Made(run.seed, run.facts["status"], weights, run.outcomes, costs))
    return board.recipe(agent), made


def of_runs(
    board: Board, name: str, runs: Path, cells: Sequence[str], failed: Sequence[int]
) -> tuple[Recipe, list[Made]]:
    """All outer seeds of an agent of one's own, measured now on the tasks of a board.

    Args:
        board: the board.
        name: of the runs: NAME-seed0, NAME-seed1, ... are folders of `badger train`.
        runs: where these lie.
        cells: of the board, in which it is measured.
        failed: outer seeds whose training failed.

    Raises:
        ValueError: a run is not there or not finished, or they are not runs of one recipe.
    """
    made: list[Made] = []
    first: Recipe | None = None
    for seed in range(board.seeds):
        folder = runs / f"{name}-seed{seed}"
        log = read_log(folder / LOG)
        costs = {"outer_steps": log[-1]["step"], "seconds": round(log[-1]["seconds"], 1)} if log else {}
        if seed in failed:
            made.append(Made(seed, "failed: told by the submitter", None, {}, costs))
            continue
        checkpoint = load_checkpoint(folder / CHECKPOINT)
        recipe = checkpoint.recipe
        first = first or recipe
        if _same(recipe) != _same(first) or checkpoint.seed != seed:
            raise ValueError(f"{folder} is of another recipe or outer seed than its name and the others say")
        assert recipe.training is not None  # it has a checkpoint
        if not recipe.training.ends(checkpoint.step, checkpoint.place.waits):
            raise ValueError(
                f"{folder} is at outer step {checkpoint.step} of {recipe.training.outer_steps}; finish it,"
                f" or say that it cannot be: --failed {seed}"
            )
        if not recipe.training.stages:
            costs["trials"] = checkpoint.step * recipe.training.batch_size
        outcomes = {}
        for cell in cells:
            table = board.cells[cell]
            family = table.family()
            try:
                agent = checkpoint.agent(**table.agent).eval()
                outcomes[cell] = outcomes_of(agent, family, board_keys(board, family))
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"{name} cannot be measured in cell {cell} ({error}); see --cells"
                ) from error
        made.append(Made(seed, "ok", checkpoint.weights, outcomes, costs))
    if first is None:
        raise ValueError("all outer seeds failed; there is nothing to submit")
    return first, made


def write_submission(
    folder: Path, board: Board, recipe: Recipe, made: Sequence[Made], facts: Mapping[str, Any]
) -> Manifest:
    """Write a submission's folder, whole or not at all.

    Args:
        folder: which must not be there yet.
        board: the board.
        recipe: of the agent.
        made: all outer seeds of the board.
        facts: name, authors, about and hardware.

    Raises:
        ValueError: the folder is there, or an environment does not play as its golden trajectory says.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already; choose another --out, or remove it")
    measured = next(run.outcomes for run in made if run.weights is not None)
    cells = {name: table.model_dump() for name, table in cells_of(board).items() if name in measured}
    ids = sorted({table["id"] for table in cells.values()})
    check_sources(ids)
    named = files_of(recipe)
    code = {f"{place}.py": Path(file).read_bytes() for place, file in named.items()}
    tables = with_files(json.loads(recipe.to_json()), {place: f"{place}.py" for place in named})
    outcomes = {run.seed: run.outcomes for run in made if run.weights is not None}
    files: dict[str, bytes] = {
        "recipe.toml": recipe_text(tables, f"How {facts['name']} was trained.").encode(),
        "episodes.csv.gz": pack(write_rows(outcomes)),
        **code,
    }
    runs = []
    for run in made:
        known = {key: value for key, value in run.costs.items() if value is not None}
        table: dict[str, Any] = {"seed": run.seed, "status": run.status, **known}
        if run.weights is not None:
            path = f"weights-seed{run.seed}.safetensors"
            files[path] = save({key: value.cpu().contiguous().clone() for key, value in run.weights.items()})
            table["weights"] = {"path": path, "sha256": _sha256(files[path])}
            table["parameters"] = sum(value.numel() for value in run.weights.values())
        runs.append(table)
    tables = {
        "format": 1,
        "board": board.name,
        **facts,
        "suite": {
            "version": badger_envs.__version__,
            "commit": commit(),
            "source_sha256": source_sha256(),
        },
        "recipe": _declared(files, "recipe.toml"),
        "rows": _declared(files, "episodes.csv.gz"),
        "code": [_declared(files, path) for path in code],
        "environments": [{"id": id, "golden_sha256": golden_sha256(id)} for id in ids],
        "cells": cells,
        "runs": runs,
    }
    manifest = Manifest.model_validate(tables)
    text = recipe_text(tables, f"A submission to the board {board.name}: `badger board validate`.")
    _write_folder(folder, {FILE: text.encode(), **files})
    return manifest


def hardware() -> str:
    """What this machine is, in a few words."""
    device = f"; {torch.cuda.get_device_name()} present" if torch.cuda.is_available() else ""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores{device}"


def weights_sha256(weights: Weights) -> str:
    """Hash of weights, however they are stored: by name, in that order; as boards' facts tell it."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _weights(path: Path) -> Weights:
    """The weights in a checkpoint, without the rest of it."""
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("weights/")]  # noqa: SIM118
        return {name.removeprefix("weights/"): file.get_tensor(name) for name in names}


def _weights_below(folder: Path) -> dict[str, Path]:
    """All checkpoints below a folder, by the hash of their weights: wherever a board keeps them."""
    found = {}
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            found[weights_sha256(_weights(path))] = path
        except (SafetensorError, OSError):
            continue  # half-written, or somebody else's
    return found


def _same(recipe: Recipe) -> dict[str, Any]:
    """What must be alike in runs of one recipe: all but where code lies; that is compared as text."""
    files = files_of(recipe)
    texts = {place: _sha256(Path(file).read_bytes()) for place, file in files.items()}
    return with_files(json.loads(recipe.to_json()), texts)


def _declared(files: Mapping[str, bytes], path: str) -> dict[str, str]:
    return {"path": path, "sha256": _sha256(files[path])}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """All files in a new folder, which appears when they are all there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for name, content in files.items():
            (part / name).write_bytes(content)
        part.chmod(0o755)  # as any other folder; mkdtemp's is private
        os.rename(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
