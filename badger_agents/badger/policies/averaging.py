"""An expert policy that remembers by averaging: for trials in which the order of events hardly matters."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy, Size, silent_linear

SPREAD = 4.0
"""Factor, at the start, of the weights that say what is worth remembering: some heads choose sharply."""


class AveragingPolicy(ExpertPolicy):
    """Memory as running weighted means, a small network on top of them.

    Each of N heads gives every moment a weight in (0, 1) and a value, both linear in what the expert hears
    and reads, and keeps two sums: of weights, and of weights times values. So it knows, without having to
    learn how to keep count, the mean of what it found worth remembering and how much that was: as attention
    over one's own past does (Mishra et al. 2018), at a constant cost per step. A network of two layers sees
    the means (drawn to 0 as by one moment more of value 0), the logs of the sums, and what is heard and read
    now. Messages are linear in means, logs and what is read.

    Args:
        reading_size: R.
        heads: N, running means.
        hidden_size: H, of the network.
        message_size: M, width of a message.
        key_size: K, width of keys and queries.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        heads: Size = 8,
        hidden_size: Size = 32,
        message_size: Size = 16,
        key_size: Size = 8,
    ) -> None:
        super().__init__()
        self.heads, self.message_size, self.key_size = heads, message_size, key_size
        self.draw_size = 1  # of which nothing is used: it says how many experts there are
        self.sizes = (message_size, key_size, key_size)
        heard = message_size + reading_size
        self.remember = nn.Linear(heard, 2 * heads)
        self.think = nn.Sequential(
            nn.Linear(2 * heads + heard, hidden_size),
            nn.Tanh(),
            nn.Linear(hidden_size, hidden_size),
            nn.Tanh(),
        )
        self.say = nn.Linear(2 * heads + reading_size, sum(self.sizes))
        self.write = silent_linear(hidden_size)
        with torch.no_grad():
            self.remember.weight[:heads] *= SPREAD

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Float[Tensor, "B E D"]:
        """Nothing remembered: sums of weights, then of weighted values, all 0: D = 2N numbers."""
        return (draws[..., :1] * 0).repeat(1, 1, 2 * self.heads)  # (B, E, 2N)

    def emit(self, state: Float[Tensor, "B E D"], reading: Float[Tensor, "B E R"]) -> Emission:
        """Linear in what is remembered so far and what is read now."""
        said = self.say(torch.cat([self._recalled(state), reading], dim=-1))  # (B, E, M+2K)
        return Emission(*said.split(self.sizes, dim=-1))  # (B, E, M), (B, E, K), (B, E, K)

    def update(
        self, state: Float[Tensor, "B E D"], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E D"], Float[Tensor, "B E 1"]]:
        """Add to the sums, then think about means and amounts."""
        heard = torch.cat([inbox, reading], dim=-1)  # (B, E, M+R)
        worth, value = self.remember(heard).chunk(2, dim=-1)  # (B, E, N) each
        weight = torch.sigmoid(worth)  # (B, E, N)
        state = state + torch.cat([weight, weight * value], dim=-1)  # (B, E, 2N)
        thought = self.think(torch.cat([self._recalled(state), heard], dim=-1))  # (B, E, H)
        return state, self.write(thought)  # (B, E, 2N), (B, E, 1)

    @staticmethod
    def _recalled(state: Float[Tensor, "B E D"]) -> Float[Tensor, "B E D"]:
        """Means and amounts."""
        weights, values = state.chunk(2, dim=-1)  # (B, E, N) each
        return torch.cat([values / (1 + weights), torch.log1p(weights) / 2], dim=-1)  # (B, E, 2N)
