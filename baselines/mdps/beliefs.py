"""What has been found out about a process, and processes made of it: expected or of the posterior."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.families.random_mdp import LEAST_CONCENTRATION, RandomMDP
from badger_envs.family import Observation

PROPOSALS = 2
"""Proposals per gamma draw: the model of a process is hundreds of them."""


class Model(NamedTuple):
    """A process, or what one is taken for; slots not in use have chance 0.

    Attributes:
        chance: float64 [B, S, A, S], of successors.
        reward: float64 [B, S, A], expected.
    """

    chance: Tensor
    reward: Tensor


class Belief(NamedTuple):
    """What a trial has shown. Priors are those that tasks are drawn from, but for `prior_mean`.

    Attributes:
        led: float64 [B, S, A, S], how often an action led to a state.
        visits: float64 [B, S, A], how often it was taken.
        paid: float64 [B, S, A], what it paid in all.
        goal: float64 [B, S], how likely each state is the goal; [B, 0] where rewards are normal.
        concentration: float64 [B, 1], of the prior of transitions; a fixed successor is taken for a draw of
            the smallest.
        prior_mean: float64 [B, 1, 1], of the prior of expected rewards, where these are normal.
        here: [B, S], 1 at the current state.
    """

    led: Tensor
    visits: Tensor
    paid: Tensor
    goal: Tensor
    concentration: Tensor
    prior_mean: Tensor
    here: Tensor


def nothing_seen(family: RandomMDP, keys: Int[Tensor, "B 4"], prior_mean: float | int) -> Belief:
    """The belief before the first observation."""
    batch, states, actions = len(keys), family.slots.inputs, family.slots.outputs

    def full(*shape: int, value: float | int = 0.0) -> Tensor:
        return torch.full((batch, *shape), value, dtype=torch.float64, device=keys.device)

    goal = full(states if family.kind == "goal" else 0, value=1.0)
    concentration = full(1, value=max(LEAST_CONCENTRATION, family.concentration))
    taken = full(states, actions)
    here = torch.zeros(batch, states, dtype=getattr(torch, family.dtype), device=keys.device)
    prior = full(1, 1, value=prior_mean)
    return Belief(full(states, actions, states), taken, taken, goal, concentration, prior, here)


def learnt(belief: Belief, observation: Observation) -> Belief:
    """The belief after what the last action brought. At the first step it is only told where it is.

    Where an episode ended it is not shown where its last step led.
    """
    here, reward, ended = observation.inputs[..., 0], observation.feedback[:, :1], observation.feedback[:, 1:]
    first = observation.flags[:, :1]  # (B, 1)
    taken = belief.here[:, :, None] * observation.outputs[:, None]  # (B, S, A); zeros at the first step
    led = taken[..., None] * (here * (1 - ended))[:, None, None]  # (B, S, A, S)
    goal = belief.goal
    if goal.shape[1]:
        possible = observation.input_mask * (1 - first * here)  # (B, S), never the start
        goal = torch.where(first > 0, possible.to(goal), goal)
        found = here * reward * (1 - ended)  # (B, S), 1 at the goal
        shown = here * (1 - ended) * (1 - first)  # (B, S)
        goal = torch.where(found.sum(-1, keepdim=True) > 0, found.to(goal), goal * (1 - shown * (1 - reward)))
        goal = goal / goal.sum(-1, keepdim=True)
    return belief._replace(
        led=belief.led + led,
        visits=belief.visits + taken,
        paid=belief.paid + taken * reward[:, :, None],
        goal=goal,
        here=here,
    )


def expected_model(belief: Belief, observation: Observation) -> Model:
    """The posterior's means: normal rewards of noise 1 and a prior of deviation 1, Dirichlet transitions."""
    prior = belief.concentration[:, :, None, None] * observation.input_mask[:, None, None]  # (B, 1, 1, S)
    weight = belief.led + prior  # (B, S, A, S)
    chance = weight / weight.sum(-1, keepdim=True)
    if belief.goal.shape[1]:
        return Model(chance, arrivals(chance, belief.goal))
    return Model(chance, (belief.prior_mean + belief.paid) / (1 + belief.visits))


def drawn_model(belief: Belief, observation: Observation, keys: Int[Tensor, "B 4"], draw: int) -> Model:
    """A process drawn from the posterior: draw number `draw` of the trials that `keys` name."""
    prior = belief.concentration[:, :, None, None]
    shape = (belief.led + prior).flatten(1)  # (B, S A S)
    count = shape.shape[1]
    weight = keyed_random.log_gamma(keys, "transitions", count, shape, draw * count, PROPOSALS)
    unused = observation.input_mask[:, None, None] == 0  # (B, 1, 1, S)
    chance = weight.view_as(belief.led).masked_fill(unused, -torch.inf).softmax(-1)  # (B, S, A, S)
    if belief.goal.shape[1]:
        level = keyed_random.uniform(keys, "goal", 1, draw, "float64")  # (B, 1)
        place = (belief.goal.cumsum(-1) <= level).sum(-1, keepdim=True)  # (B, 1)
        place = place.clamp(max=belief.goal.shape[1] - 1)
        return Model(chance, chance.gather(-1, place[:, None, None].expand(*chance.shape[:3], 1))[..., 0])
    count = belief.visits[0].numel()
    normal = keyed_random.normal(keys, "rewards", count, draw * count, "float64").view_as(belief.visits)
    mean = (belief.prior_mean + belief.paid) / (1 + belief.visits)  # (B, S, A)
    return Model(chance, mean + normal * (1 + belief.visits) ** -0.5)


def arrivals(chance: Float[Tensor, "B S A S2"], worth: Float[Tensor, "B S2"]) -> Float[Tensor, "B S A"]:
    """What the state that a step leads to is worth in expectation."""
    flat = chance.flatten(1, 2)  # (B, S A, S)
    return torch.bmm(flat, worth[:, :, None]).view(chance.shape[:3])


def planned(model: Model, steps: int, output_mask: Float[Tensor, "B A"]) -> Float[Tensor, "B T S A"]:
    """Values of all steps of an episode, the first first, by backward induction."""
    unused = output_mask[:, None] == 0  # (B, 1, A)
    later = torch.zeros_like(model.reward[..., 0])  # (B, S)
    values = []
    for _ in range(steps):
        value = (model.reward + arrivals(model.chance, later)).masked_fill(unused, -torch.inf)  # (B, S, A)
        later = value.amax(-1)
        values.append(value)
    return torch.stack(values[::-1], dim=1)
