"""Lab 4: checkers of the attention channel, of edges, of shuffled messages and of the claim gate."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labs.checks import Mistake, alike, as_tensor, require
from labs.solutions import lab_04 as right


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def check_attend(attend: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """4.1: B = 4, E = 3, K = 5, M = 2; then with a listener who hears nobody."""
    query, key, value = 2 * _draw(4, 3, 5), _draw(4, 3, 5, seed=1), _draw(4, 3, 2, seed=2)
    edges = torch.tensor([[False, True, True], [True, False, False], [True, True, True]])
    scores = query @ key.mT / math.sqrt(5)  # [B, E, E]
    hidden = scores.masked_fill(~edges, -1e9)
    found = as_tensor(attend(query, key, value, edges), (4, 3, 2), "the inbox")
    wrong = {
        "it is the plain mean of the messages; weigh them by query and key": edges.float()
        / edges.sum(-1, keepdim=True)
        @ value,
        "edges are not used: all hear all": scores.softmax(-1) @ value,
        "the softmax is over listeners; take it over speakers, the last axis": hidden.softmax(-2) @ value,
        "scores are not divided by the root of the width K": (query @ key.mT)
        .masked_fill(~edges, -1e9)
        .softmax(-1)
        @ value,
        "scores are divided by the root of the number of experts; it is the root of the width K": (
            (query @ key.mT / math.sqrt(3)).masked_fill(~edges, -1e9).softmax(-1) @ value
        ),
        "query and key are swapped: rows are listeners": (key @ query.mT / math.sqrt(5))
        .masked_fill(~edges, -1e9)
        .softmax(-1)
        @ value,
        "weights do not sum to 1: whom one cannot hear must be left out before the softmax (a score of -inf),"
        " not after": (scores.softmax(-1) * edges) @ value,
        "a score of 0 is not silence: exp(0) = 1; use -inf, or a large negative number": (
            scores * edges
        ).softmax(-1)
        @ value,
        "edges are transposed: row i says whom i hears": scores.masked_fill(~edges.T, -1e9).softmax(-1)
        @ value,
    }
    for message, inbox in wrong.items():
        require(not alike(found, inbox), message)
    require(alike(found, right.attend(query, key, value, edges)), "the messages heard are not right")
    alone = edges.clone()
    alone[1] = False
    inbox = attend(query, key, value, alone)
    if not torch.isfinite(inbox).all():
        raise Mistake("a listener who hears nobody gets NaN: a row of -inf has no softmax; give it zeros")
    require(alike(inbox[:, 1], torch.zeros(4, 2)), "a listener who hears nobody must hear zeros")


def check_edges_of(edges_of: Callable[[str, int], Tensor]) -> None:
    """4.2: for E = 4."""
    for kind in ("others", "nobody", "itself"):
        returned, wanted = edges_of(kind, 4), right.edges_of(kind, 4)
        require(isinstance(returned, Tensor), f"{kind!r}: return a tensor")
        require(returned.dtype == torch.bool, f"{kind!r}: it is {returned.dtype}; it must be torch.bool")
        require(
            tuple(returned.shape) == (4, 4), f"{kind!r}: its shape is {tuple(returned.shape)}, not (4, 4)"
        )
        if kind == "others":
            require(not returned.all(), "'others': experts hear themselves too; leave out the diagonal")
        if kind == "nobody":
            require(not returned.any(), "'nobody': somebody can hear somebody")
        require(torch.equal(returned, wanted), f"{kind!r}: it is not who hears whom there")


def check_from_another_trial(from_another_trial: Callable[[Tensor], Tensor]) -> None:
    """4.3: B = 4, E = 3."""
    sent = _draw(4, 3, 2)
    found = as_tensor(from_another_trial(sent.clone()), (4, 3, 2), "what is heard")
    require(not alike(found, sent), "nothing is shuffled")
    require(
        not alike(found, sent.roll(1, dims=1)), "it is another expert's of the same trial; trials are axis 0"
    )
    require(not alike(found, sent.roll(-1, dims=0)), "trial b hears trial b + 1; it is to hear b - 1")
    require(
        not alike(found, sent.flip(0)), "trials are in reverse order: with an odd number, one hears itself"
    )
    require(alike(found, sent.roll(1, dims=0)), "trial b must hear, expert by expert, what trial b - 1 sent")


def check_communication_helps(helps: Callable[[np.ndarray, dict[str, np.ndarray]], bool]) -> None:
    """4.4: made-up errors of ten seeds."""
    level = np.array([0.01, 0.3, 0.02, 0.4, 0.05, 0.2, 0.01, 0.35, 0.1, 0.15])  # seeds differ much

    def above(by: float) -> np.ndarray:
        return level + by * np.array([1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9, 1.0])

    clear = {"silent": above(0.05), "self": above(0.06), "shuffled": above(0.07)}
    noisy = level + np.array([0.5, -0.1, -0.1, 0.4, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1])
    worse = {name: level - (rival - level) for name, rival in clear.items()}
    require(helps(level, clear) is not None, "it returns None; return True or False")
    require(
        not helps(level, worse),
        "it is True for an agent worse than all rivals: lower errors are better, so take rival - agent",
    )
    require(
        helps(level, {name: rival + 10 for name, rival in clear.items()}),
        "it is False by ten outer seeds that are all far better: ten are enough, and len(agent) counts them",
    )
    require(
        helps(level, clear),
        "it is False where every seed is better than its rival: take differences seed by seed, not intervals"
        " of each apart",
    )
    require(
        not helps(level, {**clear, "self": noisy}),
        "it is True where one rival is higher on average and its interval holds 0: look at the lower limit",
    )
    require(
        not helps(level, {**clear, "shuffled": level - 0.01}),
        "it is True though one rival is better than the agent: all must be beaten",
    )
    few = {name: rival[:3] for name, rival in clear.items()}
    require(not helps(level[:3], few), "it is True by three outer seeds; ask for ten at least")
    require(helps(level, {"silent": above(0.05)}), "it must hold for whatever rivals are given, here one")


CHECKS: dict[str, Callable[[Any], None]] = {
    "4.1": check_attend,
    "4.2": check_edges_of,
    "4.3": check_from_another_trial,
    "4.4": check_communication_helps,
}
