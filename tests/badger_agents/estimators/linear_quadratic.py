"""A linear system with a quadratic loss, pushed by weights alone: its gradients are known in closed form."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import torch
from array_api_compat import array_namespace
from torch import Tensor, nn

from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators.objectives import Objective, step_weights
from badger_envs import keyed_random
from badger_envs.family import Family, Observation, Slots, Transition
from badger_envs.keyed_random import Array

SIZE = 2
STAYS = ((0.9, 0.3), (-0.2, 1.0))
"""A of x' = A x + push."""


class Start(NamedTuple):
    place: Array


class Where(NamedTuple):
    place: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearQuadratic(Family):
    """x' = A x + action, from a random place; the loss is x'^2, summed over coordinates."""

    dtype: str = "float64"
    outcome: ClassVar[str] = "loss"

    @property
    def slots(self) -> Slots:
        return Slots(1, 1, SIZE, 1, 0)

    @property
    def bounds(self) -> Observation:
        inf = float("inf")
        return Observation((0, 1), (0, 1), (-inf, inf), (0, 1), (0, inf), (0, 0), (0, 1))

    def sample_task(self, keys: Array) -> Start:
        return Start(keyed_random.normal(keys, "start", SIZE, dtype=self.dtype))

    def initial_state(self, task: Start) -> Where:
        xp = array_namespace(task.place)
        return Where(task.place, xp.zeros(task.place.shape[0], dtype=xp.int64))

    def observe(self, task: Start, state: Where) -> Observation:
        xp = array_namespace(state.place)
        one = xp.ones_like(state.place[:, :1])
        ones = xp.ones_like(state.place)
        flags = self.flags(state.time)
        return Observation(
            one[..., None], one, state.place, ones, one, state.place[..., None][..., :0], flags
        )

    def step(self, task: Start, state: Where, action: Array, noise: Array) -> Transition:
        xp = array_namespace(action)
        place = state.place @ xp.asarray(STAYS, dtype=action.dtype).T + action
        loss, time = xp.sum(place**2, axis=-1), state.time + 1
        return Transition(Where(place, time), -loss, loss, time == self.horizon)

    def info(self, task: Start, state: Where) -> dict[str, Array]:
        loss = (state.place**2).sum(-1)
        return {"loss": loss, "is_success": loss < 0}


class Pusher(LearnedAgent):
    """Pushes in the same way at every step; its weights are in two parameters."""

    Settings = Settings

    def __init__(self) -> None:
        super().__init__(None, "continuous")
        self.first = nn.Parameter(torch.tensor([0.3], dtype=torch.float64))
        self.second = nn.Parameter(torch.tensor([-0.2], dtype=torch.float64))

    def initial_state(self, family: Family, keys: Tensor) -> Any:
        return ()

    def act(
        self, state: Any, observation: Observation, keys: Tensor, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        push = torch.cat([self.first, self.second])
        return state, push.expand(len(keys), -1), {}


def gradient(
    agent: Pusher, family: LinearQuadratic, keys: Tensor, objective: Objective, windows: list[int]
) -> Tensor:
    """Of the objective in the push [SIZE], cut between windows: in closed form, nothing is differentiated.

    x_t = A^t x_0 + S_t push with S_t = 1 + A + ... + A^(t-1). In a window that begins after s steps
    the gradient of x_t is S_(t-s), as x_s counts as given.
    """
    stays = torch.tensor(STAYS, dtype=torch.float64)
    push = torch.cat([agent.first, agent.second]).detach()
    start = family.sample_task(keys).place  # (B, SIZE)
    powers = [torch.linalg.matrix_power(stays, t) for t in range(family.horizon + 1)]
    sums = [sum(powers[:t], torch.zeros_like(stays)) for t in range(family.horizon + 1)]
    total, began = torch.zeros(SIZE, dtype=torch.float64), 0
    weights = step_weights(objective, family.horizon)
    for steps in windows:
        for t in range(began + 1, began + steps + 1):
            place = start @ powers[t].T + sums[t] @ push  # (B, SIZE)
            total = total + weights[t - 1] * 2 * sums[t - began].T @ place.mean(dim=0)
        began += steps
    return total
