"""What documents show of the labs is what labs draw: figures and seconds (`badger labs draw docs/labs`)."""

import csv
import re
from pathlib import Path

from labs.as_shipped import SECONDS

ROOT = Path(__file__).parent.parent.parent
DRAWN = ROOT / "docs" / "labs"


def test_every_figure_of_a_lab_is_drawn_and_no_other() -> None:
    shown = [
        name
        for lab in (ROOT / "labs").glob("lab_*.py")
        for name in re.findall(r'^labs\.show\("(\w+)"\)', lab.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    assert sorted(path.stem for path in DRAWN.glob("*.png")) == sorted(shown)


def test_the_table_of_labs_tells_the_seconds_that_were_measured() -> None:
    with (DRAWN / SECONDS).open(encoding="utf-8") as file:
        measured = [(row["lab"], row["seconds"]) for row in csv.DictReader(file)]
    page = (ROOT / "docs" / "labs.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \[.*\| (\d+) \|$", page, flags=re.MULTILINE) == measured
