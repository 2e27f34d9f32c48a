"""Checkers of lab 8: causal influence, a null, roles, skills cloning, a diagnosis."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from badger_agents.whitebox.metrics import mutual_information
from labs.checks import alike, as_tensor, require
from labs.solutions import lab_08 as right


def check_causal_effect(causal_effect: Callable[..., Any]) -> None:
    """8.1: a listener that follows one number of the message, and a deaf one."""
    rng = np.random.default_rng(0)
    messages, donors, own = rng.normal(1.0, 1.0, (50, 4)), np.roll(np.arange(50), 7), rng.normal(size=50)

    def listener(heard: np.ndarray) -> np.ndarray:
        return own + 2 * heard[:, 1]

    found = as_tensor(causal_effect(listener, messages, donors), (), "the effect")
    wanted = right.causal_effect(listener, messages, donors)
    before, after = listener(messages), listener(messages[donors])
    require(
        not alike(found, ((listener(messages * 0) - before) ** 2).mean()),
        "the message is replaced by zeros, which nobody ever sent; replace it by the donor's:"
        " messages[donors]",
    )
    require(
        not alike(found, ((before[donors] - before) ** 2).mean()),
        "this compares the writings of two trials; replace the message alone and let the same"
        " listener write again",
    )
    require(not alike(found, (after - before).mean()), "ups and downs cancel; square the change")
    require(not alike(found, np.abs(after - before).mean()), "this is a mean of distances; square the change")
    require(not alike(found, wanted * 50), "this is a sum over trials; take the mean")
    require(
        alike(found, wanted), f"for the checker's listener it is {wanted:.3f}, and not {float(found):.3f}"
    )
    deaf = as_tensor(causal_effect(lambda heard: own, messages, donors), (), "the effect")
    require(alike(deaf, 0), f"of a deaf listener it must be exactly 0, and not {float(deaf):.3f}")


def check_excess(excess: Callable[..., Any]) -> None:
    """8.2: symbols that share a clock and nothing else."""
    rng = np.random.default_rng(0)
    clock = (np.arange(12) % 3)[:, None]  # [T, 1]
    said = (clock + (rng.random((12, 40)) < 0.2)) % 3  # [T, B]
    done = (clock + (rng.random((12, 40)) < 0.2)) % 3
    orders = np.argsort(rng.random((30, 40)), axis=1)
    found = excess(mutual_information, said, done, orders)
    require(
        isinstance(found, tuple | list) and len(found) == 2,
        "return two numbers: (measured, mean of the null)",
    )
    value, null = (as_tensor(each, ()) for each in found)
    wanted = right.excess(mutual_information, said, done, orders)
    require(not alike(value, wanted[0] - wanted[1]), "the first number is as measured: leave the null apart")
    require(alike(value, wanted[0]), f"as measured it is {wanted[0]:.3f} bits, and not {float(value):.3f}")
    require(
        float(null) > 0.3 * wanted[1],
        "the null is far too low: steps have been shuffled, too, and the clock is gone; whole trials"
        " change places,"
        " and steps stay in place: done[:, order]",
    )
    require(
        not alike(null, wanted[0]), "the null is what was measured: were both dealt out in the same order?"
    )
    require(alike(null, wanted[1]), f"the null's mean is {wanted[1]:.4f} bits, and not {float(null):.4f}")


def check_roles(roles: Callable[..., Any]) -> None:
    """8.3: 2 trials of 3 experts, and one with a tie."""
    writing = np.zeros((6, 3, 3))
    writing[[4, 0, 2], 0, [0, 1, 2]] = [0.5, -0.9, 0.7]  # 2, 0, 1
    writing[[1, 3, 5], 1, [2, 0, 1]] = [-0.8, 0.6, 0.4]  # 1, 2, 0
    writing[[2, 2, 0], 2, [0, 1, 2]] = [0.3, 0.9, 0.2]  # 1, 2, 0 (a tie)
    writing[:, :, :] += 0.01 * (writing == 0) * np.arange(6)[:, None, None] / 6
    found, wanted = (
        as_tensor(roles(writing), (3, 3), "the roles"),
        torch.from_numpy(right.roles(writing)).double(),
    )
    order = torch.tensor([[1, 2, 0], [2, 0, 1], [2, 0, 1]]).double()
    when = torch.from_numpy(np.abs(writing).argmax(0)).double()
    require(not alike(found, when), "these are steps; rank the experts by them: 0, 1, 2")
    require(
        not alike(found, order),
        "this lists who is first, second, third; asked is the place of each expert: argsort once more",
    )
    require(
        not alike(found, np.argsort(np.argsort(writing.argmax(0), 1, kind="stable"), 1)),
        "the largest writing may be negative: take its size",
    )
    require(
        not alike(found, np.argsort(np.argsort(-np.abs(writing).max(0), 1, kind="stable"), 1)),
        "these are ranks by size; rank by *when* the largest writing comes",
    )
    require(alike(found[:2], wanted[:2]), f"in the first trial they are {wanted[0].int().tolist()}")
    require(
        alike(found, wanted),
        "of experts at the same step the one with the lower number comes first: a stable sort",
    )


def check_clone(clone: Callable[..., Any]) -> None:
    """8.4: another order in each trial, among them one that is not its own inverse."""
    states = torch.arange(2 * 3 * 4.0).view(2, 3, 4)
    order = torch.tensor([[1, 2, 0], [0, 2, 1]])
    found, wanted = as_tensor(clone(states, order), (2, 3, 4), "the states"), right.clone(states, order)
    require(
        not alike(found, right.clone(states, order.argsort(1))),
        "the states go the other way: order[b, e] says whose state comes *to* place e",
    )
    require(
        not alike(found, states[:, order[0]]),
        "the first trial's order is used in all trials; each trial has its own",
    )
    require(not alike(found, states), "nothing has moved")
    require(alike(found, wanted), "entry [b, e] must be states[b, order[b, e]], all H numbers of it")


def check_diagnose(diagnose: Callable[..., Any]) -> None:
    """8.5: sound agents and agents with each fault, of 3 and of 5 experts."""
    rng = np.random.default_rng(0)
    for experts in (3, 5):
        table = rng.uniform(0.1, 0.4, (experts, experts)) * (1 - np.eye(experts))
        changes = rng.uniform(0.2, 0.5, experts)
        require(
            _said(diagnose(table, changes)) == ("none", -1),
            "a sound agent is found faulty; is the zero on the diagonal held for a fault?",
        )
        for expert in range(experts):
            for fault in ("deaf", "mute", "frozen"):
                faulty, still = table.copy(), changes.copy()
                if fault == "deaf":
                    faulty[expert] = 0
                elif fault == "mute":
                    faulty[:, expert] = 0
                else:
                    still[expert] = 0
                found = _said(diagnose(faulty, still))
                swapped = {"deaf": "mute", "mute": "deaf"}.get(fault)
                require(
                    found[0] != swapped,
                    "rows are listeners and columns are speakers: an empty row is a deaf expert",
                )
                require(
                    fault != "frozen" or found[0] == "frozen",
                    "an expert at rest is missed: look at the changes of the states, too",
                )
                require(
                    found == (fault, expert),
                    f"expert {expert} of {experts} is {fault}; this says {found[0]}, {found[1]}",
                )


def _said(found: Any) -> tuple[str, int]:
    """A diagnosis, if it is one."""
    require(
        isinstance(found, tuple | list) and len(found) == 2,
        'return a fault and an expert, such as ("deaf", 2)',
    )
    return str(found[0]), int(found[1])


CHECKS: dict[str, Callable[[Any], None]] = {
    "8.1": check_causal_effect,
    "8.2": check_excess,
    "8.3": check_roles,
    "8.4": check_clone,
    "8.5": check_diagnose,
}
