"""Optimisers: the very steps of PyTorch's, matrices made orthogonal one by one, and what is a matrix."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from badger_agents.estimators.optimiser import (
    AdamSettings,
    MuonSettings,
    Update,
    orthogonalised,
    stacked_matrices,
)
from badger_agents.recipe.loading import check_recipe
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.loop import train
from badger_agents.training.run import CHECKPOINT, Progress
from badger_agents.training.state import trained_weights
from tests.badger_agents.small import TRUST, small_recipe

SHAPES = {"tall": (17, 5), "wide": (3, 8), "row": (1, 9), "column": (9, 1), "bias": (13,), "number": ()}
MUON = {"optimiser": {"kind": "muon", "learning_rate": 0.05}}


def drawn(seed: int, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def walked(
    update: Update, shapes: dict[str, tuple[int, ...]], steps: int = 5
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights and state after some steps, each with another factor."""
    weights, state = drawn(0, shapes), {}
    for step in range(steps):
        weights, state = update(weights, drawn(step + 1, shapes), state, 1 / (step + 1))
    return weights, state


@pytest.mark.parametrize("beta2", [0.99, 0.999])
def test_adam_is_torch_s_bit_for_bit(beta2: float) -> None:
    weights, state = walked(AdamSettings(learning_rate=0.03, beta2=beta2).make({}), SHAPES)
    leaves = drawn(0, SHAPES)
    theirs = torch.optim.Adam(leaves.values(), betas=(0.9, beta2))
    for step in range(5):
        theirs.param_groups[0]["lr"] = 0.03 * (1 / (step + 1))
        for leaf, gradient in zip(leaves.values(), drawn(step + 1, SHAPES).values(), strict=True):
            leaf.grad = gradient
        theirs.step()
    for name, leaf in leaves.items():
        assert torch.equal(weights[name], leaf)
        for what, value in theirs.state[leaf].items():
            assert torch.equal(state[f"{name}/{what}"], value)


def test_muon_is_torch_s_but_for_its_16_bits() -> None:
    shapes = {"tall": (24, 6), "square": (16, 16), "wide": (7, 21)}
    weights, _ = walked(MuonSettings(kind="muon", learning_rate=0.1).make({}), shapes)
    leaves = {name: nn.Parameter(weight) for name, weight in drawn(0, shapes).items()}
    theirs = torch.optim.Muon(leaves.values(), weight_decay=0.0, adjust_lr_fn="original")
    for step in range(5):
        theirs.param_groups[0]["lr"] = 0.1 / (step + 1)
        for leaf, gradient in zip(leaves.values(), drawn(step + 1, shapes).values(), strict=True):
            leaf.grad = gradient
        theirs.step()
    for name, before in drawn(0, shapes).items():
        moved, should = weights[name] - before, leaves[name].detach() - before
        assert (moved - should).norm() < 0.02 * should.norm(), name


