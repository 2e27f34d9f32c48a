"""The PettingZoo parallel face: a family's experts are the agents, the channel is part of it."""

from collections.abc import Mapping
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from badger_envs import keyed_random
from badger_envs.faces.gymnasium_env import FamilyEnv
from badger_envs.faces.pettingzoo.agent_actions import AgentActions
from badger_envs.faces.pettingzoo.channel import Channel, ChannelSettings, Inbox
from badger_envs.faces.pettingzoo.names import module_name
from badger_envs.faces.spaces import observation_space
from badger_envs.family import Family, check_integer
from badger_envs.registry import family_of
from badger_envs.topology import Topology


class _Game(FamilyEnv):
    """The Gymnasium face, which plays the trials; seeds, trials and rules are all its."""

    @property
    def keys(self) -> np.ndarray:
        """Key of the present trial, [1, 4]."""
        return keyed_random.trial_keys([self._seed], self._trial, self.family.split)


class FamilyParallelEnv(ParallelEnv[str, np.ndarray, Any]):
    """Plays a family's trials with its experts as PettingZoo agents, `expert_0` and so on.

    Expert i owns output slot i and sees input slot i. The same seed and writings give the trial that
    `gym.make` gives; the settings of the channel change nothing in it.

    **Action** of an expert: one Box in [-1, 1] of 1 + M numbers, its writing and its message
    (`action_slices`); finite numbers beyond are clipped. In a categorical family the writings are scores:
    the slot of the highest is chosen, the lowest index on ties; slots not in use take part, to no effect if
    chosen. With a `vocabulary` the message part is a score per symbol. What experts beyond the last output
    slot write does not count.

    **Observation** of an expert: one Box, a vector whose parts `observation_slices` names:

    | part | numbers | what |
    |---|---|---|
    | inputs, input_mask | F, 1 | its own input slot, and whether it is in use |
    | outputs, output_mask | 1, 1 | what stands in its own output slot, and whether that is in use |
    | feedback | G | the global feedback; zeros for who does not hear it (`feedback_to`) |
    | output_feedback | P | feedback on its own output slot; left out where P is 0 |
    | flags | 3 | `badger_envs.FLAGS` |
    | inbox | M or E * M | messages that have arrived |

    An expert without such a slot sees zeros there. A single input slot that says nothing, the constant 1
    of families without inputs (known by its bounds, (0, 1)), is shown to all experts. All experts have
    equal spaces, so one policy can serve all. It is not told which expert it is, but may infer something
    from which slots it has, from being the only one with feedback (`feedback_to="one"`) and from its
    place in the inboxes (`inbox="each"`).

    **Reward**: the family's, the same for every expert. **Infos**: the family's measurements and
    "unused_slot" (whether a slot not in use was written to), for every expert. All experts end together:
    terminated when the trial ends, truncated by `max_cycles`. `state()` is what the agent as a whole
    sees, then all inboxes. Rewards and infos hold the measurement for every expert with
    `feedback_to="one"` too: they are for learning and judging, and never to be fed to a policy.

    Args:
        family: a registered id or a family.
        experts: number of experts, at least as many as there are slots (the default: the larger of the
            numbers of input and output slots).
        topology: who hears whom, see `badger_envs.topology`.
        message_size: M, numbers per message; 0 for no messages (default 4, or `vocabulary`).
        channel: what becomes of messages on their way, in the words of a recipe's [agent.channel]; what is
            not given does nothing. `vocabulary`: V; every V numbers of a message are scores of V symbols, of
            which the highest is heard, as a vector of a 1 and zeros. `bits`: each number is sent as the
            nearest of 2**bits levels from -1 to 1. `noise`: standard deviation of noise on each number sent;
            all listeners hear the same. `dropout`: chance that an edge fails, at each step anew. `delay`:
            steps that messages arrive late; with 0, what is sent with an action is in the observation that
            follows it.
        inbox: "mean" of the messages that have arrived, or "each" in a block of its own.
        feedback_to: whose observation holds the global feedback: "all", or "one" (expert 0).
        actions: "box"; for binary and categorical families also "multi_discrete" and "discrete", choices of
            a writing, -1 or +1, and of the symbols (or levels of `bits`) of a message, for learners that take
            nothing else. With "discrete" infos hold an "action_mask" (int8 [n]): an expert with no slot in
            use need not write +1.
        max_cycles: steps after which an unfinished trial is truncated; None for no limit.
        render_mode: None, "ansi", "rgb_array" or "human", as in the Gymnasium face.
        settings: settings of the family.

    Raises:
        ValueError, TypeError: an impossible or unknown setting.
        gymnasium.error.Error: an unknown id.
    """

    metadata = {**FamilyEnv.metadata, "name": "badger", "is_parallelizable": True}  # noqa: RUF012

    def __init__(
        self,
        family: str | Family,
        *,
        experts: int | None = None,
        topology: Topology = "all",
        message_size: int | None = None,
        channel: Mapping[str, Any] | None = None,
        inbox: Inbox = "mean",
        feedback_to: Literal["all", "one"] = "all",
        actions: Literal["box", "discrete", "multi_discrete"] = "box",
        max_cycles: int | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        if not isinstance(family, str | Family):
            raise TypeError(f"family is {family!r}; it must be a registered id or a badger_envs.Family")
        rules = family_of(family) if isinstance(family, str) else family
        self._game = _Game(rules, render_mode, **settings)
        self.family = rules = self._game.family
        self.render_mode = render_mode
        name = module_name(family if isinstance(family, str) else type(family).__name__)
        self.metadata = {**self.metadata, "name": name}
        slots = rules.slots
        needed = max(slots.inputs, slots.outputs)
        experts = needed if experts is None else check_integer("experts", experts, low=needed)
        if max_cycles is not None:
            max_cycles = check_integer("max_cycles", max_cycles, low=1)
        if feedback_to not in ("all", "one"):
            raise ValueError(f"feedback_to is {feedback_to!r}; it must be 'all' or 'one'")
        self.max_cycles = max_cycles
        self._hearers = experts if feedback_to == "all" else 1
        self._channel = Channel(
            experts,
            message_size=message_size,
            settings=ChannelSettings.of(channel),
            topology=topology,
            inbox=inbox,
            dtype=rules.dtype,
        )
        self._actions = AgentActions(rules, self._channel, actions)
        self.possible_agents = [f"expert_{i}" for i in range(experts)]
        self.agents: list[str] = []
        self.action_slices = {"writing": slice(0, 1), "message": slice(1, 1 + self._channel.size)}
        self.observation_slices: dict[str, slice] = {}
        self._parts: list[tuple[str, int, slice]] = []  # name, number of experts who see it, where
        self.observation_spaces: dict[str, spaces.Space[Any]] = {}
        self.action_spaces: dict[str, spaces.Space[Any]] = {}
        self._make_spaces()
        self._seen: dict[str, np.ndarray] = {}  # the Gymnasium face's last observation
        self._inboxes: np.ndarray  # [E, inbox_size]
        self._time = 0

    @property
    def agent_keys(self) -> np.ndarray:
        """Keys that an agent of all the experts draws under, int64 [1, 4]: see `FamilyEnv.agent_keys`."""
        return self._game.agent_keys

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The agent's observation space, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The agent's action space, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        """Start a trial.

        Args:
            seed: a number from 0 to 2**64 - 1 that names a new series of trials; None goes on with the last
                series.
            options: ignored.

        Returns:
            Observations and infos, by agent.
        """
        self._seen, info = self._game.reset(seed=seed, options=options)
        self._inboxes = self._channel.reset(self._game.keys)
        self.agents, self._time = self.possible_agents[:], 0
        return self._observations(), self._infos(info)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, np.ndarray],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """One step of the trial.

        Args:
            actions: an action of every agent, by name. An empty dict after the end of a trial, when no agents
                are left, gives empty dicts back.

        Returns:
            Observations, rewards, terminations, truncations and infos, by agent.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`, or after the end of a trial.
            ValueError, TypeError: agents are missing or unknown, or an action is not in its space; the
                trial is as before.
        """
        if self._seen and not self.agents and isinstance(actions, dict) and not actions:
            return {}, {}, {}, {}, {}
        if not self.agents:
            raise gym.error.ResetNeeded("the trial has ended or none has begun; call reset() first")
        if not isinstance(actions, dict):
            raise TypeError(f"actions is a {type(actions).__name__}; it must be a dict of actions by agent")
        missing = [agent for agent in self.agents if agent not in actions]
        unknown = [agent for agent in actions if agent not in self.agents]
        if missing or unknown:
            what = f"lack {missing[0]!r}" if missing else f"name {unknown[0]!r}, which is no agent"
            raise ValueError(f"actions {what}; there must be one for each of {', '.join(self.agents)}")
        acts = np.stack([self.check_action(agent, actions[agent]) for agent in self.agents])  # [E, 1 + M]
        writing: Any = acts[: self.family.slots.outputs, 0]  # [O]
        if self.family.action_kind == "categorical":
            writing = np.argmax(writing)  # the lowest index on ties
        self._seen, reward, terminated, _, info = self._game.step(writing)
        self._inboxes = self._channel.send(acts[:, 1:])
        self._time += 1
        truncated = not terminated and self.max_cycles is not None and self._time >= self.max_cycles
        returned = (
            self._observations(),
            dict.fromkeys(self.agents, reward),
            dict.fromkeys(self.agents, terminated),
            dict.fromkeys(self.agents, truncated),
            self._infos(info),
        )
        if terminated or truncated:
            self.agents = []
        return returned

    def check_action(self, agent: str, action: Any) -> np.ndarray:
        """An agent's writing and message, [1 + M]; ValueError or TypeError if its action is none."""
        return self._actions.numbers(action, f"actions[{agent!r}]")

    def state(self) -> np.ndarray:
        """What the agent as a whole sees (the Gymnasium observation, flattened), then all inboxes.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        if not self._seen:
            raise gym.error.ResetNeeded("there is no state before the first reset()")
        return np.concatenate([*self._seen.values(), self._inboxes.reshape(-1)])

    def render(self) -> Any:
        """A line of text, a picture uint8 [height, width, 3] or None, as the Gymnasium face draws it."""
        return self._game.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._game.close()

    def _make_spaces(self) -> None:
        """Lay the parts of an observation side by side, and make the spaces."""
        slots, channel, experts = self.family.slots, self._channel, len(self.possible_agents)
        constant = slots.inputs == slots.input_size == 1 and self.family.bounds.inputs == (0, 1)
        owned = {} if constant else dict.fromkeys(("inputs", "input_mask"), slots.inputs)
        owned |= dict.fromkeys(("outputs", "output_mask", "output_feedback"), slots.outputs)
        whole = observation_space(self.family).spaces
        lows, highs, end = [], [], 0
        for name, box in whole.items():
            assert isinstance(box, spaces.Box)
            rows = owned.get(name, 1)
            lows.append(np.minimum(box.low.reshape(rows, -1).min(0), 0))  # 0: for who sees nothing there
            highs.append(np.maximum(box.high.reshape(rows, -1).max(0), 0))
            part = slice(end, end := end + len(lows[-1]))
            self.observation_slices[name] = part
            self._parts.append(
                (name, owned.get(name, self._hearers if name == "feedback" else experts), part)
            )
        self.observation_slices["inbox"] = slice(end, end + channel.inbox_size)
        inbox = [np.full(channel.inbox_size, bound) for bound in channel.bounds]
        for agent in self.possible_agents:
            self.observation_spaces[agent] = self._box([*lows, inbox[0]], [*highs, inbox[1]])
            self.action_spaces[agent] = self._actions.space()
        self.state_space = self._box(
            [*(box.low for box in whole.values()), *[inbox[0]] * experts],  # type: ignore[attr-defined]
            [*(box.high for box in whole.values()), *[inbox[1]] * experts],  # type: ignore[attr-defined]
        )

    def _box(self, low: list[np.ndarray], high: list[np.ndarray]) -> spaces.Box:
        dtype = np.dtype(self.family.dtype).type
        return spaces.Box(np.concatenate(low).astype(dtype), np.concatenate(high).astype(dtype), dtype=dtype)

    def _observations(self) -> dict[str, np.ndarray]:
        inbox = self.observation_slices["inbox"]
        vectors = np.zeros((len(self.possible_agents), inbox.stop), self.family.dtype)  # [E, L]
        for name, rows, part in self._parts:
            vectors[:rows, part] = self._seen[name].reshape(-1, part.stop - part.start)
        vectors[:, inbox] = self._inboxes
        return {agent: row.copy() for agent, row in zip(self.possible_agents, vectors, strict=True)}

    def _infos(self, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        info.pop("action_mask", None)  # it is about a choice that no expert makes alone
        infos = {
            agent: {name: value.copy() for name, value in info.items()} for agent in self.possible_agents
        }
        if self._actions.kind == "discrete":
            used = np.zeros(len(self.possible_agents), np.bool_)
            used[: self.family.slots.outputs] = self._seen["output_mask"] != 0
            for agent, in_use in zip(self.possible_agents, used.tolist(), strict=True):
                infos[agent]["action_mask"] = self._actions.mask(in_use)
        return infos
