"""Assigning slots anew when experts have come or gone."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from badger_agents.badger.membrane.slot_assignment import one_to_one, reassign

sizes = st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(0, 999))  # slots, experts, seed


def assigned(slots: int, experts: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A first assignment in 3 trials: similarity, owned, used, place, places, and a present place."""
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(3, slots, 12, generator=generator) - 1
    used = (torch.rand(3, slots, generator=generator) < 0.7).float()
    used[:, seed % slots] = 1
    owned, place = one_to_one(similarity[..., :experts], used)
    places = owned.sum(dim=1).amax(dim=-1, keepdim=True)  # (B, 1)
    return similarity, owned, used, place, places, (seed % places).floor()


def most(used: Tensor, experts: int) -> Tensor:
    return -(-used.sum(dim=-1, keepdim=True) // experts)


def check_fair(weights: Tensor, place: Tensor, places: Tensor, used: Tensor) -> None:
    assert torch.equal(weights.sum(dim=-1), used)
    assert torch.equal(places, most(used, weights.shape[-1]))
    for row in range(len(used)):
        taken = [
            (int(weights[row, s].argmax()), int(place[row, s])) for s in range(used.shape[1]) if used[row, s]
        ]
        assert len(set(taken)) == len(taken)  # nobody has two slots at a time
        assert all(0 <= when < places[row, 0] for _, when in taken)
    assert (place[used == 0] == 0).all()


@given(sizes, st.integers(0, 6))
def test_with_more_experts_slots_move_only_for_fewer_places(size: tuple[int, int, int], new: int) -> None:
    similarity, owned, used, place, places, now = assigned(*size)
    experts = size[1] + new
    before = torch.nn.functional.pad(owned, (0, new))
    weights, later, fewer, changed = reassign(similarity[..., :experts], before, used, place, places, now)
    check_fair(weights, later, fewer, used)
    assert torch.equal(changed, fewer != places)
    same = ~changed[:, 0]
    assert torch.equal(weights[same], before[same])
    assert torch.equal(later[same], place[same])
    kept = (weights * before).sum(dim=1)  # (B, E)
    assert torch.equal(kept, before.sum(dim=1).minimum(fewer))  # an expert keeps all that it has time for
    focus = (before * (place == now)[..., None]).bool()  # (B, N, E)
    assert (weights[focus & (used > 0)[..., None]] == 1).all()  # the slot that it is at it never gives away


@given(sizes, st.data())
def test_slots_of_those_who_left_go_to_others(size: tuple[int, int, int], data: st.DataObject) -> None:
    similarity, owned, used, place, places, now = assigned(*size)
    new = data.draw(st.integers(0, 2))
    left = data.draw(st.sets(st.integers(0, size[1] - 1), min_size=1))
    stay = [expert for expert in range(size[1]) if expert not in left]
    if not stay and not new:
        new = 1
    before = torch.nn.functional.pad(owned[..., stay], (0, new))
    alike = torch.cat([similarity[..., stay], similarity[..., 12 - new :]], dim=-1)
    weights, later, more, changed = reassign(alike, before, used, place, places, now)
    check_fair(weights, later, more, used)
    moved = before.sum(dim=-1) - (weights * before).sum(dim=-1)  # (B, N), slots that left who stayed
    assert (moved.sum(dim=-1)[(more >= places)[:, 0]] == 0).all()
    still = (before.sum(dim=-1) > 0) & ~changed
    assert torch.equal(later[still], place[still])


def test_a_slot_without_owner_goes_to_the_most_alike_of_those_with_fewest() -> None:
    similarity = torch.tensor([[[0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.0, 0.3, 0.1]]])
    owned = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 0, 0]]])
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    weights, place, places, changed = reassign(
        similarity, owned, torch.ones(1, 3), torch.zeros(1, 3), one, zero
    )
    assert weights[0].argmax(dim=-1).tolist() == [2, 0, 1]
    assert place.tolist() == [[0, 0, 0]]
    assert (places == 1).all()
    assert not changed.any()
