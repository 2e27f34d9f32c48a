"""RL² here against sb3-contrib's RecurrentPPO: `python -m benchmarks.rl2` (needs badger-suite[baselines]).

Both learn on the same bandit, with the same amount of data, epochs and minibatches. Takes a minute;
`--help` has the options.
"""

import dataclasses
import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import torch

from badger_agents.recipe.loading import Recipe, load_recipe
from badger_envs.wrappers import RL2Observation
from benchmarks.outer import StageSteps
from benchmarks.timing import Cycle, compare
from leaderboards.cli import call
from leaderboards.options import check_device
from leaderboards.results import Record, progress_console, record, show

ID = "Badger/Bandit-v0"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """What both have in common.

    Attributes:
        num_envs: trials side by side; an update's data is one whole trial of each.
        arms: of the bandit.
        horizon: pulls in a trial.
        hidden_size: numbers in the memory.
        core: our memory; theirs is an LSTM.
        epochs: how often the data is gone through.
        minibatches: updates per epoch.
    """

    num_envs: int = 128
    arms: int = 5
    horizon: int = 100
    hidden_size: int = 64
    core: str = "lstm"
    epochs: int = 4
    minibatches: int = 4

    @property
    def steps(self) -> int:
        """Environment steps in a cycle."""
        return self.num_envs * self.horizon


def own_recipe(sizes: Sizes) -> Recipe:
    """RL² by reward alone, with a value network as wide as the memory, as theirs has one."""
    table = load_recipe("bandit-rl2").model_dump()
    table["env"] = {"id": ID, "arms": sizes.arms, "horizon": sizes.horizon}
    table["agent"] |= {"hidden_size": sizes.hidden_size, "sequence_model": sizes.core, "feedback_to": "all"}
    table["agent"] |= {"update_bias": 0.0}  # as sb3-contrib's
    learning = {"value_size": sizes.hidden_size, "epochs": sizes.epochs, "minibatches": sizes.minibatches}
    table["training"] |= {"batch_size": sizes.num_envs, "estimator_settings": learning}
    return Recipe.model_validate(table)


def own_cycle(sizes: Sizes, folder: Path, device: str) -> Cycle:
    """An outer step of `badger train`: trials, then all updates. Returns environment steps."""
    steps = StageSteps(own_recipe(sizes), 0, folder, device)

    def cycle() -> int:
        steps()
        return sizes.steps

    return cycle


def their_model(sizes: Sizes, device: str, **settings: Any) -> Any:
    """A RecurrentPPO on `gym.make`, as its documentation has it, in an environment that shows what RL² reads.

    Args:
        sizes: of the data and the network.
        device: a torch device.
        settings: further ones of RecurrentPPO.

    Raises:
        ValueError: it is not installed.
    """
    try:
        from sb3_contrib import RecurrentPPO
        from stable_baselines3.common.vec_env import DummyVecEnv
    except ImportError as error:
        raise ValueError(f"{error}; it needs pip install 'badger-suite[baselines]'") from error

    def made() -> Any:
        return RL2Observation(gym.make(ID, arms=sizes.arms, horizon=sizes.horizon))

    return RecurrentPPO(
        "MlpLstmPolicy",
        DummyVecEnv([made] * sizes.num_envs),
        n_steps=sizes.horizon,
        batch_size=sizes.steps // sizes.minibatches,
        n_epochs=sizes.epochs,
        policy_kwargs={"lstm_hidden_size": sizes.hidden_size},
        device=device,
        seed=0,
        **settings,
    )


def their_cycle(sizes: Sizes, device: str) -> Cycle:
    """A rollout of RecurrentPPO, then all updates. Returns environment steps."""
    model = their_model(sizes, device)

    def cycle() -> int:
        model.learn(sizes.steps, reset_num_timesteps=False)
        return sizes.steps

    return cycle


def rl2(
    *,
    num_envs: int = 128,
    arms: int = 5,
    horizon: int = 100,
    hidden_size: int = 64,
    core: Literal["lstm", "gru"] = "lstm",
    epochs: int = 4,
    minibatches: int = 4,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 60.0,
    json: bool = False,
) -> None:
    """Time training by RL² in turns with sb3-contrib's RecurrentPPO, both on the same bandit.

    Both play one whole trial in each environment, then go through all of it with the same numbers of
    epochs and minibatches. Ours is the recipe bandit-rl2 by reward alone, with an LSTM and a value network,
    on the batched family. Theirs is a RecurrentPPO with its own defaults otherwise (an LSTM each for actor
    and critic), on gym.make with RL2Observation. A step is one step of one environment, learning included;
    values are medians over rounds, the ratio is the median of the rounds' ratios.

    Args:
        num_envs: Trials side by side.
        arms: Arms of the bandit.
        horizon: Pulls in a trial.
        hidden_size: Numbers in the memory.
        core: Our memory; theirs is an LSTM.
        epochs: How often the data is gone through.
        minibatches: Updates per epoch.
        device: Where both compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU for both; if not given, OMP_NUM_THREADS, or 1.
        seconds: About how long the measurement takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    sizes = Sizes(
        num_envs=num_envs,
        arms=arms,
        horizon=horizon,
        hidden_size=hidden_size,
        core=core,
        epochs=epochs,
        minibatches=minibatches,
    )
    before = torch.get_num_threads()
    numbers = [value for value in dataclasses.asdict(sizes).values() if isinstance(value, int)]
    least = min(*numbers, before if threads is None else threads)
    if least < 1 or not 0 < seconds < math.inf:
        raise ValueError(
            "all numbers of `python -m benchmarks.rl2` must be at least 1, and --seconds above 0"
        )
    if num_envs % minibatches:
        raise ValueError(f"--minibatches is {minibatches}: {num_envs} trials cannot be shared alike")
    torch.set_num_threads(threads or before)
    try:
        with tempfile.TemporaryDirectory() as folder, progress_console().status("timing"):
            results = timed(sizes, device, seconds, Path(folder))
    finally:
        torch.set_num_threads(before)
    note = f"device {device}, {threads or before} threads; steps of environments, learning included"
    show(results, as_json=json, title="Speed of training by RL²", note=note)


def timed(sizes: Sizes, device: str, seconds: float, folder: Path) -> list[Record]:
    """Time both in turns; three records."""
    speeds = compare(own_cycle(sizes, folder, device), their_cycle(sizes, device), seconds)
    settings = {"id": ID, **dataclasses.asdict(sizes), "n": len(speeds.subject)}
    return [
        record("steps_per_second", statistics.median(speeds.subject), unit="1/s", **settings),
        record("recurrent_ppo_steps_per_second", statistics.median(speeds.reference), unit="1/s", **settings),
        record("ratio", speeds.ratio, **settings),
    ]


if __name__ == "__main__":
    call(rl2, "python -m benchmarks.rl2", sys.argv[1:])
