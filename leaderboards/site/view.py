"""All that the site shows of a board, read and computed once."""

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from badger_agents.recipe.loading import recipe_files
from leaderboards.boards.board import Board
from leaderboards.boards.claims import Verdict, verdicts
from leaderboards.boards.rows import RunRows, read_runs
from leaderboards.boards.scaling import Crossing, crossings
from leaderboards.boards.standing import Line, standing
from leaderboards.card import ENOUGH
from leaderboards.statistics import FEWEST, KIND
from leaderboards.submissions.entries import with_submissions
from leaderboards.toml_text import recipe_text

UNITS = {
    "error": "1 is writing zeros",
    "query_error": "no unit",
    "regret": "no unit",
    "accuracy": "share of answers",
    "total_reward": "reward of a trial",
}
"""Of outcomes, for axes."""


class View(NamedTuple):
    """A board and what it says.

    Attributes:
        board: the board.
        folder: where its raw rows lie.
        runs: of each agent, in the board's order.
        lines: from the best on; empty if nothing has been run.
        verdicts: of the claim gate.
        crossings: of its scales.
    """

    board: Board
    folder: Path
    runs: dict[str, list[RunRows]]
    lines: list[Line]
    verdicts: list[Verdict]
    crossings: list[Crossing]

    @property
    def trained(self) -> list[Line]:
        """Lines that stand on outer seeds."""
        return [line for line in self.lines if line.role != "reference"]

    @property
    def missing(self) -> list[str]:
        """Agents of whom nothing has been run, or nothing but failures."""
        known = {line.agent for line in self.lines}
        return [agent for agent in self.board.agents if agent not in known]

    @property
    def failed(self) -> list[RunRows]:
        """Runs whose training failed, of agents that have no other runs too."""
        return [run for found in self.runs.values() for run in found if not run.ok]

    @property
    def begun(self) -> bool:
        """Whether there is any run, failed ones included."""
        return any(self.runs.values())

    @property
    def best(self) -> list[str]:
        """The best contestant, and those not distinguishable from it; none if none has enough outer seeds.

        Controls are not among them: one may be told the answer.
        """
        found = [line for line in self.lines if line.role == "contestant" and line.group]
        return [line.agent for line in found if set(line.group) & set(found[0].group)]

    @property
    def alone(self) -> Line | None:
        """The only contestant, if there is but one."""
        found = [line for line in self.lines if line.role == "contestant"]
        return found[0] if len(found) == 1 else None

    @property
    def like_it(self) -> list[str]:
        """Controls and references from which the only contestant is not distinguishable in the main cell."""
        found = [line for line in self.lines if self.alone and line.compared_with == self.alone.agent]
        within = [(line.agent, line.difference) for line in found if line.difference is not None]
        return [agent for agent, difference in within if difference.low <= 0 <= difference.high]

    @property
    def leading(self) -> list[Crossing]:
        """Over each scale the first two contestants."""
        return list({each.scale: each for each in reversed(self.crossings)}.values())[::-1]

    @property
    def preliminary(self) -> bool:
        """Whether any agent has too few outer seeds for a claim."""
        return any(line.preliminary for line in self.lines)

    def ok(self, agent: str) -> list[RunRows]:
        """Runs of an agent that have outcomes."""
        return [run for run in self.runs[agent] if run.ok]

    def axis(self, cell: str | None = None) -> str:
        """Label of an axis of the outcome: what, in which unit, in which cell, and which way is better."""
        what = self.board.outcome.replace("_", " ")
        unit = UNITS.get(self.board.outcome, "no unit")
        better = "higher" if self.board.higher_is_better else "lower"
        return f"{what}{f' in {cell}' if cell else ''} ({unit}; {better} is better)"


def view_of(board: Board, folder: Path, submissions: Path | None = None) -> View:
    """Read a board's runs from a folder, and compute what they say; a folder that is not there has none.

    Args:
        board: the board.
        folder: where its raw rows lie.
        submissions: with submissions, as BOARD/NAME/, which are lines too.
    """
    runs = read_runs(folder, board)
    if submissions is not None:
        board, theirs = with_submissions(board, submissions)
        runs |= theirs
    lines = standing(board, runs)
    return View(
        board,
        folder,
        runs,
        lines,
        verdicts(board, runs) if lines else [],
        crossings(board, runs) if lines else [],
    )


def seeds_said(lines: Sequence[Line]) -> str:
    """How many outer seeds stand behind a picture or table, and what its intervals are."""
    return counted([len(line.seeds) for line in lines if line.role != "reference"], "outer seed")


def counted(counts: Sequence[int], what: str) -> str:
    """The same for any counts of what is resampled, such as "outer seed" or "pair of outer seeds"."""
    if not counts:
        return "references only: no outer seeds, no intervals"
    fewest, most = min(counts), max(counts)
    noun = what if most == 1 else "pairs of outer seeds" if what.startswith("pair") else f"{what}s"
    said = f"{fewest} {noun}" if fewest == most else f"{fewest} to {most} {noun}"
    if most < ENOUGH:
        said = f"preliminary, {said}"
    elif fewest < ENOUGH:
        said += f" (below {ENOUGH} preliminary)"
    return f"{said}, {KIND}" if most >= FEWEST else f"{said}, too few for intervals"


def slug(agent: str) -> str:
    """Name of an agent's file: its own if that can be one, or else made unlike all others."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", agent)
    return plain if plain == agent else f"{plain}-{hashlib.sha256(agent.encode()).hexdigest()[:8]}"


class Trained(NamedTuple):
    """How a line of a board came to be.

    Attributes:
        recipe: name of its recipe.
        text: the recipe's file.
        changes: the line's own table in the board, as TOML.
        key: the same of all lines that are made alike, whatever they are called.
    """

    recipe: str
    text: str
    changes: str
    key: str


def trained_by(board: Board, agent: str) -> Trained:
    """The recipe of a line, and what the board changes in it."""
    entrant = board.agents[agent]
    source = board.agents[entrant.weights_of] if entrant.weights_of is not None else entrant
    path = recipe_files().get(source.recipe, Path(source.recipe))
    text = path.read_text(encoding="utf-8").strip()
    name = tomllib.loads(text)["name"]
    table = entrant.model_dump(exclude_defaults=True)
    if "recipe" in table:
        table["recipe"] = name
    budget = board.budget_of(entrant.weights_of or agent)
    lines = {"training": budget, "agents": {agent: table}}
    changes = recipe_text(lines, f"Its lines in {board.name}{' and the budget of all' if budget else ''}.")
    kept = [entrant.agent, entrant.intervention] if entrant.weights_of is not None else []
    key = json.dumps([text, source.env, source.agent, source.training, budget, kept], sort_keys=True)
    return Trained(name, text, changes.strip(), key)
