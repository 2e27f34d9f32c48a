"""What has to be made for a board: units of outer seeds, and what is measured of their weights."""

from pathlib import Path
from typing import NamedTuple

from badger_agents.recipe.loading import Recipe, check_recipe
from leaderboards.boards.board import Board, identity
from leaderboards.boards.rows import read_run, stem

TRAINED = "trained"
"""Folder of trainings, beside the boards' own: boards share them."""


class Unit(NamedTuple):
    """Work that one process does: some outer seeds of one recipe, and the lines measured of their weights.

    Attributes:
        board: the board.
        source: the line whose recipe is trained; or a reference, which is not.
        seeds: outer seeds, trained side by side; (None,) for a reference.
        wanted: lines and seeds whose rows are to be made.
        out: folder of all boards' work.
    """

    board: Board
    source: str
    seeds: tuple[int | None, ...]
    wanted: tuple[tuple[str, int | None], ...]
    out: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.source if len(self.seeds) > 1 else stem(self.source, self.seeds[0])

    @property
    def rows(self) -> Path:
        """Where finished rows lie."""
        return rows_folder(self.out, self.board)

    @property
    def recipe(self) -> Recipe:
        """What is trained, or measured as it is."""
        return self.board.recipe(self.source)

    @property
    def trained(self) -> Recipe:
        """What is trained, under the name that all boards have for it."""
        return shared_recipe(self.recipe)

    @property
    def steps(self) -> int:
        """Outer steps of all its seeds together; 1 for a reference."""
        training = self.recipe.training
        return 1 if training is None else training.outer_steps * len(self.seeds)


def rows_folder(out: Path, board: Board) -> Path:
    """Where the rows of a board are put, in a folder of all boards' work."""
    return out / board.name / "rows"


def run_folder(out: Path, board: Board, agent: str, seed: int) -> Path:
    """Run folder of an agent's training, whose weights a line was measured with."""
    return out / TRAINED / shared_recipe(board.recipe(agent)).name / f"seed{seed}"


def shared_recipe(recipe: Recipe) -> Recipe:
    """A recipe without what does not decide its weights, so that boards can share its trainings."""
    plain = {"name": identity(recipe)[:16], "summary": "", "evaluation": {}}
    return check_recipe({**recipe.model_dump(), **plain}, f"recipe {recipe.name}", recipe.trust)


def units_of(board: Board, out: Path, agents: tuple[str, ...] = (), seeds: int | None = None) -> list[Unit]:
    """All work of a board, the longest first; what is finished is still in it (see `missing`).

    Seeds that can be stacked are one unit, whatever of them is finished, so that rows do not depend on
    where a board was stopped; others are a unit each.

    Args:
        board: the board.
        out: folder of all boards' work.
        agents: lines of the board; all if empty.
        seeds: how many outer seeds, from the first on; the board's own number if None.

    Raises:
        ValueError: an agent or a number that the board does not have.
    """
    if unknown := set(agents) - set(board.agents):
        raise ValueError(f"--agents {sorted(unknown)[0]}: {board.name} has {', '.join(board.agents)}")
    count = board.seeds if seeds is None else seeds
    if not 1 <= count <= board.seeds:
        raise ValueError(f"--seeds is {count}; {board.name} has {board.seeds} outer seeds")
    lines: dict[str, list[str]] = {}
    for name, entrant in board.agents.items():
        if not agents or name in agents:
            lines.setdefault(entrant.weights_of or name, []).append(name)
    units = []
    for source, measured in lines.items():
        training = board.recipe(source).training
        groups: list[tuple[int | None, ...]]
        if training is None:
            groups = [(None,)]
        elif training.stackable:
            groups = [tuple(board.outer_seeds[:count])]
        else:
            groups = [(seed,) for seed in board.outer_seeds[:count]]
        units += [
            Unit(board, source, group, tuple((line, seed) for seed in group for line in measured), out)
            for group in groups
        ]
    return sorted(units, key=lambda unit: -unit.steps)


def missing(units: list[Unit]) -> list[Unit]:
    """What of them has not been made yet; a finished run is never made again."""
    left = []
    for unit in units:
        wanted = tuple(run for run in unit.wanted if read_run(unit.rows, unit.board, *run) is None)
        if wanted:
            left.append(unit._replace(wanted=wanted))
    return left


def shard_of(units: list[Unit], shard: str) -> list[Unit]:
    """One of n disjoint parts of all work, for machines that know nothing of each other.

    Put together, the folders of all parts are what one machine would have made.

    Args:
        units: from `units_of`: the same on every machine.
        shard: "i/n", i from 1 to n.

    Raises:
        ValueError: it is none.
    """
    first, _, count = shard.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise ValueError(f"--shard is {shard!r}; give i/n, such as 1/4, 2/4, 3/4 and 4/4 on four machines")
    return units[int(first) - 1 :: int(count)]
