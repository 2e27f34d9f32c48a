"""MkDocs' hook: adds the generated pages, puts them into the navigation, leads links to pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.docs import markdown as texts
from tools.docs.generated import Generated, everything

GENERATED = "generated"
"""Where the configuration's `extra` keeps what one build has generated."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Generate all pages, and name them in the sections of the navigation that are there for them.

    Pages of `docs/` that the navigation does not name come at the end, under "Project".
    """
    generated: Generated = everything()
    config.extra[GENERATED] = generated
    named = set(_places([*(config.nav or []), generated.navigation]))
    docs = Path(config.docs_dir)
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    generated.navigation.setdefault("Project", []).extend(sorted(written - named))
    for entry in config.nav or []:
        for title, items in entry.items():
            if isinstance(items, list):
                items.extend(generated.navigation.get(title, []))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what was generated to the files of `docs/`."""
    for place, content in config.extra[GENERATED].files.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take in sections of other files, and lead links to pages."""
    place = page.file.src_uri
    return texts.page(markdown, config.extra[GENERATED].sources.get(place, f"docs/{place}"), place)


def _places(navigation: Any) -> Iterator[str]:
    """All places that a navigation names."""
    if isinstance(navigation, str):
        yield navigation
        return
    for item in navigation.values() if isinstance(navigation, dict) else navigation:
        yield from _places(item)
