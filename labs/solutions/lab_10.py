"""Lab 10: drawing tasks, judging a writing, bisection, an expert's update, a score."""

from typing import Any

import torch

from badger_envs import keyed_random
from badger_envs.family import namespace


def draw_targets(keys: Any, numbers: int, dtype: str) -> Any:
    """Uniform in [-1, 1]: [B, 4] -> [B, numbers]."""
    return 2 * keyed_random.uniform(keys, "target", numbers, dtype=dtype) - 1


def judge(target: Any, written: Any) -> tuple[Any, Any]:
    """Hints [B, O] and error [B]."""
    xp = namespace(target)
    return xp.sign(target - written), 3 * xp.mean((target - written) ** 2, axis=-1)


def bisection(outputs: Any, hints: Any, step: int) -> Any:
    """Half of what is left: [..., O]."""
    return outputs + hints * 0.5 ** (step + 1)


def update(
    self: Any, state: torch.Tensor, inbox: torch.Tensor, reading: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The next state [B, E, H] and the writing [B, E, 1]."""
    state = torch.tanh(self.think(torch.cat([state, inbox, reading], dim=-1)))
    return state, self.write(state)


def score(outcome: float, floor: float, reference: float) -> float:
    """0 at the floor, 1 at the reference."""
    return (outcome - floor) / (reference - floor)


SOLUTIONS: dict[str, Any] = {
    "10.1": draw_targets,
    "10.2": judge,
    "10.3": bisection,
    "10.4": update,
    "10.5": score,
}
