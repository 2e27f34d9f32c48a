"""Optimisers as pure functions: from weights, gradients and what was remembered to the next of each."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from badger_agents.settings import Settings

Update = Callable[
    [Mapping[str, Tensor], Mapping[str, Tensor], Mapping[str, Tensor], float],
    tuple[dict[str, Tensor], dict[str, Tensor]],
]
"""`update(weights, gradients, state, factor) -> (weights, state)`; a state is tensors by "weight/what".

The factor multiplies all learning rates. Nothing that is given is changed.
"""

BETA1, EPSILON = 0.9, 1e-8
"""Of Adam: its memory of gradients, and what is added to the root that it divides by."""

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic polynomial that brings singular values near 1 (Jordan et al. 2024)."""

ITERATIONS = 5
"""How often that polynomial is applied."""

SHORTEST = 1e-7
"""Norm below which a matrix is not lengthened to 1: one of zeros stays so."""

STACKED = "stacked_matrices"
"""Name of a class attribute, by which a module says how many matrices lie below each other in its weights."""


class AdamSettings(Settings):
    """Adam (Kingma and Ba 2015) on all weights.

    Attributes:
        learning_rate: at the start.
        beta2: memory of squared gradients.
    """

    kind: Literal["adam"] = "adam"
    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    beta2: float = Field(default=0.999, gt=0, lt=1)

    def make(self, stacked: Mapping[str, int]) -> Update:
        """The optimiser as a function; `stacked` as of `muon`, which Adam does not care for."""
        return adam(self.learning_rate, self.beta2)


class MuonSettings(Settings):
    """Muon (Jordan et al. 2024) on weights that are matrices, Adam on the rest.

    Attributes:
        learning_rate: of matrices, at the start.
        momentum: memory of their gradients (Nesterov's).
        adam_learning_rate: of the rest, at the start.
        beta2: Adam's memory of squared gradients.
    """

    kind: Literal["muon"]  # no default: what is as by default is no part of a recipe's identity
    learning_rate: float = Field(default=0.02, gt=0, allow_inf_nan=False)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    adam_learning_rate: float = Field(default=8e-3, gt=0, allow_inf_nan=False)
    beta2: float = Field(default=0.999, gt=0, lt=1)

    def make(self, stacked: Mapping[str, int]) -> Update:
        """The optimiser as a function; `stacked` as of `muon`."""
        return muon(self, stacked)


def _kind_is_adam(table: Any) -> Any:
    return {"kind": "adam", **table} if isinstance(table, dict) else table


OptimiserSettings = Annotated[
    AdamSettings | MuonSettings, Field(discriminator="kind"), BeforeValidator(_kind_is_adam)
]
"""[training.optimiser]: `kind` says which; Adam if it is not given."""


