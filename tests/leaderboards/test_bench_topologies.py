"""`badger bench topologies`: what it prints, and that it times and weighs what it says."""

import math
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from badger_agents.rollout import rollout
from badger_envs import keyed_random
from benchmarks.memory import Alive, peak_memory
from benchmarks.topologies import STEPS, Cell, InnerSteps, Kind
from leaderboards.commands.bench import cell_records
from tests.leaderboards.command import refused, run

SMALL = Kind(hidden_size=4)


def test_memory_is_that_of_what_is_alive_at_the_same_time() -> None:
    held = torch.zeros(1000)  # 4,000 bytes

    def work() -> None:
        one = held + 1  # 4,000 more
        two = torch.cat([one, one])  # 8,000 more: the peak
        del one
        view = two.view(2, -1).mT + held[:1]  # 8,000 in place of 4,000: the peak
        assert view.shape == (1000, 2)

    assert peak_memory(work, "cpu") == 4_000 + 8_000 + 8_000
    with Alive() as alive:
        held.view(10, -1).mT.unsqueeze(0)
    assert (alive.peak, alive.largest) == (4_000, 4_000)


@pytest.mark.parametrize("topology", ["ring", "top-k:k=1,candidates=2", "all"])
@pytest.mark.parametrize("membrane", ["hardwired", "attentional"])
def test_its_inner_steps_are_those_of_trials(topology: str, membrane: str) -> None:
    steps = InnerSteps(topology, 5, Kind(hidden_size=4, rounds=2, membrane=membrane, batch_size=3), "cpu")  # type: ignore[arg-type]
    assert steps() == STEPS * 3
    now = steps.start
    with torch.no_grad():
        for time in range(1, STEPS + 1):
            now = steps._step(now, time)
        keys = keyed_random.outer_keys(0, 0, 3, like=torch.zeros(()))
        lived = rollout(steps.agent, steps.family, keys, record=True)
    torch.testing.assert_close(now[0].emission.value, lived.trace["messages"][-1])
    assert lived.trace["messages"][-1].std() > 0
    assert len(lived.loss) == STEPS + 1


@pytest.mark.parametrize(
    "topology", ["none", "self", "ring", "grid", "tree", "random", "small-world", "top-k"]
)
def test_over_a_sparse_topology_memory_is_in_proportion_to_experts(topology: str) -> None:
    few, many = 1_000, 10_000
    with Alive() as alive:
        steps = InnerSteps(topology, many, SMALL, "cpu")
        steps()
    assert alive.largest < many**2 / 4  # bytes: less than a matrix of booleans
    peaks = [peak_memory(InnerSteps(topology, few, SMALL, "cpu"), "cpu"), peak_memory(steps, "cpu")]
    assert peaks[1] < many**2
    assert peaks[1] < 1.3 * many / few * peaks[0]


def test_a_matrix_is_seen_where_there_is_one() -> None:
    assert peak_memory(InnerSteps("all", 1_000, SMALL, "cpu"), "cpu") > 4 * 1_000**2


def test_a_time_ratio_is_the_median_of_the_rounds() -> None:
    cells = [
        Cell("ring", 10, [10.0, 20.0, 90.0], 500),
        Cell("ring", 100, [5.0, 4.0, 30.0], 4_000_000),
        Cell("grid", 10, [1.0, 1.0, 1.0], 7),
    ]
    first, second, third = cell_records(cells, SMALL)
    assert (second["time_ratio"], second["to_experts"]) == (3.0, 10)
    assert (second["value"], second["n"], second["peak_MB"], second["bytes_per_expert"]) == (5.0, 3, 4.0, 4e4)
    assert "time_ratio" not in first
    assert "time_ratio" not in third


def test_it_prints_a_row_per_topology_and_number(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "in" / "t.png"
    words = (
        "--topology",
        "ring",
        "all",
        "top-k:k=2",
        "--experts",
        40,
        9,
        40,
        "--dense-up-to",
        20,
        "--seconds",
        0.05,
    )
    done = run(capsys, "bench", "topologies", *words, "--hidden-size", 4, "--figure", picture, "--json")
    assert done.status == 0, done.err
    rows = done.results
    cases = [(row["topology"], row["experts"]) for row in rows]
    assert cases == [("ring", 9), ("ring", 40), ("all", 9), ("top-k:k=2", 9), ("top-k:k=2", 40)]
    for row in rows:
        assert 0 < row["value"] < math.inf
        assert 0 < row["peak_MB"] < 1
        assert (row["name"], row["unit"], row["n"]) == ("inner_steps_per_second", "1/s", rows[0]["n"])
        assert ("time_ratio" in row) == (row["experts"] == 40)
    assert imread(picture).std() > 0.05
    table = run(capsys, "bench", "topologies", *words)
    for word in ("peak_MB", "time_ratio", "1 threads", "all: up to 20 experts"):
        assert word in table.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--topology", "star"], "topology is 'star'"),
        (["--experts", "0", "7"], "--experts is 0"),
        (["--rounds", "0"], "--rounds is 0"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--topology", "all", "--dense-up-to", "5"], "nothing is left of --experts"),
        (["--figure", "x.gif"], "its name must end in"),
        (["--membrane", "hardwired", "--experts", "2"], "2 experts for 3 outputs"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_what_cannot_be_timed_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, "bench", "topologies", *words)
    assert torch.get_num_threads() == 1
