"""Monoliths: what they see, and what they read with windows."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from badger_agents.badger.membrane.attentional import AttentionalMembrane, AttentionalSettings
from badger_agents.badger.membrane.readings import split_reading
from badger_agents.rollout import OBSERVATIONS, rollout
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation
from baselines.monolith.monolith import Monolith, MonolithSettings
from baselines.monolith.sequence_models import Memory
from tests.badger_agents.small import keys, shake, small_family

# The monolithic RNN: a GRU over all slots, unrolled by hand for comparison.


def monolith(family: Family, **settings: Any) -> Monolith:
    agent = Monolith(family, MonolithSettings(**{"hidden_size": 5, **settings}))
    agent.to(getattr(torch, family.dtype))
    return agent


def gru(agent: Monolith, x: Tensor, h: Tensor) -> Tensor:
    """Cho et al. 2014, with torch's order of gates."""
    weights = dict(agent.cell.named_parameters())
    a = x @ weights["weight_ih"].T + weights["bias_ih"]
    b = h @ weights["weight_hh"].T + weights["bias_hh"]
    (ar, az, an), (br, bz, bn) = a.chunk(3, -1), b.chunk(3, -1)
    r, z = torch.sigmoid(ar + br), torch.sigmoid(az + bz)
    return (1 - z) * torch.tanh(an + r * bn) + z * h


@pytest.mark.parametrize("writing", ["increment", "absolute"])
def test_it_is_a_hand_written_unroll(writing: str) -> None:
    family = small_family(dims=(1, 2), shuffle_slots=True)
    agent = monolith(family, writing=writing)
    shake(agent, 0.8)
    names = keys(6)
    lived = rollout(agent, family, names, record=True)
    task = family.sample_task(names)
    outputs, hidden = torch.zeros_like(task.target), torch.zeros(6, 5, dtype=torch.float64)
    one = torch.ones(6, 1, dtype=torch.float64)
    last = None
    for time in range(family.horizon):
        error = (task.weight * (outputs - task.target) ** 2).sum(-1, keepdim=True)
        change = torch.zeros_like(error) if last is None else error - last
        flags = torch.cat([one * (time == 0), 0 * one, one * time / family.horizon], dim=-1)
        reading = torch.cat([one, one, outputs, task.mask, error, change, flags], dim=-1)
        hidden = gru(agent, reading, hidden)
        written = hidden @ agent.write.weight.T + agent.write.bias
        action = ((outputs if writing == "increment" else 0) + written).clamp(-1, 1)
        torch.testing.assert_close(lived.trace["action"][time], action)
        outputs, last = action * task.mask, error
    assert (lived.trace["action"].abs() < 1).any()


def test_what_was_chosen_last_can_stand_beside_what_it_paid() -> None:
    family = Bandit(arms=3, horizon=4, dtype="float64")
    plain, beside = monolith(family), monolith(family, feedback_to="chosen")
    assert beside.cell.input_size == plain.cell.input_size + 3
    with torch.no_grad():
        for part, other in zip(beside.parameters(), plain.parameters(), strict=True):
            part.copy_(other if part.shape == other.shape else 0.0)
        beside.cell.weight_ih[:, -3:] = torch.randn(15, 3)  # it sees nothing but these three numbers
    task = family.sample_task(keys(2))
    seen = family.observe(task, family.initial_state(task))
    chosen, paid = torch.eye(3).double()[[0, 2]], torch.full((2, 1), 0.7, dtype=torch.float64)

    def read(outputs: Tensor, feedback: Tensor) -> Tensor:
        shown = seen._replace(outputs=outputs, feedback=feedback)
        return beside.act(beside.initial_state(family, keys(2)), shown, keys(2), 0)[0].memory[0]

    assert torch.equal(read(chosen, 0 * paid), read(0 * chosen, paid))  # nothing was paid, or chosen
    weight = beside.cell.weight_ih[:, -3:]  # (3H, 3)
    gates = 0.7 * weight[:, [0, 2]].mT + beside.cell.bias_ih  # (2, 3H)
    reset, update, new = gates.chunk(3, dim=-1)
    known_reset, known_update, known_new = beside.cell.bias_hh.chunk(3)
    wanted = (1 - torch.sigmoid(update + known_update)) * torch.tanh(
        new + torch.sigmoid(reset + known_reset) * known_new
    )
    torch.testing.assert_close(read(chosen, paid), wanted)
    with pytest.raises(ValueError, match="choose no output"):
        monolith(small_family(), feedback_to="chosen")


