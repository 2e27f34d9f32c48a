"""The inner loop: an agent lives through trials with its weights as they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.gradients import limit_gradients
from badger_envs import keyed_random
from badger_envs.family import Family


class Scene(NamedTuple):
    """B trials before anybody lives through them.

    Attributes:
        family: the family; its horizon is the length of the trials.
        keys: the trials' names.
        own: the agent's keys of them.
        task: the family's tasks.
    """

    family: Family
    keys: Int[Tensor, "B 4"]
    own: Int[Tensor, "B 4"]
    task: Any


class Life(NamedTuple):
    """Where B trials are.

    Attributes:
        mind: the agent's state.
        world: the family's state.
        time: steps done.
        time: steps done, the same in all.
    """

    mind: Any
    world: Any
    time: int


class Stretch(NamedTuple):
    """What happened in k steps of B trials.

    Attributes:
        loss: [k, B], per-step loss.
        reward: [k, B].
        trace: recorded tensors by name, each [k, B, ...]; empty unless asked for.
    """

    loss: Float[Tensor, "k B"]
    reward: Float[Tensor, "k B"]
    trace: dict[str, Tensor]


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


def make_scene(family: Family, keys: Int[Tensor, "B 4"]) -> Scene:
    """The trials of a family that `keys` name, one row a trial."""
    return Scene(family, keys, keyed_random.agent_keys(keys), family.sample_task(keys))


def begin(agent: Agent, scene: Scene) -> Life:
    """The agent at the start of the trials."""
    return Life(agent.initial_state(scene.family, scene.own), scene.family.initial_state(scene.task), 0)


def live(
    agent: Agent,
    scene: Scene,
    life: Life,
    steps: int,
    *,
    record: bool | Sequence[str] = False,
    longest_gradient: float | None = None,
    noise: Float[Tensor, "B k N"] | None = None,
) -> tuple[Stretch, Life]:
    """Let the agent live on for some steps: the one loop over steps that there is.

    Differentiable in the agent's weights where the family is in the action. Nothing is read back to
    the host. In one stretch or several: what happens is the same.

    Args:
        agent: the agent.
        scene: the trials.
        life: where they are.
        steps: k, at least 1, and no more than are left.
        record: keep outputs, feedback and what the agent records, at every step; or names of what the
            agent records, to keep only that, as far as it does.
        longest_gradient: longest gradient of one row that flows back from a step to the one before (see
            `limit_gradients`); None: all flows back as it is.
        noise: the family's noise of these steps, where it is drawn already.

    Returns:
        What happened, and where the trials are then.
    """
    mind, world, start = life
    if noise is None:
        noise = scene.family.noise(scene.keys, steps, start)  # (B, k, N)
    losses, rewards, records = [], [], []
    for i in range(steps):
        if longest_gradient is not None:
            mind, world = limit_gradients((mind, world), longest_gradient)
        mind, world, reward, loss, kept = advance(agent, scene, mind, world, start + i, noise[:, i], record)
        losses.append(loss)
        rewards.append(reward)
        records.append(kept)
    trace = {name: torch.stack([step[name] for step in records]) for name in records[0]} if record else {}
    stretch = Stretch(torch.stack(losses), torch.stack(rewards), trace)
    return stretch, Life(mind, world, start + steps)


def advance(
    agent: Agent,
    scene: Scene,
    mind: Any,
    world: Any,
    time: int,
    noise: Float[Tensor, "B N"],
    record: bool | Sequence[str] = False,
) -> tuple[Any, Any, Float[Tensor, "B"], Float[Tensor, "B"], dict[str, Tensor]]:
    """One step of all trials.

    Args:
        agent: the agent.
        scene: the trials.
        mind: the agent's state.
        world: the family's state.
        time: steps done.
        noise: the family's, of this step.
        record: as for `live`.

    Returns:
        The agent's and the family's state after it, reward and loss, and what is recorded.
    """
    family, task = scene.family, scene.task
    after, action, aux = agent.act(mind, family.observe(task, world), scene.own, time)
    then, reward, loss, _ = family.step(task, world, action, noise)
    if record is True:
        kept = {**aux, **_shown(family, task, world, then, action)}
    else:
        kept = {name: aux[name] for name in record or () if name in aux}
    return after, then, reward, loss, kept


def rollout(
    agent: Agent,
    family: Family,
    keys: Int[Tensor, "B 4"],
    *,
    record: bool | Sequence[str] = False,
    gradient_limit: float | None = None,
) -> Rollout:
    """Let the agent live through whole trials.

    Args:
        agent: the agent.
        family: the family; its horizon is the length of the trials.
        keys: int64 [B, 4], their names, one row a trial.
        record: as for `live`.
        gradient_limit: longest gradient of one trial that flows back from a step to the one before, for
            a mean over trials (see `limit_gradients`); None: all flows back as it is.
    """
    scene = make_scene(family, keys)
    longest = None if gradient_limit is None else gradient_limit / len(keys)
    lived, life = live(
        agent, scene, begin(agent, scene), family.horizon, record=record, longest_gradient=longest
    )
    return Rollout(lived.loss, lived.reward, family.info(scene.task, life.world), lived.trace)


def _shown(family: Family, task: Any, before: Any, world: Any, action: Tensor) -> dict[str, Tensor]:
    """What a trace keeps of the world after a step."""
    after = family.observe(task, world)
    solution = family.solution(task, before)
    shown = {"action": action, "outputs": after.outputs, "feedback": after.feedback, "inputs": after.inputs}
    return shown if solution is None else {**shown, "solution": solution}
