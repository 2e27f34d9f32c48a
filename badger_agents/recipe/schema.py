"""Tables of a recipe: what may stand in each, and what is said of what may not."""

from typing import Any, Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from badger_agents.agent import Settings
from badger_agents.estimators import ESTIMATORS, GradientEstimator, make_estimator
from badger_agents.estimators.objectives import Penalty, collapse
from badger_agents.training.curriculum import Stage

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
        """Whether outer seeds can live side by side in every outer step (see `training.stacked_step`)."""
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
    told = [item["msg"].removeprefix("Value error, ") for item in errors if item["loc"][0] == first["loc"][0]]
    reasons = dict.fromkeys(message[0].lower() + message[1:] for message in told)
    return f"{key} is {first['input']!r}; {', or '.join(reasons)}"


def _place(model: type[BaseModel], place: tuple[int | str, ...]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys that lead to a place, without the kinds and types that pydantic tried there; and its tables."""
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
