"""Optimisers as pure functions: from weights, gradients and what was remembered to the next of each."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

Update = Callable[
    [Mapping[str, Tensor], Mapping[str, Tensor], Mapping[str, Tensor], float],
    tuple[dict[str, Tensor], dict[str, Tensor]],
]
"""`update(weights, gradients, state, rate) -> (weights, state)`; a state is tensors by "weight/what"."""


def adam(beta2: float) -> Update:
    """Adam (Kingma and Ba 2015), as `torch.optim.Adam` has it, with its usual memory of gradients."""

    def make(leaves: Iterable[Tensor], rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(leaves, lr=rate, betas=(0.9, beta2))

    return pure(make)


def pure(make: Callable[[Iterable[Tensor], float], torch.optim.Optimizer]) -> Update:
    """One step of an optimiser of PyTorch's as a function; nothing that is given is changed.

    Args:
        make: builds the optimiser of some leaves, for a learning rate.
    """

    def update(
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        rate: float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        leaves = {name: weight.detach().clone() for name, weight in weights.items()}
        optimiser = make(leaves.values(), rate)
        for name, remembered in state.items():
            weight, _, what = name.rpartition("/")
            optimiser.state[leaves[weight]][what] = remembered.clone()
        for name, leaf in leaves.items():
            leaf.grad = gradients[name]
        optimiser.step()
        after = {
            f"{name}/{what}": value
            for name, leaf in leaves.items()
            for what, value in optimiser.state[leaf].items()
        }
        return leaves, after

    return update


def clipped(gradients: Mapping[str, Tensor], norm: Tensor, largest: float) -> dict[str, Tensor]:
    """Gradients, all shortened alike if their norm together is above the largest.

    Args:
        gradients: by name.
        norm: of all of them together.
        largest: what it is shortened to.
    """
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grads_with_norm_ does
    return {name: gradient * factor.to(gradient) for name, gradient in gradients.items()}
