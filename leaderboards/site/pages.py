"""Pages of the site: what stands on each, and the templates that write them."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2

from leaderboards.boards.changes import CHANGES
from leaderboards.boards.standing import said, seed_means
from leaderboards.card import ENOUGH
from leaderboards.site import costs, curves, forests, tables, trials
from leaderboards.site.drawing import Picture
from leaderboards.site.tables import Table, agent_page
from leaderboards.site.view import View, seeds_said, trained_by
from leaderboards.statistics import FEWEST, KIND, RESAMPLES

HERE = Path(__file__).parent / "templates"


def templates() -> jinja2.Environment:
    """The templates; what is unknown in one is an error, and text is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["path"] = quote
    made.globals |= {
        "kind": KIND,
        "resamples": RESAMPLES,
        "fewest": FEWEST,
        "enough": ENOUGH,
        "said": said,
        "seeds_said": seeds_said,
        "agent_page": agent_page,
        "board_page": tables.board_page,
        "CHANGES": CHANGES,
    }
    return made


def overview(views: Sequence[View], made: jinja2.Environment) -> str:
    """The first page: all boards, then all agents."""
    return made.get_template("overview.html.j2").render(
        root="", views=views, lines=tables.all_lines_table(views)
    )


class BoardPage(NamedTuple):
    """A board's page, the pictures on it, and outcomes of all outer seeds as CSV."""

    html: str
    pictures: list[Picture]
    data: str


def board(view: View, site: Path, made: jinja2.Environment) -> BoardPage:
    """A board's page and what belongs to it.

    Args:
        view: the board.
        site: where the site will lie, for links to raw rows.
        made: the templates.
    """
    raw = os.path.relpath(view.folder.resolve(), site.resolve() / "boards").replace(os.sep, "/")
    pictures: dict[str, Picture] = {}
    scales: list[tuple[str, Picture, list[tuple[str, Table]]]] = []
    if view.lines:
        drawn = {
            "outcomes": forests.outcomes(view),
            "differences": forests.differences(view),
            "profile": curves.profile(view),
            "adaptation": curves.adaptation(view),
            "costs": costs.costs(view),
            "bits": costs.bits(view),
        }
        pictures = {name: picture for name, picture in drawn.items() if picture is not None}
        for name in view.board.scales:
            if (picture := curves.scale(view, name)) is not None:
                scales.append((view.board.scales[name].label, picture, tables.crossing_tables(view, name)))
    made_to = {view.board.agents[line.agent].intervention for line in view.lines}
    html = made.get_template("board.html.j2").render(
        root="../",
        view=view,
        board=view.board,
        pictures=pictures,
        scales=scales,
        changes=[change for change in CHANGES if change in made_to],
        standing=tables.standing_table(view) if view.lines else None,
        cells=tables.cells_table(view) if view.lines else None,
        raw=raw,
    )
    return BoardPage(html, [*pictures.values(), *(picture for _, picture, _ in scales)], _data(view))


def _data(view: View) -> str:
    """Mean outcome of each run in each cell, as CSV."""
    text = io.StringIO()
    measured = {cell: view.board.outcome_in(cell) for cell in view.board.cells}
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["agent", "role", "outer_seed", "status", "cell", "outcome", "mean"])
    for agent, runs in view.runs.items():
        role = view.board.agents[agent].role
        for run in runs:
            head = [agent, role, "" if run.seed is None else run.seed, run.facts["status"]]
            if not run.ok:
                writer.writerow([*head, "", "", ""])
                continue
            for cell in view.board.cells_of(agent):
                mean = f"{float(seed_means([run], cell)[0]):.7g}"
                writer.writerow([*head, cell, measured[cell], mean])
    return text.getvalue()


def agents(views: Sequence[View], made: jinja2.Environment) -> dict[str, bytes]:
    """A page for each name of an agent, with all boards on which something is called that; its pictures."""
    known = {(view.board.name, agent): trained_by(view.board, agent) for view in views for agent in view.runs}
    files = {}
    for name in dict.fromkeys(agent for view in views for agent in view.runs):
        sections: list[dict[str, Any]] = []
        for view in views:
            if name not in view.runs:
                continue
            trained = known[view.board.name, name]
            owner = view.board.agents[name].control_of
            alike = owner is not None and known[view.board.name, owner].text == trained.text
            trial = trials.trial(view, name)
            if trial is not None:
                files[f"figures/{trial.name}.svg"] = trial.svg
            sections.append(
                {
                    "view": view,
                    "entrant": view.board.agents[name],
                    "line": next((line for line in view.lines if line.agent == name), None),
                    "trained": trained,
                    "as_of": owner if alike else None,  # its page has the recipe's text
                    "same": [
                        place
                        for place, other in known.items()
                        if other.key == trained.key and place != (view.board.name, name)
                    ],
                    "trial": trial,
                    "seeds": tables.seeds_table(view, name) if view.runs[name] else None,
                }
            )
        page = made.get_template("agent.html.j2").render(root="../", name=name, sections=sections)
        files[agent_page(name)] = page.encode()
    return files
