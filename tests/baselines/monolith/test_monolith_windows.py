"""A monolith that reads time and feedback by windows: as experts do, however long the life."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from badger_agents.badger.membrane.attentional import AttentionalMembrane, AttentionalSettings
from badger_agents.badger.membrane.readings import split_reading
from badger_agents.rollout import OBSERVATIONS, rollout
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Observation
from baselines.monolith.monolith import Monolith, MonolithSettings
from baselines.monolith.sequence_models import Memory
from tests.badger_agents.small import keys, shake

FAMILY = GuessingGame(dims=(1, 3), test_dims=4, capacity=4, horizon=13, dtype="float64")
WINDOWS = {"window_length": 5, "feedback_scale": 0.5}
"""Three windows of four steps and a third."""


def monolith(**settings: Any) -> Monolith:
    agent = Monolith(FAMILY, MonolithSettings(hidden_size=6, **settings)).double()
    shake(agent, 0.8)
    return agent


def lived(agent: Monolith) -> tuple[Observation, dict[str, Tensor]]:
    """What it saw in a life, and the trace of that."""
    trace = rollout(agent, FAMILY, keys(5), record=(OBSERVATIONS, "states")).trace
    return trace[OBSERVATIONS], trace


class Reader(nn.Module):
    """A sequence model whose features are what it reads."""

    def step(self, reading: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """What it reads, and the memory as it was."""
        self.read = reading
        return reading[:, :6], memory


@pytest.mark.parametrize("magnification", [0.0, 30.0])
def test_it_reads_the_same_clock_counts_and_feedback_as_an_expert(magnification: float) -> None:
    agent = monolith(windows=WINDOWS, magnification=magnification)
    seen, _ = lived(agent)
    membrane = AttentionalMembrane(
        FAMILY.slots, settings=AttentionalSettings(**WINDOWS, magnification=magnification)
    )
    state, own = agent.initial_state(FAMILY, keys(5)), membrane.initial_state(FAMILY, keys(5), 4)
    agent.cell, windows = (reader := Reader()), 0
    for now in range(FAMILY.horizon):
        here = Observation(*(part[now] for part in seen))
        state, _, _ = agent.act(state, here, keys(5), now)
        own, reading = membrane.read(own, here, now, 4)
        of = split_reading(reading[:, :1], FAMILY.slots, magnification > 0)
        wanted = [of.feedback, of.change, of.since_start, of.magnified]
        wanted += [of.outputs, of.per_output, of.inputs, of.per_input]
        wanted += [of.begins, of.gone, of.length, of.first, of.query]
        torch.testing.assert_close(
            reader.read[:, 10:], torch.cat(wanted, dim=-1)[:, 0]
        )  # behind what slots show
        windows += int(of.begins[0, 0])
    assert windows == 3


@pytest.mark.parametrize("model", ["gru", "lstm", "transformer"])
def test_it_sees_again_what_it_saw_in_one_go_or_in_parts(model: str) -> None:
    agent = monolith(sequence_model=model, windows=WINDOWS)
    seen, trace = lived(agent)
    state, record = agent.unroll(begin := agent.initial_state(FAMILY, keys(5)), seen, keys(5))
    torch.testing.assert_close(record["states"], trace["states"])
    first, second = (Observation(*(part[cut] for part in seen)) for cut in (slice(7), slice(7, None)))
    middle, _ = agent.unroll(begin, first, keys(5))
    last, rest = agent.unroll(middle, second, keys(5))
    torch.testing.assert_close(rest["states"], trace["states"][7:])
    torch.testing.assert_close(last.start, state.start)
