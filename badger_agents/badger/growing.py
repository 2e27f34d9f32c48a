"""A growing agent: experts come and go by a schedule in every trial; and what that is worth."""

import bisect
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from badger_agents.agent import Keys
from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.growth import Change, grown_state, plan, resized
from badger_agents.evaluation import Evaluation, evaluate
from badger_envs.family import Family, Observation


class Growing:
    """A Badger agent whose experts come and go by a schedule (contract 4): `evaluate` takes it as any other.

    Steps are counted from 0: a change at step 10 comes after 10 steps, before the agent reads for the
    eleventh time. What is recorded has room for the most experts there are at any time, zeros where there
    is none, and says under "present" who there is.

    Args:
        agent: the agent at the start of a trial; its weights are used, not copied.
        schedule: changes by step.

    Raises:
        ValueError: a step is no whole number from 0 up, or a change cannot be.
    """

    def __init__(self, agent: BadgerAgent, schedule: Mapping[int, Change]) -> None:
        self.schedule = dict(schedule)
        self.steps = sorted(self.schedule)
        self.stages = [agent]
        self.plans = {}
        for step in self.steps:
            if type(step) is not int or step < 0:
                raise ValueError(f"growth at step {step!r}: steps are whole numbers from 0 up")
            change, last = self.schedule[step], self.stages[-1]
            try:
                self.plans[step] = plan(last.settings.experts, change)
                self.stages.append(resized(last, self.plans[step], change.topology))
            except (ValueError, TypeError) as error:
                raise ValueError(f"growth at step {step}: {error}") from error

    def initial_state(self, family: Family, keys: Keys) -> BadgerState:
        """State of the agent as it is at the start.

        Raises:
            ValueError: the agent does not fit the family at the start or after a change, or a change
                comes after the end of a trial.
        """
        if self.steps and self.steps[-1] >= family.horizon:
            name = type(family).__name__
            raise ValueError(
                f"growth at step {self.steps[-1]}: trials of {name} have {family.horizon} steps, the last is"
                f" {family.horizon - 1}"
            )
        for stage in self.stages:
            stage.channel.to(keys.device)  # made before anyone knew where trials would be
            stage.membrane.initial_state(family, keys[:1], stage.settings.experts)  # may refuse the number
        return self.stages[0].initial_state(family, keys)

    def act(
        self, state: BadgerState, observation: Observation, keys: Keys, step: int
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """Change the experts if it is time to, then one step of the agent as it is now."""
        stage = self.stages[bisect.bisect_right(self.steps, step)]
        if step in self.plans:
            state = grown_state(stage, state, keys, self.plans[step], step)
        state, action, record = stage.act(state, observation, keys, step)
        return state, action, self._padded(record, stage.settings.experts)

    def _padded(self, record: dict[str, Tensor], experts: int) -> dict[str, Tensor]:
        """Room for the most experts there are at any time, so that a trace's steps are alike."""
        missing = max(stage.settings.experts for stage in self.stages) - experts
        here = record["messages"].new_ones(len(record["messages"]), experts)  # (B, E)
        padded = {}
        for name, part in {**record, "present": here}.items():
            if part.dim() < 2 or part.shape[1] != experts:  # not of experts
                padded[name] = part
                continue
            pads = [0, 0] * (part.dim() - 2) + [0, missing]  # from the last axis to the second
            if name == "attention" and "senders" not in record:  # [B, E, E]
                pads[1] = missing
            padded[name] = torch.nn.functional.pad(part, pads)
        return padded


class Gain(NamedTuple):
    """What growth is worth: trials without it, the same trials with it, and the difference.

    Attributes:
        without: of the agent left as it is at the start.
        grown: of the growing one.
        gain: per trial and per step, how much better the growing one is: outcomes above 0 are for growth
            whichever way outcomes count, losses above 0 too. Its `mean` and `ci95` are the paired ones.
    """

    without: Evaluation
    grown: Evaluation
    gain: Evaluation


def measure_gain(
    agent: BadgerAgent,
    family: Family,
    schedule: Mapping[int, Change],
    trials: int,
    *,
    seed: int = 0,
    device: str = "cpu",
    chunk: int = 2_000,
) -> Gain:
    """Compare growing in mid-trial with not growing, on the same tasks with the same noise.

    Args:
        agent: as it is at the start, on the device.
        family: where it acts.
        schedule: changes by step, see `Growing`.
        trials: number of tasks.
        seed: which tasks.
        device: a torch device.
        chunk: trials at a time.
    """
    without, grown = (
        evaluate(each, family, trials, seed=seed, device=device, chunk=chunk)
        for each in (agent, Growing(agent, schedule))
    )
    return Gain(without, grown, improvement(grown, without, family))


def improvement(one: Evaluation, other: Evaluation, family: Family) -> Evaluation:
    """How much better one agent is than another on the same tasks, trial by trial and step by step.

    Args:
        one: of the agent that may be better.
        other: of the one that it is compared with.
        family: where both acted; says whether high outcomes are the better ones.
    """
    sign = 1 if family.higher_is_better else -1
    return Evaluation(sign * (one.outcomes - other.outcomes), other.losses - one.losses)
