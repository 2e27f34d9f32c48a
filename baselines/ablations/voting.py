"""A control: members vote. What a group gains from counting heads alone has nothing to do with talking."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_envs import keyed_random
from badger_envs.families.hidden_profile import HiddenProfile
from badger_envs.families.xor import XOR
from badger_envs.family import FLAGS, Family, Observation

QUERY = FLAGS.index("query")


class Votes(NamedTuple):
    """What voters remember.

    Attributes:
        agent: the state of the agent that votes.
        ratings: [B, T, O], what it wrote at each step; [B, 0, O] where every step is an answer.
        shares: [B, T], votes for the option of each step, known from the last round on.
    """

    agent: Any
    ratings: Tensor
    shares: Tensor


class Voting:
    """An agent whose members vote: all write what most of them would have written. A control.

    With `XOR` at every step the sign that most outputs have. With `HiddenProfile` each member votes for the
    option that it rated highest in the round before the last, and in the last round all rate an option by the
    votes for it; chance decides between equals. A vote of experts that never talk is what a group gains from
    counting heads alone; only what is better has to do with talking.

    Args:
        agent: the agent, `Individual` for instance or a trained one; it is used, not copied.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent, self.knows_trials = agent, getattr(agent, "knows_trials", False)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Votes:
        """Nobody has voted.

        Raises:
            ValueError: no family of members that choose, or no round before the last one.
        """
        steps = 0
        if not isinstance(family, XOR):
            if not isinstance(family, HiddenProfile):
                raise ValueError(f"members vote in XOR and HiddenProfile; {type(family).__name__} has none")
            steps, options = family.horizon, family.option_sizes.limits[1]
            if steps < 2 * options:
                raise ValueError(
                    f"horizon is {steps}; a vote needs a round before the last one: {2 * options} at least"
                )
        ratings = torch.zeros(
            len(keys), steps, family.slots.outputs, dtype=getattr(torch, family.dtype), device=keys.device
        )
        return Votes(self.agent.initial_state(family, keys), ratings, ratings[:, :, 0])

    def act(
        self, state: Votes, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Votes, Float[Tensor, "B O"], dict[str, Tensor]]:
        """What the agent writes; where it counts, what its members voted for."""
        within, written, record = self.agent.act(state.agent, observation, keys, step)
        used = observation.output_mask  # (B, O)
        if not state.ratings.shape[1]:
            return state._replace(agent=within), _majority(written, used), record
        asked = observation.flags[:, QUERY]  # (B,)
        steps = state.ratings.shape[1]
        begins = (asked > 0) & ~state.shares.any(dim=-1)  # (B,), the last round
        options = steps - step  # of the trials whose last round begins now
        votes = _votes(state.ratings[:, max(0, step - options) : step], used, keys)  # (B, K)
        shares = torch.zeros_like(state.shares)  # (B, T)
        if 0 < options <= step:
            shares[:, step:] = votes
        shares = torch.where(begins[:, None], shares, state.shares)
        voted = shares[:, step, None] * used  # (B, O)
        ratings = state.ratings.clone()
        ratings[:, step] = written
        return Votes(within, ratings, shares), torch.where(asked[:, None] > 0, voted, written), record


def _majority(written: Float[Tensor, "B O"], used: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
    """The sign that most have, in all used slots; 0 where as many have one as the other."""
    return (written.sign() * used).sum(dim=-1, keepdim=True).sign() * used


def _votes(
    ratings: Float[Tensor, "B K O"], used: Float[Tensor, "B O"], keys: Int[Tensor, "B 4"]
) -> Float[Tensor, "B K"]:
    """Share of the members whose rating is highest, of each option; chance decides between equals."""
    batch, options, members = ratings.shape
    if not options:
        return ratings[:, :, 0]
    drawn = keyed_random.uniform(keys, "votes", options * (members + 1)).to(ratings.dtype)  # (B, K*(O+1))
    drawn = drawn.view(batch, options, members + 1)
    order = torch.where(ratings == ratings.amax(dim=1, keepdim=True), drawn[..., 1:], -1)  # (B, K, O)
    votes = torch.nn.functional.one_hot(order.argmax(dim=1), options)  # (B, O, K)
    share = (votes * used[..., None]).sum(dim=1) / used.sum(dim=-1, keepdim=True)  # (B, K)
    return (share + drawn[..., 0] / (2 * members)) / 2  # (B, K), in (0, 1)
