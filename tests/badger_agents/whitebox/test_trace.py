"""A trace holds what happened, and its file gives it back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.rollout import rollout
from badger_agents.whitebox import TraceError, load_trace, record_trace, save_trace
from badger_agents.whitebox.trace import FORMAT
from tests.badger_agents.small import HORIZON, ConstantAgent, keys, random_agent, small_family


def test_a_trace_is_what_happened() -> None:
    family = small_family()
    agent = random_agent(family, feedback_to="one")
    trace = record_trace(agent, family, keys(5), agent="mine", outer_seed=3)
    tensors = trace.tensors
    lived = rollout(agent, family, keys(5))
    assert torch.equal(tensors["loss"], lived.loss)
    assert torch.equal(tensors["feedback"][-1, :, 0], lived.info["error"])
    torch.testing.assert_close(tensors["outputs"], tensors["action"])
    assert tensors["readings"].shape == (HORIZON, 5, 3, agent.membrane.reading_size)
    assert torch.equal(tensors["readings"][1:, :, :, 0], tensors["outputs"][:-1])  # each reads its own output
    said = agent.policy.emit(tensors["states"][:-1].flatten(0, 1), tensors["readings"][1:].flatten(0, 1))
    assert isinstance(said, Emission)
    value = said.value.unflatten(0, (HORIZON - 1, 5))  # from the state before and what is read
    torch.testing.assert_close(tensors["messages"][1:], value)
    torch.testing.assert_close(tensors["inbox"], tensors["attention"] @ tensors["messages"])
    facts = trace.facts
    assert (facts["agent"], facts["outer_seed"], facts["outcome"]) == ("mine", 3, "error")
    assert facts["family"] == "badger_envs.families.guessing_game:GuessingGame"
    assert facts["settings"] == family.settings()
    assert facts["axes"]["attention"] == ["step", "trial", "listener", "speaker"]
    assert all(len(facts["axes"][name]) == tensor.ndim for name, tensor in tensors.items())


def test_recorded_states_are_those_that_the_next_step_begins_with() -> None:
    family = small_family()
    agent = random_agent(family, rounds=2, received_attention=True)
    names = keys(2)
    task = family.sample_task(names)
    shown = family.observe(task, family.initial_state(task))
    state, _, record = agent.act(agent.initial_state(family, names), shown, names, 0)
    assert torch.equal(record["states"], state.experts)
    assert record["readings"].shape[-1] == agent.membrane.reading_size + 1


def test_only_what_is_asked_for_is_kept() -> None:
    family = small_family()
    agent = random_agent(family)
    everything = rollout(agent, family, keys(3), record=True).trace
    some = rollout(agent, family, keys(3), record=("messages", "states")).trace
    assert set(some) == {"messages", "states"}
    assert all(torch.equal(tensor, everything[name]) for name, tensor in some.items())


def test_a_file_gives_the_trace_back(tmp_path: Path) -> None:
    family = small_family()
    trace = record_trace(random_agent(family), family, keys(3), task_seed=0)
    for name in ("one", "two"):
        save_trace(tmp_path / name, trace)
    again = load_trace(tmp_path / "one")
    assert again.facts == trace.facts
    assert again.tensors.keys() == trace.tensors.keys()
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in trace.tensors.items())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_agent_without_experts_has_a_trace_too() -> None:
    family = small_family()
    assert set(record_trace(ConstantAgent(), family, keys(2)).tensors) >= {"outputs", "loss", "feedback"}


def test_files_that_are_no_traces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace at"):
        load_trace(tmp_path / "nothing")
    (tmp_path / "text").write_text("text")
    with pytest.raises(TraceError, match="cannot be read as a trace"):
        load_trace(tmp_path / "text")
    save_file({"x": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(TraceError, match="no Badger trace"):
        load_trace(tmp_path / "other")
    for facts in ("[]", "null", '{"a":' * 100_000):
        save_file({"x": torch.zeros(2)}, tmp_path / "facts", {FORMAT: facts})
        with pytest.raises(TraceError, match="cannot be read as a trace"):
            load_trace(tmp_path / "facts")
    family = small_family()
    save_trace(tmp_path / "cut", record_trace(random_agent(family), family, keys(2)))
    data = (tmp_path / "cut").read_bytes()
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    with pytest.raises(TraceError, match="corrupt"):
        load_trace(tmp_path / "cut")
