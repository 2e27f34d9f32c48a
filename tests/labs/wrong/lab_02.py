"""Lab 2: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

import torch
from torch import Tensor, nn

from labs.solutions.lab_02 import inner_loop, outer_loss


def loop(
    learner: Any,
    target: Tensor,
    steps: int,
    *,
    forget: bool = False,
    replace: bool = False,
    cut: bool = False,
) -> Tensor:
    outputs, errors = torch.zeros_like(target), []
    state = torch.zeros(len(target), learner.cell.hidden_size)
    for _ in range(steps):
        if forget:
            state = torch.zeros_like(state)
        heard = 3 * ((outputs - target) ** 2).mean(dim=-1, keepdim=True)
        state = learner.cell(torch.cat([outputs, heard], dim=-1), state)
        written = learner.write(state)
        outputs = (written if replace else outputs + written).clamp(-1, 1)
        if cut:
            outputs = outputs.detach()
            state = state.detach()
        errors.append(3 * ((outputs - target) ** 2).mean(dim=-1))
    return torch.stack(errors)


def step(learner: Any, optimiser: Any, target: Tensor, steps: int, *, clear: bool, clip: bool) -> float:
    loss = outer_loss(inner_loop(learner, target, steps))
    if clear:
        optimiser.zero_grad()
    loss.backward()
    if clip:
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
    optimiser.step()
    return loss.item()


WRONG: dict[str, list[tuple[Any, str]]] = {
    "2.1": [
        (lambda learner, target, steps: loop(learner, target, steps, forget=True), "not carried on"),
        (lambda learner, target, steps: loop(learner, target, steps, replace=True), "it is a change"),
        (lambda learner, target, steps: inner_loop(learner, target, steps).detach(), "no graph"),
        (lambda learner, target, steps: inner_loop(learner, target, steps).T, "steps first"),
        (
            lambda learner, target, steps: (
                loop(learner, target, steps, cut=True) + 0 * inner_loop(learner, target, steps)
            ),
            "something is detached",
        ),
    ],
    "2.2": [
        (lambda errors: errors.mean(), "all steps"),
        (lambda errors: errors[-1].mean(), "last step"),
        (lambda errors: errors[: len(errors) // 2].mean(), "first half"),
    ],
    "2.3": [
        (lambda *given: step(*given, clear=False, clip=True), "zero_grad"),
        (lambda *given: step(*given, clear=True, clip=False), "not clipped"),
        (lambda learner, optimiser, target, steps: outer_loss(inner_loop(learner, target, steps)), "item()"),
        (
            lambda learner, optimiser, target, steps: outer_loss(inner_loop(learner, target, steps)).item(),
            "did not change",
        ),
    ],
    "2.4": [
        (lambda learner, target, steps: inner_loop(learner, target, steps).mean(dim=-1), "no_grad"),
        (
            lambda learner, target, steps: inner_loop(learner, target, steps).detach().mean(dim=0),
            "over steps",
        ),
    ],
}
