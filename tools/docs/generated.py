"""All pages that are generated when the site is built, and where they stand in the navigation."""

import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jupytext

from badger_agents.loading import FOLDER as PRETRAINED
from leaderboards.boards.board import board_names
from leaderboards.boards.results import Results
from leaderboards.site.board_text import kept
from leaderboards.site.pages import pages
from leaderboards.tuning.choosing import load_as_run, read_tuning, tuning_file
from tools.docs.families import family_pages
from tools.docs.markdown import ROOT, title_of

PACKAGES = ("badger_envs", "badger_agents", "baselines", "leaderboards")
"""Whose modules are in the reference."""

AFTER_PROSE = "---\nsearch:\n  boost: 0.3\n---"
"""What a page begins with that the search box shall name after others."""

EXPLORER = ROOT / "explorer" / "explorer.html"
"""The page on which a trained agent can be watched, where it has been built."""

FIGURES = ROOT / "runs" / "figures"
"""Where `make figures` draws those of the labs."""


class Generated(NamedTuple):
    """Pages of the site that are in no file.

    Attributes:
        files: content by place on the site.
        navigation: entries to add to sections of the navigation, by the section's title.
        sources: the repository's files that pages were made from, by place; links are relative to these.
    """

    files: dict[str, str | bytes]
    navigation: dict[str, list[Any]]
    sources: dict[str, str]


def everything() -> Generated:
    """All generated pages; the same repository gives the same."""
    made = Generated({}, {}, {})
    for add in (_families, _boards, _pretrained, _labs, _explorer, _reference, _project):
        add(made)
    return made


def _families(made: Generated) -> None:
    families = family_pages()
    for _, files in families.values():
        made.files.update(files)
    entries = [{title: f"environments/{name}.md"} for name, (title, _) in families.items()]
    made.navigation["Environments"] = entries


def _boards(made: Generated) -> None:
    """A page for each board that has results, and the names of those that have none yet."""
    boards = [kept(load_as_run(name))[:2] for name in board_names()]
    with_results = [(board, results) for board, results in boards if _has_runs(results)]
    tuning = {board.name: read_tuning(tuning_file(board.name)) for board, _ in with_results}
    made.files.update({f"boards/{name}": content for name, content in pages(with_results, tuning).items()})
    waiting = [f"- {board.name}: {board.title}" for board, results in boards if not _has_runs(results)]
    if waiting:
        told = "\n".join(["\nDescribed, not run yet:", "", *waiting, ""])
        index = made.files["boards/index.md"]
        made.files["boards/index.md"] = (index.decode() if isinstance(index, bytes) else index) + told
    shown = ["boards/index.md", *({board.name: f"boards/{board.name}.md"} for board, _ in with_results)]
    made.navigation["Boards"] = shown


def _has_runs(results: Results) -> bool:
    return any(results.values())


def _pretrained(made: Generated) -> None:
    """The cards of the pretrained agents, and a list of them."""
    cards = sorted(PRETRAINED.glob("*.md"))
    lines = [
        "# Pretrained agents",
        "",
        "`badger_agents.load(NAME)` gives an agent, and its card says all about it.",
        "",
    ]
    for card in cards:
        text = card.read_text(encoding="utf-8")
        lines.append(f"- [{card.stem}](pretrained/{card.name}): {text.split(chr(10) * 2)[1]}")
        _copied(made, card, f"agents/pretrained/{card.name}", text)
    made.files["agents/pretrained.md"] = "\n".join(lines) + "\n"
    entries = ["agents/pretrained.md", *({card.stem: f"agents/pretrained/{card.name}"} for card in cards)]
    made.navigation["Agents"] = [{"Pretrained agents": entries}]


def _labs(made: Generated) -> None:
    """The course, each lab that is there, prose, code and figures without answers, and what teachers need."""
    entries: list[Any] = ["labs.md"]
    for lab in sorted((ROOT / "labs").glob("lab_*.py")):
        cells = jupytext.read(lab, fmt="py:percent").cells
        parts = [
            cell.source
            if cell.cell_type == "markdown"
            else f"```python\n{cell.source}\n```{_figures(made, cell.source)}"
            for cell in cells
        ]
        parts[0] = parts[0].replace("\n", f"\n\nFile: `labs/{lab.name}`\n", 1)
        text = "\n\n".join(parts) + "\n"
        place = f"labs/{lab.stem}.md"
        _copied(made, lab, place, text)
        entries.append({title_of(text): place})
    made.navigation["Labs"] = [*entries, {"For teachers": "teachers.md"}]


def _figures(made: Generated, code: str) -> str:
    """The figures that a cell of a lab shows, if they were drawn (`make figures`)."""
    names = re.findall(r'labs\.show\("(\w+)"\)', code)
    drawn = [name for name in names if (FIGURES / f"{name}.png").exists()]
    made.files.update({f"labs/{name}.png": (FIGURES / f"{name}.png").read_bytes() for name in drawn})
    return "".join(f"\n\n![What this cell draws]({name}.png){{ .wide }}" for name in drawn)


def _explorer(made: Generated) -> None:
    if EXPLORER.exists():
        made.files["explorer/explorer.html"] = EXPLORER.read_bytes()


def _reference(made: Generated) -> None:
    """A page per folder of code, with what its modules say of themselves."""
    entries: list[Any] = []
    for package in PACKAGES:
        inner = []
        for folder in _folders(ROOT / package):
            name = ".".join(folder.relative_to(ROOT).parts)
            place = f"reference/{name}.md"
            modules = [
                name,
                *(
                    f"{name}.{module.name}"
                    for module in pkgutil.iter_modules([str(folder)])
                    if not module.ispkg
                ),
            ]
            blocks = [f"::: {module}" for module in modules if not module.endswith("__main__")]
            made.files[place] = "\n\n".join([AFTER_PROSE, f"# {name}", *blocks]) + "\n"
            inner.append({name: place})
        entries.append({package: inner})
    made.navigation["Reference"] = entries


def _folders(folder: Path) -> Iterator[Path]:
    """A package and the packages in it."""
    yield folder
    for inner in sorted(folder.iterdir()):
        if (inner / "__init__.py").exists():
            yield from _folders(inner)


def _project(made: Generated) -> None:
    for file, place in (("CONTRIBUTING.md", "contributing.md"), ("CHANGELOG.md", "changelog.md")):
        _copied(made, ROOT / file, place, (ROOT / file).read_text(encoding="utf-8"))


def _copied(made: Generated, file: Path, place: str, text: str) -> None:
    made.files[place] = text
    made.sources[place] = file.relative_to(ROOT).as_posix()
