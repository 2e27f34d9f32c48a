"""Intervals of whole curves: those of `statistics.over_seeds`, for all points of a curve at once."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from leaderboards.statistics import FEWEST, RESAMPLES, expanded_levels


class Band(NamedTuple):
    """A curve [K] over outer seeds, and the ends of its intervals [K]; nan with too few outer seeds."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(curves: Float[np.ndarray, "N K"]) -> Band:
    """Mean of one curve per outer seed, with 95 % intervals point by point.

    The resamples are those of `statistics.over_seeds`; written as weights of seeds, one sum serves all
    points. It is no matrix product, whose last bits differ from processor to processor.

    Args:
        curves: [N, K], a row per outer seed.
    """
    count = len(curves)
    value = curves.mean(0)  # (K,)
    if count < FEWEST:
        nothing = np.full_like(value, np.nan)
        return Band(value, nothing, nothing)
    means = sum(weight[:, None] * curve for weight, curve in zip(_weights(count).T, curves, strict=True))
    low, high = np.quantile(means, expanded_levels(count), axis=0)
    return Band(value, low, high)


@lru_cache(maxsize=4)
def _weights(count: int) -> np.ndarray:
    """[R, N], how much each seed weighs in each resample."""
    drawn = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))  # (R, N)
    places = (np.arange(RESAMPLES)[:, None] * count + drawn).ravel()
    return np.bincount(places, minlength=RESAMPLES * count).reshape(RESAMPLES, count) / count
