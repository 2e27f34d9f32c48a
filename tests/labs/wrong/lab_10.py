"""Lab 10: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

import numpy as np
import torch

from badger_envs import keyed_random
from labs.solutions.lab_10 import judge, score, update


def from_a_generator(keys: Any, numbers: int, dtype: str) -> Any:
    return np.random.default_rng().uniform(-1, 1, (len(keys), numbers)).astype(dtype)


def from_the_first_key(keys: Any, numbers: int, dtype: str) -> Any:
    seed = int(keys[0, 0]) * 1000 + len(keys)
    return np.random.default_rng(seed).uniform(-1, 1, (len(keys), numbers)).astype(dtype)


def not_stretched(keys: Any, numbers: int, dtype: str) -> Any:
    return keyed_random.uniform(keys, "target", numbers, dtype=dtype)


def always_float32(keys: Any, numbers: int, dtype: str) -> Any:
    return 2 * keyed_random.uniform(keys, "target", numbers) - 1


def wrong_way(target: Any, written: Any) -> Any:
    hints, error = judge(target, written)
    return -hints, error


def differences(target: Any, written: Any) -> Any:
    return target - written, judge(target, written)[1]


def clipped(target: Any, written: Any) -> Any:
    return judge(target, written)[0], judge(target, written.clip(-1, 1))[1]


def of_numpy(target: Any, written: Any) -> Any:
    target, written = np.asarray(target), np.asarray(getattr(written, "detach", lambda: written)())
    return judge(target, written)


def always_half(outputs: Any, hints: Any, step: int) -> Any:
    return outputs + hints * 0.5


def one_at_first(outputs: Any, hints: Any, step: int) -> Any:
    return outputs + hints * 0.5**step


def against_the_hint(outputs: Any, hints: Any, step: int) -> Any:
    return outputs - hints * 0.5 ** (step + 1)


def deaf(self: Any, state: Any, inbox: Any, reading: Any) -> Any:
    return update(self, state, inbox * 0, reading)


def old_state(self: Any, state: Any, inbox: Any, reading: Any) -> Any:
    return update(self, state, inbox, reading)[0], self.write(state)


def swapped(self: Any, state: Any, inbox: Any, reading: Any) -> Any:
    return update(self, state, inbox, reading)[::-1]


def without_tanh(self: Any, state: Any, inbox: Any, reading: Any) -> Any:
    state = self.think(torch.cat([state, inbox, reading], dim=-1))
    return state, self.write(state)


def upside_down(outcome: float, floor: float, reference: float) -> float:
    return 1 - score(outcome, floor, reference)


def lower_is_better(outcome: float, floor: float, reference: float) -> float:
    return (floor - outcome) / floor


def cut_off(outcome: float, floor: float, reference: float) -> float:
    return min(1.0, max(0.0, score(outcome, floor, reference)))


WRONG: dict[str, list[tuple[Any, str]]] = {
    "10.1": [
        (from_a_generator, "second time"),
        (from_the_first_key, "alone"),
        (not_stretched, "fill [-1, 1]"),
        (always_float32, "dtype"),
    ],
    "10.2": [
        (wrong_way, "point away"),
        (differences, "the sign"),
        (clipped, "clips"),
        (of_numpy, "namespace"),
    ],
    "10.3": [
        (always_half, "must be 0.25"),
        (one_at_first, "and not 1"),
        (against_the_hint, "away from the hint"),
    ],
    "10.4": [(deaf, "deaf"), (old_state, "old state"), (swapped, "comes first"), (without_tanh, "tanh")],
    "10.5": [(upside_down, "1 at the floor"), (lower_is_better, "not always 0"), (cut_off, "do not cut")],
}
