"""Wrappers of the Gymnasium face, each with one purpose; those of vector environments are in `.vector`.

    env = RL2Observation(gym.make("Badger/Bandit-v0"))                    # one environment
    envs = wrappers.vector.RL2Observation(gym.make_vec("Badger/Bandit-v0", num_envs=64))

Each says what it does to observations.
"""

from badger_envs.wrappers import vector
from badger_envs.wrappers.single import FlattenSlots, RaggedObservation, RL2Observation

__all__ = ["FlattenSlots", "RL2Observation", "RaggedObservation", "vector"]
