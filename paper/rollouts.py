"""Figures 6, 8 and 9: an agent watched within a few tasks."""

from typing import Any, NamedTuple

import numpy as np
import torch

from badger_agents.agent import Agent
from badger_agents.estimators.objectives import OBJECTIVES, step_weights
from badger_agents.recipe.loading import Recipe
from badger_agents.rollout import Trajectory, rollout
from badger_envs import keyed_random
from badger_envs.family import Family
from leaderboards.plots.rollout import attention_among, draw_trace
from leaderboards.results import Record, record
from paper.measuring import measure
from paper.subjects import Asked, Drawn, Subject, find_subjects, game

LAST_STEP = "guessing-last-step"
AS_SOON_AS_POSSIBLE = "guessing-as-soon-as-possible"
"""The policies of figures 6 and 8, and of figure 9."""

OBJECTIVE_IN_WORDS = {
    "last_step": "the last step counts (shaded)",
    "second_half": "the second half counts (shaded)",
    "as_soon_as_possible": "every step counts: right as soon as possible",
}

TASKS = 10
TASKS_OF_TALK = 3


class Watched(NamedTuple):
    """An agent in a few tasks, recorded: arrays [T, B, ...], outputs and solution nan in unused slots."""

    subject: Subject
    agent: Agent
    family: Family
    trajectory: Trajectory
    trace: dict[str, np.ndarray]


def six(asked: Asked) -> Drawn:
    """Figure 6: ten rollouts of the agent whose loss counts at the last step."""
    return _ten_rollouts(asked, LAST_STEP, 6)


def nine(asked: Asked) -> Drawn:
    """Figure 9: ten rollouts of the agent whose loss counts at every step."""
    return _ten_rollouts(asked, AS_SOON_AS_POSSIBLE, 9)


def eight(asked: Asked) -> Drawn:
    """Figure 8: what the experts of figure 6 say, and who listens to whom."""
    if asked.trials is not None:
        raise ValueError(f"--trials: figure 8 is of the first {TASKS_OF_TALK} tasks of figure 6")
    watched = _watch(asked, LAST_STEP, TASKS_OF_TALK, 8)
    if "messages" not in watched.trace or watched.trace["messages"].shape[2] < 2:
        raise ValueError(f"{watched.subject.name} has no experts that talk; figure 8 is of what they say")
    settings = _settings(watched, asked)
    records: list[Record] = []
    for name in ("outputs", "solution", "messages"):
        records += _numbers(name, watched.trace[name], settings)
    attention = attention_among(watched.trace, watched.trace["messages"].shape[2])  # [T, B, E, E]
    records += _numbers("attention", attention, settings)
    end = watched.trajectory.info["error"]
    summary = [
        record("error", float(value), **settings, task=task + 1) for task, value in enumerate(end.tolist())
    ]
    title = (
        f"Figure 8: how {watched.trace['messages'].shape[2]} experts talk within a trial,"
        f" {_called(watched.subject)}"
    )
    return Drawn(
        draw_trace(watched.trace, f"{title}\n{_hearing(watched)}", tasks=TASKS_OF_TALK),
        records, summary, title, f"error at the last step of each of {TASKS_OF_TALK} test tasks",
    )  # fmt: skip


def _ten_rollouts(asked: Asked, policy: str, number: int) -> Drawn:
    watched = _watch(asked, policy, TASKS, number)
    trials = asked.trials or 10_000
    many = measure(watched.agent, watched.family, trials, asked.seed, asked.device)
    trace, loss = watched.trace, watched.trajectory.loss.cpu().numpy()
    settings = _settings(watched, asked)
    records = [
        *_numbers("outputs", trace["outputs"], settings),
        *_numbers("solution", trace["solution"], settings),
        *_numbers("error_of_task", loss, settings),
        *(
            record("error_within", float(e), n=trials, **settings, step=t + 1)
            for t, e in enumerate(many.loss)
        ),
    ]
    end = record("error", many.mean, n=trials, ci95=many.ci95, **settings)
    objective = _objective(watched.subject.recipe)
    words = OBJECTIVE_IN_WORDS.get(objective, f"objective {objective}")
    title = (
        f"Figure {number}: ten rollouts, {words}; {_called(watched.subject)}\n"
        f"error at step {watched.family.horizon} over {trials:,} test tasks: {many.mean:.4f}"
        f" (95 % over tasks: {many.ci95[0]:.4f} to {many.ci95[1]:.4f}). {_hearing(watched)}"
    )
    counted = _counted(objective, watched.family.horizon)
    return Drawn(
        draw_trace(trace, title, tasks=TASKS, loss=loss, mean=many.loss.numpy(), counted=counted),
        [*records, end],
        [end],
        f"Figure {number}: ten rollouts, {words}",
        f"interval: 95 % over {trials} tasks; 1 outer seed",
    )


