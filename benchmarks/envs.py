"""How fast the environments step: `python -m benchmarks.envs`.

Each face is timed in turns with a reference, so that other work of the machine slows both alike: `gym.make`
and `gym.make_vec` with CartPole-v1 made in the same way, the torch face with a bare torch loop of the same
family. The ratio is what counts; steps per second depend on the machine. Takes 24 seconds; `--help` has the
options.
"""

import statistics
import sys
from collections.abc import Iterator
from typing import Any, Literal

import gymnasium as gym
import torch
from rich.progress import track
from torch import Tensor

import badger_envs
from badger_envs import TABLE, Family, family_of
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from benchmarks.timing import Cycle, compare, finished
from leaderboards.cli import call
from leaderboards.options import check_device, check_numbers
from leaderboards.results import Record, progress_console, record, show

Face = Literal["gymnasium", "vector", "torch"]

FACES: tuple[Face, ...] = ("gymnasium", "vector", "torch")

DEFAULT_IDS = ("Badger/GuessingGame-v0", "Badger/Bandit-v0")
"""Those with a bare torch loop to compare with."""

Shown = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The fields of `Observation` in their order; (reward [B], loss [B], terminated bool [B]), empty at first."""


def envs(
    *,
    id: tuple[str, ...] = DEFAULT_IDS,
    face: tuple[Face, ...] = (),
    num_envs: int = 1024,
    batch_size: int = 65_536,
    device: str = "cpu",
    seconds: float = 24.0,
    json: bool = False,
) -> None:
    """Time the environments, in ratios to a reference that is timed in turns with them.

    gym.make and gym.make_vec are judged by CartPole-v1 made in the same way; the torch face by a bare torch
    loop of the same family, which the guessing game and the Bernoulli bandit of fixed size have. One step
    is one step of one environment; values are medians over rounds, ratios medians of the rounds' ratios.

    Args:
        id: Environments, or all for every registered one.
        face: Faces to time; all three if not given, the vector face with --id all.
        num_envs: Sub-environments of the vector face.
        batch_size: Trials of the torch face.
        device: Where the torch face computes: cpu, cuda, cuda:1, ...
        seconds: About how long all measurements take together.
        json: Print the result as one JSON object.
    """
    check_device(device)
    check_numbers(seconds, num_envs=num_envs, batch_size=batch_size)
    ids = [entry.id for entry in TABLE] if "all" in id else list(dict.fromkeys(id))
    faces = face or (("vector",) if "all" in id else FACES)
    bare = {name for name in ids if has_bare_loop(family_of(name))}  # also raises for what is no id of ours
    pairs = [(f, name) for f in dict.fromkeys(faces) for name in ids if f != "torch" or name in bare]
    if not pairs:
        raise ValueError(
            f"{', '.join(ids)}: no bare torch loop to time the torch face against; choose another --face"
        )
    results: list[Record] = []
    for f, name in track(pairs, "timing", console=progress_console(), transient=True):
        number = {"gymnasium": 1, "vector": num_envs, "torch": batch_size}[f]
        results += timed(f, name, number, device, seconds / len(pairs))
    left_out = [name for name in ids if name not in bare] if "torch" in faces else []
    note = f"torch face: device {device}, {torch.get_num_threads()} threads" if "torch" in faces else ""
    note += f"; no bare torch loop for {', '.join(left_out)}" if left_out else ""
    show(results, as_json=json, title="Speed of the environments", note=note)


def timed(face: Face, id: str, number: int, device: str, seconds: float) -> list[Record]:
    """Time `number` environments of one id against their reference; three records."""
    if face == "torch":
        reference = "bare torch loop"
        subject, other = torch_cycle(id, number, device), bare_cycle(id, number, device)
    else:
        reference = CARTPOLE
        subject, other = (
            single_cycle(name) if face == "gymnasium" else vector_cycle(name, number)
            for name in (id, CARTPOLE)
        )
    speeds = compare(subject, other, seconds)
    settings: dict[str, Any] = {"face": face, "id": id, "reference": reference, "envs": number}
    settings |= {"n": len(speeds.subject)}
    return [
        record("steps_per_second", statistics.median(speeds.subject), unit="1/s", **settings),
        record("reference_steps_per_second", statistics.median(speeds.reference), unit="1/s", **settings),
        record("ratio", speeds.ratio, **settings),
    ]


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


def bare_trial(family: Family, actions: Tensor) -> Iterator[Shown]:
    """A trial of the bare loop on new tasks, for a family that `has_bare_loop`.

    Args:
        family: the family.
        actions: from `torch_actions`.
    """
    shape, device = (actions.shape[1], family.slots.outputs), actions.device
    if isinstance(family, GuessingGame):
        return guessing_game(2 * torch.rand(shape, device=device) - 1, actions)
    noise = torch.rand(shape[0], family.horizon, device=device)
    return bandit(torch.rand(shape, device=device), noise, actions)


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


def guessing_game(target: Tensor, actions: Tensor) -> Iterator[Shown]:
    """The guessing game with a fixed number of dims.

    Args:
        target: [B, d], the hidden numbers.
        actions: [T, B, d], what is written at each step.
    """
    horizon, batch, dims = actions.shape
    device = target.device
    one = torch.ones(batch, 1, device=device)
    inputs = one[:, :, None]  # (B, 1, 1)
    mask = torch.ones_like(target)
    weight = mask * 3.0 / dims
    nothing = mask[:, :, None][:, :, :0]  # (B, d, 0)
    error = (weight * target**2).sum(-1)
    flags = torch.tensor([1.0, 0.0, 0.0], device=device).repeat(batch, 1)
    yield (inputs, one, torch.zeros_like(target), mask, error[:, None], nothing, flags), ()
    for time in range(1, horizon + 1):
        action = actions[time - 1]
        miss = action - target
        error = torch.linalg.vecdot(weight * miss, miss)
        outputs = action * mask
        flags = torch.tensor([0.0, 0.0, time / horizon], device=device).repeat(batch, 1)
        terminated = torch.full((batch,), time == horizon, device=device)
        observation = (inputs, one, outputs, mask, error[:, None], nothing, flags)
        yield observation, (-error, error, terminated)


def bandit(mean: Tensor, noise: Tensor, actions: Tensor) -> Iterator[Shown]:
    """The Bernoulli bandit with a fixed number of arms.

    Args:
        mean: [B, K], probabilities of the arms.
        noise: [B, T], uniform in [0, 1): a pull pays where it lies below the arm's probability.
        actions: int64 [T, B], the arm pulled at each step.
    """
    horizon, batch = actions.shape
    arms, device = mean.shape[1], mean.device
    one = torch.ones(batch, 1, device=device)
    inputs = one[:, :, None]  # (B, 1, 1)
    mask = torch.ones_like(mean)
    nothing = mask[:, :, None][:, :, :0]  # (B, K, 0)
    best = mean.max(-1).values
    total, regret = torch.zeros_like(best), torch.zeros_like(best)
    flags = torch.tensor([1.0, 0.0, 0.0], device=device).repeat(batch, 1)
    yield (inputs, one, torch.zeros_like(mean), mask, torch.zeros_like(one), nothing, flags), ()
    rows = torch.eye(arms, device=device)
    first = torch.arange(batch, device=device) * arms
    for time in range(1, horizon + 1):
        action = actions[time - 1]
        pulled = mean.view(-1)[first + action]  # (B,)
        outputs = rows[action] * mask
        reward = (noise[:, time - 1] < pulled).to(mean.dtype)
        total, regret = total + reward, regret + (best - pulled)
        flags = torch.tensor([0.0, 0.0, time / horizon], device=device).repeat(batch, 1)
        terminated = torch.full((batch,), time == horizon, device=device)
        observation = (inputs, one, outputs, mask, reward[:, None], nothing, flags)
        yield observation, (reward, -reward, terminated)


if __name__ == "__main__":
    call(envs, "python -m benchmarks.envs", sys.argv[1:])
