"""Markdown of the repository as pages of the site: sections taken from files, links that lead to pages."""

import os
import re
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
"""The repository."""

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "badger_agents/pretrained": "agents/pretrained.md",
}
"""Pages of the site for what lies outside of `docs/`."""

_LINK = re.compile(r"(!?)\[((?:`[^`\n]*`|[^\]`])*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_TAKEN = re.compile(r"^<!-- from ([\w./-]+): (.+?) -->$", re.MULTILINE)
_DRAWING = re.compile(r"^!\[[^\]]*\]\(([\w/-]+\.svg)\)$", re.MULTILINE)
_MARK = re.compile(r"^<!-- (?:numbers: |client: |table|end).*-->\n", re.MULTILINE)


def page(text: str, source: str, uri: str) -> str:
    """The Markdown of a page.

    Args:
        text: Markdown as it stands in the repository.
        source: the file that it stands in, from the repository's top: its links are relative to it.
        uri: the page's place on the site, such as "agents/index.md".

    Returns:
        The text with sections taken in where it says `<!-- from FILE: HEADING -->`, with links that lead to
        pages, with drawings of `docs/` as part of it, so that they have the page's colours, and without the
        marks for our own commands.
    """
    linked = _relinked(text, source, uri)
    taken = _TAKEN.sub(lambda found: _relinked(section(found[1], found[2]), found[1], uri), linked)
    folder = ROOT / "docs" / PurePosixPath(uri).parent

    def drawing(found: re.Match[str]) -> str:
        file = folder / found[1]
        drawn = file.read_text(encoding="utf-8") if file.exists() else ""
        return f"<figure>\n{drawn}</figure>" if drawn else found[0]

    drawn = _DRAWING.sub(drawing, taken)
    return _MARK.sub("", drawn)


def section(file: str, heading: str) -> str:
    """What stands in a file of the repository below a heading of the second level, without it.

    Raises:
        ValueError: there is no such heading.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{file} has no section {heading!r}")
    return found[1].strip()


def title_of(text: str) -> str:
    """The first heading of a Markdown text."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError("a page needs a heading of the first level")
    return found[1].strip()


def _relinked(text: str, source: str, uri: str) -> str:
    """Links to files of the repository become links to pages; where there is no page, the file's name."""
    fenced = re.split(r"(^```.*?^```)", text, flags=re.DOTALL | re.MULTILINE)
    folder = PurePosixPath(source).parent

    def link(found: re.Match[str]) -> str:
        picture, label, target, anchor = found[1], found[2], found[3], found[4] or ""
        path = os.path.normpath(folder / target)
        place = path.removeprefix("docs/") if path.startswith("docs/") else PAGES.get(path)
        if place is not None:
            there = os.path.relpath(place, PurePosixPath(uri).parent)
            return f"{picture}[{label}]({there}{anchor})"
        if not (ROOT / path).exists():
            return found[0]  # MkDocs says that it leads nowhere
        return label if label.strip("`") == path else f"{label} (`{path}`)"

    parts = [part if at % 2 else _LINK.sub(link, part) for at, part in enumerate(fenced)]
    return "".join(parts)
