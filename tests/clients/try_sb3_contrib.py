"""sb3-contrib: RecurrentPPO on RL²'s observation, MaskablePPO on bandits, others where spaces allow."""

import gymnasium as gym
import numpy as np
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ, MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from sb3_contrib.common.maskable.utils import get_action_masks
from stable_baselines3.common.env_util import make_vec_env

import badger_envs

gym.register_envs(badger_envs)
BANDIT = "Badger/Bandit-sizes-v0"  # 2 to 10 arms of 19: the mask matters

for id in ("Badger/Bandit-k5-n10-v0", "Badger/GuessingGame-v0", "Badger/XOR-v0"):
    envs = make_vec_env(id, n_envs=2, env_kwargs={"observation": "rl2"})
    RecurrentPPO("MlpLstmPolicy", envs, n_steps=64, seed=0, device="cpu").learn(256)
    RecurrentPPO("MultiInputLstmPolicy", id, n_steps=64, seed=0, device="cpu").learn(128)

for settings, policy in (({}, "MultiInputPolicy"), ({"observation": "flat"}, "MlpPolicy")):
    env = gym.make(BANDIT, **settings)
    observation, info = env.reset(seed=0)
    np.testing.assert_array_equal(env.unwrapped.action_masks(), info["action_mask"].astype(bool))
    model = MaskablePPO(policy, env, n_steps=128, seed=0, device="cpu").learn(512)
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        mask = get_action_masks(env)
        assert mask[model.predict(observation, action_masks=mask)[0]], "an arm that is not there was pulled"
    print("MaskablePPO", evaluate_policy(model, env, n_eval_episodes=3))
model = MaskablePPO("MultiInputPolicy", make_vec_env(BANDIT, n_envs=3), n_steps=64, device="cpu").learn(256)

for algorithm, id in (
    (TRPO, "Badger/GuessingGame-v0"),
    (TQC, "Badger/HotCold-v0"),
    (QRDQN, "Badger/Bandit-k5-n10-v0"),
    (CrossQ, "Badger/HotCold-v0"),
    (ARS, "Badger/XOR-2-v0"),
):
    algorithm("MlpPolicy", gym.make(id, observation="flat"), seed=0, device="cpu").learn(300)
    print(algorithm.__name__, id)
