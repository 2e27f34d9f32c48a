"""Optimisers of other libraries, step by step: the points are those of the library, run at once."""

import importlib.util
import math
from typing import Any

import numpy as np
import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hot_cold import HotCold
from baselines.optimisers.classical import RandomSearch
from baselines.optimisers.library import CMAES, LibraryOptimiser, NelderMead, Powell
from tests.badger_agents.small import keys

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
