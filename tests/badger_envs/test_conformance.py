"""Every registered id passes every conformance check; and the checks catch what they are there for."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper

from badger_envs import keyed_random, register, testing
from badger_envs.faces.pettingzoo import FamilyAECEnv
from badger_envs.faces.vector_env import FamilyVectorEnv
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.variable_io import VariableIO
from badger_envs.family import Observation, Sizes, Transition
from badger_envs.testing.__main__ import main as store_golden
from badger_envs.testing.golden import FOLDER
from tests.badger_envs.ids import IDS, KINDS, QUICK_AND_SLOW
from tests.badger_envs.toy_family import Toy


@pytest.mark.parametrize("id", QUICK_AND_SLOW)
def test_every_id_passes_all_checks(id: str) -> None:
    testing.check_family(id)


@pytest.mark.parametrize("id", KINDS)
def test_functions_of_every_kind_pass_their_checks(id: str) -> None:
    testing.check_functions(id)


@pytest.mark.parametrize("id", IDS)
def test_every_id_plays_as_its_version_says(id: str) -> None:
    testing.check_golden(id)


def test_golden_files_are_those_of_the_ids_and_small() -> None:
    files = sorted(FOLDER.rglob("*.npz"))
    assert files == sorted({testing.golden_file(id) for id in IDS})
    assert {name.rpartition(" ")[0] for file in files for name in np.load(file).files} == set(IDS)
    assert sum(file.stat().st_size for file in files) < 6_000 * len(IDS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnableToy(Toy):
    def expected_reward(self, task: Any, state: Any, probabilities: Any) -> Any:
        xp = array_namespace(probabilities)
        return 0.9 * xp.take_along_axis(probabilities, task.best[:, None], axis=-1)[:, 0]


@pytest.mark.parametrize(
    "family",
    [
        LearnableToy(),
        GuessingGame(dims=(1, 3), capacity=8, shuffle_slots=True, horizon=4),
        GuessingGame(dtype="float64", horizon=1, dims=1),
        Bandit(arms=(2, 4), shuffle_slots=True, horizon=7, split="test"),
    ],
    ids=["ends early", "shuffled sizes", "one step", "shuffled arms"],
)
def test_a_family_needs_no_id_to_be_checked(family: Any) -> None:
    testing.check_family(family, held_out=not isinstance(family, Toy))  # a toy has all sizes in all splits


# What the checks must catch: one promise broken in each of these.


class LooksAtValues(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        if (action > 2).any():
            action = action * 0
        return super().step(task, state, action, noise)


class LeavesTheDevice(GuessingGame):
    def initial_state(self, task: Any) -> Any:
        state = super().initial_state(task)
        xp = array_namespace(task.target)
        return state._replace(time=xp.zeros(state.time.shape, dtype=xp.int64))


class WritesIntoTheAction(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        action *= task.mask
        return super().step(task, state, action, noise)


class WritesIntoTheState(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        state.outputs[:] = action
        return moved


class DrawsFromTheWorld(GuessingGame):
    def sample_task(self, keys: Any) -> Any:
        np.random.random()
        return super().sample_task(keys)


class Remembers(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        count = self.__dict__.setdefault("count", [0])
        count[0] += 1
        moved = super().step(task, state, action, noise)
        return moved._replace(reward=moved.reward - 0.001 * count[0])


class MixesRows(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        xp = array_namespace(moved.reward)
        return moved._replace(reward=moved.reward - xp.mean(moved.reward))


class CutsTheGradient(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        return moved._replace(
            loss=moved.loss.detach() if isinstance(moved.loss, torch.Tensor) else moved.loss
        )


class HasAWrongGradient(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        if isinstance(action, torch.Tensor):
            still = action - action.detach()
            moved = moved._replace(loss=moved.loss + 0.01 * still[:, 0])
        return moved


class DiffersOnTorch(GuessingGame):
    def sample_task(self, keys: Any) -> Any:
        return super().sample_task(keys if isinstance(keys, np.ndarray) else keys + 1)


class ForgetsTheSplit(GuessingGame):
    def sample_task(self, keys: Any) -> Any:
        xp = array_namespace(keys)
        return super().sample_task(xp.concat([keys[:, :3], keys[:, 3:] // 4 * 4], axis=-1))


class HoldsNoSizesOut(GuessingGame):
    def sample_task(self, keys: Any) -> Any:
        return GuessingGame(dims=self.dims, capacity=self.slots.outputs).sample_task(keys)


class ForgetsTheSplitInTasks(Bandit):
    def sample_task(self, keys: Any) -> Any:
        xp = array_namespace(keys)
        return super().sample_task(xp.concat([keys[:, :3], keys[:, 3:] // 4 * 4], axis=-1))


class ForgetsTheSplitInNoise(Bandit):
    def noise(self, keys: Any, steps: int, start: int = 0) -> Any:
        xp = array_namespace(keys)
        keys = xp.concat([keys[:, :3], keys[:, 3:] // 4 * 4], axis=-1)
        return super().noise(keys, steps, start)


class HoldsOutOutputsOnly(VariableIO):
    @functools.cached_property
    def input_sizes(self) -> Sizes:
        sizes = super().input_sizes
        return dataclasses.replace(sizes, limits=sizes.train)


class HoldsNoKindsOut(VariableIO):
    @property
    def kinds(self) -> tuple[str, ...]:
        return self._kinds_of_splits[0]


class HasABlockOfOtherNoise(Bandit):
    def noise(self, keys: Any, steps: int, start: int = 0) -> Any:
        return super().noise(keys, steps, start + steps)


class PromisesTooMuch(Bandit):
    def expected_reward(self, task: Any, state: Any, probabilities: Any) -> Any:
        return super().expected_reward(task, state, probabilities) * 1.1


class LeavesItsBounds(GuessingGame):
    def observe(self, task: Any, state: Any) -> Observation:
        seen = super().observe(task, state)
        return seen._replace(feedback=seen.feedback - 0.5)


class ChangesItsInfo(GuessingGame):
    def info(self, task: Any, state: Any) -> dict[str, Any]:
        return super().info(task, state) | ({"late": state.error} if int(state.time[0]) else {})


class ChangesWithItsBatch(GuessingGame):
    def sample_task(self, keys: Any) -> Any:
        xp = array_namespace(keys)
        index = xp.cumulative_sum(xp.ones_like(keys[:, :1]), axis=0) - 1
        return super().sample_task(xp.concat([keys[:, :2] + index, keys[:, 2:]], axis=-1))


class NeverEnds(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        return moved._replace(terminated=moved.terminated & False)


class AnswersInDoubles(GuessingGame):
    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        xp = array_namespace(moved.reward)
        return moved._replace(reward=xp.astype(moved.reward, xp.float64))


@pytest.mark.parametrize(
    ("family", "check", "words"),
    [
        (LooksAtValues(), testing.check_device_code, "step looks at values"),
        (LeavesTheDevice(), testing.check_device_code, "initial_state .* leaves its device"),
        (WritesIntoTheAction(), testing.check_purity, "step writes into its arguments"),
        (WritesIntoTheState(), testing.check_purity, "step writes into its arguments"),
        (DrawsFromTheWorld(), testing.check_purity, "numpy.random"),
        (Remembers(), testing.check_purity, "another result the second time"),
        (MixesRows(), testing.check_rows, "reward"),
        (ChangesWithItsBatch(), testing.check_rows, "rows"),
        (CutsTheGradient(), testing.check_gradients, "no gradient"),
        (HasAWrongGradient(), testing.check_gradients, "output 0"),
        (DiffersOnTorch(), testing.check_backends, "torch on cpu, float32: task target"),
        (DiffersOnTorch(), testing.check_draws, "draws on torch, cpu"),
        (DiffersOnTorch(), testing.check_faces, "torch face on cpu: draws of 'target'"),
        (ForgetsTheSplit(), testing.check_splits, "splits 'train' and 'validation' draw the same"),
        (ForgetsTheSplitInTasks(), testing.check_splits, "'train' and 'validation' draw the same task"),
        (ForgetsTheSplitInNoise(), testing.check_splits, "'train' and 'validation' draw the same noise"),
        (HoldsNoSizesOut(dims=(1, 3)), testing.check_splits, "numbers of outputs .* hold out"),
        (HoldsOutOutputsOnly(), testing.check_splits, r"numbers of inputs \[1, 2, 3\] .* hold out"),
        (HoldsNoKindsOut(), testing.check_splits, "kinds .*'affine'.* hold out"),
        (HasABlockOfOtherNoise(), testing.check_draws, "noise of step 0"),
        (Toy(), testing.check_expected_reward, "must define expected_reward"),
        (PromisesTooMuch(), testing.check_expected_reward, "step 0 pays"),
        (LeavesItsBounds(), testing.check_definition, "feedback runs .* out of the declared bounds"),
        (LeavesItsBounds(), testing.check_actions, "not in the space"),
        (ChangesItsInfo(), testing.check_definition, "keys of info change"),
        (ChangesItsInfo(), testing.check_faces, "info"),
        (ChangesWithItsBatch(), testing.check_seeding, "gym.make seeded 4"),
        (ChangesWithItsBatch(), testing.check_vector_env, "environment 1, beside gym.make"),
        (NeverEnds(), testing.check_definition, "has not terminated after 20 steps"),
        (AnswersInDoubles(), testing.check_definition, "reward is float64, not float32"),
    ],
)
def test_a_broken_promise_is_caught(family: Any, check: Callable[[Any], None], words: str) -> None:
    with pytest.raises(AssertionError, match=words) as caught:
        check(family)
    assert type(family).__name__ in str(caught.value)


def test_the_agents_of_pettingzoo_in_turn_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = FamilyAECEnv.step
    monkeypatch.setattr(FamilyAECEnv, "step", lambda env, act: taken(env, act if act is None else act * 0))
    with pytest.raises(AssertionError, match="GuessingGame: PettingZoo AEC face: 'outputs' differs"):
        testing.check_faces(GuessingGame(horizon=2), num_envs=(1,))


def test_the_vector_face_of_a_bare_family_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    reset = FamilyVectorEnv.reset
    monkeypatch.setattr(
        FamilyVectorEnv, "reset", lambda env, *, seed=None, options=None: reset(env, seed=seed)
    )
    with pytest.raises(AssertionError, match=r"GuessingGame .*reset_mask is False, but"):
        testing.check_family(GuessingGame(horizon=2))


# Golden trajectories.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Changed(GuessingGame):
    """The guessing game whose dynamics, or draws, are another's when told so."""

    change: str = ""

    def sample_task(self, keys: Any) -> Any:
        if "draws" in self.change:
            keyed_random.words(keys, "another", 1)
        return super().sample_task(keys)

    def step(self, task: Any, state: Any, action: Any, noise: Any) -> Transition:
        moved = super().step(task, state, action, noise)
        return moved._replace(reward=moved.reward * 1.0001) if "reward" in self.change else moved


