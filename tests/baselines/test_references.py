"""Agents that set the scale of scores: fixed policies, exact solutions, and how they are measured."""

import json
from pathlib import Path

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs import TABLE, family_of, scoring
from badger_envs.combinators.sequence import Sequence
from badger_envs.families.bandit import Bandit
from badger_envs.families.hot_cold import HotCold
from badger_envs.families.xor import XOR
from baselines.bandits.classical import UCB1
from baselines.bandits.special import AskAndTake, DiscountedUCB, GaussianUCB, SharedEvidence
from baselines.constant_policies import Constant, FirstSlot, Grid, Spread, UsualAnswer
from baselines.optimisers.triangulation import Triangulation
from baselines.oracle import Oracle
from baselines.references import REFERENCES, candidates_of
from baselines.restarted import Recalling, Restarted
from baselines.supervised.boolean import Memoriser, ReadAll
from leaderboards.cli import main
from leaderboards.commands.admin import score
from tests.badger_agents.small import keys
from tests.badger_envs.toy_family import Toy


def test_every_family_of_the_suite_has_candidates() -> None:
    assert set(REFERENCES) == {entry.family for entry in TABLE}
    for entry in TABLE:
        floors, references = candidates_of(family_of(entry.id))
        assert floors
        assert references


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Toy; add them to baselines.references"):
        candidates_of(Toy())


@pytest.mark.parametrize("show", ["always", "first"])
@pytest.mark.parametrize("function", ["parity", "majority"])
def test_reading_all_bits_answers_exactly_at_any_size(function: str, show: str) -> None:
    family = XOR(bits=(1, 6), function=function, show=show, shuffle_slots=True, split="test")
    assert evaluate(ReadAll(), family, 200).mean == 1


def test_remembering_all_examples_scores_what_it_must() -> None:
    family = XOR(bits=3, function="table", horizon=16, capacity=5, shuffle_slots=True)
    result = evaluate(Memoriser(), family, 3000)
    low, high = result.ci95
    expected = 1 - sum((1 - 2**-3) ** step for step in range(8, 16)) / 8 / 2
    assert abs(result.mean - expected) < high - low  # four standard errors


def test_the_dependent_arms_tell_about_each_other() -> None:
    family = Bandit(kind="dependent")
    assert evaluate(SharedEvidence(), family, 2000).mean > evaluate(UCB1(0.2), family, 2000).mean


def test_asking_costs_one_pull() -> None:
    result = evaluate(AskAndTake(), Bandit(kind="informative", horizon=5), 100)
    assert set(result.outcomes.double().mul(10).round().tolist()) == {float(200 + j) for j in range(1, 11)}


def test_bounds_help_and_forgetting_helps_where_arms_change() -> None:
    gaussian, restless = Bandit(kind="gaussian"), Bandit(kind="restless", walk=0.2)
    assert evaluate(GaussianUCB(1.0), gaussian, 500).mean > evaluate(GaussianUCB(0.0), gaussian, 500).mean
    assert evaluate(DiscountedUCB(gamma=0.9), restless, 500).mean > evaluate(UCB1(), restless, 500).mean
    plain, undiscounted = evaluate(UCB1(), Bandit(), 50), evaluate(DiscountedUCB(gamma=1.0), Bandit(), 50)
    assert torch.equal(plain.outcomes, undiscounted.outcomes)


@pytest.mark.parametrize("gamma", [0.0, 1.1])
def test_an_impossible_discount_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match="gamma"):
        DiscountedUCB(gamma=gamma)


def test_fixed_policies_do_what_they_say() -> None:
    family = HotCold(dims=2, horizon=4)
    keys = torch.zeros(3, 4, dtype=torch.int64)
    task = family.sample_task(keys)
    seen = family.observe(task, family.initial_state(task))
    state, points = Spread(0.5).initial_state(family, keys), []
    for step in range(4):
        state, point, _ = Spread(0.5).act(state, seen, keys, step)
        points.append(point[0])
    visited = torch.stack(points)
    assert visited.abs().max() <= 0.5
    assert torch.pdist(visited).min() > 0.2
    assert torch.equal(Constant(-0.25).act(state, seen, keys, 4)[1], torch.full((3, 2), -0.25))
    assert FirstSlot().act(state, seen, keys, 4)[1].tolist() == [0, 0, 0]


