"""Lab 8: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from labs.solutions.lab_08 import clone, diagnose, roles


def by_silence(listener: Any, messages: np.ndarray, donors: np.ndarray) -> float:
    return float(((listener(messages * 0) - listener(messages)) ** 2).mean())


def two_trials(listener: Any, messages: np.ndarray, donors: np.ndarray) -> float:
    written = listener(messages)
    return float(((written[donors] - written) ** 2).mean())


def not_squared(listener: Any, messages: np.ndarray, donors: np.ndarray) -> float:
    return float((listener(messages[donors]) - listener(messages)).mean())


def correlation(listener: Any, messages: np.ndarray, donors: np.ndarray) -> float:
    return float(np.corrcoef(messages[:, 1], listener(messages))[0, 1])


def all_shuffled(information: Any, said: np.ndarray, done: np.ndarray, permutations: np.ndarray) -> Any:
    rng = np.random.default_rng(0)
    null = [information(said, rng.permutation(done.ravel()).reshape(done.shape)) for _ in permutations]
    return information(said, done), float(np.mean(null))


def both_dealt_out(information: Any, said: np.ndarray, done: np.ndarray, permutations: np.ndarray) -> Any:
    null = [information(said[:, order], done[:, order]) for order in permutations]
    return information(said, done), float(np.mean(null))


def difference(information: Any, said: np.ndarray, done: np.ndarray, permutations: np.ndarray) -> Any:
    null = float(np.mean([information(said, done[:, order]) for order in permutations]))
    return information(said, done) - null, null


def steps_themselves(writing: np.ndarray) -> np.ndarray:
    return np.abs(writing).argmax(axis=0)


def one_argsort(writing: np.ndarray) -> np.ndarray:
    return np.abs(writing).argmax(axis=0).argsort(axis=1, kind="stable")


def signed(writing: np.ndarray) -> np.ndarray:
    return roles(np.maximum(writing, 0))


def other_way(states: Tensor, order: Tensor) -> Tensor:
    return clone(states, order.argsort(dim=1))


def one_order(states: Tensor, order: Tensor) -> Tensor:
    return states[:, order[0]]


def gathered_narrow(states: Tensor, order: Tensor) -> Tensor:
    return torch.gather(states, 1, order[..., None])


def transposed(influences: np.ndarray, changes: np.ndarray) -> tuple[str, int]:
    return diagnose(influences.T, changes)


def any_zero(influences: np.ndarray, changes: np.ndarray) -> tuple[str, int]:
    found = (influences == 0).any(axis=1)
    return ("deaf", int(found.argmax())) if found.any() else ("none", -1)


def influence_alone(influences: np.ndarray, changes: np.ndarray) -> tuple[str, int]:
    return diagnose(influences, np.ones_like(changes))


WRONG: dict[str, list[tuple[Any, str]]] = {
    "8.1": [
        (by_silence, "zeros"),
        (two_trials, "two trials"),
        (not_squared, "square"),
        (correlation, "listener it is"),
    ],
    "8.2": [
        (all_shuffled, "steps stay in place"),
        (both_dealt_out, "same order"),
        (difference, "leave the null apart"),
    ],
    "8.3": [(steps_themselves, "rank"), (one_argsort, "argsort once more"), (signed, "negative")],
    "8.4": [(other_way, "other way"), (one_order, "its own"), (gathered_narrow, "shape")],
    "8.5": [(transposed, "rows are listeners"), (any_zero, "diagonal"), (influence_alone, "at rest")],
}
