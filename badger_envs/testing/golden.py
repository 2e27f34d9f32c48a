"""Golden trajectories: what an id's version means, stored; whoever changes it must make a new version."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from badger_envs.registry import family_of
from badger_envs.testing.subject import (
    legal_actions,
    play,
    recorded_draws,
    require,
    require_close,
    seeded_keys,
    until_end,
)

FOLDER = Path(__file__).parent.parent / "golden"
"""Where those of our own ids are."""

SEEDS = range(2)

OBSERVATIONS = 22
"""Of a longer trial, so many observations are stored, evenly spread from the first to the last."""


def golden_file(id: str, folder: Path = FOLDER) -> Path:
    """Where golden trajectories of ids are stored that are alike up to the first "-"."""
    return folder / f"{id.partition('-')[0]}.npz"


def stored_golden(id: str, folder: Path = FOLDER) -> dict[str, np.ndarray] | None:
    """An id's golden trajectory as it was stored, see `golden`; None without one."""
    return _read(golden_file(id, folder)).get(id)


def golden_sha256(id: str) -> str | None:
    """Hash of the golden trajectory that is stored for an id; None without one."""
    stored = stored_golden(id)
    if stored is None:
        return None
    digest = hashlib.sha256()
    for name, array in stored.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Golden trajectories by id; a file holds their arrays as "id array"."""
    found: dict[str, dict[str, np.ndarray]] = {}
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                id, _, array = name.rpartition(" ")
                found.setdefault(id, {})[array] = file[name]
    return found


def golden(id: str) -> dict[str, np.ndarray]:
    """The trial that an id means: pseudo-random legal actions, seeds 0 and 1, on NumPy.

    Returns:
        "draws": SHA-256 of all words drawn; "observation" [at most 22, B, numbers], all arrays side by
        side, see `OBSERVATIONS`; "info" [T + 1, B, measurements]; "reward", "loss", "terminated" [T, B].
        Zeros after the end of a trial. Everything but the draws in float32.
    """
    family = family_of(id)
    keys = seeded_keys(family, SEEDS)
    actions = legal_actions(family, keys, family.horizon)
    with recorded_draws() as drawn:
        trajectory = play(family, keys, actions)
    digest = hashlib.sha256()
    for (name, start, count), stream in sorted(drawn.items()):
        digest.update(f"{name} {start} {count}".encode() + b"".join(stream.values()))
    running = until_end(trajectory["terminated"])  # [T, B]
    started = np.concatenate([np.ones_like(running[:1]), running])  # [T + 1, B]
    info = [array for name, array in trajectory.items() if name.startswith("info ")]
    results = ("reward", "loss", "terminated")
    shown = [a for name, a in trajectory.items() if name not in results and not name.startswith("info ")]
    arrays = {"observation": np.concatenate(shown, axis=-1), "info": np.stack(info, axis=-1)}
    arrays = {name: array * started[:, :, None] for name, array in arrays.items()}
    places = np.linspace(0, family.horizon, min(family.horizon + 1, OBSERVATIONS)).round().astype(int)
    arrays["observation"] = arrays["observation"][places]
    arrays |= {name: trajectory[name] * running for name in results}
    stored = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {"draws": np.array(digest.hexdigest()), **stored}


def write_golden(id: str, folder: Path = FOLDER, *, force: bool = False) -> Path:
    """Store an id's golden trajectory.

    Args:
        id: a registered id.
        folder: where to.
        force: also replace one that is stored already.

    Returns:
        The file.

    Raises:
        FileExistsError: one is stored, and `force` is not given.
    """
    path = golden_file(id, folder)
    stored = _read(path)
    if id in stored and not force:
        raise FileExistsError(
            f"{path} holds {id}: what a version means must not change; register a new version"
        )
    stored[id] = golden(id)
    arrays: dict[str, Any] = {
        f"{each} {name}": array for each in sorted(stored) for name, array in stored[each].items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def check_golden(id: str, folder: Path = FOLDER) -> None:
    """An id still means what is stored: draws bit-equal, trajectories within the tolerances.

    Args:
        id: a registered id.
        folder: where golden trajectories are stored.

    Raises:
        AssertionError: it does not, or nothing is stored.
    """
    stored, found = stored_golden(id, folder), golden(id)
    if stored is None:
        raise AssertionError(f"{id} has no golden trajectory; store it: write_golden({id!r})")
    advice = f"{id} no longer plays as its version says (register a new version):"
    require(str(found.pop("draws")) == str(stored.pop("draws")), f"{advice} draws are not bit-equal")
    require(found.keys() == stored.keys(), f"{advice} {list(found)} instead of {list(stored)}")
    for name, array in stored.items():
        require_close(array, found[name], f"{advice} {name}")
