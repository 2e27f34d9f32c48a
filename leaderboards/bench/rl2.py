"""What the benchmark of RL² times: our policy gradient and sb3-contrib's RecurrentPPO on one bandit."""

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium as gym

from badger_agents.recipe.loading import Recipe, load_recipe
from badger_envs.wrappers import RL2Observation
from leaderboards.bench.outer import StageSteps
from leaderboards.bench.timing import Cycle

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
    table["agent"] |= {"hidden_size": sizes.hidden_size, "core": sizes.core, "feedback_to": "all"}
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
