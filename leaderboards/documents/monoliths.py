"""One network against many experts: a row per board and monolith."""

from leaderboards.boards.board import FOLDER as BOARDS
from leaderboards.boards.board import board_names, load_board
from leaderboards.boards.results import read_results
from leaderboards.boards.standing import differences_of, rival_of, stale, standings
from leaderboards.documents.words import mean_said
from leaderboards.results import markdown
from leaderboards.tuning.choosing import FILE as TUNING
from leaderboards.tuning.choosing import known_choice, load_as_run, read_tuning

PARTS = "parts-"
"""How names of boards begin whose contestants are those of other boards with a part less."""

MONOLITHS = ("gru", "lstm", "transformer", "rl2")
"""What names of monoliths on boards begin with."""


def monoliths() -> str:
    """A row per board and monolith: both outcomes, their difference, and what it shows.

    Rows of an earlier definition are left out, and said to be: nobody looked whether arms were alike there.
    """
    rows, left_out = [], []
    for name in (each for each in board_names() if not each.startswith(PARTS)):
        board = load_as_run(name)
        results = read_results(board)
        old = set(stale(board, results))
        tuned = {row.key: row for row in read_tuning(BOARDS / name / TUNING)}
        for line in standings(board, results):
            rival = rival_of(board, line.agent)
            if line.versus is None or rival is None or not line.agent.startswith(MONOLITHS):
                continue
            if {line.agent, rival} & old:
                left_out.append(f"{name} ({line.label})")
                continue
            choice = known_choice(load_board(name), line.agent, tuned)
            rows.append(
                [
                    f"{name}: {board.outcome_in(board.main)} in {board.main}",
                    line.label,
                    mean_said(board, results, line.agent),
                    mean_said(board, results, rival),
                    line.versus.told,
                    line.versus.verdict_of_succeeded,
                    f"{line.versus.wins} of {line.versus.estimate.n}",
                    "" if choice is None else "yes" if choice.at_end else "no",
                ]
            )
    head = ["board", "monolith", "its mean", "Badger's", "so it is", "where both succeed", "better on seeds"]
    text = markdown([*head, "its rate at an end of those tried"], rows)
    note = f"\n\nLeft out, as their rows are of an earlier definition of the board: {', '.join(left_out)}."
    return text + note * bool(left_out)


def parts_of_monolith() -> str:
    """What a GRU loses and gains by the parts that Badger has, on the board of parts."""
    board = load_as_run("parts-v1")
    results, differ = read_results(board), differences_of(board, read_results(board))
    rows = [["all of them", mean_said(board, results, "gru"), ""]]
    for name, entrant in board.agents.items():
        if entrant.control_of == "gru" and name in differ:
            wins = f"{differ[name].wins} of {differ[name].estimate.n}"
            rows.append([entrant.label or name, mean_said(board, results, name), wins])
    rows.append(["Badger, with all of them", mean_said(board, results, "badger"), ""])
    return markdown(["the GRU's parts", board.outcome_in(board.main), "better than with all, on seeds"], rows)
