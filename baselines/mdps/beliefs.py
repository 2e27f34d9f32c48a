"""What has been found out about a process, and processes made of it: expected or of the posterior."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.families.random_mdp import LEAST_CONCENTRATION, RandomMDP
from badger_envs.family import Observation


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
            the smallest. [B, 0] where it is 1, so that this is known without looking at values.
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
    known = max(LEAST_CONCENTRATION, family.concentration)
    concentration = full(int(known != 1), value=known)
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
    arrived = (here * (1 - ended))[:, None, None].to(belief.led)  # (B, 1, 1, S)
    goal = belief.goal
    if goal.shape[1]:
        possible = observation.input_mask * (1 - first * here)  # (B, S), never the start
        goal = torch.where(first > 0, possible.to(goal), goal)
        found = here * reward * (1 - ended)  # (B, S), 1 at the goal
        shown = here * (1 - ended) * (1 - first)  # (B, S)
        goal = torch.where(found.sum(-1, keepdim=True) > 0, found.to(goal), goal * (1 - shown * (1 - reward)))
        goal = goal / goal.sum(-1, keepdim=True)
    return belief._replace(
        led=torch.addcmul(belief.led, taken[..., None].to(belief.led), arrived),
        visits=belief.visits + taken,
        paid=belief.paid + taken * reward[:, :, None],
        goal=goal,
        here=here,
    )


def concentration_of(belief: Belief) -> Float[Tensor, "B 1"]:
    """That of the prior of transitions."""
    known = belief.concentration
    return known if known.shape[1] else known.new_ones(len(known), 1)


def expected_model(belief: Belief, observation: Observation) -> Model:
    """The posterior's means: normal rewards of noise 1 and a prior of deviation 1, Dirichlet transitions."""
    prior = concentration_of(belief)[..., None, None] * observation.input_mask[:, None, None]  # (B, 1, 1, S)
    weight = belief.led + prior  # (B, S, A, S)
    chance = weight / weight.sum(-1, keepdim=True)
    if belief.goal.shape[1]:
        return Model(chance, arrivals(chance, belief.goal))
    return Model(chance, (belief.prior_mean + belief.paid) / (1 + belief.visits))


def drawn_model(
    belief: Belief, observation: Observation, keys: Int[Tensor, "B 4"], draw: int, steps: int
) -> Model:
    """A process drawn from the posterior.

    Dirichlet transitions are gammas divided by their sum. A gamma of shape a + n is one of shape a and n
    exponentials more, for whole n: a trial needs as many of these as it has steps.

    Args:
        belief: the posterior.
        observation: of which the masks are read.
        keys: of the trials.
        draw: number of the draw; a later one has no fewer steps.
        steps: done so far.
    """
    count = belief.led[0].numel()  # S A S
    usual = belief.concentration.shape[1] == 0  # gammas of shape 1 are cheap
    shape = 1 if usual else belief.concentration.expand(-1, count)  # (B, S A S)
    prior = keyed_random.log_gamma(keys, "transitions", count, shape, draw * count)  # (B, S A S)
    level = keyed_random.uniform(keys, "visits", steps, draw * steps, "float64")  # (B, steps)
    sums = torch.nn.functional.pad(-torch.log1p(-level), (1, 0)).cumsum(-1)  # (B, steps + 1)
    last = belief.led.flatten(1).cumsum(-1).long()  # (B, S A S)
    first = torch.nn.functional.pad(last[:, :-1], (1, 0))  # (B, S A S)
    seen = sums.gather(-1, last) - sums.gather(-1, first)
    weight = torch.logaddexp(prior, seen.log())
    unused = observation.input_mask[:, None, None] == 0  # (B, 1, 1, S)
    chance = weight.view_as(belief.led).masked_fill(unused, -torch.inf).softmax(-1)  # (B, S, A, S)
    if belief.goal.shape[1]:
        level = keyed_random.uniform(keys, "goal", 1, draw, "float64")  # (B, 1)
        place = (belief.goal.cumsum(-1) <= level).sum(-1, keepdim=True)  # (B, 1)
        place = place.clamp(max=belief.goal.shape[1] - 1)
        return Model(chance, chance.gather(-1, place[:, None, None].expand(*chance.shape[:3], 1))[..., 0])
    count = belief.visits[0].numel()  # S A
    normal = keyed_random.normal(keys, "rewards", count, draw * count, "float64").view_as(belief.visits)
    mean = (belief.prior_mean + belief.paid) / (1 + belief.visits)  # (B, S, A)
    return Model(chance, mean + normal * (1 + belief.visits) ** -0.5)


def empirical_model(belief: Belief, observation: Observation) -> Model:
    """What was counted and no prior: all states alike, and `prior_mean`, where nothing was."""
    used = observation.input_mask[:, None, None].to(belief.led)  # (B, 1, 1, S)
    counts = belief.led.sum(-1, keepdim=True)  # (B, S, A, 1)
    weight = torch.where(counts > 0, belief.led, used)  # (B, S, A, S)
    reward = torch.where(belief.visits > 0, belief.paid / belief.visits, belief.prior_mean)
    return Model(weight / weight.sum(-1, keepdim=True), reward)


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


def planned_in_hope(
    model: Model, slack: Float[Tensor, "B S A"], steps: int, observation: Observation
) -> Float[Tensor, "B T S A"]:
    """Values as of `planned` if chances are the luckiest whose L1 distance to the model's is at most `slack`.

    Extended value iteration (Jaksch, Ortner, Auer 2010, figure 2): half of the slack goes to the best
    successor and is taken from the worst, in their order.
    """
    unused = observation.output_mask[:, None] == 0  # (B, 1, A)
    later = torch.zeros_like(model.reward[..., 0])  # (B, S)
    values = []
    for _ in range(steps):
        order = later.masked_fill(observation.input_mask == 0, -torch.inf).argsort(-1)  # (B, S), best last
        worth = later.gather(-1, order)  # (B, S)
        chance = model.chance.gather(-1, order[:, None, None].expand_as(model.chance))  # (B, S, A, S)
        below = chance[..., :-1].cumsum(-1)  # (B, S, A, S - 1)
        moved = torch.minimum(slack[..., None] / 2, below[..., -1:])  # (B, S, A, 1), to the best
        # with cumulative chances C_i, the mean of v is v_last - sum over i of C_i (v_(i+1) - v_i)
        mean = worth[:, None, None, -1] - arrivals((below - moved).clamp(min=0), worth.diff(dim=-1))
        value = (model.reward + mean).masked_fill(unused, -torch.inf)  # (B, S, A)
        later = value.amax(-1)
        values.append(value)
    return torch.stack(values[::-1], dim=1)
