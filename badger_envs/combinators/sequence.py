"""Sequences: several tasks one after the other in one trial; forgetting and transfer."""

import dataclasses
import functools
import operator
from collections.abc import Iterator
from typing import Any, ClassVar

from badger_envs import keyed_random
from badger_envs.combinators.parts import (
    Part,
    bounds_of_all,
    chosen,
    chosen_rows,
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
    entries,
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

    One task alone, `order=[0, 0, 0]`, is the protocol of RL2: several inner episodes of the same task in one
    trial, each begin told, and the memory of the agent kept. "loss_0", "loss_1", ... say how it improves.

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
    hard, the later ones went better. B without A before it, on the same tasks, is `order=[1, 0, 1]`:
    its "loss_0" is what "loss_1" compares with. `info["is_success"]` (bool): every visit ended in success.

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
        return self._wide._replace(feedback=self._wide.feedback + self.signed)

    @functools.cached_property
    def _wide(self) -> Slots:
        return widest([part.slots for part in self.parts])

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
        """Draw all tasks: keys [B, 4] -> their arrays and those of their first states, and the masks."""
        xp = namespace(keys)
        tasks = [part.sample_task(self.task_keys(keys, k)) for k, part in enumerate(self.parts)]
        fresh = [part.initial_state(task) for part, task in zip(self.parts, tasks, strict=True)]
        seen = [
            wide_observation(part.observe(task, state), self._wide)
            for part, task, state in zip(self.parts, tasks, fresh, strict=True)
        ]
        masks = {
            name: functools.reduce(xp.maximum, [getattr(one, name) for one in seen])
            for name in ("input_mask", "output_mask")
        }
        stacked = []
        for parts in (tasks, fresh):
            for _, places in self._kinds:
                one = parts[places[0]]
                stacked.append(one if len(places) == 1 else _stack([parts[place] for place in places]))
        return join("Task", stacked, **masks)

    @functools.cached_property
    def _kinds(self) -> list[tuple[Family, list[int]]]:
        """Different families among the parts, and which parts are of each: these share a state."""
        return [
            (part, [place for place, other in enumerate(self.parts) if other == part])
            for k, part in enumerate(self.parts)
            if part not in self.parts[:k]
        ]

    def _of_visit(self, task: Any, visit: Array) -> tuple[list[Any], list[Any]]:
        """Of each kind the task of a visit and its first state; if another kind's is on, any of its."""
        xp, count = namespace(visit), len(self._kinds)
        both = parted(task, 2 * count)
        for k, (_, places) in enumerate(self._kinds):
            if len(places) > 1:
                numbers = [places.index(which) if which in places else 0 for which in self.order]
                number = sum(
                    (n * xp.astype(visit == v, xp.int64) for v, n in enumerate(numbers) if n), start=0 * visit
                )
                one, fresh = both[k], both[count + k]
                found = entries([*one, *fresh], number)
                both[k], both[count + k] = type(one)(*found[: len(one)]), type(fresh)(*found[len(one) :])
        return both[:count], both[count:]

    def _now(self, task: Any, state: Any) -> Iterator[tuple[Family, Any, Any, Array]]:
        """Of each kind of task: the family, the task of the moment, its state, whether it is its turn."""
        count = len(self._kinds)
        parts, active = parted(state, 2 * count), self._active(state.visit)
        tasks = parted(task, 2 * count)
        for k, (part, places) in enumerate(self._kinds):
            yield part, parts[count + k] if len(places) > 1 else tasks[k], parts[k], active[k]

    def _state(self, states: list[Any], tasks: list[Any], **own: Array) -> Any:
        """States side by side, and the tasks of the moment of kinds that have several."""
        kept = [one if len(places) > 1 else () for one, (_, places) in zip(tasks, self._kinds, strict=True)]
        return join("State", [*states, *kept], **own)

    def _active(self, visit: Array) -> list[Array]:
        """Whether the task of a visit is of each kind: bool [B] each."""
        if len(self._kinds) == 1:
            return [visit >= 0]
        visits = [[v for v, which in enumerate(self.order) if which in places] for _, places in self._kinds]
        return [functools.reduce(operator.or_, [visit == v for v in each], visit < 0) for each in visits]

    def initial_state(self, task: Any) -> Any:
        """All tasks at their start; nothing lost, nothing won."""
        xp = namespace(task.input_mask)
        none = xp.zeros_like(task.input_mask[:, 0], dtype=xp.int64)
        tasks, states = self._of_visit(task, none)
        nothing = xp.astype(none, xp.float64)
        own = {f"lost{place}": nothing for place in range(len(self.order))}
        own |= {f"steps{place}": nothing for place in range(len(self.order))}
        return self._state(states, tasks, **own, won=none, visit=none, begins=none < 0, time=none)

    def observe(self, task: Any, state: Any) -> Observation:
        """What the task of the moment shows; at the end it is still the last one."""
        xp = namespace(state.time)
        now: Any = None
        for part, one, where, mine in self._now(task, state):
            seen = wide_observation(part.observe(one, where), self._wide)
            if now is None:
                now, query = seen, seen.flags[:, 1]
                continue
            shown = ("inputs", "outputs", "feedback", "output_feedback")
            now = now._replace(
                **{name: chosen_rows(mine, getattr(seen, name), getattr(now, name)) for name in shown}
            )
            query = xp.where(mine, seen.flags[:, 1], query)
        feedback = now.feedback
        if self.signed:
            sign = xp.astype(state.begins, feedback.dtype)[:, None]
            feedback = xp.concat([feedback, sign], axis=-1)
        return now._replace(
            input_mask=task.input_mask,
            output_mask=task.output_mask,
            feedback=feedback,
            flags=self.flags(state.time, query),
        )

    def step(self, task: Any, state: Any, action: Array, noise: Array) -> Transition:
        """A step of the task of the moment; where a visit ends all tasks are at their start again."""
        xp = namespace(action)
        time = state.time + 1
        into = time % self._starts[-1]
        ended, visit = into == self._starts[0], 0 * into  # [B] each
        for start in self._starts[1:-1]:
            ended = ended | (into == start)
            visit = visit + xp.astype(into >= start, xp.int64)
        over = time >= self.horizon
        begins = ended & ~over  # [B]
        visit = xp.where(over, state.visit, visit)
        tasks, fresh = self._of_visit(task, visit)  # of the next step
        after, won = [], state.won
        reward = loss = None
        for k, (part, one, where, active) in enumerate(self._now(task, state)):
            own = action if self.action_kind == "categorical" else action[:, : part.slots.outputs]
            moved = part.step(one, where, own, noise[:, : part.noise_size])
            success = part.info(one, moved.state)["is_success"]
            won = won + xp.astype(ended & active & success, xp.int64)
            after.append(chosen(active & ~begins, type(where)(*moved.state), type(where)(*fresh[k])))
            reward = moved.reward if reward is None else xp.where(active, moved.reward, reward)
            loss = moved.loss if loss is None else xp.where(active, moved.loss, loss)
        lost, counts = xp.astype(loss, xp.float64), {}
        for place in range(len(self.order)):
            here = state.visit == place
            counts[f"lost{place}"] = getattr(state, f"lost{place}") + xp.where(here, lost, 0.0)
            counts[f"steps{place}"] = getattr(state, f"steps{place}") + xp.astype(here, xp.float64)
        moved = self._state(after, tasks, **counts, won=won, visit=visit, begins=begins, time=time)
        return Transition(moved, reward, loss, time == self.horizon)

    def info(self, task: Any, state: Any) -> dict[str, Array]:
        """Losses of the trial and of each visit, forgetting, transfer, success."""
        xp = namespace(state.time)
        lost = [getattr(state, f"lost{place}") for place in range(len(self.order))]
        steps = [getattr(state, f"steps{place}") for place in range(len(self.order))]
        mean = [sums / xp.where(number > 0, number, 1.0) for sums, number in zip(lost, steps, strict=True)]
        total = functools.reduce(operator.add, lost) / xp.astype(state.time + (state.time == 0), xp.float64)
        first = [self.order.index(which) for which in self.order]
        again = [(place, start) for place, start in enumerate(first) if place != start]
        new = [(0, place) for place, start in enumerate(first) if place == start and place]

        def difference(pairs: list[tuple[int, int]]) -> Array:
            if not pairs:
                return 0 * total
            gaps = [xp.where(steps[max(a, b)] > 0, mean[a] - mean[b], 0.0) for a, b in pairs]
            return functools.reduce(operator.add, gaps) / len(pairs)

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
        found = None
        for part, one, where, mine in self._now(task, state):
            value = part.expected_reward(one, where, probabilities)
            found = value if found is None else xp.where(mine, value, found)
        return found

    def solution(self, task: Any, state: Any) -> Array | None:
        """That of the task of the moment; None if a task has none."""
        xp = namespace(state.time)
        found: Any = None
        for part, one, where, mine in self._now(task, state):
            value = part.solution(one, where)
            if value is None:
                return None
            value = padded(value, (self.slots.outputs,))
            found = value if found is None else xp.where(mine[:, None], value, found)
        return found


def _stack(parts: list[Any]) -> Any:
    """Named tuples of arrays [B, ...] as one of arrays [B, P, ...]."""
    stack = namespace(parts[0][0]).stack
    return type(parts[0])(*(stack(arrays, axis=1) for arrays in zip(*parts, strict=True)))
