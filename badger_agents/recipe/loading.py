"""Recipes: one TOML file that names family, agent, objective, estimator and budget."""

import json
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError

from badger_agents.agent import Agent, LearnedAgent, Settings
from badger_agents.class_loading import PROJECT_ONLY, Trust, load_class
from badger_agents.estimators import ESTIMATORS
from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.recipe.schema import AgentTable, EnvTable, EvaluationTable, TrainingTable, first_error
from badger_agents.recipe.schema import RecipeError as RecipeError
from badger_agents.training.curriculum import check_entry, check_stage, share_weights
from badger_envs import keyed_random
from badger_envs.family import Family
from badger_envs.registry import family_of


class Recipe(Settings):
    """Everything that determines a meta-training run but the outer seed.

    Attributes:
        name: what runs are called after.
        summary: one line.
        env: which family.
        agent: which agent.
        training: how it is trained; None for an algorithm without weights.
        evaluation: what to report of it.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    summary: str = ""
    env: EnvTable
    agent: AgentTable = AgentTable()
    training: TrainingTable | None = None
    evaluation: EvaluationTable = EvaluationTable()

    def family(self, **changes: Any) -> Family:
        """The family, with some settings changed (`split`, sizes, ...).

        With another `id` among the changes it is that family, and nothing of the recipe's settings holds.
        """
        id = changes.pop("id", self.env.id)
        if not isinstance(id, str):
            raise TypeError(f"id is {id!r}; it must be a registered id such as 'Badger/XOR-v0'")
        module = id.rpartition(":")[0]
        if module and not self.trust.has_package(module):
            raise ValueError(f"id {id!r} is registered by a package that you did not name; --trust {module}")
        settings = {**(self.env.model_extra or {} if id == self.env.id else {}), **changes}
        if "family" in settings:
            raise TypeError("family is no setting: id names the family")
        return family_of(id, **settings)

    @property
    def met(self) -> frozenset[str]:
        """The ids of all families that training meets."""
        stages = self.training.stages if self.training is not None else ()
        entries = [entry for stage in stages for entry in stage.entries]
        return frozenset(entry.env.get("id", self.env.id) for entry in entries) or frozenset({self.env.id})

    def agent_settings(self, **changes: Any) -> dict[str, Any]:
        """The agent's settings as written in the recipe, with some changed; tables within are merged."""
        return merged(self.agent.model_extra or {}, changes)

    def make_agent(self, seed: int = 0, **changes: Any) -> Agent:
        """Build the agent; the initial weights follow from the outer seed.

        Args:
            seed: outer seed, in [0, 2**63).
            changes: settings to change, such as `experts`.

        Raises:
            RecipeError: a setting is unknown or wrong.
            ValueError, TypeError: the class is no agent, or refuses its settings.
        """
        kind = load_class(self.agent.kind, ("initial_state", "act"), "agent", self.trust)
        settings = self.agent_settings(**changes)
        family = self.family()
        if not issubclass(kind, LearnedAgent):
            made: Agent = kind(**settings)
            return made
        try:
            checked = kind.Settings.model_validate(_tuples(settings), context={"trust": self.trust})
        except ValidationError as error:
            raise RecipeError(first_error(error, kind.Settings, "agent.")) from error
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return kind(family, checked).to(getattr(torch, family.dtype))

    @torch.enable_grad()  # it is asked whether gradients flow, also by those who evaluate without
    def try_out(self, env: dict[str, Any], agent: dict[str, Any], halting_cost: float | None = None) -> None:
        """Let the agent act twice, so that what a user's class gets wrong shows before anything is written.

        Args:
            env: settings of the family to change.
            agent: settings of the agent to change.
            halting_cost: in place of the training's.

        Raises:
            ValueError, TypeError: and whatever a user's class raises.
        """
        family, living = self.family(**env), self.make_agent(**agent)
        if agent and isinstance(living, LearnedAgent):
            master = self.make_agent()
            assert isinstance(master, LearnedAgent)
            share_weights(master, living)
        keys = keyed_random.outer_keys(0, 0, 2, like=torch.zeros(()))
        task = family.sample_task(keys)
        observation = family.observe(task, family.initial_state(task))
        lived, estimator = living, None
        if self.training is not None and isinstance(living, LearnedAgent):
            estimator = self.training.make_estimator()
            lived = estimator.as_lived(living)
        mind = lived.initial_state(family, keys)
        for step in range(2):  # the second time with messages
            mind, action, record = lived.act(mind, observation, keys, step)
        for term in self.training.penalties(halting_cost) if self.training is not None else ():
            if term.reads not in record:
                raise ValueError(
                    f"it records no {term.reads}, which {term.setting} needs; set {term.setting} = 0"
                )
        wanted = (2,) if family.action_kind == "categorical" else (2, family.slots.outputs)
        if tuple(action.shape) != wanted:
            raise ValueError(f"its action for 2 trials has shape {tuple(action.shape)}; it must be {wanted}")
        if estimator is None or self.training is None:
            return
        if estimator.through_actions and not action.requires_grad:
            raise ValueError(
                "its action does not depend on its weights in a differentiable way, so that it cannot be"
                f" trained by {self.training.estimator}; for actions that are drawn there is policy_gradient"
            )
        if missing := [name for name in estimator.reads if name not in record]:
            raise ValueError(
                f"it records no {missing[0]}, which {self.training.estimator} needs: its actions are not"
                " drawn; set writing = 'score' where actions are binary, and where they are continuous noise,"
                " if the agent has such a setting"
            )

    def to_json(self) -> str:
        """The recipe as one line of JSON, from which `from_json` makes it again."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, trust: Trust = PROJECT_ONLY) -> "Recipe":
        """A recipe from `to_json`'s text."""
        return check_recipe(json.loads(text), "recipe", trust)


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some changed; tables within are merged, not replaced."""
    made = dict(settings)
    for key, value in changes.items():
        own = made.get(key)
        made[key] = {**own, **value} if isinstance(own, dict) and isinstance(value, dict) else value
    return made


def recipe_folders() -> list[Path]:
    """Where recipes that come with the suite lie."""
    here = Path(__file__).parent.parent
    return [here / "recipes", here.parent / "baselines" / "recipes"]


def recipe_files() -> dict[str, Path]:
    """Files of the recipes that come with the suite, by name."""
    return {file.stem: file for folder in recipe_folders() for file in sorted(folder.glob("*.toml"))}


def load_recipe(name_or_path: str, trust: Trust = PROJECT_ONLY) -> Recipe:
    """Read and check a recipe: the name of one that comes with the suite, or a path to a TOML file.

    Args:
        name_or_path: which one.
        trust: whose code it may name, beside the project's.

    Raises:
        RecipeError: there is none, it is no TOML, or something in it is wrong.
    """
    known = recipe_files()
    path = known.get(name_or_path, Path(name_or_path))
    if path.suffix != ".toml" or not path.is_file():
        raise RecipeError(
            f"no recipe {name_or_path!r}; give a .toml file or one of: {', '.join(sorted(known))}"
        )
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    return check_recipe(tables, str(path), trust)


def check_recipe(tables: dict[str, Any], source: str, trust: Trust = PROJECT_ONLY) -> Recipe:
    """Check tables against `Recipe`, the family's settings and the agent's.

    Args:
        tables: as read from TOML or JSON.
        source: the file, for messages.
        trust: whose code they may name, beside the project's.

    Raises:
        RecipeError: naming file, key and what would do.
    """
    try:
        recipe = Recipe.model_validate(_tuples(tables), context={"trust": trust})
    except ValidationError as error:
        raise RecipeError(f"{source}: {first_error(error, Recipe)}") from error
    if recipe.training is not None:
        for key, known in (("objective", OBJECTIVES), ("estimator", ESTIMATORS)):
            value = getattr(recipe.training, key)
            if value not in known:
                names = ", ".join(known)
                raise RecipeError(f"{source}: training.{key} is {value!r}; it must be one of {names}")
        _checked(f"{source}: ", "", recipe.training.make_estimator)
    try:
        recipe.family()
    except Exception as error:  # an unknown id, or a setting that the family refuses
        raise RecipeError(f"{source}: env: {error}") from error
    _checked(f"{source}: ", "agent: ", lambda: recipe.try_out({}, {}))
    for number, stage in enumerate(recipe.training.stages if recipe.training else ()):
        place = f"{source}: training.stages[{number}]"
        _checked(f"{place}: ", "", partial(check_stage, recipe, number, stage))
        for which, entry in enumerate(stage.entries):
            where = f"{place}.mixture[{which}]: " if stage.mixture else f"{place}: "
            _checked(where, "", partial(check_entry, recipe, entry, stage.halting_cost))
    return recipe


def _checked(source: str, table: str, check: Callable[[], object]) -> None:
    """Run a check; what it raises becomes one line."""
    try:
        check()
    except RecipeError as error:
        raise RecipeError(f"{source}{error}") from error
    except Exception as error:  # a user's class may fail in any way
        told = " ".join(str(error).split()) or "no message"
        kind = "" if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: "
        raise RecipeError(f"{source}{table}{kind}{told}") from error


def _tuples(value: Any) -> Any:
    """Lists as tuples, all the way down: settings are hashable and cannot change."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
