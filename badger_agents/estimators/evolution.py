"""Gradients from scores alone: evolution strategies, and persistent ones that see beyond a window."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_agents.agent import Agent, LearnedAgent, Settings
from badger_agents.estimators.base import GradientEstimator, Memory, Update
from badger_agents.estimators.stacked import Stacked
from badger_agents.estimators.trials import Trials
from badger_agents.rollout import Carry
from badger_envs import keyed_random


class EvolutionSettings(Settings):
    """Settings of evolution strategies.

    Attributes:
        pairs: P. Trials are dealt out to the pairs, so that the batch size must be a multiple of it.
        sigma: standard deviation of a perturbation of a weight.
        window: steps of a trial from one update to the next; the first window of an outer step has a
            random part of them. None: the whole trial, and one update.
        pairs_at_once: at most so many pairs live side by side, for memory's sake; None: all.
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

    Perturbed weights theta + sigma * u and theta - sigma * u live through the same trials with the same
    noise. With u standard normal, and d the difference of the two losses, the mean of d * u / (2 * sigma)
    over pairs is an unbiased estimate of the gradient of the objective *smoothed*: of its mean over
    perturbations. The loss that is told is smoothed too.

    With windows shorter than a trial there is an update after each, by what that window contributes to
    the objective. Each window has perturbations of its own, and what they do to later windows is not seen:
    the estimate is biased as truncated backpropagation is. Memory grows neither with the horizon nor
    with the window.

    The numbers u of pair p follow from the key of the p-th trial, stream "estimator/perturbation": they
    depend neither on the device nor on how many pairs live at once.
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

    def as_lived(self, agent: LearnedAgent) -> Agent:
        """Two agents with the same weights, side by side."""
        return _perturbed(agent, torch.zeros_like(_flat(agent))[None])

    def updates(self, agent: LearnedAgent, trials: Trials, state: Memory) -> Iterator[Update]:
        """One update, or one per window in which something counts."""
        if trials.groups != 1:
            raise ValueError("evolution strategies perturb one agent, not several side by side")
        self.check(len(trials.keys))
        pairs, sigma = self.settings.pairs, self.settings.sigma
        at_once, team = self.settings.pairs_at_once or pairs, trials.team
        crews = [
            _Crew(trials, range(first, min(first + at_once, part.stop)), pairs, lives=rank == team.rank)
            for rank, part in enumerate(team.parts(pairs))
            for first in part[::at_once]
        ]
        total, done = torch.zeros((), device=trials.keys.device), 0
        for number, steps in enumerate(trials.windows(self.settings.window or trials.horizon)):
            estimate = torch.zeros_like(_flat(agent))  # (n,)
            scores = estimate.new_zeros(2, pairs)  # ups and downs
            for crew in crews:
                fresh = crew.draw(number, estimate)  # (p, n), also of those who live in another process
                if crew.lives:
                    scores[:, crew.pairs] = crew.live(_perturbed(agent, sigma * fresh), steps).view(2, -1)
                crew.blamed = self.blamed(fresh, crew.blamed)
            scores = team.sum(scores)  # (2, P)
            for crew in crews:
                ups, downs = scores[:, crew.pairs]  # (p,) each
                estimate = estimate + (ups - downs) @ crew.blamed / (2 * sigma * pairs)  # (n,)
            total = total + scores.sum() / (2 * pairs)  # ()
            if trials.judged(done, steps):
                yield Update(total[None], _split(estimate, agent), state)
            done += steps

    def blamed(self, fresh: Float[Tensor, "p n"], before: Tensor | None) -> Float[Tensor, "p n"]:
        """The perturbations to which a window's losses are put down.

        Args:
            fresh: those of this window.
            before: those blamed for the window before it; None in the first.
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

    def blamed(self, fresh: Float[Tensor, "p n"], before: Tensor | None) -> Float[Tensor, "p n"]:
        """All perturbations since the trial began."""
        return fresh if before is None else before + fresh


class _Crew:
    """Pairs that live side by side through the trials of one outer step.

    Args:
        trials: of the outer step.
        pairs: numbers of the p pairs.
        count: P, how many there are in all.
        lives: whether they live in this process.

    Attributes:
        pairs: which ones they are.
        draws: the keys under which each pair draws its perturbations.
        blamed: see `Evolution.blamed`.
    """

    def __init__(self, trials: Trials, pairs: range, count: int, lives: bool) -> None:
        self.pairs, self.lives = slice(pairs.start, pairs.stop), lives
        self.draws = trials.keys[:count][self.pairs]  # (p, 4)
        share = trials.keys.unflatten(0, (count, -1))[self.pairs]  # (p, B/P, 4)
        if lives:
            keys = share.flatten(0, 1).repeat(2, 1)  # (2*B/P*p, 4), first for all ups, then for all downs
            self.trials = trials.others(keys, groups=2 * len(share))
        self.life: Carry | None = None
        self.blamed: Tensor | None = None

    def draw(self, window: int, like: Float[Tensor, "n"]) -> Float[Tensor, "p n"]:
        """Standard normal numbers for a window."""
        count, dtype = len(like), str(like.dtype).removeprefix("torch.")
        return keyed_random.normal(self.draws, "estimator/perturbation", count, window * count, dtype)

    @torch.no_grad()
    def live(self, agents: Agent, steps: int) -> Float[Tensor, "m"]:
        """Live on, and what each of the m = 2p pays for it."""
        before = self.trials.begin(agents) if self.life is None else self.life
        scores, self.life = self.trials.score(agents, before, steps)
        return scores


def _perturbed(agent: LearnedAgent, changes: Float[Tensor, "p n"]) -> Stacked:
    """Agents side by side: with the changes added to the weights, then with the changes taken off."""
    weights, first = {}, 0
    for name, weight in agent.named_parameters():
        change = changes[:, first : first + weight.numel()].view(-1, *weight.shape)  # (p, ...)
        weights[name] = weight.detach() + torch.cat([change, -change])  # (2p, ...)
        first += weight.numel()
    # what a policy draws from torch's own generator is the same for all, as trials and noise are for a pair
    return Stacked(agent, weights, randomness="same")


def _flat(agent: LearnedAgent) -> Float[Tensor, "n"]:
    """All weights in a row."""
    return torch.cat([weight.detach().flatten() for weight in agent.parameters()])


def _split(flat: Float[Tensor, "n"], agent: LearnedAgent) -> tuple[Tensor, ...]:
    """A row as long as all weights together, as one tensor per weight."""
    weights = list(agent.parameters())
    parts = flat.split([weight.numel() for weight in weights])
    return tuple(part.view_as(weight) for part, weight in zip(parts, weights, strict=True))
