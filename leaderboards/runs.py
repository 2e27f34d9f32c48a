"""Runs on disk: finding an agent by the name that a user types, and naming run folders."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.class_loading import Trust, code_files
from badger_agents.loading import load_pretrained, pretrained_names
from badger_agents.recipe.loading import Recipe, check_recipe, load_recipe, merged, recipe_files
from badger_agents.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from badger_agents.training.run import CHECKPOINT
from badger_envs.family import ActionKind
from leaderboards.words import nearest


class Run(NamedTuple):
    """An agent ready to be evaluated: its name, recipe, the agent, outer seed (None without weights)."""

    name: str
    recipe: Recipe
    agent: Agent
    seed: int | None

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.agent.parameters()) if isinstance(self.agent, LearnedAgent) else 0


class Source(NamedTuple):
    """What agents are made of: a recipe, and a checkpoint (None for an algorithm without weights)."""

    recipe: Recipe
    checkpoint: Checkpoint | None

    def open(self, device: str = "cpu", *, action_kind: ActionKind | None = None, **changes: Any) -> Run:
        """The agent on a device, for actions of a kind, with some of its settings changed (experts, ...)."""
        if self.checkpoint is None:
            made = self.recipe.make_agent(**changes)
            run = Run(self.recipe.name, self.recipe, made, None)
            if run.parameters:  # a changed setting may bring in weights
                raise CheckpointError(
                    f"{self.recipe.name} with {', '.join(changes)} changed has weights; it has to be trained"
                )
            return run._replace(agent=made.to(device).eval()) if isinstance(made, LearnedAgent) else run
        agent = self.checkpoint.agent(action_kind=action_kind, **changes).to(device).eval()
        return Run(self.recipe.name, self.recipe, agent, self.checkpoint.seed)


def find_recipe(name_or_path: str, trust: Sequence[str] = ()) -> Recipe:
    """A recipe of the suite, or of a TOML file.

    Args:
        name_or_path: which one.
        trust: files and packages whose code it may name, as the user names them.

    Raises:
        RecipeError, ValueError: there is none, or something in it is wrong.
    """
    known = recipe_files()
    if name_or_path not in known and not name_or_path.endswith(".toml"):
        guess = nearest(name_or_path, list(known)) or "; `badger list recipes` names them"
        guess = "; a policy goes behind --policy" if name_or_path.endswith(".py") else guess
        raise ValueError(f"no recipe {name_or_path!r}{guess}")
    return load_recipe(name_or_path, Trust.of(*trust))


def find_source(target: str, trust: Sequence[str] = ()) -> Source:
    """What `target` names: a run folder, a checkpoint file, or a recipe whose agent has no weights.

    Args:
        target: see above.
        trust: files and packages whose code it may name; a run folder's own copies of code are trusted.

    Raises:
        CheckpointError, RecipeError: there is none, or it cannot be read.
    """
    path = Path(target)
    if (target in recipe_files() and not (path / CHECKPOINT).is_file()) or path.suffix == ".toml":
        recipe = load_recipe(target, Trust.of(*trust))
        agent = recipe.make_agent()
        if isinstance(agent, LearnedAgent) and any(True for _ in agent.parameters()):
            ready = f"; or use --pretrained {target}" if target in pretrained_names() else ""
            raise CheckpointError(f"recipe {target!r} has to be trained first: badger train {target}{ready}")
        return Source(recipe, None)
    if not path.exists():
        guess = nearest(target, [*recipe_files(), *pretrained_names()])
        raise CheckpointError(
            f"no run {target!r}{guess or '; give a run folder of `badger train`, or a checkpoint file'}"
        )
    file = path / CHECKPOINT if path.is_dir() else path
    checkpoint = load_checkpoint(file, trust=Trust.of(*trust) | Trust(folders=(file.parent,)))
    return Source(checkpoint.recipe, checkpoint)


def open_run(target: str, device: str = "cpu", **changes: Any) -> Run:
    """The agent that `target` names.

    Args:
        target: see `find_source`.
        device: a torch device.
        changes: settings of the agent to change (experts, topology, ...).

    Raises:
        CheckpointError, RecipeError: there is none, or it cannot be read.
    """
    return find_source(target).open(device, **changes)


def find(run: str | None, pretrained: str | None, trust: Sequence[str] = ()) -> Source:
    """What the agents are made of; ValueError unless exactly one of run and pretrained is given."""
    if run is not None and pretrained is not None:
        raise ValueError("give a run or --pretrained, not both")
    if pretrained is not None:
        known = pretrained_names()
        if pretrained not in known:
            guess = nearest(pretrained, known) or f"; there are: {', '.join(known)}"
            raise ValueError(f"no pretrained policy {pretrained!r}{guess}")
        checkpoint = load_pretrained(pretrained)
        return Source(checkpoint.recipe, checkpoint)
    if run is None:
        raise ValueError(
            "give a run folder of `badger train`, or --pretrained NAME (`badger list pretrained` names them)"
        )
    return find_source(run, trust)


def changed_recipe(
    recipe: Recipe,
    policy: str | None = None,
    outer_steps: int | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
) -> Recipe:
    """The recipe with changes.

    Args:
        recipe: the recipe.
        policy: another expert policy, which gives the recipe another name.
        outer_steps: another number of outer steps.
        words: settings as "key=value" by the name of their table; "a.b=value" is a key in a table within.
            They are added to the recipe's name.

    Raises:
        ValueError, RecipeError: a word is no such pair, or the recipe refuses it.
    """
    tables = recipe.model_dump()
    trust = recipe.trust
    if policy is not None:
        trust |= Trust.of(policy)
        tables["agent"] |= {"policy": {"kind": policy}}
        tables["name"] = f"{recipe.name}-{policy.rpartition(':')[2]}"
    if outer_steps is not None and tables["training"] is not None:
        tables["training"] |= {"outer_steps": outer_steps}
    for table, pairs in (words or {}).items():
        settings = parse_settings(pairs, f"--{table}")
        trust |= Trust.of(*map(str, code_files(settings)))
        if settings and tables[table] is None:
            raise ValueError(f"--{table} {pairs[0]}: recipe {recipe.name!r} has no [{table}] table")
        if settings:
            tables[table] = merged(tables[table], settings)
        tables["name"] += "".join("-" + re.sub(r"[^A-Za-z0-9._-]+", "-", pair).strip("-") for pair in pairs)
    return check_recipe(tables, "recipe with your changes", trust)


def family_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings of a family from --env words, `id` for another family; ValueError for the split.

    A first word such as Badger/XOR-v0 is the id.
    """
    if pairs and "=" not in pairs[0] and re.search(r"-v\d+$", pairs[0]):
        pairs = [f"id={pairs[0]}", *pairs[1:]]
    settings = parse_settings(pairs, "--env")
    if "split" in settings:
        raise ValueError("--env split=...: the split is not changed that way")
    return settings


def parse_settings(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """Settings from "key=value" words; values are written as in TOML (3, [1, 8], true, "all" or all).

    "table.key=value" is a key in a table within.

    Raises:
        ValueError: a word is no such pair, or makes a table of what is none.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"{option} {pair!r}: write key=value, for example {option} dims=5")
        *path, name = key.split(".")
        place = settings
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ValueError(f"{option} {pair!r}: {part} is given a value and a key within; give one")
        try:
            place[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            place[name] = value  # a bare word is a string
    return settings


def make_folder(folder: Path) -> None:
    """Make a folder to write in; ValueError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"cannot write into {folder} ({error.strerror}); choose another --out") from error
