"""What plain algorithms of Stable-Baselines3 and sb3-contrib reach: the rows of docs/what_to_expect.csv.

    python examples/what_to_expect.py                                # all rows: about an hour on one core
    python examples/what_to_expect.py --runs xor --seeds 0           # one row: less than a minute
    python examples/what_to_expect.py --quick                        # all runs, too short to learn anything
    python examples/what_to_expect.py --table  # random actions, floor, reference of all ids

A row is one training with one seed, tested on 1,000 test trials, actions without exploration. It needs
`pip install sb3-contrib`.
"""

import argparse
import csv
import sys
import time
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

import badger_envs
from badger_envs.scoring import scale_of, scales

gym.register_envs(badger_envs)


class Run(NamedTuple):
    """One training.

    Attributes:
        algorithm: its class.
        policy: name of the policy.
        id: the environment's.
        observation: how the environment shows what is seen.
        steps: of all environments together.
        envs: number of environments side by side.
        settings: keywords of the algorithm that are not its defaults.
    """

    algorithm: type[Any]
    policy: str
    id: str
    observation: str
    steps: int
    envs: int
    settings: dict[str, Any]


WHOLE_TRIALS = {"n_steps": 40, "batch_size": 160, "n_epochs": 4, "learning_rate": 1e-3, "gamma": 1.0}
RUNS = {
    "xor": Run(PPO, "MultiInputPolicy", "Badger/XOR-2-v0", "dict", 10_000, 1, {}),
    "guessing": Run(PPO, "MultiInputPolicy", "Badger/GuessingGame-v0", "dict", 100_000, 1, {}),
    "bandit-no-memory": Run(PPO, "MlpPolicy", "Badger/Bandit-k5-n10-v0", "rl2", 100_000, 16, WHOLE_TRIALS),
    "bandit": Run(
        RecurrentPPO,
        "MlpLstmPolicy",
        "Badger/Bandit-k5-n10-v0",
        "rl2",
        100_000,
        16,
        WHOLE_TRIALS | {"policy_kwargs": {"lstm_hidden_size": 64}},
    ),
}
"""By name. The second bandit remembers its trial in an LSTM; the first sees its last pull alone."""


def random_outcomes(id: str, trials: int) -> np.ndarray:
    """Outcomes [trials] of random actions, of those that the mask allows, on the first test trials."""
    envs = gym.make_vec(id, num_envs=trials, split="test", autoreset_mode="DISABLED")
    _, infos = envs.reset(seed=0)
    generator, over = np.random.default_rng(0), np.zeros(trials, bool)
    envs.action_space.seed(0)
    while not over.all():
        actions = envs.action_space.sample()
        if "action_mask" in infos:
            actions = np.argmax(generator.random(infos["action_mask"].shape) * infos["action_mask"], axis=1)
        _, _, ended, cut, infos = envs.step(actions)
        over = ended | cut
    return np.asarray(infos[scale_of(id).outcome], np.float64)


def table(trials: int) -> str:
    """A row per id: what counts, random actions, floor and reference."""
    lines = ["| id | outcome | random | floor (score 0) | reference (score 1) |", "|---|---|---|---|---|"]
    for id, scale in scales().items():
        random = random_outcomes(id, trials).mean()
        lines.append(
            f"| `{id}` | {scale.outcome} | {random:.3g} | {scale.floor.mean:.3g}, {scale.floor.agent} "
            f"| {scale.reference.mean:.3g}, {scale.reference.agent} |"
        )
    return "\n".join(lines)


def row(name: str, seed: int, quick: bool) -> dict[str, Any]:
    """Train and test once."""
    run = RUNS[name]
    steps, trials = (min(run.steps, 2_000), 20) if quick else (run.steps, 1_000)
    begin = time.perf_counter()
    envs = make_vec_env(run.id, run.envs, env_kwargs={"observation": run.observation}, seed=1_000 * seed)
    model = run.algorithm(run.policy, envs, seed=seed, device="cpu", **run.settings).learn(steps)
    seconds = time.perf_counter() - begin
    reached = badger_envs.evaluate(model, run.id, trials, observation=run.observation)
    return {
        "run": name,
        "algorithm": run.algorithm.__name__,
        "id": run.id,
        "observation": run.observation,
        "steps": steps,
        "seed": seed,
        "outcome": scale_of(run.id).outcome,
        "reached": round(reached.outcome, 4),
        "score": round(scale_of(run.id).score(reached.outcome), 4),
        "seconds": round(seconds),
    }


def main() -> None:
    """Print a row per run and seed as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", choices=[*RUNS], default=[*RUNS], help="which (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--quick", action="store_true", help="at most 2,000 steps and 20 test trials")
    parser.add_argument("--table", action="store_true", help="random actions, floor, reference per id")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(2_000))
        return
    writer = None
    for name in arguments.runs:
        for seed in arguments.seeds:
            values = row(name, seed, arguments.quick)
            if writer is None:
                writer = csv.DictWriter(sys.stdout, [*values])
                writer.writeheader()
            writer.writerow(values)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
