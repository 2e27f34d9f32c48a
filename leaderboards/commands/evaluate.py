"""`badger evaluate`: an agent on many fresh tasks."""

from typing import Annotated, Any

import tyro

from badger_agents.evaluation import evaluate as evaluate_agent
from badger_envs.random import split_index
from leaderboards.commands.train import check_device, check_seed
from leaderboards.results import record, show
from leaderboards.runs import family_settings, open_run, parse_settings


def evaluate(
    run: Annotated[str, tyro.conf.Positional],
    *,
    trials: int = 10_000,
    split: str = "test",
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Let a trained agent live through fresh trials with its weights frozen, and report the outcome.

    The same seed gives every agent the same tasks and the same noise.

    Args:
        run: Run folder of `badger train`, a checkpoint file, or a recipe without weights.
        trials: Number of tasks.
        split: Tasks of the test, validation or train split.
        seed: Which tasks.
        env: Settings of the environment to change, such as dims=5 horizon=40.
        agent: Settings of the agent to change, such as experts=6 topology=none.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    split_index(split)
    swaps = parse_settings(agent, "--agent")
    opened = open_run(run, device, **swaps)
    changes = family_settings(env)
    family = opened.recipe.family(**{**changes, "split": split})
    result = evaluate_agent(opened.agent, family, trials, seed=seed, device=device)
    settings: dict[str, Any] = {"agent": opened.name, "env": opened.recipe.env.id}
    settings |= {**(opened.recipe.env.model_extra or {}), **changes, "split": split, "task_seed": seed}
    experts = opened.recipe.agent_settings().get("experts")
    settings |= {**({} if experts is None else {"experts": experts}), **swaps}
    if opened.seed is not None:
        settings["outer_seed"] = opened.seed
    results = [
        record(family.outcome, result.mean, n=trials, ci95=result.ci95, **settings),
        record("parameters", opened.parameters, **settings),
    ]
    note = f"interval: 95 % over {trials} tasks"
    if opened.seed is not None:
        note += "; 1 outer seed: preliminary"
    show(results, as_json=json, title=f"{opened.name} on {opened.recipe.env.id}", note=note)
