"""Stable-Baselines3: its checker on all ids, five algorithms, saving, vector environments of both kinds."""

import warnings

import gymnasium as gym
import numpy as np
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

import badger_envs

if __name__ == "__main__":
    gym.register_envs(badger_envs)
    ids = [id for id in gym.registry if id.startswith("Badger/")]
    for id in ids:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(gym.make(id), warn=True)
    print(f"check_env: {len(ids)} ids")

    for algorithm, id in (
        (PPO, "Badger/GuessingGame-v0"),
        (PPO, "Badger/Bandit-k5-n10-v0"),
        (PPO, "Badger/HotCold-sizes-v0"),
        (A2C, "Badger/VariableIO-v0"),
        (A2C, "Badger/Bandit-sizes-v0"),
        (SAC, "Badger/HotCold-v0"),
        (TD3, "Badger/XOR-2-v0"),
        (DQN, "Badger/Bandit-k5-n10-v0"),
    ):
        for settings, policy in (({}, "MultiInputPolicy"), ({"observation": "flat"}, "MlpPolicy")):
            small = {"n_steps": 64} if algorithm is PPO else {}
            model = algorithm(policy, gym.make(id, **settings), seed=0, device="cpu", **small)
            model.learn(128)
            model.save("model.zip")
            again = algorithm.load("model.zip", env=gym.make(id, **settings), device="cpu")
            observation = gym.make(id, **settings).reset(seed=0)[0]
            first, second = (m.predict(observation, deterministic=True)[0] for m in (model, again))
            np.testing.assert_array_equal(first, second)
            mean, deviation = evaluate_policy(again, again.get_env(), n_eval_episodes=3)
            assert np.isfinite([mean, deviation]).all()
            again.learn(64, reset_num_timesteps=False)
            print(algorithm.__name__, id, settings, mean)

    for kind in (DummyVecEnv, SubprocVecEnv):
        envs = make_vec_env("badger_envs:Badger/XOR-2-v0", n_envs=2, vec_env_cls=kind, seed=0)
        PPO("MultiInputPolicy", envs, n_steps=32, device="cpu").learn(128)
        envs.close()

    model = PPO(
        "MultiInputPolicy", make_vec_env("Badger/XOR-2-v0", n_envs=2), n_steps=32, device="cpu"
    ).learn(256)
    episodes = list(model.ep_info_buffer)
    assert episodes, "no episode was seen to end"
    assert len(model.ep_success_buffer) == len(episodes), "is_success is missing in the info of an end"
