"""Agents as functions of their weights: the code of one with weights that are given, or many side by side."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from badger_agents import tree
from badger_agents.agent import Keys, LearnedAgent
from badger_envs.family import Family, Observation

Result = TypeVar("Result")

Weights = Mapping[str, Tensor]
"""Parameters (and saved buffers) by name, as `state_dict` has them; stacked: each [N, ...]."""


class FunctionalAgent:
    """An agent's code with given weights (contract 5): an `Agent`, for rollouts, estimators and evaluation.

    With stacked weights it is N agents as one: of N * B rows the first B belong to the first agent, and so
    on; `torch.vmap` maps the code over weights and rows. Gradients flow into the given weights.

    Args:
        agent: the code. Its own weights are used for what `weights` does not name, and never changed.
        weights: by name.
        count: N, if they are stacked; None: they are one agent's.
        randomness: of N agents, whether what policies draw from torch's own generator is the "same" for all,
            "different", or an "error".
    """

    def __init__(
        self,
        agent: LearnedAgent,
        weights: Weights,
        count: int | None = None,
        randomness: Literal["same", "different", "error"] = "error",
    ) -> None:
        self.count, self.randomness = count, randomness
        self.sequence_major = agent.sequence_major and count is None
        self.knows_trials = agent.knows_trials
        self._weights = {f"agent.{name}": value for name, value in weights.items()}
        self._methods = _Methods(agent)

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What `function(agent, *arguments)` returns, such as a rollout.

        One agent gets its weights once for all that the function does, which takes less time than step by
        step.
        """
        if self.count is None:
            made: Result = functional_call(self._methods, self._weights, (function, *arguments))
            return made
        return function(self, *arguments)

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """See `Agent.initial_state`."""
        if self.count is None:
            return functional_call(self._methods, self._weights, ("initial_state", family, keys))
        return self._side_by_side(keys, lambda keys: ("initial_state", family, keys))

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """See `Agent.act`."""
        if self.count is None:
            return functional_call(self._methods, self._weights, ("act", state, observation, keys, step))
        return self._side_by_side((state, observation, keys), lambda rows: ("act", *rows, step))

    def unroll(self, state: Any, observations: Observation, keys: Keys) -> tuple[Any, dict[str, Tensor]]:
        """See `LearnedAgent.unroll`."""
        if self.count is None:
            return functional_call(self._methods, self._weights, ("unroll", state, observations, keys))
        return LearnedAgent.unroll(self, state, observations, keys)  # type: ignore[arg-type]  # asks for act

    def _side_by_side(self, rows: Any, call: Callable[[Any], tuple[Any, ...]]) -> Any:
        """Call a method of all agents, each with its own rows of tensors [N*B, ...]."""

        def one(weights: dict[str, Tensor], rows: Any) -> Any:
            return functional_call(self._methods, weights, call(rows))

        own = tree.map(lambda part: part.unflatten(0, (self.count, -1)), rows)  # (N, B, ...) each
        made = torch.vmap(one, randomness=self.randomness)(self._weights, own)
        return tree.map(lambda part: part.flatten(0, 1), made)  # (N*B, ...) each


class _Methods(nn.Module):
    """A module whose methods, or functions of it, are called: `functional_call` knows of one method only."""

    def __init__(self, agent: nn.Module) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, called: str | Callable[..., Any], *arguments: Any) -> Any:
        if isinstance(called, str):
            return getattr(self.agent, called)(*arguments)
        return called(self.agent, *arguments)


def call_with(module: nn.Module, weights: Weights, called: str, *arguments: Any) -> Any:
    """What a method of a module returns with these weights in place of its own, by name."""
    return functional_call(
        _Methods(module), {f"agent.{name}": weight for name, weight in weights.items()}, (called, *arguments)
    )
