"""PettingZoo's own tests and wrappers of SuperSuit, on all ids; several trials in a row on both faces."""

import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pettingzoo.test import (
        api_test,
        max_cycles_test,
        parallel_api_test,
        parallel_seed_test,
        render_test,
        seed_test,
        state_test,
    )
    from pettingzoo.utils import aec_to_parallel, parallel_to_aec
    from supersuit import (
        black_death_v3,
        concat_vec_envs_v1,
        dtype_v0,
        flatten_v0,
        frame_stack_v1,
        pad_action_space_v0,
        pad_observations_v0,
        pettingzoo_env_to_vec_env_v1,
    )

import pettingzoo

from badger_envs.faces import pettingzoo as faces
from badger_envs.registry import TABLE

IDS = [entry.id for entry in TABLE]


def play(env: pettingzoo.ParallelEnv, trials: int) -> int:
    """Random actions for some trials in a row; the number of steps."""
    steps = 0
    for trial in range(trials):
        env.reset(seed=trial)
        while env.agents:
            observations, *_ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
            for agent in observations:
                assert env.observation_space(agent).contains(observations[agent]), agent
            steps += 1
    return steps


for id in IDS:
    for settings in ({}, {"topology": "ring", "message_size": 2}):
        env = faces.parallel_env(id, **settings)
        parallel_api_test(env, num_cycles=60)
        parallel_seed_test(lambda id=id, settings=settings: faces.parallel_env(id, **settings), num_cycles=60)
        api_test(faces.env(id, **settings), num_cycles=60)
        seed_test(lambda id=id, settings=settings: faces.env(id, **settings), num_cycles=60)
        state_test(faces.env(id, **settings), faces.parallel_env(id, **settings), num_cycles=60)
        assert play(faces.parallel_env(id, **settings), 3) > 2
        play(env, 1)
        assert env.step({})[0] == {}, "an empty step after the end"
        spaces = {agent: env.observation_space(agent) for agent in env.possible_agents}
        assert dict(env.observation_spaces) == spaces
        assert dict(env.action_spaces) == {agent: env.action_space(agent) for agent in env.possible_agents}
        play(aec_to_parallel(parallel_to_aec(faces.parallel_env(id, **settings))), 2)
print(f"PettingZoo's tests: {len(IDS)} ids")
max_cycles_test(faces.guessing_game_v0)
render_test(faces.guessing_game_v0.env)
play(pettingzoo.make("parallel", IDS[0]), 2)

for trial in range(3):  # one AEC environment, several trials
    aec = faces.xor_v0.env(message_size=1) if trial == 0 else aec
    aec.reset(seed=trial)
    for agent in aec.agent_iter():
        *_, ended, cut, _ = aec.last()
        aec.step(None if ended or cut else aec.action_space(agent).sample())

for id in IDS:
    env = black_death_v3(faces.parallel_env(id))
    play(env, 3)
    play(frame_stack_v1(flatten_v0(faces.parallel_env(id)), 2), 2)
    play(dtype_v0(pad_action_space_v0(pad_observations_v0(faces.parallel_env(id))), np.float32), 2)
envs = concat_vec_envs_v1(pettingzoo_env_to_vec_env_v1(faces.xor_2_v0.parallel_env(message_size=1)), 2)
envs.reset(seed=0)
for _ in range(20):
    envs.step(np.stack([envs.action_space.sample() for _ in range(envs.num_envs)]))
print(f"SuperSuit: {len(IDS)} ids")
