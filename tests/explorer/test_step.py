"""The explorer's step in JavaScript and torch's: the same outputs over 50 steps, whatever a reader does."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import badger_agents
from badger_agents import tree
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.exporting import ExportedStep, Given
from badger_agents.badger.growth import Change, grow
from badger_envs import keyed_random
from badger_envs.family import Family
from explorer.build import POLICIES, describe

REPLAY = Path(__file__).parent / "replay.mjs"
STEPS, TOLERANCE = 50, 1e-4
SIZES = {"guessing": "dims", "xor": "bits", "bandit": "arms"}

EVENTS: dict[str, list[list[Any]]] = {
    "nothing": [],
    "cut": [[10, "edge", 0, 2, False], [30, "edge", 0, 2, True]],
    "silence": [[10, "speak", 1, False], [40, "speak", 1, True]],
    "deafen": [[10, "hear", 1, False]],
    "shuffle": [[10, "shuffle", True], [35, "shuffle", False]],
    "clone": [[10, "clone", 1], [25, "clone", 0]],
    "remove": [[7, "clone", 0], [12, "remove", 1], [28, "remove", 3]],
    "target": [[20, "hideAgain", 1]],
}
QUICK = ("nothing", "silence", "clone")
"""What is tried in every run of the tests; the rest with -m slow."""

CASES = [
    *(("guessing-hardwired", 3, 4, event) for event in EVENTS if event != "remove"),
    *(("guessing-attentional", 5, 4, event) for event in EVENTS),
    ("guessing-attentional", 3, 5, "remove"),
    *(("xor", 4, 5, event) for event in EVENTS),
    *(("bandit", 4, 6, event) for event in ("nothing", "clone", "target")),
]


class Torch:
    """A trial in torch, in double precision, with what a reader does to it.

    Args:
        name: of the policy.
        size: of the task.
        experts: E.
    """

    def __init__(self, name: str, size: int, experts: int) -> None:
        trained = badger_agents.load(name)
        agent = trained.with_settings(experts=experts).agent
        assert isinstance(agent, BadgerAgent)
        self.agent = agent.double()
        self.described = describe(name, POLICIES[name], agent)
        sizes = {SIZES[POLICIES[name]]: size, "horizon": STEPS, "dtype": "float64"}
        self.family: Family = trained.family(split="test", **sizes)
        self.trial_keys = torch.tensor([[3, 0, 0, 2]])
        self.keys = keyed_random.agent_keys(self.trial_keys)
        self.task = self.family.sample_task(self.trial_keys)
        self.world = self.family.initial_state(self.task)
        self.noise = self.family.noise(self.trial_keys, STEPS)
        self.state = self.agent.initial_state(self.family, self.keys)
        self.settings = {"size": size, "experts": experts, "horizon": STEPS}
        self.edges = agent.channel.edges.as_matrix().clone()
        self.speaks, self.hears = (torch.ones(experts, dtype=torch.bool) for _ in range(2))
        self.order = torch.arange(experts)
        self.changed = False

    def draws(self) -> tuple[dict[str, list[list[float]]], dict[str, list[float]]]:
        """Numbers of the trial: normal ones by expert or slot, uniform ones by place."""
        slots, more = self.family.slots, self.settings["experts"] + 4
        widths = {"experts": (self.agent.policy.draw_size, more)}
        size = getattr(self.agent.settings.membrane, "address_size", 1)
        counts = {"identities": more, "outputs": slots.outputs, "inputs": slots.inputs, "feedback": 1}
        widths |= {name: (size, count) for name, count in counts.items()}
        normals = {
            name: keyed_random.normal(self.keys, name, width * count, dtype="float64")
            .view(count, width)
            .tolist()
            for name, (width, count) in widths.items()
        }
        uniforms: dict[str, list[float]] = {"noise": [0.0] * STEPS}
        for name in ("target", "bits", "mean"):
            first, second = (self.hidden(name, task) for task in (self.task, self.other()))
            uniforms[name] = [*first, *[0.0] * (1000 - len(first)), *second]
        if self.noise.shape[-1]:
            uniforms["noise"] = self.noise[0, :, 0].tolist()
        choice = keyed_random.uniform(self.keys, "choice", STEPS * slots.outputs, dtype="float64")
        return normals, uniforms | {"choice": choice[0].tolist()}

    def other(self) -> Any:
        """The task that comes in mid-trial."""
        return self.family.sample_task(self.trial_keys + torch.tensor([1, 0, 0, 0]))

    def hidden(self, name: str, task: Any) -> list[float]:
        """The uniform numbers from which the page makes this task."""
        if not hasattr(task, name):
            return []
        value = getattr(task, name)[0]
        return (value if name == "mean" else (value + 1) / 2).tolist()

    def do(self, step: int, method: str, *words: Any) -> None:
        """What the page does, in torch."""
        if method == "edge":
            listener, speaker, on = words
            self.edges[listener, speaker] = on
        elif method in ("speak", "hear"):
            (self.speaks if method == "speak" else self.hears)[words[0]] = words[1]
        elif method == "shuffle":
            self.order = torch.arange(len(self.order)).roll(-int(words[0]))
        elif method == "hideAgain":
            self.task = self.other()
            fresh = self.family.initial_state(self.task)
            names = [name for name in ("bits", "answer", "mean") if hasattr(fresh, name)]
            self.world = self.world._replace(**{name: getattr(fresh, name) for name in names})
        else:
            change = Change(clone=words) if method == "clone" else Change(remove=words)
            self.agent, self.state = grow(self.agent, self.state, self.keys, change, step)
            experts = self.agent.settings.experts
            self.edges = self.agent.channel.edges.as_matrix().clone()
            self.speaks, self.hears = (torch.ones(experts, dtype=torch.bool) for _ in range(2))
            self.order = torch.arange(experts)

    def told(self, events: list[list[Any]]) -> dict[str, Any]:
        """What JavaScript is to play."""
        normals, uniforms = self.draws()
        told = {"agent": self.described, "settings": self.settings, "events": events}
        return {**told, "normals": normals, "uniforms": uniforms}

    def play(self, events: list[list[Any]]) -> list[dict[str, Tensor]]:
        """The whole trial."""
        steps = []
        for step in range(STEPS):
            for when, method, *words in events:
                if when == step:
                    self.do(step, method, *words)
            steps.append(self.step(step))
        return steps

    def step(self, step: int) -> dict[str, Tensor]:
        """One step: by the exported step, which takes edges, silence and order as arguments."""
        seen = self.family.observe(self.task, self.world)
        exported = ExportedStep(self.agent)
        if step == 0:
            after, action, record = self.agent.act(self.state, seen, self.keys, 0)
        else:
            given = Given(self.edges[None], self.speaks[None], self.hears[None], self.order[None])
            slots = self.family.slots.outputs
            draws = {
                name: torch.ones(
                    [
                        {
                            "batch": 1,
                            "experts": len(self.order),
                            "outputs": slots,
                            "inputs": self.family.slots.inputs,
                        }.get(str(size), size)
                        for size in shape
                    ],
                    dtype=torch.float64,
                )
                for name, shape in exported.draws.items()
            }
            draws["choice"] = keyed_random.uniform(self.keys, "choice", slots, step * slots, "float64")
            kept = tuple(part for part in tree.leaves(self.state) if part.shape[-1])
            after, action, *rest = exported.step(kept, seen, draws, given, torch.tensor(float(STEPS)))
            record = dict(zip(("messages", "attention", "inbox", "writing"), rest, strict=True))
        self.state = after
        self.world = self.family.step(self.task, self.world, action, self.noise[:, step]).state
        return {"action": action, **record, "states": after.experts, "outputs": self.world.outputs}


def parts_differ(wanted: list[dict[str, Tensor]], made: list[dict[str, Any]]) -> float:
    """The greatest difference in a trial between what torch and JavaScript computed."""
    differences = [
        (torch.tensor(other[part], dtype=torch.float64) - one[part][0].double()).abs().max().item()
        for one, other in zip(wanted, made, strict=True)
        for part in ("action", "outputs", "states", "messages", "attention", "inbox")
    ]
    return max(differences)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which is not installed")
@torch.no_grad()
@pytest.mark.parametrize(
    "event", [pytest.param(event, marks=[] if event in QUICK else pytest.mark.slow) for event in EVENTS]
)
def test_javascript_computes_what_torch_does(event: str) -> None:
    cases = [case for case in CASES if case[3] == event]
    trials = [Torch(*case[:3]) for case in cases]
    told = json.dumps([trial.told(EVENTS[event]) for trial in trials])
    done = subprocess.run(
        ["node", str(REPLAY)], input=told, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for case, trial, made in zip(cases, trials, json.loads(done.stdout), strict=True):
        assert parts_differ(trial.play(EVENTS[event]), made) < TOLERANCE, case
