"""Edges: which form an agent's topology takes, and agents over every topology."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.channel.edges import SMALL, THIN, Edges, sharpened
from badger_agents.badger.channel.sparse import as_edges, as_matrix
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.neighbours import Neighbours
from badger_envs.topology import adjacency
from tests.badger_agents.small import keys, random_agent, small_family, small_recipe

SPARSE = [
    "none", "self", "ring", "grid", "tree", "random:degree=1", "small-world", "random:degree=0.2,seed=trial",
    "small-world:seed=trial", "top-k:k=2,candidates=4",
]  # fmt: skip
EVERY = [*SPARSE, "all", "clusters", "layered", "random:degree=9,seed=trial"]


@pytest.mark.parametrize("topology", EVERY)
def test_few_experts_have_matrices_and_many_have_lists_where_edges_are_few(topology: str) -> None:
    for experts, many in ((1, False), (SMALL, False), (SMALL * 10, topology in SPARSE)):
        own = Edges(topology, experts)
        edges = own.of(own.draw(keys(2)))
        assert isinstance(edges, Neighbours) == (many or topology.startswith("top-k"))
        held = [*own.buffers(), *(edges if isinstance(edges, Neighbours) else ())]
        assert not many or max(part.numel() for part in held) <= 2 * experts * experts / THIN
        assert not own.state_dict()


@pytest.mark.parametrize("topology", EVERY)
@pytest.mark.parametrize("experts", [7, 170])
def test_agents_live_over_every_topology_and_rows_keep_to_themselves(topology: str, experts: int) -> None:
    family = small_family(dims=(1, 3), shuffle_slots=True)
    agent = random_agent(family, experts=experts, topology=topology, rounds=2, received_attention=True)
    names, others = keys(3), keys(3)
    others[1] = keys(1, seed=9)[0]
    first, second = (
        rollout(agent, family, rows, record=True, gradient_limit=1.0) for rows in (names, others)
    )
    for name, values in first.trace.items():
        assert torch.equal(values[:, [0, 2]], second.trace[name][:, [0, 2]]), name
    trace = first.trace
    attention = trace["attention"]
    if "senders" in trace:
        assert experts > SMALL or topology.startswith("top-k")
        attention = as_matrix(attention, trace["senders"])
    assert attention.shape == (4, 3, experts, experts)
    assert attention.isfinite().all()
    first.loss.mean().backward()
    gradients = [weight.grad for weight in agent.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("topology", SPARSE)
def test_a_sparse_agent_lives_as_a_dense_one_does(topology: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family, experts = small_family(), 200
    sparse = random_agent(family, experts=experts, topology=topology, received_attention=True)
    ours = rollout(sparse, family, keys(2), record=True).trace
    monkeypatch.setattr("badger_agents.badger.channel.edges.SMALL", experts)
    dense = random_agent(family, experts=experts, topology=topology, received_attention=True)
    theirs = rollout(dense, family, keys(2), record=True).trace
    torch.testing.assert_close(ours["outputs"], theirs["outputs"])
    torch.testing.assert_close(ours["messages"], theirs["messages"])
    matrices = [
        as_matrix(trace["attention"], trace["senders"]) if "senders" in trace else trace["attention"]
        for trace in (ours, theirs)
    ]
    torch.testing.assert_close(*matrices)


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor has that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for part in made if isinstance(made, tuple | list) else [made]:
            if isinstance(part, Tensor):
                self.numbers = max(self.numbers, part.untyped_storage().nbytes() // part.element_size())
        return made


@pytest.mark.parametrize("topology", SPARSE)
def test_no_tensor_grows_as_the_square_of_the_experts(topology: str) -> None:
    family, experts = small_family(), 2000
    with Largest() as largest:
        agent = random_agent(family, experts=experts, topology=topology, received_attention=True, rounds=2)
        rollout(agent, family, keys(1), record=True).loss.mean().backward()
    assert experts < largest.numbers < experts * experts / 4


PEAK = """
import resource
import sys
from pathlib import Path
import torch
from badger_agents.rollout import rollout
from tests.badger_agents.small import keys, random_agent, small_family
torch.set_num_threads(1)
family = small_family(horizon=2)
def live(experts):
    agent = random_agent(family, experts=experts, topology="ring", received_attention=True)
    rollout(agent, family, keys(1), record=True).loss.mean().backward()
    if sys.platform == "linux":  # getrusage would count what the parent had before exec
        return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = live(100)
