"""Growth: who stays is left alone, who comes is new or a copy, and the weights are the same."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.growth import Change, grow, plan
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from tests.badger_agents.small import badger_settings, keys, random_agent, seen_at, small_family

NAMED = ["all", "none", "ring", "grid", "random:degree=2", "top-k:k=1,candidates=2"]
MEMBRANES: list[dict[str, Any]] = [
    {"membrane": "hardwired"},
    {"membrane": "attentional"},
    {"membrane": {"kind": "attentional", "matching": "soft"}},
]
MATRIX = ((0, 1, 0, 0), (0, 0, 1, 1), (1, 0, 0, 0), (1, 1, 0, 0))


def lived(agent: BadgerAgent, family: GuessingGame, steps: int, rows: int = 2) -> BadgerState:
    """Its state after some steps."""
    names = keys(rows)
    state = agent.initial_state(family, names)
    for time in range(steps):
        state, _, _ = agent.act(state, seen_at(family, names, time), names, time)
    return state


def changed(
    agent: BadgerAgent, state: BadgerState, names: Tensor, step: int, **change: Any
) -> tuple[BadgerAgent, BadgerState]:
    return grow(agent, state, names, Change(**change), step)


def per_expert(state: BadgerState) -> list[Tensor]:
    """All [B, E, ...] of a state but what is the membrane's."""
    return [state.experts, state.received, state.identity]


@st.composite
def changes(draw: st.DrawFn, experts: int) -> dict[str, Any]:
    places = st.integers(0, experts - 1)
    gone = draw(st.lists(places, unique=True, max_size=experts))
    cut = draw(st.integers(0, len(gone)))
    clone, add = draw(st.lists(places, max_size=3)), draw(st.integers(0, 3))
    if len(gone[:cut]) == experts and not clone and not add:
        add = 1
    return {"add": add, "clone": clone, "remove": gone[:cut], "replace": gone[cut:]}


@settings(max_examples=30)
@given(data=st.data())
def test_who_stays_is_left_alone_to_the_bit_and_who_comes_is_a_copy_or_new(data: st.DataObject) -> None:
    family = small_family(dims=data.draw(st.sampled_from([2, 3])), horizon=6)
    agent = random_agent(
        family,
        experts=4,
        topology=data.draw(st.sampled_from(NAMED)),
        rounds=data.draw(st.integers(1, 2)),
        received_attention=data.draw(st.booleans()),
        identities=data.draw(st.sampled_from(["none", "random", "learned"])),
        feedback_to=data.draw(st.sampled_from(["all", "one"])),
        **data.draw(st.sampled_from(MEMBRANES)),
    )
    weights = {name: weight.clone() for name, weight in agent.state_dict().items()}
    names, steps = keys(2), data.draw(st.integers(0, 3))
    state = lived(agent, family, steps)
    change = Change(**data.draw(changes(4)))
    places = plan(4, change)
    grown, after = grow(agent, state, names, change, steps)
    assert agent.settings.experts == 4
    assert grown.settings.experts == len(places.order)
    for old, now in zip(per_expert(state), per_expert(after), strict=True):
        assert now.shape[1] == len(places.order)
        for place, who in enumerate(places.order):
            if who < 4:
                assert torch.equal(now[:, place], old[:, who])
    fresh = [place for place, copied in enumerate(places.copied) if copied is None]
    for place, copied in enumerate(places.copied):
        if copied is not None:
            assert torch.equal(after.experts[:, place], state.experts[:, copied])
            assert torch.equal(after.received[:, place], state.received[:, copied])
    begun = keyed_random.normal(names, "experts", 6 * sum(w > 3 for w in places.order), 6 * 4, "float64")
    for place in fresh:
        drawn = begun.view(2, -1, 6)[:, places.order[place] - 4]
        assert torch.equal(after.experts[:, place], drawn)
        assert (after.received[:, place] == 0).all()
    mine, its = dict(agent.named_parameters()), dict(grown.named_parameters())
    assert mine.keys() == its.keys()
    assert all(its[name] is weight for name, weight in mine.items())
    if agent.settings.membrane.kind == "hardwired" and len(places.order) < family.slots.outputs:
        with pytest.raises(ValueError, match="a hardwired membrane needs one per output"):
            grown.act(after, seen_at(family, names, steps), names, steps)
        return
    for time in (steps, steps + 1):
        after, action, record = grown.act(after, seen_at(family, names, time), names, time)
    assert action.shape == (2, family.slots.outputs)
    assert action.isfinite().all()
    assert record["messages"].shape[1] == len(places.order)
    assert all(torch.equal(weight, weights[name]) for name, weight in grown.state_dict().items())
    agent.act(
        state, seen_at(family, names, steps), names, steps
    )  # the old agent still lives with the old state


