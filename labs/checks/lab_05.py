"""Lab 5: checkers of favourites, one-to-one assignment, writing and errors by size."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from badger_agents import evaluate, load
from badger_envs.families.guessing_game import GuessingGame
from labs.checks import Mistake, alike, as_tensor, require
from labs.solutions import lab_05 as right


def _addresses(batch: int, count: int, seed: int) -> Tensor:
    drawn = torch.randn(batch, count, 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(drawn, dim=-1)


def check_favourites(favourites: Callable[[Tensor, Tensor], Tensor]) -> None:
    """5.1: B = 6, N = 3 slots, E = 5 experts."""
    slots, experts = _addresses(6, 3, 0), _addresses(6, 5, 1)
    returned = favourites(slots, experts)
    if isinstance(returned, Tensor):
        shape = tuple(returned.shape)
        require(
            shape != (6, 5), "it has one number per expert: the argmax is over slots; take it over experts"
        )
        require(shape != (6, 3, 5), "these are the dot products; take the argmax over experts")
    found = as_tensor(returned, (6, 3), "the favourites")
    require(
        not alike(found, (slots @ experts.mT).argmin(dim=-1)),
        "these are the least alike; take the largest product",
    )
    require(
        not alike(found, (slots @ experts.mT).amax(dim=-1)),
        "these are the products; argmax says whose they are",
    )
    require(alike(found, right.favourites(slots, experts)), "these are not the experts most like the slots")


def check_one_to_one(one_to_one: Callable[[Tensor, Tensor], Tensor]) -> None:
    """5.2: N = 4 slots and E = 5 experts; then more slots than experts."""
    slots, experts = _addresses(50, 4, 0), _addresses(50, 5, 1)
    found = as_tensor(one_to_one(slots, experts), (50, 4), "the owners").long()
    require(
        bool((found >= 0).all() and (found < 5).all()), "an owner is the number of an expert, from 0 to E - 1"
    )
    liked = right.favourites(slots, experts)
    require(
        not torch.equal(found, liked), "these are the favourites; an expert that has a slot is no longer free"
    )
    most = nn.functional.one_hot(found, 5).sum(dim=1).max()
    require(most == 1, f"an expert has {most} slots though others have none: count the slots of each so far")
    wanted = right.one_to_one(slots, experts)
    backwards = right.one_to_one(slots.flip(1), experts).flip(1)
    require(not torch.equal(found, backwards), "the last slot chooses first; begin with slot 0")
    plain = torch.arange(4).expand(50, 4)
    require(not torch.equal(found, plain), "slot i goes to expert i: that is hardwired; use the addresses")
    require(
        torch.equal(found, wanted), "each slot must take the free expert that is most like it, slot 0 first"
    )
    many = as_tensor(one_to_one(_addresses(50, 7, 2), _addresses(50, 3, 3)), (50, 7), "the owners").long()
    counts = nn.functional.one_hot(many, 3).sum(dim=1)
    require(
        counts.max() == 3 and counts.min() == 2,
        "with 7 slots and 3 experts each must have 2 or 3: take the expert among those with *fewest* slots",
    )
    require(
        torch.equal(many, right.one_to_one(_addresses(50, 7, 2), _addresses(50, 3, 3))),
        "with more slots than experts these are not the most alike among those with fewest slots",
    )


def check_write(write: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """5.3: B = 2, N = 3 slots, E = 4 experts."""
    outputs = torch.tensor([[0.1, -0.2, 0.9], [0.0, 0.5, -0.9]])
    owner = torch.tensor([[2, 0, 3], [1, 3, 0]])
    writing = torch.tensor([[0.1, 0.2, 0.3, 0.4], [-0.5, 0.25, 0.6, -0.1]])
    found = as_tensor(write(outputs.clone(), owner, writing), (2, 3), "the outputs")
    change = writing.gather(1, owner)
    require(not alike(found, change), "the change replaces the output; add it")
    require(not alike(found, (outputs + writing[:, :3]).clamp(-1, 1)), "slot i takes the change of expert i")
    require(not alike(found, outputs + change), "the outputs are not clamped to [-1, 1]")
    back = owner.argsort(dim=-1)
    require(
        not alike(found, (outputs + writing.gather(1, back)).clamp(-1, 1)),
        "the assignment is used backwards: owner[b, n] is the expert of slot n",
    )
    require(alike(found, (outputs + change).clamp(-1, 1)), "slot n must change by writing[b, owner[b, n]]")


def check_error_by_size(error_by_size: Callable[[Any, tuple[int, ...], int], dict[int, float]]) -> None:
    """5.4: with the pretrained agent, on 20 tasks of 2 and 20 of 3 numbers."""
    agent = load("guessing-attentional").with_settings(experts=4).agent
    sizes, trials = (2, 3), 20
    found = error_by_size(agent, sizes, trials)
    require(isinstance(found, dict), "return a dictionary {size: error}")
    require(sorted(found) == [2, 3], f"its keys are {sorted(found)}; they must be the sizes")
    numbers = [float(found[size]) for size in sizes]
    wanted = [evaluate(agent, GuessingGame(dims=size, split="test"), trials).mean for size in sizes]
    if alike(numbers, wanted):
        return
    every = {
        split: [evaluate(agent, GuessingGame(dims=size, split=split), trials) for size in sizes]
        for split in ("test", "train")
    }
    require(
        not alike(numbers, [each.mean for each in every["train"]]),
        'these are tasks of training; set split="test"',
    )
    require(
        not alike(numbers, [float(each.loss.mean()) for each in every["test"]]),
        "it is the mean over all steps of the trial; take the outcome, which is the error after the last",
    )
    raise Mistake("these are not the mean outcomes; does each size get its own family, and `trials` tasks?")


CHECKS: dict[str, Callable[[Any], None]] = {
    "5.1": check_favourites,
    "5.2": check_one_to_one,
    "5.3": check_write,
    "5.4": check_error_by_size,
}
