"""Curricula: what an outer step samples (sizes, kinds, number of experts, ...), stage by stage, as data."""

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from pydantic import Field
from torch import nn

from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators.objectives import Penalty
from badger_agents.evaluation import evaluate
from badger_envs import keyed_random
from badger_envs.family import Family

if TYPE_CHECKING:
    from badger_agents.recipe.loading import Recipe

DRAWN = {"env": ("horizon",), "agent": ("experts", "rounds")}
"""Settings that a stage may give as a pair (lowest, highest): drawn anew at every outer step."""


class Entry(Settings):
    """What an outer step may sample; what it does not say is as in the recipe.

    Attributes:
        env: settings of the family to change; `horizon` may be a pair, drawn per outer step. With `id` it is
            another family, with its own settings and these.
        agent: settings of the agent to change (tables within are merged, not replaced); `experts` and
            `rounds` may be pairs, drawn per outer step. None of them may change the weights' shapes.
        until: the stage ends when validation reaches this outcome (with the recipe's own horizon and the
            highest number of experts and rounds that are drawn) here and wherever else one is given.
        weight: how often it is sampled, in proportion to the others of its mixture.
    """

    env: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)
    until: float | None = Field(default=None, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class Stage(Settings):
    """One stage of a curriculum, [[training.stages]]; what it does not say is as in the recipe.

    Attributes:
        outer_steps: outer steps after which the next stage begins; None: only `until` ends it.
        until, env, agent: as of an `Entry`.
        mixture: in place of those three, several entries: each outer step samples one of them.
        learning_rate: in place of the recipe's.
        batch_size: in place of the recipe's.
        halting_cost: in place of the recipe's. Where it counts before a task is mastered, experts learn to
            give up early instead.
    """

    outer_steps: int | None = Field(default=None, ge=1)
    until: float | None = Field(default=None, allow_inf_nan=False)
    env: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)
    mixture: tuple[Entry, ...] = ()
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    batch_size: int | None = Field(default=None, ge=1)
    halting_cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The mixture; of a stage without, the one thing that it samples."""
        return self.mixture or (Entry(env=self.env, agent=self.agent, until=self.until),)

    @property
    def alike(self) -> bool:
        """Whether all outer seeds sample the same here, but for the tasks: nothing is drawn or validated."""
        entry, *others = self.entries
        drawn = [getattr(entry, table).get(name) for table, names in DRAWN.items() for name in names]
        return not others and entry.until is None and not any(isinstance(value, tuple) for value in drawn)


class Place(NamedTuple):
    """Where in a curriculum a run is.

    Attributes:
        stage: counted from 0.
        began: the outer step at which it began.
        best: best validation outcome of the last stage so far, if that is validated.
        waits: validations since then.
    """

    stage: int = 0
    began: int = 0
    best: float | None = None
    waits: int = 0


class Curriculum:
    """What to sample now: the families and agents of a recipe's stages, all with the same weights.

    Args:
        recipe: the recipe, with a [training] table.
        agent: the agent that is being trained.
        seed: the outer seed.
    """

    def __init__(self, recipe: "Recipe", agent: LearnedAgent, seed: int) -> None:
        assert recipe.training is not None
        self.recipe = recipe
        self.training = recipe.training
        self.stages = recipe.training.stages or (Stage(),)
        self.agent = agent
        self.seed = seed
        self._families: dict[str, Family] = {}
        self._agents: dict[str, LearnedAgent] = {}

    def family(self, place: Place, step: int) -> Family:
        """The family of an outer step."""
        return self._family(self._drawn(self.entry(place, step).env, "env", step), "train")

    def living(self, place: Place, step: int) -> LearnedAgent:
        """The agent of an outer step: the one in training, or one that shares its weights."""
        return self._living(self._drawn(self.entry(place, step).agent, "agent", step))

    def entry(self, place: Place, step: int) -> Entry:
        """Which entry of the stage's mixture an outer step samples."""
        entries = self.stages[place.stage].entries
        if len(entries) == 1:
            return entries[0]
        drawn = float(
            keyed_random.uniform(keyed_random.outer_keys(self.seed, step, 1), "curriculum/mixture", 1)[0, 0]
        )
        shares = list(accumulate(entry.weight for entry in entries))
        return entries[min(bisect_right(shares, drawn * shares[-1]), len(entries) - 1)]

    def sampled(self, place: Place, step: int) -> str:
        """What an outer step samples, in words: outer steps of other seeds that say the same are alike."""
        entry = self.entry(place, step)
        env, agent = self._drawn(entry.env, "env", step), self._drawn(entry.agent, "agent", step)
        terms = [(term.setting, term.weight) for term in self.penalties(place)]
        return repr((env, agent, self.batch_size(place), terms))

    def batch_size(self, place: Place) -> int:
        """Trials of an outer step."""
        return self.stages[place.stage].batch_size or self.training.batch_size

    def penalties(self, place: Place) -> tuple[Penalty, ...]:
        """What is added to the objective."""
        return self.training.penalties(self.stages[place.stage].halting_cost)

    def learning_rate(self, place: Place, step: int) -> float:
        """The learning rate of an outer step: the stage's, by the recipe's schedule."""
        return self.training.rate_at(step, self.stages[place.stage].learning_rate)

    def next(self, place: Place, step: int) -> tuple[Place, float | None]:
        """Where the run is after `step` outer steps, and the validation outcome if there was one.

        Of a mixture it is that of the first entry that has not reached its `until`: others wait.
        """
        stage, due = self.stages[place.stage], step % self.training.validate_every == 0
        outcome = None
        if place.stage == len(self.stages) - 1:
            if not due or not self.training.validates:
                return place, None
            (entry,) = stage.entries  # a mixture has no one outcome; see `check_stage`
            outcome = self._validated(entry)
            better = place.best is None or (
                outcome != place.best and self._reaches(entry, outcome, place.best)
            )
            after = {"best": outcome, "waits": 0} if better else {"waits": place.waits + 1}
            return place._replace(**after), outcome
        done = stage.outer_steps is not None and step - place.began >= stage.outer_steps
        judged = [(entry, entry.until) for entry in stage.entries if entry.until is not None]
        if judged and due:
            for entry, until in judged:
                outcome = self._validated(entry)
                reached = self._reaches(entry, outcome, until)
                if not reached:
                    break
            done = done or reached
        return (Place(place.stage + 1, step) if done else place), outcome

    def _reaches(self, entry: Entry, outcome: float, goal: float) -> bool:
        """Whether an outcome is at least as good as another."""
        higher = self._family(self._undrawn(entry), "validation").higher_is_better
        return outcome >= goal if higher else outcome <= goal

    def _undrawn(self, entry: Entry) -> dict[str, Any]:
        """Settings of the family but for those that are drawn: the recipe's own stand in for them."""
        return {name: value for name, value in entry.env.items() if name not in DRAWN["env"]}

    def _validated(self, entry: Entry) -> float:
        """The outcome on the validation split, with the most that the entry draws."""
        most = {
            n: max(v) if n in DRAWN["agent"] and isinstance(v, tuple) else v for n, v in entry.agent.items()
        }
        family, living = self._family(self._undrawn(entry), "validation"), self._living(most).eval()
        device = str(next(living.parameters()).device)
        result = evaluate(living, family, self.training.validation_trials, seed=self.seed, device=device)
        living.train()
        return result.mean

    def _family(self, settings: dict[str, Any], split: str) -> Family:
        name = repr((settings, split))
        if name not in self._families:
            self._families[name] = self.recipe.family(**settings, split=split)
        return self._families[name]

    def _living(self, settings: dict[str, Any]) -> LearnedAgent:
        if not settings:
            return self.agent
        name = repr(settings)
        if name not in self._agents:
            other = self.recipe.make_agent(self.seed, **settings)
            assert isinstance(other, LearnedAgent)  # as is the recipe's own
            self._agents[name] = share_weights(self.agent, other)
        return self._agents[name]

    def _drawn(self, changes: dict[str, Any], table: str, step: int) -> dict[str, Any]:
        """The changes with pairs drawn: the draws are named, so that they follow from seed and step."""
        settings = dict(changes)
        for name in DRAWN[table]:
            if isinstance(settings.get(name), tuple):
                key = keyed_random.outer_keys(self.seed, step, 1)
                settings[name] = int(
                    keyed_random.integers(key, f"curriculum/{name}", 1, *settings[name])[0, 0]
                )
        return settings


