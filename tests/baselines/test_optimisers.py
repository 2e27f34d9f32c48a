"""Classical optimisers as agents."""

import importlib.util
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_agents.agent import Agent
from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hot_cold import FEEDBACK, HotCold
from badger_envs.families.xor import XOR
from baselines.optimisers.classical import Bisection, HillClimber, RandomSearch
from baselines.optimisers.library import CMAES, LibraryOptimiser, NelderMead, Powell
from baselines.optimisers.triangulation import Triangulation
from tests.badger_agents.small import keys

# Classical optimisers for hot/cold: what they write follows from what they hear, and it pays.


def keys_of(rows: int) -> torch.Tensor:
    return keyed_random.outer_keys(0, 0, rows, like=torch.zeros(()))


def live(agent: Agent, family: HotCold, keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Points written [T, B, O], their values [T, B], and the last state of the agent."""
    task, none = family.sample_task(keys), keys[:, :0].float()
    world, mind, points, values = family.initial_state(task), agent.initial_state(family, keys), [], []
    for step in range(family.horizon):
        mind, action, _ = agent.act(mind, family.observe(task, world), keys, step)
        world = family.step(task, world, action, none).state
        points.append(action)
        values.append(world.value)
    return torch.stack(points), torch.stack(values), mind


@pytest.mark.parametrize("feedback", ["delta", "value", "gradient"])
def test_random_search_ends_with_its_best_point(feedback: str) -> None:
    family = HotCold(feedback=feedback, dims=(1, 3), dtype="float64")
    _, values, _ = live(RandomSearch(), family, keys_of(100))
    task = family.sample_task(keys_of(100))
    start = family.initial_state(task).value
    torch.testing.assert_close(values[-1], torch.minimum(values[:-1].amin(dim=0), start))


def test_random_search_ignores_what_it_hears() -> None:
    written = [live(RandomSearch(), HotCold(feedback=name), keys_of(20))[0] for name in FEEDBACK]
    for points in written:
        assert torch.equal(points[:-1], written[0][:-1])
    assert written[0][:-1].unique(dim=0).shape[0] == 19  # fresh points at every step
    assert written[0][:-1].mean().abs() < 0.1
    assert written[0][:-1].std() == pytest.approx(3**-0.5, abs=0.05)


@pytest.mark.parametrize("kind", ["sphere", "absolute"])
def test_bisection_halves_what_is_left_by_comparisons_alone(kind: str) -> None:
    for feedback in ("sign", "delta"):
        family = HotCold(
            kind=kind, dims=(1, 2), capacity=4, shuffle_slots=True, feedback=feedback, dtype="float64"
        )
        points, _, mind = live(Bisection(), family, keys_of(300))
        task = family.sample_task(keys_of(300))
        target = task.optimum
        used = task.mask == 1
        assert bool(((mind.low <= target) & (target <= mind.high))[used].all())
        left = (mind.high - mind.low)[used]
        assert left.median() <= 2 * 0.5**8  # nine cuts or more a coordinate, nearly all of them by half
        assert left.max() < 0.1
        assert bool(((points[-1] - target).abs()[used] <= left / 2).all())
    assert evaluate(Bisection(), family, 500).mean < 0.1 * evaluate(RandomSearch(), family, 500).mean


def test_hill_climber_hears_the_same_in_delta_and_value() -> None:
    delta, value = (
        live(HillClimber(), HotCold(feedback=name, dtype="float64", horizon=15), keys_of(50))
        for name in ("delta", "value")
    )
    torch.testing.assert_close(delta[0], value[0])
    family = HotCold(feedback="value", kind="sphere", dims=4, horizon=60)
    assert evaluate(HillClimber(), family, 500).mean < 0.3 * evaluate(RandomSearch(), family, 500).mean


def test_hill_climber_goes_back_where_it_hears_signs_alone() -> None:
    family = HotCold(feedback="sign", kind="sphere", dims=3, horizon=60, dtype="float64")
    points, values, _ = live(HillClimber(), family, keys_of(50))
    task = family.sample_task(keys_of(50))
    points = torch.cat([torch.zeros_like(points[:1]), points])
    values = torch.cat([family.initial_state(task).value[None], values])
    best, moved = values[0], torch.zeros(50, dtype=torch.bool)
    for time in range(1, len(points)):
        worse = moved & (values[time - 1] > best)
        best = torch.where(moved, torch.minimum(best, values[time - 1]), best)
        torch.testing.assert_close(values[time][worse], best[worse])  # back to the best after a failure
        moved = ~worse
    assert evaluate(HillClimber(), family, 300).mean < 0.5 * evaluate(RandomSearch(), family, 300).mean


@pytest.mark.parametrize(
    "agent", [RandomSearch(), HillClimber(), Bisection()], ids=lambda agent: type(agent).__name__
)
def test_points_are_legal_and_rows_do_not_mix(agent: Agent) -> None:
    family = HotCold(dims=(1, 3), shuffle_slots=True, dtype="float64")
    keys = keys_of(10)
    points, _, _ = live(agent, family, keys)
    assert bool((points.abs() <= 1).all())
    alone, _, _ = live(agent, family, keys[3:4])
    torch.testing.assert_close(points[:, 3:4], alone)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RandomSearch().initial_state(GuessingGame(), keys_of(2)), "GuessingGame has none"),
        (lambda: HillClimber().initial_state(GuessingGame(), keys_of(2)), "GuessingGame has none"),
        (
            lambda: Bisection().initial_state(HotCold(feedback="value"), keys_of(2)),
            "needs feedback sign or delta",
        ),
        (lambda: HillClimber(width=0.0), "width is 0.0"),
        (lambda: HillClimber(growth=1.0), "growth 1.0"),
    ],
)
def test_impossible_uses_are_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


# Optimisers of other libraries, step by step: the points are those of the library, run at once.


cma = pytest.importorskip("cma")
optimize = pytest.importorskip("scipy.optimize")

AGENTS: list[LibraryOptimiser] = [CMAES(), NelderMead(), Powell()]
NAMES = [type(agent).__name__ for agent in AGENTS]


def family_of(**settings: Any) -> HotCold:
    return HotCold(**{"feedback": "value", "kind": ("sphere", "rosenbrock"), "dtype": "float64", **settings})


def points(agent: LibraryOptimiser, family: HotCold, rows: int) -> np.ndarray:
    """What it writes, [T, B, O]."""
    return rollout(agent, family, keys(rows), record=True).trace["action"].numpy()


def function_of(family: HotCold, row: int) -> Any:
    """The hidden function of a row."""
    one = keys(row + 1)[row:]
    task = family.sample_task(one)
    start, none = family.initial_state(task), one[:, :0].double()

    def value(point: Any) -> float:
        return float(family.step(task, start, torch.tensor(np.atleast_1d(point))[None], none).state.value)

    return value


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("method", ["Nelder-Mead", "Powell"])
def test_the_points_are_those_of_scipy_run_at_once(method: str, dims: int) -> None:
    family = family_of(dims=dims, horizon=25)
    agent = NelderMead() if method == "Nelder-Mead" else Powell()
    ours = points(agent, family, 3)
    corners = np.concatenate([np.zeros((1, dims)), 0.5 * np.eye(dims)])
    simplex = {"initial_simplex": corners, "xatol": 1e-6, "fatol": 1e-12}
    for row in range(3):
        value, tried = function_of(family, row), []

        def noted(point: np.ndarray, value: Any = value, tried: list[Any] = tried) -> float:
            tried.append(np.array(point, copy=True).ravel())
            return value(point)

        bounds = [(-1.0, 1.0)] * dims
        options = simplex if method == "Nelder-Mead" else {"ftol": 1e-12}
        optimize.minimize(noted, np.zeros(dims), method=method, bounds=bounds, options=options)
        whole = np.array(tried[1:26])  # the first is the start, which is no step
        assert len(whole) > 8
        np.testing.assert_allclose(ours[: len(whole), row], whole, atol=1e-9)


def test_the_generations_are_those_of_cma_run_at_once() -> None:
    family = family_of(dims=3, horizon=22)
    ours, size = points(CMAES(), family, 2), 4 + math.floor(3 * math.log(3))
    for row in range(2):
        own = keyed_random.agent_keys(keys(2))[row : row + 1]
        generator = np.random.default_rng(int(keyed_random.words(own, "CMAES", 1)[0, 0]))
        options = {
            "bounds": [-1, 1],
            "randn": lambda *shape, generator=generator: generator.standard_normal(shape),
            "seed": math.nan,
            "verbose": -9,
        }
        search, value, tried = cma.CMAEvolutionStrategy([0.0] * 3, 0.5, options), function_of(family, row), []
        while len(tried) < 22:
            generation = search.ask()
            assert len(generation) == size
            search.tell(generation, [value(point) for point in generation])
            tried += generation
        np.testing.assert_allclose(ours[:, row], np.array(tried[:22]), atol=1e-7)


@pytest.mark.parametrize("agent", AGENTS, ids=NAMES)
def test_they_search_better_than_at_random_and_hear_the_same_in_changes(agent: LibraryOptimiser) -> None:
    family = family_of(dims=3, horizon=30, kind="sphere", split="test")
    told = evaluate(agent, family, 10).outcomes
    assert told.mean() < 0.5 * evaluate(RandomSearch(), family, 200).mean
    changes = family_of(dims=3, horizon=30, kind="sphere", feedback="delta", split="test")
    torch.testing.assert_close(evaluate(agent, changes, 10).outcomes, told, atol=1e-3, rtol=0.1)


@pytest.mark.parametrize("agent", AGENTS, ids=NAMES)
def test_points_are_legal_and_neither_rows_nor_numpys_generator_meet(agent: LibraryOptimiser) -> None:
    family = family_of(dims=(1, 3), shuffle_slots=True, horizon=10)
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # type: ignore[index]
    together = points(agent, family, 4)
    assert (np.random.get_state(legacy=False)["state"]["key"] == before).all()  # type: ignore[index]
    mask = family.sample_task(keys(4)).mask.numpy()
    assert (abs(together) <= 1).all()
    assert (together[:, mask == 0] == 0).all()
    alone = rollout(agent, family, keys(4)[2:3], record=True).trace["action"].numpy()
    np.testing.assert_allclose(together[:, 2:3], alone, atol=1e-9)


@pytest.mark.parametrize("agent", AGENTS, ids=NAMES)
def test_signs_are_not_enough(agent: LibraryOptimiser) -> None:
    name = type(agent).__name__
    with pytest.raises(ValueError, match=f"{name} needs feedback value or delta or gradient; .*'sign'"):
        agent.initial_state(HotCold(), keys(2))
    with pytest.raises(ValueError, match="GuessingGame has none"):
        agent.initial_state(GuessingGame(), keys(2))


def test_when_it_has_ended_the_best_point_is_written() -> None:
    family = family_of(dims=1, horizon=60, kind="sphere")
    written = points(NelderMead(), family, 2)
    task = family.sample_task(keys(2))
    np.testing.assert_allclose(written[-1], task.optimum.numpy(), atol=1e-5)
    assert (written[-1] == written[-2]).all()


def test_what_is_not_installed_is_said_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cma" else found(name))
    said = r"CMAES needs cma, not installed here: pip install 'badger-suite\[baselines\]'"
    with pytest.raises(ValueError, match=said):
        CMAES()
    NelderMead()


def test_settings_that_are_none_are_refused() -> None:
    for make in (CMAES, NelderMead):
        with pytest.raises(ValueError, match=r"width is 0.0; it must lie in \(0, 1\]"):
            make(width=0.0)


# Triangulation: exact as long as there are steps enough, whatever the sizes and places of the slots.


@given(
    st.integers(1, 19),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 99),
)
@settings(max_examples=60)
def test_nineteen_numbers_are_found_in_twenty_steps(
    d: int, spare: int, shuffle: bool, dtype: str, seed: int
) -> None:
    family = GuessingGame(dims=d, capacity=d + spare, shuffle_slots=shuffle, dtype=dtype)
    lived = rollout(Triangulation(), family, keys(20, seed), record=True)
    limit = 1e-8 if dtype == "float32" else 1e-25
    assert float(lived.loss[-1].max()) < limit
    assert float(lived.loss[d:].max()) < limit  # d probes, then it knows and stays
    assert lived.info["is_success"].all()


@pytest.mark.parametrize(("d", "capacity"), [(20, 20), (20, 25), (24, 24)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_of_more_numbers_the_rest_is_left_at_zero(d: int, capacity: int, shuffle: bool) -> None:
    family = GuessingGame(dims=d, capacity=capacity, shuffle_slots=shuffle, split="test")
    result = evaluate(Triangulation(), family, 4000)
    expected = 3 / d * (d - 19) / 3  # 19 probes; a number left at zero costs 3/d * E[target ** 2]
    error = float(result.outcomes.std()) / 4000**0.5
    assert abs(result.mean - expected) < 3 * error


def test_one_number_left_of_twenty_costs_a_twentieth() -> None:
    mean = evaluate(Triangulation(), GuessingGame(dims=20, split="test"), 10_000).mean
    assert mean == pytest.approx(0.05, abs=3 * 3 / 20 * np.sqrt(1 / 5 - 1 / 9) / 100)


def test_sizes_drawn_per_task_are_found_too() -> None:
    family = GuessingGame(dims=(1, 8), shuffle_slots=True)
    assert float(rollout(Triangulation(), family, keys(200)).loss[-1].max()) < 1e-8
    held_out = GuessingGame(dims=(1, 8), shuffle_slots=True, split="test")
    assert float(rollout(Triangulation(), held_out, keys(200)).loss[-1].max()) < 1e-8


def test_numbers_within_a_smaller_scale_are_found_too() -> None:
    family = GuessingGame(dims=5, target_scale=0.1)
    assert float(rollout(Triangulation(), family, keys(50)).loss[-1].max()) < 1e-8


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_short_trials_leave_the_rest_at_zero(horizon: int) -> None:
    family = GuessingGame(dims=6, horizon=horizon)
    lived = rollout(Triangulation(), family, keys(30), record=True)
    found = (lived.trace["outputs"][-1] != 0).sum(-1)
    assert (found == horizon - 1).all()
    torch.testing.assert_close(
        lived.trace["outputs"][-1][:, : horizon - 1], lived.trace["solution"][-1][:, : horizon - 1]
    )


def test_every_probe_is_a_legal_action() -> None:
    family = GuessingGame(dims=(1, 8), shuffle_slots=True)
    actions = rollout(Triangulation(), family, keys(100), record=True).trace["action"]
    assert actions.abs().max() <= 1
    mask = family.sample_task(keys(100)).mask
    assert (actions * (1 - mask) == 0).all()


def test_another_family_is_refused() -> None:
    family = XOR()
    with pytest.raises(ValueError, match="guessing game"):
        Triangulation().initial_state(family, keys(2))