def test_it_starts_by_writing_nothing() -> None:
    family = small_family()
    assert (rollout(monolith(family), family, keys(3), record=True).trace["action"] == 0).all()


def test_rows_and_trials_are_apart_and_weights_stay() -> None:
    family = small_family()
    agent = monolith(family)
    shake(agent)
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    names, others = keys(4), keys(4)
    others[1] = keys(1, seed=5)[0]
    first, second = rollout(agent, family, names).loss, rollout(agent, family, others).loss
    assert torch.equal(first[:, [0, 2, 3]], second[:, [0, 2, 3]])
    assert not torch.equal(first[:, 1], second[:, 1])
    assert torch.equal(first, rollout(agent, family, names).loss)
    assert all(torch.equal(value, before[name]) for name, value in agent.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dims": 4}, "outputs = 3, not 4"),
        ({"capacity": 7}, "outputs = 3, not 7"),
        ({"dtype": "float32"}, "float64.*float32"),
    ],
)
def test_another_size_is_refused(settings: dict[str, Any], message: str) -> None:
    agent = monolith(small_family())
    with pytest.raises(ValueError, match=message):
        agent.initial_state(small_family(**settings), keys(2))
    agent.initial_state(small_family(horizon=9, target_scale=0.5), keys(2))


def test_settings_of_a_transformer_are_checked_and_refused_elsewhere() -> None:
    made = MonolithSettings.model_validate({"sequence_model": "transformer", "transformer": {"layers": 3}})
    assert len(Monolith(small_family(), made).cell.layers) == 3
    for wrong in ({"layers": 0}, {"heads": "2"}, {"width": 3}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            MonolithSettings.model_validate({"sequence_model": "transformer", "transformer": wrong})
    with pytest.raises(ValidationError, match="sequence_model is 'lstm'; leave it out"):
        MonolithSettings.model_validate({"sequence_model": "lstm", "transformer": {"layers": 3}})


def test_a_high_update_bias_keeps_the_state_and_draws_the_same_weights() -> None:
    family = small_family(dims=(1, 2))
    made = []
    for bias in (0.0, 8.0):
        torch.manual_seed(0)
        made.append(monolith(family, update_bias=bias))
    plain, slow = made
    assert torch.equal(plain.cell.weight_hh, slow.cell.weight_hh)
    reset, update, new = (slow.cell.bias_ih - plain.cell.bias_ih).chunk(3)
    torch.testing.assert_close(update, torch.full_like(update, 8.0), atol=1e-5, rtol=0)
    assert not reset.any()
    assert not new.any()
    state, reading = torch.ones(4, 5).double(), torch.zeros(4, slow.cell.input_size).double()
    assert (slow.cell(reading, state) - state).abs().max() < 0.01
    assert (plain.cell(reading, state) - state).abs().max() > 0.1
    with pytest.raises(ValidationError, match="only 'gru' and 'fast_weights' have it"):
        monolith(family, sequence_model="lstm", update_bias=1.0)
    with pytest.raises(ValueError, match="hidden_size is 1; fast weights need 2 at least"):
        monolith(family, sequence_model="fast_weights", hidden_size=1)


# A monolith that reads time and feedback by windows: as experts do, however long the life.


FAMILY = GuessingGame(dims=(1, 3), test_dims=4, capacity=4, horizon=13, dtype="float64")
WINDOWS = {"window_length": 5, "feedback_scale": 0.5}
"""Three windows of four steps and a third."""


def with_windows(**settings: Any) -> Monolith:
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
    agent = with_windows(windows=WINDOWS, magnification=magnification)
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
    agent = with_windows(sequence_model=model, windows=WINDOWS)
    seen, trace = lived(agent)
    state, record = agent.unroll(begin := agent.initial_state(FAMILY, keys(5)), seen, keys(5))
    torch.testing.assert_close(record["states"], trace["states"])
    first, second = (Observation(*(part[cut] for part in seen)) for cut in (slice(7), slice(7, None)))
    middle, _ = agent.unroll(begin, first, keys(5))
    last, rest = agent.unroll(middle, second, keys(5))
    torch.testing.assert_close(rest["states"], trace["states"][7:])
    torch.testing.assert_close(last.start, state.start)
