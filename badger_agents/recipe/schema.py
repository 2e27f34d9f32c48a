"""Tables of a recipe: what may stand in each, what is made of them, and what is said of what may not."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.class_loading import Trust, load_class
from badger_agents.estimators import ESTIMATORS, GradientEstimator, make_estimator
from badger_agents.estimators.objectives import Penalty, collapse
from badger_agents.estimators.optimiser import AdamSettings, OptimiserSettings
from badger_agents.recipe.torch_defaults import torch_defaults
from badger_agents.settings import Settings
from badger_envs.family import ActionKind, Family
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
    kind: str = "badger_agents.badger.agent:BadgerAgent"


DRAWN = {"env": ("horizon",), "agent": ("experts", "rounds")}
"""Settings that a stage may give as a pair (lowest, highest): drawn anew at every outer step."""


class Entry(Settings):
    """What an outer step may sample; what it does not say is as in the recipe.

    Attributes:
        env: settings of the family to change; `horizon` may be a pair, drawn per outer step. With `id` it is
            another family, with its own settings and these.
        agent: settings of the agent to change (tables within are merged, not replaced); `experts` and
            `rounds` may be pairs, drawn per outer step. None of them may change the weights' shapes.
        until: the stage ends when validation reaches this outcome here and wherever else one is given.
            Validated is what is sampled, in the validation split, with the highest of what is drawn.
        weight: how often it is sampled, in proportion to the others of its mixture.
        loss_scale: what its losses are divided by, such as that of who writes nothing, so that entries of a
            mixture count alike.
    """

    env: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)
    until: float | None = Field(default=None, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    loss_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    def at(self, end: int) -> "Entry":
        """This entry with the lowest (0) or the highest (-1) of each pair; what is drawn lies between."""
        return self.model_copy(
            update={
                table: {
                    name: value[end] if name in names and isinstance(value, tuple) else value
                    for name, value in getattr(self, table).items()
                }
                for table, names in DRAWN.items()
            }
        )


class Stage(Settings):
    """One stage of a curriculum, [[training.stages]]; what it does not say is as in the recipe.

    Attributes:
        outer_steps: outer steps after which the next stage begins; None: only `until` ends it.
        until, env, agent: as of an `Entry`.
        mixture: in place of those three, several entries: each outer step samples one of them.
        sample_by: by the entries' "weight" alone; or by weight times the entry's "loss" of late: what is not
            learned yet is met more often; or by weight times its "progress": by how much its loss has changed
            of late, after Graves et al. 2017, "Automated curriculum learning for neural networks".
        rate_factor: what multiplies all learning rates of the recipe's optimiser.
        batch_size: in place of the recipe's.
        halting_cost: in place of the recipe's. Where it counts before a task is mastered, experts learn to
            give up early instead.
    """

    outer_steps: int | None = Field(default=None, ge=1)
    until: float | None = Field(default=None, allow_inf_nan=False)
    env: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)
    mixture: tuple[Entry, ...] = ()
    sample_by: Literal["weight", "loss", "progress"] = "weight"
    rate_factor: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    batch_size: int | None = Field(default=None, ge=1)
    halting_cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The mixture; of a stage without, the one thing that it samples."""
        return self.mixture or (Entry(env=self.env, agent=self.agent, until=self.until),)

    @property
    def same_for_all(self) -> bool:
        """Whether all outer seeds sample the same here, but for the tasks: nothing is drawn or validated."""
        entry, *others = self.entries
        drawn = [getattr(entry, table).get(name) for table, names in DRAWN.items() for name in names]
        return not others and entry.until is None and not any(isinstance(value, tuple) for value in drawn)


