"""The inner loop: the one loop over steps, in which an agent acts in a batch of trials."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Agent
from badger_agents.tree import limit_gradients
from badger_envs import keyed_random
from badger_envs.family import Family

OBSERVATIONS, ENVIRONMENT_STATES = "observations", "environment_states"
"""What `record` may name beside what the agent records: see `Segment.trace`."""


NOISE_STEPS = 128
"""Steps whose noise is drawn at once, so that memory does not grow with the horizon; draws are the same."""


class TaskBatch(NamedTuple):
    """B trials, before anybody acts in them.

    Attributes:
        family: the family; its horizon is the length of the trials.
        keys: the trials' names.
        agent_keys: the agent's keys of them.
        task: the family's tasks.
    """

    family: Family
    keys: Int[Tensor, "B 4"]
    agent_keys: Int[Tensor, "B 4"]
    task: Any


class Carry(NamedTuple):
    """What B trials carry from one step to the next.

    Attributes:
        agent_state: the agent's.
        env_state: the family's.
        step: steps done, the same in all.
    """

    agent_state: Any
    env_state: Any
    step: int


class Segment(NamedTuple):
    """What happened in k steps of B trials.

    Attributes:
        loss: [k, B], per-step loss.
        reward: [k, B].
        trace: what `record` asked for, by name, each [k, B, ...]: tensors, "observations" an `Observation`,
            and "environment_states" (those before each step) nested tuples as the family has them.
    """

    loss: Float[Tensor, "k B"]
    reward: Float[Tensor, "k B"]
    trace: dict[str, Any]


class Trajectory(NamedTuple):
    """What happened in B whole trials of T steps.

    Attributes:
        loss: [T, B], per-step loss.
        reward: [T, B].
        info: measurements of the final states, each [B].
        trace: as of a `Segment`, each [T, B, ...].
    """

    loss: Float[Tensor, "T B"]
    reward: Float[Tensor, "T B"]
    info: dict[str, Tensor]
    trace: dict[str, Any]


def make_task_batch(family: Family, keys: Int[Tensor, "B 4"]) -> TaskBatch:
    """The trials of a family that `keys` name, one row a trial."""
    return TaskBatch(family, keys, keyed_random.agent_keys(keys), family.sample_task(keys))


def start(agent: Agent, batch: TaskBatch) -> Carry:
    """The agent at the start of the trials."""
    agent_state = agent.initial_state(batch.family, keys_at_start(agent, batch))
    return Carry(agent_state, batch.family.initial_state(batch.task), 0)


def keys_at_start(agent: Agent, batch: TaskBatch) -> Int[Tensor, "B 4"]:
    """Keys with which the agent begins: its own, or of a control that knows the trials the trials'."""
    return batch.keys if getattr(agent, "knows_trials", False) else batch.agent_keys


def rollout_segment(
    agent: Agent,
    batch: TaskBatch,
    carry: Carry,
    steps: int,
    *,
    record: bool | Sequence[str] = False,
    longest_gradient: float | None = None,
) -> tuple[Segment, Carry]:
    """Let the agent act for some steps.

    Differentiable in the agent's weights where the family is in the action. Nothing is read back to
    the host. In one segment or several: what happens is the same.

    Args:
        agent: the agent.
        batch: the trials.
        carry: where they are.
        steps: k, at least 1, and no more than are left.
        record: names of what to keep: of what the agent records, as far as it does, "observations" and
            "environment_states". True: all that the agent records, and action, outputs, feedback, inputs
            after the step, and solution where there is one.
        longest_gradient: longest gradient of one row that flows back from a step to the one before (see
            `limit_gradients`); None: all flows back as it is.

    Returns:
        What happened, and where the trials are then.
    """
    family, keys, agent_keys, task = batch
    agent_state, env_state, first = carry
    losses, rewards, kept = [], [], []
    for number in range(steps):
        if longest_gradient is not None:
            agent_state, env_state = limit_gradients((agent_state, env_state), longest_gradient)
        place = number % NOISE_STEPS
        if place == 0:
            noise = family.noise(keys, min(NOISE_STEPS, steps - number), first + number)  # (B, n, N)
        before, observation = env_state, family.observe(task, env_state)
        agent_state, action, made = agent.act(agent_state, observation, agent_keys, first + number)
        env_state, reward, loss, _ = family.step(task, before, action, noise[:, place])
        losses.append(loss)
        rewards.append(reward)
        if record is True:
            kept.append({**made, **_outcome(family, task, before, env_state, action)})
        elif record:
            every = {**made, OBSERVATIONS: observation, ENVIRONMENT_STATES: before}
            kept.append({name: every[name] for name in record if name in every})
    trace = {name: tree.map(_stack, *(each[name] for each in kept)) for name in kept[0]} if kept else {}
    segment = Segment(torch.stack(losses), torch.stack(rewards), trace)
    return segment, Carry(agent_state, env_state, first + steps)


def rollout(
    agent: Agent,
    family: Family,
    keys: Int[Tensor, "B 4"],
    *,
    record: bool | Sequence[str] = False,
    gradient_limit: float | None = None,
) -> Trajectory:
    """Let the agent act in whole trials.

    Args:
        agent: the agent.
        family: the family; its horizon is the length of the trials.
        keys: int64 [B, 4], their names, one row a trial.
        record: as for `rollout_segment`.
        gradient_limit: longest gradient of one trial that flows back from a step to the one before, for
            a mean over trials (see `limit_gradients`); None: all flows back as it is.
    """
    batch = make_task_batch(family, keys)
    longest = None if gradient_limit is None else gradient_limit / len(keys)
    whole, carry = rollout_segment(
        agent, batch, start(agent, batch), family.horizon, record=record, longest_gradient=longest
    )
    return Trajectory(whole.loss, whole.reward, family.info(batch.task, carry.env_state), whole.trace)


def _stack(*parts: Tensor) -> Tensor:
    """Tensors [B, ...] of k steps as one, [k, B, ...]."""
    return torch.stack(parts)


def _outcome(family: Family, task: Any, before: Any, after: Any, action: Tensor) -> dict[str, Tensor]:
    """What a whole trace keeps of the environment after a step."""
    seen, solution = family.observe(task, after), family.solution(task, before)
    kept = {"action": action, "outputs": seen.outputs, "feedback": seen.feedback, "inputs": seen.inputs}
    return kept if solution is None else {**kept, "solution": solution}