@pytest.mark.parametrize("membrane", ["hardwired", "attentional"])
@pytest.mark.parametrize("topology", [*NAMED, MATRIX], ids=[*NAMED, "matrix"])
def test_growing_by_nothing_changes_nothing(membrane: Any, topology: Any) -> None:
    family = small_family(dims=3)
    agent = random_agent(
        family, experts=4, membrane=membrane, topology=topology, identities="random", received_attention=True
    )
    names = keys(2)
    state = lived(agent, family, 2)
    grown, after = changed(agent, state, names, 2)
    assert grown.settings == agent.settings
    same, action, _ = grown.act(after, seen_at(family, names, 2), names, 2)
    other, wanted, _ = agent.act(state, seen_at(family, names, 2), names, 2)
    assert torch.equal(action, wanted)
    assert all(torch.equal(*pair) for pair in zip(per_expert(same), per_expert(other), strict=True))


@pytest.mark.parametrize("identities", ["random", "learned"])
def test_added_experts_begin_as_the_same_ones_of_a_larger_agent(identities: Any) -> None:
    family = small_family(dims=2)
    settings_ = {"membrane": "attentional", "identities": identities, "identity_rows": 5}
    small, large = (random_agent(family, experts=number, **settings_) for number in (3, 7))
    _, grown = changed(small, lived(small, family, 2), keys(2), 2, add=4)
    start = large.initial_state(family, keys(2))
    assert torch.equal(grown.experts[:, 3:], start.experts[:, 3:])
    assert torch.equal(grown.identity, start.identity)
    assert torch.equal(grown.membrane.identities, start.membrane.identities)


def test_nothing_is_drawn_twice_in_a_trial() -> None:
    family = small_family(dims=2)
    agent = random_agent(family, experts=3, membrane="attentional", identities="random")
    names, state = keys(2), agent.initial_state(family, keys(2))
    met = [(state.experts, state.identity, state.membrane.identities)]
    for change in ({"remove": [2]}, {"add": 1}, {"replace": [2]}, {"remove": [1], "clone": [0]}, {"add": 1}):
        agent, state = changed(agent, state, names, 0, **change)
        met.append((state.experts, state.identity, state.membrane.identities))
    starts, identities, addresses = (torch.cat(parts, dim=1)[0] for parts in zip(*met, strict=True))
    assert len(torch.unique(starts, dim=0)) == 3 + 3  # a clone has no start of its own
    assert len(torch.unique(identities, dim=0)) == 3 + 4
    assert len(torch.unique(addresses, dim=0)) == 3 + 4


@pytest.mark.parametrize(
    ("change", "order"),
    [
        (Change(add=2), (0, 1, 2, 3, 4, 5, 6)),
        (Change(remove=(1,)), (0, 4, 2, 3)),
        (Change(remove=(1, 4)), (0, 3, 2)),
        (Change(remove=(0, 1, 2)), (4, 3)),
        (Change(remove=(1,), clone=(1, 3)), (0, 5, 2, 3, 4, 6)),
        (Change(replace=(3,)), (0, 1, 2, 5, 4)),
        (Change(replace=(4,), remove=(0, 2), add=1), (6, 1, 5, 3)),
    ],
)
def test_experts_keep_their_places_and_gaps_are_filled(change: Change, order: tuple[int, ...]) -> None:
    assert plan(5, change).order == order