def test_changed_dynamics_ask_for_a_new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gym, "registry", dict(gym.registry))
    monkeypatch.setattr("gymnasium.envs.registration.registry", gym.registry)
    path = f"{__name__}:Changed"
    register("Test/Changed-v0", path)
    with pytest.raises(AssertionError, match=r"no golden trajectory.*write_golden"):
        testing.check_golden("Test/Changed-v0", tmp_path)
    file = testing.write_golden("Test/Changed-v0", tmp_path)
    first = file.read_bytes()
    testing.check_golden("Test/Changed-v0", tmp_path)
    with pytest.raises(FileExistsError, match="new version"):
        testing.write_golden("Test/Changed-v0", tmp_path)
    for change, words in (("reward", "reward differs"), ("draws", "draws are not bit-equal")):
        gym.registry["Test/Changed-v0"].kwargs["change"] = change
        with pytest.raises(AssertionError, match=f"new version.*{words}"):
            testing.check_golden("Test/Changed-v0", tmp_path)
    gym.registry["Test/Changed-v0"].kwargs["change"] = ""
    assert testing.write_golden("Test/Changed-v0", tmp_path, force=True).read_bytes() == first


def test_the_command_stores_only_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    store_golden([IDS[0]])
    assert capsys.readouterr().out == ""


