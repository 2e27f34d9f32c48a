"""Curricula: what an outer step samples (sizes, kinds, number of experts, ...), stage by stage, as data."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.estimators.objectives import Penalty
from badger_agents.evaluation import evaluate
from badger_agents.functional import FunctionalAgent
from badger_agents.recipe.checking import check_same_weights
from badger_agents.recipe.schema import DRAWN, Entry, Recipe, Stage
from badger_envs import keyed_random
from badger_envs.family import ActionKind, Family

NEW_LOSS, LEAST_LOSS = 0.1, 0.1
"""What a new loss counts in an entry's running mean, which starts at 1; and what that counts at least as, so
that nothing is forgotten by never being sampled."""

NEW_FORMER_LOSS, LEAST_PROGRESS = 0.03, 0.1
"""The same of a slower mean, which tells progress; and the least progress, as a share of the largest."""

VALIDATION_SEED = 0
"""Which tasks of the validation split are met: the same for all outer seeds."""


class Place(NamedTuple):
    """Where in a curriculum a run is.

    Attributes:
        stage: counted from 0.
        began: the outer step at which it began.
        best: best validation outcome of the last stage so far, if that is validated.
        waits: validations since then.
        losses: of each entry of a mixture that is sampled by it, or by progress, of late; (): none yet.
        former_losses: the same over a longer time.
    """

    stage: int = 0
    began: int = 0
    best: float | None = None
    waits: int = 0
    losses: tuple[float, ...] = ()
    former_losses: tuple[float, ...] = ()


class Sampled(NamedTuple):
    """What an outer step samples.

    Attributes:
        family: the family.
        agent: the code of the agent, with the settings of this outer step.
        batch_size: trials.
        penalties: what is added to the objective.
        loss_scale: what the losses are divided by.
    """

    family: Family
    agent: LearnedAgent
    batch_size: int
    penalties: tuple[Penalty, ...]
    loss_scale: float


class Curriculum:
    """What to sample now: the families and agents of a recipe's stages. It holds no state of the training.

    Agents with other settings are other modules, all called with the same weights. Each is built once.

    Args:
        recipe: the recipe, with a [training] table.
        agent: the code of the recipe's own agent.
        seed: the outer seed.
    """

    def __init__(self, recipe: Recipe, agent: LearnedAgent, seed: int) -> None:
        assert recipe.training is not None
        self.recipe = recipe
        self.training = recipe.training
        self.stages = recipe.training.stages or (Stage(),)
        self.agent = agent
        self.seed = seed
        settings_seed = recipe.training.settings_seed
        self._drawing_seed = seed if settings_seed is None else settings_seed
        self._families: dict[str, Family] = {}
        self._agents: dict[str, LearnedAgent] = {repr(({}, agent.action_kind, True)): agent}

    def sample(self, place: Place, step: int) -> Sampled:
        """What an outer step samples."""
        entry = self.entry(place, step)
        family = self._family(self._drawn(entry.env, "env", step), "train")
        agent = self._agent(self._drawn(entry.agent, "agent", step), family.action_kind, training=True)
        return Sampled(family, agent, self._batch_size(place), self._penalties(place), entry.loss_scale)

    def entry(self, place: Place, step: int) -> Entry:
        """Which entry of the stage's mixture an outer step samples."""
        return self.stages[place.stage].entries[self._chosen(place, step)]

    def _chosen(self, place: Place, step: int) -> int:
        """The place of that entry in the mixture."""
        entries = self.stages[place.stage].entries
        if len(entries) == 1:
            return 0
        drawn = float(
            keyed_random.uniform(
                keyed_random.outer_keys(self._drawing_seed, step, 1), "curriculum/mixture", 1
            )[0, 0]
        )
        needs = self._needs(place)
        shares = list(accumulate(entry.weight * need for entry, need in zip(entries, needs, strict=True)))
        return min(bisect_right(shares, drawn * shares[-1]), len(entries) - 1)

    def _needs(self, place: Place) -> list[float]:
        """What multiplies the weight of each entry of a mixture: its loss or its progress of late."""
        stage = self.stages[place.stage]
        if stage.sample_by == "weight" or not place.losses:
            return [1.0] * len(stage.entries)
        if stage.sample_by == "loss":
            return [max(loss, LEAST_LOSS) for loss in place.losses]
        # Better or worse: what is being forgotten is met again.
        progress = [abs(old - new) for old, new in zip(place.former_losses, place.losses, strict=True)]
        least = LEAST_PROGRESS * max(progress)
        return [max(each, least) for each in progress] if least else [1.0] * len(progress)

    def noted(self, place: Place, step: int, loss: float) -> Place:
        """The place once an outer step's loss is known: running means, if entries are sampled by them."""
        stage = self.stages[place.stage]
        if stage.sample_by == "weight" or not math.isfinite(loss):
            return place
        chosen, means = self._chosen(place, step), []
        for mean, share in ((place.losses, NEW_LOSS), (place.former_losses, NEW_FORMER_LOSS)):
            losses = list(mean or (1.0,) * len(stage.entries))
            losses[chosen] += share * (min(loss, 1.0) - losses[chosen])
            means.append(tuple(losses))
        return place._replace(losses=means[0], former_losses=means[1])

    def sampled(self, place: Place, step: int) -> str:
        """What an outer step samples, in words: outer steps of other seeds that say the same are alike."""
        entry = self.entry(place, step)
        env, agent = self._drawn(entry.env, "env", step), self._drawn(entry.agent, "agent", step)
        terms = [(term.setting, term.weight) for term in self._penalties(place)]
        return repr((env, agent, self._batch_size(place), terms, entry.loss_scale))

    def rate_factor(self, place: Place, step: int) -> float:
        """What multiplies all learning rates at an outer step: the schedule's factor times the stage's."""
        return self.training.rate_factor(step) * self.stages[place.stage].rate_factor

    def next(self, place: Place, step: int, weights: Mapping[str, Tensor]) -> tuple[Place, float | None]:
        """Where the run is after `step` outer steps, and the validation outcome if there was one.

        Of a mixture it is that of the first entry that has not reached its `until`: others wait.
        """
        stage, due = self.stages[place.stage], step % self.training.validate_every == 0
        outcome = None
        if place.stage == len(self.stages) - 1:
            if not due or not self.training.validates:
                return place, None
            (entry,) = stage.entries  # a mixture has no one outcome; see `recipe.checking`
            outcome = self._validated(entry, weights)
            better = place.best is None or (
                outcome != place.best and self._reaches(entry, outcome, place.best)
            )
            after = {"best": outcome, "waits": 0} if better else {"waits": place.waits + 1}
            return place._replace(**after), outcome
        done = stage.outer_steps is not None and step - place.began >= stage.outer_steps
        goals = [(entry, entry.until) for entry in stage.entries if entry.until is not None]
        if goals and due:
            for entry, until in goals:
                outcome = self._validated(entry, weights)
                reached = self._reaches(entry, outcome, until)
                if not reached:
                    break
            done = done or reached
        return (Place(place.stage + 1, step) if done else place), outcome

    def _batch_size(self, place: Place) -> int:
        return self.stages[place.stage].batch_size or self.training.batch_size

    def _penalties(self, place: Place) -> tuple[Penalty, ...]:
        return self.training.penalties(self.stages[place.stage].halting_cost)

    def _reaches(self, entry: Entry, outcome: float, goal: float) -> bool:
        """Whether an outcome is at least as good as another."""
        higher = self._family(entry.at(-1).env, "validation").higher_is_better
        return outcome >= goal if higher else outcome <= goal

    def _validated(self, entry: Entry, weights: Mapping[str, Tensor]) -> float:
        """The outcome of what the entry samples, at the highest of what it draws, in the validation split."""
        most = entry.at(-1)
        family, trials = self._family(most.env, "validation"), self.training.validation_trials
        agent = FunctionalAgent(self._agent(most.agent, family.action_kind, training=False), weights)
        device = str(next(iter(weights.values())).device)
        return evaluate(agent, family, trials, seed=VALIDATION_SEED, device=device).mean

    def _family(self, settings: dict[str, Any], split: str) -> Family:
        name = repr((settings, split))
        if name not in self._families:
            self._families[name] = self.recipe.family(**settings, split=split)
        return self._families[name]

    def _agent(self, settings: dict[str, Any], action_kind: ActionKind, training: bool) -> LearnedAgent:
        """The code of the agent with some settings changed, in training (with dropout, say) or not."""
        name = repr((settings, action_kind, training))
        if name not in self._agents:
            made = self.recipe.make_agent(self.seed, action_kind=action_kind, **settings)
            assert isinstance(made, LearnedAgent)  # as is the recipe's own
            check_same_weights(self.agent, made)
            self._agents[name] = self._at_home(made).train(training)
        return self._agents[name]

    def _at_home(self, agent: LearnedAgent) -> LearnedAgent:
        """The agent on the device of the recipe's own, with the very same saved buffers."""
        parameters = dict(self.agent.named_parameters())
        agent = agent.to(next(iter(parameters.values())).device)
        for name, buffer in self.agent.state_dict(keep_vars=True).items():
            if name not in parameters:
                path, _, leaf = name.rpartition(".")
                setattr(agent.get_submodule(path), leaf, buffer)
        return agent

    def _drawn(self, changes: dict[str, Any], table: str, step: int) -> dict[str, Any]:
        """The changes with pairs drawn: the draws are named, so that they follow from seed and step."""
        settings = dict(changes)
        for name in DRAWN[table]:
            if isinstance(settings.get(name), tuple):
                key = keyed_random.outer_keys(self._drawing_seed, step, 1)
                settings[name] = int(
                    keyed_random.integers(key, f"curriculum/{name}", 1, *settings[name])[0, 0]
                )
        return settings
