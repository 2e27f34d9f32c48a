"""Noise of trials that run side by side on NumPy, drawn by segments of bounded size."""

import numpy as np

from badger_envs.family import Family

_PIECE = 32_768
"""Numbers drawn at once: more memory would go back to the system after every draw."""


class TrialNoise:
    """Noise of the steps of B trials, of which only a segment is in memory, however long the trials are.

    Args:
        family: the family.
        keys: int64 [B, 4], of the trials.
        limit: numbers that a segment may hold, if its steps are more than one.
    """

    def __init__(self, family: Family, keys: np.ndarray, limit: int) -> None:
        self._family, self._keys = family, keys.copy()
        size = len(keys) * family.noise_size
        self._steps = max(1, min(family.horizon, limit // max(1, size)))
        self._all = np.arange(len(keys))
        self._start = np.zeros(len(keys), np.int64)  # [B], first step of each trial's segment
        self._drawn = self._draw(self._all, 0)  # [steps, B, noise_size]: what a step reads lies together

    def together(self, time: int) -> np.ndarray:
        """Noise [B, noise_size] of one step of all trials."""
        if self._steps < self._family.horizon:
            self._fill(np.full(len(self._all), time))
            time %= self._steps
        return self._drawn[time]

    def apart(self, time: np.ndarray) -> np.ndarray:
        """Noise [B, noise_size] of a step of each trial, int64 [B]."""
        if self._steps < self._family.horizon:
            self._fill(time)
            time = time % self._steps
        return self._drawn[time, self._all]

    def replace(self, rows: np.ndarray, keys: np.ndarray) -> None:
        """Go on with other trials in some rows, at their beginning: keys, int64 [rows, 4]."""
        self._keys[rows], self._start[rows] = keys, 0
        self._drawn[:, rows] = self._draw(rows, 0)

    def _fill(self, time: np.ndarray) -> None:
        """Draw the segments of these steps where they are not in memory."""
        start = time - time % self._steps
        wrong = start != self._start
        for first in np.unique(start[wrong]).tolist():
            rows = np.flatnonzero(wrong & (start == first))
            self._drawn[:, rows], self._start[rows] = self._draw(rows, first), first

    def _draw(self, rows: np.ndarray, first: int) -> np.ndarray:
        """A segment from step `first` on, [steps, rows, noise_size], drawn in pieces of rows."""
        size = self._family.noise_size
        noise = np.empty((self._steps, len(rows), size), self._family.dtype)
        many = max(1, _PIECE // max(1, self._steps * size))
        for i in range(0, len(rows) if size else 0, many):
            piece = self._family.noise(self._keys[rows[i : i + many]], self._steps, first)
            noise[:, i : i + many] = piece.swapaxes(0, 1)
        return noise
