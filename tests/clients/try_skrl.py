"""skrl (its networks take no dict): PPO on one Box, single and vector; IPPO without a wrapper."""

from typing import Any

import gymnasium as gym
from skrl.envs.wrappers.torch import wrap_env
from skrl.utils.runner.torch import Runner

import badger_envs
from badger_envs.faces import pettingzoo as faces

gym.register_envs(badger_envs)
NETWORK = [{"name": "net", "input": "OBSERVATIONS", "layers": [32], "activations": "tanh"}]


def train(env: Any, agent: str, policy: str = "GaussianMixin") -> None:
    """A short run of a PPO whose actions are not clipped."""
    more = {}
    if agent == "IPPO":  # skrl 2.1.1 takes its own empty default for one with the wrong agents
        more["learning_rate_scheduler_kwargs"] = {expert: {} for expert in env.possible_agents}
    settings = {
        "seed": 0,
        "models": {
            "separate": True,
            "policy": {"class": policy, "network": NETWORK, "output": "ACTIONS"},
            "value": {"class": "DeterministicMixin", "network": NETWORK, "output": "ONE"},
        },
        "memory": {"class": "RandomMemory", "memory_size": -1},
        "agent": {
            "class": agent,
            "rollouts": 20,
            "experiment": {"write_interval": 0, "checkpoint_interval": 0},
            **more,
        },
        "trainer": {"class": "SequentialTrainer", "timesteps": 200, "disable_progressbar": True},
    }
    Runner(wrap_env(env), settings).run()


for settings in ({"observation": "flat"}, {"observation": "rl2"}):
    train(gym.make("Badger/GuessingGame-v0", **settings), "PPO")
    train(gym.make_vec("Badger/HotCold-v0", num_envs=4, autoreset_mode="SAME_STEP", **settings), "PPO")
    train(gym.make_vec("Badger/HotCold-v0", num_envs=4, **settings), "PPO")
    train(gym.make_vec("Badger/Bandit-v0", num_envs=4, **settings), "PPO", "CategoricalMixin")
train(faces.guessing_game_v0.parallel_env(message_size=2), "IPPO")
train(faces.xor_2_v0.parallel_env(), "IPPO")
