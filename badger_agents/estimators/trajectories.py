"""Whole trials as a policy gradient needs them: played with drawn actions, then seen again at once."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Agent, LearnedAgent
from badger_agents.estimators.trials import Trials
from badger_agents.functional import FunctionalAgent
from badger_agents.rollout import ENVIRONMENT_STATES, OBSERVATIONS, Carry, keys_at_start
from badger_envs.family import Observation


class DrawnTrials(NamedTuple):
    """Whole trials as the weights of the time drew them; B trials of T steps.

    Attributes:
        loss: [G], the objective of each group.
        observations: what was seen, sequence-major: arrays [T, B, ...].
        logits: [T, B, O].
        choice: [T, B] or [T, B, O], the actions.
        mask: [T, B, O], slots in use.
        reward: [T, B], by the objective's weights; with expected rewards, what the action's lacks to the
            best's.
        each: [T, B, O], the same of every choice; empty without expected rewards.
        states: [T, B, E, S] of the experts; empty where no value network reads them.
    """

    loss: Tensor
    observations: Observation
    logits: Tensor
    choice: Tensor
    mask: Tensor
    reward: Tensor
    each: Tensor
    states: Tensor


def draw_trials(agent: Agent, trials: Trials, expected: bool, states: bool) -> DrawnTrials:
    """Whole trials, step by step.

    Args:
        agent: who acts.
        trials: all from their start: an agent's state never outlasts a trial.
        expected: whether to ask for the expected reward of each choice.
        states: whether to keep experts' states.
    """
    carry = trials.start(agent)
    names = state_names(agent, trials, carry) if states else ()
    record = ("logits", "choice", OBSERVATIONS, ENVIRONMENT_STATES, *names)
    whole, _ = trials.segment(agent, carry, trials.horizon, record)
    observations, choice = whole.trace[OBSERVATIONS], whole.trace["choice"]  # (T, B) or (T, B, O)
    mask = observations.output_mask  # (T, B, O)
    weights = whole.reward.new_tensor(trials.step_weights)[:, None] * trials.horizon  # (T, 1)
    reward, table = whole.reward.detach() * weights, whole.reward.new_zeros(0)
    if expected:
        table = all_rewards(trials, whole.trace[ENVIRONMENT_STATES]) * weights[..., None]  # (T, B, O)
        table = torch.where(mask > 0, table - table.where(mask > 0, -torch.inf).amax(-1, keepdim=True), 0)
        reward = table.gather(-1, choice[..., None])[..., 0]  # (T, B)
    kept = [whole.trace[name].detach().flatten(3) for name in names]  # (T, B, E, S) each
    return DrawnTrials(
        trials.loss_of(whole, 0), observations, whole.trace["logits"], choice, mask, reward, table,
        torch.cat(kept, dim=-1) if kept else table,
    )  # fmt: skip


def all_rewards(trials: Trials, env_states: Any) -> Float[Tensor, "T B O"]:
    """The family's expected reward of each choice: it is linear in the probabilities, so its gradient.

    All steps are asked for at once, as if each were a row of its own.

    Args:
        trials: the trials.
        env_states: the family's states before each step, tensors [T, B, ...].
    """
    family, rows, steps = trials.family, len(trials.keys), trials.horizon
    state = tree.map(lambda part: part.flatten(0, 1), env_states)
    task = tree.map(lambda part: torch.cat([part] * steps), trials.batch.task)
    with torch.enable_grad():
        dtype = getattr(torch, family.dtype)
        chances = torch.zeros(steps * rows, family.slots.outputs, dtype=dtype, device=trials.keys.device)
        chances.requires_grad_()
        expected = family.expected_reward(task, state, chances)  # (T*B,)
        (table,) = torch.autograd.grad(expected.sum(), chances)
    return table.unflatten(0, (steps, rows))  # (T, B, O)


def state_names(agent: Agent, trials: Trials, carry: Carry) -> tuple[str, ...]:
    """Under which names the agent records its experts' states.

    Raises:
        ValueError: it does not.
    """
    observation = trials.family.observe(trials.batch.task, carry.env_state)
    with torch.no_grad():
        _, _, record = agent.act(carry.agent_state, observation, trials.batch.agent_keys, 0)
    names = tuple(name for name in record if name == "states" or name.startswith("states."))
    if not names:
        raise ValueError("the agent records no states, which a value network reads; set value_size = 0")
    return names


def replay(
    agent: LearnedAgent | FunctionalAgent, trials: Trials, observations: Observation, rows: Tensor | slice
) -> tuple[Float[Tensor, "T b O"], Float[Tensor, ""]]:
    """Logits that an agent has where it sees again what was seen in some trials, and penalties on it.

    It starts anew, as whole trials are seen; see `LearnedAgent.unroll`.
    """
    state = agent.initial_state(trials.family, keys_at_start(agent, trials.batch)[rows])
    seen = Observation(*(part[:, rows] for part in observations))
    _, trace = agent.unroll(state, seen, trials.batch.agent_keys[rows])
    penalty = trace["logits"].new_zeros(())
    for term in trials.penalties:
        parts = trace[term.reads].unflatten(1, (trials.groups, -1)).unbind(1)  # (T, b/G, ...) each
        penalty = penalty + term.weight * torch.stack([term.rule(part) for part in parts]).sum()
    return trace["logits"], penalty
