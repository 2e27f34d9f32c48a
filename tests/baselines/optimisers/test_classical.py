"""Classical optimisers for hot/cold: what they write follows from what they hear, and it pays."""

from typing import Any

import pytest
import torch

from badger_agents.agent import Agent
from badger_agents.evaluation import evaluate
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hot_cold import FEEDBACK, HotCold
from baselines.optimisers.classical import Bisection, HillClimber, RandomSearch


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
