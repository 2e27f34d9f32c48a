"""Slot assignment, one to one: which expert gets which slot, and when; at first, and anew after growth."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

LOAD = 4
"""What a slot that an expert already has takes from its likeness to another: more than any likeness."""


def one_to_one(
    similarity: Float[Tensor, "B N E"], used: Float[Tensor, "B N"]
) -> tuple[Float[Tensor, "B N E"], Float[Tensor, "B N"]]:
    """Assign slots: each, one after the other, to the expert most like it among those that have fewest.

    Args:
        similarity: of slots and experts, in [-1, 1].
        used: 1 for slots in use, 0 for others, which go to nobody.

    Returns:
        weights: [B, N, E], 1 where the slot is the expert's.
        place: [B, N], the slot's place in the schedule of its expert, who takes one after the other; 0 for
            slots not in use. Experts with a slot less than others pause at different times, so that at
            any time about as many slots are in focus.
    """
    load = torch.zeros_like(similarity[:, 0])  # (B, E)
    weights, places = [], []
    for slot in range(similarity.shape[1]):
        score = similarity[:, slot] - LOAD * load  # (B, E), a load outweighs any likeness
        owner = nn.functional.one_hot(score.argmax(dim=-1), load.shape[-1]).to(load.dtype)  # (B, E)
        owner = owner * used[:, slot, None]  # (B, E)
        places.append((owner * load).sum(dim=-1))  # (B,)
        weights.append(owner)
        load = load + owner
    assigned = torch.stack(weights, dim=1)  # (B, N, E)
    return assigned, in_turns(assigned, torch.stack(places, dim=1), load)


def in_turns(
    assigned: Float[Tensor, "B N E"], nth: Float[Tensor, "B N"], load: Float[Tensor, "B E"]
) -> Float[Tensor, "B N"]:
    """Places of slots in the schedules of their experts, pauses of those who have fewer spread out.

    Args:
        assigned: 1 where the slot is the expert's.
        nth: how many its expert got before this one.
        load: how many each expert has.
    """
    most = load.amax(dim=-1, keepdim=True)  # (B, 1)
    pauses = (load < most).to(load.dtype)  # (B, E)
    delay = pauses.cumsum(dim=-1) * pauses  # (B, E), one more for each that pauses
    place = nth + (assigned @ delay[..., None])[..., 0]  # (B, N)
    return place % most.clamp(min=1)


def reassign(
    similarity: Float[Tensor, "B N E"],
    owned: Float[Tensor, "B N E"],
    used: Float[Tensor, "B N"],
    place: Float[Tensor, "B N"],
    places: Float[Tensor, "B 1"],
    now: Float[Tensor, "B 1"],
) -> tuple[Float[Tensor, "B N E"], Float[Tensor, "B N"], Float[Tensor, "B 1"], Bool[Tensor, "B 1"]]:
    """Assign slots anew when experts have come or gone, and leave with its owner what can be left.

    The schedule has as few places as the number of experts allows. An expert gives slots away only if it has
    more than that, those last whose place comes last. What was given away, or has no owner any more, goes to
    the most like among those that have fewest. While the number of places is the same, slots that stay keep
    theirs, and others too if their new owner is free then.

    Args:
        similarity: of slots and experts, in [-1, 1].
        owned: 1 where the slot was the expert's; nobody's where its owner is gone.
        used: 1 for slots in use.
        place: of each slot in the schedule.
        places: how many there were, in each row.
        now: which it is now.

    Returns:
        Who owns which slot; its place (0 for slots not in use); how many places there are; and whether that
        is another number than before.
    """
    rows, slots, experts = similarity.shape
    most = (used.sum(dim=-1, keepdim=True) / experts).ceil()  # (B, 1)
    changed = most != places  # (B, 1)
    row = torch.arange(rows, device=used.device)[:, None]  # (B, 1)
    order = ((place - now) % places).argsort(dim=-1, stable=True)  # (B, N), those in focus are the first
    similarity, owned, used, place = (part[row, order] for part in (similarity, owned, used, place))
    times = torch.arange(
        -(-slots // experts), device=used.device
    )  # (T,), T is the largest `most` there can be
    taken = similarity.new_zeros(rows, experts, len(times))  # (B, E, T), 1 where an expert has a slot
    weights, found = torch.zeros_like(owned), torch.zeros_like(place)  # (B, N, E), (B, N)
    for staying in (True, False):
        for slot in range(slots):
            load = taken.sum(dim=-1)  # (B, E)
            if staying:
                owner = owned[:, slot] * (load < most)  # (B, E)
            else:
                free = used[:, slot] - weights[:, slot].sum(dim=-1)  # (B,)
                best = (similarity[:, slot] - LOAD * load).argmax(dim=-1)  # (B,)
                owner = nn.functional.one_hot(best, experts) * free[:, None]  # (B, E)
            same = (times == place[:, slot, None]) & ~changed  # (B, T)
            cost = taken.sum(dim=1) - slots * same.to(taken.dtype)  # (B, T), about as many at any time
            cost = cost + 2 * slots * (owner[..., None] * taken).sum(dim=1)  # (B, T), one at a time
            cost = cost + 4 * slots * (times >= most)  # (B, T)
            chosen = nn.functional.one_hot(cost.argmin(dim=-1), len(times))  # (B, T)
            taken = taken + owner[..., None] * chosen[:, None]  # (B, E, T)
            weights[:, slot] += owner
            found[:, slot] += owner.sum(dim=-1) * (chosen * times).sum(dim=-1)
    back = order.argsort(dim=-1)  # (B, N)
    return weights[row, back], found[row, back], most, changed
