"""A bandit by Stable-Baselines3: PPO without memory, and sb3-contrib's RecurrentPPO, which is RL².

    python examples/sb3_recurrent_ppo.py

Both see the same through `gym.make`: what they pulled last, what it paid, and whether a trial starts. One
Gymnasium episode is one trial, so that the LSTM's state is reset exactly where a new bandit begins, and
what is learned within a trial is learned by that state alone. Without memory the best that can be done is to
stay with an arm that paid and to leave one that did not. It takes some minutes on one core (`--quick`:
under a minute, which is too little to learn much), and needs `pip install sb3-contrib`.
"""

import argparse
import time
from typing import Any

import gymnasium as gym
import numpy as np
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

import badger_envs  # noqa: F401  registers the environments
from badger_envs.wrappers import RL2Observation

ID = "Badger/Bandit-k5-n100-v0"
PULLS = 100


def envs(number: int, **settings: Any) -> DummyVecEnv:
    """Environments side by side, each with trials of its own."""
    return DummyVecEnv([lambda: RL2Observation(gym.make(ID, **settings))] * number)


def train(algorithm: type[Any], policy: str, seed: int, steps: int, number: int) -> Any:
    """PPO with updates from whole trials; returns the model."""
    settings = {"policy_kwargs": {"lstm_hidden_size": 64}} if algorithm is RecurrentPPO else {}
    model = algorithm(
        policy,
        envs(number),
        n_steps=PULLS,
        batch_size=PULLS * number // 4,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=0.97,
        ent_coef=0.01,
        seed=seed,
        device="cpu",
        **settings,
    )
    return model.learn(steps)


def earned(model: Any, trials: int) -> tuple[float, float]:
    """Mean total reward of test trials, actions drawn, and its standard error."""
    side_by_side = 100
    rows = envs(side_by_side, split="test")
    rows.seed(0)
    totals = []
    for _ in range(trials // side_by_side):
        observations, state, total = rows.reset(), None, np.zeros(side_by_side)
        starts = np.ones(side_by_side, dtype=bool)
        for _ in range(PULLS):
            actions, state = model.predict(observations, state=state, episode_start=starts)
            observations, rewards, starts, _ = rows.step(actions)
            total += rewards
        totals.append(total)
    every = np.concatenate(totals)
    return float(every.mean()), float(every.std() / np.sqrt(len(every)))


def main() -> None:
    """Train both, and print what they earn of 100 pulls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of PPO and of the training trials (default 0)")
    parser.add_argument("--steps", type=int, default=1_000_000, help="of all environments (default 1000000)")
    parser.add_argument("--envs", type=int, default=64, help="environments side by side (default 64)")
    parser.add_argument("--trials", type=int, default=2_000, help="test trials (default 2000)")
    parser.add_argument("--quick", action="store_true", help="20,000 steps, 200 test trials")
    arguments = parser.parse_args()
    steps, trials = (20_000, 200) if arguments.quick else (arguments.steps, arguments.trials)
    print("algorithm     total reward  (se over trials)  seconds")
    for algorithm, policy in ((PPO, "MlpPolicy"), (RecurrentPPO, "MlpLstmPolicy")):
        start = time.perf_counter()
        model = train(algorithm, policy, arguments.seed, steps, arguments.envs)
        seconds = time.perf_counter() - start
        mean, error = earned(model, trials)
        print(f"{algorithm.__name__:12}  {mean:12.2f}  {error:16.2f}  {seconds:7.0f}")


if __name__ == "__main__":
    main()
