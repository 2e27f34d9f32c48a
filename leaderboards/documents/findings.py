"""What boards say of talking, numbers of experts, monoliths and a new family: a table, and sentences."""

import textwrap
from collections.abc import Sequence

from leaderboards.boards.board import Board, board_names
from leaderboards.boards.claims import verdicts, withstands
from leaderboards.boards.results import Results, read_results
from leaderboards.boards.scaling import crossings
from leaderboards.boards.standing import (
    differences_of,
    mean_outcome,
    outcomes,
    scores,
    short,
    stale,
)
from leaderboards.documents.compared import CAPPED, MONOLITHS, compared
from leaderboards.documents.words import OLD, mean_said
from leaderboards.results import markdown
from leaderboards.tuning.choosing import load_as_run

COULD_DO_WITHOUT = (
    "bandits-v1",
    "communication-v1",
    "hot-cold-v1",
    "prior-v1",
    "scaling-v1",
    "sequence-v1",
)
"""Boards on which each expert is told enough for its own part; on hot-cold-v1 where all hear."""

CHANCE = 0.05
"""Normalised scores below it are called chance."""


def boards() -> str:
    """A row per board and condition: the best contestant's mean, Badger, Badger in silence, the claim."""
    rows = []
    for name in board_names():
        board = load_as_run(name)
        results = read_results(board)
        claims = {each.agent: each.passed for each in verdicts(board, results)}
        differ = differences_of(board, results)
        agents = [agent for agent in board.agents if agent in claims and results[agent]]
        contestants = [a for a, e in board.agents.items() if e.role == "contestant" and results[a]]
        if not contestants:
            continue
        old = stale(board, results)
        sign = 1 if board.higher_is_better else -1
        best = max(contestants, key=lambda a: sign * outcomes(board, results[a], board.main).mean())
        for agent in agents:
            condition = board.agents[agent].condition
            free = not _must_talk(name, condition)
            claim = "communication helps" if claims[agent] else "no claim"
            normal = scores(board, outcomes(board, results[agent], board.main))
            twins = [line for line in _retrained_without(board, agent) if results[line]]
            raw = "broadcast" in board.agents and results["broadcast"] and agent == board.baseline
            rows.append(
                [
                    f"{name}{', ' + condition if condition else ''}{OLD * (agent in old)}",
                    f"{board.outcome_in(board.main)} in {board.main}",
                    str(len(results[agent])),
                    f"{board.agents[best].label or best} {mean_said(board, results, best)}",
                    mean_said(board, results, agent),
                    "" if normal is None else f"{normal.mean():.2f}",
                    "no" if free else "yes",
                    *(mean_said(board, results, line) for line in twins),
                    *["not run"] * (2 - len(twins)),
                    ", ".join(differ[line].verdict_of_succeeded or "-" for line in twins if line in differ),
                    ", ".join(
                        f"{differ[line].wins} of {differ[line].estimate.n}"
                        for line in twins
                        if line in differ
                    ),
                    mean_said(board, results, "broadcast") if raw else "",
                    claim,
                    _withstood(board, results, agent) if claims[agent] else "",
                ]
            )
    head = [
        "board",
        "outcome",
        "outer seeds",
        "best mean of the contestants",
        "Badger",
        "its score",
        "must they talk?",
        "Badger retrained without talk",
        "where each hears itself alone",
        "which are, where both succeed (uncorrected)",
        "which are better on seeds",
        "as they are",
        "claim",
        "which holds while none ends worse than",
    ]
    return markdown(head, rows)


def _withstood(board: Board, results: Results, agent: str) -> str:
    """How badly an outer seed may end for a claim to hold, in words."""
    worst, bounds = withstands(board, results, agent), board.cells[board.main].family().outcome_bounds
    return "whatever is possible" if worst in bounds else short(worst)


def findings() -> str:
    """What today's results say of talking, numbers of experts, monoliths, a new family: a paragraph each."""
    lines = (_talking(), _experts(), _monoliths(), _new_family())
    return "\n".join(
        textwrap.fill(f"- {line}", 120, subsequent_indent="  ", break_on_hyphens=False) for line in lines
    )


def _talking() -> str:
    """Where talk helps, by board and condition, and where it was not shown to."""
    heaps: dict[str, list[str]] = {}
    for name in board_names():
        board = load_as_run(name)
        results = read_results(board)
        old, differ = stale(board, results), differences_of(board, results)
        claims = [
            each
            for each in verdicts(board, results)
            if each.agent not in old
            and all(results[line] for line in (each.agent, *_retrained_without(board, each.agent)))
        ]
        for each in claims:
            condition = board.agents[each.agent].condition
            where = f"{name} ({condition})" if condition else name
            free = not _must_talk(name, condition)
            twins = _retrained_without(board, each.agent)
            sharper = {differ[line].verdict_of_succeeded for line in twins if line in differ}
            heaps.setdefault(f"{'free' if free else 'must'} {each.passed}", []).append(where)
            if "better" in sharper:
                heaps.setdefault("against", []).append(where)
            elif not each.passed and "worse" in sharper:
                heaps.setdefault("some", []).append(where)
            if each.passed and _hangs_on_limit(board, results, each.agent):
                heaps[f"{'free' if free else 'must'} True"][-1] += (
                    " (if no seed ends as badly as a monolith's)"
                )
    game = load_as_run("guessing-game-v1")
    results = read_results(game)
    talking, silent_mean = (
        short(mean_outcome(game, results[agent], game.main).value) for agent in ("badger", "no-communication")
    )
    missed = f"; not shown on {_listed(heaps['must False'])}" * ("must False" in heaps)
    return (
        "*When is talking worth it?* Where an expert sees or hears a part alone it helps: on"
        f" {_listed(heaps.get('must True', []))}{missed}. Where it could do without, help is shown on"
        f" {_listed(heaps.get('free True', []))}, not on {_listed(heaps.get('free False', []))}. Where both"
        f" succeed (uncorrected), help is shown on {_listed(heaps.get('some', []))}, and the twin of"
        f" self-loops is better on {_listed(heaps.get('against', []))}. On guessing-game-v1 the error is"
        f" {talking}, {silent_mean} without: [talking](docs/findings/talking.md)."
    )


