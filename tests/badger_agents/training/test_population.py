"""Populations: a seed meets the draws and losses that it meets alone; resuming, diverging, taking turns."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.class_loading import Trust
from badger_agents.estimators.trials import Trials
from badger_agents.recipe.loading import Recipe
from badger_agents.training import loop
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.log import read_log
from badger_agents.training.loop import train, train_population
from badger_agents.training.run import CHECKPOINT, LOG, DivergenceError, Progress, RunPlan
from tests.badger_agents.small import TRUST, small_recipe
from tests.badger_agents.training.test_loop import DROPOUT

SEEDS = (4, 5, 6)
STAGES = (
    {"until": 10.0, "env": {"horizon": (2, 3)}},  # the first validation ends it
    {"outer_steps": 1, "agent": {"rounds": (1, 2)}},
    {"batch_size": 4},
)
CURRICULUM: dict[str, Any] = {"stages": STAGES, "validate_every": 2, "validation_trials": 4}


class Poisoned(ExpertPolicy):
    """A linear policy that writes no number in seeds whose first weights say so."""

    def __init__(self, reading_size: int) -> None:
        super().__init__()
        self.message_size = 2
        self.linear = torch.nn.Linear(reading_size + 2, 3)
        self.poison = torch.nn.Parameter(torch.randn(()))

    def initial_state(self, draws: Tensor) -> Tensor:
        return draws

    def out(self, inbox: Tensor, reading: Tensor) -> Tensor:
        return self.linear(torch.cat([inbox, reading], dim=-1))  # (B, E, 3)

    def emit(self, state: Tensor, reading: Tensor) -> Tensor:
        return self.out(reading[..., :2] * 0, reading)[..., 1:].tanh()

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        faulty = torch.where(self.poison.detach() > 0.5, torch.nan, 1.0)
        return state, self.out(inbox, reading)[..., :1] * faulty + 0 * self.poison


class Explosive(Poisoned):
    """One that writes no number once its weights are large."""

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        faulty = torch.where(self.linear.weight.detach().abs().max() > 100, torch.nan, 1.0)
        return state, self.out(inbox, reading)[..., :1] * faulty + 0 * self.poison


def plans(recipe: Recipe, folder: Path, seeds: tuple[int, ...] = SEEDS) -> list[RunPlan]:
    return [RunPlan(recipe, seed, folder / str(seed)) for seed in seeds]


def alone(recipe: Recipe, folder: Path) -> None:
    for seed in SEEDS:
        train(recipe, seed, folder / str(seed))


def losses(folder: Path, seed: int) -> list[float]:
    return [row["loss"] for row in read_log(folder / str(seed) / LOG)]


def same_files(one: Path, other: Path) -> None:
    for seed in SEEDS:
        assert (one / str(seed) / CHECKPOINT).read_bytes() == (other / str(seed) / CHECKPOINT).read_bytes()
        assert losses(one, seed) == losses(other, seed)


@pytest.mark.parametrize(
    "training",
    [
        {"clip_trial": 0.1},
        {"clip_trial": 0.1, "estimator_settings": {"last_steps": 3}},
        {"anti_collapse": 0.5},
        CURRICULUM,
    ],
)
def test_each_seed_does_what_it_does_alone(tmp_path: Path, training: dict[str, Any]) -> None:
    recipe = small_recipe(training={"outer_steps": 12, **training})
    reasons: list[str] = []
    done = train_population(plans(recipe, tmp_path / "a"), on_alone=reasons.append)
    assert not reasons
    alone(recipe, tmp_path / "b")
    for seed, last in zip(SEEDS, done, strict=True):
        assert (last.seed, last.step) == (seed, 12)
        assert losses(tmp_path / "a", seed) == pytest.approx(losses(tmp_path / "b", seed), abs=1e-5)
        kept, other = (
            load_checkpoint(tmp_path / name / str(seed) / CHECKPOINT, trust=TRUST) for name in "ab"
        )
        assert (kept.place, kept.skipped) == (other.place, other.skipped)
        assert set(kept.optimiser) == set(other.optimiser)
        assert sorted(os.listdir(tmp_path / "a" / str(seed))) == [CHECKPOINT, LOG]


def test_each_seed_meets_exactly_the_draws_that_it_meets_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[Tensor, ...]] = []

    class Seen(Trials):
        def start(self, agent: Any) -> Any:
            carry = super().start(agent)
            task, noise = self.batch.task, self.family.noise(self.keys, self.horizon)
            met.append((self.keys, *task, noise, carry.agent_state.experts.detach()))
            return carry

    monkeypatch.setattr(loop, "Trials", Seen)
    recipe = small_recipe(env={"id": "Badger/XOR-v0"}, training={"outer_steps": 3})
    train_population(plans(recipe, tmp_path / "a"))
    together = [[part.unflatten(0, (3, -1)) for part in parts] for parts in met]
    assert len(together) == 3
    met.clear()
    alone(recipe, tmp_path / "b")
    for number in range(3):
        for step in range(3):
            mine = [part[number] for part in together[step]]
            assert all(map(torch.equal, mine, met[3 * number + step])), (number, step)


def crash_at(seed: int, step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if (progress.seed, progress.step) == (seed, step):
            raise RuntimeError("crash")

    return on_step


@pytest.mark.parametrize("crash", [(4, 1), (6, 5)])
def test_a_population_that_crashed_ends_bit_identical(tmp_path: Path, crash: tuple[int, int]) -> None:
    recipe = small_recipe()
    train_population(plans(recipe, tmp_path / "whole"))
    with pytest.raises(RuntimeError, match="crash"):
        train_population(plans(recipe, tmp_path / "parts"), on_step=crash_at(*crash))
    train_population(plans(recipe, tmp_path / "parts"), resume=True)
    same_files(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(("step", "placed"), [(2, 0), (2, 1), (4, 2), (6, 1)])
def test_one_that_was_killed_while_checkpoints_were_put_in_place_does_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, placed: int
) -> None:
    recipe, replace = small_recipe(), os.replace
    parts = [tmp_path / "parts" / str(seed) / CHECKPOINT for seed in SEEDS]
    calls: list[Path] = []

    def crash(source: Path, target: Path) -> None:
        if target in parts:
            calls.append(target)
        if len(calls) > len(SEEDS) * (step // 2 - 1) + placed:
            raise RuntimeError("crash")  # as a kill, it undoes nothing
        replace(source, target)

    train_population(plans(recipe, tmp_path / "whole"))
    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(RuntimeError, match="crash"):
        train_population(plans(recipe, tmp_path / "parts"))
    monkeypatch.undo()
    steps = [load_checkpoint(path).step if path.exists() else 0 for path in parts]
    assert steps == [step] * placed + [step - 2] * (len(SEEDS) - placed)
    told: list[Progress] = []
    train_population(plans(recipe, tmp_path / "parts"), resume=True, on_step=told.append)
    assert {progress.step for progress in told[: len(SEEDS)]} in ({step + 1}, {step - 1}, set())  # together
    same_files(tmp_path / "whole", tmp_path / "parts")


def test_a_signal_ends_all_seeds_after_the_same_step(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if (progress.seed, progress.step) == (4, 3):
            os.kill(os.getpid(), signal.SIGINT)

    recipe = small_recipe(training={"checkpoint_every": 100})
    with pytest.raises(KeyboardInterrupt):
        train_population(plans(recipe, tmp_path / "a"), on_step=interrupt)
    assert [load_checkpoint(tmp_path / "a" / str(seed) / CHECKPOINT).step for seed in SEEDS] == [
        3,
        3,
        3,
    ]
    train_population(plans(recipe, tmp_path / "a"), resume=True)
    train_population(plans(recipe, tmp_path / "b"))
    same_files(tmp_path / "a", tmp_path / "b")


def test_a_seed_goes_on_alone_and_the_others_without_it(tmp_path: Path) -> None:
    recipe = small_recipe()
    with pytest.raises(RuntimeError, match="crash"):
        train_population(plans(recipe, tmp_path / "a"), on_step=crash_at(6, 4))
    train(recipe, 5, tmp_path / "a" / "5", resume=True)
    train_population(plans(recipe, tmp_path / "a"), resume=True)
    alone(recipe, tmp_path / "b")
    for seed in SEEDS:
        assert losses(tmp_path / "a", seed) == pytest.approx(losses(tmp_path / "b", seed), abs=1e-5)


def test_a_seed_that_diverges_ends_and_the_others_go_on(tmp_path: Path) -> None:
    agent = {"policy": {"kind": f"{__name__}:Poisoned"}}
    recipe = small_recipe(agent=agent, training={"outer_steps": 14})
    poison = {seed: recipe.make_agent(seed).state_dict()["policy.poison"].item() for seed in range(8)}  # type: ignore[attr-defined]
    bad = [seed for seed in poison if poison[seed] > 0.5][:1]
    good = [seed for seed in poison if poison[seed] <= 0.5][:2]
    seeds = (good[0], bad[0], good[1])
    with pytest.raises(
        DivergenceError, match=rf"1 of 3 outer seeds diverged.*seed {bad[0]}: .*10 outer steps"
    ):
        train_population(plans(recipe, tmp_path / "a", seeds))
    assert not (tmp_path / "a" / str(bad[0]) / CHECKPOINT).exists()
    assert len(losses(tmp_path / "a", bad[0])) == 9
    for seed in good:
        last = train(recipe, seed, tmp_path / "b" / str(seed))
        kept = load_checkpoint(tmp_path / "a" / str(seed) / CHECKPOINT, trust=TRUST)
        assert (kept.step, kept.skipped) == (14, 0)
        for name, weight in last.weights.items():
            torch.testing.assert_close(kept.weights[name], weight, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_stacked_takes_turns_bit_identically(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(DROPOUT)
    recipe = small_recipe(
        agent={"policy": {"kind": f"{tmp_path}/noisy.py:Noisy"}},
        trust=Trust.of(tmp_path / "noisy.py"),
    )
    reasons: list[str] = []
    train_population(plans(recipe, tmp_path / "a"), on_alone=reasons.append)
    assert len(reasons) == 1
    assert "random" in reasons[0]
    alone(recipe, tmp_path / "b")
    same_files(tmp_path / "a", tmp_path / "b")


def test_a_population_is_one_recipe_with_different_seeds(tmp_path: Path) -> None:
    other = small_recipe(training={"warm_up": 1})
    mixed = [*plans(small_recipe(), tmp_path), RunPlan(other, 0, tmp_path / "0")]
    one_folder = [RunPlan(small_recipe(), seed, tmp_path / "run") for seed in SEEDS]
    for wrong in (mixed, plans(small_recipe(), tmp_path, (1, 1)), one_folder):
        with pytest.raises(ValueError, match="one recipe with different outer seeds"):
            train_population(wrong)
    assert list(tmp_path.iterdir()) == []


def test_optimisers_stand_side_by_side_and_each_does_what_it_does_alone(tmp_path: Path) -> None:
    tables = ({"learning_rate": 0.01}, {"learning_rate": 0.001}, {"kind": "muon"})
    recipes = [small_recipe(training={"optimiser": table}) for table in tables]
    each = [(recipe, seed, f"{number}-{seed}") for number, recipe in enumerate(recipes) for seed in (4, 5)]
    reasons: list[str] = []
    done = train_population(
        [RunPlan(recipe, seed, tmp_path / "a" / name) for recipe, seed, name in each],
        on_alone=reasons.append,
    )
    assert not reasons
    for (recipe, seed, name), last in zip(each, done, strict=True):
        alone = train(recipe, seed, tmp_path / "b" / name)
        assert (last.seed, last.recipe) == (seed, recipe)
        together, apart = (read_log(tmp_path / root / name / LOG) for root in "ab")
        assert [row["learning_rate"] for row in together] == [row["learning_rate"] for row in apart]
        assert [row["loss"] for row in together] == pytest.approx([row["loss"] for row in apart], abs=1e-5)
        assert set(last.optimiser) == set(alone.optimiser)
    first = [read_log(tmp_path / "a" / f"{number}-4" / LOG)[0]["loss"] for number in range(3)]
    assert first[0] == pytest.approx(first[1])
    assert first[0] == pytest.approx(first[2])  # the same seed met the same tasks with all of them


def test_optimisers_side_by_side_that_crashed_end_bit_identical(tmp_path: Path) -> None:
    def made(folder: Path) -> list[RunPlan]:
        tables = ({"learning_rate": 0.01}, {"kind": "muon"})
        return [
            RunPlan(small_recipe(training={"optimiser": table}), 4, folder / name)
            for table, name in zip(tables, "ab", strict=True)
        ]

    def crash(progress: Progress) -> None:
        if (progress.folder.name, progress.step) == ("a", 3):
            raise RuntimeError("crash")

    train_population(made(tmp_path / "whole"))
    with pytest.raises(RuntimeError, match="crash"):
        train_population(made(tmp_path / "parts"), on_step=crash)
    train_population(made(tmp_path / "parts"), resume=True)
    for name in "ab":
        whole, parts = (tmp_path / place / name / CHECKPOINT for place in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()
    twice = [
        plan._replace(folder=tmp_path / str(number)) for number, plan in enumerate(made(tmp_path)[:1] * 2)
    ]
    with pytest.raises(ValueError, match="different outer seeds or optimisers"):
        train_population(twice)


def test_one_optimiser_that_diverges_ends_and_the_others_go_on(tmp_path: Path) -> None:
    agent = {"policy": {"kind": f"{__name__}:Explosive"}}
    tables = ({"learning_rate": 1e-3}, {"learning_rate": 1e3})
    recipes = [
        small_recipe(agent=agent, training={"outer_steps": 14, "optimiser": table}) for table in tables
    ]
    made = [
        RunPlan(recipe, 4, tmp_path / name) for recipe, name in zip(recipes, ("good", "bad"), strict=True)
    ]
    with pytest.raises(DivergenceError, match=r'1 of 2 .*seed 4 with .*"learning_rate":1000') as raised:
        train_population(made)
    assert set(raised.value.runs) == {tmp_path / "bad"}
    assert load_checkpoint(tmp_path / "good" / CHECKPOINT, trust=TRUST).step == 14
