"""Mixed policies: several shared policies in one agent, learned and handcrafted ones side by side."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_agents import tree
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.badger.policies.policy_settings import PolicySettings


class MixedPolicy(ExpertPolicy):
    """Fewer policies than experts: each expert runs one of them, all talk on the same channel.

    An expert's state says which policy is its own, first of all, so that it stays so when experts change
    places. Every policy is computed for all experts and one result is taken, so that a step costs as much
    as the policies together.

    Args:
        reading_size: R.
        policies: settings of each, as in [agent.policy]. Their messages, and the keys of those who send any,
            must have the same width.
        pattern: numbers of policies, expert by expert, repeated where there are more experts; empty: each
            in turn. It must name them all.

    Raises:
        ValueError: policies or pattern cannot be used.
    """

    def __init__(
        self, reading_size: int, *, policies: tuple[PolicySettings, ...], pattern: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        if not policies:
            raise ValueError("policies is empty; give a table for each, with its kind")
        made = [settings.make(reading_size) for settings in policies]
        self.pattern = pattern or tuple(range(len(made)))
        if set(self.pattern) != set(range(len(made))):
            raise ValueError(
                f"pattern is {list(self.pattern)}; it must name each policy, 0 to {len(made) - 1}"
            )
        sizes = {policy.message_size for policy in made}
        if len(sizes) > 1:
            raise ValueError(f"messages of the policies are {sorted(sizes)} wide; they must be alike")
        keys = {policy.key_size for policy in made} - {0}
        if len(keys) > 1:
            raise ValueError(f"keys of the policies are {sorted(keys)} wide; they must be alike")
        if any(policy.halts for policy in made):
            raise ValueError("policies that vote on when to stop cannot be mixed")
        self.policies = nn.ModuleList(made)
        self.message_size = sizes.pop()
        self.key_size = max(policy.key_size for policy in made)
        self.draw_size = max(policy.draw_size for policy in made)

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> tuple[Any, ...]:
        """Which policy is whose [B, E, 1], and a state of each expert for each policy."""
        places = torch.arange(draws.shape[1], device=draws.device) % len(self.pattern)  # (E,)
        own = torch.tensor(self.pattern, device=draws.device)[places]  # (E,)
        begun = [policy.initial_state(draws[..., : policy.draw_size]) for policy in self._members()]
        return (own[None, :, None].expand(len(draws), -1, -1), *begun)

    def emit(self, state: tuple[Any, ...], reading: Float[Tensor, "B E R"]) -> Emission:
        """Every policy for every expert; each expert sends what its own says."""
        own, *states = state
        said = [
            self._with_keys(policy.emit(each, reading))
            for policy, each in zip(self._members(), states, strict=True)
        ]
        chosen: Emission = _own(own, said)
        return chosen

    def update(
        self, state: tuple[Any, ...], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[tuple[Any, ...], Float[Tensor, "B E 1"]]:
        """Every policy for every expert; each expert writes what its own says."""
        own, *states = state
        members = zip(self._members(), states, strict=True)
        after, written = zip(*(policy.update(each, inbox, reading) for policy, each in members), strict=True)
        writing: Tensor = _own(own, written)  # (B, E, 1)
        return (own, *after), writing

    def _members(self) -> list[ExpertPolicy]:
        return [policy for policy in self.policies if isinstance(policy, ExpertPolicy)]

    def _with_keys(self, message: Tensor | Emission) -> Emission:
        """With keys and queries of zeros for who has none: heard, and hearing, all alike."""
        emission = message if isinstance(message, Emission) else Emission.alike(message)
        if emission.key.shape[-1] == self.key_size:
            return emission
        none = emission.value.new_zeros(*emission.value.shape[:2], self.key_size)  # (B, E, K)
        return Emission(emission.value, none, none)


def _own(own: Int[Tensor, "B E 1"], made: Sequence[Any]) -> Any:
    """Of what every policy made for all experts, tensors [B, E, ...] or tuples of such, each expert's own."""
    chosen = made[0]
    for number in range(1, len(made)):
        mine = own == number  # (B, E, 1)
        chosen = tree.map(lambda new, old, mine=mine: torch.where(mine, new, old), made[number], chosen)
    return chosen
