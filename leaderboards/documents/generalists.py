"""One policy for all families, and for all but one."""

import numpy as np

from badger_envs.scoring import scale_of
from leaderboards.boards.results import read_results
from leaderboards.boards.standing import outcomes
from leaderboards.results import markdown
from leaderboards.site.left_out import left_out, table_rows
from leaderboards.tuning.choosing import load_as_run


def families_left_out() -> str:
    """Scores of each family by agent, trained on all families, without it, or on it alone."""
    board = load_as_run("generalist-v2")
    results = read_results(board)
    if not any(results.values()):
        return "Not run yet."
    head, *rows = table_rows(left_out(board, results))
    return markdown(head, rows)


def seeds_better() -> str:
    """On how many outer seeds an agent does better on the family that it never met as it is than changed."""
    board = load_as_run("generalist-v2")
    results = read_results(board)
    changed = [f"{agent}, {each}" for agent, changes in board.leave_out_of.items() for each in changes]
    rows = []
    for cell, table in board.cells.items():
        row, sign = [cell], 1 if table.family().higher_is_better else -1
        for agent, changes in board.leave_out_of.items():
            line = f"{agent}-without-{cell}"
            for other in (f"{line}-{each.replace(' ', '-')}" for each in changes):
                if not results[line] or not results[other]:
                    row.append("not run")
                    continue
                gains = sign * (outcomes(board, results[line], cell) - outcomes(board, results[other], cell))
                row.append(f"{(gains > 0).sum()} of {len(gains)}")
        rows.append(row)
    return markdown(["better as it is than", *changed], rows)


def parts_of_generalist() -> str:
    """Scores of each family by what was changed in the training of one policy for all."""
    board = load_as_run("parts-generalist-v1")
    rows = []
    for agent, runs in read_results(board).items():
        if not runs:
            continue
        scores = np.array(
            [
                [scale_of(table.id).score(float(each)) for each in outcomes(board, runs, cell)]
                for cell, table in board.cells.items()
            ]
        )  # (cells, seeds)
        seeds = scores.mean(axis=0)
        mean = f"{seeds.mean():.2f} ({seeds.min():.2f} to {seeds.max():.2f})"
        rows.append(
            [board.agents[agent].label or agent, mean, *(f"{each:z.2f}" for each in scores.mean(axis=1))]
        )
    return markdown(["score", "mean", *board.cells], rows) if rows else "Not run yet."
