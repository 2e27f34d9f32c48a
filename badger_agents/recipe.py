"""Recipes: one TOML file that names family, agent, objective, estimator and budget."""

import json
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from badger_agents.agent import Agent, LearnedAgent, Settings, load_class
from badger_agents.curriculum import Entry, Stage, check_entry, check_stage, share_weights
from badger_agents.estimators import ESTIMATORS, GradientEstimator, make_estimator
from badger_agents.objectives import OBJECTIVES, Penalty, collapse
from badger_envs import random
from badger_envs.family import Family
from badger_envs.registry import family_of

LAST_LEARNING_RATE = 0.02
"""What is left of the learning rate at the end of a linear schedule."""


class RecipeError(ValueError):
    """A recipe that cannot be used; the message names the file, the key and what would do."""


class EnvTable(Settings):
    """[env]: a registered id, and settings of its family as further keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")
    id: str


class AgentTable(Settings):
    """[agent]: the agent's class as "module:Class", and its settings as further keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")
    kind: str = "badger_agents.badger:BadgerAgent"


class TrainingTable(Settings):
    """[training]: the outer loop.

    Attributes:
        outer_steps: number of outer steps.
        batch_size: trials per outer step.
        objective: a name in `badger_agents.objectives`.
        estimator: a name in `badger_agents.estimators`.
        estimator_settings: of the estimator's own `Settings`.
        anti_collapse: weight of a term that keeps experts' messages apart
            (`badger_agents.objectives.collapse`).
        halting_cost: loss per round of communication, where experts vote on when to stop
            (`badger_agents.halting`): its mean over steps and trials is added to the objective.
        learning_rate: Adam's, at the start.
        schedule: the learning rate stays "constant" or falls "linear"ly to a fiftieth.
        warm_up: outer steps in which the learning rate rises from 0.
        beta2: Adam's memory of squared gradients.
        clip_norm: largest norm of a gradient; longer ones are shortened to it.
        clip_trial: the same for the gradient of each trial on its way back from step to step, so that one
            wild trial does not drown the others; None: no such limit.
        checkpoint_every: outer steps between checkpoints.
        log_every: outer steps between rows of the log.
        stages: the curriculum; none: the recipe's settings all the time.
        validate_every: outer steps between validations: in stages that end by one, and in the last stage
            with `keep_best` or `patience`.
        validation_trials: trials of a validation.
        keep_best: keep the weights of the last stage's best validation beside the checkpoint.
        patience: validations of the last stage without a better outcome after which training ends early;
            None: it never does.
    """

    outer_steps: int = Field(ge=1)
    batch_size: int = Field(default=128, ge=1)
    objective: str = "second_half"
    estimator: str = "backpropagation"
    estimator_settings: dict[str, Any] = Field(default_factory=dict)
    anti_collapse: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    halting_cost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "linear"] = "linear"
    warm_up: int = Field(default=0, ge=0)
    beta2: float = Field(default=0.999, gt=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    clip_trial: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    checkpoint_every: int = Field(default=250, ge=1)
    log_every: int = Field(default=10, ge=1)
    stages: tuple[Stage, ...] = ()
    validate_every: int = Field(default=50, ge=1)
    validation_trials: int = Field(default=512, ge=1)
    keep_best: bool = False
    patience: int | None = Field(default=None, ge=1)

    @property
    def stackable(self) -> bool:
        """Whether outer seeds can live side by side in every outer step (see `badger_agents.population`)."""
        return self.make_estimator().stackable and all(stage.alike for stage in self.stages)

    @property
    def validates(self) -> bool:
        """Whether the last stage is validated."""
        return self.keep_best or self.patience is not None

    def ends(self, step: int, waits: int) -> bool:
        """Whether training is over after so many outer steps and validations without a better one."""
        return step >= self.outer_steps or (self.patience is not None and waits >= self.patience)

    def rate_at(self, step: int, learning_rate: float | None = None) -> float:
        """Adam's learning rate at an outer step, from the table's or a stage's own by the schedule."""
        rate = self.learning_rate if learning_rate is None else learning_rate
        rate *= min(1.0, (step + 1) / (self.warm_up + 1))
        if self.schedule == "constant":
            return rate
        return rate * max(LAST_LEARNING_RATE, 1 - step / self.outer_steps)

    def penalties(self, halting_cost: float | None = None) -> tuple[Penalty, ...]:
        """What is added to the objective: the terms whose weight is not 0.

        Args:
            halting_cost: in place of the table's.
        """
        rounds = self.halting_cost if halting_cost is None else halting_cost
        terms = (
            Penalty("anti_collapse", self.anti_collapse, "messages", collapse),
            Penalty("halting_cost", rounds, "rounds_cost", torch.mean),
        )
        return tuple(term for term in terms if term.weight > 0)

    def make_estimator(self) -> GradientEstimator:
        """Build the gradient estimator.

        Raises:
            RecipeError: a setting of it is unknown or wrong, or it cannot work with this batch size.
        """
        try:
            estimator = make_estimator(self.estimator, self.estimator_settings)
        except ValidationError as error:
            kind = ESTIMATORS[self.estimator].Settings
            raise RecipeError(_first_error(error, kind, "training.estimator_settings.")) from error
        for size in {self.batch_size, *(stage.batch_size or self.batch_size for stage in self.stages)}:
            try:
                estimator.check(size)
            except ValueError as error:
                raise RecipeError(f"training.estimator_settings: {error}") from error
        return estimator


class EvaluationTable(Settings):
    """[evaluation]: what `badger evaluate` reports of a run of this recipe unless told otherwise.

    Attributes:
        env: settings of the family to change; a list of values gives one result for each (of several
            lists, each combination).
        agent: settings of the agent to change, in the same way.
    """

    env: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)


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
        own = self.env.model_extra or {} if id == self.env.id else {}
        return family_of(id, **{**own, **changes})

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
        kind = load_class(self.agent.kind, "agent")
        settings = self.agent_settings(**changes)
        family = self.family()
        if not issubclass(kind, LearnedAgent):
            agent = kind(**settings)
            if not isinstance(agent, Agent):
                raise ValueError(f"kind {self.agent.kind!r} is no agent: it lacks initial_state or act")
            return agent
        try:
            checked = kind.Settings.model_validate(_tuples(settings))
        except ValidationError as error:
            raise RecipeError(_first_error(error, kind.Settings, "agent.")) from error
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
        keys = random.outer_keys(0, 0, 2, like=torch.zeros(()))
        task = family.sample_task(keys)
        observation = family.observe(task, family.initial_state(task))
        lived, estimator = living, None
        if self.training is not None and isinstance(living, LearnedAgent):
            estimator = self.training.make_estimator()
            lived = estimator.as_lived(living)
        mind = lived.initial_state(family, keys)
        for _ in range(2):  # the second time with messages
            mind, action, record = lived.act(mind, observation, keys)
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
    def from_json(cls, text: str) -> "Recipe":
        """A recipe from `to_json`'s text."""
        return check_recipe(json.loads(text), "recipe")


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some changed; tables within are merged, not replaced."""
    made = dict(settings)
    for key, value in changes.items():
        own = made.get(key)
        made[key] = {**own, **value} if isinstance(own, dict) and isinstance(value, dict) else value
    return made


def recipe_folders() -> list[Path]:
    """Where recipes that come with the suite lie."""
    here = Path(__file__).parent
    return [here / "recipes", here.parent / "baselines" / "recipes"]


def recipe_files() -> dict[str, Path]:
    """Files of the recipes that come with the suite, by name."""
    return {file.stem: file for folder in recipe_folders() for file in sorted(folder.glob("*.toml"))}


def load_recipe(name_or_path: str) -> Recipe:
    """Read and check a recipe: the name of one that comes with the suite, or a path to a TOML file.

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
    return check_recipe(tables, str(path))


