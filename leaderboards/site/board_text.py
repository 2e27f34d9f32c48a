"""What a board says, in a terminal of 80 columns or as one JSON object."""

import math
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.claims import Verdict, verdicts
from leaderboards.boards.results import Results, read_results
from leaderboards.boards.scaling import crossings, curves
from leaderboards.boards.standing import (
    NOT_SHOWN,
    Ablation,
    Difference,
    Standing,
    ablations,
    failing,
    failures,
    outcomes,
    said,
    score_said,
    short,
    standings,
)
from leaderboards.results import Record, record, show
from leaderboards.site.left_out import left_out, table_rows
from leaderboards.site.origins import earlier, origins, trials
from leaderboards.statistics import Estimate, share
from leaderboards.submissions.entries import FOLDER as SUBMISSIONS
from leaderboards.submissions.entries import with_submissions
from leaderboards.tuning.choosing import TuningRow

WIDTH = 80
"""Columns of all that is printed here."""

HEIGHT = 40
"""Lines of a board; what sets its parts apart is left out where they fill it."""

MARKS = {"better": "+", "worse": "-", NOT_SHOWN: "=", "": " "}
"""Against the board's reference agent, or against the agent that a part was taken from."""


def show_board(
    board: Board,
    results: Results,
    *,
    tuning: Sequence[TuningRow] = (),
    as_json: bool = False,
    note: str = "",
) -> None:
    """Print a board; BoardError if there is not one run of it.

    Args:
        board: the board.
        results: its runs.
        tuning: the rows of its tuning.
        as_json: as one JSON object.
        note: a line more.
    """
    lines, parts = standings(board, results), ablations(board, results)
    if not lines:
        raise BoardError(f"{board.name} has no runs here; make some: badger board run {board.called}")
    notes = _claims(board, verdicts(board, results))
    notes += [*origins(board, results, tuning), *[note] * bool(note)]
    if as_json:
        notes += [earlier(board, results)] * bool(earlier(board, results))
        rows = [*(_facts(board, line) for line in lines), *(_ablated(board, part) for part in parts)]
        show(rows, as_json=True, title=board.title, note=" ".join(notes))
        return
    if board.leave_out_of:  # of an agent for another family the main cell says little: `cell_lines` has it
        parts = [part for part in parts if list(board.cells_of(part.agent)) == [board.main]]
        notes.append("Lines of other families: --cells.")
    print("\n".join(board_lines(board, results, lines, parts, notes)))


def board_lines(
    board: Board, results: Results, lines: Sequence[Standing], parts: Sequence[Ablation], notes: Sequence[str]
) -> list[str]:
    """The board's two tables, and what may be claimed, at most `WIDTH` columns wide."""
    better = "higher" if board.higher_is_better else "lower"
    failed = failures(board, results)
    seeds = max((line.seeds for line in lines if line.role != "reference"), default=0)
    none = f"no agent fails on any outer seed (up to {share(0, max(1, seeds)).high:.0%} may)"
    told = f"failed ({failing(board)}): {'; '.join(failed)}" if failed else none
    head = [
        *_wrapped(board.title),
        *([] if not (old := earlier(board, results)) else _wrapped(old)),
        *_wrapped(told),
        *_wrapped(
            f"{board.outcome_in(board.main)} ({better} is better), {board.tasks} tasks,"
            f" {seeds} outer seeds, 95 %"
            f" intervals"
        ),
    ]
    more: dict[str, list[str]] = {}
    for line in lines:
        if line.role == "contestant" and (count := trials(board, results, line)).startswith("x"):
            more.setdefault(count, []).append(line.label)
    if more:
        differ = "; ".join(f"{', '.join(labels)} {count}" for count, labels in more.items())
        notes = [*notes, f"Trials in training that differ: {differ}."]
    few = [line.label for line in lines if line.preliminary]
    if few:
        notes = [*notes, f"Fewer than 10 outer seeds, preliminary: {', '.join(few)}."]
    shown = [_contestants(board, lines), _ablations(parts) if parts else []]
    end = [line for each in notes for line in _wrapped(each)]
    if sum(map(len, [head, *shown, end])) > HEIGHT:
        end = _wrapped(" ".join(notes))
    lines_in_all = sum(map(len, [head, *shown, end]))
    apart = [""] if lines_in_all + 2 <= HEIGHT else []
    return [*head, *apart, *shown[0], *apart * bool(parts), *shown[1], *end]


def _claims(board: Board, found: Sequence[Verdict]) -> list[str]:
    """What may be claimed, those of whom the same is said together."""
    alike: dict[str, list[str]] = {}
    for each in found:
        line = board.agents[each.agent]
        who = f"{line.label or each.agent}{', ' + line.condition if line.condition else ''}"
        text = f"{each.sentence.replace(f'({who})', '(WHO)')} {each.protocol}".rstrip()
        alike.setdefault(text, []).append(who)
    return [text.replace("(WHO)", f"({'; '.join(names)})") for text, names in alike.items()]


