"""Trying a recipe out, so that what is wrong shows before anything is written or trained."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.estimators import ESTIMATORS, OBJECTIVES
from badger_agents.recipe.schema import DRAWN, Entry, Recipe, RecipeError, Stage
from badger_envs import keyed_random
from badger_envs.family import ActionKind, Family


def check(recipe: Recipe, source: str) -> None:
    """Check what the types of a recipe's tables do not say, and let its agents act.

    Args:
        recipe: as its tables say.
        source: the file, for messages.

    Raises:
        RecipeError: naming file, key and what would do.
    """
    training = recipe.training
    if training is not None:
        for key, known in (("objective", OBJECTIVES), ("estimator", ESTIMATORS)):
            value = getattr(training, key)
            if value not in known:
                names = ", ".join(known)
                raise RecipeError(f"{source}: training.{key} is {value!r}; it must be one of {names}")
        _told(f"{source}: ", "", training.make_estimator)
    trial = _Trial(recipe)
    _told(f"{source}: ", "env: ", lambda: trial.family({}))
    _told(f"{source}: ", "agent: ", lambda: trial.run({}, {}, None))
    if training is not None and training.validates:
        _told(f"{source}: ", "env: ", lambda: trial.family({"split": "validation"}))
    for number, stage in enumerate(training.stages if training else ()):
        place = f"{source}: training.stages[{number}]"
        _told(f"{place}: ", "", partial(_check_stage, recipe, number, stage))
        for which, entry in enumerate(stage.entries):
            where = f"{place}.mixture[{which}]: " if stage.mixture else f"{place}: "
            _told(where, "", partial(_check_entry, trial, stage, entry))


class _Trial:
    """Builds each family and agent of a recipe once, and lets each pair of them meet once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._families: dict[str, Family] = {}
        self._agents: dict[str, Agent] = {}
        self._met: set[tuple[str, str, float | None]] = set()

    def family(self, changes: dict[str, Any]) -> Family:
        """The recipe's family with some settings changed."""
        name = repr(changes)
        if name not in self._families:
            self._families[name] = self.recipe.family(**changes)
        return self._families[name]

    def agent(self, changes: dict[str, Any], action_kind: ActionKind | None = None) -> Agent:
        """The recipe's agent with some settings changed, for families with a kind of action.

        Raises:
            ValueError: it has other weights than the recipe's.
        """
        action_kind = action_kind or self.family({}).action_kind
        name = repr((changes, action_kind))
        if name not in self._agents:
            made = self.recipe.make_agent(action_kind=action_kind, **changes)
            if changes and isinstance(made, LearnedAgent):
                check_same_weights(self.agent({}), made)
            self._agents[name] = made
        return self._agents[name]

    def start(self, env: dict[str, Any], agent: dict[str, Any]) -> None:
        """Let the agent begin a trial: it may refuse the family, as where there are too few experts.

        Raises:
            ValueError, TypeError: and whatever a user's class raises.
        """
        family = self.family(env)
        self.agent(agent, family.action_kind).initial_state(family, _keys())

    @torch.enable_grad()  # it is asked whether gradients flow, also by those who evaluate without
    def run(self, env: dict[str, Any], agent: dict[str, Any], halting_cost: float | None) -> None:
        """Let the agent act twice, so that what a user's class gets wrong shows before anything is written.

        Args:
            env: settings of the family to change.
            agent: settings of the agent to change.
            halting_cost: in place of the training's.

        Raises:
            ValueError, TypeError: and whatever a user's class raises.
        """
        if (pair := (repr(env), repr(agent), halting_cost)) in self._met:
            return
        self._met.add(pair)
        family, training = self.family(env), self.recipe.training
        made = self.agent(agent, family.action_kind)
        keys = _keys()
        task = family.sample_task(keys)
        observation = family.observe(task, family.initial_state(task))
        acting, estimator = made, None
        if training is not None and isinstance(made, LearnedAgent):
            estimator = training.make_estimator()
            acting = estimator.rollout_form(made, dict(made.named_parameters()))
        state = acting.initial_state(family, keys)
        for step in range(2):  # the second time with messages
            state, action, record = acting.act(state, observation, keys, step)
        for term in training.penalties(halting_cost) if training is not None else ():
            if term.reads not in record:
                raise ValueError(
                    f"it records no {term.reads}, which {term.setting} needs; set {term.setting} = 0"
                )
        wanted = (2,) if family.action_kind == "categorical" else (2, family.slots.outputs)
        if tuple(action.shape) != wanted:
            raise ValueError(f"its action for 2 trials has shape {tuple(action.shape)}; it must be {wanted}")
        if estimator is None or training is None:
            return
        drawn = family.action_kind in estimator.draws
        if estimator.through_actions and not drawn and not action.requires_grad:
            raise ValueError(
                "its action does not depend on its weights in a differentiable way, so that it cannot be"
                f" trained by {training.estimator}; for actions that are drawn there is policy_gradient"
            )
        if missing := [name for name in estimator.reads if name not in record]:
            raise ValueError(
                f"it records no {missing[0]}, which {training.estimator} needs: its actions are not"
                " drawn; set writing = 'score' where actions are binary, and where they are continuous noise,"
                " if the agent has such a setting"
            )


