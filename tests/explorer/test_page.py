"""The explorer's page in a browser: opens from disk, quick and small, no errors, and a keyboard is enough."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from explorer.build import POLICIES, build, describe
from tests.explorer.test_step import CASES, EVENTS, STEPS, TOLERANCE, Torch, parts_differ

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def test_the_file_is_whole_small_and_asks_for_nothing() -> None:
    page = build()
    assert len(page.encode()) < 20e6
    assert not re.search(r"""(?:src|href)=["'](?!data:)|https?://|@import|fetch\(""", page)
    assert all(f'"name":"{name}"' in page for name in POLICIES)


@pytest.mark.parametrize(("name", "value"), [("noise", 0.5), ("delay", 1), ("aggregation", "sum")])
def test_an_agent_that_the_page_cannot_play_is_refused(name: str, value: Any) -> None:
    import badger_agents

    agent = badger_agents.load("xor").with_settings(channel={name: value, "received_attention": True}).agent
    with pytest.raises(ValueError, match=rf"xor has {name} set, which explorer/step\.js does not know"):
        describe("xor", "xor", agent)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "explorer.html"
    made.write_text(build(), encoding="utf-8")
    return made


@pytest.mark.slow
def test_it_opens_from_disk_in_three_seconds_at_any_width_and_says_no_error(browser: Any, file: Path) -> None:
    for width, scheme in ((1200, "light"), (390, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:")) or pytest.fail(request.url)
        )
        start = time.perf_counter()
        page.goto(file.as_uri())
        page.wait_for_selector("#ears svg")
        assert time.perf_counter() - start < 3
        for name in POLICIES:
            page.select_option("#task", name)
            for id in ("silence", "deafen", "shuffle"):
                page.check(f"#{id}")
                page.click("#step")
            for id in ("clone", "remove", "hide", "step", "again", "fresh", "end"):
                page.click(f"#{id}")
            assert page.inner_text("#told") == "The trial is over."
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert said == []
        page.close()


@pytest.mark.slow
def test_a_keyboard_is_enough(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())

    def reach(id: str) -> None:
        for _ in range(60):
            if page.evaluate("document.activeElement.id") == id:
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {id}")

    reach("step")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the focus stays where it was
    assert page.inner_text("#clock") == "Step 2 of 20"
    reach("expert-1")
    page.keyboard.press("Enter")
    assert page.inner_text("#chosen-name") == "Expert 2"
    for id, told in (
        ("silence", "Expert 2 is silenced."),
        ("deafen", "Expert 2 is deafened."),
        ("edge-0", "Expert 2 no longer hears Expert 1."),
        ("shuffle", "Messages arrive under another's name."),
    ):
        reach(id)
        page.keyboard.press("Space")
        assert page.inner_text("#told") == told
    for id, told in (
        ("clone", "Expert 2 got a copy, expert 4."),
        ("remove", "Expert 2 is gone."),
        ("hide", "What is hidden is another now."),
    ):
        reach(id)
        page.keyboard.press("Enter")
        assert page.inner_text("#told") == told
    assert page.locator("#log li").count() == 7
    page.close()


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("event", EVENTS)
def test_the_page_computes_what_torch_does(browser: Any, file: Path, event: str) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    for case in (case for case in CASES if case[3] == event):
        trial = Torch(*case[:3])
        told = trial.told(EVENTS[event])
        del told["agent"]  # the page's own weights
        made = page.evaluate("([name, told]) => window.replay(name, told)", [case[0], told])
        assert len(made) == STEPS
        assert parts_differ(trial.play(EVENTS[event]), made) < TOLERANCE, case
    page.close()