def cell_lines(board: Board, results: Results) -> list[str]:
    """Means in every cell, by scale, and where the order of two agents turns."""
    text: list[str] = []
    for scale, table in board.scales.items():
        text += ["", f"mean {board.outcome} by {table.label}"]
        drawn = curves(board, results, scale)
        rows = [["", *(f"{value:g}" for value in table.values)]]
        for agent, points in drawn.items():
            known = {point.place: short(point.outcome.value) for point in points}
            rows.append(
                [board.agents[agent].label or agent, *(known.get(value, "") for value in table.values)]
            )
        text += _aligned(rows)
    left = [cell for cell in board.cells if not any(cell in table.cells for table in board.scales.values())]
    if len(left) > 1 or not board.scales:
        rows = [["", *left]]
        for agent, runs in results.items():
            cells = [cell for cell in left if runs and cell in board.cells_of(agent)]
            means = {cell: outcomes(board, runs, cell).mean() for cell in cells}
            rows.append([agent, *(short(means[cell]) if cell in means else "" for cell in left)])
        text += ["", "mean outcome in each cell", *_in_blocks(rows)]
    for crossing in crossings(board, results):
        text += _wrapped(crossing.sentence)
    if board.leave_out_of:
        text += [
            "",
            "scores by family, 0 floor and 1 reference",
            *_in_blocks(table_rows(left_out(board, results))),
        ]
    return text


