"""One trial of an agent in numbers, few enough to be kept beside its rows: a board's site draws it."""

from typing import Any

import numpy as np
import torch

from badger_agents.agent import Agent
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from leaderboards.boards.board import Board

STEPS = 20
"""Steps of the trial that are kept at the most, from the first on."""

TALKING = 4
"""Experts whose messages are kept at the most."""

TOGETHER = 8
"""Trials that are lived side by side: some interventions exchange what is said among them."""


def first_trial(board: Board, agent: Agent) -> dict[str, Any]:
    """What happens in the first test task of a board's main cell.

    Interventions that exchange messages among trials, or match their spread, do so here among `TOGETHER`
    trials, and among all that are lived side by side where rows are made.

    Args:
        board: the board.
        agent: as it is measured.

    Returns:
        JSON values, of T steps: "outputs" and "solution" [T][O], of the slots in use, or, where one arm is
        chosen, "choice" and "best" [T]; and of experts who talk "messages" [T][E][M].
    """
    family = board.cells[board.main].family()
    keys = keyed_random.outer_keys(board.task_seed, 0, TOGETHER, family.split, like=torch.zeros(()))
    with torch.no_grad():
        trace = rollout(agent, family, keys, record=True).trace
    arrays = {name: tensor[:STEPS, 0].double().numpy() for name, tensor in trace.items()}
    task = family.sample_task(keys)
    used = family.observe(task, family.initial_state(task)).output_mask[0].numpy() > 0  # [O]
    kept: dict[str, Any] = {}
    if family.action_kind == "categorical":
        kept["choice"] = [int(choice) for choice in arrays["action"]]
        kept["best"] = [int(best) for best in arrays["solution"].argmax(axis=-1)]
    else:
        kept |= {name: _rounded(arrays[name][:, used]) for name in ("outputs", "solution") if name in arrays}
    if "messages" in arrays and arrays["messages"].shape[1] > 1:
        kept["messages"] = _rounded(arrays["messages"][:, :TALKING])
    return kept


def _rounded(values: np.ndarray) -> list[Any]:
    """To what can be seen in a picture; 0 has no sign."""
    rounded: list[Any] = (np.round(values, 2) + 0.0).tolist()
    return rounded
