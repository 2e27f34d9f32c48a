"""The documentation site: each family has its page, the same each time; it builds without a warning."""

import logging
import re
from pathlib import Path

import pytest

from badger_envs import TABLE
from tools.docs import generated
from tools.docs.families import family_pages
from tools.docs.markdown import ROOT, page, section


def test_every_registered_id_is_on_a_page_and_pages_are_the_same_each_time() -> None:
    built = [family_pages() for _ in range(2)]
    assert built[0] == built[1]
    pages = "".join(
        text for _, files in built[0].values() for text in files.values() if isinstance(text, str)
    )
    assert [entry.id for entry in TABLE if f"| `{entry.id}` |" not in pages] == []
    assert re.findall(r"[\w)]\*\*[\w-]", pages) == []  # a power without spaces would make prose bold


def test_links_lead_to_pages_or_name_files_and_code_stays() -> None:
    code = "\n\n```\n[d](../README.md)\n```\n"
    text = f"[a](../README.md) [`b.py`](../tools/docs/hook.py) [c](design.md#words){code}"
    assert page(text, "docs/here.md", "deep/here.md") == (
        f"[a](../index.md) `b.py` (`tools/docs/hook.py`) [c](../design.md#words){code}"
    )


def test_sections_of_other_files_are_taken_in() -> None:
    taken = page("# T\n\n<!-- from README.md: Install -->\n", "docs/here.md", "here.md")
    assert "pip install ." in taken
    assert "## " not in taken
    with pytest.raises(ValueError, match="no section 'Nothing'"):
        section("README.md", "Nothing")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    monkeypatch.chdir(ROOT)
    drawn = tmp_path / "figures" / "lab_01_inner_loops.png"  # as `make figures` does
    drawn.parent.mkdir()
    drawn.write_bytes((ROOT / "docs" / "demo.png").read_bytes())
    monkeypatch.setattr(generated, "FIGURES", drawn.parent)
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    config.plugins.run_event("startup", command="build", dirty=False)
    with caplog.at_level(logging.WARNING, logger="mkdocs"):
        build(config)
    assert [record.getMessage() for record in caplog.records] == []
    shown = (tmp_path / "site" / "labs" / "lab_01_a_trial.html").read_text(encoding="utf-8")
    assert f'src="{drawn.name}"' in shown
    assert (tmp_path / "site" / "labs" / drawn.name).read_bytes() == drawn.read_bytes()
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 50
    loaded = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")
    assert [found for path in pages for found in loaded.findall(path.read_text(encoding="utf-8"))] == []