class TrainingTable(Settings):
    """[training]: the outer loop.

    Attributes:
        outer_steps: number of outer steps.
        batch_size: trials per outer step.
        objective: a name in `badger_agents.estimators.objectives`.
        estimator: a name in `badger_agents.estimators`.
        estimator_settings: of the estimator's own `Settings`.
        anti_collapse: weight of a term that keeps experts' messages apart
            (`badger_agents.estimators.objectives.collapse`).
        halting_cost: loss per round of communication, where experts vote on when to stop
            (`badger_agents.badger.halting`): its mean over steps and trials is added to the objective.
        optimiser: [training.optimiser]: its `kind`, "adam" or "muon", and its own rates and memories (see
            `badger_agents.estimators.optimiser`).
        schedule: all its learning rates stay "constant" or fall "linear"ly to a fiftieth.
        warm_up: outer steps in which they rise from 0.
        clip_norm: largest norm of a gradient; longer ones are shortened to it.
        clip_trial: the same for the gradient of each trial on its way back from step to step, so that one
            wild trial does not drown the others; None: no such limit.
        checkpoint_every: outer steps between checkpoints.
        log_every: outer steps between rows of the log.
        stages: the curriculum; none: the recipe's settings all the time.
        settings_seed: the outer seed by which all runs draw what their stages draw per outer step (horizon,
            experts, rounds, entries of mixtures), so that they can be stacked; tasks, their sizes and weights
            stay each run's own. None: each run draws by its own outer seed.
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
    optimiser: OptimiserSettings = AdamSettings()
    schedule: Literal["constant", "linear"] = "linear"
    warm_up: int = Field(default=0, ge=0)
    clip_norm: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    clip_trial: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    checkpoint_every: int = Field(default=250, ge=1)
    log_every: int = Field(default=10, ge=1)
    stages: tuple[Stage, ...] = ()
    settings_seed: int | None = Field(default=None, ge=0)
    validate_every: int = Field(default=50, ge=1)
    validation_trials: int = Field(default=512, ge=1)
    keep_best: bool = False
    patience: int | None = Field(default=None, ge=1)

    @property
    def stackable(self) -> bool:
        """Whether outer seeds can go side by side, but where one is a stage behind (see `training.loop`)."""
        shared = self.settings_seed is not None
        same = (stage.same_for_all or (shared and stage.sample_by == "weight") for stage in self.stages)
        return all(same) and self.make_estimator().stackable

    @property
    def validates(self) -> bool:
        """Whether the last stage is validated."""
        return self.keep_best or self.patience is not None

    def ends(self, step: int, waits: int) -> bool:
        """Whether training is over after so many outer steps and validations without a better one."""
        return step >= self.outer_steps or (self.patience is not None and waits >= self.patience)

    def rate_factor(self, step: int) -> float:
        """What the schedule multiplies all learning rates by at an outer step, in (0, 1]."""
        factor = min(1.0, (step + 1) / (self.warm_up + 1))
        if self.schedule == "constant":
            return factor
        return factor * max(LAST_LEARNING_RATE, 1 - step / self.outer_steps)

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
            raise RecipeError(first_error(error, kind, "training.estimator_settings.")) from error
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
        settings = {**(self.env.model_extra or {} if id == self.env.id else {}), **changes}
        return trusted_family(id, settings, self.trust)

    @property
    def met(self) -> frozenset[str]:
        """The ids of all families that training meets."""
        stages = self.training.stages if self.training is not None else ()
        entries = [entry for stage in stages for entry in stage.entries]
        return frozenset(entry.env.get("id", self.env.id) for entry in entries) or frozenset({self.env.id})

    def agent_settings(self, **changes: Any) -> dict[str, Any]:
        """The agent's settings as written in the recipe, with some changed; tables within are merged."""
        return merged(self.agent.model_extra or {}, changes)

    def make_agent(self, seed: int = 0, *, action_kind: ActionKind | None = None, **changes: Any) -> Agent:
        """Build the agent; the initial weights follow from the outer seed.

        Args:
            seed: outer seed, in [0, 2**63).
            action_kind: of the families that it will meet, if they are of another kind than the recipe's.
            changes: settings to change, such as `experts`.

        Raises:
            RecipeError: a setting is unknown or wrong.
            ValueError, TypeError: the class is no agent, or refuses its settings.
        """
        kind = load_class(self.agent.kind, ("initial_state", "act"), "agent", self.trust)
        settings = self.agent_settings(**changes)
        family = self.family()
        if not issubclass(kind, LearnedAgent):
            with torch_defaults():
                made: Agent = kind(**settings)
            return made
        try:
            checked = kind.Settings.model_validate(tuples(settings), context={"trust": self.trust})
        except ValidationError as error:
            raise RecipeError(first_error(error, kind.Settings, "agent.")) from error
        make: Callable[..., LearnedAgent] = kind
        with torch.random.fork_rng(devices=[]), torch_defaults():
            torch.default_generator.manual_seed(seed)  # weights are drawn on the CPU
            other = {} if action_kind in (None, family.action_kind) else {"action_kind": action_kind}
            return make(family, checked, **other).to(getattr(torch, family.dtype))

    def to_json(self) -> str:
        """The recipe as one line of JSON, for `loading.check_recipe`."""
        return self.model_dump_json()


