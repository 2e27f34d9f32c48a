"""What is measured of an agent on a board: outcomes in each cell, and what its experts' talk is worth."""

import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import Growing
from badger_agents.badger.growth import Change
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.whitebox.controls import BornAnew
from badger_agents.whitebox.measures import bits_per_step, influence
from badger_envs import keyed_random
from baselines.ablations.communication import SpeakerAndListener
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
    if board.agents[line].untrained:
        opened = partial(board.recipe(line).make_agent, seed or 0)
        facts = {**facts, "weights_sha256": ""}
    outcomes: dict[str, np.ndarray] = {}
    for cell in board.cells_of(line):
        agent = measured_agent(board, line, cell, opened)
        result = measured_in(board, cell, agent)
        outcomes[cell] = result.outcomes.double().numpy()
    if seed is not None:
        facts = {**facts, **_operations(board, line, opened), **_heard(board, line, seed, opened)}
    return RunRows(line, seed, outcomes, facts)


def _changes(board: Board, line: str) -> dict[str, Any]:
    """Settings in which a line differs from the agent whose weights it has."""
    entrant = board.agents[line]
    return entrant.agent if entrant.weights_of is not None else {}


def _settings(board: Board, line: str, cell: str) -> dict[str, Any]:
    """Settings of a line's agent that are others where it is measured; a reference is as its recipe says."""
    there = {} if board.agents[line].role == "reference" else board.cells[cell].agent
    return {**_changes(board, line), **there, **board.agents[line].measured}


def measured_agent(board: Board, line: str, cell: str, opened: Callable[..., Agent]) -> Agent:
    """The agent of a line as it is measured in a cell."""
    table, entrant = board.cells[cell], board.agents[line]
    agent = opened(action_kind=table.family().action_kind, **_settings(board, line, cell))
    agent = agent if entrant.intervention is None else changed(agent, entrant.intervention)
    if table.replaced is not None:
        if not isinstance(agent, BadgerAgent):
            raise TypeError(f"cell {cell} replaces experts, and {line} has none; name its cells without it")
        return Growing(agent, {table.replaced.after: Change(replace=range(table.replaced.experts))})
    return BornAnew(agent, entrant.born_anew) if entrant.born_anew else agent


def measured_in(board: Board, cell: str, agent: Agent, split: str = "test") -> Evaluation:
    """The agent in a cell, on the tasks of a split."""
    within: Any = agent
    while hasattr(within, "agent"):  # something is done to it
        within = within.agent
    experts = getattr(getattr(within, "settings", None), "experts", 1)
    chunk = max(1, min(2_000, CHUNK // experts))
    with torch.no_grad():
        family = board.cells[cell].family(split)
        return evaluate(agent, family, board.tasks, seed=board.task_seed, chunk=chunk)


def _operations(board: Board, line: str, opened: Callable[..., Agent]) -> dict[str, Any]:
    """Operations of one step of one trial in the main cell, whatever is done to the agent there."""
    family = board.cells[board.main].family()
    agent = opened(action_kind=family.action_kind, **_settings(board, line, board.main))
    if not isinstance(agent, LearnedAgent):
        return {}
    return {"operations": size_of(agent, family).operations}


def _heard(board: Board, line: str, seed: int, opened: Callable[..., Agent]) -> dict[str, Any]:
    """How much messages move what others write, and how much those of speakers who have learnt nothing do.

    The null is the agent with the same listeners, whose speakers have the weights of outer step 0: what
    anything that is said does to such listeners. Silence is none, as nothing can be exchanged in it (0, for
    the deaf and for all others); nor are messages of other tasks, by which a listener that does as it is
    told is moved just as much (they belong to the gate's test of the outcome). A fact of Badger agents.
    """
    family = board.cells[board.main].family()
    changes = {"action_kind": family.action_kind, **_changes(board, line)}
    agent, born = opened(**changes), board.recipe(line).make_agent(seed, **changes)
    entrant = board.agents[line]
    if entrant.intervention is not None or entrant.born_anew or not isinstance(agent, BadgerAgent):
        return {}
    assert isinstance(born, BadgerAgent)
    speakers = min(WATCHED_EXPERTS, agent.settings.experts)
    keys = keyed_random.outer_keys(
        board.task_seed, 0, WATCHED, family.split, like=torch.zeros((), device="cpu")
    )
    found = []
    for measured in (agent, agent.with_parts(policy=SpeakerAndListener(born.policy, agent.policy))):
        effects = influence(measured, family, keys, speakers=speakers)  # [B, E, S] squares
        others = [(i, j) for i in range(effects.shape[1]) for j in range(speakers) if i != j]
        found.append(float(np.sqrt(np.mean([effects[:, i, j] for i, j in others]))) if others else 0.0)
    return {"influence": found, "bits_per_step": bits_per_step(agent, family)}


def this_processor() -> dict[str, str]:
    """The processor, and which of its instructions torch uses: another kind rounds otherwise."""
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        told = [
            line.partition(":")[2].strip()
            for line in cpus.read_text(encoding="utf-8").splitlines()
            if "model name" in line
        ]
        name = told[0] if told else name
    return {"processor": name, "instructions": torch.backends.cpu.get_cpu_capability()}
