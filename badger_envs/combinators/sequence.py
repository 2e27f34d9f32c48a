"""Sequences: several tasks one after the other in one trial; forgetting and transfer."""

import dataclasses
import functools
from typing import Any, ClassVar

from badger_envs import keyed_random
from badger_envs.combinators.parts import (
    Part,
    bounds_of_all,
    chosen,
    family_of_part,
    join,
    padded,
    part_of,
    parted,
    wide_observation,
    widest,
)
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import (
    ActionKind,
    Bounds,
    Family,
    Observation,
    Slots,
    Transition,
    check_boolean,
    check_integer,
    namespace,
)
from badger_envs.keyed_random import Array

MOST_TASKS, MOST_VISITS = 8, 16

GAME: Part = (("id", "Badger/GuessingGame-v0"),)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sequence(Family):
    """Do one task after the other in one trial: A, then B, then A again.

    ## Description
    The tasks of a trial are drawn at its start, each by the family and settings that `tasks` lists. `order`
    says which is visited when; a visit lasts as many steps as its family's `horizon`. Another visit to a task
    is to the same one, with the same hidden things, begun anew: whoever has learned it and not forgotten it
    can do it at once. What was learned in one task may help, or hinder, in another: gradual learning.

    The default is two guessing games, A, B, A.

    ## Action space
    That of the tasks, with as many output slots as the widest needs; all tasks must be of one kind of action.
    Categorical tasks must have equally many output slots: give them a `capacity`. A slot that the task
    of the moment lacks is legal and has no effect.

    ## Observation space
    What the task of the moment shows, in slots of the widest; masks are 1 for slots that any task of the
    trial uses. With `signed`, one more number of `feedback` stands at the end: 1 where a visit begins, but
    for the trial's first step, else 0. The last outcome of a visit is not shown: the next one begins.
    `flags`: first step of the trial, query of the task, fraction of the trial gone.

    ## Rewards
    Rewards and per-step losses are those of the task of the moment.

    ## Starting state
    The first visit begins.

    ## Episode end
    Terminates after `horizon` steps. `info["loss"]` (float64), the mean loss per step, judges the trial.
    `info["loss_0"]` (float64), `info["loss_1"]` (float64), `info["loss_2"]` (float64) and so on: that of each
    visit of the order, 0 before it.
    `info["forgetting"]` (float64): the loss of later visits to a task less that of the first visit to it,
    their mean: below 0 where something was kept. `info["transfer"]` (float64): the loss of the trial's first
    visit less that of first visits to other tasks, their mean: above 0 where, of tasks that are equally
    hard, the later ones went better. B alone, on the same tasks as B after A, is `order=[1]`: its
    "loss_0" is what "loss_1" compares with. `info["is_success"]` (bool): every visit ended in success.

    ## Arguments
    `tasks`: 1 to 8 tables of a registered id and settings, such as
    `[{"id": "Badger/XOR-v0", "bits": 2}, {"id": "Badger/XOR-v0"}]`, without `split` and `dtype`, which are
    those of the whole. `order`: which task is visited when, by its place in `tasks`, at most 16 visits.
    `signed`: whether a visit's begin is told. `horizon`: steps in all (default 60); after the last visit the
    order begins anew. `shuffle_slots`: of tasks that do not say so themselves. `split`, `dtype`: see
    `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/Sequence-v0", num_envs=N)` steps all N at once.

    ## References
    Rosa et al. 2019, "BADGER: Learning to (Learn [Learning Algorithms] through Multi-Agent Communication)",
    gradual learning; McCloskey and Cohen 1989, "Catastrophic interference in connectionist networks".

    ## Version history
    * v0: first version.
    """

    horizon: int = 60
    tasks: tuple[Part, ...] = (GAME, GAME)
    order: tuple[int, ...] = (0, 1, 0)
    signed: bool = True

    outcome: ClassVar[str] = "loss"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_boolean("signed", self.signed)
        for name, most in (("tasks", MOST_TASKS), ("order", MOST_VISITS)):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not 1 <= len(value) <= most:
                raise ValueError(f"{name} is {value!r}; it must be a list of 1 to {most}")
        object.__setattr__(self, "tasks", tuple(part_of("tasks", part) for part in self.tasks))
        for place in self.order:
            check_integer("order", place, low=0, high=len(self.tasks) - 1)
        kinds = sorted({part.action_kind for part in self.parts})
        if len(kinds) > 1:
            raise ValueError(f"tasks have actions of kinds {', '.join(kinds)}; they must be of one kind")
        outputs = sorted({part.slots.outputs for part in self.parts})
        if kinds == ["categorical"] and len(outputs) > 1:
            raise ValueError(f"tasks have {outputs} output slots; give all one capacity: {outputs[-1]}")

    def settings(self) -> dict[str, Any]:
        """Settings as plain JSON values."""
        return {**super().settings(), "tasks": [dict(part) for part in self.tasks]}

    @functools.cached_property
    def parts(self) -> tuple[Family, ...]:
        """The families of the tasks."""
        whole = {"split": self.split, "dtype": self.dtype}
        shuffled = {"shuffle_slots": True} if self.shuffle_slots else {}
        return tuple(family_of_part(part, **whole, **shuffled) for part in self.tasks)

    @property
    def action_kind(self) -> ActionKind:  # type: ignore[override]
        """That of all tasks."""
        return self.parts[0].action_kind

    @functools.cached_property
    def _starts(self) -> tuple[int, ...]:
        """Step of a round at which each visit starts, and the steps of a round at the end."""
        ends = [0]
        for place in self.order:
            ends.append(ends[-1] + self.parts[place].horizon)
        return tuple(ends)

    @property
    def noise_size(self) -> int:
        """As much as the task that needs most."""
        return max(part.noise_size for part in self.parts)

    @functools.cached_property
    def slots(self) -> Slots:
        """Those of the widest task; and whether a visit begins."""
        wide = widest([part.slots for part in self.parts])
        return wide._replace(feedback=wide.feedback + self.signed)

    @functools.cached_property
    def bounds(self) -> Bounds:
        """Those of all tasks together."""
        return bounds_of_all(self.parts, high=int(self.signed))

    def task_keys(self, keys: Array, place: int) -> Array:
        """Keys [B, 4] of the task at this place of `tasks`: the first is that of the trial's own keys."""
        return keys if place == 0 else keyed_random.words(keys, f"task {place}", 4)

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """Those of the parts, where their losses are their outcomes: in guessing games."""
        if not all(isinstance(part, GuessingGame) for part in self.parts):
            return super().outcome_bounds
        return 0, max(part.outcome_bounds[1] for part in self.parts)

    def sample_task(self, keys: Array) -> Any:
        """Draw all tasks: keys [B, 4] -> their arrays side by side."""
        return join("Task", [part.sample_task(self.task_keys(keys, k)) for k, part in enumerate(self.parts)])

    def _fresh(self, task: Any) -> list[Any]:
        tasks = parted(task, len(self.parts))
        return [part.initial_state(one) for part, one in zip(self.parts, tasks, strict=True)]

    def initial_state(self, task: Any) -> Any:
        """All tasks at their start; nothing lost, nothing won."""
        states = self._fresh(task)
        xp = namespace(states[0].time)
        time = states[0].time
        nothing = xp.astype(xp.stack([time] * len(self.order), axis=-1), xp.float64)  # [B, V]
        return join("State", states, losses=nothing, won=time, time=time)

    def _visit(self, time: Array) -> Array:
        """Place in the order of the step that comes after so many steps: int64 [B]."""
        xp = namespace(time)
        into = time % self._starts[-1]
        return sum((xp.astype(into >= start, xp.int64) for start in self._starts[1:-1]), start=0 * into)

    def _active(self, time: Array) -> list[Array]:
        """Whether each task is the one of the moment: bool [B] each."""
        visit = self._visit(time)
        found = [visit < 0 for _ in self.parts]
        for place, which in enumerate(self.order):
            found[which] = found[which] | (visit == place)
        return found

    def observe(self, task: Any, state: Any) -> Observation:
        """What the task of the moment shows."""
        xp = namespace(state.time)
        slots = self.slots
        tasks, states = parted(task, len(self.parts)), parted(state, len(self.parts))
        active = self._active(self._shown(state.time))
        seen = [
            wide_observation(part.observe(one, where), slots)
            for part, one, where in zip(self.parts, tasks, states, strict=True)
        ]
        now, inputs, outputs = seen[0], seen[0].input_mask, seen[0].output_mask
        for k, other in enumerate(seen[1:], 1):
            now = chosen(active[k], other, now)
            inputs, outputs = xp.maximum(inputs, other.input_mask), xp.maximum(outputs, other.output_mask)
        feedback = now.feedback
        if self.signed:
            into = state.time % self._starts[-1]
            begins = (into == self._starts[0]) & (state.time > 0) & (state.time < self.horizon)
            for start in self._starts[1:-1]:
                begins = begins | ((into == start) & (state.time < self.horizon))
            sign = xp.astype(begins, feedback.dtype)[:, None]
            feedback = xp.concat([feedback[:, :-1], sign], axis=-1)
        return now._replace(
            input_mask=inputs,
            output_mask=outputs,
            feedback=feedback,
            flags=self.flags(state.time, now.flags[:, 1]),
        )

    def _shown(self, time: Array) -> Array:
        """Steps done, by which the task of the moment is known: at the end it is still the last one."""
        xp = namespace(time)
        return xp.where(time >= self.horizon, self.horizon - 1 + 0 * time, time)

    def step(self, task: Any, state: Any, action: Array, noise: Array) -> Transition:
        """A step of the task of the moment; where a visit ends all tasks are at their start again."""
        xp = namespace(action)
        count = len(self.parts)
        tasks, states, fresh = parted(task, count), parted(state, count), self._fresh(task)
        active, visit, time = self._active(state.time), self._visit(state.time), state.time + 1
        ended = (time % self._starts[-1] == 0) & (time > 0)  # [B]
        for start in self._starts[1:-1]:
            ended = ended | (time % self._starts[-1] == start)
        after, won = [], state.won
        reward = loss = None
        for k, part in enumerate(self.parts):
            own = action if self.action_kind == "categorical" else action[:, : part.slots.outputs]
            moved = part.step(tasks[k], states[k], own, noise[:, : part.noise_size])
            lived = type(states[k])(*moved.state)
            success = part.info(tasks[k], lived)["is_success"]
            won = won + xp.astype(ended & active[k] & success, xp.int64)
            now = chosen(active[k], lived, states[k])
            after.append(chosen(ended & (time < self.horizon), type(now)(*fresh[k]), now))
            reward = moved.reward if reward is None else xp.where(active[k], moved.reward, reward)
            loss = moved.loss if loss is None else xp.where(active[k], moved.loss, loss)
        lost = [
            xp.where(visit == place, xp.astype(loss, xp.float64), 0.0) for place in range(len(self.order))
        ]
        losses = state.losses + xp.stack(lost, axis=-1)
        whole = join("State", after, losses=losses, won=won, time=time)
        return Transition(whole, reward, loss, time == self.horizon)

    def info(self, task: Any, state: Any) -> dict[str, Array]:
        """Losses of the trial and of each visit, forgetting, transfer, success."""
        xp = namespace(state.time)
        rounds, into = state.time // self._starts[-1], state.time % self._starts[-1]
        mean: list[Array] = []
        lived: list[Array] = []
        for place, (start, end) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            steps = rounds * (end - start) + xp.clip(into - start, 0, end - start)  # [B]
            lived.append(steps > 0)
            mean.append(state.losses[:, place] / xp.astype(xp.clip(steps, 1, None), xp.float64))
        total = xp.sum(state.losses, axis=-1) / xp.astype(xp.clip(state.time, 1, None), xp.float64)
        first = [self.order.index(which) for which in self.order]
        again = [(place, start) for place, start in enumerate(first) if place != start]
        new = [(0, place) for place, start in enumerate(first) if place == start and place]

        def difference(pairs: list[tuple[int, int]]) -> Array:
            gaps = [xp.where(lived[a] & lived[b], mean[a] - mean[b], 0.0) for a, b in pairs]
            return sum(gaps, start=0 * total) / max(1, len(pairs))

        visits = self.horizon // self._starts[-1] * len(self.order)
        visits += sum(end <= self.horizon % self._starts[-1] for end in self._starts[1:])
        success = (state.time == self.horizon) & (state.won == visits) & (visits > 0)
        return {
            "loss": total,
            "forgetting": difference(again),
            "transfer": difference(new),
            **{f"loss_{place}": value for place, value in enumerate(mean)},
            "is_success": success,
        }

    def expected_reward(self, task: Any, state: Any, probabilities: Array) -> Array:
        """That of the task of the moment."""
        xp = namespace(probabilities)
        tasks, states = parted(task, len(self.parts)), parted(state, len(self.parts))
        active = self._active(self._shown(state.time))
        found = None
        for k, part in enumerate(self.parts):
            value = part.expected_reward(tasks[k], states[k], probabilities)
            found = value if found is None else xp.where(active[k], value, found)
        return found

    def solution(self, task: Any, state: Any) -> Array | None:
        """That of the task of the moment; None if a task has none."""
        xp = namespace(state.time)
        tasks, states = parted(task, len(self.parts)), parted(state, len(self.parts))
        active = self._active(self._shown(state.time))
        found: Any = None
        for k, part in enumerate(self.parts):
            value = part.solution(tasks[k], states[k])
            if value is None:
                return None
            value = padded(value, (self.slots.outputs,))
            found = value if found is None else xp.where(active[k][:, None], value, found)
        return found
