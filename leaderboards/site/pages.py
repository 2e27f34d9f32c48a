"""What boards say as Markdown pages with pictures; the same results give the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.claims import verdicts
from leaderboards.boards.results import Results
from leaderboards.boards.scaling import crossings, curves
from leaderboards.boards.standing import (
    ablations,
    failing,
    failures,
    outcomes,
    said,
    score_said,
    short,
    standings,
)
from leaderboards.results import markdown
from leaderboards.site.left_out import draw_left_out, left_out, table_rows
from leaderboards.site.origins import earlier, origins, trials
from leaderboards.site.pictures import draw_outcomes, draw_profiles, draw_scale, svg
from leaderboards.tuning.choosing import TuningRow


def pages(
    boards: Sequence[tuple[Board, Results]], tuning: Mapping[str, Sequence[TuningRow]] | None = None
) -> dict[str, bytes]:
    """Pages by file name: index.md, and for each board a page and its pictures.

    Args:
        boards: each with its results.
        tuning: rows of their tuning, by a board's name.

    Raises:
        BoardError: there is not one run of a board.
    """
    files: dict[str, bytes] = {}
    for board, results in boards:
        files |= _page(board, results, (tuning or {}).get(board.name, ()))
    rows = [[f"[{board.name}]({board.name}.md)", board.title] for board, _ in boards]
    files["index.md"] = f"# Boards\n\n{markdown(['board', 'what is asked'], rows)}\n".encode()
    return files


def _page(board: Board, results: Results, tuning: Sequence[TuningRow]) -> dict[str, bytes]:
    """A board's page and pictures."""
    lines = standings(board, results)
    if not lines:
        raise BoardError(f"{board.name} has no finished runs")
    pictures = {f"{board.name}-outcomes.svg": svg(draw_outcomes(board, lines))}
    for scale in board.scales:
        if drawn := curves(board, results, scale):
            pictures[f"{board.name}-{scale}.svg"] = svg(draw_scale(board, scale, drawn))
    if len({board.outcome_in(cell) for cell in board.cells}) == 1:
        pictures[f"{board.name}-profiles.svg"] = svg(draw_profiles(board, results))
    if board.leave_out_of:
        pictures[f"{board.name}-left-out.svg"] = svg(draw_left_out(left_out(board, results)))
    failed = failures(board, results)
    better = "higher" if board.higher_is_better else "lower"
    parts = [f"# {board.title}", board.about.strip(), earlier(board, results)]
    parts += origins(board, results, tuning)
    parts.append(f"Failed ({failing(board)}) on some outer seeds: {'; '.join(failed)}." if failed else "")
    parts.append(
        f"{board.outcome_in(board.main)} ({better} is better): mean over all outer seeds with a"
        " 95 % interval that holds where some fail, and mean of those that do not fail with Student's;"
        f" {board.tasks} tasks of {board.main}. Comparisons are paired by outer seed; those of contestants"
        " with Holm's correction."
    )
    parts.append(_contestants(board, results))
    parts.append(_ablations(board, results))
    for verdict in verdicts(board, results):
        checks = [f"- {'yes' if it.holds else 'no'}: {it.what} ({it.numbers})" for it in verdict.checks]
        told = f"**{verdict.sentence}** {verdict.protocol} {verdict.speed}"
        parts += [" ".join(told.split()), "\n".join(checks)]
    parts += [*_cells(board, results), "\n".join(f"- {each.sentence}." for each in crossings(board, results))]
    parts.append("\n\n".join(f"![{Path(name).stem}]({name})" for name in pictures))
    text = "\n\n".join(part for part in parts if part) + "\n"
    return {f"{board.name}.md": text.encode(), **pictures}


def _contestants(board: Board, results: Results) -> str:
    outcome = board.outcome_in(board.main)
    heads = [
        "agent",
        "score",
        outcome,
        "ok",
        f"{outcome} of these",
        "comparison",
        "comparison of these",
        "outer steps",
        "trials",
        "weights",
    ]
    rows = []
    for line in standings(board, results):
        name = f"{line.label}, {line.condition}" if line.condition else line.label
        row = [
            name,
            "" if line.score is None else score_said(line.score),
            said(line.mean),
        ]
        if line.role == "reference":
            rows.append([*row, "", "", "reference", "", "", "", "", "", ""])
            continue
        steps = "" if line.threshold is None else f"{line.threshold:.0f}".replace("inf", "never")
        good = line.seeds - round(line.failed.value * line.seeds)
        row += [f"{good} of {line.seeds}", "" if line.succeeded is None else said(line.succeeded)]
        row += [line.versus.told, line.versus.verdict_of_succeeded] if line.versus else ["", ""]
        row += [steps, trials(board, results, line)]
        costs = (line.facts.parameters, line.facts.operations, line.seconds)
        rows.append([*row, *("" if cost is None else f"{cost:,.0f}" for cost in costs)])
    return markdown([*heads, "operations", "seconds"], rows)


def _ablations(board: Board, results: Results) -> str:
    rows = [
        [
            ", ".join(filter(None, (board.agents[part.of].label or part.of, part.condition))),
            part.label,
            said(part.versus.estimate),
            part.versus.told,
            part.versus.verdict_of_succeeded,
        ]
        for part in ablations(board, results)
    ]
    heads = ["agent", "taken away", f"difference in {board.outcome_in(board.main)}", "so it is"]
    heads.append("which is, where both succeed")
    return f"## Ablations\n\n{markdown(heads, rows)}" if rows else ""


def _cells(board: Board, results: Results) -> list[str]:
    """Means in every cell, the cells of a scale in a table of their own."""
    tables = []
    alone = [cell for cell in board.cells if not any(cell in scale.cells for scale in board.scales.values())]
    groups = [(f"By {scale.label}", scale.cells) for scale in board.scales.values()]
    for title, cells in [*groups, ("Other cells", alone)]:
        rows = [
            [
                name,
                *(short(outcomes(board, runs, c).mean()) if c in board.cells_of(name) else "" for c in cells),
            ]
            for name, runs in results.items()
            if runs
        ]
        if len(cells) > 1:
            tables.append(f"## {title}\n\n{markdown(['agent', *cells], rows)}")
    if board.leave_out_of:
        head, *rows = table_rows(left_out(board, results))
        tables.append(f"## Families left out\n\n{markdown(head, rows)}")
    return tables
