"""`badger trace`: draw what an agent does and says within trials."""

from pathlib import Path
from typing import Annotated

import torch
import tyro

from badger_agents.rollout import rollout
from badger_envs import keyed_random
from leaderboards.options import check_device, check_seed
from leaderboards.plots.rollout import draw_trace
from leaderboards.plots.style import save_figure
from leaderboards.results import record, show
from leaderboards.runs import family_settings, find, parse_settings


def trace(
    run: Annotated[str | None, tyro.conf.Positional] = None,
    *,
    pretrained: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Draw ten trials of an agent: outputs beside targets, what its experts say, and who is heard.

    Args:
        run: Run folder of `badger train`, a checkpoint file, or a recipe without weights.
        pretrained: Name of a policy that comes with the suite (`badger list pretrained`), in place of a run.
        out: Picture to write (png, svg or pdf); NAME-trace.png if not given.
        seed: Which tasks (of the test split).
        env: Settings of the environment to change, such as dims=5.
        agent: Settings of the agent to change, such as channel.topology=none.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    source, changes = find(run, pretrained, trust), family_settings(env)
    family = source.recipe.family(**{**changes, "split": "test"})
    opened = source.open(device, action_kind=family.action_kind, **parse_settings(agent, "--agent"))
    keys = keyed_random.outer_keys(seed, 0, 10, "test", like=torch.zeros((), device=device))
    with torch.no_grad():
        watched = rollout(opened.agent, family, keys, record=True)
    path = out if out is not None else Path(f"{opened.name}-trace.png")
    arrays = {name: value.cpu().numpy() for name, value in watched.trace.items()}
    save_figure(draw_trace(arrays, f"{opened.name} on {changes.get('id', opened.recipe.env.id)}"), path)
    results = [
        record("picture", str(path), agent=opened.name),
        record(family.outcome, float(watched.info[family.outcome].double().mean()), n=10, agent=opened.name),
    ]
    show(results, as_json=json, title=f"ten trials of {opened.name}")
