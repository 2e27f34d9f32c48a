"""A value network: learns beside an agent, from its experts' states, what trials still have to earn."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_agents.estimators.base import Memory
from badger_agents.estimators.optimiser import adam

PREFIX = "value/"
"""How names begin in an estimator's memory of what belongs to the network."""

WEIGHT, ADAM = PREFIX + "weight/", PREFIX + "adam/"


class ValueNetwork:
    """A network over experts: a layer for each, their mean, a layer, one number. It is no part of the agent.

    It holds nothing: weights and Adam's state are in the estimator's memory, so that checkpoints keep them.
    Gradients never reach the agent.

    Args:
        hidden_size: of both layers.
        learning_rate: Adam's.
    """

    def __init__(self, hidden_size: int, learning_rate: float) -> None:
        self.hidden_size = hidden_size
        self._optimise = adam(learning_rate)

    def values(self, memory: Memory, states: Float[Tensor, "T B E S"]) -> tuple[Memory, Float[Tensor, "T B"]]:
        """What is still to come, as far as is known; the memory gets a fresh network if it has none.

        What the network says of the states after a step's reading is taken for that step.
        """
        if not any(name.startswith(PREFIX) for name in memory):
            memory = {**memory, **self._fresh(states)}
        with torch.no_grad():
            return memory, self._call(_part(memory, WEIGHT), states)

    def learn(self, memory: Memory, states: Float[Tensor, "T B E S"], target: Float[Tensor, "T B"]) -> Memory:
        """One step of Adam on the mean squared error."""
        with torch.enable_grad():
            weights = {name: part.detach().requires_grad_() for name, part in _part(memory, WEIGHT).items()}
            error = (self._call(weights, states.detach()) - target.detach()).square().mean()
            gradients = torch.autograd.grad(error, tuple(weights.values()))
        weights, moments = self._optimise(
            weights, dict(zip(weights, gradients, strict=True)), _part(memory, ADAM), 1.0
        )
        after = {WEIGHT + name: part for name, part in weights.items()}
        return {**memory, **after, **{ADAM + name: part for name, part in moments.items()}}

    def _fresh(self, states: Float[Tensor, "T B E S"]) -> Memory:
        """Weights at the start, from torch's generator."""
        layers = self._layers(states.shape[-1]).state_dict()
        return {WEIGHT + name: weight.to(states) for name, weight in layers.items()}

    def _layers(self, size: int) -> nn.ModuleDict:
        """One expert's, all experts' and the number's."""
        number = nn.Linear(self.hidden_size, 1)
        nn.init.zeros_(number.weight)  # it starts by promising nothing
        nn.init.zeros_(number.bias)
        one, everybody = nn.Linear(size, self.hidden_size), nn.Linear(self.hidden_size, self.hidden_size)
        return nn.ModuleDict({"one": one, "all": everybody, "number": number})

    def _call(self, weights: dict[str, Tensor], states: Float[Tensor, "T B E S"]) -> Float[Tensor, "T B"]:
        linear = nn.functional.linear
        one = torch.relu(linear(states, weights["one.weight"], weights["one.bias"])).mean(dim=2)  # (T, B, H)
        every = torch.relu(linear(one, weights["all.weight"], weights["all.bias"]))  # (T, B, H)
        return linear(every, weights["number.weight"], weights["number.bias"])[..., 0]  # (T, B)


def _part(memory: Memory, prefix: str) -> dict[str, Tensor]:
    """What a memory holds under names that begin so, by the rest of the names."""
    return {name.removeprefix(prefix): part for name, part in memory.items() if name.startswith(prefix)}
