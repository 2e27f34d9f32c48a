"""Commands give the same numbers, whatever torch's default device and dtype are in the process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from badger_agents.recipe.loading import load_recipe
from badger_agents.training.checkpoint import load_checkpoint, weights_sha256
from badger_agents.training.run import CHECKPOINT, LOG
from tests.badger_agents.small import small_toml
from tests.leaderboards.command import run

WAYS = ([], ["--seeds", "2"], ["--training", "estimator=evolution", "estimator_settings.pairs=4"])


@pytest.fixture(params=["meta", "float64"])
def changed(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A function that changes the defaults."""

    def change() -> None:
        if request.param == "meta":
            torch.set_default_device("meta")
        else:
            torch.set_default_dtype(torch.float64)

    yield change
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("way", WAYS, ids=["alone", "together", "evolution"])
def test_train_and_evaluate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, way: list[str], changed: Any
) -> None:
    found = []
    recipe = small_toml(tmp_path, outer_steps=2)
    for name in ("before", "after"):
        out = tmp_path / name
        assert run(capsys, "train", recipe, "--out", out, *way, "--json").status == 0
        folder = out / "small-seed0" if "--seeds" in way else out
        checkpoint = load_checkpoint(folder / CHECKPOINT)
        types = {group[key].dtype for group in (checkpoint.weights, checkpoint.optimiser) for key in group}
        measured = run(capsys, "evaluate", folder, "--trials", "20", "--json").results
        losses = [line.partition('"seconds"')[0] for line in (folder / LOG).read_text().splitlines()]
        found.append((weights_sha256(checkpoint.weights), types, losses, measured))
        changed()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "name", ["bandit-thompson", pytest.param("guessing-handcrafted", marks=pytest.mark.slow)]
)
def test_evaluate_of_agents_without_weights(
    capsys: pytest.CaptureFixture[str], name: str, changed: Any
) -> None:
    before = run(capsys, "evaluate", name, "--trials", "20", "--json").results
    changed()
    assert run(capsys, "evaluate", name, "--trials", "20", "--json").results == before


def test_initial_weights(changed: Any) -> None:
    recipe = load_recipe("guessing-attentional")
    before = recipe.make_agent(0).state_dict()  # type: ignore[union-attr]
    changed()
    kept = torch.get_default_dtype(), torch.get_default_device()
    after = recipe.make_agent(0).state_dict()  # type: ignore[union-attr]
    assert all(after[key].equal(value) for key, value in before.items())
    assert (torch.get_default_dtype(), torch.get_default_device()) == kept
