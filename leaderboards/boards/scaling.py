"""Scales of a board: outcomes over sizes, and from which size on one agent is better than another."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from leaderboards.boards.board import Board
from leaderboards.boards.results import Results
from leaderboards.boards.standing import difference, difference_p, mean_outcome
from leaderboards.statistics import LEVEL, Estimate, holm


class Point(NamedTuple):
    """An agent at one place of a scale: the place, and its mean outcome over outer seeds."""

    place: float
    outcome: Estimate


class Crossing(NamedTuple):
    """Two agents over one scale.

    Attributes:
        scale: its name.
        first: the agent that comes first in the board.
        second: the other.
        differences: second minus first at each place that both were measured at.
        sentence: where the order turns, or that it does not.
        first_better: places at which the first is shown to be better.
    """

    scale: str
    first: str
    second: str
    differences: tuple[tuple[float, Estimate], ...]
    sentence: str
    first_better: tuple[float, ...]


def curves(board: Board, results: Results, scale: str) -> dict[str, list[Point]]:
    """Each agent's outcomes over a scale, where it was measured."""
    table = board.scales[scale]
    found: dict[str, list[Point]] = {}
    for agent in board.agents:
        cells = board.cells_of(agent)
        points = [
            Point(place, mean_outcome(board, results[agent], cell))
            for cell, place in zip(table.cells, table.values, strict=True)
            if results[agent] and cell in cells
        ]
        if len(points) > 1:
            found[agent] = points
    return found


def crossings(board: Board, results: Results) -> list[Crossing]:
    """Each contestant against the board's first, over each scale on which both were measured.

    Tests at all places of a scale, of all contestants, are corrected together (Holm 1979).
    """
    first = board.baseline
    others = [name for name, entry in board.agents.items() if entry.role == "contestant" and name != first]
    return [crossing for scale in board.scales for crossing in _on(board, results, scale, first, others)]


def _on(board: Board, results: Results, scale: str, first: str, others: Sequence[str]) -> list[Crossing]:
    """Crossings on one scale."""
    table, sign = board.scales[scale], -1 if board.higher_is_better else 1
    found = {second: _differences(board, results, scale, first, second) for second in others}
    found = {second: places for second, places in found.items() if len(places) > 1}
    corrected = iter(holm([p for places in found.values() for _, _, p in places]))
    made = []
    for second, places in found.items():
        better = [
            (place, sign * (1 if each.value > 0 else -1) if next(corrected) < LEVEL else 0)
            for place, each, _ in places
        ]
        sentence = f"{table.label}, {first} against {second}: {_said(better, first, second)}"
        differences = tuple((place, each) for place, each, _ in places)
        ahead = tuple(place for place, who in better if who > 0)
        made.append(Crossing(scale, first, second, differences, sentence, ahead))
    return made


def _differences(
    board: Board, results: Results, scale: str, first: str, second: str
) -> list[tuple[float, Estimate, float]]:
    """Second minus first, with its P value, at each place of a scale that both were measured at."""
    table = board.scales[scale]
    both = board.cells_of(first).keys() & board.cells_of(second).keys()
    return [
        (place, found, difference_p(board, results, second, first, cell))
        for cell, place in zip(table.cells, table.values, strict=True)
        if cell in both and (found := difference(board, results, second, first, cell)) is not None
    ]


def _said(places: Sequence[tuple[float, int]], first: str, second: str) -> str:
    """Who is better where, run by run of sizes, and whether that turns."""
    known = [(place, better) for place, better in places if better]
    if not known:
        return f"no difference shown anywhere between {first} and {second}"
    names = {1: first, -1: second}
    stretches = [
        (better, [place for place, _ in run]) for better, run in groupby(known, key=lambda at: at[1])
    ]
    told = [f"{names[better]} is better at {_listed(run)}" for better, run in stretches]
    if unknown := [place for place, better in places if not better]:
        told.append(f"no difference shown at {_listed(unknown)}")
    return f"{'crossing' if len(stretches) > 1 else 'no crossing'}: {'; '.join(told)}"


def _listed(places: Sequence[float]) -> str:
    return ", ".join(f"{place:g}" for place in places)
