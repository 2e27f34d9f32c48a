"""What is measured of an agent on a board: outcomes in each cell, and what its experts' talk is worth."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.whitebox.interventions import Intervened, Silence
from badger_agents.whitebox.measures import bits_per_step, influence
from badger_envs import keyed_random
from baselines.monolith.matching import measure as size_of
from leaderboards.boards.board import Board
from leaderboards.boards.changes import changed
from leaderboards.boards.rows import RunRows
from leaderboards.cells import CHUNK

WATCHED = 64
"""Trials in which influence is measured."""

WATCHED_EXPERTS = 8
"""Experts whose messages are exchanged, one at a time."""


def measure(
    board: Board, line: str, seed: int | None, opened: Callable[..., Agent], facts: dict[str, Any]
) -> RunRows:
    """An agent's rows in all its cells.

    Args:
        board: the board.
        line: of it.
        seed: outer seed; None for a reference.
        opened: makes the agent, with some settings changed.
        facts: what is known of the run already.
    """
    outcomes: dict[str, np.ndarray] = {}
    for cell in board.cells_of(line):
        agent = measured_agent(board, line, cell, opened)
        result = measured_in(board, cell, agent)
        outcomes[cell] = result.outcomes.double().numpy()
    if seed is not None:
        facts = {**facts, **_operations(board, line, opened), **_heard(board, line, opened)}
    return RunRows(line, seed, outcomes, facts)


def _changes(board: Board, line: str) -> dict[str, Any]:
    """Settings in which a line differs from the agent whose weights it has."""
    entrant = board.agents[line]
    return entrant.agent if entrant.weights_of is not None else {}


def measured_agent(board: Board, line: str, cell: str, opened: Callable[..., Agent]) -> Agent:
    """The agent of a line as it is measured in a cell."""
    table, entrant = board.cells[cell], board.agents[line]
    agent = opened(action_kind=table.family().action_kind, **{**_changes(board, line), **table.agent})
    return agent if entrant.intervention is None else changed(agent, entrant.intervention)


def measured_in(board: Board, cell: str, agent: Agent, split: str = "test") -> Evaluation:
    """The agent in a cell, on the tasks of a split."""
    within = getattr(agent, "agent", agent)  # what something is done to
    experts = getattr(getattr(within, "settings", None), "experts", 1)
    chunk = max(1, min(2_000, CHUNK // experts))
    with torch.no_grad():
        family = board.cells[cell].family(split)
        return evaluate(agent, family, board.tasks, seed=board.task_seed, chunk=chunk)


def _operations(board: Board, line: str, opened: Callable[..., Agent]) -> dict[str, Any]:
    """Operations of one step of one trial in the main cell, whatever is done to the agent there."""
    family = board.cells[board.main].family()
    settings = {**_changes(board, line), **board.cells[board.main].agent}
    agent = opened(action_kind=family.action_kind, **settings)
    if not isinstance(agent, LearnedAgent):
        return {}
    return {"operations": size_of(agent, family).operations}


def _heard(board: Board, line: str, opened: Callable[..., Agent]) -> dict[str, Any]:
    """How much messages move what others write, and the same if nothing arrives: a fact of Badger agents."""
    family = board.cells[board.main].family()
    agent = opened(action_kind=family.action_kind, **_changes(board, line))
    if board.agents[line].intervention is not None or not isinstance(agent, BadgerAgent):
        return {}
    speakers = min(WATCHED_EXPERTS, agent.settings.experts)
    keys = keyed_random.outer_keys(
        board.task_seed, 0, WATCHED, family.split, like=torch.zeros((), device="cpu")
    )
    found = []
    for measured in (agent, Intervened(agent, Silence())):
        effects = influence(measured, family, keys, speakers=speakers)  # [B, E, S] squares
        others = [(i, j) for i in range(effects.shape[1]) for j in range(speakers) if i != j]
        found.append(float(np.sqrt(np.mean([effects[:, i, j] for i, j in others]))) if others else 0.0)
    return {"influence": found, "bits_per_step": bits_per_step(agent, family)}
