"""Reading pages of the site in tests: their tables and links, and whether each tag is closed."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """A page of the site; AssertionError if a tag is not closed where it should be, or an id is there twice.

    Attributes:
        links: all that is linked, pictures, styles and scripts included.
        ids: of its elements.
        tables: by id, rows of (text, data-value), heads first.
        captions: texts under pictures.
        text: all text.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tables: dict[str, list[list[tuple[str, str | None]]]] = {}
        self.captions: list[str] = []
        self.text = ""
        self._rows: list[list[tuple[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == [], f"{path}: not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        assert len(known) == len(attrs), f"{self.path}: an attribute of {tag} is there twice"
        if tag not in VOID:
            self.open.append(tag)
        for name in ("href", "src"):
            if known.get(name) is not None:
                self.links.append(str(known[name]))
        if "id" in known:
            assert known["id"] not in self.ids, f"{self.path}: two elements are {known['id']}"
            self.ids.add(str(known["id"]))
        if tag == "table":
            self._rows = self.tables.setdefault(str(known.get("id")), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append(("", known.get("data-value")))
        elif tag == "figcaption":
            self.captions.append("")

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID
        assert self.open, f"{self.path}: {tag} is closed and was not open"
        assert self.open.pop() == tag, f"{self.path}: {tag} is closed before what is in it"

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            text, value = self._rows[-1][-1]
            self._rows[-1][-1] = (text + data, value)
        if "figcaption" in self.open:
            self.captions[-1] += data

    def targets(self) -> list[tuple[Path, str]]:
        """What is linked, as paths and fragments; whatever is in the network fails."""
        found = []
        for link in self.links:
            if link == "data:,":
                continue
            parts = urlsplit(link)
            assert not parts.scheme, f"{self.path} links to {link}"
            assert not parts.netloc, f"{self.path} links to {link}"
            path = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path.resolve()
            found.append((path, parts.fragment))
        return found
