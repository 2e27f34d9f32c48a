"""Files of a submission stay in its folder, and weights are safetensors."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from leaderboards.submissions.artifacts import ArtifactError, check_weights, inside, read_text, walk


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_of_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(b"rows")
    assert inside(tmp_path, "rows.csv.gz") == tmp_path / "rows.csv.gz"
    with pytest.raises(ArtifactError, match="not in"):
        inside(tmp_path, "others.csv.gz")


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", "..\\secret"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "inner" / "a").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="leads out"):
        inside(tmp_path / "inner", name)


def test_a_link_is_refused_also_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "w").write_text("secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "w").symlink_to(tmp_path / "out" / "w")
    for name in ("w", "folder/w"):
        with pytest.raises(ArtifactError, match="symbolic link"):
            inside(tmp_path / "in", name)


def test_weights_pass_and_other_bytes_do_not(tmp_path: Path) -> None:
    path = tmp_path / "weights-0.safetensors"
    sound = save({"w": np.ones(3, np.float32)})
    path.write_bytes(sound)
    assert check_weights(path, digest(sound)) == 3
    with pytest.raises(ArtifactError, match="the submission says"):
        check_weights(path, digest(b"others"))
    for content, message in [
        (pickle.dumps({"w": [1.0]}), "no safetensors"),
        (sound[:-4], "no safetensors"),
        (save({}), "no tensors"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=message):
            check_weights(path, digest(content))


def test_all_files_are_walked_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert sorted(walk(tmp_path)) == ["folder/a", "loop"]


def test_a_text_that_is_too_large_or_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"x" * 10)
    assert read_text(path, 10) == "x" * 10
    with pytest.raises(ArtifactError, match="larger than 9 bytes"):
        read_text(path, 9)
    path.write_bytes(b"\xff")
    with pytest.raises(ArtifactError, match="no UTF-8"):
        read_text(path, 9)
