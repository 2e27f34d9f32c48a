"""The one hash of weights: it says which weights a row of results was measured with."""

import hashlib
from collections.abc import Mapping

import numpy as np
from torch import Tensor


def weights_sha256(weights: Mapping[str, Tensor | np.ndarray]) -> str:
    """Hash of weights, however they are stored: names and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        array = value.cpu().numpy() if isinstance(value, Tensor) else value
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