def test_a_grid_visits_the_centres_of_its_cells_and_begins_anew() -> None:
    family, names = HotCold(dims=2), keys(1)
    task = family.sample_task(names)
    seen = family.observe(task, family.initial_state(task))
    grid = Grid(7, radius=0.9)  # two by three: the most that seven leave room for
    visited = [tuple(grid.act((), seen, names, step)[1][0].tolist()) for step in range(8)]
    centres = [(x, y) for x in (-0.6, 0.0, 0.6) for y in (-0.45, 0.45)]
    torch.testing.assert_close(torch.tensor(sorted(visited[:6])), torch.tensor(sorted(centres)))
    assert visited[6:] == visited[:2]


def test_what_is_usual_is_better_than_one_sign_where_places_differ() -> None:
    family = family_of("Badger/Deliberation-maze-v0", split="test")
    usual = evaluate(UsualAnswer(), family, 500).mean
    assert usual > 0.01 + max(evaluate(Constant(sign), family, 500).mean for sign in (-1.0, 1.0))
    assert usual < 0.65


def test_the_oracle_knows_the_optimum_and_refuses_what_has_none() -> None:
    assert evaluate(Oracle(), HotCold(dims=(1, 3), shuffle_slots=True, split="test"), 50).mean == 0
    with pytest.raises(ValueError, match="no solution"):
        evaluate(Oracle(), Bandit(), 5)


@pytest.mark.parametrize(
    ("agent", "family"), [(ReadAll(), XOR(function="table", horizon=8)), (Memoriser(), XOR())]
)
def test_solutions_of_another_function_are_refused(agent: ReadAll | Memoriser, family: XOR) -> None:
    with pytest.raises(ValueError, match=type(agent).__name__):
        evaluate(agent, family, 5)


def test_the_best_candidate_sets_the_scale() -> None:
    scale = score.measure(family_of("Badger/HotCold-sphere-d2-v0", split="test"), 200)
    assert scale.outcome == "regret"
    assert scale.floor.agent.startswith("grid")  # blind points: better than zeros
    assert scale.reference == ("optimum", 0.0, 0.0, 200)


def test_a_reference_no_better_than_the_floor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = candidates_of(family_of("Badger/XOR-v0"))
    worse = candidates._replace(references={"constant": Constant(1.0)})
    monkeypatch.setattr(score, "candidates_of", lambda family: worse)
    with pytest.raises(ValueError, match="no better than the floor"):
        score.measure(family_of("Badger/XOR-v0"), 100)


def test_the_command_prints_flat_records_and_writes_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.json"
    monkeypatch.setattr(scoring, "FILE", file)
    scoring.scales.cache_clear()
    try:
        arguments = ["admin", "score", "badger_envs:Badger/GuessingGame-v0", "--trials", "50", "--json"]
        main(arguments)
        floor, reference = json.loads(capsys.readouterr().out)["results"]
        assert (floor["name"], reference["name"]) == ("floor", "reference")
        assert floor["id"] == "Badger/GuessingGame-v0"
        assert 0.5 < floor["value"] < 1.5
        assert not file.exists()
        main([*arguments, "--write"])
        assert scoring.normalised_score("Badger/GuessingGame-v0", floor["value"]) == 0
    finally:
        scoring.scales.cache_clear()


def test_triangulation_scores_one() -> None:
    family = family_of("Badger/GuessingGame-v0", split="test")
    error = evaluate(Triangulation(), family, 1000).mean
    assert scoring.normalised_score("Badger/GuessingGame-v0", error) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("probe", [1.0, 0.1])
def test_sequences_are_played_anew_at_each_visit_or_recalled(probe: float) -> None:
    family = family_of("Badger/Sequence-v0", split="test", horizon=80)  # A, B, A; then the order begins anew
    assert isinstance(family, Sequence)
    anew = Restarted(Triangulation(probe), family)
    first = rollout(anew, family, keys(50)).info
    then = rollout(Recalling(anew), family, keys(50)).info
    assert torch.equal(then["loss_1"], first["loss_1"])
    assert first["loss_2"].min() > 0.01  # it searches again
    assert then["loss_2"].max() < 1e-6
    torch.testing.assert_close(2 * then["loss_0"], first["loss_0"], rtol=1e-3, atol=1e-6)  # of two visits