def test_noise_makes_clones_differ_and_nothing_else() -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=3)
    state = lived(agent, family, 2, rows=200)
    _, exact = changed(agent, state, keys(200), 2, clone=[0, 0], add=1)
    _, noisy = changed(agent, state, keys(200), 2, clone=[0, 0], add=1, clone_noise=0.1)
    others = [0, 1, 2, 5]
    assert torch.equal(exact.experts[:, others], noisy.experts[:, others])
    noise = noisy.experts[:, 3:5] - state.experts[:, :1]
    assert torch.equal(exact.experts[:, 3:5], state.experts[:, [0, 0]])
    assert abs(noise.std() - 0.1) < 0.005
    assert abs((noise[:, 0] * noise[:, 1]).mean()) < 0.001
    assert torch.equal(noisy.received, exact.received)


def test_states_may_be_tuples_with_numbers_of_any_kind() -> None:
    family = small_family(dims=3, dtype="float32")
    agent = BadgerAgent(
        family,
        badger_settings(
            experts=3,
            rounds=2,
            membrane="attentional",
            policy={"kind": "badger_agents.badger.policies.handcrafted:TriangulationPolicy"},
        ),
    )
    state = lived(agent, family, 2)
    _, after = changed(agent, state, keys(2), 2, clone=[1], replace=[0])
    for name, old, now in zip(state.experts._fields, state.experts, after.experts, strict=True):
        assert torch.equal(now[:, [1, 2, 3]], old[:, [1, 2, 1]]), name
    assert (after.experts.clock[:, 0] == -1).all()
    assert (after.experts.rank[:, 0] != state.experts.rank[:, 0]).any()


# membranes


def test_a_hardwired_place_keeps_its_slot_and_needs_somebody() -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=4, topology="none")
    names, state = keys(2), lived(agent, family, 2)
    shown = seen_at(family, names, 2)
    _, wanted, _ = agent.act(state, shown, names, 2)
    smaller, after = changed(agent, state, names, 2, remove=[1])
    _, action, _ = smaller.act(after, shown, names, 2)
    torch.testing.assert_close(action[:, [0, 2]], wanted[:, [0, 2]])
    assert (action[:, 1] != wanted[:, 1]).all()  # expert 3, who had none, has its slot
    too_few, after = changed(smaller, after, names, 2, remove=[0])
    with pytest.raises(
        ValueError, match="2 experts for 3 outputs: a hardwired membrane needs one per output"
    ):
        too_few.act(after, shown, names, 2)


def test_new_experts_take_over_outputs_that_were_waiting() -> None:
    family = GuessingGame(dims=6, horizon=20, dtype="float64")
    agent = random_agent(family, experts=4, membrane="attentional")
    state = lived(agent, family, 5)
    assert (state.membrane.places == 2).all()
    owner, in_focus = state.membrane.writers.argmax(-1), state.membrane.place == 0
    grown, after = changed(agent, state, keys(2), 5, add=4)
    now = after.membrane.writers.argmax(-1)  # (B, O)
    assert (after.membrane.places == 1).all()
    assert torch.equal(now[in_focus], owner[in_focus])
    assert ((now != owner).sum(dim=-1) == 2).all()
    assert (now[now != owner] >= 4).all()
    after, _, _ = grown.act(after, seen_at(family, keys(2), 5), keys(2), 5)
    assert (after.membrane.since == 5).all()  # windows begin anew, as there are fewer


@pytest.mark.parametrize("change", [{"add": 3}, {"replace": [1]}, {"remove": [4]}])
def test_clocks_run_on_if_the_schedule_stays(change: dict[str, Any]) -> None:
    family = GuessingGame(dims=4, horizon=20, dtype="float64")
    agent = random_agent(family, experts=5, membrane="attentional")
    state = lived(agent, family, 5)
    _, after = changed(agent, state, keys(2), 5, **change)
    assert (after.membrane.since == 0).all()
    assert torch.equal(after.membrane.window, state.membrane.window)
    assert torch.equal(after.membrane.start, state.membrane.start)


