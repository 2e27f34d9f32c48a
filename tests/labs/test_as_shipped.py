"""What documents say of the labs is what was measured of them as they are shipped (`make figures`)."""

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_table_of_labs_tells_the_seconds_that_were_measured() -> None:
    with (ROOT / "docs" / "labs.csv").open(encoding="utf-8") as file:
        measured = [(row["lab"], row["seconds"]) for row in csv.DictReader(file)]
    page = (ROOT / "docs" / "labs.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \[.*\| (\d+) \|$", page, flags=re.MULTILINE) == measured
