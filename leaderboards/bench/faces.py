"""What the environments' benchmark plays: each face, and what it is judged by, as cycles to time."""

from collections.abc import Iterator

import gymnasium as gym
import torch
from torch import Tensor

import badger_envs
from badger_envs import Family, family_of
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from leaderboards.bench import bare_loops
from leaderboards.bench.timing import Cycle

CARTPOLE = "CartPole-v1"
"""What the Gymnasium faces are judged by."""

CYCLE = 100
"""Calls of `step` in a cycle of an environment that goes on by itself."""


def single_cycle(id: str) -> Cycle:
    """`gym.make`: steps with actions drawn before, `reset` whenever a trial has ended."""
    env = gym.make(id)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(CYCLE)]
    env.reset(seed=0)

    def cycle() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return CYCLE

    return cycle


def vector_cycle(id: str, envs: int) -> Cycle:
    """`gym.make_vec`, the native vector environment, with actions drawn before."""
    vector = gym.make_vec(id, num_envs=envs, vectorization_mode="vector_entry_point")
    vector.action_space.seed(0)
    actions = [vector.action_space.sample() for _ in range(CYCLE)]
    vector.reset(seed=0)

    def cycle() -> int:
        for action in actions:
            vector.step(action)
        return CYCLE * envs

    return cycle


def torch_cycle(id: str, envs: int, device: str) -> Cycle:
    """`make_batched`: whole trials, the draw of their tasks included."""
    env = badger_envs.make_batched(id, envs, device)
    actions = torch_actions(env.family, envs, device)
    env.reset(seed=0)

    def cycle() -> int:
        env.reset()
        for action in actions:
            env.step(action)
        return finished(len(actions) * envs, device)

    return cycle


def bare_cycle(id: str, envs: int, device: str) -> Cycle:
    """The bare torch loop of the same family and settings, on new tasks every trial."""
    family = family_of(id)
    actions = torch_actions(family, envs, device)

    def cycle() -> int:
        for _ in bare_trial(family, actions):
            pass
        return finished(len(actions) * envs, device)

    return cycle


def bare_trial(family: Family, actions: Tensor) -> Iterator[bare_loops.Shown]:
    """A trial of the bare loop on new tasks, for a family that `has_bare_loop`.

    Args:
        family: the family.
        actions: from `torch_actions`.
    """
    shape, device = (actions.shape[1], family.slots.outputs), actions.device
    if isinstance(family, GuessingGame):
        return bare_loops.guessing_game(2 * torch.rand(shape, device=device) - 1, actions)
    noise = torch.rand(shape[0], family.horizon, device=device)
    return bare_loops.bandit(torch.rand(shape, device=device), noise, actions)


def has_bare_loop(family: Family) -> bool:
    """Whether a bare loop plays what the family plays: a fixed size, and defaults but for the horizon."""
    if isinstance(family, GuessingGame):
        plain = isinstance(family.dims, int)
        return plain and family == GuessingGame(dims=family.dims, horizon=family.horizon)
    if isinstance(family, Bandit):
        plain = not isinstance(family.arms, tuple)
        return plain and family == Bandit(arms=family.arms, horizon=family.horizon)
    return False


def torch_actions(family: Family, envs: int, device: str) -> Tensor:
    """Random actions of a whole trial: [T, B, O] in [-1, 1], or int64 [T, B] for a categorical action."""
    shape = (family.horizon, envs)
    outputs = family.slots.outputs
    if family.action_kind == "categorical":
        return torch.randint(outputs, shape, device=device)
    return 2 * torch.rand(*shape, outputs, device=device, dtype=getattr(torch, family.dtype)) - 1


def finished(steps: int, device: str) -> int:
    """`steps`, once the device has done them."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return steps
