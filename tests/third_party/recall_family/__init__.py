"""Recall: numbers are shown once, then come distractions, then they are asked for."""

import dataclasses
from typing import ClassVar, NamedTuple

from array_api_compat import array_namespace

import badger_envs
from badger_envs import Bounds, Family, Observation, Slots, Transition, keyed_random
from badger_envs.keyed_random import Array


class Task(NamedTuple):
    """number: [B, O], to be remembered."""

    number: Array


class State(NamedTuple):
    """shown: [B, I]; outputs: [B, O], written last; error: [B], of those; time: int64 [B]."""

    shown: Array
    outputs: Array
    error: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recall(Family):
    """Write at the last step what the inputs showed at the first.

    ## Description
    The first observation shows `numbers` numbers, uniform in [-1, 1]; all later ones show others that do
    not matter. The last writing should be the first numbers: a test of memory in each part of an agent.

    ## Action space
    `Box(-1, 1, (numbers,))`.

    ## Observation space
    `inputs`: the numbers to remember, then distractions. `outputs`: written last. `feedback`: at the end
    the error, 0 before. `flags`: first step, query (the answer to this observation counts), time gone.

    ## Rewards
    At the last step minus the error, mean((x - number) ** 2); 0 before. The per-step loss is the error.

    ## Episode end
    Terminates after `horizon` steps. `info["error"]` judges the trial.
    """

    horizon: int = 5
    numbers: int = 3

    outcome: ClassVar[str] = "error"

    def __post_init__(self) -> None:
        super().__post_init__()
        badger_envs.family.check_integer("numbers", self.numbers, low=1)

    @property
    def noise_size(self) -> int:
        return self.numbers

    @property
    def slots(self) -> Slots:
        return Slots(self.numbers, 1, self.numbers, 1, 0)

    @property
    def bounds(self) -> Bounds:
        return Bounds(inputs=(-1, 1), outputs=(-1, 1), feedback=(0, 4))

    def sample_task(self, keys: Array) -> Task:
        return Task(2 * keyed_random.uniform(keys, "number", self.numbers, dtype=self.dtype) - 1)

    def initial_state(self, task: Task) -> State:
        xp = array_namespace(task.number)
        outputs = xp.zeros_like(task.number)
        error = xp.mean(task.number**2, axis=-1)
        return State(task.number, outputs, error, xp.zeros_like(error, dtype=xp.int64))

    def observe(self, task: Task, state: State) -> Observation:
        xp = array_namespace(state.error)
        query = xp.astype(state.time == self.horizon - 1, state.error.dtype)
        ended = xp.astype(state.time == self.horizon, state.error.dtype)
        ones = xp.ones_like(state.outputs)
        return Observation(
            inputs=state.shown[:, :, None],
            input_mask=ones,
            outputs=state.outputs,
            output_mask=xp.ones_like(state.outputs),
            feedback=(state.error * ended)[:, None],
            output_feedback=ones[:, :, None][:, :, :0],
            flags=self.flags(state.time, query),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        xp = array_namespace(action)
        error = xp.mean((action - task.number) ** 2, axis=-1)
        time = state.time + 1
        ends = time == self.horizon
        reward = xp.where(ends, -error, xp.zeros_like(error))
        return Transition(State(2 * noise - 1, action, error, time), reward, error, ends)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        return {"error": state.error, "is_success": state.error < 0.01}

    def solution(self, task: Task, state: State) -> Array:
        return task.number


badger_envs.register("Recall/Recall-v0", "recall_family:Recall")
