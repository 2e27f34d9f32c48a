"""What the agent's benchmark times: whole outer steps, and large matrix products to judge them by."""

import dataclasses
from typing import Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from badger_agents.badger.agent import BadgerAgent, BadgerSettings
from badger_agents.estimators import make_estimator
from badger_agents.estimators.objectives import last_step
from badger_agents.estimators.trials import Trials
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from leaderboards.bench.faces import finished
from leaderboards.bench.timing import Cycle

PRODUCTS = 4
"""Matrix products in a cycle, so that a GPU is not asked after each whether it is done."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much work an outer step is; the defaults are the paper's.

    Attributes:
        horizon: steps of a trial, T.
        hidden_size: numbers in an expert's state, H.
        membrane: the agent's membrane.
        batch_size: trials side by side, B.
        experts: E.
        dims: hidden numbers of the guessing game, d.
    """

    horizon: int = 20
    hidden_size: int = 64
    membrane: Literal["hardwired", "attentional"] = "attentional"
    batch_size: int = 100
    experts: int = 20
    dims: int = 3


class OuterStep:
    """Outer steps as `badger train` makes them: new tasks, trials, gradient, clipping, Adam.

    Args:
        sizes: how much work they are.
        device: a torch device.

    Raises:
        ValueError: the family or the agent refuses the sizes.
    """

    def __init__(self, sizes: Sizes, device: str) -> None:
        self.batch_size, self.device = sizes.batch_size, device
        self.family = GuessingGame(dims=sizes.dims, horizon=sizes.horizon)
        settings = BadgerSettings(
            experts=sizes.experts,
            membrane=sizes.membrane,
            policy_settings={"hidden_size": sizes.hidden_size},
        )
        self.agent = BadgerAgent(self.family, settings).to(device)
        self.parameters = list(self.agent.parameters())
        self.optimiser = torch.optim.Adam(self.parameters, lr=1e-3)
        self.estimator = make_estimator("backpropagation", {})
        self.step = 0

    def __call__(self) -> int:
        """One outer step; returns 1 once the device has done it."""
        keys = keyed_random.outer_keys(0, self.step, self.batch_size, like=self.parameters[0])  # (B, 4)
        trials = Trials(self.family, keys, last_step, draw_key=keyed_random.outer_keys(0, self.step, 1))
        for update in self.estimator.updates(self.agent, trials, {}):
            norm = torch.nn.utils.get_total_norm(update.gradients)
            torch.cat([update.loss, norm[None]]).tolist()  # the outer loop looks at them too
            for parameter, gradient in zip(self.parameters, update.gradients, strict=True):
                parameter.grad = gradient
            torch.nn.utils.clip_grads_with_norm_(self.parameters, 1.0, norm)
            self.optimiser.step()
        self.step += 1
        return finished(1, self.device)


def operations(outer_step: OuterStep) -> int:
    """Floating-point operations in the matrix products of one outer step, counted as it runs.

    A multiplication and an addition are two. What is done number by number (activations, softmax, Adam)
    is not counted, so that the rate which follows from it is a lower bound.
    """
    with FlopCounterMode(display=False) as counter:
        outer_step()
    return counter.get_total_flops()


def matrix_cycle(size: int, device: str) -> Cycle:
    """Products of two float32 matrices [size, size]; returns how many, once the device has done them."""
    first, second, product = (torch.rand(size, size, device=device) for _ in range(3))

    def cycle() -> int:
        for _ in range(PRODUCTS):
            torch.mm(first, second, out=product)
        return finished(PRODUCTS, device)

    return cycle


def matrix_operations(size: int) -> int:
    """Floating-point operations of one product of two matrices [size, size]."""
    return 2 * size**3
