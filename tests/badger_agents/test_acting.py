"""Acting: in every face an agent does what it does in the evaluator, trial by trial."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import badger_envs
from badger_agents.acting import EnvPolicy
from badger_agents.agent import Agent
from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import load_recipe
from badger_envs.faces.pettingzoo import parallel_env
from baselines.oracle import Oracle
from tests.badger_agents.small import random_agent

CASES = {
    "continuous": ("Badger/GuessingGame-v0", {"dims": 3, "horizon": 5}, {}),
    "sizes": ("Badger/GuessingGame-sizes-v0", {"horizon": 6}, {"membrane": "attentional", "experts": 4}),
    "categorical": ("Badger/Bandit-v0", {"arms": 3, "horizon": 6}, {"experts": 3}),
    "binary": ("Badger/XOR-v0", {"horizon": 4}, {"experts": 3}),
}
TRIALS = 12


def case(name: str) -> tuple[Agent, str, dict[str, Any], np.ndarray]:
    """An agent, the id and settings of an environment, and the evaluator's outcomes."""
    id, settings, agent_settings = CASES[name]
    family = badger_envs.family_of(id, split="test", **settings)
    agent = random_agent(family, **agent_settings)
    outcomes = evaluate(agent, family, TRIALS).outcomes.numpy()
    return agent, id, {"split": "test", **settings}, outcomes


def played(env: Any, policy: EnvPolicy, seed: int | None) -> float:
    """The outcome of one trial."""
    observation, info = env.reset(seed=seed)
    policy.reset()
    terminated = False
    while not terminated:
        observation, _, terminated, _, info = env.step(policy.act(observation))
    return float(info[env.unwrapped.family.outcome])


@pytest.mark.parametrize("name", CASES)
def test_in_a_gymnasium_environment(name: str) -> None:
    agent, id, settings, outcomes = case(name)
    env = gym.make(id, **settings)
    policy = EnvPolicy(agent, env)
    np.testing.assert_allclose([played(env, policy, seed) for seed in range(TRIALS)], outcomes, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_in_a_pettingzoo_environment(name: str) -> None:
    agent, id, settings, outcomes = case(name)
    env = parallel_env(id, **settings)
    policy, found = EnvPolicy(agent, env), []
    for seed in range(TRIALS):
        observations, infos = env.reset(seed=seed)
        policy.reset()
        while env.agents:
            observations, _, _, _, infos = env.step(policy.act(observations))
        found.append(infos["expert_0"][env.family.outcome])
    np.testing.assert_allclose(found, outcomes, atol=1e-5)


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
@pytest.mark.parametrize("name", ["continuous", "categorical"])
def test_in_a_vector_environment_trial_after_trial(name: str, mode: str) -> None:
    agent, id, settings, outcomes = case(name)
    env = gym.make_vec(id, num_envs=TRIALS, vector_kwargs=None, autoreset_mode=mode, **settings)
    single = gym.make(id, **settings)
    alone = EnvPolicy(agent, single)
    policy = EnvPolicy(agent, env)
    observation, _ = env.reset(seed=0)
    policy.reset()
    outcome = env.unwrapped.family.outcome
    found = []
    for _ in range(2):
        ended = np.zeros(TRIALS, np.bool_)
        while not ended.all():
            observation, _, ended, _, infos = env.step(policy.act(observation))
        last = infos["final_info"] if mode == "SAME_STEP" else infos
        found.append(np.array(last[outcome]))
        if mode == "DISABLED":
            observation, _ = env.reset()
        if mode == "NEXT_STEP":
            observation, _, _, _, _ = env.step(policy.act(observation))  # this step is the reset
    np.testing.assert_allclose(found[0], outcomes, atol=1e-5)
    for seed in range(TRIALS):
        played(single, alone, seed)
        np.testing.assert_allclose(played(single, alone, None), found[1][seed], atol=1e-5)


def test_rows_at_different_steps_and_other_vectors() -> None:
    agent, id, settings, outcomes = case("continuous")
    env = gym.make_vec(id, num_envs=4, autoreset_mode="DISABLED", **settings)
    policy = EnvPolicy(agent, env)
    observation, _ = env.reset(seed=0)
    policy.reset()
    for _ in range(2):
        observation, *_ = env.step(policy.act(observation))
    mask = np.array([False, True, False, True])
    observation, _ = env.reset(seed=[None, 9, None, 11], options={"reset_mask": mask})
    for step in range(5):
        observation, _, _, _, infos = env.step(policy.act(observation))
        if step == 2:
            np.testing.assert_allclose(infos["error"][~mask], outcomes[[0, 2]], atol=1e-5)
            observation, _ = env.reset(options={"reset_mask": ~mask})
    np.testing.assert_allclose(infos["error"][mask], outcomes[[9, 11]], atol=1e-5)
    several = gym.make_vec(id, num_envs=3, vectorization_mode="sync", **settings)
    policy = EnvPolicy(agent, several)
    observation, _ = several.reset(seed=0)
    for _ in range(5):
        observation, _, _, _, infos = several.step(policy.act(observation))
    np.testing.assert_allclose(infos["error"], outcomes[:3], atol=1e-5)


def test_what_cannot_be_acted_in_is_refused() -> None:
    agent, id, settings, _ = case("continuous")
    with pytest.raises(TypeError, match="is no environment of this suite"):
        EnvPolicy(agent, gym.make("CartPole-v1"))
    env = gym.make(id, **settings)
    policy = EnvPolicy(agent, env)
    shown, _ = env.reset(seed=0)
    with pytest.raises(ValueError, match=r"outputs has the shape \(2,\) in the observation"):
        policy.act({**shown, "outputs": np.zeros(2)})
    with pytest.raises(ValueError, match="feedback is missing in the observation"):
        policy.act({name: part for name, part in shown.items() if name != "feedback"})
    with pytest.raises(TypeError, match="observation is a ndarray; it must be the environment's own dict"):
        policy.act(np.zeros(7))
    other = gym.make("Badger/GuessingGame-d6-v0")
    seen, _ = other.reset(seed=0)
    with pytest.raises(ValueError, match="3 experts for 6 outputs"):
        EnvPolicy(agent, other).act(seen)
    with pytest.raises(ValueError, match="Oracle looks answers up, which no environment tells"):
        EnvPolicy(Oracle(), gym.make("Badger/GuessingGame-v0"))


def test_a_recipe_without_weights_acts_too() -> None:
    recipe = load_recipe("guessing-zeros")
    env = gym.make("Badger/GuessingGame-v0", split="test")
    policy = EnvPolicy(recipe.make_agent(), env)
    expected = evaluate(recipe.make_agent(), recipe.family(split="test"), 3).outcomes
    torch.testing.assert_close(
        torch.tensor([played(env, policy, seed) for seed in range(3)], dtype=torch.float64), expected
    )
