"""Sequence models of a monolith: GRU, LSTM, GRU with fast weights, causal Transformer, as pure steps."""

from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from badger_agents.cells import FastState, FastWeightsCell, GRUCell

Memory = tuple[Tensor, ...]
"""What is kept from step to step; each tensor is [B, ...]."""


@runtime_checkable
class SequenceModel(Protocol):
    """Features from what is read now and what was read before, in this trial alone."""

    def initial_state(self, like: Float[Tensor, "B 1"], horizon: int) -> Memory:
        """Nothing read yet: all zeros.

        Args:
            like: for batch size, dtype and device.
            horizon: steps in a trial, T.
        """
        ...

    def step(self, reading: Float[Tensor, "B R"], memory: Memory) -> tuple[Float[Tensor, "B H"], Memory]:
        """Features now, and the memory with this step in it."""
        ...

    def unroll(
        self, readings: Float[Tensor, "T B R"], memory: Memory
    ) -> tuple[Float[Tensor, "T B H"], Memory]:
        """As many calls of `step` as there are readings, to rounding, in one call of torch."""
        ...


def restarted(memory: Memory, starts: Bool[Tensor, "B"]) -> Memory:
    """The memory, with nothing in it where a trial starts."""
    return tuple(
        torch.where(starts.view(-1, *[1] * (part.dim() - 1)), torch.zeros_like(part), part) for part in memory
    )


def unroll(
    model: SequenceModel,
    readings: Float[Tensor, "T B R"],
    memory: Memory,
    starts: Bool[Tensor, "T B"] | None = None,
) -> tuple[Float[Tensor, "T B H"], Memory]:
    """A sequence model over a sequence in which trials may end and others start, in each row at other steps.

    Where a trial starts, the row's memory is emptied before that step's reading; nothing else empties it.
    The sequence is cut at such steps, and each part is one call: whole trials side by side are one.

    Args:
        model: the sequence model.
        readings: sequence-major.
        memory: before the first step.
        starts: whether a trial starts at a step; None: nowhere, all go on from `memory`.

    Returns:
        Features of every step, and the memory after the last.
    """
    if starts is None:
        return model.unroll(readings, memory)
    cuts = [step for step, some in enumerate(starts.any(dim=1).tolist()) if some]
    parts = []
    for first, last in pairwise(sorted({0, *cuts, len(readings)})):
        if first in cuts:
            memory = restarted(memory, starts[first])
        features, memory = model.unroll(readings[first:last], memory)
        parts.append(features)
    return torch.cat(parts), memory


class GRU(GRUCell):
    """One GRU cell (Cho et al. 2014); its memory is its H numbers.

    Args:
        input_size, hidden_size, update_bias: see `GRUCell`.
    """

    def initial_state(self, like: Float[Tensor, "B 1"], horizon: int) -> Memory:
        """Zeros."""
        return (torch.zeros_like(like).expand(-1, self.hidden_size),)

    def step(self, reading: Float[Tensor, "B R"], memory: Memory) -> tuple[Float[Tensor, "B H"], Memory]:
        """The cell's state is both."""
        hidden = self(reading, memory[0])  # (B, H)
        return hidden, (hidden,)

    def unroll(
        self, readings: Float[Tensor, "T B R"], memory: Memory
    ) -> tuple[Float[Tensor, "T B H"], Memory]:
        """By `torch.gru`, with the cell's weights."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        features, last = torch.gru(readings, memory[0][None], weights, True, 1, 0.0, False, False, False)
        return features, (last[0],)


class LSTM(nn.LSTMCell):
    """One LSTM cell (Hochreiter and Schmidhuber 1997); its memory is 2H numbers.

    At the start of training it forgets little: the bias of its forget gates is 1 (Jozefowicz et al. 2015).

    Args:
        reading_size: R.
        hidden_size: H.
    """

    def __init__(self, reading_size: int, hidden_size: int) -> None:
        super().__init__(reading_size, hidden_size)
        with torch.no_grad():
            for bias, value in ((self.bias_ih, 1.0), (self.bias_hh, 0.0)):
                bias[hidden_size : 2 * hidden_size] = value

    def initial_state(self, like: Float[Tensor, "B 1"], horizon: int) -> Memory:
        """Zeros."""
        zeros = torch.zeros_like(like).expand(-1, self.hidden_size)
        return zeros, zeros

    def step(self, reading: Float[Tensor, "B R"], memory: Memory) -> tuple[Float[Tensor, "B H"], Memory]:
        """What the cell shows, and all of its state.

        Computed part by part, as `torch.vmap` has no rule for the whole cell.
        """
        read = nn.functional.linear(reading, self.weight_ih, self.bias_ih)  # (B, 4H)
        known = nn.functional.linear(memory[0], self.weight_hh, self.bias_hh)  # (B, 4H)
        admit, keep, new, reveal = (read + known).chunk(4, dim=-1)  # (B, H) each
        cell = torch.sigmoid(keep) * memory[1] + torch.sigmoid(admit) * torch.tanh(new)  # (B, H)
        hidden = torch.sigmoid(reveal) * torch.tanh(cell)  # (B, H)
        return hidden, (hidden, cell)

    def unroll(
        self, readings: Float[Tensor, "T B R"], memory: Memory
    ) -> tuple[Float[Tensor, "T B H"], Memory]:
        """By `torch.lstm`, with the cell's weights."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        before = [part[None] for part in memory]  # (1, B, H) each
        features, *last = torch.lstm(readings, before, weights, True, 1, 0.0, False, False, False)
        return features, (last[0][0], last[1][0])


