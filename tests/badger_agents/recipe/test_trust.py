"""Nothing that is loaded runs code: recipes and checkpoints name the project's classes, or trusted ones."""

import copy
import importlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch

from badger_agents import class_loading
from badger_agents.class_loading import PROJECT_PACKAGES, Trust
from badger_agents.recipe.loading import Recipe, RecipeError, check_recipe, load_recipe
from badger_agents.training.checkpoint import FORMAT, CheckpointError, load_checkpoint
from badger_envs import family, registry
from tests.badger_agents.small import small_tables

MIXED = "badger_agents.badger.policies.mixed:MixedPolicy"
FROZEN = "baselines.ablations.communication:FrozenSenderPolicy"
GRU = "gru"


def mixed(*policies: str) -> dict[str, Any]:
    return {"policy": {"kind": MIXED, "policies": [{"kind": policy} for policy in policies]}}


def places(named: str) -> Iterator[dict[str, Any]]:
    """Recipes that name a class wherever one can be named."""
    yield small_tables(agent={"kind": named, "args": ["touch", "ran"]})
    yield small_tables(agent={"policy": {"kind": named}})
    yield small_tables(agent=mixed(GRU, named))
    yield small_tables(agent={"policy": {"kind": FROZEN, "of": {"kind": named}}})
    agent = {"policy": {"kind": named}}
    yield small_tables(training={"stages": [{"outer_steps": 1, "agent": agent}, {}]})
    yield small_tables(training={"stages": [{"mixture": [{"agent": agent}]}]})
    yield small_tables(training={"estimator": named})
    yield small_tables(training={"objective": named})
    yield small_tables(env={"id": named})
    yield small_tables(env={"family": named})
    yield small_tables(env={"id": "ran:Badger/XOR-v0"})


def forged(path: Path, facts: Any) -> Path:
    path.write_bytes(safetensors.torch.save({"weights/a": torch.zeros(2)}, {FORMAT: json.dumps(facts)}))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with modules on the path that leave a file when they are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("ran", "badger_agents_evil", "mine"):
        Path(f"{name}.py").write_text("open('it_ran', 'w').close()\nclass Mine: pass\n")
    return tmp_path


@pytest.mark.parametrize(
    "named",
    [
        "subprocess:Popen",
        "ran:Mine",
        "badger_agents_evil:Mine",
        "mine.py:Mine",
        "./badger_agents/../mine.py:Mine",
    ],
)
def test_nothing_that_a_recipe_or_checkpoint_names_is_run_unasked(folder: Path, named: str) -> None:
    for tables in places(named):
        with pytest.raises(RecipeError) as refused:
            check_recipe(tables, "recipe")
        assert "\n" not in str(refused.value)
        facts = {"recipe": tables, "seed": 0, "step": 1, "skipped": 0, "place": [0, 0, None, 0]}
        with pytest.raises(CheckpointError, match="cannot be used"):
            load_checkpoint(forged(folder / "c", facts))
    assert not list(folder.glob("*ran"))
    assert "ran" not in sys.modules


def test_a_pretrained_file_s_own_folder_is_not_trusted(folder: Path) -> None:
    tables = small_tables(agent={"policy": {"kind": "mine.py:Mine"}})
    facts = {"recipe": tables, "seed": 0, "step": 1, "skipped": 0, "place": [0, 0, None, 0]}
    path = forged(folder / "c", facts)
    with pytest.raises(CheckpointError, match="did not name"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"not a subclass of badger_agents\.ExpertPolicy"):
        load_checkpoint(path, trust=Trust.of(folder))  # named: it is run, and is no policy
    assert Path("it_ran").exists()


