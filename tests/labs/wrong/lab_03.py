"""Lab 3: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

import torch

WRONG: dict[str, list[tuple[Any, str]]] = {
    "3.1": [
        (lambda cell, reading, state: cell(reading.flatten(0, 1), state.flatten(0, 1)), "still flat"),
        (
            lambda cell, reading, state: (
                cell(reading.flatten(0, 1), state.flatten(0, 1)).view(3, 4, 5).transpose(0, 1)
            ),
            "mixed up",
        ),
    ],
    "3.2": [
        (lambda target: 3 * target.var(dim=-1), "divides by d - 1"),
        (lambda target: target.var(dim=-1, correction=0), "factor 3"),
        (lambda target: torch.full((len(target),), 1 - 1 / target.shape[-1]), "the mean over tasks"),
        (lambda target: 3 * target.square().mean(dim=-1), "error of zeros"),
    ],
    "3.3": [
        (
            lambda b, e, h, generator: torch.randn(b, 1, h, generator=generator).expand(b, e, h),
            "do not expand",
        ),
        (lambda b, e, h, generator: torch.randn(e, h, generator=generator).expand(b, e, h), "for each trial"),
        (lambda b, e, h, generator: torch.rand(b, e, h, generator=generator), "torch.randn"),
        (lambda b, e, h, generator: torch.randn(b, e, h), "from the generator"),
    ],
    "3.4": [
        (
            lambda reading, table: torch.cat([table.expand(len(reading), -1, -1), reading], dim=-1),
            "comes after",
        ),
        (
            lambda reading, table: torch.cat([reading, table[:1].expand(*reading.shape[:2], -1)], dim=-1),
            "row e",
        ),
    ],
    "3.5": [
        (lambda outputs: outputs.std(dim=-1).mean(dim=-1), "correction=0"),
        (lambda outputs: outputs.std(dim=1, correction=0).mean(dim=-1), "over experts"),
        (lambda outputs: outputs.flatten(1).std(dim=-1, correction=0), "trials and experts together"),
    ],
}
