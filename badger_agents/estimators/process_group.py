"""Several processes, on one machine or more, that share one run's trials (torch.distributed)."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional  # before there is a group: see `joined`
from jaxtyping import Int
from torch import Tensor

PATIENCE = timedelta(minutes=5)
"""How long a process waits for another that neither answers nor ends; one that ends is noticed at once."""

LETTER = 256
"""Bytes of what the process that writes tells the others."""


class LostError(RuntimeError):
    """Another process of the run ended, or does not answer."""


class ProcessGroup:
    """The processes that share a run. All hold the same weights and take the same decisions.

    Every outer step each process takes its own part of the trials, which are the very trials of a single
    process, and what they found is averaged. What is said here is said by all processes at the same
    place of the program; a group of one says nothing and changes nothing.

    Args:
        rank: which one this is, from 0.
        size: how many there are.
        device: where their tensors are.

    Raises:
        LostError: by all methods that exchange anything.
    """

    def __init__(self, rank: int = 0, size: int = 1, device: str = "cpu") -> None:
        self.rank, self.size, self.device = rank, size, device

    @property
    def writes(self) -> bool:
        """Whether this process writes files and speaks to the user: one does."""
        return self.rank == 0

    def parts(self, count: int) -> list[range]:
        """Which of `count` things, in their order, are each process's: as equal parts as can be.

        Raises:
            ValueError: there are fewer than processes.
        """
        if count < self.size:
            raise ValueError(
                f"{count} trials (or pairs of perturbed weights) cannot be shared by {self.size} processes;"
                " start fewer, or make the batch larger"
            )
        ends = [number * count // self.size for number in range(self.size + 1)]
        return [range(*pair) for pair in pairwise(ends)]

    def own_rows(self, keys: Int[Tensor, "B 4"]) -> Int[Tensor, "b 4"]:
        """The rows of a batch that are this process's."""
        own = self.parts(len(keys))[self.rank]
        return keys[own.start : own.stop]

    def mean(self, parts: Sequence[Tensor], weight: float) -> list[Tensor]:
        """Weighted mean over processes of tensors of the same shapes; weights sum to 1. One exchange."""
        if self.size == 1:
            return list(parts)
        flat = torch.cat([part.detach().flatten() for part in parts]) * weight  # (n,)
        self._exchange(lambda: dist.all_reduce(flat))
        pieces = flat.split([part.numel() for part in parts])
        return [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)]

    def sum(self, own: Tensor) -> Tensor:
        """Sum over processes; where each filled its own rows of zeros, the rows of all."""
        if self.size > 1:
            self._exchange(lambda: dist.all_reduce(own))
        return own

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return self._largest([float(flag)])[0] > 0

    def alike(self, number: int) -> bool:
        """Whether all processes say the same number."""
        high, low = self._largest([float(number), -float(number)])
        return high == -low

    def same(self, decide: Callable[[], list[Any]]) -> list[Any]:
        """What the process that writes decides, a short list that JSON can say; the others believe it."""
        if self.size == 1:
            return decide()
        said = json.dumps(decide()).encode() if self.writes else b""
        letter = torch.tensor(list(said.ljust(LETTER)[:LETTER]), dtype=torch.uint8, device=self.device)
        self._exchange(lambda: dist.broadcast(letter, 0))
        return json.loads(bytes(letter.tolist()))

    def _largest(self, numbers: list[float]) -> list[float]:
        if self.size == 1:
            return numbers
        largest = torch.tensor(numbers, dtype=torch.float32, device=self.device)
        self._exchange(lambda: dist.all_reduce(largest, dist.ReduceOp.MAX))
        return largest.tolist()

    def _exchange(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
            if self.device != "cpu":
                torch.cuda.synchronize()  # else what is lost would show somewhere later
        except RuntimeError as error:
            raise LostError(
                f"process {self.rank} of {self.size} has lost another, which ended or does not answer"
            ) from error


@contextmanager
def joined(device: str) -> Iterator[ProcessGroup]:
    """The group that `torchrun` started this process in; a group of one without it.

    When it ends, the group's threads have ended. `torch.distributed.nn.functional` has the default group of
    the moment it is imported in its functions' defaults; first imported while there is a group (an optimizer
    does so), it would hold the group beyond its end, and a thread of it that drops a tensor while the
    interpreter shuts down aborts the process. This module therefore imports it first.

    Args:
        device: "cpu", or "cuda" for a GPU of its own for each process of a machine.

    Raises:
        ValueError: the device is one that processes cannot share, or what torchrun sets is set in part, or
            is no such number.
        LostError: the others do not come.
    """
    size = _size_told()
    if size == 1:
        yield ProcessGroup(device=device)
        return
    if device not in ("cpu", "cuda"):
        raise ValueError(f"--device {device!r}: under torchrun it must be cpu, or cuda for one GPU a process")
    if device == "cuda":
        device = f"cuda:{_number('LOCAL_RANK', 0, torch.cuda.device_count() - 1, 'a GPU of this machine')}"
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("gloo" if device == "cpu" else "nccl", timeout=PATIENCE)
    except RuntimeError as error:
        raise LostError(f"the {size} processes could not join ({str(error).splitlines()[0]})") from error
    try:
        yield ProcessGroup(dist.get_rank(), size, device)
        with suppress(RuntimeError):  # done: who leaves first must not break off another
            dist.barrier()
    finally:
        dist.destroy_process_group()


def _size_told() -> int:
    """How many processes the environment says there are; all that it must say with it is there.

    Raises:
        ValueError: it is not, or not so.
    """
    there = [name for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK") if name in os.environ]
    if not there:
        return 1
    needed = ["WORLD_SIZE"]
    if there[0] == "WORLD_SIZE":
        size = _number("WORLD_SIZE", 1, None, "a number of processes")
        needed = ["RANK", "MASTER_ADDR", "MASTER_PORT"] if size > 1 else []
    if missing := [name for name in needed if name not in os.environ]:
        raise ValueError(
            f"the environment variable {there[0]} is set, and {missing[0]} is not; start by torchrun,"
            f" which sets both, or unset {there[0]}"
        )
    for name in there[1:]:
        _number(name, 0, size - 1, f"a number below WORLD_SIZE, {size}")
    if size > 1:
        _number("MASTER_PORT", 0, 65_535, "a port")
    return size


def _number(name: str, least: int, most: int | None, what: str) -> int:
    """The number that an environment variable holds."""
    told = os.environ.get(name)
    if told is None or not told.isdecimal() or int(told) < least or (most is not None and int(told) > most):
        found, other = ("not set", "") if told is None else (repr(told), ", or not be there")
        raise ValueError(
            f"the environment variable {name} is {found}; it must be {what}, as torchrun sets it{other}"
        )
    return int(told)
