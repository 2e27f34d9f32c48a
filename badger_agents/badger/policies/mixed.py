"""Mixed policies: several shared policies in one agent, learned and handcrafted ones side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.class_loading import PROJECT_ONLY, Trust
from badger_agents.tree import by_parts


class MixedPolicy(ExpertPolicy):
    """Fewer policies than experts: each expert runs one of them, all talk on the same channel.

    An expert's state says which policy is its own, first of all, so that it stays so when experts change
    places. Every policy is computed for all experts and one result is taken, so that a step costs as much
    as the policies together.

    Args:
        reading_size: R.
        policies: of each its "policy" ("module:Class") and, if it needs them, its "policy_settings". Their
            messages, and the keys of those who send any, must have the same width.
        pattern: numbers of policies, expert by expert, repeated where there are more experts; if not
            given, each in turn. It must name them all.
        trust: whose code the policies may be.

    Raises:
        ValueError, TypeError: policies or pattern cannot be used.
    """

    made_of_others = True

    def __init__(
        self,
        reading_size: int,
        *,
        policies: Sequence[Mapping[str, Any]],
        pattern: Sequence[int] | None = None,
        trust: Trust = PROJECT_ONLY,
    ) -> None:
        super().__init__()
        from badger_agents.badger.settings import make_policy  # which needs this module's base

        if not policies:
            raise ValueError("policies is empty; give a table for each, with its policy as 'module:Class'")
        made = []
        for number, table in enumerate(policies):
            unknown = set(table) - {"policy", "policy_settings"}
            if unknown or "policy" not in table:
                raise ValueError(
                    f"policies[{number}] has the keys {sorted(table)}; it must have policy, and may have"
                    " policy_settings"
                )
            own = dict(table.get("policy_settings", {}))
            made.append(make_policy(table["policy"], reading_size, own, trust))
        self.pattern = tuple(range(len(made)) if pattern is None else pattern)
        if set(self.pattern) != set(range(len(made))):
            raise ValueError(
                f"pattern is {list(self.pattern)}; it must name each policy, 0 to {len(made) - 1}"
            )
        sizes = {policy.message_size for policy in made}
        if len(sizes) > 1:
            raise ValueError(f"messages of the policies are {sorted(sizes)} wide; they must be alike")
        if any(policy.halts for policy in made):
            raise ValueError("policies that vote on when to stop cannot be mixed")
        self.policies = nn.ModuleList(made)
        self.message_size = sizes.pop()
        self.draw_size = max(policy.draw_size for policy in made)

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> tuple[Any, ...]:
        """Which policy is whose [B, E, 1], and a state of each expert for each policy."""
        places = torch.arange(draws.shape[1], device=draws.device) % len(self.pattern)  # (E,)
        own = torch.tensor(self.pattern, device=draws.device)[places]  # (E,)
        begun = [policy.initial_state(draws[..., : policy.draw_size]) for policy in self._members()]
        return (own[None, :, None].expand(len(draws), -1, -1), *begun)

    def forward(
        self, state: tuple[Any, ...], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[tuple[Any, ...], Emission, Float[Tensor, "B E 1"]]:
        """Every policy for every expert; each expert sends and writes what its own says."""
        own, *states = state
        after, sent, writings = [], [], []
        for policy, before in zip(self._members(), states, strict=True):
            following, message, writing = policy(before, inbox, reading)
            after.append(following)
            sent.append(message if isinstance(message, Emission) else Emission(message))
            writings.append(writing)
        emissions = self._alike(sent)
        emission, writing = emissions[0], writings[0]
        for number in range(1, len(states)):
            mine = own == number  # (B, E, 1)
            emission = by_parts(
                lambda old, new, mine=mine: torch.where(mine, new, old), emission, emissions[number]
            )
            writing = torch.where(mine, writings[number], writing)  # (B, E, 1)
        return (own, *after), emission, writing

    def _members(self) -> list[ExpertPolicy]:
        return [policy for policy in self.policies if isinstance(policy, ExpertPolicy)]

    @staticmethod
    def _alike(sent: Sequence[Emission]) -> list[Emission]:
        """Emissions with keys and queries all, of zeros for who has none: heard, and hearing, all alike.

        Raises:
            ValueError: keys differ in width.
        """
        keys = [part for emission in sent for part in (emission.key, emission.query) if part is not None]
        if not keys:
            return list(sent)
        if len({part.shape[-1] for part in keys}) > 1:
            sizes = sorted({part.shape[-1] for part in keys})
            raise ValueError(f"keys of the policies are {sizes} wide; they must be alike")
        none = torch.zeros_like(keys[0])  # (B, E, K)
        return [
            Emission(value, none if key is None else key, none if query is None else query)
            for value, key, query in sent
        ]
