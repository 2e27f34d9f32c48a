"""What a gradient estimator is: from an agent and an outer step's trials to updates (contract 5)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple

from jaxtyping import Float
from pydantic import BaseModel
from torch import Tensor

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.estimators.trials import Trials

Memory = dict[str, Tensor]
"""What an estimator remembers from outer step to outer step: tensors by name, as a checkpoint keeps them."""


class Update(NamedTuple):
    """One update of the weights.

    Attributes:
        loss: [G], each group's objective as far as it is known by now; the outer step's last is logged.
        gradients: one per parameter, in order.
        state: the estimator's after it.
    """

    loss: Float[Tensor, "G"]
    gradients: tuple[Tensor, ...]
    state: Memory


class GradientEstimator(ABC):
    """One outer step's updates: one for backpropagation, several for methods with windows or epochs.

    Args:
        settings: of the class's own `Settings`, [training.estimator_settings] of a recipe.

    Attributes:
        Settings: class of the settings.
        through_actions: whether gradients must flow through the agent's actions.
        reads: names of what the agent must record.
        stackable: whether it works for several groups of trials at once, each as it would alone: it
            remembers nothing and draws nothing under the outer step's key.
        shares: how several processes work on an outer step: each is given its "trials", and updates are
            averaged, which is right where an update is a mean over trials; or all are given all trials,
            and the estimator shares them out by `Trials.team` and exchanges "scores"; None: they cannot.
    """

    Settings: ClassVar[type[BaseModel]]
    through_actions: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    stackable: ClassVar[bool] = False
    shares: ClassVar[Literal["trials", "scores"] | None] = None

    def __init__(self, settings: BaseModel) -> None:
        self.settings = settings

    def initial_state(self, agent: LearnedAgent) -> Memory:
        """State before the first outer step: nothing, unless it needs some."""
        return {}

    @abstractmethod
    def updates(self, agent: LearnedAgent, trials: Trials, state: Memory) -> Iterator[Update]:
        """Yield at least one update; the caller applies each to the agent before it asks for the next."""

    def as_lived(self, agent: LearnedAgent) -> Agent:
        """The agent in the form in which it is made to live, for any even number of trials.

        A recipe tries it out, so that what does not work shows before training.
        """
        return agent

    def check(self, batch_size: int) -> None:
        """ValueError if it cannot work with so many trials per outer step."""
        return
