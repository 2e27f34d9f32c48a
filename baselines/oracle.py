"""The oracle: writes the task's secret, which no agent sees; a ceiling, not a solution."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import random
from badger_envs.family import Family, Observation


class Oracle:
    """Writes what the output slots should hold (`Family.solution`), found by drawing the task again.

    An agent under contract 4 that looks where agents must not: into the keys. Not for boards.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Float[Tensor, "B O"]:
        """The solution.

        Raises:
            ValueError: the family has none, or its actions are no values.
        """
        task = family.sample_task(random.agent_keys(keys))  # undoes what keeps an agent's draws apart
        solution = family.solution(task, family.initial_state(task))
        if solution is None or family.action_kind == "categorical":
            raise ValueError(f"{type(family).__name__} has no solution that could be written")
        return torch.as_tensor(solution)

    def act(
        self, state: Float[Tensor, "B O"], observation: Observation, keys: Int[Tensor, "B 4"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B O"], dict[str, Tensor]]:
        """The solution, at every step."""
        return state, state, {}