def trusted_family(id: str, settings: Mapping[str, Any], trust: Trust) -> Family:
    """The family behind an id that a file names, which is looked up in trusted packages alone.

    Raises:
        ValueError: its package is not trusted.
        TypeError: the settings name a family.
    """
    module = id.rpartition(":")[0]
    if module and not trust.has_package(module):
        raise ValueError(f"id {id!r} is registered by a package that you did not name; --trust {module}")
    if "family" in settings:
        raise TypeError("family is no setting: id names the family")
    return family_of(id, **settings)


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some changed; tables within are merged, or replaced where they become another `kind`.

    A table in place of a list of tables changes each of them: {"stages": {"sample_by": "loss"}}, say.
    """
    made = dict(settings)
    for key, value in changes.items():
        own = made.get(key)
        made[key] = value
        if not isinstance(value, dict):
            continue
        if isinstance(own, dict) and value.get("kind", own.get("kind")) == own.get("kind"):
            made[key] = merged(own, value)
        elif isinstance(own, list | tuple) and own and all(isinstance(each, dict) for each in own):
            made[key] = [merged(each, value) for each in own]
    return made


def tuples(value: Any) -> Any:
    """Lists as tuples, all the way down: settings are hashable and cannot change."""
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value


def first_error(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """The first thing wrong, on one line: key, problem, what would do."""
    errors = error.errors()
    first = errors[0]
    keys, tables = _place(model, first["loc"])
    key = prefix + ".".join(keys)
    if first["type"] == "extra_forbidden":
        known = dict.fromkeys(name for table in tables for name in table.model_fields)
        return f"{key}: unknown key; known keys: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{key}: missing; it must be given"
    if first["type"] == "unknown_key":  # of a policy, which knows its own
        return f"{key}.{first['msg']}"
    alike = [item for item in errors if item["loc"][:1] == first["loc"][:1]]
    told = [item["msg"].removeprefix("Value error, ") for item in alike]
    reasons = dict.fromkeys(message[0].lower() + message[1:] for message in told)
    if not first["loc"]:  # what is wrong of the settings together
        return f"{prefix.rstrip('.')}: {', or '.join(reasons)}"
    return f"{key} is {first['input']!r}; {', or '.join(reasons)}"


def _place(model: type[BaseModel], place: tuple[int | str, ...]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys that lead to a place, without kinds and types that pydantic tried there; and its tables."""
    keys, tables = [], [model]
    for number, part in enumerate(place):
        having = [table for table in tables if part in table.model_fields]
        kinds = [table for table in tables if "kind" in table.model_fields]
        tagged = [table for table in kinds if part in get_args(table.model_fields["kind"].annotation)]
        if having:
            keys.append(str(part))
            tables = _tables(having[0].model_fields[str(part)].annotation)
        elif tagged:
            tables = tagged
        elif isinstance(part, int) or tables:  # an unknown key, or one of a policy's own
            keys.append(str(part))
            if any(table.model_config.get("extra") == "allow" for table in tables):
                keys += [str(each) for each in place[number + 1 :]]
                break
        else:  # a value: what follows names types
            break
    return keys, tables


def _tables(annotation: Any) -> list[type[BaseModel]]:
    """The tables that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in _tables(part)]
