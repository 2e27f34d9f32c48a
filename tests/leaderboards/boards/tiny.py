"""Boards that run within a moment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from badger_agents.agent import Agent, LearnedAgent
from leaderboards.boards.board import Board
from tests.badger_agents.small import small_toml


def tiny_board(folder: Path, outer_steps: int = 3, **changes: Any) -> Board:
    """Two small agents, of which one is shuffled and one silent, and a reference, on two cells."""
    recipe = str(small_toml(folder, outer_steps))
    tables: dict[str, Any] = {
        "name": "tiny-v1",
        "title": "Tiny",
        "seeds": 2,
        "tasks": 6,
        "main": "short",
        "threshold": 100.0,
        "cells": {
            "short": {"id": "Badger/GuessingGame-v0", "dims": 3, "horizon": 4},
            "long": {"id": "Badger/GuessingGame-v0", "dims": 3, "horizon": 6},
        },
        "agents": {
            "talk": {"recipe": recipe},
            "silent": {**control(recipe, "none"), "without": "communication"},
            "self-loop": {**control(recipe, "self"), "without": "exchange"},
            "shuffled": {
                "weights_of": "talk",
                "intervention": "shuffle across tasks",
                "role": "control",
                "control_of": "talk",
            },
            "zeros": {"recipe": "guessing-zeros", "role": "reference", "cells": ["short"]},
        },
    }
    return Board.model_validate({**tables, **changes})


def control(recipe: str, topology: str) -> dict[str, Any]:
    """The same agent with another topology."""
    agent = {"channel": {"topology": topology}}
    return {"recipe": recipe, "agent": agent, "role": "control", "control_of": "talk"}


def opener(board: Board) -> Callable[..., Agent]:
    """What makes "talk" with random weights; one that has learnt nothing writes zeros, whatever it hears."""

    def opened(**changes: Any) -> Agent:
        torch.manual_seed(0)
        agent = board.recipe("talk").make_agent(**changes)
        assert isinstance(agent, LearnedAgent)
        with torch.no_grad():
            for weights in agent.parameters():
                weights.add_(torch.randn_like(weights))
        return agent

    return opened
