"""Packed rows: the same bytes for the same text, and no bomb is unpacked."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from leaderboards.submissions.packed import PackedError, pack, unpack


def test_a_text_comes_back_and_packs_alike(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(pack("a,b\n1,2\n"))
    assert unpack(tmp_path / "rows.csv.gz") == "a,b\n1,2\n"
    assert pack("a,b\n1,2\n")[4:8] == b"\0\0\0\0"  # the time


def test_ten_gigabytes_are_refused_without_unpacking_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(bytes(100 * 2**20), 9, mtime=0) * 103)  # members of 100 MiB: 10 GiB
    tracemalloc.start()
    with pytest.raises(PackedError, match="more than"):
        unpack(path, limit=2**20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "r.gz").write_bytes(pack("x" * 100))
    assert len(unpack(tmp_path / "r.gz", limit=100)) == 100
    with pytest.raises(PackedError, match="more than 99"):
        unpack(tmp_path / "r.gz", limit=99)


def test_what_is_cut_short_or_no_gzip_is_refused(tmp_path: Path) -> None:
    whole = pack("".join(f"{i}\n" for i in range(1000)))
    for content, message in [
        (whole[:-20], "cut short"),
        (b"no gzip", "no sound"),
        (gzip.compress(b"\xff\xfe"), "no UTF-8"),
    ]:
        (tmp_path / "r.gz").write_bytes(content)
        with pytest.raises(PackedError, match=message):
            unpack(tmp_path / "r.gz")
