"""The log of a run: one JSON object per line, and TensorBoard events where asked for."""

import json
import math
from pathlib import Path
from typing import Any

from badger_agents.atomic_files import write_atomically

NUMBERS = ("loss", "gradient_norm", "learning_rate", "validation")
"""What a row has that may be not finite: JSON has no word for it, and `null` stands in its place."""


class RunLog:
    """Appends rows to a JSONL file; on resuming, rows after the checkpoint are dropped first.

    Args:
        path: the file.
        step: outer steps that the checkpoint holds; rows beyond it will be written again.
        tensorboard: also write events beside it (needs the extra `badger-suite[tensorboard]`).

    Attributes:
        seconds: training time on record so far.
    """

    def __init__(self, path: Path, step: int, tensorboard: bool = False) -> None:
        self._events = _events(path.parent, step) if tensorboard else None  # first: it may be missing
        rows = [row for row in read_log(path) if row["step"] <= step] if step else []
        write_atomically(path, "".join(_line(row) for row in rows).encode())
        self.seconds: float = rows[-1]["seconds"] if rows else 0.0
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: dict[str, Any]) -> None:
        """Append a row (with "step") and flush it."""
        self._file.write(_line(row))
        self._file.flush()
        if self._events is not None:
            for name, value in row.items():
                if name != "step":
                    self._events.add_scalar(name, value, row["step"])

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Rows of a log; a last line that was cut off by a kill is left out, and `null` is not a number."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            break
        if not isinstance(row, dict) or "step" not in row:
            break
        rows.append(row | {name: math.nan for name in NUMBERS if name in row and row[name] is None})
    return rows


def _line(row: dict[str, Any]) -> str:
    told = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
    return json.dumps(told, allow_nan=False) + "\n"


def event_writer() -> Any:
    """The class that writes TensorBoard's events.

    Raises:
        ValueError: it is not installed, or broken; the message says what to install.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except Exception as error:  # what is installed but broken may fail in any way
        raise ValueError(
            f"TensorBoard is not installed, or broken ({' '.join(str(error).split())});"
            " pip install 'badger-suite[tensorboard]'"
        ) from error
    return SummaryWriter


def _events(folder: Path, step: int) -> Any:
    """A writer of events; those after a step, which will be written again, are marked as void."""
    return event_writer()(str(folder), purge_step=step + 1)
