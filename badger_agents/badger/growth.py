"""Growth: experts are added, cloned, removed and replaced in the middle of a trial; no weight changes."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.channel.edges import Wiring
from badger_agents.tree import by_parts
from badger_envs import keyed_random


@dataclass(frozen=True)
class Change:
    """Experts to come and to go; experts are named by their place, counted from 0, before the change.

    New experts, clones first, take the places of removed ones, and then places at the end; if they are too
    few, the last experts move there. All others keep their place.

    Attributes:
        add: how many fresh experts come: an initial state of their own, and nothing said yet.
        clone: experts that get a copy each: its state and its last message, another identity. An expert
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
    """

    copied: tuple[int | None, ...]
    order: tuple[int, ...]
    clone_noise: float


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
    return Plan(tuple(copies[who] for who in order), order, noise)


def grow(
    agent: BadgerAgent, state: BadgerState, keys: Int[Tensor, "B 4"], change: Change
) -> tuple[BadgerAgent, BadgerState]:
    """Change the experts of running trials, between two steps.

    All who stay keep their states, last messages and identities, to the bit; the weights are the same
    tensors. A new expert has a number of its own among all that there ever were in these trials, from
    which its initial state, identity and address are drawn: from the same streams as the first ones', at
    positions of which none was drawn before. A topology with a name is made anew for the new number.

    With a hardwired membrane, slots belong to places: who comes to a place has its slots, and experts
    beyond the outputs have none. With an attentional one, experts keep their slots unless others would
    have to wait: see `badger_agents.badger.membrane.slot_assignment.redeal`.

    Args:
        agent: whose experts; it stays as it is.
        state: its state.
        keys: the trials' keys, as for `act`.
        change: who comes and who goes.

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
    grown = resized(agent, len(places.order), change.topology)
    grown.wiring.to(keys.device)
    return grown, grown_state(grown, state, keys, places)


def resized(
    agent: BadgerAgent, experts: int, topology: str | Sequence[Sequence[int]] | None = None
) -> BadgerAgent:
    """An agent of so many experts that shares this one's weights (its very policy and membrane).

    Args:
        agent: it stays as it is.
        experts: E.
        topology: None: as it is.

    Raises:
        ValueError: no topology, or a matrix for another number of experts.
    """
    settings = agent.settings
    if topology is None:
        topology = settings.topology
        if not isinstance(topology, str) and experts != settings.experts:
            raise ValueError(
                f"the topology is a matrix for {settings.experts} experts, and now there are {experts}: give"
                f" topology, a name or a matrix for {experts}"
            )
    if not isinstance(topology, str):
        topology = tuple(tuple(row) for row in topology)
    grown = copy.copy(agent)
    tables = ("_parameters", "_buffers", "_modules")
    grown.__dict__.update({name: dict(agent.__dict__[name]) for name in tables})  # so that `agent` stays
    grown.settings = settings.model_copy(update={"experts": experts, "topology": topology})
    grown.wiring = Wiring(topology, experts)
    return grown


def grown_state(
    grown: BadgerAgent, state: BadgerState, keys: Int[Tensor, "B 4"], places: Plan
) -> BadgerState:
    """The state of those who stay, of clones and of fresh experts, in the order of their places.

    Args:
        grown: the agent with the new number of experts.
        state: of the agent before.
        keys: of the trials.
        places: from `plan`.
    """
    before = state.identity.shape[1]
    first, new = max(state.born, before), sum(who >= before for who in places.order)
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

    def noisy(part: Tensor, stream: str) -> Tensor:
        if not places.clone_noise or not part.is_floating_point():
            return part
        noise = drawn(stream, part[0, 0].numel(), _name(part)).view_as(part) * places.clone_noise
        return torch.where(cloned.view(-1, *[1] * (part.dim() - 2)), part + noise, part)  # (B, E, ...)

    begun = grown.policy.initial_state(drawn("experts", grown.policy.draw_size, _name(state.identity)))
    experts = _by_parts(
        lambda path, old, made: noisy(chosen(old, made), path), "clones", state.experts, begun
    )
    identity = grown.draw_identities(keys, _name(state.identity), new, first)  # (B, N, S)
    return BadgerState(
        experts,
        by_parts(silent, state.emission),
        grown.membrane.grow(state.membrane, keys, places.order, first),
        torch.cat([state.identity, identity], dim=1)[:, order],
        grown.wiring.draw(keys),
        first + new,
        by_parts(silent, state.line),
        state.kind,
        state.time,
    )


def _name(part: Tensor) -> str:
    """The name of its dtype."""
    return str(part.dtype).removeprefix("torch.")


def _by_parts(function: Callable[[str, Tensor, Tensor], Tensor], path: str, one: Any, other: Any) -> Any:
    """A function of two states, tensor by tensor where they are tuples of such; told the way to each."""
    if isinstance(one, Tensor):
        return function(path, one, other)
    pairs = enumerate(zip(one, other, strict=True))
    parts = [_by_parts(function, f"{path}/{number}", *pair) for number, pair in pairs]
    return type(one)(*parts) if hasattr(one, "_fields") else type(one)(parts)
