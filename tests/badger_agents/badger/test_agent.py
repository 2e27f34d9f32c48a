"""What is always true of a Badger agent (contract 4)."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.channel.edges import Edges
from badger_agents.badger.membrane.hardwired import HardwiredMembrane, HardwiredState
from badger_agents.rollout import rollout
from badger_envs.families.guessing_game import GuessingGame, Task
from badger_envs.family import Observation
from tests.badger_agents.small import keys, random_agent, small_family

MATRIX = ((0, 1, 0, 0, 1), (0, 0, 0, 0, 0), (1, 1, 1, 0, 0), (0, 0, 1, 0, 0), (1, 0, 0, 1, 0))
TOPOLOGIES = ["all", "none", "self", "ring", MATRIX]
topologies = pytest.mark.parametrize("topology", TOPOLOGIES, ids=["all", "none", "self", "ring", "matrix"])
rounds_1_to_3 = pytest.mark.parametrize("rounds", [1, 2, 3])


def live(
    agent: BadgerAgent, family: GuessingGame, task: Task, state: BadgerState, steps: int
) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
    """A trial on a given task from a given state of the experts."""
    world = family.initial_state(task)
    names = keys(len(task.target))
    for step in range(steps):
        state, action, record = agent.act(state, family.observe(task, world), names, step)
        world = family.step(task, world, action, names).state
    return state, world.outputs, record


class Crossed(HardwiredMembrane):
    """A hardwired membrane whose ties to the experts are crossed: expert i is where order[i] was."""

    def __init__(self, membrane: HardwiredMembrane, order: Tensor) -> None:
        super().__init__(membrane.slots, membrane.feedback_to, membrane.writing)
        self.order = order

    def read(
        self, state: HardwiredState, observation: Observation, step: int, experts: int
    ) -> tuple[HardwiredState, Tensor]:
        state, reading = super().read(state, observation, step, experts)
        return state, reading[:, self.order]

    def write(self, state: HardwiredState, observation: Observation, writing: Tensor) -> Tensor:
        return super().write(state, observation, writing[:, self.order.argsort()])


def permuted(state: BadgerState, order: Tensor) -> BadgerState:
    return state._replace(
        experts=state.experts[:, order],
        identity=state.identity[:, order],
    )


def check_permuted(
    order: Tensor, state: BadgerState, record: dict, other: BadgerState, other_record: dict
) -> None:
    torch.testing.assert_close(other.experts, state.experts[:, order])
    torch.testing.assert_close(other_record["messages"], record["messages"][:, order])
    torch.testing.assert_close(other_record["attention"], record["attention"][:, order][:, :, order])


def rewire(agent: BadgerAgent, place: Tensor) -> None:
    """Each expert gets the edges of another."""
    matrix = agent.channel.edges.as_matrix()[place][:, place].int().tolist()
    agent.channel.edges = Edges(tuple(map(tuple, matrix)), len(matrix))


@topologies
@rounds_1_to_3
@pytest.mark.parametrize("feedback_to", ["all", "one"])
@settings(max_examples=5)
@given(order=st.permutations(range(5)), seed=st.integers(0, 1000))
def test_permuting_states_edges_and_wires_permutes_everything(
    topology: Any, rounds: int, feedback_to: str, order: list[int], seed: int
) -> None:
    family = small_family(dims=(1, 2))  # room for 4 outputs: the test split's
    agent = random_agent(family, experts=5, topology=topology, rounds=rounds, feedback_to=feedback_to)
    names, place = keys(3, seed), torch.tensor(order)
    task, start = family.sample_task(names), agent.initial_state(family, names)
    state, outputs, record = live(agent, family, task, start, 3)
    rewire(agent, place)
    agent.membrane = Crossed(agent.membrane, place)
    other, same_outputs, other_record = live(agent, family, task, permuted(start, place), 3)
    torch.testing.assert_close(same_outputs, outputs)
    check_permuted(place, state, record, other, other_record)


@topologies
@settings(max_examples=5)
@given(order=st.permutations(range(1, 4)), seed=st.integers(0, 1000))
def test_permuting_states_edges_and_output_slots_permutes_everything(
    topology: Any, order: list[int], seed: int
) -> None:
    family = small_family(dims=(1, 2), shuffle_slots=True)
    agent = random_agent(family, experts=5, topology=topology, feedback_to="one")
    names, place = keys(3, seed), torch.tensor([0, *order, 4])  # expert 0 hears, expert 4 has no slot
    task, start = family.sample_task(names), agent.initial_state(family, names)
    state, outputs, record = live(agent, family, task, start, 3)
    rewire(agent, place)
    moved = Task(*(part[:, place[:4]] for part in task))
    other, moved_outputs, other_record = live(agent, family, moved, permuted(start, place), 3)
    torch.testing.assert_close(moved_outputs, outputs[:, place[:4]])
    check_permuted(place, state, record, other, other_record)


def distances(edges: np.ndarray) -> np.ndarray:
    """[i, j]: how many deliveries it takes for something of j to reach i; infinite if it never does."""
    experts = len(edges)
    found = np.full((experts, experts), np.inf)
    reached = np.eye(experts, dtype=bool)
    for hops in range(experts):
        found[reached & np.isinf(found)] = hops
        reached = reached | (edges.astype(int) @ reached > 0)
    return found


@settings(max_examples=60)
@given(
    st.integers(2, 5).flatmap(
        lambda e: st.lists(st.lists(st.integers(0, 1), min_size=e, max_size=e), min_size=e, max_size=e)
    ),
    st.integers(1, 3),
    st.integers(1, 4),
    st.data(),
)
def test_messages_travel_one_edge_a_round_and_nowhere_else(
    matrix: list[list[int]], rounds: int, steps: int, data: st.DataObject
) -> None:
    experts = len(matrix)
    family = small_family(dims=2, horizon=steps)
    settings_ = {"experts": experts, "topology": tuple(map(tuple, matrix)), "rounds": rounds}
    agent = random_agent(family, scale=0.7, **settings_)
    changed = data.draw(st.integers(0, experts - 1))
    names = keys(1)
    observation = family.observe(task := family.sample_task(names), family.initial_state(task))

    def end(nudge: float) -> Tensor:
        state = agent.initial_state(family, names)
        state.experts[:, changed] += nudge
        for step in range(steps):  # one observation throughout: only the channel connects the experts
            state, _, _ = agent.act(state, observation, names, step)
        return state.experts[0]

    influenced = (end(0.0) != end(1.0)).any(dim=-1).numpy()
    np.testing.assert_array_equal(influenced, distances(np.array(matrix))[:, changed] <= rounds * steps)


@pytest.mark.parametrize("topology", ["none", "self"])
@rounds_1_to_3
def test_a_cut_channel_has_no_influence_whatever_is_sent(topology: str, rounds: int) -> None:
    family = small_family()
    agent = random_agent(family, topology=topology, rounds=rounds)
    names = keys(5)
    task, state = family.sample_task(names), agent.initial_state(family, names)
    observation = family.observe(task, family.initial_state(task))
    state, _, record = agent.act(state, observation, names, 0)
    others = state.experts.clone()
    others[:, 1:] = 1e6
    quiet, action, said = agent.act(state, observation, names, 1)
    loud, same_action, shouted = agent.act(state._replace(experts=others), observation, names, 1)
    assert (shouted["messages"][:, 1:] != said["messages"][:, 1:]).any()
    assert torch.equal(quiet.experts[:, 0], loud.experts[:, 0])
    assert torch.equal(action[:, 0], same_action[:, 0])
    assert (record["inbox"] == 0).all() or topology == "self"


@pytest.mark.parametrize(("topology", "deaf"), [("none", range(5)), (MATRIX, [1])], ids=["none", "matrix"])
@rounds_1_to_3
def test_an_expert_without_neighbours_has_an_inbox_of_zeros(
    topology: Any, deaf: list[int], rounds: int
) -> None:
    family = small_family()
    agent = random_agent(family, experts=5, topology=topology, rounds=rounds)
    trace = rollout(agent, family, keys(3), record=True).trace
    assert (trace["inbox"][:, :, list(deaf)] == 0).all()
    assert (trace["messages"] != 0).all()


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_what_is_read_now_is_heard_in_the_same_step_or_as_many_rounds_late_as_the_delay_says(
    delay: int,
) -> None:
    family = small_family()
    agent = random_agent(family, feedback_to="one", channel={"delay": delay})
    names = keys(2)
    task = family.sample_task(names)
    seen = family.observe(task, family.initial_state(task))
    louder = seen._replace(feedback=seen.feedback + 1)

    def states(*shown: Observation) -> Tensor:
        state = agent.initial_state(family, names)
        for step, observation in enumerate(shown):
            state, _, _ = agent.act(state, observation, names, step)
        return state.experts

    for steps in range(1, 4):
        later = [seen] * (steps - 1)
        now, other = states(seen, *later), states(louder, *later)
        assert (now[:, 0] != other[:, 0]).any()
        heard = (now[:, 1:] != other[:, 1:]).any(dim=-1)
        assert heard.all() if steps > delay else not heard.any()


@topologies
@rounds_1_to_3
def test_a_trial_leaves_the_weights_as_they_are(topology: Any, rounds: int) -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=5, topology=topology, rounds=rounds)
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    edges = agent.channel.edges.as_matrix().clone()
    rollout(agent, family, keys(4)).loss.mean().backward()
    after = agent.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(edges, agent.channel.edges.as_matrix())


@topologies
@rounds_1_to_3
def test_no_information_between_rows(topology: Any, rounds: int) -> None:
    family = small_family(dims=(1, 3), shuffle_slots=True)
    wide = topology if isinstance(topology, str) else tuple((*row, 1) for row in (*topology, topology[0]))
    agent = random_agent(family, experts=6, topology=wide, rounds=rounds)
    names, others = keys(5), keys(5)
    others[2] = keys(1, seed=9)[0]
    first, second = rollout(agent, family, names, record=True), rollout(agent, family, others, record=True)
    kept = [0, 1, 3, 4]
    for name, values in first.trace.items():
        assert torch.equal(values[:, kept], second.trace[name][:, kept]), name
    assert not torch.equal(first.trace["messages"][:, 2], second.trace["messages"][:, 2])


@topologies
def test_no_information_from_one_trial_to_the_next(topology: Any) -> None:
    family = small_family(dims=3)
    agent = random_agent(family, experts=5, topology=topology, rounds=2)
    fresh = rollout(agent, family, keys(3, seed=2), record=True).trace
    rollout(agent, family, keys(3, seed=1))
    again = rollout(agent, family, keys(3, seed=2), record=True).trace
    assert all(torch.equal(fresh[name], again[name]) for name in fresh)


@given(st.integers(3, 6), st.integers(1, 6))
@settings(max_examples=20)
def test_more_experts_leave_the_states_of_the_first_as_they_were(few: int, more: int) -> None:
    family = small_family()
    agent, larger = random_agent(family, experts=few), random_agent(family, experts=few + more)
    names = keys(3)
    start = agent.initial_state(family, names).experts
    assert torch.equal(larger.initial_state(family, names).experts[:, :few], start)
    assert len(torch.unique(larger.initial_state(family, names).experts[0], dim=0)) == few + more


def test_experts_of_one_trial_and_of_other_trials_start_differently() -> None:
    family = small_family()
    states = random_agent(family).initial_state(family, keys(100)).experts  # (B, E, H)
    assert len(torch.unique(states.flatten(0, 1), dim=0)) == 300
    assert states.mean().abs() < 0.1
    assert abs(states.std() - 1) < 0.05


def test_dims_of_experts_are_not_in_the_weights() -> None:
    family = small_family()
    few, many = random_agent(family, experts=3), random_agent(family, experts=9)
    assert {n: v.shape for n, v in few.state_dict().items()} == {
        n: v.shape for n, v in many.state_dict().items()
    }


@pytest.mark.parametrize(
    ("settings_", "message"),
    [({"dims": 4}, "3 experts for 4 outputs"), ({"dtype": "float32"}, "float64.*float32")],
)
def test_a_family_that_does_not_fit_is_refused(settings_: dict[str, Any], message: str) -> None:
    agent = random_agent(small_family())
    with pytest.raises(ValueError, match=message):
        agent.initial_state(small_family(**settings_), keys(1))