def _watch(asked: Asked, policy: str, tasks: int, number: int) -> Watched:
    """The one agent in the first test tasks, all recorded."""
    if asked.dims or asked.experts:
        raise ValueError(f"--dims, --experts: figure {number} is of the agent as it was trained")
    if len(asked.runs) > 1:
        raise ValueError(f"--runs: figure {number} is of one run, not of {len(asked.runs)}")
    (subject,) = find_subjects(asked.runs, policy, asked.device)
    family = game(subject.recipe)
    keys = keyed_random.outer_keys(asked.seed, 0, tasks, "test", like=torch.zeros((), device=asked.device))
    agent = subject.make()
    with torch.no_grad():
        trajectory = rollout(agent, family, keys, record=True)
    trace = {name: tensor.cpu().numpy() for name, tensor in trajectory.trace.items()}
    task = family.sample_task(keys)
    used = family.observe(task, family.initial_state(task)).output_mask.cpu().numpy() > 0
    for name in ("outputs", "solution"):  # slots not in use are not drawn
        trace[name] = np.where(used, trace[name], np.nan)
    return Watched(subject, agent, family, trajectory, trace)


def _numbers(name: str, array: np.ndarray, settings: dict[str, Any]) -> list[Record]:
    """Records of what is no nan in an array [T, B, ...]; steps and tasks count from 1, other axes from 0."""
    axes = {
        "outputs": ("slot",),
        "solution": ("slot",),
        "error_of_task": (),
        "messages": ("expert", "component"),
        "attention": ("expert", "speaker"),
    }[name]
    return [
        record(
            name, float(value), **settings, task=task + 1, step=step + 1, **dict(zip(axes, rest, strict=True))
        )
        for (step, task, *rest), value in np.ndenumerate(array)
        if not np.isnan(value)
    ]


def _settings(watched: Watched, asked: Asked) -> dict[str, Any]:
    """What the numbers hold for."""
    seed = watched.subject.seed
    outer = {} if seed is None else {"outer_seed": seed}
    return {"agent": watched.subject.name, **outer, "split": "test", "task_seed": asked.seed}


def _called(subject: Subject) -> str:
    """The policy's name and outer seed."""
    return subject.name if subject.seed is None else f"{subject.name}, outer seed {subject.seed}"


def _hardwired(recipe: Recipe) -> bool:
    """Whether expert i has output i."""
    return recipe.agent_settings().get("membrane", {}).get("kind", "hardwired") == "hardwired"


def _hearing(watched: Watched) -> str:
    """Who hears the error, in words; nothing of agents without experts."""
    to = getattr(getattr(watched.agent, "settings", None), "feedback_to", None)
    if to == "one":
        return (
            "Only expert 0 hears the error."
            if _hardwired(watched.subject.recipe)
            else "One expert hears the error."
        )
    return "" if to is None else "Every expert hears the error."


def _objective(recipe: Recipe) -> str:
    """Name of the objective by which it was trained."""
    return recipe.training.objective if recipe.training is not None else "as_soon_as_possible"


def _counted(objective: str, horizon: int) -> tuple[int, int]:
    """First and last step whose error the objective depends on."""
    weights = step_weights(OBJECTIVES[objective], horizon)
    steps = [number for number, weight in enumerate(weights, start=1) if weight]
    return min(steps), max(steps)