ADDRESS_SIZE = 32
"""Width of an address of fast weights."""


class FastWeights(FastWeightsCell):
    """One GRU with fast weights; its memory is the GRU's numbers, an address, and a matrix.

    Args:
        reading_size: R.
        hidden_size: H, features: a quarter of them are recalled, the others are the GRU's.
        update_bias: of the GRU.

    Raises:
        ValueError: there is one feature alone.
    """

    def __init__(self, reading_size: int, hidden_size: int, *, update_bias: float = 0.0) -> None:
        if hidden_size < 2:
            raise ValueError(f"hidden_size is {hidden_size}; fast weights need 2 at least")
        recalled = max(1, hidden_size // 4)
        super().__init__(
            reading_size,
            hidden_size - recalled,
            address_size=ADDRESS_SIZE,
            value_size=recalled,
            update_bias=update_bias,
        )

    def initial_state(self, like: Float[Tensor, "B 1"], horizon: int) -> Memory:  # type: ignore[override]
        """Zeros."""
        return tuple(super().initial_state(torch.zeros_like(like).expand(-1, self.gru.hidden_size)))

    def step(self, reading: Float[Tensor, "B R"], memory: Memory) -> tuple[Float[Tensor, "B H"], Memory]:
        """The GRU's state, and what is recalled."""
        recalled, after = self(reading, FastState(*memory))
        return torch.cat([after.hidden, recalled], dim=-1), tuple(after)  # (B, H)

    def unroll(
        self, readings: Float[Tensor, "T B R"], memory: Memory
    ) -> tuple[Float[Tensor, "T B H"], Memory]:
        """Step by step."""
        features = []
        for reading in readings:
            each, memory = self.step(reading, memory)
            features.append(each)
        return torch.stack(features), memory


class Transformer(nn.Module):
    """A small causal Transformer over the steps of a trial; its memory is the keys and values of a window.

    Layers are normalised before each part. How long ago a step was is told by a slope on the attention,
    without weights (ALiBi, Press et al. 2022), so that weights fit any horizon. Its cost is the same at every
    step, as the window always has its full length and what lies before the trial is masked.

    Args:
        reading_size: R.
        hidden_size: H. Keys and values are as wide, or less by what heads cannot share alike.
        layers: L.
        heads: of attention in each layer.
        window: steps that it sees back, this one included, W; None: the whole trial.
    """

    slopes: Tensor

    def __init__(
        self,
        reading_size: int,
        hidden_size: int,
        *,
        layers: int = 2,
        heads: int = 2,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.window = window
        self.width = heads * max(1, hidden_size // heads)  # D
        self.embed = nn.Linear(reading_size, hidden_size)
        self.layers = nn.ModuleList(_Layer(hidden_size, self.width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden_size)
        steepness = 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)  # (heads,)
        self.register_buffer("slopes", steepness, persistent=False)

    def initial_state(self, like: Float[Tensor, "B 1"], horizon: int) -> Memory:
        """An empty window [B, L, W, 2D], and how many steps are in it, int64 [B, 1]."""
        window = min(self.window or horizon, horizon)
        shape = (len(self.layers), window, 2 * self.width)
        cache = torch.zeros_like(like)[..., None, None].expand(-1, *shape)  # (B, L, W, 2D)
        return cache, torch.zeros_like(like, dtype=torch.int64)

    def step(self, reading: Float[Tensor, "B R"], memory: Memory) -> tuple[Float[Tensor, "B H"], Memory]:
        """Attend to what is in the window, with this step as its last."""
        cache, filled = memory[0], memory[1] + 1  # (B, L, W, 2D), (B, 1)
        window = cache.shape[2]
        ago = torch.arange(window - 1, -1, -1, device=cache.device)  # (W,)
        distant = -self.slopes[:, None] * ago.to(cache.dtype)  # (heads, W)
        bias = torch.where((ago < filled)[:, None, None], distant[:, None], -torch.inf)  # (B, heads, 1, W)
        hidden, kept = self.embed(reading), []  # (B, H)
        for layer, before in zip(self.layers, cache.unbind(1), strict=True):
            after, seen = layer(hidden[None], before[:, 1:], bias)  # (1, B, H), (B, W, 2D)
            hidden = after[0]  # (B, H)
            kept.append(seen)
        return self.norm(hidden), (torch.stack(kept, dim=1), filled.clamp(max=window))

    def unroll(
        self, readings: Float[Tensor, "T B R"], memory: Memory
    ) -> tuple[Float[Tensor, "T B H"], Memory]:
        """All steps attend at once, each to its own window: of what was there before, and of these steps."""
        cache, filled = memory  # (B, L, W, 2D), (B, 1)
        window, steps = cache.shape[2], len(readings)
        place = torch.arange(window + steps, device=cache.device)  # (W+T,), of the cache and then these steps
        ago = place[window:, None] - place  # (T, W+T)
        within = (ago >= 0) & (ago < window) & (place >= window - filled)[:, None]  # (B, T, W+T)
        distant = -self.slopes[:, None, None] * ago.to(cache.dtype)  # (heads, T, W+T)
        bias = torch.where(within[:, None], distant, -torch.inf)  # (B, heads, T, W+T)
        hidden, kept = self.embed(readings), []  # (T, B, H)
        for layer, before in zip(self.layers, cache.unbind(1), strict=True):
            hidden, seen = layer(hidden, before, bias)  # (T, B, H), (B, W+T, 2D)
            kept.append(seen[:, -window:])
        return self.norm(hidden), (torch.stack(kept, dim=1), (filled + steps).clamp(max=window))


class _Projection(nn.Linear):
    """Three linear maps of the same input: one each for queries, keys and values."""

    stacked_matrices = 3


class _Layer(nn.Module):
    """Attention over a window, then a network of two layers; both add to what there is."""

    def __init__(self, hidden_size: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.before = nn.LayerNorm(hidden_size)
        self.project = _Projection(hidden_size, 3 * width)  # queries, keys, values
        self.merge = nn.Linear(width, hidden_size)
        self.think = nn.Sequential(
            nn.LayerNorm(hidden_size),
            nn.Linear(hidden_size, 4 * hidden_size),
            nn.GELU(),
            nn.Linear(4 * hidden_size, hidden_size),
        )

    def forward(self, hidden: Tensor, before: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Features [T, B, H] after it, and keys and values [B, V+T, 2D], those of `before` [B, V, 2D] first.

        What `bias` [B, heads, T, V+T] says is added to the scores of attention.
        """
        made = self.project(self.before(hidden))  # (T, B, 3D)
        query, now = made.tensor_split((self.width,), dim=-1)  # (T, B, D), (T, B, 2D)
        seen = torch.cat([before, now.movedim(0, 1)], dim=1)  # (B, V+T, 2D)
        key, value = seen.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, V+T, d)
        asked = query.unflatten(-1, (self.heads, -1)).permute(1, 2, 0, 3)  # (B, heads, T, d)
        with sdpa_kernel(SDPBackend.MATH):  # the others have no rule for vmap, which stacks outer seeds
            heard = nn.functional.scaled_dot_product_attention(asked, key, value, bias)  # (B, heads, T, d)
        heard = heard.permute(2, 0, 1, 3).flatten(2)  # (T, B, D)
        hidden = hidden + self.merge(heard)  # (T, B, H)
        return hidden + self.think(hidden), seen


SEQUENCE_MODELS: dict[str, Any] = {
    "gru": GRU,
    "lstm": LSTM,
    "fast_weights": FastWeights,
    "transformer": Transformer,
}
"""Sequence models by the name that a recipe uses."""
