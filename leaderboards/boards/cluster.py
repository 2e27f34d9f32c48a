"""The work of a board on several machines, by Ray: machines share no files, and may be lost at any moment."""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from badger_envs import __version__
from leaderboards.boards.parcels import Failed, Trained, made, pack, put_files
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.units import Unit
from leaderboards.boards.work import Told, failed

TRIES = 5
"""How often a unit may be lost, with its machine or process, before something must be wrong with it."""

PATIENCE = 5.0
"""Seconds that nodes get to clean up when we are interrupted."""


class ClusterError(ConnectionError):
    """A Ray cluster that cannot be used; the message says why and what would do."""


def work_on_cluster(units: Sequence[Unit], address: str, on_told: Callable[[Unit, Told], None]) -> None:
    """Make units on the nodes of a Ray cluster, each on one core; the same rows as by `work`.

    Checkpoints and rows come here as they are made, checkpoints first. A unit whose node is lost goes on
    elsewhere from the last checkpoints that came, with the runs that did not come; so does all, when this
    is killed and started again, here or by `work`.

    Args:
        units: what is to be made.
        address: HOST:PORT of the cluster's head, of which this machine must be a node; "auto" for the
            cluster that this machine is a node of; "local" for one that is made here and ends with this.
        on_told: called with what units tell: how far they are, and each run that is saved.

    Raises:
        ValueError: Ray is not installed, or the address is none.
        ClusterError: no cluster is there, its nodes cannot do the work, or a unit was lost `TRIES` times.
        UnitError: a unit failed.
    """
    with _connected(address) as ray:
        task = ray.remote(num_cpus=1, max_retries=0)(made)  # tries are ours: they go on from checkpoints
        living = {task.remote(pack(unit)): unit for unit in units}
        losses = {unit.name: 0 for unit in units}
        try:
            while living:
                ready, _ = ray.wait(list(living), num_returns=1)
                stream = ready[0]
                unit = living[stream]
                try:
                    told = ray.get(next(stream))
                except StopIteration:
                    assert not unit.wanted, f"{unit.name} ended without {unit.wanted}"
                    del living[stream]
                except ray.exceptions.RayTaskError as error:
                    raise ClusterError(
                        f"a node of {address} cannot make {unit.name} ({_last_line(error)}); each needs"
                        f" badger-suite {__version__}"
                    ) from error
                except ray.exceptions.RayError as error:
                    losses[unit.name] += 1
                    if losses[unit.name] == TRIES:
                        raise ClusterError(f"{unit.name} was lost {TRIES} times; {_line(error)}") from error
                    del living[stream]
                    living[task.remote(pack(unit))] = unit
                else:
                    living[stream] = _taken(unit, told, on_told)
        finally:
            _cancel(ray, list(living))


def _taken(unit: Unit, told: Told | Trained | Failed, on_told: Callable[[Unit, Told], None]) -> Unit:
    """Keep what a unit tells; returns the unit with what is still to come of it."""
    if isinstance(told, Failed):
        raise failed(unit, told.traceback)
    if isinstance(told, Trained):
        put_files(unit.out, told.files)
        return unit
    if isinstance(told, RunRows):
        unit.rows.mkdir(parents=True, exist_ok=True)
        write_run(unit.rows, told)
        unit = unit._replace(wanted=tuple(run for run in unit.wanted if run != (told.agent, told.seed)))
    on_told(unit, told)
    return unit


def check_cluster(address: str) -> None:
    """See that Ray is installed, and that somebody answers: Ray itself would try for a long time.

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
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10) as knock:
            knock.sendall(_HELLO)
            answer = knock.recv(4)
    except OSError as error:
        reason = error.strerror or error
        raise ClusterError(f"--ray {address}: no Ray cluster answers there ({reason}); {_HELP}") from error
    if answer[3:] != _SETTINGS:
        raise ClusterError(f"--ray {address}: what answers there is no head of a Ray cluster; {_HELP}")


_SETTINGS = b"\x04"
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0\0\0\0\0"
"""What gRPC begins with (RFC 9113, 3.4): a preface and an empty frame of settings; so begins the answer."""

_HELP = "start Ray on this machine: ray start --head, or to join others: ray start --address HEAD:PORT"


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


def _cancel(ray: Any, streams: list[Any]) -> None:
    """Tell nodes that nobody waits any more, and give them a moment to delete their files."""
    for stream in streams:
        ray.cancel(stream)
    until = time.monotonic() + PATIENCE
    while streams and time.monotonic() < until:
        ready, _ = ray.wait(streams, num_returns=1, timeout=0.2)
        for stream in ready:
            try:
                ray.get(next(stream))
            except (StopIteration, ray.exceptions.RayError):
                streams.remove(stream)


def _line(error: BaseException) -> str:
    """The first line of what an error says."""
    return str(error).strip().partition("\n")[0]


def _last_line(error: BaseException) -> str:
    """The last line: of a traceback, the error itself."""
    return str(error).strip().rpartition("\n")[2]
