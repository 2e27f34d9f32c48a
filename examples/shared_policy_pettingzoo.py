"""Experts that share one policy learn to talk: PPO of Stable-Baselines3 on the PettingZoo face.

    python examples/shared_policy_pettingzoo.py

Two experts see one bit each and must both answer whether the bits differ (`Badger/XOR-2-v0`): alone, no
policy is right more than half of the time. They act twice: a message sent with the first action is heard
before the second, which is the answer. The same training is run with a channel and without; it takes
about a minute on one core, and needs `pip install stable-baselines3`.
"""

import argparse
import time
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from badger_envs.faces.pettingzoo import FamilyParallelEnv, xor_2_v0


class ExpertsAsRows(VecEnv):
    """Every expert of every environment is one row, so that one policy plays them all.

    Args:
        envs: parallel environments whose agents all have the same spaces and end together.
        seed: environment i starts from seed + i and goes on with the trials of that seed.
    """

    def __init__(self, envs: list[FamilyParallelEnv], seed: int) -> None:
        self.envs, self.agents, self._seed = envs, envs[0].possible_agents, seed
        first = self.agents[0]
        super().__init__(
            len(envs) * len(self.agents), envs[0].observation_space(first), envs[0].action_space(first)
        )

    def reset(self) -> np.ndarray:
        """Start all environments: [rows, numbers]."""
        rows = [env.reset(seed=self._seed + i)[0] for i, env in enumerate(self.envs)]
        return np.stack([row[agent] for row in rows for agent in self.agents])

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions of all rows."""
        self._actions = actions.reshape(len(self.envs), len(self.agents), -1)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Step all environments; one that ended starts its next trial, as SB3 has it."""
        seen, rewards, dones, infos = [], [], [], []
        for env, actions in zip(self.envs, self._actions, strict=True):
            observations, reward, ended, cut, info = env.step(dict(zip(self.agents, actions, strict=True)))
            last = observations
            if not env.agents:
                observations, _ = env.reset()
            for agent in self.agents:
                seen.append(observations[agent])
                rewards.append(reward[agent])
                dones.append(ended[agent] or cut[agent])
                infos.append(
                    {**info[agent], "terminal_observation": last[agent]} if dones[-1] else info[agent]
                )
        return np.stack(seen), np.array(rewards, np.float32), np.array(dones), infos

    def close(self) -> None:
        """Close all environments."""
        for env in self.envs:
            env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of every row's environment."""
        return [getattr(self.envs[i // len(self.agents)], attr_name) for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not supported: environments are shared by rows."""
        raise NotImplementedError("rows share their environments")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Not supported: environments are shared by rows."""
        raise NotImplementedError("rows share their environments")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No row's environment is wrapped."""
        return [False for _ in self._get_indices(indices)]


def accuracy(model: PPO, topology: str, trials: int = 5000) -> tuple[float, float]:
    """Fraction of right answers on trials that training never saw, without exploration; standard error."""
    env = xor_2_v0.parallel_env(horizon=2, split="test", message_size=1, topology=topology)
    right = []
    for trial in range(trials):
        observations, _ = env.reset(seed=0 if trial == 0 else None)
        while env.agents:
            actions, _ = model.predict(np.stack([*observations.values()]), deterministic=True)
            observations, *_, infos = env.step(dict(zip(env.agents, actions, strict=True)))
        right.append(infos["expert_0"]["accuracy"])
    return float(np.mean(right)), float(np.std(right) / np.sqrt(trials))


def train(topology: str, seed: int, steps: int) -> PPO:
    """PPO on the rows of 32 environments."""
    envs = [xor_2_v0.parallel_env(horizon=2, message_size=1, topology=topology) for _ in range(32)]
    model = PPO(
        "MlpPolicy",
        ExpertsAsRows(envs, 1000 * seed),
        n_steps=32,
        batch_size=512,
        n_epochs=10,
        learning_rate=1e-3,
        gamma=1.0,
        gae_lambda=1.0,
        seed=seed,
        device="cpu",
    )
    return model.learn(steps)


def main() -> None:
    """Train with and without the channel, and print what each has reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of PPO and of the training trials (default 0)")
    parser.add_argument("--steps", type=int, default=150_000, help="steps of all experts (default 150000)")
    arguments = parser.parse_args()
    print("topology  accuracy  (se over trials)  seconds")
    for topology in ("all", "none"):
        start = time.perf_counter()
        model = train(topology, arguments.seed, arguments.steps)
        seconds = time.perf_counter() - start
        mean, error = accuracy(model, topology)
        print(f"{topology:8}  {mean:8.3f}  {error:16.3f}  {seconds:7.0f}")


if __name__ == "__main__":
    main()
