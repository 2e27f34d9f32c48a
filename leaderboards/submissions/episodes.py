"""The files of rows in a submission, read and checked: those of the board, and those of seasons."""

from pathlib import Path

from leaderboards.boards.board import Board
from leaderboards.submissions import rows as grids
from leaderboards.submissions.artifacts import ArtifactError, inside, walk
from leaderboards.submissions.bounds import outcome_bounds
from leaderboards.submissions.packed import PackedError, unpack
from leaderboards.submissions.rows import Key, RowsError
from leaderboards.submissions.schema import Manifest
from leaderboards.submissions.season import SeasonError
from leaderboards.submissions.seasons import HELD_OUT_NAME, Season, belonging, find_season


def bounds_of(board: Board, manifest: Manifest) -> dict[str, tuple[float, float]]:
    """Bounds of outcomes in each cell that was measured."""
    return {
        name: outcome_bounds(cell.family()) for name, cell in board.cells.items() if name in manifest.cells
    }


def read_episodes(
    folder: Path, manifest: Manifest, board: Board | None, found: list[str]
) -> dict[Key, float]:
    """The rows of the board; what is wrong with them is added to what is found."""
    if board is None:
        return {}
    seeds, cells = manifest.seeds, manifest.cells
    try:
        path = inside(folder, manifest.rows.path)
        text = unpack(path, grids.largest(len(seeds), len(cells), board.tasks))
        rows = grids.read_rows(text)
    except ArtifactError:
        return {}  # found already, with its hash
    except PackedError as error:
        found.append(str(error))
        return {}
    except RowsError as error:
        found.append(f"{manifest.rows.path}: {error}")
        return {}
    wrong = grids.grid_violations(rows, seeds, board.tasks, bounds_of(board, manifest))
    found += [f"{manifest.rows.path}: {line}" for line in wrong]
    return rows


def read_held_out(
    folder: Path, manifest: Manifest, board: Board, given: Season | None, found: list[str]
) -> dict[str, dict[Key, float]]:
    """The rows of seasons, by the season's name; what is wrong with them is added to what is found."""
    held = {}
    for name in walk(folder):
        match = HELD_OUT_NAME.fullmatch(name)
        if match is None:
            continue
        try:
            season = given if given is not None and given.name == match[1] else find_season(match[1])
            wanted = belonging(season, manifest, board)
            limit = grids.largest(len(manifest.seeds), len(manifest.cells), board.tasks)
            rows, seeds = grids.read_held_out(unpack(inside(folder, name), limit))
        except (ArtifactError, PackedError) as error:  # they name the file
            found.append(str(error))
            continue
        except (SeasonError, RowsError) as error:
            found.append(f"{name}: {error}")
            continue
        wrong = grids.grid_violations(rows, manifest.seeds, board.tasks, bounds_of(board, manifest))
        strangers = [
            key
            for key, seed in seeds.items()
            if key[1] in wanted and 0 <= key[2] < board.tasks and seed != wanted[key[1]][key[2]]
        ]
        if strangers:
            wrong.append(
                f"{len(strangers)} task seeds do not belong to this artifact in season {season.name},"
                f" such as that of {grids.place(min(strangers))}"
            )
        found += [f"{name}: {line}" for line in wrong]
        held[season.name] = rows
    return held
