"""Gradients from scores alone: evolution strategies, and persistent ones that see beyond a window."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from badger_agents.agent import Agent, LearnedAgent, Settings
from badger_agents.estimators.base import GradientEstimator, Memory, Update, Updates, Weights
from badger_agents.estimators.trials import Trials
from badger_agents.functional import FunctionalAgent
from badger_agents.rollout import Carry
from badger_envs import keyed_random


class EvolutionSettings(Settings):
    """Settings of evolution strategies.

    Attributes:
        pairs: P. Trials are dealt out to the pairs, so that the batch size must be a multiple of it.
        sigma: standard deviation of a perturbation of a weight.
        window: steps of a trial from one update to the next; the first window of an outer step has a
            random part of them. None: the whole trial, and one update.
        pairs_at_once: at most so many pairs act side by side, for memory's sake; None: all.
    """

    pairs: int = Field(default=16, ge=1)
    sigma: float = Field(default=0.05, gt=0, allow_inf_nan=False)
    window: int | None = Field(default=None, ge=1)
    pairs_at_once: int | None = Field(default=None, ge=1)


class PersistentEvolutionSettings(EvolutionSettings):
    """Settings of persistent evolution strategies: those of evolution strategies, but there are windows."""

    window: int | None = Field(default=5, ge=1)


class Evolution(GradientEstimator):
    """Evolution strategies with antithetic pairs (Salimans et al. 2017), nothing is differentiated.

    Perturbed weights theta + sigma * u and theta - sigma * u meet the same trials with the same
    noise. With u standard normal, and d the difference of the two losses, the mean of d * u / (2 * sigma)
    over pairs is an unbiased estimate of the gradient of the objective *smoothed*: of its mean over
    perturbations. The loss that is told is smoothed too.

    With windows shorter than a trial there is an update after each, by what that window contributes to
    the objective. Each window has perturbations of its own, and what they do to later windows is not seen:
    the estimate is biased as truncated backpropagation is. Memory grows neither with the horizon nor
    with the window.

    The numbers u of pair p follow from the key of the p-th trial, stream "estimator/perturbation": they
    depend neither on the device nor on how many pairs act at once.
    """

    Settings = EvolutionSettings
    settings: EvolutionSettings
    through_actions = False
    shares = "scores"

    def check(self, batch_size: int) -> None:
        """ValueError if trials cannot be dealt out to the pairs."""
        pairs = self.settings.pairs
        if batch_size % pairs:
            raise ValueError(f"batch_size is {batch_size}; it must be a multiple of pairs, which is {pairs}")

    def rollout_form(self, agent: LearnedAgent, weights: Weights) -> Agent:
        """Two agents with the same weights, side by side."""
        return _perturbed(agent, weights, torch.zeros_like(_flat(weights))[None])

    def updates(self, agent: LearnedAgent, weights: Weights, trials: Trials, memory: Memory) -> Updates:
        """One update, or one per window in which something counts."""
        if trials.groups != 1:
            raise ValueError("evolution strategies perturb one agent, not several side by side")
        self.check(len(trials.keys))
        pairs, sigma = self.settings.pairs, self.settings.sigma
        at_once, group = self.settings.pairs_at_once or pairs, trials.process_group
        chunks = [
            _Chunk(trials, range(first, min(first + at_once, part.stop)), pairs, own=rank == group.rank)
            for rank, part in enumerate(group.parts(pairs))
            for first in part[::at_once]
        ]
        total, done = torch.zeros((), device=trials.keys.device), 0
        for number, steps in enumerate(trials.windows(self.settings.window or trials.horizon)):
            estimate = torch.zeros_like(_flat(weights))  # (n,)
            scores = estimate.new_zeros(2, pairs)  # ups and downs
            for chunk in chunks:
                fresh = chunk.draw(number, estimate)  # (p, n), also of those that another process has
                if chunk.own:
                    perturbed = _perturbed(agent, weights, sigma * fresh)
                    scores[:, chunk.pairs] = chunk.score(perturbed, steps).view(2, -1)
                chunk.perturbation = self.accumulated(fresh, chunk.perturbation)
            scores = group.sum(scores)  # (2, P)
            for chunk in chunks:
                ups, downs = scores[:, chunk.pairs]  # (p,) each
                estimate = estimate + (ups - downs) @ chunk.perturbation / (2 * sigma * pairs)  # (n,)
            total = total + scores.sum() / (2 * pairs)  # ()
            if trials.counts(done, steps):
                weights = yield Update(total[None], _named(estimate, weights), memory)
            done += steps

    def accumulated(self, fresh: Float[Tensor, "p n"], before: Tensor | None) -> Float[Tensor, "p n"]:
        """The perturbations to which a window's losses are put down.

        Args:
            fresh: those of this window.
            before: those of the window before it; None in the first.
        """
        return fresh


class PersistentEvolution(Evolution):
    """Persistent evolution strategies (Vicol, Metz, Sohl-Dickstein 2021, algorithm 2): no bias by windows.

    As evolution strategies with windows, but a window's losses are put down to the sum of all
    perturbations that its pair met since the trial began: with xi = sigma * (u_1 + ... + u_w), the estimate
    after window w is the mean over pairs of d * xi / (2 * sigma ** 2), d the difference of what the two of
    a pair pay in this window for the objective. Summed over the windows of a trial that is unbiased for
    the gradient of the whole objective, if the weights stay as they are; they move between windows, by
    little. Its variance grows with the number of windows. A trial that ends takes its sums with it.
    """

    Settings = PersistentEvolutionSettings
    settings: PersistentEvolutionSettings

    def accumulated(self, fresh: Float[Tensor, "p n"], before: Tensor | None) -> Float[Tensor, "p n"]:
        """All perturbations since the trial began."""
        return fresh if before is None else before + fresh


class _Chunk:
    """Pairs that go side by side through the trials of one outer step.

    Args:
        trials: of the outer step.
        pairs: numbers of the p pairs.
        count: P, how many there are in all.
        own: whether this process has them.

    Attributes:
        pairs: which ones they are.
        draws: the keys under which each pair draws its perturbations.
        perturbation: see `Evolution.accumulated`.
    """

    def __init__(self, trials: Trials, pairs: range, count: int, own: bool) -> None:
        self.pairs, self.own = slice(pairs.start, pairs.stop), own
        self.draws = trials.keys[:count][self.pairs]  # (p, 4)
        share = trials.keys.unflatten(0, (count, -1))[self.pairs]  # (p, B/P, 4)
        if own:
            keys = share.flatten(0, 1).repeat(2, 1)  # (2*B/P*p, 4), first for all ups, then for all downs
            self.trials = trials.others(keys, groups=2 * len(share))
        self.carry: Carry | None = None
        self.perturbation: Tensor | None = None

    def draw(self, window: int, like: Float[Tensor, "n"]) -> Float[Tensor, "p n"]:
        """Standard normal numbers for a window."""
        count, dtype = len(like), str(like.dtype).removeprefix("torch.")
        return keyed_random.normal(self.draws, "estimator/perturbation", count, window * count, dtype)

    @torch.no_grad()
    def score(self, agents: Agent, steps: int) -> Float[Tensor, "m"]:
        """Go on for some steps, and what each of the m = 2p adds to the objective."""
        before = self.trials.start(agents) if self.carry is None else self.carry
        scores, self.carry = self.trials.score(agents, before, steps)
        return scores


def _perturbed(agent: LearnedAgent, weights: Weights, changes: Float[Tensor, "p n"]) -> FunctionalAgent:
    """Agents side by side: with the changes added to the weights, then with the changes taken off."""
    both = _flat(weights) + torch.cat([changes, -changes])  # (2p, n)
    parts = both.split([weight.numel() for weight in weights.values()], dim=1)
    stack = {
        name: part.unflatten(1, weight.shape) if weight.dim() else part[:, 0]  # (2p, ...)
        for (name, weight), part in zip(weights.items(), parts, strict=True)
    }
    # what a policy draws from torch's own generator is the same for all, as trials and noise are for a pair
    return FunctionalAgent(agent, stack, len(both), randomness="same")


def _flat(weights: Weights) -> Float[Tensor, "n"]:
    """All weights in a row."""
    return parameters_to_vector(weights.values()).detach()


def _named(flat: Float[Tensor, "n"], weights: Weights) -> dict[str, Tensor]:
    """A row as long as all weights together, as one tensor per weight."""
    parts = flat.split([weight.numel() for weight in weights.values()])
    return {name: part.view_as(weight) for (name, weight), part in zip(weights.items(), parts, strict=True)}
