"""The inner loop: an agent lives through trials with its weights as they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.gradients import limit_gradients
from badger_envs import random
from badger_envs.family import Family


class Rollout(NamedTuple):
    """What happened in B trials of T steps.

    Attributes:
        loss: [T, B], per-step loss.
        reward: [T, B].
        info: measurements of the final states, each [B].
        trace: recorded tensors by name, each [T, B, ...]; empty unless asked for.
    """

    loss: Float[Tensor, "T B"]
    reward: Float[Tensor, "T B"]
    info: dict[str, Tensor]
    trace: dict[str, Tensor]


def rollout(
    agent: Agent,
    family: Family,
    keys: Int[Tensor, "B 4"],
    *,
    record: bool | Sequence[str] = False,
    gradient_limit: float | None = None,
) -> Rollout:
    """Let the agent live through the trials that `keys` name, one row a trial.

    Differentiable in the agent's weights where the family is in the action. Nothing is read back to
    the host.

    Args:
        agent: the agent.
        family: the family; its horizon is the length of the trials.
        keys: int64 [B, 4].
        record: keep outputs, feedback and what the agent records, at every step; or names of what the
            agent records, to keep only that, as far as it does.
        gradient_limit: longest gradient of one trial that flows back from a step to the one before, for
            a mean over trials (see `limit_gradients`); None: all flows back as it is.
    """
    task = family.sample_task(keys)
    world = family.initial_state(task)
    noise = family.noise(keys, family.horizon)  # (B, T, N)
    own = random.agent_keys(keys)  # (B, 4)
    mind = agent.initial_state(family, own)
    losses, rewards, records = [], [], []
    for time in range(family.horizon):
        if gradient_limit is not None:
            mind, world = limit_gradients((mind, world), gradient_limit / len(keys))
        observation = family.observe(task, world)
        mind, action, aux = agent.act(mind, observation, own)
        before = world
        world, reward, loss, _ = family.step(task, world, action, noise[:, time])
        losses.append(loss)
        rewards.append(reward)
        if record is True:
            records.append({**aux, **_shown(family, task, before, world, action)})
        elif record:
            records.append({name: aux[name] for name in record if name in aux})
    trace = {name: torch.stack([step[name] for step in records]) for name in records[0]} if record else {}
    return Rollout(torch.stack(losses), torch.stack(rewards), family.info(task, world), trace)


def _shown(family: Family, task: Any, before: Any, world: Any, action: Tensor) -> dict[str, Tensor]:
    """What a trace keeps of the world after a step."""
    after = family.observe(task, world)
    solution = family.solution(task, before)
    shown = {"action": action, "outputs": after.outputs, "feedback": after.feedback, "inputs": after.inputs}
    return shown if solution is None else {**shown, "solution": solution}
