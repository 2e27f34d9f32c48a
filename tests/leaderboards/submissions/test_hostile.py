"""What a hostile submission can do to whoever validates it: nothing."""

import gzip
import hashlib
import os
import random
import sys
import tracemalloc
from pathlib import Path

import pytest

from leaderboards.submissions.rows import largest
from leaderboards.submissions.schema import FILE
from tests.leaderboards.submissions.made import ROWS, Place


def test_rows_that_unpack_to_ten_gigabytes_are_given_up_early(place: Place) -> None:
    place.declare(ROWS, gzip.compress(bytes(8 * 2**20), 9, mtime=0) * 1281)
    tracemalloc.start()
    (line,) = place.violations()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"{ROWS} unpacks to more than {largest(3, 2, 6)} bytes" in line
    assert peak < 2**23


def test_a_pipe_in_place_of_a_file_does_not_hang(place: Place) -> None:
    (place.submission / "recipe.toml").unlink()
    os.mkfifo(place.submission / "recipe.toml")
    (line,) = place.violations()
    assert "'recipe.toml' is not in the submission's folder" in line


def test_no_code_of_a_submission_is_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = place.submission.parent / "witness"
    bomb = f"open({str(witness)!r}, 'w').close()\n"
    monkeypatch.syspath_prepend(str(place.submission))
    (place.submission / "evil_module.py").write_text(bomb)
    for kind in ("policy.py:MyPolicy", "evil_module:Agent"):
        for name in ("kind", "policy"):
            copy = place.copy(place.submission.parent / f"{name}-{kind[:4]}")
            text = (copy.submission / "recipe.toml").read_text()
            text = text.replace('kind = "badger_agents.badger.agent:BadgerAgent"\n', "")
            copy.declare("recipe.toml", text.replace("[agent]", f'[agent]\n{name} = "{kind}"').encode())
            (copy.submission / "policy.py").write_text(bomb)
            declared = hashlib.sha256(bomb.encode()).hexdigest()
            copy.edit("code = []", f'code = [{{ path = "policy.py", sha256 = "{declared}" }}]')
            said = [line for line in copy.violations() if "evil_module.py" not in line]
            assert all("does not name" in line for line in said)  # of the module nothing is declared
    assert not witness.exists()
    assert "evil_module" not in sys.modules


def test_a_byte_changed_anywhere_is_told_and_never_an_accident(made: Place, tmp_path: Path) -> None:
    draws = random.Random(0)
    for trial in range(25):
        place = made.copy(tmp_path / str(trial))
        path = draws.choice(
            sorted(place.submission.glob("[!s]*"))
        )  # all but the manifest, which has comments
        content = bytearray(path.read_bytes())
        where = draws.randrange(len(content))
        content[where] ^= 1 << draws.randrange(8)
        path.write_bytes(content[: where + 1] if trial % 2 else content)
        assert f"{path.name} has SHA-256" in " ".join(place.violations())
        changed = place.submission / FILE
        changed.write_bytes(changed.read_bytes()[: draws.randrange(2000)])
        assert place.violations()
