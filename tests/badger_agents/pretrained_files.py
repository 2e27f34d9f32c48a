"""What must hold of a published policy's files, wherever they lie."""

import csv
import hashlib
from pathlib import Path

from badger_agents.agent import LearnedAgent
from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import load_checkpoint


def check_published(folder: Path, name: str, recipe: Recipe) -> None:
    weights = folder / f"{name}.safetensors"
    checkpoint = load_checkpoint(weights)
    assert checkpoint.recipe.name == name
    assert checkpoint.recipe.env.id == recipe.env.id
    assert checkpoint.recipe.agent == recipe.agent
    assert not checkpoint.optimiser
    assert not checkpoint.estimator
    agent = checkpoint.agent()
    assert isinstance(agent, LearnedAgent)
    parameters = sum(weight.numel() for weight in agent.parameters())
    card = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert f"| weights | {parameters:,} |" in card
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in card  # the card is of this very file
    assert f"| shipped | outer seed {checkpoint.seed} of " in card
    assert f"**{checkpoint.seed}**" in card
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        measured = list(csv.DictReader(file))
    assert {row["split"] for row in measured} == {"validation", "test"}
    assert str(checkpoint.seed) in {row["outer_seed"] for row in measured}
    assert len({row["outer_seed"] for row in measured}) >= 3
    assert all(float(row["ci95_low"]) <= float(row["value"]) <= float(row["ci95_high"]) for row in measured)
