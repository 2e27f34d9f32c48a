"""How far means move from one set of instructions of a processor to another."""

from collections.abc import Sequence
from typing import NamedTuple

from leaderboards.boards.board import FOLDER as BOARDS
from leaderboards.boards.board import board_names
from leaderboards.boards.csv_rows import read_rows
from leaderboards.boards.standing import short
from leaderboards.results import markdown

PROCESSORS = "processors.csv"
"""File beside a board with such rows (see `benchmarks/processors.py`)."""


class Measured(NamedTuple):
    """An outer seed's mean outcome in the main cell, trained and measured under one set of instructions."""

    agent: str
    seed: int
    processor: str
    instructions: str
    mean: float


class Move(NamedTuple):
    """What changes of a line with the instructions.

    Attributes:
        agent: the line.
        seeds: how many outer seeds.
        instructions: the two sets.
        means: over the outer seeds, under each.
        largest: difference of one outer seed.
    """

    agent: str
    seeds: int
    instructions: tuple[str, str]
    means: tuple[float, float]
    largest: float


def moves(rows: Sequence[Measured]) -> list[Move]:
    """What changes of each line, from the first set of instructions to the second.

    Raises:
        ValueError: there are not two, or they do not have the same outer seeds.
    """
    sets = list(dict.fromkeys(row.instructions for row in rows))
    if len(sets) != 2:
        raise ValueError(f"instructions are {', '.join(sets) or 'none'}; two are compared")
    found = []
    for agent in dict.fromkeys(row.agent for row in rows):
        one, other = (
            {row.seed: row.mean for row in rows if (row.agent, row.instructions) == (agent, each)}
            for each in sets
        )
        if one.keys() != other.keys():
            raise ValueError(f"{agent} has other outer seeds under {sets[0]} than under {sets[1]}")
        ends = sum(one.values()) / len(one), sum(other.values()) / len(other)
        largest = max(abs(other[seed] - one[seed]) for seed in one)
        found.append(Move(agent, len(one), (sets[0], sets[1]), ends, largest))
    return found


def processors() -> str:
    """How far means of lines move between two sets of instructions, on boards where that was measured."""
    rows = []
    for name in board_names():
        for move in moves(measured) if (measured := read_rows(Measured, BOARDS / name / PROCESSORS)) else ():
            means = [
                f"{short(mean)} ({each})" for mean, each in zip(move.means, move.instructions, strict=True)
            ]
            apart = short(abs(move.means[1] - move.means[0]))
            rows.append([name, move.agent, str(move.seeds), *means, apart, short(move.largest)])
    head = [
        "board",
        "agent",
        "outer seeds",
        "mean",
        "mean under the other",
        "apart",
        "one outer seed at most",
    ]
    return markdown(head, rows)
