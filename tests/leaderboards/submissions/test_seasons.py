"""Seasons from opening to close: nobody knows the tasks before, and they belong to one artifact."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from badger_envs import keyed_random
from leaderboards.submissions.packed import pack, unpack
from leaderboards.submissions.schema import Manifest, read_manifest
from leaderboards.submissions.season import SeasonError, commitment, task_seed
from leaderboards.submissions.seasons import (
    Season,
    belonging,
    close_season,
    find_season,
    keys_of,
    open_season,
    register,
)
from leaderboards.submissions.validation import validate
from leaderboards.submissions.verification import held_out, open_recipe, write_verified
from tests.leaderboards.submissions.made import Place

NONCE = "0123456789abcdef" * 4
FILE = "heldout-spring-1.csv.gz"


def season_of(folder: Path, manifest: Manifest) -> Season:
    path = folder / "spring-1.toml"
    open_season(path, NONCE)
    register(path, manifest)
    return close_season(path, NONCE)


@pytest.fixture
def measured(place: Place) -> tuple[Place, Season]:
    """A submission with rows of a season."""
    manifest = read_manifest(place.submission)
    season = season_of(place.submission.parent, manifest)
    report = validate(place.submission, place.table)
    assert report.recipe is not None
    recipe = open_recipe(place.submission, manifest, report.recipe, False)
    content = held_out(place.submission, manifest, place.table, recipe, season)
    (place.submission / FILE).write_bytes(content)
    return place, season


def test_a_season_s_file_says_what_is_public(made: Place, tmp_path: Path) -> None:
    path, manifest = tmp_path / "spring-1.toml", read_manifest(made.submission)
    assert open_season(path, NONCE).commitment == commitment(NONCE)
    assert NONCE not in path.read_text()
    (taking,) = register(path, manifest).registered
    assert (taking.board, taking.name, taking.artifact) == ("tiny-v1", "mine", manifest.artifact)
    with pytest.raises(SeasonError, match="not the one"):
        close_season(path, "another nonce that is long enough for one")
    assert NONCE not in path.read_text()
    assert close_season(path, NONCE) == find_season(str(path))
    assert NONCE in path.read_text()


def test_nobody_comes_in_twice_or_late(made: Place, tmp_path: Path) -> None:
    path, manifest = tmp_path / "spring-1.toml", read_manifest(made.submission)
    open_season(path, NONCE)
    register(path, manifest)
    code = [{"path": "policy.py", "sha256": "0" * 64}]
    other = Manifest.model_validate({**manifest.model_dump(), "code": code})
    for again, said in ((manifest, "with this artifact"), (other, "with another artifact")):
        with pytest.raises(SeasonError, match=said):
            register(path, again)
    close_season(path, NONCE)
    late = Manifest.model_validate({**other.model_dump(), "name": "late"})
    with pytest.raises(SeasonError, match="is closed"):
        register(path, late)
    with pytest.raises(SeasonError, match="closed already"):
        close_season(path, NONCE)
    with pytest.raises(SeasonError, match="opened once"):
        open_season(path, NONCE)
    with pytest.raises(SeasonError, match="not registered"):
        belonging(find_season(str(path)), late, made.table)


def test_a_forged_season_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    for text, said in (
        (f'name = "s"\ncommitment = "{"0" * 64}"\nnonce = "{NONCE}"\n', "not the one"),
        ('name = "s"\ncommitment = "short"\n', "commitment"),
        (f'name = "s"\ncommitment = "{"0" * 64}"\nwinner = "me"\n', "winner"),
        ("name", "s.toml"),
    ):
        path.write_text(text)
        with pytest.raises(SeasonError, match=said):
            find_season(str(path))
    with pytest.raises(SeasonError, match="not known"):
        find_season("nowhere")


def test_tasks_follow_from_nonce_artifact_environment_and_index(made: Place, tmp_path: Path) -> None:
    manifest = read_manifest(made.submission)
    seeds = belonging(season_of(tmp_path, manifest), manifest, made.table)
    wanted = [task_seed(NONCE, manifest.artifact, "Badger/GuessingGame-v0", i) for i in range(6)]
    assert seeds == {"short": wanted, "long": wanted}
    keys = keys_of(wanted, "test")
    for key, seed in zip(keys, wanted, strict=True):
        assert torch.equal(key[None], keyed_random.outer_keys(seed, 0, 1, "test", like=torch.zeros(())))
    family = made.table.cells["short"].family()
    targets = family.sample_task(keys).target.numpy()
    assert len(np.unique(targets)) == 18  # no two tasks share a number
    public = family.sample_task(keyed_random.outer_keys(0, 0, 6, "test", like=torch.zeros(()))).target.numpy()
    assert not np.isin(targets, public).any()


def test_rows_of_a_season_are_valid_and_noted(measured: tuple[Place, Season]) -> None:
    place, season = measured
    report = validate(place.submission, place.table, season)
    assert report.violations == []
    assert len(report.held_out["spring-1"]) == 36
    assert validate(place.submission, place.table).violations == [
        f"{FILE}: season 'spring-1' is not known; give the path of its file with --season"
    ]
    write_verified(place.submission, [0], [], None, {})
    assert validate(place.submission, place.table, season).violations == []
    better = re.sub(r"(\n2,long,5,.*),.*", r"\1,0.001", unpack(place.submission / FILE))
    (place.submission / FILE).write_bytes(pack(better))
    (line,) = validate(place.submission, place.table, season).violations
    assert f"verified.json cannot be used: {FILE} has SHA-256" in line


def test_task_seeds_of_another_artifact_are_found_out(measured: tuple[Place, Season]) -> None:
    place, season = measured
    lines = unpack(place.submission / FILE).splitlines()
    other = task_seed(NONCE, "0" * 64, "Badger/GuessingGame-v0", 2)
    for number in (3, 9):
        seed, cell, task, _, outcome = lines[number].split(",")
        lines[number] = ",".join([seed, cell, task, str(other), outcome])
    (place.submission / FILE).write_bytes(pack("\n".join(lines) + "\n"))
    (line,) = validate(place.submission, place.table, season).violations
    assert line == (
        f"{FILE}: 2 task seeds do not belong to this artifact in season spring-1,"
        " such as that of outer seed 0, cell long, task 2"
    )


def test_rows_of_a_season_in_which_it_took_no_part_are_found_out(measured: tuple[Place, Season]) -> None:
    place, season = measured
    absent = season.model_copy(update={"registered": []})
    (line,) = validate(place.submission, place.table, absent).violations
    assert "was not registered" in line
    still_open = season.model_copy(update={"nonce": None})
    (line,) = validate(place.submission, place.table, still_open).violations
    assert "is open" in line