def adam(learning_rate: float, beta2: float = 0.999) -> Update:
    """Adam, bit for bit as `torch.optim.Adam` has it on a CPU, with its usual memory of gradients."""

    def update(
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        factor: float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        after: dict[str, Tensor] = {}
        memory: dict[str, Tensor] = {}
        for name, weight in weights.items():
            gradient = gradients[name]
            mean, square, count = (state.get(f"{name}/{what}") for what in ("exp_avg", "exp_avg_sq", "step"))
            if mean is None or square is None or count is None:
                mean, square, count = torch.zeros_like(weight), torch.zeros_like(weight), _zero()
            mean = mean.lerp(gradient, 1 - BETA1)
            square = (square * beta2).addcmul_(gradient, gradient, value=1 - beta2)
            count = count + 1
            step = count.item()
            root = (square.sqrt() / (1 - beta2**step) ** 0.5).add_(EPSILON)
            rate = learning_rate * factor / (1 - BETA1**step)
            after[name] = weight.addcdiv(mean, root, value=-rate)
            memory |= {f"{name}/step": count, f"{name}/exp_avg": mean, f"{name}/exp_avg_sq": square}
        return after, memory

    return update


def muon(settings: MuonSettings, stacked: Mapping[str, int]) -> Update:
    """Muon on matrices, without weight decay, and Adam on the rest.

    Matrices are weights of two axes, or of three whose first says which matrix; both sizes are at least 2.
    A matrix's momentum is replaced by the nearest matrix whose singular values are about 1, and a step is the
    longer the more rows it has per column, as with `torch.optim.Muon`.

    Args:
        settings: rates and memories.
        stacked: by weight, how many matrices lie below each other in it, the gates of a recurrent cell, say;
            each is made orthogonal apart. Weights that it does not name are one matrix.
    """
    others = adam(settings.adam_learning_rate, settings.beta2)

    def update(
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        factor: float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        blocks = {name: _matrices(weight, stacked.get(name, 1)) for name, weight in weights.items()}
        rest = {name: weight for name, weight in weights.items() if blocks[name] is None}
        after, memory = others(rest, gradients, state, factor)
        alike: dict[tuple[int, int], dict[str, Tensor]] = {}  # matrices of one shape are one batch
        for name, matrices in blocks.items():
            if matrices is None:
                continue
            gradient, before = gradients[name], state.get(f"{name}/momentum")
            momentum = (torch.zeros_like(gradient) if before is None else before).lerp(
                gradient, 1 - settings.momentum
            )
            memory[f"{name}/momentum"] = momentum
            ahead = gradient.lerp(momentum, settings.momentum).reshape(matrices)  # (P, R, C)
            alike.setdefault(matrices[1:], {})[name] = ahead
        for (rows, columns), of_shape in alike.items():
            rate = settings.learning_rate * factor * math.sqrt(max(1.0, rows / columns))
            turned = orthogonalised(torch.cat(list(of_shape.values())))  # (P, R, C) of all together
            parts = turned.split([len(part) for part in of_shape.values()])
            for name, part in zip(of_shape, parts, strict=True):
                after[name] = weights[name].sub(part.reshape(weights[name].shape), alpha=rate)
        return {name: after[name] for name in weights}, memory

    return update


def orthogonalised(matrices: Float[Tensor, "P R C"]) -> Float[Tensor, "P R C"]:
    """Each matrix with its own singular vectors and singular values near 1, by Newton-Schulz iterations.

    The values end between about 0.7 and 1.2 unless they were thousands of times smaller than the largest.
    It is computed in 32 bits, or in the matrices' own if they have more.
    """
    a, b, c = COEFFICIENTS
    wide = matrices.mT if matrices.shape[-2] > matrices.shape[-1] else matrices
    x = wide.to(torch.promote_types(matrices.dtype, torch.float32))  # (P, S, L), S <= L
    x = x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True).clamp(min=SHORTEST)
    for _ in range(ITERATIONS):
        gram = x @ x.mT  # (P, S, S)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.to(matrices.dtype)
    return x.mT if wide is not matrices else x


def stacked_matrices(agent: nn.Module) -> dict[str, int]:
    """In which weights of an agent several matrices lie below each other, and how many.

    A module says so by a class attribute `stacked_matrices` for weights of its own; recurrent cells and
    attention of torch's, and what is derived from them, need none.
    """
    counts = {}
    for place, module in agent.named_modules():
        count = _stacked_in(module)
        if count > 1:
            for name, _ in module.named_parameters(place, recurse=False):
                counts[name] = count
    return counts


def _stacked_in(module: nn.Module) -> int:
    """How many matrices lie below each other in each of a module's own weights."""
    said = getattr(module, STACKED, None)
    if isinstance(said, int):
        return said
    if isinstance(module, nn.LSTMCell | nn.LSTM):
        return 4
    return 3 if isinstance(module, nn.GRUCell | nn.GRU | nn.MultiheadAttention) else 1


def _matrices(weight: Tensor, count: int) -> tuple[int, int, int] | None:
    """Shape [P, R, C] of a weight as the matrices that it is made of; None if it is none."""
    if weight.dim() not in (2, 3) or weight.shape[-2] % count:
        return None
    rows, columns = weight.shape[-2] // count, weight.shape[-1]
    if min(rows, columns) < 2:
        return None
    return weight.numel() // (rows * columns), rows, columns


def _zero() -> Tensor:
    return torch.zeros((), device="cpu")  # a count needs no accelerator


def clipped(gradients: Mapping[str, Tensor], norm: Tensor, largest: float) -> dict[str, Tensor]:
    """Gradients, all shortened alike if their norm together is above the largest.

    Args:
        gradients: by name.
        norm: of all of them together.
        largest: what it is shortened to.
    """
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grads_with_norm_ does
    return {name: gradient * factor.to(gradient) for name, gradient in gradients.items()}
