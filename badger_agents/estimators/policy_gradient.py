"""Policy gradients for actions that are drawn: whole trials, advantages, clipped epochs."""

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor

from badger_agents.action_distribution import entropy, log_probability
from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators.advantages import advantages, centred, spread_of
from badger_agents.estimators.base import (
    GradientEstimator,
    Memory,
    Update,
    Updates,
    Weights,
    gradients_of,
    leaves,
)
from badger_agents.estimators.trajectories import draw_trials, replay
from badger_agents.estimators.trials import Trials
from badger_agents.estimators.value import ValueNetwork
from badger_agents.functional import FunctionalAgent


class PolicyGradientSettings(Settings):
    """Settings of the policy gradient.

    Attributes:
        discount: what a reward counts one step earlier, gamma.
        discount_start: the same in the first outer step, from where it goes to `discount` linearly. Credit of
            the next few steps alone is biased and has little noise: enough to learn first to use what is
            known. None: it is `discount` all the time.
        discount_steps: outer steps over which it does so.
        gae_lambda: lambda of generalised advantage estimation (Schulman et al. 2016): at 1 all that a trial
            earned from a step on is credited to that step's action, below 1 the value network's word for what
            comes later is taken, the more the lower.
        value_size: hidden numbers of a network that learns what is still to come, from the experts' states;
            0: none, trials are then compared with the mean of the batch at the same step.
        value_rate: learning rate of that network's Adam.
        expected_reward: take what the family's `expected_reward` says of each choice, less that of the best,
            in place of what chance paid, and at the step itself the exact gradient over all choices.
        scaled: divide advantages, step by step, by their spread in the batch. It makes steps count alike and
            is not the gradient of the objective any more.
        entropy: weight of the entropy of the draws, in units of scaled advantages.
        entropy_steps: outer steps over which that weight falls to 0, linearly; None: it stays.
        epochs: how often an outer step's trials are gone through.
        minibatches: updates per epoch, each of whole trials.
        clip: by how much a probability's ratio to that of the draw may leave 1 (PPO, Schulman et al. 2017).
    """

    discount: float = Field(default=0.97, ge=0, le=1)
    discount_start: float | None = Field(default=None, ge=0, le=1)
    discount_steps: int = Field(default=1, ge=1)
    gae_lambda: float = Field(default=1.0, ge=0, le=1)
    value_size: int = Field(default=0, ge=0)
    value_rate: float = Field(default=2e-3, gt=0, allow_inf_nan=False)
    expected_reward: bool = False
    scaled: bool = True
    entropy: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    entropy_steps: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=1, ge=1)
    minibatches: int = Field(default=1, ge=1)
    clip: float = Field(default=0.2, gt=0, allow_inf_nan=False)


