"""`badger export`: the step of a trained Badger agent as an ONNX file, for use without torch."""

import importlib
import logging
from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.exporting import save_onnx
from badger_agents.loading import pretrained_names
from leaderboards.results import record, show
from leaderboards.runs import find, make_folder, parse_settings


def export(
    run: Annotated[str, tyro.conf.Positional],
    file: Annotated[Path, tyro.conf.Positional],
    *,
    agent: tuple[str, ...] = (),
    trust: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Write an agent's step as an ONNX file: state, observation and draws in, next state and action out.

    The numbers of trials, experts and slots are free in it; draws, and who hears whom, are inputs.
    `examples/play_onnx.py` plays such a file without torch. Writing it takes about half a minute.

    Args:
        run: Name of a pretrained policy (`badger list pretrained`), run folder of `badger train`, or a
            checkpoint file.
        file: Where to write it, such as step.onnx.
        agent: Settings of the agent to change, such as writing=score.
        trust: Files and packages of yours whose code a run may name, such as my_package.
        json: Print the result as one JSON object.
    """
    if file.suffix != ".onnx":
        raise ValueError(f"{str(file)!r} does not end in .onnx; give a name such as step.onnx")
    for package in ("onnx", "onnxscript"):
        importlib.import_module(package)  # one that is missing is named before anything is made
    pretrained = run in pretrained_names() and not Path(run).exists()
    source = find(None, run) if pretrained else find(run, None, trust)
    opened = source.open(**parse_settings(agent, "--agent"))
    if not isinstance(opened.agent, BadgerAgent):
        raise TypeError(f"{opened.name} is a {type(opened.agent).__name__}; only Badger agents are exported")
    make_folder(file.parent)
    env = source.recipe.env.model_dump(mode="json")
    about = {
        "env": env.pop("id"),
        "env_settings": env,
        "experts": opened.agent.settings.experts,
        "topology": opened.agent.settings.channel.topology,
    }
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages that it does without
    save_onnx(opened.agent, file, about)
    results = [record("file", str(file)), record("size", file.stat().st_size, unit="bytes")]
    show(results, as_json=json, title=f"The step of {opened.name}", note=f"trained on {about['env']}")
