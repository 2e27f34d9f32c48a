"""An exported step does what the agent does, and what is to be fed from outside has its effect."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import badger_agents
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.channel.channel import silence_like
from badger_agents.badger.exporting import ExportedStep
from badger_agents.badger.settings import BadgerSettings
from badger_agents.whitebox.interventions import Intervened, ShuffleExperts
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family
from badger_envs.registry import family_of
from tests.badger_agents.badger.feeding import Feed, exported, keys_of

CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("guessing-hardwired", 3, {}),
    ("guessing-hardwired", 6, {"dims": 4}),  # two experts without an output
    ("guessing-attentional", 5, {"dims": 3}),
    ("guessing-attentional", 2, {"dims": 5, "horizon": 24}),  # experts with several outputs, in windows
    ("guessing-attentional", 1, {"dims": 1}),
    ("xor", 6, {"bits": 4}),
    ("xor", 3, {"bits": 5, "horizon": 8}),
    ("bandit", 10, {"horizon": 20}),
    ("bandit", 7, {"arms": (2, 4), "capacity": 7, "horizon": 20}),  # arms that are not in use
]


def played(name: str, experts: int, changes: dict[str, Any]) -> tuple[BadgerAgent, Family]:
    trained = badger_agents.load(name)
    agent = trained.with_settings(experts=experts).agent
    assert isinstance(agent, BadgerAgent)
    return agent, trained.family(split="test", **changes)


class Trials:
    """Some trials of a family, step by step.

    Args:
        family: the family.
        keys: of the trials.
    """

    def __init__(self, family: Family, keys: Tensor) -> None:
        self.family = family
        self.task = family.sample_task(keys)
        self.state = family.initial_state(self.task)
        self.noise = family.noise(keys, family.horizon)

    def observe(self) -> Any:
        return self.family.observe(self.task, self.state)

    def step(self, action: Tensor, number: int) -> None:
        self.state = self.family.step(self.task, self.state, action, self.noise[:, number]).state


@torch.no_grad()
@pytest.mark.parametrize(("name", "experts", "changes"), CASES)
def test_it_acts_and_says_in_whole_trials_what_the_agent_does(
    name: str, experts: int, changes: dict[str, Any]
) -> None:
    agent, family = played(name, experts, changes)
    check_step(agent, family)


@torch.no_grad()
def test_all_that_a_channel_does_to_what_is_heard_is_exported() -> None:
    changes = {"usual_senders": 2, "aggregation": "sum", "received_attention": True}
    agent = badger_agents.load("guessing-attentional").with_settings(experts=5, channel=changes).agent
    assert isinstance(agent, BadgerAgent)
    check_step(agent, family_of("Badger/GuessingGame-v0", horizon=4))


def check_step(agent: BadgerAgent, family: Family) -> None:
    trials, keys = Trials(family, keys_of(3)), keyed_random.agent_keys(keys_of(3))
    feed = Feed(ExportedStep(agent), agent, family, keys)
    state = agent.initial_state(family, keys)
    for step in range(family.horizon):
        seen = trials.observe()
        state, action, record = agent.act(state, seen, keys, step)
        made = feed.run(seen, step)
        torch.testing.assert_close(made["action"], action, atol=2e-4, rtol=0)  # rounding grows in a trial
        for part in ("messages", "attention", "inbox", "writing"):
            torch.testing.assert_close(made[part], record[part], atol=2e-3, rtol=0)
        trials.step(action, step)


@torch.no_grad()
def test_silenced_deafened_and_cut_experts_are_as_with_that_topology() -> None:
    agent, family = played("guessing-hardwired", 4, {})
    topology = (
        (0, 1, 0, 1),
        (1, 0, 0, 1),
        (0, 0, 0, 0),
        (1, 0, 0, 0),
    )  # 3 hears only 0
    changed = badger_agents.load("guessing-hardwired").with_settings(
        experts=4, channel={"topology": topology}
    )
    assert isinstance(changed.agent, BadgerAgent)
    keys = keyed_random.agent_keys(keys_of(2))
    seen = Trials(family, keys_of(2)).observe()
    _, action, record = changed.agent.act(changed.agent.initial_state(family, keys), seen, keys, 0)
    feed = Feed(ExportedStep(agent), agent, family, keys)
    for name in ("speaks", "hears"):
        feed.now[name] = torch.tensor([True, True, False, True]).expand(2, -1)
    feed.now["edges"] = feed.now["edges"].clone()
    feed.now["edges"][:, 3, 1] = False
    made = feed.run(seen, 0)
    torch.testing.assert_close(made["attention"], record["attention"])
    torch.testing.assert_close(made["action"], action)
    assert not made["attention"][:, :, 2].any()
    assert not made["attention"][:, 2].any()


@torch.no_grad()
def test_messages_in_another_order_are_those_of_shuffled_experts() -> None:
    agent, family = played("xor", 4, {"bits": 3})
    keys = keyed_random.agent_keys(keys_of(2))
    intervention = ShuffleExperts()
    feed = Feed(ExportedStep(agent), agent, family, keys)
    silence = silence_like(torch.zeros(2, 4, agent.policy.message_size), agent.policy.key_size)
    feed.now["order"] = intervention.own_state(agent.settings, keys, silence)
    changed = Intervened(agent, intervention)
    seen = Trials(family, keys_of(2)).observe()
    _, action, record = changed.act(changed.initial_state(family, keys), seen, keys, 0)
    made = feed.run(seen, 0)
    torch.testing.assert_close(made["inbox"], record["inbox"])
    torch.testing.assert_close(made["action"], action)


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"noise": 0.1}, "noise = 0.1"),
        ({"dropout": 0.5}, "dropout = 0.5"),
        ({"vocabulary": 4}, "sampling = 1.0"),
        ({"topology": "top-k:k=2"}, "top-k"),
    ],
)
def test_channels_that_draw_or_choose_are_refused(channel: dict[str, Any], said: str) -> None:
    settings = BadgerSettings.model_validate({"channel": channel})
    with pytest.raises(ValueError, match=said):
        ExportedStep(BadgerAgent(GuessingGame(), settings))


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", ["guessing-hardwired", "guessing-attentional", "xor", "bandit"])
def test_onnxruntime_computes_what_torch_does_for_any_sizes(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    exported(name, tmp_path / "step.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx")
    for _, experts, changes in (case for case in CASES if case[0] == name):
        for rows in (1, 3):
            agent, family = played(name, experts, changes)
            trials, keys = Trials(family, keys_of(rows)), keyed_random.agent_keys(keys_of(rows))
            feed = Feed(ExportedStep(agent), agent, family, keys)
            for step in range(family.horizon):
                fed = {key: part.numpy() for key, part in feed.see(trials.observe(), step).items()}
                made = feed.run(trials.observe(), step)
                got = session.run(list(made), fed)
                for key, part, other in zip(made, made.values(), got, strict=True):
                    torch.testing.assert_close(torch.from_numpy(other), part, atol=1e-5, rtol=0, msg=key)
                trials.step(made["action"], step)