def _keys() -> Int[Tensor, "2 4"]:
    """Two trials."""
    return keyed_random.outer_keys(0, 0, 2, like=torch.zeros((), device="cpu"))


def check_same_weights(source: Agent, target: LearnedAgent) -> None:
    """ValueError if an agent does not have weights of another's names and shapes."""
    kept, wanted = (
        {name: tuple(tensor.shape) for name, tensor in agent.state_dict().items()}
        if isinstance(agent, LearnedAgent)
        else {}
        for agent in (source, target)
    )
    if kept != wanted:
        raise ValueError(f"other weights than the recipe's agent ({wanted} against {kept})")


def _check_stage(recipe: Recipe, number: int, stage: Stage) -> None:
    """Check what a stage says beside its entries.

    Raises:
        ValueError: it would never end, or says twice what to sample.
    """
    last = recipe.training is not None and number == len(recipe.training.stages) - 1
    ends = stage.outer_steps is not None or any(entry.until is not None for entry in stage.entries)
    if not last and not ends:
        raise ValueError("it would never end; give outer_steps or until (only the last stage needs neither)")
    said = [name for name in ("until", "env", "agent") if getattr(stage, name) not in (None, {})]
    if stage.mixture and said:
        raise ValueError(f"{said[0]} is given beside a mixture; give it in the mixture's entries")
    for name in ("outer_steps", "until"):
        given = [getattr(each, name, None) for each in (stage, *stage.entries)]
        if last and any(value is not None for value in given):
            raise ValueError(
                f"{name} is given, but the last stage lasts until training.outer_steps; leave it out"
            )
    if last and len(stage.entries) > 1 and recipe.training is not None and recipe.training.validates:
        raise ValueError("keep_best and patience need one outcome; the last stage is a mixture of several")


def _check_entry(trial: _Trial, stage: Stage, entry: Entry) -> None:
    """Try an entry out at both ends of what it draws, and build what is validated.

    Raises:
        ValueError, TypeError: a pair is none, or the family or the agent refuses a setting.
    """
    for table, names in DRAWN.items():
        for name in names:
            pair = getattr(entry, table).get(name)
            if isinstance(pair, tuple) and (
                len(pair) != 2 or not all(type(n) is int for n in pair) or not 1 <= pair[0] <= pair[1]
            ):
                raise ValueError(f"{name} is {list(pair)}; a pair must be [lowest, highest], from 1 up")
    lowest, highest = entry.at(0), entry.at(-1)
    if lowest != highest:
        trial.start(lowest.env, lowest.agent)
    trial.run(highest.env, highest.agent, stage.halting_cost)
    trial.family({**highest.env, "split": "validation"})


def _told(source: str, table: str, check: Callable[[], object]) -> None:
    """Run a check; what it raises becomes one line."""
    try:
        check()
    except RecipeError as error:
        raise RecipeError(f"{source}{error}") from error
    except Exception as error:  # a user's class may fail in any way
        told = " ".join(str(error).split()) or "no message"
        kind = (
            ""
            if table == "env: " or isinstance(error, ValueError | TypeError)
            else f"{type(error).__name__}: "
        )
        raise RecipeError(f"{source}{table}{kind}{told}") from error
