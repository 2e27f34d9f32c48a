"""Measuring an agent on tasks that keys name: those of a board, or of a season."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.family import Family
from leaderboards.boards.board import Board
from leaderboards.cells import CHUNK


def board_keys(board: Board, family: Family) -> Int[Tensor, "N 4"]:
    """Keys of a board's tasks: those of `badger_agents.evaluation.evaluate` with its task seed."""
    like = torch.zeros(())
    return keyed_random.outer_keys(board.task_seed, 0, board.tasks, family.split, like=like)  # (N, 4)


@torch.no_grad()
def outcomes_of(agent: Agent, family: Family, keys: Int[Tensor, "N 4"]) -> Float[np.ndarray, "N"]:
    """Outcome of each task, lived through by an agent whose weights stay as they are."""
    experts = getattr(getattr(agent, "settings", None), "experts", 1)
    chunk = max(1, min(2_000, CHUNK // experts))
    found = [rollout(agent, family, part).info[family.outcome].double() for part in keys.split(chunk)]
    return torch.cat(found).numpy()  # (N,)
