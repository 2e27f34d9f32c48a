"""A value network: learns beside an agent, from its experts' states, what trials still have to earn."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_agents.estimators.base import Memory, memories_apart, one_memory
from badger_agents.estimators.optimiser import adam
from badger_envs import keyed_random

PREFIX = "value/"
"""How names begin in an estimator's memory of what belongs to the network."""

WEIGHT, ADAM = PREFIX + "weight/", PREFIX + "adam/"


class ValueNetwork:
    """A network over experts: a layer for each, their mean, a layer, one number. It is no part of the agent.

    It holds nothing: weights and Adam's state are in the estimator's memory, so that checkpoints keep them.
    Gradients never reach the agent. Where G groups of trials stand side by side, each has a network of its
    own, which reads that group's rows.

    Args:
        hidden_size: of both layers.
        learning_rate: Adam's.
    """

    def __init__(self, hidden_size: int, learning_rate: float) -> None:
        self.hidden_size = hidden_size
        self._optimise = adam(learning_rate)

    def values(
        self, memory: Memory, states: Float[Tensor, "T B E S"], keys: Int[Tensor, "G 4"]
    ) -> tuple[Memory, Float[Tensor, "T B"]]:
        """What is still to come, as far as is known; the memory gets fresh networks if it has none.

        What a network says of the states after a step's reading is taken for that step.

        Args:
            memory: the estimator's.
            states: of all groups' experts.
            keys: one of each group, by which a fresh network's weights are drawn.
        """
        groups = len(keys)
        if not any(name.startswith(PREFIX) for name in memory):
            memory = one_memory([{**memory, **self._fresh(states, key[None])} for key in keys])
        with torch.no_grad():
            told = [
                self._call(_part(one, WEIGHT), own)
                for one, own in zip(memories_apart(memory, groups), states.chunk(groups, dim=1), strict=True)
            ]  # (T, B/G) each
        return memory, torch.cat(told, dim=1)  # (T, B)

    def learn(
        self, memory: Memory, states: Float[Tensor, "T B E S"], target: Float[Tensor, "T B"], groups: int = 1
    ) -> Memory:
        """One step of Adam on each network's mean squared error."""
        rows = zip(
            memories_apart(memory, groups),
            states.chunk(groups, dim=1),
            target.chunk(groups, dim=1),
            strict=True,
        )
        return one_memory([self._learn(one, own, aim) for one, own, aim in rows])

    def _learn(self, memory: Memory, states: Tensor, target: Tensor) -> Memory:
        """Of one network."""
        with torch.enable_grad():
            weights = {name: part.detach().requires_grad_() for name, part in _part(memory, WEIGHT).items()}
            error = (self._call(weights, states.detach()) - target.detach()).square().mean()
            gradients = torch.autograd.grad(error, tuple(weights.values()))
        weights, moments = self._optimise(
            weights, dict(zip(weights, gradients, strict=True)), _part(memory, ADAM), 1.0
        )
        after = {WEIGHT + name: part for name, part in weights.items()}
        return {**memory, **after, **{ADAM + name: part for name, part in moments.items()}}

    def _fresh(self, states: Float[Tensor, "T B E S"], key: Int[Tensor, "1 4"]) -> Memory:
        """Weights at the start: even between plus and minus 1 over the root of how much a layer reads."""
        hidden, read = self.hidden_size, states.shape[-1]
        made = {
            "number.weight": states.new_zeros(1, hidden),
            "number.bias": states.new_zeros(1),
        }  # promises 0
        for name, size in (("one", read), ("all", hidden)):
            drawn = keyed_random.uniform(key, f"estimator/value/{name}", hidden * (size + 1), dtype="float64")
            layer = (2 * drawn - 1).view(hidden, size + 1).to(states) / size**0.5  # (H, size + 1)
            made |= {f"{name}.weight": layer[:, :-1].contiguous(), f"{name}.bias": layer[:, -1].contiguous()}
        return {WEIGHT + name: weight for name, weight in made.items()}

    def _call(self, weights: dict[str, Tensor], states: Float[Tensor, "T B E S"]) -> Float[Tensor, "T B"]:
        linear = nn.functional.linear
        one = torch.relu(linear(states, weights["one.weight"], weights["one.bias"])).mean(dim=2)  # (T, B, H)
        every = torch.relu(linear(one, weights["all.weight"], weights["all.bias"]))  # (T, B, H)
        return linear(every, weights["number.weight"], weights["number.bias"])[..., 0]  # (T, B)


def _part(memory: Memory, prefix: str) -> dict[str, Tensor]:
    """What a memory holds under names that begin so, by the rest of the names."""
    return {name.removeprefix(prefix): part for name, part in memory.items() if name.startswith(prefix)}
