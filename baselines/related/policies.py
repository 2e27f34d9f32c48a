"""Related architectures as expert policies: a talk gate, weights of one's own, no recurrence."""

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from badger_agents.badger.policies.averaging import AveragingPolicy
from badger_agents.badger.policies.expert_policy import (
    Emission,
    ExpertPolicy,
    Number,
    Size,
    silent_linear,
)
from badger_agents.badger.policies.gru import GRUPolicy

KeySize = Annotated[int, Field(ge=0)]
"""A setting of a policy: width of keys and queries; 0: none are sent."""


class GatedPolicy(GRUPolicy):
    """Experts decide at each round whether to talk: IC3Net's gate (Singh, Jain, Sukhbaatar 2019).

    The gate is 1 or 0, by a score linear in what the message is linear in, and multiplies it; on the way back
    it is a sigmoid (straight-through, Bengio et al. 2013). It is not soft, so that who is silent says
    nothing; and it is not drawn as in the paper, which trains it by REINFORCE: this way it is trained with
    all else, and training and test are the same function. Listeners hear the mean of all their neighbours,
    silent ones counting as zeros, as there.

    Args:
        reading_size: R.
        hidden_size, message_size, key_size, state_noise, update_bias: see `GRUPolicy`; with keys listeners
            attend.
        always_talk: the gate is open whatever the state: a control that the authors' code has too.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        hidden_size: Size = 32,
        message_size: Size = 16,
        key_size: KeySize = 0,
        state_noise: Number = 1.0,
        update_bias: float = 0.0,
        always_talk: bool = False,
    ) -> None:
        super().__init__(
            reading_size,
            hidden_size=hidden_size,
            message_size=message_size,
            key_size=key_size,
            state_noise=state_noise,
            update_bias=update_bias,
        )
        self.talk = None if always_talk else nn.Linear(hidden_size + reading_size, 1)
        if self.talk is not None:
            nn.init.constant_(self.talk.bias, 1.0)  # all talk at first: who never hears learns no language

    def emit(self, state: Float[Tensor, "B E H"], reading: Float[Tensor, "B E R"]) -> Emission:
        """As a `GRUPolicy`, its messages times the gate."""
        sent = super().emit(state, reading)
        if self.talk is None:
            return sent
        score = self.talk(torch.cat([state, reading], dim=-1))  # (B, E, 1)
        soft = torch.sigmoid(score)  # (B, E, 1)
        gate = (score > 0).to(soft.dtype) + soft - soft.detach()  # (B, E, 1), 1 or 0
        return sent._replace(value=sent.value * gate)


class IndependentPolicy(ExpertPolicy):
    """Experts that share nothing: a `GRUPolicy` with weights of its own for each place.

    The number of experts is fixed, and they are not exchangeable: what a place has learned stays with the
    place, and permuting experts changes what the agent does (equivariance does not hold). Growth is refused.

    Args:
        reading_size: R.
        places: number of experts, E.
        hidden_size, message_size, key_size, state_noise, update_bias: see `GRUPolicy`.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        places: Size,
        hidden_size: Size = 32,
        message_size: Size = 16,
        key_size: KeySize = 8,
        state_noise: Number = 1.0,
        update_bias: float = 0.0,
    ) -> None:
        super().__init__()
        alone = [
            GRUPolicy(
                reading_size,
                hidden_size=hidden_size,
                message_size=message_size,
                key_size=key_size,
                state_noise=state_noise,
                update_bias=update_bias,
            )
            for _ in range(places)
        ]
        self.places, self.message_size, self.key_size = places, message_size, key_size
        self.draw_size = hidden_size
        self.state_noise, self.sizes = state_noise, alone[0].sizes
        cells = [policy.cell for policy in alone]
        self.read = _Gates([cell.weight_ih for cell in cells], [cell.bias_ih for cell in cells])
        self.recall = _Gates([cell.weight_hh for cell in cells], [cell.bias_hh for cell in cells])
        self.say = _side_by_side([policy.say for policy in alone])
        self.write = _side_by_side([policy.write for policy in alone])

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Float[Tensor, "B E H"]:
        """Random states.

        Raises:
            ValueError: there are more or fewer experts than places.
        """
        _check_places(self.places, draws)
        return self.state_noise * draws

    def emit(self, state: Float[Tensor, "B E H"], reading: Float[Tensor, "B E R"]) -> Emission:
        """Linear in both, each place in its own way."""
        said = self.say(torch.cat([state, reading], dim=-1))  # (B, E, M+2K)
        return Emission(*said.split(self.sizes, dim=-1))

    def update(
        self, state: Float[Tensor, "B E H"], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E H"], Float[Tensor, "B E 1"]]:
        """A GRU cell (Cho et al. 2014, as `torch.nn.GRUCell` has it), then what is linear in its state."""
        heard = torch.cat([inbox, reading], dim=-1)  # (B, E, M+R)
        reset_in, update_in, new_in = self.read(heard).chunk(3, dim=-1)  # (B, E, H) each
        reset_of, update_of, new_of = self.recall(state).chunk(3, dim=-1)  # (B, E, H) each
        update = torch.sigmoid(update_in + update_of)  # (B, E, H)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_of) * new_of)  # (B, E, H)
        state = new + update * (state - new)  # (B, E, H)
        return state, self.write(state)  # (B, E, H), (B, E, 1)


class IndependentAveragingPolicy(AveragingPolicy):
    """Experts that share nothing, as `IndependentPolicy`, each an `AveragingPolicy`.

    Args:
        reading_size: R.
        places: number of experts, E.
        heads, hidden_size, message_size, key_size: see `AveragingPolicy`.
    """

    def __init__(self, reading_size: int, *, places: Size, **sizes: int) -> None:
        super().__init__(reading_size, **sizes)
        self.places = places
        alone = [AveragingPolicy(reading_size, **sizes) for _ in range(places)]
        for name in ("remember", "think.0", "think.2", "say", "write"):  # all its linear maps
            self.set_submodule(name, _side_by_side([policy.get_submodule(name) for policy in alone]))

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Float[Tensor, "B E D"]:
        """Nothing remembered.

        Raises:
            ValueError: there are more or fewer experts than places.
        """
        _check_places(self.places, draws)
        return super().initial_state(draws)


def _check_places(places: int, draws: Float[Tensor, "B E S"]) -> None:
    if draws.shape[1] != places:
        raise ValueError(
            f"{places} experts have weights of their own, and there are {draws.shape[1]};"
            " set policy.places to the number of experts and train anew"
        )


def _side_by_side(maps: Sequence[nn.Module]) -> "_Places":
    """Linear maps, one for each place."""
    weights, biases = ([each.get_parameter(name) for each in maps] for name in ("weight", "bias"))
    return _Places(weights, biases)


class _Places(nn.Module):
    """A linear map for each place: weights [E, out, in], biases [E, out]."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([weight.detach() for weight in weights]))
        self.bias = nn.Parameter(torch.stack([bias.detach() for bias in biases]))

    def forward(self, x: Float[Tensor, "B E N"]) -> Float[Tensor, "B E K"]:
        return torch.baddbmm(self.bias[:, None], x.transpose(0, 1), self.weight.mT).transpose(0, 1)


class _Gates(_Places):
    """A GRU's three linear maps for each place, below each other."""

    stacked_matrices = 3


class SetPolicy(ExpertPolicy):
    """A network on sets, without recurrence: Deep Sets (Zaheer et al. 2017).

    Each expert sends a code of what it reads, and writes by what it reads and the mean of the codes that it
    hears. It has no state, and what it sends does not depend on what it hears: what is written follows from
    this step's readings alone, in one round as in more.

    Args:
        reading_size: R.
        hidden_size: H, of both networks.
        message_size: M, width of a code.
    """

    def __init__(self, reading_size: int, *, hidden_size: Size = 32, message_size: Size = 16) -> None:
        super().__init__()
        self.message_size = message_size
        self.code = nn.Sequential(
            nn.Linear(reading_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, message_size)
        )
        self.think = nn.Sequential(nn.Linear(message_size + reading_size, hidden_size), nn.ReLU())
        self.decide = silent_linear(hidden_size)

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Float[Tensor, "B E S"]:
        """No numbers: S is 0."""
        return draws

    def emit(self, state: Float[Tensor, "B E S"], reading: Float[Tensor, "B E R"]) -> Float[Tensor, "B E M"]:
        """A code of what is read."""
        return self.code(reading)

    def update(
        self, state: Float[Tensor, "B E S"], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E S"], Float[Tensor, "B E 1"]]:
        """Write by what is read and the mean of the others' codes."""
        return state, self.decide(self.think(torch.cat([inbox, reading], dim=-1)))
