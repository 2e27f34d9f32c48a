"""Tests of synthetic tasks: what is right, what is told, and that errors are in units of knowing nothing."""

import numpy as np
import pytest
import torch

from badger_envs import keyed_random
from badger_envs.families.synthetic import maps
from badger_envs.families.synthetic.goals import GOALS
from badger_envs.families.synthetic.synthetic import Synthetic
from badger_envs.family import Observation


def keys(rows: int, step: int = 0) -> np.ndarray:
    return keyed_random.outer_keys(0, step, rows)


def family_for(goal: str, **settings: object) -> Synthetic:
    return Synthetic(goal=goal, context=goal != "optimum", horizon=6, dtype="float64", **settings)


def errors(family: Synthetic, policy: str, rows: int = 1000) -> np.ndarray:
    """Outcomes [B] of who writes the answers, zeros, or chooses the first slot."""
    names = keys(rows)
    task = family.sample_task(names)
    state, noise = family.initial_state(task), family.noise(names, family.horizon)
    for time in range(family.horizon):
        action = family.solution(task, state) * (policy == "answers")
        if family.action_kind == "categorical":
            action = action.argmax(axis=-1)
        state = family.step(task, state, action, noise[:, time]).state
    return family.info(task, state)["error"]


def observed(family: Synthetic, rows: int, actions: np.ndarray) -> tuple[list[Observation], np.ndarray]:
    """What is seen before each step and after the last; and the errors of the steps, [T, B]."""
    names = keys(rows)
    task = family.sample_task(names)
    state, noise = family.initial_state(task), family.noise(names, family.horizon)
    seen, error = [family.observe(task, state)], []
    for time in range(family.horizon):
        state = family.step(task, state, actions[time], noise[:, time]).state
        seen.append(family.observe(task, state))
        error.append(state.error)
    return seen, np.stack(error)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("kind", maps.KINDS)
def test_answers_have_no_error_and_knowing_nothing_has_one_of_one(goal: str, kind: str) -> None:
    family = family_for(goal, kind=kind, outputs=3)
    assert errors(family, "answers").max() < 1e-12
    nothing = errors(family, "nothing").mean()
    if goal == "agree":  # zeros are no answer, and all wrong
        assert nothing == 2
    else:
        assert nothing == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("kind", ["linear", "sparse", "network"])
def test_pulled_is_the_gradient_of_values(kind: str) -> None:
    names = torch.from_numpy(keys(4))
    used = torch.ones(4, 5, dtype=torch.float64)
    drawn = maps.draw(names, (kind,), used, 3)
    points = torch.from_numpy(2 * keyed_random.uniform(keys(4), "points", 5, dtype="float64") - 1)[:, None]
    points.requires_grad_()
    pull = torch.linspace(-1, 1, 3, dtype=torch.float64).expand(4, 1, 3)
    (slope,) = torch.autograd.grad((pull * maps.values(drawn, (kind,), points)).sum(), points)
    torch.testing.assert_close(maps.pulled(drawn, (kind,), points, pull), slope)


def test_what_is_told_is_late_local_and_in_its_own_unit() -> None:
    family = family_for("match", outputs=3, told="error")
    actions = 2 * keyed_random.uniform(keys(50), "actions", 6 * 3, dtype="float64").reshape(50, 6, 3) - 1
    actions = actions.transpose(1, 0, 2)
    plain, error = observed(family, 50, actions)
    assert np.array_equal(np.stack([each.feedback[:, 0] for each in plain[1:]]), error)
    assert not any(each.output_feedback.any() for each in plain)
    other, same = observed(
        family_for("match", outputs=3, told="error", delay=2, unit=10, local=True), 50, actions
    )
    assert np.array_equal(same, error)  # the tasks are the same
    assert all((each.feedback == 0).all() for each in other)
    heard = np.stack([each.output_feedback[:, :, 0].sum(axis=-1) for each in other])  # [T + 1, B]
    late = (heard != 0).argmax(axis=0) - 1  # [B]
    assert set(late) == {0, 1, 2}
    factor = heard[late + 1, np.arange(50)] / error[0]
    assert factor.min() > 0.1
    assert factor.max() < 10
    assert factor.max() / factor.min() > 10
    np.testing.assert_allclose(heard[late + 3, np.arange(50)], factor * error[2])


def test_numbers_about_each_output_are_marked_in_half_of_the_tasks() -> None:
    seen, _ = observed(family_for("match", outputs=3), 200, np.zeros((6, 200, 3)))
    marks = np.stack([each.output_feedback[:, :, 1] for each in seen])  # [T + 1, B, O]
    marked = marks[1].all(axis=-1)  # [B]
    assert 70 < marked.sum() < 130
    assert np.array_equal(marks, (np.arange(7) > 0)[:, None, None] * np.repeat(marked[:, None], 3, axis=1))


def test_few_distinct_tasks_are_met_again_with_other_inputs() -> None:
    family = family_for("match", distinct=3)
    first, again = family.sample_task(keys(100)), family.sample_task(keys(100, step=1))
    weights = np.concatenate([task.weights.round(9) + 0.0 for task in (first, again)])
    assert len(np.unique(weights, axis=0)) == 3
    assert len({row.tobytes() for task in (first, again) for row in task.first}) == 200


def test_queries_are_told_nothing() -> None:
    seen, _ = observed(family_for("agree", told_steps=2), 5, np.zeros((6, 5, 7)))
    assert [float(each.flags[0, 1]) for each in seen] == [0, 0, 1, 1, 1, 1, 1]
    assert [bool(each.output_feedback.any()) for each in seen] == [
        False,
        True,
        True,
        False,
        False,
        False,
        False,
    ]
