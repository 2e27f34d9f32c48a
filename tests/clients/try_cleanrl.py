"""A script in CleanRL's manner, which knows an id, settings, and one Box: PPO on vector environments.

CleanRL itself installs on Python below 3.11 only. This is its `ppo_continuous_action.py` and its `ppo.py` in
one, as short as it gets: `SyncVectorEnv`, `RecordEpisodeStatistics`, `ClipAction`, and `infos["episode"]`.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn

import badger_envs

gym.register_envs(badger_envs)


def make_env(id: str, settings: dict[str, Any]) -> gym.Env:
    """CleanRL's `make_env`, its normalising wrappers included where actions are continuous."""
    env = gym.wrappers.RecordEpisodeStatistics(gym.make(id, **settings))
    if isinstance(env.action_space, gym.spaces.Box):
        env = gym.wrappers.NormalizeObservation(gym.wrappers.FlattenObservation(env))
        env = gym.wrappers.NormalizeReward(gym.wrappers.ClipAction(env))
    return env


def train(id: str, settings: dict[str, Any], native: bool, steps: int = 64, updates: int = 4) -> None:
    """A few updates of PPO; prints the mean return of the trials that ended."""
    if native:
        envs = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(id, num_envs=4, **settings))
    else:
        envs = gym.vector.SyncVectorEnv([lambda: make_env(id, settings)] * 4)
    continuous = isinstance(envs.single_action_space, gym.spaces.Box)
    width = int(np.prod(envs.single_observation_space.shape))
    size = int(np.prod(envs.single_action_space.shape)) if continuous else int(envs.single_action_space.n)
    actor = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, size))
    critic = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 1))
    deviation = nn.Parameter(torch.zeros(size))
    optimiser = torch.optim.Adam([*actor.parameters(), *critic.parameters(), deviation], lr=2.5e-4)

    def policy(seen: torch.Tensor) -> torch.distributions.Distribution:
        if continuous:
            return torch.distributions.Independent(
                torch.distributions.Normal(actor(seen), deviation.exp()), 1
            )
        return torch.distributions.Categorical(logits=actor(seen))

    observation, _ = envs.reset(seed=1)
    done, returns = np.zeros(4, bool), []
    for _ in range(updates):
        rows: list[tuple[torch.Tensor, ...]] = []
        for _ in range(steps):
            seen = torch.tensor(observation, dtype=torch.float32)
            with torch.no_grad():
                action = policy(seen).sample()
                row = (seen, action, policy(seen).log_prob(action), critic(seen)[:, 0], torch.tensor(done))
            observation, reward, ended, cut, infos = envs.step(action.numpy())
            done = ended | cut
            rows.append((*row, torch.tensor(reward, dtype=torch.float32)))
            if "episode" in infos:
                returns += list(infos["episode"]["r"][infos["_episode"]])
        seen, action, log_prob, value, started, reward = (
            torch.stack(part) for part in zip(*rows, strict=True)
        )
        advantage, last = torch.zeros_like(reward), torch.zeros(4)
        following = critic(torch.tensor(observation, dtype=torch.float32))[:, 0].detach()
        for t in reversed(range(steps)):
            alive = ~(torch.tensor(done) if t == steps - 1 else started[t + 1])
            target = reward[t] + 0.99 * (following if t == steps - 1 else value[t + 1]) * alive
            last = target - value[t] + 0.99 * 0.95 * alive * last
            advantage[t] = last
        target = advantage + value
        for _ in range(4):
            now = policy(seen)
            ratio = (now.log_prob(action) - log_prob).exp()
            scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            loss = (
                torch.max(-scaled * ratio, -scaled * ratio.clamp(0.8, 1.2)).mean()
                - 0.01 * now.entropy().mean()
            )
            loss = loss + 0.5 * (critic(seen)[..., 0] - target).pow(2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert returns, "no trial was seen to end"
    assert np.isfinite(returns).all()
    print(id, settings, "native" if native else "sync", f"{np.mean(returns):.2f} over {len(returns)} trials")
    envs.close()


torch.manual_seed(0)
for id in ("Badger/XOR-2-v0", "Badger/GuessingGame-v0", "Badger/HotCold-v0", "Badger/Bandit-k5-n10-v0"):
    for observation in ("flat", "rl2"):
        for native in (False, True):
            train(id, {"observation": observation}, native)
