"""Whole trials as a policy gradient needs them: lived through by draws, then seen again at once."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils import _pytree as pytree

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.estimators.trials import Trials
from badger_agents.rollout import Segment
from badger_envs.family import Observation


class Lived(NamedTuple):
    """Whole trials as the weights of the time drew them; B trials of T steps.

    Attributes:
        cost: [G], the objective of each group.
        observations: what was seen, sequence-major: arrays [T, B, ...].
        logits: [T, B, O].
        choice: [T, B] or [T, B, O], the actions.
        mask: [T, B, O], slots in use.
        reward: [T, B], by the objective's weights; with expected rewards, what the action's lacks to the
            best's.
        each: [T, B, O], the same of every choice; empty without expected rewards.
        states: [T, B, E, S] of the experts; empty where no value network reads them.
    """

    cost: Tensor
    observations: Observation
    logits: Tensor
    choice: Tensor
    mask: Tensor
    reward: Tensor
    each: Tensor
    states: Tensor


def live_through(agent: LearnedAgent, trials: Trials, *, expected: bool, states: bool) -> Lived:
    """Whole trials, step by step.

    Args:
        agent: who lives.
        trials: all from their start: an agent's state never outlasts a trial.
        expected: whether to ask for the expected reward of each choice.
        states: whether to keep experts' states.
    """
    family, task = trials.family, trials.batch.task
    life, noise = trials.begin(agent), family.noise(trials.keys, trials.horizon)  # (B, T, N)
    stretches, seen, worlds = [], [], []
    names: tuple[str, ...] = ("logits", "choice")
    for time in range(trials.horizon):
        seen.append(family.observe(task, life.env_state))
        worlds.append(life.env_state)
        if states and time == 0:
            names += state_names(agent, life.agent_state, seen[0], trials.batch.agent_keys)
        stretch, life = trials.live(agent, life, 1, record=names, noise=noise[:, time : time + 1])
        stretches.append(stretch)
    trace = {name: torch.cat([stretch.trace[name] for stretch in stretches]) for name in stretches[0].trace}
    whole = Segment(
        torch.cat([stretch.loss for stretch in stretches]),
        torch.cat([stretch.reward for stretch in stretches]),
        trace,
    )
    observations = Observation(*(torch.stack(parts) for parts in zip(*seen, strict=True)))
    mask, choice = observations.output_mask, trace["choice"]  # (T, B, O), (T, B) or (T, B, O)
    weights = whole.reward.new_tensor(trials.weights)[:, None] * trials.horizon  # (T, 1)
    reward, table = whole.reward.detach() * weights, whole.reward.new_zeros(0)
    if expected:
        table = all_rewards(trials, worlds) * weights[..., None]  # (T, B, O)
        table = torch.where(mask > 0, table - table.where(mask > 0, -torch.inf).amax(-1, keepdim=True), 0)
        reward = table.gather(-1, choice[..., None])[..., 0]  # (T, B)
    kept = [trace[name].detach().flatten(3) for name in names[2:]]  # (T, B, E, S) each
    return Lived(
        trials.costs(whole, 0), observations, trace["logits"], choice, mask, reward, table,
        torch.cat(kept, dim=-1) if kept else table,
    )  # fmt: skip


def all_rewards(trials: Trials, worlds: list[Any]) -> Float[Tensor, "T B O"]:
    """The family's expected reward of each choice: it is linear in the probabilities, so its gradient.

    All steps are asked for at once, as if each were a row of its own.

    Args:
        trials: the trials.
        worlds: the family's states before each step.
    """
    family, rows, steps = trials.family, len(trials.keys), len(worlds)
    world = pytree.tree_map(lambda *parts: torch.cat(parts), *worlds)
    task = pytree.tree_map(lambda part: torch.cat([part] * steps), trials.batch.task)
    with torch.enable_grad():
        dtype = getattr(torch, family.dtype)
        chances = torch.zeros(steps * rows, family.slots.outputs, dtype=dtype, device=trials.keys.device)
        chances.requires_grad_()
        expected = family.expected_reward(task, world, chances)  # (T*B,)
        (table,) = torch.autograd.grad(expected.sum(), chances)
    return table.unflatten(0, (steps, rows))  # (T, B, O)


def state_names(agent: Agent, mind: object, observation: Observation, own: Tensor) -> tuple[str, ...]:
    """Under which names the agent records its experts' states.

    Raises:
        ValueError: it does not.
    """
    with torch.no_grad():
        _, _, record = agent.act(mind, observation, own, 0)
    names = tuple(name for name in record if name == "states" or name.startswith("states."))
    if not names:
        raise ValueError("the agent records no states, which a value network reads; set value_size = 0")
    return names


def replay(
    agent: LearnedAgent, trials: Trials, observations: Observation, rows: Tensor | slice
) -> tuple[Float[Tensor, "T b O"], Float[Tensor, ""]]:
    """Logits that an agent has where it sees again what was seen in some trials, and penalties on it.

    It starts anew, as whole trials are seen; see `LearnedAgent.unroll`.
    """
    own = trials.batch.agent_keys[rows]  # (b, 4)
    seen = Observation(*(part[:, rows] for part in observations))
    _, trace = agent.unroll(agent.initial_state(trials.family, own), seen, own)
    penalty = trace["logits"].new_zeros(())
    for term in trials.penalties:
        parts = trace[term.reads].unflatten(1, (trials.groups, -1)).unbind(1)  # (T, b/G, ...) each
        penalty = penalty + term.weight * torch.stack([term.rule(part) for part in parts]).sum()
    return trace["logits"], penalty