print(live(20_000) - before)
"""


@pytest.mark.slow
def test_a_ring_of_20000_experts_takes_less_memory_than_a_matrix_of_bits_would() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[4],
        check=True,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 20_000**2 / 2


def test_edges_are_drawn_by_the_trial_and_stay_for_its_life() -> None:
    family = small_family()
    agent = random_agent(family, experts=200, topology="top-k:k=2,candidates=4")
    trace = rollout(agent, family, keys(3), record=True).trace
    senders = trace["senders"]
    assert (senders == senders[:1]).all()
    assert (senders[0, 0] != senders[0, 1]).any()
    drawn = agent.initial_state(family, keyed_random.agent_keys(keys(3))).channel.drawn
    assert isinstance(drawn, Neighbours)
    assert torch.equal(drawn.index, senders[0])
    with pytest.raises(ValueError, match="drawn anew in each trial"):
        _ = agent.channel.edges.as_matrix()


@pytest.mark.parametrize("topology", ["ring", "small-world"])
def test_edges_are_made_on_demand(topology: str) -> None:
    for experts in (5, 300):
        agent = random_agent(small_family(), experts=experts, topology=topology)
        assert torch.equal(agent.channel.edges.as_matrix(), torch.from_numpy(adjacency(topology, experts)))


def test_dense_draws_are_matrices_per_trial() -> None:
    drawn = Edges("random:seed=trial", 10).draw(keys(4))
    assert isinstance(drawn, Tensor)
    assert drawn.shape == (4, 10, 10)
    assert (drawn[0] != drawn[1]).any()
    other = Edges("top-k:candidates=9", 10).draw(keys(2))
    assert isinstance(other, Neighbours)
    assert torch.equal(as_edges(other)[0], ~torch.eye(10, dtype=torch.bool))


@pytest.mark.parametrize("topology", ["grid", "random:degree=2,seed=trial", "top-k:k=1,candidates=2"])
def test_recipes_take_topologies_with_arguments(topology: str) -> None:
    recipe = small_recipe(agent={"channel": {"topology": topology}})
    agent = recipe.make_agent(channel={"topology": "small-world:neighbours=6"}, experts=9)
    assert isinstance(agent, BadgerAgent)
    assert agent.channel.edges.as_matrix().sum() == 6 * 9


def test_attention_is_as_sharp_over_many_senders_as_over_few() -> None:
    """What one of n senders gets that stands out by as much falls with n, unless scores grow with log(n)."""

    def most(senders: int, usual: int) -> float:
        value, key = torch.zeros(1, senders, 1), torch.zeros(1, senders, 1)
        key[0, 0] = 2.5
        said = Emission(value, key, torch.ones(1, senders, 1))
        own = Edges([[1] * senders] * senders, senders)
        return float(own.deliver(sharpened(said, own.of(), usual) if usual else said, own.of())[1][0, 1, 0])

    assert most(4, 4) == most(4, 0)
    assert most(64, 0) < 0.2 < most(4, 0) - 0.3
    assert most(64, 4) > most(4, 4)
    ring = Edges("ring", 3)
    said = Emission(torch.zeros(1, 3, 2), torch.ones(1, 3, 2), torch.ones(1, 3, 2))
    lists = Neighbours(torch.tensor([[1, 2], [0, 2], [0, 1]]), torch.ones(3, 2, dtype=torch.bool))
    for edges in (ring.of(), lists):  # two each
        torch.testing.assert_close(sharpened(said, edges, 4).query, said.query / 2)
    family, sharp = small_family(dims=3), []
    for usual in (0, 2):
        agent = random_agent(family, experts=5, channel={"usual_senders": usual})
        sharp.append(rollout(agent, family, keys(3), record=True).trace["attention"].amax(-1).mean())
    assert sharp[1] > sharp[0]