def test_what_is_orthogonalised_keeps_its_singular_vectors() -> None:
    for rows, columns in ((30, 6), (6, 30), (8, 8), (2, 2)):
        (matrices,) = drawn(3, {"": (4, rows, columns)}).values()
        left, _, right = torch.linalg.svd(matrices, full_matrices=False)
        values = left.mT @ orthogonalised(matrices) @ right.mT  # (4, S, S)
        diagonal = values.diagonal(dim1=-2, dim2=-1)
        torch.testing.assert_close(values, torch.diag_embed(diagonal), atol=1e-4, rtol=0)
        assert 0.6 < diagonal.min() <= diagonal.max() < 1.25
    assert torch.equal(orthogonalised(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def test_what_is_no_matrix_goes_the_way_of_adam_bit_for_bit() -> None:
    muon = MuonSettings(kind="muon", adam_learning_rate=0.03, beta2=0.99).make({"gate": 3})
    shapes = {**SHAPES, "gate": (3, 5)}  # three rows, each a gate of its own
    weights, state = walked(muon, shapes)
    other, known = walked(AdamSettings(learning_rate=0.03, beta2=0.99).make({}), shapes)
    assert list(weights) == list(shapes)
    for name in shapes:
        assert torch.equal(weights[name], other[name]) == (name not in {"tall", "wide"})
    assert {name for name in state if name not in known} == {"tall/momentum", "wide/momentum"}


def test_gates_and_places_are_matrices_of_their_own() -> None:
    update = MuonSettings(kind="muon").make({"weight": 3})
    together, _ = walked(update, {"weight": (2, 12, 5)})
    gradients = [drawn(step + 1, {"": (2, 12, 5)})[""] for step in range(5)]
    start = drawn(0, {"": (2, 12, 5)})[""]
    for place in range(2):
        for gate in range(3):
            part = (place, slice(4 * gate, 4 * gate + 4))
            weights: dict[str, Tensor] = {"one": start[part]}
            state: dict[str, Tensor] = {}
            for step, gradient in enumerate(gradients):
                weights, state = MuonSettings(kind="muon").make({})(
                    weights, {"one": gradient[part]}, state, 1 / (step + 1)
                )
            torch.testing.assert_close(together["weight"][part], weights["one"])


def test_nothing_that_is_given_is_changed() -> None:
    shapes = {"matrix": (4, 3), "bias": (4,)}
    for settings in (AdamSettings(), MuonSettings(kind="muon")):
        weights, state = walked(settings.make({}), shapes)
        gradients = drawn(9, shapes)
        given = {**weights, **state, **{f"g/{name}": part for name, part in gradients.items()}}
        before = {name: part.clone() for name, part in given.items()}
        settings.make({})(weights, gradients, state, 1.0)
        assert all(torch.equal(before[name], given[name]) for name in before)


@pytest.mark.parametrize(
    ("agent", "counts"),
    [
        ({"policy": {"kind": "gru"}}, {"policy.cell.weight_hh": 3, "policy.cell.weight_ih": 3}),
        (
            {"policy": {"kind": "baselines.related.policies:IndependentPolicy", "places": 3}},
            {"policy.read.weight": 3, "policy.recall.weight": 3},
        ),
        (
            {"kind": "baselines.monolith.monolith:Monolith", "sequence_model": "lstm"},
            {"cell.weight_hh": 4, "cell.weight_ih": 4},
        ),
        (
            {"kind": "baselines.monolith.monolith:Monolith", "sequence_model": "transformer"},
            {"cell.layers.0.project.weight": 3, "cell.layers.1.project.weight": 3},
        ),
    ],
)
def test_modules_say_which_weights_are_several_matrices(
    agent: dict[str, Any], counts: dict[str, int]
) -> None:
    tables = {"name": "x", "env": {"id": "Badger/GuessingGame-v0", "dims": 3}, "agent": agent}
    made = check_recipe(tables, "x").make_agent()
    assert isinstance(made, nn.Module)
    found = stacked_matrices(made)
    assert {name: count for name, count in found.items() if "weight" in name} == counts


def test_a_run_with_muon_that_crashed_ends_bit_identical(tmp_path: Path) -> None:
    def crash(progress: Progress) -> None:
        if progress.step == 3:
            raise RuntimeError("crash")

    recipe = small_recipe(training=MUON)
    last = train(recipe, 0, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        train(recipe, 0, tmp_path / "parts", on_step=crash)
    train(recipe, 0, tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "parts" / CHECKPOINT).read_bytes()
    kept = load_checkpoint(tmp_path / "whole" / CHECKPOINT, trust=TRUST).optimiser
    assert {name.rpartition("/")[2] for name in kept} == {"momentum", "exp_avg", "exp_avg_sq", "step"}
    assert all(torch.equal(kept[name], value) for name, value in last.optimiser.items())


def test_a_step_of_muon_moves_every_gate_alike(tmp_path: Path) -> None:
    recipe = small_recipe(training={"outer_steps": 2, "schedule": "constant", **MUON})
    # in the first step the cell has no gradient, as agents start by writing nothing
    before = trained_weights(recipe.make_agent(0))  # type: ignore[arg-type]
    after = train(recipe, 0, tmp_path).weights
    moved = before["policy.cell.weight_hh"] - after["policy.cell.weight_hh"]  # [3H, H]
    for gate in moved.chunk(3):
        largest = torch.linalg.svdvals(gate)[0]
        assert 0.6 * 0.05 < largest < 1.25 * 0.05
