"""A value network: learns beside an agent, from its experts' states, what trials still have to earn."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_agents.estimators.base import Memory

PREFIX = "value/"
"""How names begin in an estimator's memory of what belongs to the network."""

BETAS, SMALL = (0.9, 0.999), 1e-8
"""Adam's (Kingma and Ba 2015)."""


class ValueNetwork:
    """A network over experts: a layer for each, their mean, a layer, one number. It is no part of the agent.

    It holds nothing: weights and Adam's state are in the estimator's memory, so that checkpoints keep them.
    Gradients never reach the agent.

    Args:
        hidden_size: of both layers.
        learning_rate: Adam's.
    """

    def __init__(self, hidden_size: int, learning_rate: float) -> None:
        self.hidden_size, self.learning_rate = hidden_size, learning_rate

    def values(self, memory: Memory, states: Float[Tensor, "T B E S"]) -> tuple[Memory, Float[Tensor, "T B"]]:
        """What is still to come, as far as is known; the memory gets a fresh network if it has none.

        What the network says of the states after a step's reading is taken for that step.
        """
        if PREFIX + "steps" not in memory:
            memory = {**memory, **self._fresh(states)}
        with torch.no_grad():
            return memory, self._call(self._weights(memory), states)

    def learn(self, memory: Memory, states: Float[Tensor, "T B E S"], target: Float[Tensor, "T B"]) -> Memory:
        """One step of Adam on the mean squared error."""
        with torch.enable_grad():
            weights = {name: part.requires_grad_() for name, part in self._weights(memory).items()}
            error = (self._call(weights, states.detach()) - target.detach()).square().mean()
            gradients = torch.autograd.grad(error, tuple(weights.values()))
        steps = memory[PREFIX + "steps"] + 1
        after = {**memory, PREFIX + "steps": steps}
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            moments = []
            for number, power in ((1, gradient), (2, gradient.square())):
                key, beta = f"{PREFIX}{name}/moment{number}", BETAS[number - 1]
                after[key] = beta * memory[key] + (1 - beta) * power
                moments.append(after[key] / (1 - beta**steps))
            step = moments[0] / (moments[1].sqrt() + SMALL)
            after[f"{PREFIX}{name}/weight"] = weight.detach() - self.learning_rate * step
        return after

    def _fresh(self, states: Float[Tensor, "T B E S"]) -> Memory:
        """Weights at the start, from torch's generator, and an optimiser that remembers nothing."""
        memory = {PREFIX + "steps": torch.zeros((), dtype=torch.int64, device=states.device)}
        for name, weight in self._layers(states.shape[-1]).state_dict().items():
            weight = weight.to(states)
            memory[f"{PREFIX}{name}/weight"] = weight
            memory[f"{PREFIX}{name}/moment1"] = torch.zeros_like(weight)
            memory[f"{PREFIX}{name}/moment2"] = torch.zeros_like(weight)
        return memory

    def _weights(self, memory: Memory) -> dict[str, Tensor]:
        """The weights alone, by the names of the layers."""
        names = [key for key in memory if key.startswith(PREFIX) and key.endswith("/weight")]
        return {key.removeprefix(PREFIX).removesuffix("/weight"): memory[key].detach() for key in names}

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