# Vector environments, of others too.


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("id", ["CartPole-v1", "Blackjack-v1"])
def test_gymnasiums_own_sync_environment_passes(id: str, mode: AutoresetMode) -> None:
    env = SyncVectorEnv([lambda: gym.make(id)] * 3, autoreset_mode=mode)
    testing.check_vector_env(env)
    env.close()


def test_a_vector_environment_without_lists_of_seeds_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"CartPole-v1.*reset\(seed=list\) raises"):
        testing.check_vector_env("CartPole-v1")


class Broken(VectorWrapper):
    """A vector environment with one thing wrong."""

    def __init__(self, what: str, mode: str = "NEXT_STEP") -> None:
        super().__init__(
            FamilyVectorEnv(
                3, "badger_envs.families.guessing_game:GuessingGame", autoreset_mode=mode, horizon=4
            )
        )
        self.what, self.count, self.last = what, 0, None

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if self.what == "seed" and seed is not None:
            self.count += 1
            seed = int(np.ravel(seed)[0]) + self.count
        if self.what == "mask" and options:
            options = None
        observation, infos = self.env.reset(seed=seed, options=options)
        if self.what == "one infos":
            infos = {}
        self.last = observation
        return observation, infos

    def step(self, actions: Any) -> Any:
        if self.what == "action":
            actions *= 0.5
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if self.what == "buffer":
            for name, array in observation.items():
                self.last[name][:] = array
            observation = self.last
        if self.what == "shared":
            infos["error"] = reward
        if self.what == "unmasked":
            del infos["_error"]
        if self.what == "reward":
            reward = reward.tolist()
        if self.what == "space":
            observation["feedback"] = observation["feedback"] - 20
        if self.what == "final":
            infos.pop("final_obs", None)
        if self.what == "idle":
            reward = reward - 1
        return observation, reward, terminated, truncated, infos


@pytest.mark.parametrize(
    ("what", "mode", "words"),
    [
        ("seed", "NEXT_STEP", "same seed gives another first observation"),
        ("mask", "NEXT_STEP", "reset_mask is False, but environment 1 does not stay"),
        ("mask", "DISABLED", "reset_mask is False, but environment 1 does not stay"),
        ("action", "NEXT_STEP", "changes the actions"),
        ("buffer", "NEXT_STEP", "has already returned"),
        ("shared", "NEXT_STEP", "share memory"),
        ("unmasked", "NEXT_STEP", "'_error' is None"),
        ("one infos", "NEXT_STEP", "keys of infos change"),
        ("reward", "NEXT_STEP", "no array .3."),
        ("space", "NEXT_STEP", "not in observation_space"),
        ("final", "SAME_STEP", "'_final_obs' without 'final_obs'"),
        ("idle", "NEXT_STEP", "where a new trial has just begun"),
    ],
)
def test_a_broken_vector_environment_is_caught(what: str, mode: str, words: str) -> None:
    testing.check_vector_env(Broken("nothing", mode))
    with pytest.raises(AssertionError, match=words):
        testing.check_vector_env(Broken(what, mode))
