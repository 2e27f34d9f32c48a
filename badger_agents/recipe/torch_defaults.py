"""torch's own default device and dtype, for what must not depend on the user's."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_defaults() -> Iterator[None]:
    """The CPU and float32, until it ends: the same draws of the same numbers for all who use a seed."""
    changed = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(changed)
