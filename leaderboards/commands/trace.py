"""`badger trace`: draw what an agent does and says within trials."""

from pathlib import Path
from typing import Annotated

import torch
import tyro

from badger_agents.rollout import rollout
from badger_envs import keyed_random
from leaderboards.commands.train import check_device, check_seed
from leaderboards.figures.style import save_figure
from leaderboards.figures.trace import draw_trace
from leaderboards.results import record, show
from leaderboards.runs import family_settings, open_run, parse_settings


def trace(
    run: Annotated[str, tyro.conf.Positional],
    *,
    out: Path | None = None,
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Draw ten trials of an agent: outputs against targets, messages and attention (figures 6, 8, 9).

    Args:
        run: Run folder of `badger train`, a checkpoint file, or a recipe without weights.
        out: Picture to write (png, svg or pdf); NAME-trace.png if not given.
        seed: Which tasks (of the test split).
        env: Settings of the environment to change, such as dims=5.
        agent: Settings of the agent to change, such as topology=none.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    opened = open_run(run, device, **parse_settings(agent, "--agent"))
    changes = family_settings(env)
    family = opened.recipe.family(**{**changes, "split": "test"})
    keys = keyed_random.outer_keys(seed, 0, 10, "test", like=torch.zeros((), device=device))
    with torch.no_grad():
        lived = rollout(opened.agent, family, keys, record=True)
    path = out if out is not None else Path(f"{opened.name}-trace.png")
    arrays = {name: value.cpu().numpy() for name, value in lived.trace.items()}
    save_figure(draw_trace(arrays, f"{opened.name} on {changes.get('id', opened.recipe.env.id)}"), path)
    results = [
        record("picture", str(path), agent=opened.name),
        record(family.outcome, float(lived.info[family.outcome].double().mean()), n=10, agent=opened.name),
    ]
    show(results, as_json=json, title=f"ten trials of {opened.name}")
