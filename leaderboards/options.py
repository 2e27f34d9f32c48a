"""Options that several commands have: their checks, and the progress bar."""

import math

import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from leaderboards.results import progress_console


def check_seed(seed: int) -> None:
    """ValueError unless 0 <= seed < 2**63."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed is {seed}; it must lie in [0, 2**63)")


def check_seeds(seed: int, seeds: int) -> None:
    """ValueError unless there is at least one outer seed, and each can be one."""
    check_seed(seed)
    if seeds < 1:
        raise ValueError(f"--seeds is {seeds}; it must be at least 1")
    if seed + seeds > 2**63:
        raise ValueError(f"--seeds is {seeds}; outer seeds from {seed} on must stay below 2**63")


def check_device(device: str) -> None:
    """ValueError unless torch can compute on the device."""
    try:
        torch.zeros(1, device=device).item()
    except Exception as error:  # backends that are not there fail in many ways
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"--device {device!r} cannot be used ({reason}); try cpu") from error


def check_trials(trials: int, least: int, option: str = "trials") -> None:
    """ValueError if there are fewer trials than needed."""
    if trials < least:
        raise ValueError(f"{option} is {trials}; it must be at least {least}")


def check_numbers(seconds: float = 1.0, **numbers: int) -> None:
    """ValueError unless `seconds` is above 0 and every option's number at least 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"--{name.replace('_', '-')} is {number}; it must be at least 1")
    if not 0 < seconds < math.inf:
        raise ValueError(f"--seconds is {seconds}; it must be a number above 0")


def progress_bar(visible: bool = True) -> Progress:
    """A progress bar on standard error with a note per task."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=progress_console(),
        disable=not visible,
    )
