"""Agents with the same code and different weights, side by side, as one agent."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from badger_agents.agent import Keys, LearnedAgent
from badger_envs.family import Family, Observation

_MAPPED = object()
"""Stands for a tensor among what an agent's method returned."""


class Stacked:
    """N agents as one: of N * B rows, the first B belong to the first, and so on.

    It is an `Agent`, so that families, rollouts and evaluation need not know of it, and gradients flow
    into each agent's own weights. Inside, `torch.vmap` maps the agent's methods over the weights.

    Args:
        agent: the code; its own weights are used for what `weights` does not name.
        weights: parameters (and buffers) by name, each [N, ...].
        randomness: whether what policies draw from torch's own generator is the "same" for all,
            "different", or an "error".
    """

    def __init__(
        self,
        agent: LearnedAgent,
        weights: Mapping[str, Tensor],
        randomness: Literal["same", "different", "error"] = "different",
    ) -> None:
        self.count = len(next(iter(weights.values())))
        self.weights = {f"agent.{name}": value for name, value in weights.items()}
        self.randomness = randomness
        self._methods = _Methods(agent)

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """The agents' states, with a leading axis of N * B."""
        return self._call("initial_state", keys, family)

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """One step of all; see `Agent.act`."""
        return self._call("act", (state, observation, keys, step), None)

    def _call(self, method: str, mapped: Any, family: Family | None) -> Any:
        """Call a method of all agents. What is no tensor (a time, say) is the same for all."""
        leaves, spec = pytree.tree_flatten(mapped)
        tensors = [
            leaf.unflatten(0, (self.count, -1)) for leaf in leaves if isinstance(leaf, Tensor)
        ]  # (N, B, ...)
        shape: list[Any] = []

        def one(weights: dict[str, Tensor], tensors: list[Tensor]) -> list[Tensor]:
            parts = iter(tensors)
            whole = [next(parts) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
            given = pytree.tree_unflatten(whole, spec)
            arguments = (family, given) if method == "initial_state" else given
            result, result_spec = pytree.tree_flatten(
                functional_call(self._methods, weights, (method, *arguments))
            )
            shape[:] = [[_MAPPED if isinstance(leaf, Tensor) else leaf for leaf in result], result_spec]
            return [leaf for leaf in result if isinstance(leaf, Tensor)]

        with _CellsInParts():
            made = iter(torch.vmap(one, randomness=self.randomness)(self.weights, tensors))
        others, result_spec = shape
        return pytree.tree_unflatten(
            [next(made).flatten(0, 1) if leaf is _MAPPED else leaf for leaf in others], result_spec
        )


class _Methods(nn.Module):
    """An agent whose methods are called by name: `functional_call` knows of one method only."""

    def __init__(self, agent: LearnedAgent) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, method: str, *arguments: Any) -> Any:
        return getattr(self.agent, method)(*arguments)


class _CellsInParts(TorchFunctionMode):
    """Computes GRU cells part by part: `torch.vmap` has no rule for the whole and would go one by one."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.gru_cell:
            return _gru_cell(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _gru_cell(
    read: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None
) -> Tensor:
    """What `torch.gru_cell` computes: Cho et al. 2014 as `torch.nn.GRUCell` has it."""
    reset_in, update_in, new_in = nn.functional.linear(read, w_ih, b_ih).chunk(3, dim=-1)  # (B, H) each
    reset_of, update_of, new_of = nn.functional.linear(state, w_hh, b_hh).chunk(3, dim=-1)  # (B, H) each
    update = torch.sigmoid(update_in + update_of)  # (B, H)
    new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_of) * new_of)  # (B, H)
    return new + update * (state - new)