class PolicyGradient(GradientEstimator):
    """What raises the probability of actions that earned more than is usual (Williams 1992; PPO).

    For categorical actions, binary ones that are drawn (`writing = "score"`), and continuous ones with
    noise. Trials are drawn first, and agents then see again what they saw, whole trials at once where they
    can (`LearnedAgent.unroll`), with the weights of the moment; but where an agent can only go step by step,
    and there is one epoch of one minibatch, the gradient is that of the trials as they are drawn. What
    counts is the reward of each step, weighted as the objective weights its loss.

    Its memory holds the value network and that one's optimiser's state.
    """

    Settings = PolicyGradientSettings
    through_actions = False
    reads = ("logits", "choice")

    def __init__(self, settings: PolicyGradientSettings) -> None:
        super().__init__(settings)
        self.set = settings
        self.network = ValueNetwork(settings.value_size, settings.value_rate) if settings.value_size else None
        self.one_pass = settings.epochs == settings.minibatches == 1
        self.stackable = self.one_pass  # minibatches are dealt out by torch's generator

    def check(self, batch_size: int) -> None:
        """ValueError if the trials cannot be cut into minibatches."""
        if batch_size % self.set.minibatches:
            raise ValueError(f"{self.set.minibatches} minibatches of {batch_size} trials cannot be equal")

    def updates(self, agent: LearnedAgent, weights: Weights, trials: Trials, memory: Memory) -> Updates:
        """One update for each minibatch of each epoch."""
        kind, groups = trials.family.action_kind, trials.groups
        weights = leaves(weights)
        acting = FunctionalAgent(agent, weights, trials.stack)
        at_once = self.one_pass and not acting.sequence_major
        with torch.set_grad_enabled(at_once):
            drawn = acting.run(draw_trials, trials, self.set.expected_reward, self.network is not None)
        values = drawn.reward.detach() * 0  # (T, B)
        if self.network is not None:
            keys = trials.keys.unflatten(0, (groups, -1))[:, 0]  # (G, 4)
            memory, values = self.network.values(memory, drawn.states, keys)
        discount = self._discount(trials.outer_step)
        advantage = advantages(drawn.reward, values, discount, self.set.gae_lambda)  # (T, B)
        if self.network is not None:
            memory = self.network.learn(memory, drawn.states, advantage + values, groups)
        later = advantage
        if self.set.expected_reward:  # the step's own part is exact, and so not credited to chance again
            own = (drawn.logits.detach().softmax(-1) * drawn.each).sum(-1)  # (T, B)
            later = advantage - drawn.reward + (own if self.network is not None else 0)
        later, spread = centred(later, groups), spread_of(advantage, groups)  # (T, B), (T, B)
        scale = spread if self.set.scaled else torch.ones_like(spread)  # (T, B)
        later = later / scale  # (T, B)
        entropy_weight = self._entropy_weight(trials.outer_step)
        old = log_probability(kind, drawn.logits, drawn.mask, drawn.choice).detach()  # (T, B)
        for rows in self._minibatches(len(trials.keys), groups, old.device):
            logits, penalty = drawn.logits, drawn.loss.sum()
            if not at_once:
                logits, penalty = acting.run(replay, trials, drawn.observations, rows)
            logs = log_probability(kind, logits, drawn.mask[:, rows], drawn.choice[:, rows])
            ratio = (logs - old[:, rows]).exp()  # (T, b)
            credit = later[:, rows]  # (T, b)
            bounded = ratio.clamp(1 - self.set.clip, 1 + self.set.clip)
            aim = torch.minimum(ratio * credit, bounded * credit)  # (T, b)
            if self.set.expected_reward:
                aim = aim + (logits.softmax(-1) * drawn.each[:, rows]).sum(-1) / scale[:, rows]
            if self.set.entropy:
                aim = aim + entropy_weight * entropy(kind, logits, drawn.mask[:, rows])
            loss = penalty - groups * aim.mean()
            weights = leaves((yield Update(drawn.loss.detach(), gradients_of(loss, weights), memory)))
            acting = FunctionalAgent(agent, weights, trials.stack)

    def _entropy_weight(self, outer_step: int) -> float:
        """What entropy counts in an outer step."""
        over = self.set.entropy_steps
        return self.set.entropy * (1.0 if over is None else max(0.0, 1 - outer_step / over))

    def _discount(self, outer_step: int) -> float:
        """Of an outer step."""
        if self.set.discount_start is None:
            return self.set.discount
        gone = min(1.0, outer_step / self.set.discount_steps)
        return self.set.discount_start + gone * (self.set.discount - self.set.discount_start)

    def _minibatches(self, rows: int, groups: int, device: torch.device) -> Iterator[Tensor | slice]:
        """Which trials each update is of: in every epoch another deal, alike in all groups."""
        if self.one_pass:  # all of them, in their order
            yield slice(None)
            return
        for _ in range(self.set.epochs):
            for part in torch.randperm(rows // groups, device="cpu").chunk(
                self.set.minibatches
            ):  # of torch's generator
                starts = torch.arange(groups, device="cpu") * (rows // groups)  # (G,)
                yield (starts[:, None] + part).flatten().to(device)  # (b,)
