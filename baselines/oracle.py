"""The oracle: writes the task's secret, which no agent sees; a ceiling, not a solution."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.family import Family, Observation


def answers(family: Family, keys: Int[Tensor, "B 4"]) -> Float[Tensor, "B T O"]:
    """What should be written at each step of a trial (`Family.solution`), found by playing the trial again.

    In no family here does it depend on what is written, so that nothing is written.

    Args:
        family: of T steps.
        keys: the trials' own, which no contestant gets.

    Raises:
        ValueError: the family has no solution.
    """
    task = family.sample_task(keys)
    state, noise = family.initial_state(task), family.noise(keys, family.horizon)  # (B, T, N)
    dtype = torch.int64 if family.action_kind == "categorical" else getattr(torch, family.dtype)
    shape = (len(keys),) if family.action_kind == "categorical" else (len(keys), family.slots.outputs)
    nothing = torch.zeros(shape, dtype=dtype, device=keys.device)  # (B,) or (B, O)
    found = []
    for step in range(family.horizon):
        solution = family.solution(task, state)
        if solution is None:
            raise ValueError(f"{type(family).__name__} has no solution")
        found.append(torch.as_tensor(solution))  # (B, O)
        state = family.step(task, state, nothing, noise[:, step]).state
    return torch.stack(found, dim=1)  # (B, T, O)


class OracleState(NamedTuple):
    """answers: [B, T, O], of the whole trial."""

    answers: Tensor


class Oracle:
    """Writes what the output slots should hold at each step.

    It knows the trials, as agents must not (see `Agent`): a reference, and no contestant.
    """

    knows_trials = True

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> OracleState:
        """The answers.

        Raises:
            ValueError: the family has none, or its actions are no values.
        """
        if family.action_kind == "categorical":
            raise ValueError(f"{type(family).__name__} has no solution that could be written")
        return OracleState(answers(family, keys))

    def act(
        self, state: OracleState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[OracleState, Float[Tensor, "B O"], dict[str, Tensor]]:
        """The answer of this step."""
        return state, state.answers[:, step], {}


class BestChoice(Oracle):
    """Names the slot that is the answer at each step: for choices that change nothing but what is earned."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> OracleState:
        """The answers."""
        return OracleState(answers(family, keys))

    def act(
        self, state: OracleState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[OracleState, Int[Tensor, "B"], dict[str, Tensor]]:
        """The best slot of this step."""
        return state, state.answers[:, step].argmax(dim=-1), {}