def test_with_fewer_experts_outputs_wait_again_and_get_equal_time() -> None:
    family = GuessingGame(dims=4, horizon=20, dtype="float64")
    agent = random_agent(family, experts=4, membrane="attentional")
    names, state = keys(2), lived(agent, family, 10)
    smaller, state = changed(agent, state, names, 10, remove=[0, 3])
    assert torch.equal(state.membrane.writers.sum(dim=1), torch.full((2, 2), 2.0, dtype=torch.float64))
    membrane, writing, moved = state.membrane, torch.full((2, 2, 1), 1e-3, dtype=torch.float64), []
    for time in range(10, 20):
        shown = seen_at(family, names, time)
        membrane, _ = smaller.membrane.read(membrane, shown, time, 2)
        moved.append(smaller.membrane.write(membrane, shown, writing) != shown.outputs)
    assert (torch.stack(moved).sum(dim=0) == 5).all()


def test_the_hearer_stays_or_another_takes_over() -> None:
    family = small_family(dims=2)
    agent = random_agent(family, experts=3, membrane="attentional", feedback_to="one")
    state = lived(agent, family, 1)
    hearer = int(state.membrane.hearers[0, 0].argmax())
    others = [expert for expert in range(3) if expert != hearer]
    _, after = changed(agent, state, keys(2), 1, add=2)
    assert torch.equal(after.membrane.hearers[..., :3], state.membrane.hearers)
    _, after = changed(agent, state, keys(2), 1, remove=[hearer])
    assert torch.equal(after.membrane.hearers.sum(dim=-1), torch.ones(2, 1, dtype=torch.float64))
    _, after = changed(agent, state, keys(2), 1, remove=others)
    assert (after.membrane.hearers == 1).all()


# topologies


def test_a_matrix_needs_another_for_another_number() -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=4, topology=MATRIX)
    state = lived(agent, family, 2)
    with pytest.raises(ValueError, match="matrix for 4 experts, and now there are 5: give topology"):
        changed(agent, state, keys(2), 2, add=1)
    with pytest.raises(ValueError, match=r"shape \(4, 4\).*shape \(5, 5\)"):
        changed(agent, state, keys(2), 2, add=1, topology=MATRIX)
    wider = [[*row, 1] for row in (*MATRIX, MATRIX[0])]
    grown, _ = changed(agent, state, keys(2), 2, add=1, topology=wider)
    assert grown.channel.edges.as_matrix().int().tolist() == wider
    assert changed(agent, state, keys(2), 2, add=1, topology="ring")[0].channel.edges.as_matrix().sum() == 10
    assert torch.equal(
        changed(agent, state, keys(2), 2, replace=[1])[0].channel.edges.as_matrix(),
        agent.channel.edges.as_matrix(),
    )


# errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clone": [4]}, r"clone is \[4\]; experts are numbered 0 to 3"),
        ({"remove": [-1]}, r"remove is \[-1\]; experts are numbered 0 to 3"),
        ({"replace": [4]}, r"replace is \[4\]; experts are numbered 0 to 3"),
        ({"remove": [1, 1]}, r"remove and replace name an expert twice: \[1, 1\]"),
        ({"remove": [2], "replace": [2]}, r"name an expert twice: \[2, 2\]"),
        ({"remove": [0, 1, 2, 3]}, "remove names all 4 experts"),
        ({"add": -1}, "add is -1; it must be a whole number from 0 up"),
        ({"add": True}, "add is True"),
        ({"clone_noise": -0.5}, "clone_noise is -0.5; it must be a finite number from 0 up"),
        ({"add": 1, "topology": "star"}, "topology is 'star'"),
    ],
)
def test_a_change_that_cannot_be_is_one_clear_line(change: dict[str, Any], message: str) -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=4)
    with pytest.raises(ValueError, match=message) as caught:
        changed(agent, agent.initial_state(family, keys(2)), keys(2), 0, **change)
    assert "\n" not in str(caught.value)


def test_agent_state_and_keys_must_belong_together() -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=4)
    state = agent.initial_state(family, keys(2))
    with pytest.raises(
        ValueError, match=r"state is of 4 experts in 2 trials, the agent has 4 and .* 3 trials"
    ):
        changed(agent, state, keys(3), 0, add=1)
    grown, _ = changed(agent, state, keys(2), 0, add=1)
    with pytest.raises(ValueError, match="state is of 4 experts in 2 trials, the agent has 5"):
        changed(grown, state, keys(2), 0, add=1)