def _experts() -> str:
    """What one policy does with more experts and more numbers than it was trained with."""
    board = load_as_run("scaling-v1")
    runs = read_results(board)
    by_cell = {cell: outcomes(board, runs["badger"], cell) for cell in board.cells_of("badger")}
    of = {cell: short(errors.mean()) for cell, errors in by_cell.items()}
    alone = int((by_cell["experts-1"] < by_cell["d6"]).sum())
    rivals = [
        line
        for line, entrant in board.agents.items()
        if line.startswith(MONOLITHS) and runs[line] and not entrant.control_of
    ]
    least = all(
        by_cell[cell].mean() < outcomes(board, runs[line], cell).mean()
        for cell in ("d8", "d12")
        for line in rivals
    )
    shown = [
        each.second
        for each in crossings(board, runs)
        if each.scale == "dimensions" and each.second in rivals and {8, 12} <= set(each.first_better)
    ]
    return (
        "*How many experts?* With 6 numbers more are no better on scaling-v1: one policy, trained with 1 to 8"
        f" experts, has an error of {of['experts-1']} with one, {of['d6']} with 12 (worse on {alone} of"
        f" {len(runs['badger'])} outer seeds), {of['experts-80']} with 80; with 8 and 12 numbers {of['d8']}"
        f" and {of['d12']}: {'below' if least else 'not below'} all {len(rivals)} monoliths, shown against"
        f" {_listed(shown)} at both: [experts](docs/findings/experts.md)."
    )


def _monoliths() -> str:
    """Monoliths trained as Badger is, and RL2, against Badger on all boards that were run."""
    found = [each for each in compared() if not each.old and each.board.name not in CAPPED]
    told: dict[tuple[str, str, str], str] = {}
    for kind in ("gradient", "reward"):
        for test in ("all", "both"):
            for verdict in ("better", "worse"):
                on = [
                    each.board.name
                    + (each.line.score is not None and each.line.score.value < CHANCE) * " at chance"
                    for each in found
                    if each.kind == kind and each.verdict(test) == verdict
                ]
                places = f" ({_listed(list(dict.fromkeys(on)))})" * bool(on)
                told[kind, test, verdict] = f"{len(on)}{places}"
    count = {kind: sum(each.kind == kind for each in found) for kind in ("gradient", "reward")}
    room = sum(each.kind == "gradient" and each.room for each in found)
    return (
        f"*Monolith or many?* Of {count['gradient']} networks about as large as Badger or larger, trained"
        f" nearly alike, {told['gradient', 'all', 'worse']} are shown to be worse,"
        f" {told['gradient', 'all', 'better']} better (perfect, {room} would be); where both succeed"
        f" {told['gradient', 'both', 'better']} are better, {told['gradient', 'both', 'worse']} worse. RL²,"
        f" by reward, is worse in {told['reward', 'all', 'worse'].split(' ')[0]}"
        f" of {count['reward']}, where both succeed in {told['reward', 'both', 'worse'].split(' ')[0]},"
        f" better in {told['reward', 'both', 'better']}: [monoliths](docs/findings/monolith.md)."
    )


def _new_family() -> str:
    """What is earned from bandits after synthetic tasks alone."""
    parts, whole = ("parts-prior-v1", "prior-v1")
    earned: dict[tuple[str, str], str] = {}
    for name in (parts, whole):
        board = load_as_run(name)
        for agent, runs in read_results(board).items():
            if runs:
                earned[name, agent] = short(outcomes(board, runs, board.main).mean())
    return (
        f"*A new family?* After synthetic choices alone Badger earns {earned[whole, 'badger']} of UCB1's"
        f" {earned[whole, 'ucb1']} from bandits, a GRU as large {earned[whole, 'gru']}, with fast weights"
        f" {earned[whole, 'gru-fast-weights']}; after two tasks Badger {earned[parts, 'distinct-2']}"
        f" (3 seeds), the GRU {earned[whole, 'gru-distinct-2']} (chance): [new](docs/findings/generalist.md)."
    )


def _must_talk(name: str, condition: str) -> bool:
    """Whether an expert is told too little to do its part alone."""
    return name not in COULD_DO_WITHOUT or condition.startswith("one")


def _hangs_on_limit(board: Board, results: Results, agent: str) -> bool:
    """Whether a claim would fail if an outer seed ended as the worst contestant of the board did."""
    sign = 1 if board.higher_is_better else -1
    seen = [
        (sign * outcomes(board, runs, board.main)).min()
        for name, runs in results.items()
        if runs and board.agents[name].role == "contestant"
    ]
    return bool(sign * withstands(board, results, agent) > min(seen))


def _retrained_without(board: Board, agent: str) -> list[str]:
    """Lines of a board that are an agent retrained without talk, or without exchange."""
    return [name for name, line in board.agents.items() if line.control_of == agent and line.without]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "no board"
