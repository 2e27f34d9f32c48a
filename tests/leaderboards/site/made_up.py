"""Made-up rows of boards, in the form that runs leave; they are for tests and say nothing of any agent."""

from pathlib import Path

import numpy as np

from leaderboards.boards.board import Board
from leaderboards.boards.rows import RunRows, write_run


def write_made_up(
    board: Board, folder: Path, *, seeds: int = 10, failed: int = 0, without: tuple[str, ...] = ()
) -> None:
    """Rows of all agents of a board but some.

    Args:
        board: the board.
        folder: where the rows are put.
        seeds: outer seeds of each.
        failed: how many of the first agent's runs failed, the last ones.
        without: agents that have no runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(3)
    for number, (agent, entrant) in enumerate(board.agents.items()):
        skill = draws.uniform(0.05, 0.8) if entrant.role != "control" else draws.uniform(0.3, 1.0)
        for seed in [None] if entrant.role == "reference" else range(seeds):
            noise = np.exp(0.3 * draws.normal())
            facts = {"status": "ok", "fingerprint": board.fingerprint(agent)}
            outcomes = {}
            if number == 0 and seed is not None and seed >= seeds - failed:
                facts["status"] = "failed: no finite loss"
            else:
                for place, cell in enumerate(board.cells_of(agent)):
                    spread = np.exp(0.5 * draws.normal(size=board.tasks))
                    outcomes[cell] = skill * noise * spread * (1 + 0.1 * place)
            facts |= costs_of(board, agent, skill, draws)
            if not seed:
                facts["trial"] = trial_of(entrant.role, draws)
            if agent not in without:
                write_run(folder, RunRows(agent, seed, outcomes, facts))


def trial_of(role: str, draws: np.random.Generator) -> dict[str, object]:
    """The first trial of an agent: references choose arms, the others write, and talk."""
    if role == "reference":
        return {"choice": [0, 1, 1, 1], "best": [1, 1, 1, 1]}
    outputs, messages = draws.uniform(-1, 1, (4, 2)), draws.uniform(-1, 1, (4, 3, 5))
    return {"outputs": outputs.tolist(), "solution": [[0.5, -0.5]] * 4, "messages": messages.tolist()}


def costs_of(board: Board, agent: str, skill: float, draws: np.random.Generator) -> dict[str, object]:
    """Facts that a run leaves beside its status."""
    entrant = board.agents[agent]
    if entrant.role == "reference":
        return {"parameters": 0, "outer_steps": 0, "trials": 0, "seconds": 0.0}
    found: dict[str, object] = {
        "parameters": int(draws.integers(3000, 3600)),
        "outer_steps": 1500,
        "trials": 192000,
        "seconds": float(draws.uniform(20, 110)),
        "loss_by_step": (skill + np.exp(-np.arange(20) / 4 + 0.1 * draws.normal(size=20))).tolist(),
    }
    if board.threshold is not None:
        found["outer_steps_to_threshold"] = int(draws.integers(100, 900)) if draws.random() < 0.8 else None
    if entrant.intervention is None:
        found |= {"influence": [0.3 * float(draws.random()), 0.0], "bits_per_step": 512.0}
        if entrant.control_of is not None:
            found["bits_per_step"] = 0.0
    return found
