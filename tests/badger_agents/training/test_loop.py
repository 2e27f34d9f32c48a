"""The outer loop: what resuming repeats, what is refused, and what a diverging run keeps."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from badger_agents.class_loading import Trust
from badger_agents.estimators.optimiser import AdamSettings, adam
from badger_agents.recipe.loading import Recipe
from badger_agents.recipe.schema import TrainingTable
from badger_agents.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from badger_agents.training.run import CHECKPOINT, LOG, DivergenceError, Progress
from tests.badger_agents.small import EVERY_ESTIMATOR, TRUST, FaultyPolicy, small_recipe


def log_of(folder: Path) -> list[dict[str, Any]]:
    """Rows of a run's log without the time they took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_log(folder / LOG)]


def stop_after(step: int) -> Callable[[Progress], None]:
    """Ends a run as a crash would, right after an outer step."""

    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise RuntimeError("crash")

    return on_step


def faulty(bad: set[int], **training: Any) -> Recipe:
    agent = {"policy": {"kind": "tests.badger_agents.small:FaultyPolicy"}}
    recipe = small_recipe(agent=agent, training={"outer_steps": 16, **training})  # tries the policy out
    FaultyPolicy.restart(bad)
    return recipe


@pytest.mark.parametrize("crash", [1, 2, 3, 5])
def test_a_run_that_crashed_ends_bit_identical(tmp_path: Path, crash: int) -> None:
    recipe = small_recipe()
    whole = train(recipe, 3, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        train(recipe, 3, tmp_path / "parts", on_step=stop_after(crash))
    torch.manual_seed(crash)  # what others draw is no matter
    train(recipe, 3, tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "parts" / CHECKPOINT).read_bytes()
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")
    assert whole.step == 6
    assert sorted(file.name for file in (tmp_path / "parts").iterdir()) == [CHECKPOINT, LOG]


@pytest.mark.parametrize(("name", "settings"), EVERY_ESTIMATOR)
@pytest.mark.parametrize("crash", [1, 3])
def test_with_every_estimator_a_run_that_crashed_ends_bit_identical(
    tmp_path: Path, name: str, settings: dict[str, Any], crash: int
) -> None:
    recipe = small_recipe(training={"outer_steps": 4, "estimator": name, "estimator_settings": settings})
    train(recipe, 3, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        train(recipe, 3, tmp_path / "parts", on_step=stop_after(crash))
    train(recipe, 3, tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "parts" / CHECKPOINT).read_bytes()
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")


DROPOUT = """
import torch
from badger_agents import ExpertPolicy

class Noisy(ExpertPolicy):
    def __init__(self, reading_size):
        super().__init__()
        self.message_size = 2
        self.linear = torch.nn.Linear(reading_size + 2, 3)

    def initial_state(self, draws):
        return draws

    def out(self, inbox, reading):
        heard = torch.nn.functional.dropout(torch.cat([inbox, reading], dim=-1), 0.5)
        return self.linear(heard + torch.randn_like(heard))

    def emit(self, state, reading):
        return self.out(reading[..., :2] * 0, reading)[..., 1:]

    def update(self, state, inbox, reading):
        return state, self.out(inbox, reading)[..., :1]
"""


def test_a_policy_that_draws_from_torch_resumes_bit_identical_too(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(DROPOUT)
    recipe = small_recipe(
        agent={"policy": {"kind": f"{tmp_path}/noisy.py:Noisy"}},
        trust=Trust.of(tmp_path / "noisy.py"),
    )
    before = torch.get_rng_state()
    train(recipe, 3, tmp_path / "whole")
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(RuntimeError, match="crash"):
        train(recipe, 3, tmp_path / "parts", on_step=stop_after(3))
    train(recipe, 3, tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "parts" / CHECKPOINT).read_bytes()


def test_outer_seeds_share_nothing_and_each_repeats_itself(tmp_path: Path) -> None:
    logs = []
    for number, seed in enumerate((0, 0, 1)):
        train(small_recipe(), seed, tmp_path / str(number))
        logs.append([row["loss"] for row in log_of(tmp_path / str(number))])
    assert logs[0] == logs[1]
    assert not set(logs[0]) & set(logs[2])


def test_training_goes_down(tmp_path: Path) -> None:
    training = {"outer_steps": 100, "batch_size": 32, "optimiser": {"learning_rate": 0.03}}
    recipe = small_recipe(env={"dims": 1, "horizon": 2}, agent={"experts": 1}, training=training)
    train(recipe, 0, tmp_path)
    losses = [row["loss"] for row in log_of(tmp_path)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10]), losses


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_after_its_step_with_a_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    recipe = small_recipe(training={"checkpoint_every": 100})
    with pytest.raises(KeyboardInterrupt):
        train(recipe, 0, tmp_path / "a", on_step=interrupt)
    assert signal.getsignal(number) is before
    assert load_checkpoint(tmp_path / "a" / CHECKPOINT, trust=TRUST).step == 3
    train(recipe, 0, tmp_path / "a", resume=True)
    train(recipe, 0, tmp_path / "b")
    assert (tmp_path / "a" / CHECKPOINT).read_bytes() == (tmp_path / "b" / CHECKPOINT).read_bytes()


def test_a_signal_at_the_last_step_is_no_interruption(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    assert train(small_recipe(), 0, tmp_path, on_step=interrupt).step == 6


def test_an_existing_run_is_left_alone(tmp_path: Path) -> None:
    train(small_recipe(), 0, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    refused: list[tuple[Recipe, int, bool, str]] = [
        (small_recipe(), 0, False, "holds a run already; use --resume"),
        (small_recipe(), 1, True, "another recipe or seed"),
        (small_recipe(training={"outer_steps": 7}), 0, True, "another recipe or seed"),
        (small_recipe(agent={"channel": {"topology": "none"}}), 0, True, "another recipe or seed"),
    ]
    for recipe, seed, resume, message in refused:
        with pytest.raises(CheckpointError, match=message):
            train(recipe, seed, tmp_path, resume=resume)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_finished_run_is_resumed_to_itself(tmp_path: Path) -> None:
    first = train(small_recipe(), 0, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    second = train(small_recipe(), 0, tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert second.step == first.step
    assert len(log_of(tmp_path)) == 6


def test_what_is_said_of_a_recipe_may_change_before_it_is_resumed(tmp_path: Path) -> None:
    train(small_recipe(), 0, tmp_path)
    said = small_recipe().model_copy(update={"summary": "in other words"})
    assert train(said, 0, tmp_path, resume=True).step == 6


def test_a_corrupt_checkpoint_is_not_trained_over(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match="corrupt"):
        train(small_recipe(), 0, tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"rubbish"


@pytest.mark.parametrize("bad", [{0}, {5}, {15}, {3, 4, 5, 6, 7, 8, 9, 10, 11}])
def test_up_to_nine_bad_steps_in_a_row_are_skipped_and_counted(tmp_path: Path, bad: set[int]) -> None:
    last = train(faulty(bad), 0, tmp_path)
    assert (last.step, last.skipped) == (16, len(bad))
    assert all(value.isfinite().all() for value in last.weights.values())
    rows = log_of(tmp_path)
    assert [row["step"] for row in rows if row["loss"] != row["loss"]] == [step + 1 for step in sorted(bad)]
    assert rows[-1]["skipped"] == len(bad)
    assert load_checkpoint(tmp_path / CHECKPOINT, trust=TRUST).skipped == len(bad)


def test_a_skipped_step_changes_no_weights(tmp_path: Path) -> None:
    one = train(faulty(set(), outer_steps=2, schedule="constant"), 0, tmp_path / "two")
    other = train(faulty({2}, outer_steps=3, schedule="constant"), 0, tmp_path / "three")
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert all(torch.equal(one.optimiser[name], other.optimiser[name]) for name in one.optimiser)


@pytest.mark.parametrize("first", [4, 5])
def test_ten_bad_steps_in_a_row_stop_the_run_with_the_last_good_checkpoint(
    tmp_path: Path, first: int
) -> None:
    with pytest.raises(DivergenceError, match=r"10 outer steps in a row.*kept in .*learning_rate"):
        train(faulty(set(range(first, 16))), 0, tmp_path)
    kept = load_checkpoint(tmp_path / CHECKPOINT, trust=TRUST)
    assert (kept.step, kept.skipped) == (4, 0)
    assert all(value.isfinite().all() for value in kept.weights.values())
    FaultyPolicy.restart(set(), step=4)  # whatever was wrong is put right
    assert train(faulty(set()), 0, tmp_path, resume=True).skipped == 0
    train(faulty(set()), 0, tmp_path / "never")
    assert (tmp_path / CHECKPOINT).read_bytes() == (tmp_path / "never" / CHECKPOINT).read_bytes()


def test_a_run_that_diverges_at_once_does_not_claim_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match="before the first checkpoint"):
        train(faulty(set(range(16))), 0, tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


def test_an_interrupted_run_with_skipped_steps_ends_as_one_that_was_not(tmp_path: Path) -> None:
    train(faulty({3, 4, 9}), 0, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        train(faulty({3, 4, 9}), 0, tmp_path / "parts", on_step=stop_after(5))
    assert load_checkpoint(tmp_path / "parts" / CHECKPOINT, trust=TRUST).step == 2  # none while steps are bad
    recipe = faulty({3, 4, 9})
    FaultyPolicy.restart({3, 4, 9}, step=2)
    FaultyPolicy.calls -= 2  # loading the checkpoint tries the policy out
    train(recipe, 0, tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "parts" / CHECKPOINT).read_bytes()
    assert json.dumps(log_of(tmp_path / "whole")) == json.dumps(log_of(tmp_path / "parts"))


def test_gradients_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    update = adam(3e-3)

    def spy(weights: Any, gradients: Any, state: Any, factor: float) -> Any:
        norms.append(float(torch.nn.utils.get_total_norm(list(gradients.values()))))
        return update(weights, gradients, state, factor)

    monkeypatch.setattr(AdamSettings, "make", lambda *_: spy)
    train(small_recipe(training={"clip_norm": 1e-3}), 0, tmp_path)
    assert norms == pytest.approx([1e-3] * 6, rel=1e-2)
    assert all(row["gradient_norm"] > 1e-3 for row in log_of(tmp_path))  # the log tells the length before


def test_learning_rates_fall_to_a_fiftieth() -> None:
    linear = TrainingTable(outer_steps=100, schedule="linear")
    rates = [linear.rate_factor(step) for step in range(100)]
    assert rates[0] == 1.0
    assert rates[50] == pytest.approx(0.5)
    assert min(rates) == rates[-1] == pytest.approx(0.02)
    assert rates == sorted(rates, reverse=True)
    constant = TrainingTable(outer_steps=100, schedule="constant")
    assert {constant.rate_factor(step) for step in range(100)} == {1.0}


def test_the_log_tells_the_learning_rate_in_use(tmp_path: Path) -> None:
    recipe = small_recipe(training={"optimiser": {"learning_rate": 0.6}, "schedule": "linear"})
    train(recipe, 0, tmp_path)
    assert [row["learning_rate"] for row in log_of(tmp_path)] == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_rows_are_logged_as_often_as_asked_and_at_the_end(tmp_path: Path) -> None:
    train(small_recipe(training={"log_every": 4}), 0, tmp_path)
    assert [row["step"] for row in log_of(tmp_path)] == [4, 6]


def test_what_has_nothing_to_train_is_refused_and_leaves_no_folder(tmp_path: Path) -> None:
    bare = small_recipe().model_copy(update={"training": None})
    with pytest.raises(ValueError, match="no weights to train"):
        train(bare, 0, tmp_path / "runs" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("file", "file/run", "link"):
        with pytest.raises(CheckpointError, match="cannot make the run folder"):
            train(small_recipe(), 0, tmp_path / name)


def test_it_works_in_a_thread_where_signals_cannot_be_caught(tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(small_recipe(), 0, tmp_path))
    thread.start()
    thread.join()
    assert load_checkpoint(tmp_path / CHECKPOINT, trust=TRUST).step == 6


@pytest.mark.parametrize("group", ["weights", "optimiser"])
def test_tensors_of_other_shapes_are_refused_on_resuming(tmp_path: Path, group: str) -> None:
    recipe = small_recipe()
    train(small_recipe(training={"outer_steps": 6, "checkpoint_every": 2}), 0, tmp_path)
    kept = load_checkpoint(tmp_path / CHECKPOINT, trust=TRUST)
    tensors = dict(getattr(kept, group))
    name = next(name for name, tensor in tensors.items() if tensor.dim() == 2)
    tensors[name] = torch.zeros(2, 3)
    save_checkpoint(tmp_path / CHECKPOINT, kept._replace(**{group: tensors}))
    with pytest.raises(CheckpointError, match="does not fit"):
        train(recipe, 0, tmp_path, resume=True)
