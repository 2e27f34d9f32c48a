"""How things are timed against each other on a machine that has other work to do."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

Cycle = Callable[[], int]
"""Does a piece of work whose length is always much the same, and returns how many steps it was."""

ROUNDS = 15
"""Rounds that a comparison aims at."""

LEAST_ROUNDS = 3
"""Rounds of a comparison whose cycles are long."""


class Comparison(NamedTuple):
    """Steps per second in each round, of the subject and of its reference."""

    subject: list[float]
    reference: list[float]

    @property
    def ratio(self) -> float:
        """Median over rounds of subject / reference."""
        return statistics.median(s / r for s, r in zip(self.subject, self.reference, strict=True))


def compare(subject: Cycle, reference: Cycle, seconds: float) -> Comparison:
    """Time two cycles in turns, so that whatever else the machine does slows both alike.

    Every round times each of them once, side by side, and who goes first alternates.

    Args:
        subject: what is judged.
        reference: what it is judged by.
        seconds: about how long all rounds take, longer if `LEAST_ROUNDS` rounds of one cycle each do.
    """
    return Comparison(*in_turns((subject, reference), seconds))


def in_turns(cycles: Sequence[Cycle], seconds: float) -> list[list[float]]:
    """Steps per second of each cycle in each round; who goes first alternates.

    Args:
        cycles: what is timed.
        seconds: about how long all rounds take, longer if `LEAST_ROUNDS` rounds of one cycle each do.
    """
    end = time.perf_counter() + seconds
    counts = [cycles_in(cycle, seconds / (len(cycles) * ROUNDS)) for cycle in cycles]
    speeds: list[list[float]] = [[] for _ in cycles]
    order = list(range(len(cycles)))
    while len(speeds[0]) < LEAST_ROUNDS or time.perf_counter() < end:
        for which in order:
            speeds[which].append(speed(cycles[which], counts[which]))
        order = order[::-1]
    return speeds


def cycles_in(cycle: Cycle, seconds: float) -> int:
    """About how often a cycle runs in `seconds`, at least once; runs it to see, and so warms it up."""
    for _ in range(2):  # the first is slow
        start = time.perf_counter()
        cycle()
        took = time.perf_counter() - start
        if took > seconds:
            return 1
    return round(seconds / took)


def speed(cycle: Cycle, count: int) -> float:
    """Steps per second over `count` cycles."""
    start = time.perf_counter()
    steps = sum(cycle() for _ in range(count))
    return steps / (time.perf_counter() - start)


def finished(steps: int, device: str) -> int:
    """`steps`, once the device has done them."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return steps
