"""Made-up results of a board."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from leaderboards.boards.board import Board
from leaderboards.boards.results import Row, Run

NOTHING: dict[str, Any] = dict.fromkeys(Row._fields) | Row._field_defaults


def made_up(
    board: Board,
    means: Mapping[str, float],
    *,
    seeds: int = 10,
    spread: float = 0.02,
    noise: float = 1e-3,
    influence: float | None = 0.3,
    thresholds: Mapping[str, Sequence[float]] | None = None,
    reference: float = 1.0,
) -> dict[str, list[Run]]:
    """Results with these means over seeds; what a seed does is common to all agents.

    Args:
        board: the board.
        means: outcome of each line that is trained, in all cells.
        seeds: outer seeds.
        spread: of what seeds share.
        noise: of what they do not.
        influence: of messages; None: not measured.
        thresholds: outer steps to the threshold by line and seed, where not "never".
        reference: outcome of references.
    """
    draws = np.random.default_rng(0)
    common, own = draws.normal(size=seeds) * spread, draws.normal(size=(len(means), seeds)) * noise
    own -= own.mean(axis=-1, keepdims=True)  # agents with one mean do not differ
    found: dict[str, list[Run]] = {agent: [] for agent in board.agents}
    for number, (agent, mean) in enumerate(means.items()):
        steps = (thresholds or {}).get(agent, [float("inf")] * seeds)
        for seed in range(seeds):
            known = {"agent": agent, "seed": seed, "status": "ok", "tasks": board.tasks, "std": 0.1}
            known |= {"mean": mean + common[seed] + own[number, seed], "outer_steps": 500, "parameters": 10}
            known |= {"threshold": steps[seed], "weights": f"{agent}{seed}"}
            if influence is not None:
                known |= {"influence": influence, "influence_untrained": 0.1}
            found[agent].append(_run(board, known))
    for agent, entrant in board.agents.items():
        if entrant.role == "reference":
            known = {"agent": agent, "status": "ok", "mean": reference, "std": 0.0, "tasks": board.tasks}
            found[agent].append(_run(board, {**known, "weights": ""}))
    return found


def failed(run: Run) -> Run:
    """The run as if its training had diverged."""
    rows = {
        cell: row._replace(status="failed: nan", mean=None, std=None, tasks=0)
        for cell, row in run.rows.items()
    }
    return run._replace(rows=rows)


def _run(board: Board, known: dict[str, Any]) -> Run:
    rows = {cell: Row(**{**NOTHING, **known, "cell": cell}) for cell in board.cells_of(known["agent"])}
    return Run(known["agent"], known.get("seed"), rows, None if known["weights"] == "" else 1.0)
