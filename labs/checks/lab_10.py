"""Checkers of lab 10: drawing tasks, judging a writing, bisection, an expert's update, a score."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from badger_envs import keyed_random
from labs.checks import alike, as_tensor, require
from labs.solutions import lab_10 as right


def check_draw_targets(draw_targets: Callable[..., Any]) -> None:
    """10.1: on NumPy and torch, alone and in a batch."""
    keys = keyed_random.outer_keys(5, 0, 400)
    raw = draw_targets(keys, 3, "float32")
    found = as_tensor(raw, (400, 3), "what is drawn")
    require(
        alike(found, np.asarray(draw_targets(keys, 3, "float32"))),
        "the same keys give other numbers the second time: draw from the keys, and from no generator",
    )
    alone = as_tensor(draw_targets(keys[7:8], 3, "float32"), (1, 3), "what is drawn")
    require(
        alike(alone[0], found[7]),
        "a trial alone is another task than in a batch: each row must follow from its key",
    )
    require(
        float(found.min()) < -0.8,
        f"the numbers run from {float(found.min()):.2f} to {float(found.max()):.2f}; they must fill [-1, 1]",
    )
    require(float(found.min()) >= -1 and float(found.max()) <= 1, "numbers lie outside [-1, 1]")
    spread = abs(float(found.mean())) < 0.1 and abs(float(found.std()) - 3**-0.5) < 0.05
    require(spread, "they are not uniform in [-1, 1]")
    others = as_tensor(draw_targets(keyed_random.outer_keys(6, 0, 400), 3, "float32"), (400, 3))
    require(not alike(others, found), "another seed gives the same tasks")
    require(
        not alike(found[:, 0], found[:, 1]),
        "the numbers of a task are all the same: draw as many as are asked for",
    )
    tensors = draw_targets(torch.from_numpy(keys), 3, "float32")
    require(isinstance(tensors, torch.Tensor), "for keys of torch it must be a torch tensor")
    require(alike(tensors, found), "torch's keys give other numbers than NumPy's")
    wide = draw_targets(keys, 3, "float64")
    require(
        str(raw.dtype) == "float32" and str(wide.dtype) == "float64",
        "it does not have the dtype that was asked",
    )


def check_judge(judge: Callable[..., Any]) -> None:
    """10.2: on NumPy and torch, with a gradient."""
    target = np.array([[0.5, -0.5, 0.0, 0.8], [-0.2, 0.9, 0.1, -1.0]])
    written = np.array([[0.0, 0.0, 0.0, 2.0], [0.3, 0.3, 0.3, 0.3]])
    made = judge(target, written)
    require(isinstance(made, tuple | list) and len(made) == 2, "return two arrays: hints, error")
    hints, error = as_tensor(made[0], (2, 4), "hints"), as_tensor(made[1], (2,), "error")
    wanted_hints, wanted = right.judge(target, written)
    require(not alike(hints, -wanted_hints), "the hints point away: +1 where the *target* is the higher one")
    require(
        not alike(hints, target - written), "the hints tell how far; they must be +1, -1 or 0 only: the sign"
    )
    require(alike(hints, wanted_hints), f"the first hints must be {wanted_hints[0].tolist()}")
    require(
        not alike(error, right.judge(target, np.clip(written, -1, 1))[1]),
        "what was written is clipped; a family never clips: 2.0 is as far off as it is",
    )
    require(not alike(error, wanted / 3), "the factor 3 is missing")
    require(not alike(error, wanted * 4), "the error is a sum over the numbers; take the mean")
    require(alike(error, wanted), f"the errors must be {wanted.round(4).tolist()}")
    asked = torch.from_numpy(written).requires_grad_()
    tensors = judge(torch.from_numpy(target), asked)
    require(
        all(isinstance(each, torch.Tensor) for each in tensors),
        "torch's tensors in, torch's tensors out: use namespace(target), not np",
    )
    require(
        tensors[1].requires_grad,
        "no gradient flows from the error to what was written: leave torch's tensors be",
    )


def check_bisection(bisection: Callable[..., Any]) -> None:
    """10.3: eight writings on 50 tasks of 3 numbers."""
    target = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    outputs = np.zeros_like(target)
    first = as_tensor(bisection(outputs, np.sign(target), 0), (50, 3), "the writing")
    require(not alike(first, -np.sign(target) / 2), "it goes away from the hint: +1 means higher")
    require(not alike(first, np.sign(target)), "the first writing must lie 1/2 away from 0, and not 1")
    require(alike(first.abs(), np.full((50, 3), 0.5)), "the first writing must lie 1/2 away from 0")
    for step in range(8):
        before = outputs
        outputs = np.asarray(bisection(outputs, np.sign(target - outputs), step))
        moved = np.abs(outputs - before).max()
        require(
            alike(moved, 0.5 ** (step + 1), 1e-6),
            f"writing {step + 1} lies {moved:.4g} away from the one before; it must be"
            f" {0.5 ** (step + 1):.4g}",
        )
    require(np.abs(outputs - target).max() <= 2**-8 + 1e-9, "after eight writings it must be within 1/256")


class _Small(torch.nn.Module):
    """What `update` finds in a policy."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.think, self.write = torch.nn.Linear(5 + 3 + 2, 5), torch.nn.Linear(5, 1)