def test_what_is_trusted_is_loaded_at_any_depth(folder: Path) -> None:
    Path("mine.py").write_text("from badger_agents import GRUPolicy\nclass Mine(GRUPolicy): pass\n")
    for name, trust in (("mine.py:Mine", Trust.of("mine.py")), ("mine:Mine", Trust.of("mine"))):
        for agent in (mixed(GRU, name), {"policy": {"kind": FROZEN, "of": {"kind": name}}}):
            assert check_recipe(small_tables(agent=agent), "recipe", trust).trust == trust
    sys.modules.pop("mine", None)


def test_trust_is_no_part_of_what_a_recipe_says() -> None:
    one, other = (check_recipe(small_tables(), "recipe", trust) for trust in (Trust(), Trust.of("mine")))
    assert one == other


HOSTILE: tuple[Any, ...] = (
    "subprocess:Popen", "os:system", "builtins:eval", "antigravity:fly", "ran:Mine", "mine.py:Mine",
    "badger_agents_evil:Mine", "ran", "badger_agents.recipe.loading:importlib.import_module",
    "badger_agents.class_loading:load_file", "baselines.../ran:Mine", "ran:Badger/XOR-v0", "ran.Mine", ":",
    "", MIXED, FROZEN, GRU, "badger_agents.badger.agent:BadgerAgent", "badger_envs.families.xor:XOR",
    None, True, -1, 0, 1e9, [], {}, ["ran:Mine"], {"policy": "ran:Mine"}, {"kind": "ran:Mine", "args": ["x"]},
)  # fmt: skip
KEYS = (
    "kind",
    "policy",
    "policies",
    "policy_settings",
    "id",
    "family",
    "args",
    "estimator",
    "objective",
    "agent",
)


def mutated(tables: Any, draw: random.Random) -> Any:
    """Tables in which one value, at any depth, is another, or one key is added."""
    tables = copy.deepcopy(tables)
    while True:
        place = tables
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw.choice(keys) if keys else None
            inner = place[key] if key is not None else None
            if not isinstance(inner, dict | list) or not inner or draw.random() < 0.2:
                break
            place = inner
        if isinstance(place, dict) and (key is None or draw.random() < 0.4):
            place[draw.choice(KEYS)] = copy.deepcopy(draw.choice(HOSTILE))
        elif key is not None:
            place[key] = copy.deepcopy(draw.choice(HOSTILE))
        else:
            continue
        return tables


def test_2000_mutations_load_no_class_outside_the_trusted_packages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def watched(name: str, *_: Any) -> Any:
        asked.append(name)
        return importlib.import_module(name)

    for module in (class_loading, family, registry):
        monkeypatch.setattr(module, "importlib", SimpleNamespace(import_module=watched))
    starts: list[Any] = [small_tables(), small_tables(agent=mixed(GRU, GRU))]
    starts += [json.loads(load_recipe(name).to_json()) for name in ("xor-handcrafted", "guessing-zeros")]
    starts.append(small_tables(training={"stages": [{"mixture": [{"env": {"horizon": 3}}, {"agent": {}}]}]}))
    draw, accepted, refused = random.Random(0), 0, 0
    for number in range(2_000):
        tables = mutated(starts[number % len(starts)], draw)
        if draw.random() < 0.3:
            tables = mutated(tables, draw)
        try:
            if number % 4:
                check_recipe(tables, "recipe")
            else:
                facts = {"recipe": tables, "seed": 0, "step": 1, "skipped": 0, "place": [0, 0, None, 0]}
                facts = facts if number % 8 else mutated(facts, draw)
                load_checkpoint(forged(folder / "c", facts))
            accepted += 1
        except (RecipeError, CheckpointError):
            refused += 1
    assert accepted > 50
    assert refused > 1_000
    assert {name.partition(".")[0] for name in asked} <= set(PROJECT_PACKAGES)
    assert not {"ran", "antigravity", "badger_agents_evil", "mine"} & set(sys.modules)
    assert not Path("it_ran").exists()


def test_every_recipe_of_the_suite_needs_no_trust() -> None:
    assert isinstance(load_recipe("guessing-hardwired"), Recipe)
