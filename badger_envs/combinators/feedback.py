"""Feedback that comes late, or not always: `Delayed` and `Withheld`, around any family."""

import dataclasses
import functools
from abc import abstractmethod
from typing import Any

from badger_envs.combinators.parts import Part, bounds_of_all, family_of_part, join, part_of, parted
from badger_envs.family import (
    ActionKind,
    Bounds,
    Family,
    Observation,
    Slots,
    Transition,
    check_integer,
    check_number,
    namespace,
)
from badger_envs.keyed_random import Array

GAME: Part = (("id", "Badger/GuessingGame-v0"),)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Filtered(Family):
    """One family whose feedback reaches the agent otherwise; tasks, rewards and infos are the family's.

    Args:
        task: a registered id and settings, such as {"id": "Badger/XOR-v0", "bits": 2}, without `horizon`,
            `split` and `dtype`, which are those of the whole.
    """

    task: Part = GAME

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        object.__setattr__(self, "task", part_of("task", self.task))
        if "horizon" in dict(self.task):
            raise ValueError("task holds 'horizon'; leave it out: it has that of the whole")
        _ = self.part

    def settings(self) -> dict[str, Any]:
        """Settings as plain JSON values."""
        return {**super().settings(), "task": dict(self.task)}

    @functools.cached_property
    def part(self) -> Family:
        """The family inside."""
        shuffled = {"shuffle_slots": True} if self.shuffle_slots else {}
        whole = {"horizon": self.horizon, "split": self.split, "dtype": self.dtype}
        return family_of_part(self.task, **whole, **shuffled)

    @property
    def action_kind(self) -> ActionKind:  # type: ignore[override]
        """The family's."""
        return self.part.action_kind

    @property
    def outcome(self) -> str:  # type: ignore[override]
        """The family's."""
        return self.part.outcome

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """The family's."""
        return self.part.higher_is_better

    @property
    def noise_size(self) -> int:
        """The family's."""
        return self.part.noise_size

    @property
    def slots(self) -> Slots:
        """The family's."""
        return self.part.slots

    @property
    def bounds(self) -> Bounds:
        """The family's, and the zeros of feedback that is not there."""
        return bounds_of_all([self.part])

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """The family's."""
        return self.part.outcome_bounds

    def sample_task(self, keys: Array) -> Any:
        """Tasks of the family."""
        return self.part.sample_task(keys)

    @abstractmethod
    def observe(self, task: Any, state: Any) -> Observation:
        """What the family shows, but for its feedback."""

    def info(self, task: Any, state: Any) -> dict[str, Array]:
        """The family's."""
        return self.part.info(task, self._inner(task, state))

    def solution(self, task: Any, state: Any) -> Array | None:
        """The family's."""
        return self.part.solution(task, self._inner(task, state))

    def expected_reward(self, task: Any, state: Any, probabilities: Array) -> Array:
        """The family's."""
        return self.part.expected_reward(task, self._inner(task, state), probabilities)

    def _inner(self, task: Any, state: Any) -> Any:
        """The state of the family inside, as it made it."""
        return parted(state, 1)[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delayed(Filtered):
    """What feedback says is heard `delay` steps later.

    Global feedback and that of outputs, of the observation that would have shown it; before there is any,
    zeros. Of what was written in the last `delay` steps nothing is ever heard. All else is shown at once.

    `Delayed(task={"id": "Badger/GuessingGame-v0"}, delay=2)`.

    Args:
        task: see `Filtered`.
        delay: steps, from 1 to 100.
    """

    delay: int = 1

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_integer("delay", self.delay, low=1, high=100)

    def initial_state(self, task: Any) -> Any:
        """Nothing under way."""
        state = self.part.initial_state(task)
        seen = self.part.observe(task, state)
        xp = namespace(state.time)
        waiting = xp.stack([self._told(seen) * 0] * self.delay, axis=1)  # [B, D, G + O P]
        return join("State", [state], waiting=waiting, time=state.time)

    def observe(self, task: Any, state: Any) -> Observation:
        """What the family shows, with the feedback of `delay` steps before."""
        xp = namespace(state.time)
        seen = self.part.observe(task, self._inner(task, state))
        told, own = state.waiting[:, 0], seen.feedback.shape[1]
        apart = xp.reshape(told[:, own:], seen.output_feedback.shape)
        return seen._replace(feedback=told[:, :own], output_feedback=apart)

    def step(self, task: Any, state: Any, action: Array, noise: Array) -> Transition:
        """A step of the family; its feedback moves up."""
        xp = namespace(action)
        inner = self._inner(task, state)
        now = self._told(self.part.observe(task, inner))
        moved = self.part.step(task, inner, action, noise)
        waiting = xp.concat([state.waiting[:, 1:], now[:, None]], axis=1)
        return moved._replace(state=join("State", [moved.state], waiting=waiting, time=moved.state.time))

    def _told(self, seen: Observation) -> Array:
        """All feedback of an observation, [B, G + O P]."""
        xp = namespace(seen.feedback)
        return xp.concat(
            [seen.feedback, xp.reshape(seen.output_feedback, (seen.feedback.shape[0], -1))], axis=-1
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Withheld(Filtered):
    """Feedback is heard by chance alone; one more number at the end of `feedback` says whether it is.

    What is not heard is 0, the global feedback and that of outputs; it is lost. The first observation is
    always whole.

    `Withheld(task={"id": "Badger/GuessingGame-v0"}, chance=0.2)`.

    Args:
        task: see `Filtered`.
        chance: of hearing the feedback of a step, in [0, 1].
    """

    chance: float = 0.5

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number("chance", self.chance, 0, 1)

    @property
    def noise_size(self) -> int:
        """The family's, and a number that says whether feedback is heard."""
        return self.part.noise_size + 1

    @property
    def slots(self) -> Slots:
        """The family's, and whether feedback is heard."""
        return self.part.slots._replace(feedback=self.part.slots.feedback + 1)

    @property
    def bounds(self) -> Bounds:
        """The family's, and the zeros of feedback that is not there."""
        return bounds_of_all([self.part], high=1)

    def initial_state(self, task: Any) -> Any:
        """All is heard."""
        state = self.part.initial_state(task)
        return join("State", [state], heard=state.time == 0, time=state.time)

    def observe(self, task: Any, state: Any) -> Observation:
        """What the family shows, with its feedback or without."""
        xp = namespace(state.time)
        seen = self.part.observe(task, self._inner(task, state))
        heard = state.heard[:, None]  # [B, 1]
        told = xp.where(heard, seen.feedback, 0.0)
        apart = xp.where(heard[:, :, None], seen.output_feedback, 0.0)
        told = xp.concat([told, xp.astype(heard, told.dtype)], axis=-1)
        return seen._replace(feedback=told, output_feedback=apart)

    def step(self, task: Any, state: Any, action: Array, noise: Array) -> Transition:
        """A step of the family; chance says whether its feedback is heard."""
        moved = self.part.step(task, self._inner(task, state), action, noise[:, :-1])
        heard = noise[:, -1] < self.chance
        return moved._replace(state=join("State", [moved.state], heard=heard, time=moved.state.time))
