"""Whether two results share an array (Gymnasium has a helper for this only from 1.4 on)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def share_memory(one: Any, other: Any) -> bool:
    """Whether any array in `one` overlaps any array in `other`; both are nested as Gymnasium nests."""
    return any(np.shares_memory(a, b) for a in _arrays(one) for b in _arrays(other))


def _arrays(data: Any) -> Iterator[np.ndarray]:
    if isinstance(data, Mapping):
        data = list(data.values())
    if isinstance(data, np.ndarray) and data.dtype != object:
        yield data
    elif isinstance(data, list | tuple | np.ndarray):
        for item in data:
            yield from _arrays(item)
