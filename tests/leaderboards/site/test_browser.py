"""The site in a browser: sorting, filtering, nothing wider than a phone, no errors, a print with all rows.

Chromium opens copies of the pages with a script in them that acts as a reader would and leaves what it saw
in the page, which `--dump-dom` prints. Nothing else is needed, and nothing is asked of the network.
"""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from leaderboards.site.build import site_files, write_site
from tests.leaderboards.site.boards import three_boards
from tests.leaderboards.site.page import Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # small in many containers
    "--virtual-time-budget=10000",
)
PHONE = 390
"""Pixels across."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"there is no {CHROMIUM}: apt-get install chromium"),
]

WATCH = """<script>
window.seen = { errors: [] };
const note = (event) => seen.errors.push(String(event.message || event.target.src));
window.addEventListener("error", note, true);
for (const name of ["error", "warn"]) console[name] = (...words) => seen.errors.push(words.join(" "));
</script>"""

TELL = """<script>
window.addEventListener("load", () => {
  const page = document.documentElement;
  seen.name = location.pathname;
  seen.wide = [page.scrollWidth, page.clientWidth];
  seen.images = [...document.images].every((image) => image.complete && image.naturalWidth > 0);
  const act = new URLSearchParams(location.search).has("act");
  if (act) window.act();
  if (parent === window) page.dataset.seen = JSON.stringify(seen);
  else parent.postMessage(JSON.stringify(seen), "*");
});
</script>"""

ACT = """<script>
function act() {
  const table = document.getElementById("standing");
  const rows = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const shown = () => rows().map((row) => row.cells[0].innerText);
  const head = (text) => [...table.tHead.rows[0].cells].find((cell) => cell.innerText.includes(text));
  seen.before = shown();
  head("mean").querySelector("button").click();
  seen.rising = shown();
  seen.sort = head("mean").getAttribute("aria-sort");
  head("mean").querySelector("button").click();
  seen.falling = shown();
  head("paired").querySelector("button").click();
  seen.paired = shown();
  head("paired").querySelector("button").click();
  seen.paired_falling = shown();
  head("agent").querySelector("button").click();
  seen.names = shown();
  const box = table.closest(".scroll").previousElementSibling;
  const [words, roles] = [box.querySelector("input"), box.querySelector("select")];
  roles.value = "control";
  roles.dispatchEvent(new Event("change"));
  seen.controls = shown();
  words.value = "LOOP";
  words.dispatchEvent(new Event("input"));
  seen.loop = shown();
  seen.status = box.querySelector("[role=status]").innerText;
  words.value = "nobody";
  words.dispatchEvent(new Event("input"));
  seen.nobody = shown();
}
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of three small boards, with the watching script in each page."""
    folder = tmp_path_factory.mktemp("browser")
    site = folder / "site"
    write_site(site_files(three_boards(folder), site), site)
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8").replace("<head>", "<head>" + WATCH)
        path.write_text(text.replace("</body>", TELL + ACT + "</body>"), encoding="utf-8")
    return site


def chromium(folder: Path, *words: str) -> str:
    profile = folder / "profile"
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def dump(folder: Path, url: str) -> Any:
    """What the watching script left in a page."""
    found = re.search(r'<html[^>]* data-seen="([^"]*)"', chromium(folder, "--dump-dom", url))
    assert found is not None
    return json.loads(html.unescape(found[1]))


def test_a_click_on_a_head_sorts_and_filters_hide(site: Path, tmp_path: Path) -> None:
    seen = dump(tmp_path, (site / "boards" / "tiny-v1.html").as_uri() + "?act")
    assert seen["errors"] == []
    assert seen["images"]
    assert len(seen["before"]) == 5
    assert seen["rising"] == seen["before"]  # an error: the best first is the lowest first
    assert seen["sort"] == "ascending"
    assert seen["falling"] == seen["before"][::-1]
    assert seen["paired"][-1] == seen["paired_falling"][-1] == "talk"  # has no difference: last both ways
    assert seen["paired"][:-1] == seen["paired_falling"][:-1][::-1]
    assert seen["names"] == sorted(seen["before"])
    assert seen["controls"] == ["self-loop", "shuffled", "silent"]
    assert seen["loop"] == ["self-loop"]
    assert seen["status"] == "1 of 5 rows"
    assert seen["nobody"] == []


@pytest.mark.parametrize("width", [PHONE, 1200])
def test_no_page_is_wider_than_the_window_and_none_has_errors(site: Path, tmp_path: Path, width: int) -> None:
    pages = sorted(site.rglob("*.html"))
    frames = "".join(f'<iframe src="{page.as_uri()}" width={width} height=800></iframe>' for page in pages)
    collect = """<script>const all = []; window.addEventListener("message", (event) => {
      all.push(JSON.parse(event.data)); document.documentElement.dataset.seen = JSON.stringify(all); });
    </script>"""
    harness = tmp_path / "frames.html"
    harness.write_text(f"<!DOCTYPE html><html><head>{collect}</head><body>{frames}</body></html>")
    seen = dump(tmp_path, harness.as_uri())
    assert len(seen) == len(pages)
    for page in seen:
        assert page["errors"] == [], page["name"]
        assert page["images"], page["name"]
        wide, window = page["wide"]
        assert window <= width
        assert wide <= window, page["name"]


@pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="there is no pdftotext: apt-get install poppler-utils"
)
def test_a_print_has_all_rows_and_columns_and_no_filters(site: Path, tmp_path: Path) -> None:
    url = (site / "boards" / "tiny-v1.html").as_uri() + "?act"  # with all rows filtered away on the screen
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'page.pdf'}", url)
    command = ["pdftotext", "-raw", str(tmp_path / "page.pdf"), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = Page(site / "boards" / "tiny-v1.html")
    printed = re.sub(r"\s", "", text)
    for row in page.tables["standing"]:
        for cell, _ in row:
            assert re.sub(r"\s", "", cell) in printed
    assert "of5rows" not in printed
