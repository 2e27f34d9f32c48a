"""A family that uses every part of the contract that the faces must carry, in a few lines."""

import dataclasses
from typing import ClassVar, NamedTuple

from array_api_compat import array_namespace

from badger_envs import keyed_random
from badger_envs.family import Bounds, Family, Observation, Slots, Transition
from badger_envs.keyed_random import Array

TOY = f"{__name__}:Toy"


class Task(NamedTuple):
    best: Array
    mask: Array


class State(NamedTuple):
    choice: Array
    reward: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Family):
    """Name the best of 2 or 3 slots, which pays with 0.9: a trial ends early when it has paid."""

    horizon: int = 6

    action_kind = "categorical"
    noise_size = 1
    outcome: ClassVar[str] = "paid"
    higher_is_better: ClassVar[bool] = True

    @property
    def slots(self) -> Slots:
        return Slots(2, 3, 3, 1, 2)

    @property
    def bounds(self) -> Bounds:
        return Bounds(inputs=(-1, 1), outputs=(0, 1), feedback=(0, 1), output_feedback=(-1, 1))

    def sample_task(self, keys: Array) -> Task:
        xp = array_namespace(keys)
        used = keyed_random.integers(keys, "used", 1, 2, 3)  # [B, 1]
        best = keyed_random.integers(keys, "best", 1, 0, 1)[:, 0]  # [B]
        slot = xp.cumulative_sum(xp.ones_like(xp.concat([keys[:, :3]], axis=-1)), axis=-1) - 1
        return Task(best, xp.astype(slot < used, getattr(xp, self.dtype)))

    def initial_state(self, task: Task) -> State:
        xp = array_namespace(task.best)
        zero = xp.zeros_like(task.mask)
        return State(zero, zero[:, 0], xp.zeros_like(task.best))

    def observe(self, task: Task, state: State) -> Observation:
        xp = array_namespace(task.mask)
        one = xp.ones_like(task.mask)
        return Observation(
            inputs=xp.stack([one, -one], axis=1),
            input_mask=one[:, :2],
            outputs=state.choice,
            output_mask=task.mask,
            feedback=state.reward[:, None],
            output_feedback=xp.stack([state.choice, -state.choice], axis=-1),
            flags=self.flags(state.time),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        xp = array_namespace(task.mask)
        slot = xp.cumulative_sum(xp.ones_like(task.mask), axis=-1) - 1
        paid = (action == task.best) & (noise[:, 0] < 0.9)
        reward = xp.astype(paid, getattr(xp, self.dtype))
        choice = xp.astype(slot == action[:, None], getattr(xp, self.dtype)) * task.mask
        time = state.time + 1
        return Transition(State(choice, reward, time), reward, -reward, paid | (time == self.horizon))

    def info(self, task: Task, state: State) -> dict[str, Array]:
        return {"paid": state.reward, "is_success": state.reward > 0, "steps": state.time}
