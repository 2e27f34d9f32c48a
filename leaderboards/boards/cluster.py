"""The work of a board on several machines, by Ray: a unit is a task, and its runs come back through Ray."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from badger_agents.atomic_files import write_together
from badger_agents.class_loading import Trust, code_files, with_code_files
from badger_agents.locks import awaited
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.checkpoint import settle
from badger_agents.training.run import CHECKPOINT
from badger_envs import __version__
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.units import Unit, run_folder
from leaderboards.boards.work import Told, failed, make

RETRIES = 4
"""How often a unit that is lost with its machine begins again, before something must be wrong with it."""

PATIENCE = 5.0
"""Seconds that nodes get to delete their files when we are interrupted."""

_HELP = "start Ray on this machine: ray start --head, or to join others: ray start --address HEAD:PORT"


class ClusterError(ConnectionError):
    """A Ray cluster that cannot be used; the message says why and what would do."""


class Sent(NamedTuple):
    """A unit for a machine that has none of our files.

    Attributes:
        unit: what is to be made; paths in it mean nothing elsewhere.
        recipe: of the unit, as read here.
        code: a user's own code, by its path here.
        files: what was trained of it so far, by path relative to the folder of all boards' work.
        version: of the suite.
    """

    unit: Unit
    recipe: Recipe
    code: dict[Path, bytes]
    files: dict[str, bytes]
    version: str = __version__


def work_on_cluster(units: Sequence[Unit], address: str, on_told: Callable[[Unit, Told], None]) -> None:
    """Make units on the nodes of a Ray cluster, each on one core; the same runs as by `work`.

    A unit whose node is lost is made again on another. What was finished when this is interrupted is kept.

    Args:
        units: what is to be made.
        address: HOST:PORT of the cluster's head, of which this machine must be a node; "auto" for the
            cluster that this machine is a node of; "local" for one that is made here and ends with this.
        on_told: called with each run that is saved.

    Raises:
        ValueError: Ray is not installed, or the address is none.
        ClusterError: no cluster is there, or a unit was lost too often.
        UnitError: a unit failed.
    """
    with _connected(address) as ray:
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(make_elsewhere)
        pending = {task.remote(packed(unit)): unit for unit in units}
        try:
            while pending:
                (ready,), _ = ray.wait(list(pending), num_returns=1)
                unit = pending.pop(ready)
                try:
                    runs, files = ray.get(ready)
                except ray.exceptions.RayTaskError as error:
                    raise failed(unit, str(error)) from error
                except ray.exceptions.RayError as error:
                    raise ClusterError(f"{unit.name} was lost {RETRIES + 1} times: {_line(error)}") from error
                put_files(unit.out, files)  # before the rows that were measured with them
                unit.rows.mkdir(parents=True, exist_ok=True)
                for run in runs:
                    write_run(unit.rows, run)
                    on_told(unit, run)
        finally:
            for lost in pending:
                ray.cancel(lost)
            if pending:
                ray.wait(list(pending), num_returns=len(pending), timeout=PATIENCE)


def packed(unit: Unit) -> Sent:
    """A unit with what it stands on."""
    code = {file: file.read_bytes() for file in code_files(unit.recipe.model_dump())}
    if len(unit.seeds) > 1:  # we may have been killed while checkpoints were put in place
        settle(folder / CHECKPOINT for folder in _folders(unit))
    return Sent(unit, unit.recipe, code, files_of(unit))


def make_elsewhere(sent: Sent) -> tuple[list[RunRows], dict[str, bytes]]:
    """Make a unit in a folder of its own: its runs, and the files of its run folders.

    Raises:
        ValueError: another version of the suite sent it.
    """
    if sent.version != __version__:
        raise ValueError(f"this node has badger-suite {__version__}, and was sent work of {sent.version}")
    with TemporaryDirectory(prefix="badger-", ignore_cleanup_errors=True) as place:
        folder, trust = Path(place), sent.recipe.trust
        code = {file: folder / f"code{number}" / file.name for number, file in enumerate(sent.code)}
        for file, text in sent.code.items():
            code[file].parent.mkdir()
            code[file].write_bytes(text)
            trust |= Trust.of(code[file])
        put_files(folder, sent.files)
        tables = with_code_files(sent.recipe.model_dump(), code.__getitem__)
        board = sent.unit.board.model_copy()
        board._recipes = {sent.unit.source: check_recipe(tables, "recipe that was sent", trust)}
        unit = sent.unit._replace(board=board, out=folder)
        return list(make(unit)), files_of(unit)


def files_of(unit: Unit) -> dict[str, bytes]:
    """Files of its run folders, by path relative to the folder of all boards' work."""
    found = [path for folder in _folders(unit) if folder.is_dir() for path in sorted(folder.iterdir())]
    whole = [path for path in found if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(unit.out).as_posix(): path.read_bytes() for path in whole}


def put_files(out: Path, files: dict[str, bytes]) -> None:
    """Put files of run folders where they belong: all of them, or after an error none."""
    folders = {(out / name).parent for name in files}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    with awaited(*folders):
        write_together({out / name: data for name, data in files.items()})


def check_cluster(address: str) -> None:
    """See that Ray is installed, and that somebody listens there: Ray itself would try for a long time.

    Args:
        address: as for `work_on_cluster`.

    Raises:
        ValueError: it is not, or the address is none.
        ClusterError: nobody does.
    """
    _ray()
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"--ray is {address!r}; give HOST:PORT of a cluster's head, 'auto' or 'local'")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        reason = error.strerror or error
        raise ClusterError(f"--ray {address}: no Ray cluster answers there ({reason}); {_HELP}") from error


def _folders(unit: Unit) -> list[Path]:
    """Run folders of a unit's seeds; none for a reference."""
    return [run_folder(unit.out, unit.board, unit.source, seed) for seed in unit.seeds if seed is not None]


def _ray() -> Any:
    """The module of Ray, imported only when it is asked for."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # we tell nobody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as Ray will do by default
    try:
        import ray
    except ImportError as error:
        raise ValueError("Ray is not installed; pip install 'badger-suite[cluster]'") from error
    return ray


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected; it is disconnected afterwards, which ends what still runs."""
    check_cluster(address)
    ray = _ray()
    settings: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **settings)
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(f"--ray {address}: Ray says: {_line(error)}; {_HELP}") from error
    try:
        with redirect_stdout(sys.stderr):  # Ray prints there when it loses a node; results are ours
            yield ray
    finally:
        ray.shutdown()


def _line(error: BaseException) -> str:
    """The first line of what an error says."""
    return str(error).strip().partition("\n")[0]
