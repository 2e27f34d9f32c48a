"""Build the explorer: one HTML file with trained policies in it, which opens from disk.

    python -m explorer.build

Weights are those of the policies that come with the suite, whatever they are now.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch

from badger_agents import load
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.membrane.hardwired import HardwiredMembrane
from badger_agents.badger.policies.averaging import AveragingPolicy
from badger_agents.badger.policies.gru import GRUPolicy

HERE = Path(__file__).parent

POLICIES = {
    "guessing-hardwired": "guessing",
    "guessing-attentional": "guessing",
    "xor": "xor",
    "bandit": "bandit",
}
"""The policies in it, by their names, and the task that each plays in `tasks.js`."""

SCRIPTS = ("step.js", "tasks.js", "trial.js", "random.js", "drawing.js", "page.js")
"""The scripts of the page, each after those that it imports."""

CHANNEL = ("topology", "received_attention", "usual_senders")
"""Settings of a channel that `step.js` knows; all others must be as by default."""


def describe(name: str, task: str, agent: Any) -> dict[str, Any]:
    """An agent as `step.js` takes it: settings and weights as JSON values.

    Args:
        name: of the policy.
        task: that it plays.
        agent: the agent.

    Raises:
        ValueError: it has something that `step.js` does not know.
    """
    if not isinstance(agent, BadgerAgent):
        raise ValueError(f"{name} is a {type(agent).__name__}; the explorer shows Badger agents")
    settings, policy, membrane = agent.settings, agent.policy, agent.membrane
    channel = settings.channel
    unknown = [key for key in channel.model_dump(exclude_defaults=True) if key not in CHANNEL]
    unknown += ["topology"] if channel.topology not in ("all", "none") else []
    unknown += ["identities"] if settings.identities != "none" else []
    unknown += ["halts"] if policy.halts else []
    unknown += ["matching"] if getattr(settings.membrane, "matching", "one-to-one") != "one-to-one" else []
    unknown += ["blind"] if getattr(settings.membrane, "blind", ()) else []
    unknown += ["address_seed"] if getattr(settings.membrane, "address_seed", None) is not None else []
    if isinstance(policy, GRUPolicy):
        known = {
            "kind": "gru",
            "hidden_size": policy.draw_size,
            "state_noise": policy.state_noise,
            "sharpness": policy.sharpness,
        }
    elif isinstance(policy, AveragingPolicy):
        known = {"kind": "averaging", "hidden_size": policy.draw_size, "heads": policy.heads}
    else:
        known, unknown = {}, [*unknown, type(policy).__name__]
    if unknown:
        raise ValueError(f"{name} has {', '.join(unknown)} set, which explorer/step.js does not know; add it")
    weights = {
        key.removeprefix("policy."): [[number(x) for x in row] for row in weight.tolist()]
        if weight.dim() == 2
        else [number(x) for x in weight.tolist()]
        for key, weight in agent.state_dict().items()
    }
    return {
        "name": name,
        "task": task,
        "action_kind": agent.action_kind,
        "experts": settings.experts,
        "rounds": settings.rounds,
        "feedback_to": settings.feedback_to,
        "writing": settings.writing,
        "temperature": settings.temperature,
        "policy": known | {"message_size": policy.message_size, "key_size": policy.key_size},
        "membrane": {"address_size": 0} | settings.membrane.model_dump(mode="json"),
        "channel": {key: getattr(channel, key) for key in CHANNEL},
        "fixed_experts": isinstance(membrane, HardwiredMembrane),
        "weights": weights,
    }


def number(value: float) -> float:
    """A float32 with no more digits than it needs; `step.js` rounds to float32 again."""
    return float(f"{value:.9g}")


def module(text: str) -> str:
    """A module as part of one script: its names are its own, but for those that it exports."""
    names = re.findall(r"^export (?:function|class|const) (\w+)", text, flags=re.MULTILINE)
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    known = ", ".join(names)
    return f"const {{ {known} }} = (() => {{\n{text}\nreturn {{ {known} }};\n}})();"


def build() -> str:
    """The page."""
    agents = [describe(name, task, load(name).agent) for name, task in POLICIES.items()]
    page = (HERE / "page.html").read_text(encoding="utf-8")
    data = json.dumps(agents, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    scripts = "\n".join(module((HERE / name).read_text(encoding="utf-8")) for name in SCRIPTS)
    for mark, text in (
        ("/* STYLE */", (HERE / "page.css").read_text(encoding="utf-8")),
        ("/* AGENTS */", data),
        ("/* SCRIPT */", scripts),
    ):
        page = page.replace(mark, text)
    return page


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "explorer.html", help="file to write")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(build(), encoding="utf-8")
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