@torch.no_grad()
def check_update(update: Callable[..., Any]) -> None:
    """10.4: 2 trials of 4 experts."""
    small, generator = _Small(), torch.Generator().manual_seed(0)
    state, inbox, reading = (torch.randn(2, 4, size, generator=generator) for size in (5, 3, 2))
    made = update(small, state, inbox, reading)
    require(
        isinstance(made, tuple | list) and len(made) == 2, "return two tensors: the next state, the writing"
    )
    after, writing = right.update(small, state, inbox, reading)
    first = tuple(getattr(made[0], "shape", ()))
    require(first != (2, 4, 1), "the writing comes first; return the state, then the writing")
    found, wrote = as_tensor(made[0], (2, 4, 5), "the state"), as_tensor(made[1], (2, 4, 1), "the writing")
    require(
        not alike(found, small.think(torch.cat([state, inbox, reading], -1))),
        "tanh is missing: a state must not grow without end",
    )
    require(
        not alike(found, torch.tanh(small.think(torch.cat([state, inbox * 0, reading], -1)))),
        "the inbox is not used: these experts are deaf",
    )
    require(
        alike(found, after),
        "the state is tanh of self.think of state, inbox, reading, in this order, on the last axis",
    )
    require(
        not alike(wrote, small.write(state)),
        "it is written from the old state: what was just heard comes too late",
    )
    require(alike(wrote, writing), "the writing is self.write of the new state")


def check_score(score: Callable[..., Any]) -> None:
    """10.5: lower and higher outcomes as the better ones."""
    cases = [(0.25, 1.0, 0.0, 0.75), (1.0, 1.0, 0.0, 0.0), (70.0, 50.0, 80.0, 2 / 3), (2.0, 1.0, 0.0, -1.0)]
    found = [float(as_tensor(score(*case[:3]), (), "the score")) for case in cases]
    wanted = [case[3] for case in cases]
    require(
        not alike(found[:3], [1 - each for each in wanted[:3]]), "it is 1 at the floor; it must be 0 there"
    )
    require(
        found[3] > -1.5 and not alike(found[3], 0), "below the floor it goes on below 0: do not cut it off"
    )
    require(
        not alike(found[2], -wanted[2]) and not alike(found[0], -wanted[0]),
        "its sign is wrong where higher outcomes are better, or where lower ones are: divide by"
        " reference - floor",
    )
    require(
        not alike(found[0], (1.0 - 0.25) / 1.0) or alike(found[2], wanted[2]),
        f"50 to 80, at 70: it must be {wanted[2]:.3f}, and not {found[2]:.3f}; the reference is not always 0",
    )
    require(alike(found, wanted), f"at 0.25 between 1 and 0 it is 0.75, and not {found[0]:.3f}")


CHECKS: dict[str, Callable[[Any], None]] = {
    "10.1": check_draw_targets,
    "10.2": check_judge,
    "10.3": check_bisection,
    "10.4": check_update,
    "10.5": check_score,
}