def check_stage(recipe: "Recipe", number: int, stage: Stage) -> None:
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


def check_entry(recipe: "Recipe", entry: Entry, halting_cost: float | None = None) -> None:
    """Try an entry out at both ends of what it draws, so that what is wrong shows before training.

    Raises:
        ValueError, TypeError: a pair is none, or the family or the agent refuses a setting.
    """
    for end in (0, 1):
        env, agent = dict(entry.env), dict(entry.agent)
        for table, names in ((env, DRAWN["env"]), (agent, DRAWN["agent"])):
            for name in names:
                pair = table.get(name)
                if isinstance(pair, tuple):
                    if len(pair) != 2 or not all(type(n) is int for n in pair) or not 1 <= pair[0] <= pair[1]:
                        raise ValueError(
                            f"{name} is {list(pair)}; a pair must be [lowest, highest], from 1 up"
                        )
                    table[name] = pair[end]
        recipe.try_out(env, agent, halting_cost)


def share_weights(source: LearnedAgent, target: LearnedAgent) -> LearnedAgent:
    """Give `target` the very parameters (and saved buffers) of `source`, and return it.

    Raises:
        ValueError: their shapes differ.
    """
    kept = source.state_dict(keep_vars=True)
    shapes = {name: tuple(tensor.shape) for name, tensor in kept.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in target.state_dict().items()}
    if shapes != wanted:
        raise ValueError(f"other weights than the recipe's agent ({wanted} against {shapes})")
    for name, tensor in kept.items():
        path, _, leaf = name.rpartition(".")
        owner = target.get_submodule(path)
        table = owner._parameters if isinstance(tensor, nn.Parameter) else owner._buffers
        table[leaf] = tensor
    device = next(iter(kept.values())).device if kept else torch.device("cpu")
    for module in target.modules():  # what is not saved, such as edges
        for leaf, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[leaf] = buffer.to(device)
    return target
