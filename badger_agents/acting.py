"""Acting: an agent of this suite as a policy in any Gymnasium, vector or PettingZoo environment of it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Agent
from badger_envs.family import Family, Observation


class EnvPolicy:
    """An agent that acts in one environment: `reset()`, then `act(observation)` at every step.

    It keeps the agent's state from step to step. Trials that begin anew (also one by one, by a vector
    environment's autoreset or a mask) are known by the observation's flags; draws follow from the
    environment's seed, so that a trial goes exactly as in `badger_agents.evaluate`.

    Args:
        agent: the agent, ready for use (weights loaded, evaluation mode).
        env: a Gymnasium environment of this suite (wrappers that leave the observation as it is are fine), a
            vector environment of such (native, `SyncVectorEnv`, `AsyncVectorEnv`), or a PettingZoo parallel
            environment.
        device: a torch device.

    Raises:
        TypeError: the environment is none of this suite.
        ValueError: the agent is a control that must know the trials; or it does not fit the environment's
            family (raised by the first `act`).

    Example:
        >>> env = gym.make("Badger/GuessingGame-v0")
        >>> policy = badger_agents.load("guessing-attentional").policy(env)
        >>> observation, info = env.reset(seed=0)
        >>> policy.reset()
        >>> observation, reward, terminated, truncated, info = env.step(policy.act(observation))
    """

    def __init__(self, agent: Agent, env: Any, device: str | torch.device = "cpu") -> None:
        self.agent, self.env, self.device = agent, env, torch.device(device)
        self.family = family_of_env(env)
        if getattr(agent, "knows_trials", False):
            raise ValueError(
                f"{type(agent).__name__} looks answers up, which no environment tells; evaluate it"
            )
        self.rows: int | None = getattr(env, "num_envs", None)
        self.experts: list[str] | None = getattr(env, "possible_agents", None)
        self.reset()

    def reset(self) -> None:
        """Forget all: call it after the environment's `reset`."""
        self._state: Any = None
        self._keys: Tensor

    @torch.no_grad()
    def act(self, observation: Any) -> Any:
        """The action for an observation, as the environment's `step` takes it.

        Args:
            observation: what `reset` or `step` of the environment returned last.

        Returns:
            [O] or an integer; of a vector environment [N, O] or [N]; of a PettingZoo environment a dict of
            each expert's writing, with a message of zeros: this agent's experts talk among themselves.
        """
        shown = self._read(observation)
        done = (shown.flags[:, 2] * self.family.horizon).round().to(torch.int64)  # (N,), steps done
        begins = done == 0  # (N,)
        if self._state is None or bool(begins.any()):
            keys = np.concatenate(_of_env(self.env, "agent_keys"))  # [N, 4]
            now = torch.from_numpy(keys).to(self.device)  # (N, 4)
            fresh = self.agent.initial_state(self.family, now)
            if self._state is None:
                self._keys, self._state = now, fresh
            else:
                self._keys = torch.where(begins[:, None], now, self._keys)  # (N, 4)
                self._state = _chosen(begins, fresh, self._state)
        action: Tensor | None = None
        before = self._state
        for step in done.unique().tolist():
            if step >= self.family.horizon:
                continue  # a vector environment shows the end of a trial once more, and ignores the action
            after, acted, _ = self.agent.act(before, shown, self._keys, step)
            rows = done == step  # (N,)
            self._state = _chosen(rows, after, self._state)
            action = acted if action is None else _chosen(rows, acted, action)
        return self._written(self._nothing(shown) if action is None else action)

    def _nothing(self, shown: Observation) -> Tensor:
        """An action without effect."""
        if self.family.action_kind == "categorical":
            return torch.zeros(len(shown.flags), dtype=torch.int64, device=self.device)
        return torch.zeros_like(shown.outputs)

    def _read(self, observation: Any) -> Observation:
        """The environment's observation as the family's, [N, ...]."""
        if self.experts is not None:
            observation = self._together(observation)
        if not isinstance(observation, Mapping):
            raise TypeError(
                f"observation is a {type(observation).__name__}; it must be the environment's own dict"
                " (no observation wrappers, and observation='dict')"
            )
        rows = 1 if self.rows is None else self.rows
        return Observation(
            *(
                self._part(name, observation.get(name), (rows, *shape))
                for name, shape in self.family.slots.shapes._asdict().items()
            )
        )

    def _part(self, name: str, shown: Any, shape: tuple[int, ...]) -> Tensor:
        """One array of an observation; what has a width of 0 is not in the environment's dict."""
        array = np.zeros(0, self.family.dtype) if shown is None else np.array(shown)
        if array.size != math.prod(shape):
            what = "is missing" if shown is None else f"has the shape {array.shape}"
            raise ValueError(f"{name} {what} in the observation; the environment's own has {shape}")
        return torch.from_numpy(array).to(self.device).view(shape)

    def _together(self, seen: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the agent as a whole sees, from what PettingZoo shows each expert."""
        slots = self.family.slots
        owned = dict.fromkeys(("inputs", "input_mask"), slots.inputs)
        owned |= dict.fromkeys(("outputs", "output_mask", "output_feedback"), slots.outputs)
        assert self.experts is not None
        rows = np.stack([seen[name] for name in self.experts])  # [E, L]
        return {
            name: rows[: owned.get(name, 1), part]
            for name, part in self.env.observation_slices.items()
            if name != "inbox"
        }

    def _written(self, action: Tensor) -> Any:
        """The action as the environment takes it."""
        array = action.cpu().numpy()
        if self.experts is not None:
            return self._apart(np.asarray(array[0]))
        if self.rows is not None:
            return array
        return int(array[0]) if self.family.action_kind == "categorical" else array[0]

    def _apart(self, action: np.ndarray) -> dict[str, np.ndarray]:
        """An action of each expert: what it writes; a chosen slot's expert writes the highest score."""
        assert self.experts is not None
        outputs = self.family.slots.outputs
        written = np.zeros(len(self.experts), self.family.dtype)
        written[:outputs] = np.arange(outputs) == action if action.ndim == 0 else action
        apart = {}
        for name, value in zip(self.experts, written, strict=True):
            apart[name] = np.zeros(self.env.action_space(name).shape, self.family.dtype)
            apart[name][self.env.action_slices["writing"]] = value
        return apart


def family_of_env(env: Any) -> Family:
    """The family that an environment plays, or each environment of a vector.

    Raises:
        TypeError: it is none of this suite.
    """
    family = _of_env(env, "family")[0]
    if not isinstance(family, Family):
        raise TypeError(f"{env} is no environment of this suite; make one with gym.make('Badger/...')")
    return family


def _of_env(env: Any, name: str) -> list[Any]:
    """An attribute of an environment of this suite, or of each environment of a vector."""
    inner = getattr(env, "unwrapped", env)
    if hasattr(inner, name):
        return [getattr(inner, name)]
    if hasattr(inner, "get_attr"):
        try:
            return list(inner.get_attr(name))
        except AttributeError:
            pass
    raise TypeError(f"{env} is no environment of this suite; make one with gym.make('Badger/...')")


def _chosen(rows: Tensor, new: Any, old: Any) -> Any:
    """A state or action that is new in some rows."""
    if bool(rows.all()):
        return new
    return tree.map(lambda a, b: torch.where(rows.view(-1, *[1] * (a.dim() - 1)), a, b), new, old)
