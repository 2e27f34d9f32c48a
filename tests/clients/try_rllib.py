"""RLlib: PPO by string id in remote workers, with an LSTM, on PettingZoo's faces with one shared policy."""

from typing import Any

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv
from ray.tune.registry import register_env


def parallel(settings: dict[str, Any]) -> ParallelPettingZooEnv:
    """Made in the worker, which has to import the package by itself."""
    from badger_envs.faces.pettingzoo import xor_2_v0

    return ParallelPettingZooEnv(xor_2_v0.parallel_env(**settings))


def one_by_one(settings: dict[str, Any]) -> PettingZooEnv:
    """The same in turns."""
    from badger_envs.faces.pettingzoo import xor_2_v0

    return PettingZooEnv(xor_2_v0.env(**settings))


def train(env: str, settings: dict[str, Any], shared: bool = False, workers: int = 0, **model: Any) -> None:
    """Two iterations of PPO."""
    config = (
        PPOConfig()
        .environment(env, env_config=settings)
        .env_runners(num_env_runners=workers, num_envs_per_env_runner=1)
        .training(train_batch_size_per_learner=256, minibatch_size=64, num_epochs=1)
        .rl_module(rl_module_spec=RLModuleSpec(model_config=DefaultModelConfig(fcnet_hiddens=[32], **model)))
    )
    if shared:
        config = config.multi_agent(policies={"shared"}, policy_mapping_fn=lambda *_, **__: "shared")
    algorithm = config.build_algo()
    for _ in range(2):
        result = algorithm.train()
    print(env, settings, shared, model, result["env_runners"].get("episode_return_mean"), flush=True)
    algorithm.stop()


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=True)
flat = {"observation": "flat"}
train("badger_envs:Badger/XOR-2-v0", flat)
train("badger_envs:Badger/Bandit-k5-n10-v0", {"observation": "rl2"}, workers=1)
train("badger_envs:Badger/GuessingGame-v0", flat)
train("badger_envs:Badger/Bandit-k5-n10-v0", {"observation": "rl2"}, use_lstm=True, max_seq_len=10)
register_env("xor", parallel)
train("xor", {"message_size": 1}, shared=True)
register_env("xor-aec", one_by_one)
train("xor-aec", {"message_size": 1}, shared=True)
ray.shutdown()
