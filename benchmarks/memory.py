"""How much memory a piece of work takes at its peak."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors that operations touch and that are alive at the same time.

    A storage counts once, whatever views it has. Not seen are buffers that an operation makes and frees
    within itself.

    Args:
        slack: count anew only what is more than the peak by this part of it, so that the peak is at the most
            so much too low: long work with many tensors is counted much sooner. 0: to the byte.

    Attributes:
        peak: most bytes alive after any operation.
        largest: bytes of the largest tensor that an operation made.
    """

    def __init__(self, slack: float = 0.0) -> None:
        super().__init__()
        self.slack = slack
        self.peak, self.largest = 0, 0
        self._most = 0  # bytes, of those that died since the last count too
        self._sizes: dict[StorageWeakRef, int] = {}

    def forget(self) -> None:
        """Begin again; tensors that are alive still count."""
        self.peak, self.largest = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation as it is; then count."""
        made = func(*args, **(kwargs or {}))
        for part in _tensors(made):
            self.largest = max(self.largest, part.untyped_storage().nbytes())
        for part in _tensors((made, args, kwargs)):
            storage = part.untyped_storage()
            ref, size = StorageWeakRef(storage), storage.nbytes()
            self._most += size - self._sizes.get(ref, 0)
            self._sizes[ref] = size
        if self._most > self.peak * (1 + self.slack):
            self._sizes = {ref: size for ref, size in self._sizes.items() if not ref.expired()}
            self._most = sum(self._sizes.values())
            self.peak = max(self.peak, self._most)
        return made


def peak_memory(work: Callable[[], object], device: str, slack: float = 0.0) -> int:
    """Bytes in use at the peak of a piece of work, what it finds there (weights, states) included.

    On a GPU as its allocator says, all else that is held there included; elsewhere as `Alive` counts.

    Args:
        work: what it is; it is done twice, as it needs what it finds to be seen.
        device: a torch device.
        slack: see `Alive`.
    """
    if torch.device(device).type == "cuda":
        work()
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device)
    with Alive(slack) as alive:
        work()
        alive.forget()
        work()
    return alive.peak


def _tensors(parts: Any) -> Iterator[Tensor]:
    """All tensors in sequences and mappings, at any depth."""
    if isinstance(parts, Tensor):
        yield parts
    elif isinstance(parts, list | tuple | dict):
        for part in parts.values() if isinstance(parts, dict) else parts:
            yield from _tensors(part)
