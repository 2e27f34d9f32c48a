"""Lab 2: checkers of the inner loop, the outer loss, an outer step and an inner curve."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from labs.checks import Mistake, alike, as_tensor, require
from labs.solutions import lab_02 as right

STEPS = 6


class Small(nn.Module):
    """A learner of d = 3 numbers whose writing does not start at 0, so that mistakes show."""

    def __init__(self, scale: float = 0.2) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.cell = nn.GRUCell(4, 5)
        self.write = nn.Linear(5, 3)
        for weights in self.parameters():
            weights.data = scale * torch.randn(weights.shape, generator=generator)


def _targets(batch: int = 4) -> Tensor:
    return 2 * torch.rand(batch, 3, generator=torch.Generator().manual_seed(5)) - 1


def _variant(learner: Any, target: Tensor, *, carry: bool = True, add: bool = True) -> Tensor:
    """The inner loop with a mistake: [T, B]."""
    outputs, state, errors = torch.zeros_like(target), torch.zeros(len(target), 5), []
    for _ in range(STEPS):
        heard = 3 * ((outputs - target) ** 2).mean(dim=-1, keepdim=True)
        new = learner.cell(torch.cat([outputs, heard], dim=-1), state)
        written = learner.write(new)
        outputs = (outputs + written if add else written).clamp(-1, 1)
        state = new if carry else state
        errors.append(3 * ((outputs - target) ** 2).mean(dim=-1))
    return torch.stack(errors)


def check_inner_loop(inner_loop: Callable[[Any, Tensor, int], Tensor]) -> None:
    """2.1: values, then gradients, which a detached trial would not have."""
    learner, target = Small(), _targets()
    returned = inner_loop(learner, target, STEPS)
    require(isinstance(returned, Tensor), "return a tensor [T, B]; torch.stack makes one of a list")
    shape = tuple(returned.shape)
    require(shape != (4, STEPS), "it is [B, T]; return the errors as [T, B], steps first")
    require(shape != (STEPS + 1, 4), "the error of the zeros before the first step is among them")
    found = as_tensor(returned, (STEPS, 4), "the errors")
    wanted = right.inner_loop(learner, target, STEPS)
    require(
        not alike(found, _variant(learner, target, carry=False)),
        "the state is not carried on: the cell starts from zeros at each step and remembers nothing",
    )
    require(
        not alike(found, _variant(learner, target, add=False)),
        "what is written replaces the outputs; it is a change: outputs + learner.write(state)",
    )
    first = 3 * (target**2).mean(dim=-1)
    late = torch.cat([first[None], wanted[:-1]])
    require(not alike(found, late), "each error is of the outputs before the step; take it after the step")
    require(alike(found, wanted), "the errors are not right; is the reading [outputs, error], in this order?")
    require(returned.requires_grad, "the errors have no graph; is there a no_grad or detach?")
    weights = list(learner.parameters())
    one = torch.autograd.grad(returned.sum(), weights, allow_unused=True)
    other = torch.autograd.grad(wanted.sum(), weights)
    same = all(a is not None and alike(a, b, 1e-4) for a, b in zip(one, other, strict=True))
    require(same, "the values are right and the gradient is not: something is detached between steps")


def check_outer_loss(outer_loss: Callable[[Tensor], Tensor]) -> None:
    """2.2: on errors [8, 3]."""
    errors = torch.rand(8, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    returned = outer_loss(errors)
    found = as_tensor(returned, (), "the loss")
    require(not alike(found, errors.mean()), "it is the mean over all steps; take those of the second half")
    require(not alike(found, errors[:4].mean()), "it is the first half of the steps; take the second")
    require(
        not alike(found, errors[-1].mean()), "it is the last step only; take the second half of the steps"
    )
    require(not alike(found, errors[4:].sum()), "it is a sum; take the mean")
    require(
        not alike(found, errors[4:].sum(0).mean()), "it is a sum over steps; take the mean over steps too"
    )
    require(not alike(found, errors[:, 1:].mean()), "it is half of the trials; steps are the first axis")
    require(alike(found, errors[4:].mean()), "it is not the mean of errors[T // 2:]")
    require(isinstance(returned, Tensor) and returned.requires_grad, "it has no graph; return a tensor")


def check_outer_step(outer_step: Callable[[Any, torch.optim.Optimizer, Tensor, int], float]) -> None:
    """2.3: two steps in a row, with a gradient longer than 1."""
    target = _targets(8)
    after: dict[str, list[Tensor]] = {}
    for name, step in {"right": right.outer_step, "found": outer_step, **_STEPS_WITH_MISTAKES}.items():
        learner = Small(scale=1.5)
        optimiser = torch.optim.SGD(learner.parameters(), lr=0.05)
        losses = [step(learner, optimiser, target, STEPS) for _ in range(2)]
        after[name] = [weights.detach().clone() for weights in learner.parameters()]
        if name == "right":
            wanted = losses[0]
        elif name == "found":
            require(losses[0] is not None, "it returns None; return the loss")
            require(
                not isinstance(losses[0], Tensor), "return a Python number: loss.item() lets the graph go"
            )
            require(alike(losses[0], wanted), f"the loss is {losses[0]:.4f}, and not {wanted:.4f}")

    def same(name: str) -> bool:
        return all(alike(a, b) for a, b in zip(after["found"], after[name], strict=True))

    unchanged = all(alike(a, b) for a, b in zip(after["found"], Small(scale=1.5).parameters(), strict=True))
    require(not unchanged, "the weights did not change; is there a backward() and an optimiser.step()?")
    for name in _STEPS_WITH_MISTAKES:
        require(not same(name), name)
    require(same("right"), "the weights after two steps are not right")


def _made_step(clear: bool = True, clip: str = "before", sign: int = 1) -> Callable[..., float]:
    def step(learner: Any, optimiser: torch.optim.Optimizer, target: Tensor, steps: int) -> float:
        loss = right.outer_loss(right.inner_loop(learner, target, steps))
        if clear:
            optimiser.zero_grad()
        (sign * loss).backward()
        if clip == "before":
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        return loss.item()

    return step


_STEPS_WITH_MISTAKES = {
    "the gradient of the step before is still there: call optimiser.zero_grad()": _made_step(clear=False),
    "the gradient is not clipped before optimiser.step()": _made_step(clip="never"),
    "the loss rises: the sign of the gradient is wrong": _made_step(sign=-1),
}


def check_inner_curve(inner_curve: Callable[[Any, Tensor, int], Tensor]) -> None:
    """2.4: over B = 4 tasks."""
    learner, target = Small(), _targets()
    returned = inner_curve(learner, target, STEPS)
    if isinstance(returned, Tensor):
        wrong = {
            (4,): "it is a mean over steps; take the mean over tasks",
            (): "it is one number; keep the steps",
        }
        if tuple(returned.shape) in wrong:
            raise Mistake(wrong[tuple(returned.shape)])
    found = as_tensor(returned, (STEPS,), "the curve")
    wanted = right.inner_curve(learner, target, STEPS)
    require(alike(found, wanted), "the numbers are not the mean error over tasks at each step")
    graph = isinstance(returned, Tensor) and returned.requires_grad
    require(not graph, "it has a graph, which keeps the whole trial in memory; use torch.no_grad()")


CHECKS: dict[str, Callable[[Any], None]] = {
    "2.1": check_inner_loop,
    "2.2": check_outer_loss,
    "2.3": check_outer_step,
    "2.4": check_inner_curve,
}