def check_recipe(tables: dict[str, Any], source: str) -> Recipe:
    """Check tables against `Recipe`, the family's settings and the agent's.

    Args:
        tables: as read from TOML or JSON.
        source: the file, for messages.

    Raises:
        RecipeError: naming file, key and what would do.
    """
    try:
        recipe = Recipe.model_validate(_tuples(tables))
    except ValidationError as error:
        raise RecipeError(f"{source}: {_first_error(error, Recipe)}") from error
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


def _first_error(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """The first thing wrong, on one line: key, problem, what would do."""
    errors = error.errors()
    first = errors[0]
    table: type[BaseModel] = model
    key = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {
            "env": EnvTable,
            "agent": AgentTable,
            "training": TrainingTable,
            "stages": Stage,
            "mixture": Entry,
            "evaluation": EvaluationTable,
        }
        for part in first["loc"][:-1]:  # down to the table in which the unknown key stands
            table = tables.get(str(part), table)  # or the number of a stage
        return f"{key}: unknown key; known keys: {', '.join(table.model_fields)}"
    if first["type"] == "missing":
        return f"{key}: missing; it must be given"
    if len(first["loc"]) == 2 and first["loc"][0] in table.model_fields and prefix:  # one of several types
        key = f"{prefix}{first['loc'][0]}"
    reasons = dict.fromkeys(
        item["msg"][0].lower() + item["msg"][1:] for item in errors if item["loc"][0] == first["loc"][0]
    )
    return f"{key} is {first['input']!r}; {', or '.join(reasons)}"


def _tuples(value: Any) -> Any:
    """Lists as tuples, all the way down: settings are hashable and cannot change."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
