"""Lab 3: checkers of the shared cell, the plateau, random states, identities and the spread."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from labs.checks import alike, as_tensor, require


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def check_update(update: Callable[[nn.GRUCell, Tensor, Tensor], Tensor]) -> None:
    """3.1: against expert after expert, B = 4, E = 3; then whether one expert's reading reaches another."""
    cell = nn.GRUCell(2, 5)
    reading, state = _draw(4, 3, 2), _draw(4, 3, 5, seed=1)
    with torch.no_grad():
        wanted = torch.stack([cell(reading[:, e], state[:, e]) for e in range(3)], dim=1)  # [B, E, H]
        returned = update(cell, reading, state)
    require(isinstance(returned, Tensor), "return a tensor [B, E, H]")
    shape = tuple(returned.shape)
    require(shape != (12, 5), "the rows are still flat, [B * E, H]; give them the shape of the states again")
    found = as_tensor(returned, (4, 3, 5), "the states")
    rows = wanted.flatten(0, 1)  # [B * E, H]
    mixed = rows.view(3, 4, 5).transpose(0, 1)
    require(
        not alike(found, mixed),
        "trials and experts are mixed up: undo the flattening in the order in which it was made",
    )
    averaged = torch.stack([cell(reading.mean(1), state[:, e]) for e in range(3)], dim=1)
    require(not alike(found, averaged), "all experts read the mean of what is read; each has its own reading")
    require(
        alike(found, wanted), "the states are not those of cell(reading[:, e], state[:, e]) of each expert"
    )


def check_collapsed_error(collapsed_error: Callable[[Tensor], Tensor]) -> None:
    """3.2: on B = 6 tasks of d = 4 numbers."""
    target = _draw(6, 4).clamp(-1, 1)
    returned = collapsed_error(target)
    found = as_tensor(returned, (6,), "the error")
    away = (target - target.mean(dim=-1, keepdim=True)).square()
    require(
        not alike(found, torch.full((6,), 0.75)),
        "1 - 1/d is the mean over tasks; give the error of each task",
    )
    require(not alike(found, away.mean(dim=-1)), "the factor 3 of the error is missing")
    require(
        not alike(found, 3 * target.var(dim=-1)), "the variance divides by d - 1; the mean is over d numbers"
    )
    require(
        not alike(found, 3 * target.square().mean(dim=-1)),
        "this is the error of zeros; what number is better?",
    )
    middle = 3 * (target - target.median(dim=-1, keepdim=True).values).square().mean(dim=-1)
    require(
        not alike(found, middle), "the median is best for distances; for squared distances it is the mean"
    )
    across = 3 * (target - target.mean(dim=0)).square().mean(dim=-1)
    require(not alike(found, across), "the mean is over the tasks; take it over the numbers of one task")
    require(
        alike(found, 3 * away.mean(dim=-1)),
        "it is not the lowest error that one number in all slots can have",
    )


def check_random_states(random_states: Callable[[int, int, int, torch.Generator], Tensor]) -> None:
    """3.3: what differs, and how much: B = 200, E = 4, H = 8."""
    returned = random_states(200, 4, 8, torch.Generator().manual_seed(0))
    found = as_tensor(returned, (200, 4, 8), "the states")
    require(not alike(found, torch.zeros(200, 4, 8)), "all states are zeros: experts stay alike")
    require(
        not alike(found, found[:, :1].expand(200, 4, 8)),
        "the experts of a trial have the same state: draw for each expert, do not expand",
    )
    require(
        not alike(found, found[:1].expand(200, 4, 8)), "all trials have the same states: draw for each trial"
    )
    require(abs(float(found.mean())) < 0.1, "the mean is not 0: use torch.randn, not torch.rand")
    require(
        abs(float(found.std()) - 1) < 0.1, f"the standard deviation is {float(found.std()):.2f}; it must be 1"
    )
    again = random_states(200, 4, 8, torch.Generator().manual_seed(0))
    require(alike(again, found), "they are not drawn from the generator: the same seed gives other numbers")


def check_with_identities(with_identities: Callable[[Tensor, Tensor], Tensor]) -> None:
    """3.4: where each expert's row ends up, B = 5, E = 3."""
    reading, table = _draw(5, 3, 2), _draw(3, 4, seed=1)
    found = as_tensor(with_identities(reading, table), (5, 3, 6), "the readings")
    own = table.expand(5, 3, 4)
    wanted = torch.cat([reading, own], dim=-1)
    require(not alike(found, torch.cat([own, reading], dim=-1)), "the identity comes first; it comes after")
    require(
        not alike(found[..., 2:], table[:1].expand(5, 3, 4)),
        "all experts have the first row of the table; expert e has row e",
    )
    require(alike(found, wanted), "they are not [reading, row e of the table] for expert e in every trial")


def check_spread(spread: Callable[[Tensor], Tensor]) -> None:
    """3.5: on outputs [6, 5, 3]; of copies 0."""
    outputs = _draw(6, 5, 3)
    returned = spread(outputs)
    require(not (isinstance(returned, Tensor) and returned.ndim == 0), "it is one number; keep the steps")
    require(
        not (isinstance(returned, Tensor) and tuple(returned.shape) == (6, 5)),
        "average over the trials as well",
    )
    found = as_tensor(returned, (6,), "the spread")
    across = outputs.std(dim=1, correction=0).mean(dim=-1)
    require(
        not alike(found, across), "the standard deviation is over trials; take it over experts, the last axis"
    )
    require(
        not alike(found, outputs.std(dim=-1).mean(dim=-1)),
        "it divides by E - 1; set correction=0 to divide by E",
    )
    require(
        not alike(found, outputs.var(dim=-1, correction=0).mean(dim=-1)), "it is a variance; take the root"
    )
    both = outputs.flatten(1).std(dim=-1, correction=0)
    require(
        not alike(found, both), "it is over trials and experts together; trials differ, that is no spread"
    )
    require(
        alike(found, outputs.std(dim=-1, correction=0).mean(dim=-1)),
        "it is not the standard deviation over experts, averaged over trials",
    )


CHECKS: dict[str, Callable[[Any], None]] = {
    "3.1": check_update,
    "3.2": check_collapsed_error,
    "3.3": check_random_states,
    "3.4": check_with_identities,
    "3.5": check_spread,
}
