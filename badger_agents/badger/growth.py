"""Growth: experts are added, cloned, removed and replaced in the middle of a trial; no weight changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents import tree
from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.channel.channel import Channel, ChannelState
from badger_envs import keyed_random


@dataclass(frozen=True)
class Change:
    """Experts to come and to go; experts are named by their place, counted from 0, before the change.

    New experts, clones first, take the places of removed ones, and then places at the end; if they are too
    few, the last experts move there. All others keep their place.

    Attributes:
        add: how many fresh experts come: an initial state of their own, and nothing said yet.
        clone: experts that get a copy each: its state and its messages under way, another identity. An expert
            may be named several times.
        clone_noise: standard deviation of normal numbers that are added to clones' states. Exact copies
            that read alike stay alike, and all speak at once where they should take turns.
        remove: experts that go.
        replace: experts in whose place a fresh one comes.
        topology: who hears whom from then on, if not as before: a name, or a matrix for the new number.
    """

    add: int = 0
    clone: Sequence[int] = ()
    clone_noise: float = 0.0
    remove: Sequence[int] = ()
    replace: Sequence[int] = ()
    topology: str | Sequence[Sequence[int]] | None = None


class Plan(NamedTuple):
    """What a change comes to, by place.

    Attributes:
        copied: whose state the expert has, by place before the change; None for a fresh one.
        order: who it is: below E (the number before) the one at that place before, from E on a new one.
        clone_noise: as in the change.
        before: E, the number of experts before.
    """

    copied: tuple[int | None, ...]
    order: tuple[int, ...]
    clone_noise: float
    before: int

    @property
    def new(self) -> int:
        """How many come."""
        return sum(who >= self.before for who in self.order)


def plan(experts: int, change: Change) -> Plan:
    """Who stands where after a change.

    Raises:
        ValueError: it names experts that are not there or one twice, or leaves none.
    """
    gone = [*change.remove, *change.replace]
    named = {"clone": change.clone, "remove": change.remove, "replace": change.replace}
    for what, places in named.items():
        if any(type(place) is not int or not 0 <= place < experts for place in places):
            raise ValueError(f"{what} is {list(places)}; experts are numbered 0 to {experts - 1}")
    if len(set(gone)) < len(gone):
        raise ValueError(f"remove and replace name an expert twice: {sorted(gone)}")
    if type(change.add) is not int or change.add < 0:
        raise ValueError(f"add is {change.add!r}; it must be a whole number from 0 up")
    noise = change.clone_noise
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise < math.inf:
        raise ValueError(f"clone_noise is {noise!r}; it must be a finite number from 0 up")
    copies = [*range(experts), *[None] * len(change.replace), *change.clone, *[None] * change.add]
    now: list[int | None] = list(range(experts))
    for new, place in enumerate(change.replace, experts):
        now[place] = new
    coming = list(range(experts + len(change.replace), len(copies)))
    for place in sorted(change.remove):
        now[place] = coming.pop(0) if coming else None
    now += coming
    while None in now:
        last = now.pop()
        if last is not None:
            now[now.index(None)] = last
    order = tuple(who for who in now if who is not None)
    if not order:
        raise ValueError(f"remove names all {experts} experts; one at least must stay, or come")
    return Plan(tuple(copies[who] for who in order), order, noise, experts)


def grow(
    agent: BadgerAgent, state: BadgerState, keys: Int[Tensor, "B 4"], change: Change, step: int
) -> tuple[BadgerAgent, BadgerState]:
    """Change the experts of running trials, between two steps.

    All who stay keep their states, messages under way and identities, to the bit; the weights are the same
    tensors. A new expert has a number of its own among all that there ever were in these trials, from
    which its initial state, identity and address are drawn: from the same streams as the first ones', at
    positions of which none was drawn before. A topology with a name is made anew for the new number.

    With a hardwired membrane, slots belong to places: who comes to a place has its slots, and experts
    beyond the outputs have none. With an attentional one, experts keep their slots unless others would
    have to wait: see `badger_agents.badger.membrane.slot_assignment.reassign`.

    Args:
        agent: whose experts; it stays as it is.
        state: its state.
        keys: the trials' keys, as for `act`.
        change: who comes and who goes.
        step: steps done in the trials.

    Returns:
        An agent with the new number of experts, and its state.

    Raises:
        ValueError: a change that cannot be (see `plan`), a state of another number of experts, or a
            topology that is a matrix for another number.
    """
    experts = agent.settings.experts
    if state.identity.shape[:2] != (len(keys), experts):
        rows, there = state.identity.shape[:2]
        raise ValueError(
            f"the state is of {there} experts in {rows} trials, the agent has {experts} and there are keys of"
            f" {len(keys)} trials: give what belongs together"
        )
    places = plan(experts, change)
    grown = resized(agent, places, change.topology)
    grown.channel.to(keys.device)
    return grown, grown_state(grown, state, keys, places, step)


def resized(
    agent: BadgerAgent, places: Plan, topology: str | Sequence[Sequence[int]] | None = None
) -> BadgerAgent:
    """An agent of another number of experts that shares this one's weights.

    Args:
        agent: it stays as it is.
        places: who comes and goes.
        topology: None: as it is.

    Raises:
        ValueError: no topology, or a matrix for another number of experts.
    """
    settings, experts = agent.settings, len(places.order)
    if topology is None:
        topology = settings.channel.topology
        if not isinstance(topology, str) and experts != settings.experts:
            raise ValueError(
                f"the topology is a matrix for {settings.experts} experts, and now there are {experts}: give"
                f" topology, a name or a matrix for {experts}"
            )
    if not isinstance(topology, str):
        topology = tuple(tuple(row) for row in topology)
    talk = settings.channel.model_copy(update={"topology": topology})
    return agent.with_parts(
        settings.model_copy(update={"experts": experts, "channel": talk}),
        agent.born + places.new,
        channel=Channel(talk, experts, agent.policy.message_size),
    )


def grown_state(
    grown: BadgerAgent, state: BadgerState, keys: Int[Tensor, "B 4"], places: Plan, step: int
) -> BadgerState:
    """The state of those who stay, of clones and of fresh experts, in the order of their places.

    Args:
        grown: the agent with the new number of experts, from `resized`.
        state: of the agent before.
        keys: of the trials.
        places: from `plan`.
        step: steps done in the trials.
    """
    before, new = places.before, places.new
    first = grown.born - new  # number of the first new one
    order = torch.tensor(places.order, device=keys.device)  # (E,)
    fresh = torch.tensor([who is None for who in places.copied], device=keys.device)  # (E,)
    copied = torch.tensor([who or 0 for who in places.copied], device=keys.device)  # (E,), 0 for fresh ones
    cloned = (order >= before) & ~fresh  # (E,)

    def drawn(stream: str, size: int, dtype: str) -> Float[Tensor, "B E S"]:
        """Draws of the new ones by their numbers; zeros for those who stay."""
        draws = keyed_random.normal(keys, stream, new * size, first * size, dtype).view(len(keys), new, size)
        return torch.nn.functional.pad(draws, (0, 0, before, 0))[:, order]  # (B, E, S)

    def chosen(old: Tensor, made: Tensor) -> Tensor:
        return torch.where(fresh.view(-1, *[1] * (old.dim() - 2)), made, old[:, copied])  # (B, E, ...)

    def silent(part: Tensor) -> Tensor:
        return chosen(part, part.new_zeros(()))

    def noisy(path: str, old: Tensor, made: Tensor) -> Tensor:
        part = chosen(old, made)
        if not places.clone_noise or not part.is_floating_point():
            return part
        noise = drawn(path, part[0, 0].numel(), _name(part)).view_as(part) * places.clone_noise
        return torch.where(cloned.view(-1, *[1] * (part.dim() - 2)), part + noise, part)  # (B, E, ...)

    begun = grown.policy.initial_state(drawn("experts", grown.policy.draw_size, _name(state.identity)))
    identity = grown.draw_identities(keys, _name(state.identity), new, first)  # (B, N, S)
    waiting = tree.map(silent, state.channel.delay_buffer)
    return BadgerState(
        experts=tree.map_with_path(noisy, "clones", state.experts, begun),
        received=silent(state.received),
        membrane=grown.membrane.grow(state.membrane, keys, places.order, first, step),
        channel=ChannelState(grown.channel.edges.draw(keys), waiting),
        identity=torch.cat([state.identity, identity], dim=1)[:, order],
    )


def _name(part: Tensor) -> str:
    """The name of its dtype."""
    return str(part.dtype).removeprefix("torch.")
