"""Running commands of `badger` within the test process."""

import json
from typing import Any, NamedTuple

import pytest

from leaderboards.cli import main


class Done(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """Records of a `--json` answer, which must be all there is on standard output."""
        answer = json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert set(answer) == {"title", "note", "results"}
        for row in answer["results"]:
            assert {"name", "value"} <= set(row)
            for value in row.values():
                assert not isinstance(value, dict)
        return answer["results"]

    def value(self, name: str) -> Any:
        """The one value of that name."""
        (value,) = (row["value"] for row in self.results if row["name"] == name)
        return value


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Done:
    """Run a command."""
    capsys.readouterr()
    status = 0
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return Done(status, out, err)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The line with which a command is refused: the only one on standard error."""
    done = run(capsys, *words)
    assert done.status == 2, done
    assert done.out == ""
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("badger: ")
    return lines[0]