def _in_blocks(rows: Sequence[Sequence[str]]) -> list[str]:
    """As `_aligned`; columns that do not fit follow below, with the rows that have something there."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    blocks: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        if blocks[-1] and widths[0] + sum(widths[i] + 1 for i in [*blocks[-1], column]) > WIDTH:
            blocks.append([])
        blocks[-1].append(column)
    text: list[str] = []
    for block in blocks:
        head, *others = [[row[0], *(row[i] for i in block)] for row in rows]
        text += _aligned([head, *(row for row in others if any(row[1:]))])
    return text


def _contestants(board: Board, lines: Sequence[Standing]) -> list[str]:
    """The first table: outcomes."""
    conditions = any(line.condition for line in lines)
    scored = any(line.score is not None for line in lines)
    outcome = board.outcome.replace("_", " ")
    rows = [
        ["", "agent"] + ["where"] * conditions + ["score"] * scored + ["mean", "ok", f"{outcome} of these"]
    ]
    for line in lines:
        trained, versus = line.role == "contestant", line.versus
        row = [MARKS[versus.verdict] if versus and trained else " ", line.label]
        row += [line.condition] * conditions
        row += [("" if line.score is None else score_said(line.score))] * scored
        row += [short(line.mean.value) if scored else said(line.mean)]
        good = line.seeds - round(line.failed.value * line.seeds)
        mark = MARKS[versus.verdict_of_succeeded if versus else ""]
        of_these = "" if line.succeeded is None else f"{said(line.succeeded)} {mark}"
        rows.append([*row, *([f"{good}/{line.seeds}", of_these] if trained else ["", ""])])
    rivals = {line.label for line in lines if line.role == "contestant" and line.versus is None}
    rival = " or ".join(sorted(rivals)) or lines[0].label
    reach = [
        line.versus.reach
        for line in lines
        if line.role == "contestant" and line.versus and line.versus.told not in (line.versus.verdict, "")
    ]
    ends = list(dict.fromkeys(short(end) for end in (min(reach), max(reach)))) if reach else []
    would = f"{' to '.join(ends)} would be; " if ends else ""
    legend = (
        f"+ better, - worse than {rival}, = not shown ({would}paired; Holm): of all seeds, where both"
        " succeed; score: 0 floor, 1 reference"
    )
    texts = 3 if conditions else 2
    table = _aligned(rows, texts)
    if scored and len(table) > len(rows):  # names would be cut; the mean has an interval already
        table = _aligned([[*row[:texts], row[texts].split(" ")[0], *row[texts + 1 :]] for row in rows], texts)
    return [*table, *_wrapped(legend)]


def cost_lines(board: Board, results: Results) -> list[str]:
    """What contestants cost: a table, medians over outer seeds."""
    lines = standings(board, results)
    conditions = any(line.condition for line in lines)
    steps = board.threshold is not None
    head = ["cost", *["where"] * conditions, *["outer steps to it"] * steps]
    rows = [[*head, "trials", "weights", "operations", "seconds"]]
    for line in lines:
        if line.role != "contestant":
            continue
        facts, row = line.facts, [line.label, *[line.condition] * conditions]
        reached = "" if line.threshold is None else f"{line.threshold:.0f}".replace("inf", "never")
        row += [reached] * steps + [trials(board, results, line)]
        row += [_count(facts.parameters), _count(facts.operations)]
        rows.append([*row, "" if line.seconds is None else f"{line.seconds:.0f}"])
    legend = f"it: a training loss of {board.threshold:g}; " if steps else ""
    legend += "trials, seconds: of training; operations: per step"
    speeds = [verdict.speed for verdict in verdicts(board, results)]
    sooner = [line for speed in speeds if speed for line in _wrapped(speed)]
    return [*_aligned(rows, 2 if conditions else 1), *_wrapped(legend), *sooner]


def _ablations(parts: Sequence[Ablation]) -> list[str]:
    """The second table: a column for each agent whose parts were taken away, two beside each other."""
    columns = list(dict.fromkeys((part.of, part.condition) for part in parts))
    lines = []
    for first in range(0, len(columns), 2):
        shown = columns[first : first + 2]
        rows = [["how the outcome changes", *(condition or of for of, condition in shown)]]
        of_these = [part for part in parts if (part.of, part.condition) in shown]
        for label in dict.fromkeys(part.label for part in of_these):
            row = [label]
            for of, _ in shown:
                found = [part for part in of_these if (part.of, part.label) == (of, label)]
                versus = found[0].versus if found else None
                row.append(f"{said(versus.estimate)} {_marks(versus)}" if versus else "")
            rows.append(row)
        lines += _aligned(rows)
    return lines


def _marks(versus: Difference) -> str:
    """Of all seeds, and of those on which both succeed."""
    return MARKS[versus.verdict] + MARKS[versus.verdict_of_succeeded]


def _aligned(rows: Sequence[Sequence[str]], texts: int = 1) -> list[str]:
    """Rows as lines with columns: the first `texts` to the left, the others to the right, within `WIDTH`.

    Texts that are too long go on in a line more: a name that is cut cannot be typed.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    gap = 2 if sum(widths) + 2 * len(widths) - 2 <= WIDTH else 1
    spare = sum(widths) + gap * (len(widths) - 1) - WIDTH
    if spare > 0:  # the longest names give way
        widest = max(range(texts), key=lambda i: widths[i])
        widths[widest] -= spare
    lines = []
    for row in rows:
        parts = [
            _wrapped(text, width) if i < texts else [text]
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for cells in zip_longest(*parts, fillvalue=""):
            placed = [
                text.ljust(width) if i < texts else text.rjust(width)
                for i, (text, width) in enumerate(zip(cells, widths, strict=True))
            ]
            lines.append((" " * gap).join(placed).rstrip())
    return lines


def _wrapped(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [text]


def _count(number: float | None) -> str:
    """A count in at most four characters."""
    if number is None:
        return ""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{unit}" if number < 10 * size else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def _facts(board: Board, line: Standing) -> Record:
    """A line of the first table as a flat record, for programs."""
    facts: Record = {"role": line.role, "condition": line.condition, "seeds": line.seeds}
    facts |= {"failure_rate": line.failed.value, "failure_rate_ci95": _ends(line.failed)}
    facts |= {name: getattr(line.facts, name) for name in ("parameters", "operations", "outer_steps")}
    facts["seconds"] = line.seconds
    if line.threshold is not None:
        facts["outer_steps_to_threshold"] = None if math.isinf(line.threshold) else line.threshold
    if line.succeeded is not None:
        facts |= {"succeeded": line.succeeded.value, "succeeded_ci95": _ends(line.succeeded)}
    if line.score is not None:
        facts |= {"score": line.score.value, "score_ci95": _ends(line.score)}
    if line.versus is not None:
        facts |= {"difference": line.versus.estimate.value, "difference_ci95": _ends(line.versus.estimate)}
        facts |= {"p_holm": line.versus.p, "verdict": line.versus.verdict}
        facts |= {"verdict_of_succeeded": line.versus.verdict_of_succeeded}
    made = record(board.outcome, line.mean.value, agent=line.agent, label=line.label, **facts)
    return made | {"ci95": _ends(line.mean)}


def _ablated(board: Board, part: Ablation) -> Record:
    """A line of the second table as a flat record."""
    facts: Record = {"role": "control", "control_of": part.of, "condition": part.condition}
    facts |= {"difference": part.versus.estimate.value, "difference_ci95": _ends(part.versus.estimate)}
    facts |= {"p": part.versus.p, "verdict": part.versus.verdict}
    made = record(board.outcome, part.mean.value, agent=part.agent, label=part.label, **facts)
    return made | {"ci95": _ends(part.mean)}


def _ends(estimate: Estimate) -> list[float] | None:
    return None if math.isnan(estimate.low) else [estimate.low, estimate.high]


def kept(board: Board) -> tuple[Board, Results, str]:
    """A board of the suite with its results and submissions, and a note if one of those is damaged."""
    results = dict(read_results(board))
    try:
        board, submitted = with_submissions(board, SUBMISSIONS)
    except BoardError as error:  # somebody else's mistake; the rest of the board is what it is
        return board, results, f"Without submissions: {error}."
    return board, results | submitted, ""


def own_results(board: Board, folder: Path) -> Results:
    """Results of `badger board run` in a folder of one's own; those of the suite for lines that it lacks."""
    found = read_results(board, folder)
    theirs = read_results(board)
    return {agent: runs or theirs.get(agent, []) for agent, runs in found.items()}
