"""Ablations of communication: speakers that never learn or say what they read, a channel that tells."""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_agents.agent import LearnedAgent
from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.channel.channel import Channel, Delivery, WrappedChannel, WrappedState
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy, Number, Size
from badger_agents.badger.policies.gru import GRUPolicy
from badger_agents.badger.policies.policy_settings import PolicySettings
from badger_agents.badger.settings import BadgerSettings
from badger_agents.functional import call_with
from badger_envs import keyed_random
from badger_envs.family import ActionKind, Family, Observation
from baselines.oracle import answers

USUAL = PolicySettings()
"""Settings of the usual policy."""


class SpeakerAndListener(ExpertPolicy):
    """Each expert is a speaker that does not learn, and a listener.

    Both are expert policies of the same class and size, and read and hear the same. Messages and keys are
    the speaker's; queries and writings are the listener's. They halt by no vote of their own.

    Args:
        speaker: what speaks; no gradient reaches its weights.
        listener: what listens and writes.
    """

    def __init__(self, speaker: ExpertPolicy, listener: ExpertPolicy) -> None:
        super().__init__()
        self.speaker, self.listener = speaker, listener
        self.message_size = self.speaker.message_size
        self.key_size = self.speaker.key_size
        self.draw_size = self.speaker.draw_size + self.listener.draw_size

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> tuple[Any, Any]:
        """States of speakers and of listeners, each from half of the draws."""
        speaker, listener = draws.chunk(2, dim=-1)  # (B, E, S/2) each
        return self.speaker.initial_state(speaker), self.listener.initial_state(listener)

    def emit(self, state: tuple[Any, Any], reading: Float[Tensor, "B E R"]) -> Tensor | Emission:
        """The speaker's messages and keys, the listener's queries."""
        speaker, listener = state
        sent: Tensor | Emission = self._fixed("emit", speaker, reading)
        own = self.listener.emit(listener, reading)
        if isinstance(sent, Emission) and isinstance(own, Emission):
            sent = sent._replace(query=own.query)
        return sent

    def update(
        self, state: tuple[Any, Any], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[tuple[Any, Any], Float[Tensor, "B E 1"]]:
        """Both update; the listener writes."""
        speaker, _ = self._fixed("update", state[0], inbox, reading)
        listener, writing = self.listener.update(state[1], inbox, reading)
        return (speaker, listener), writing

    def _fixed(self, called: str, *arguments: Any) -> Any:
        """What a method of the speaker returns; no gradient reaches its weights."""
        weights = {name: weight.detach() for name, weight in self.speaker.named_parameters()}
        return call_with(self.speaker, weights, called, *arguments)


class FrozenSenderPolicy(SpeakerAndListener):
    """Each expert is a random speaker that never learns and a listener that does.

    If this is as good as learned messages, what was learned is to listen, and not to speak.

    Args:
        reading_size: R.
        of: settings of both, as in [agent.policy].
    """

    def __init__(self, reading_size: int, *, of: PolicySettings = USUAL) -> None:
        super().__init__(of.make(reading_size), of.make(reading_size))


class BroadcastPolicy(GRUPolicy):
    """Each expert sends what it reads, as it is, and hears the mean of the others' readings.

    What to say is not learned, nor whom to listen to. If this is as good as learned messages, it is enough
    that experts see what the others see.

    Args:
        reading_size: R, and the width of a message.
        hidden_size, state_noise, update_bias: see `GRUPolicy`.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        hidden_size: Size = 32,
        state_noise: Number = 1.0,
        update_bias: float = 0.0,
    ) -> None:
        super().__init__(
            reading_size,
            hidden_size=hidden_size,
            message_size=reading_size,
            key_size=0,
            state_noise=state_noise,
            update_bias=update_bias,
        )
        del self.say

    def emit(self, state: Float[Tensor, "B E H"], reading: Float[Tensor, "B E R"]) -> Emission:
        """The reading."""
        return Emission.alike(reading)


class OracleChannel(LearnedAgent):
    """Badger whose channel tells each expert the answer: what it should write now (see `baselines.oracle`).

    Whether listeners would use the best that could be said: if they do not, it is not for want of speakers.
    Where an arm is chosen, each expert is told whether its own is the best. It knows the trials, as no agent
    may (see `Agent`): a control, and no contestant.

    Args:
        family: one that has a solution; expert i drives output i (membrane "hardwired").
        settings: Badger's.
        action_kind: as a Badger agent's.

    Raises:
        ValueError: the membrane is not hardwired.
    """

    Settings = BadgerSettings
    knows_trials = True

    def __init__(
        self, family: Family, settings: BadgerSettings, *, action_kind: ActionKind | None = None
    ) -> None:
        super().__init__(family, action_kind)
        if settings.membrane.kind != "hardwired":
            raise ValueError(
                f"membrane.kind is {settings.membrane.kind!r}; the answer can be told to experts that drive"
                " one output each, so it must be 'hardwired'"
            )
        self.settings = settings
        badger = BadgerAgent(family, settings, action_kind=action_kind)
        self.badger = badger.with_parts(channel=TellingChannel(badger.channel, settings.rounds))

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> BadgerState:
        """The agent's state, and in the channel's the trial's answers as messages: one number, then zeros."""
        state = self.badger.initial_state(family, keyed_random.agent_keys(keys))
        answer = answers(family, keys)[..., None]  # (B, T, O, 1)
        missing = (0, self.badger.policy.message_size - 1, 0, self.settings.experts - answer.shape[2])
        told = nn.functional.pad(answer, missing)  # (B, T, E, M), zeros for who drives no output
        return state._replace(channel=state.channel._replace(own=told))

    def act(
        self, state: BadgerState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """One step of the agent, in which the answer arrives and nothing else."""
        return self.badger.act(state, observation, keys, step)


class TellingChannel(WrappedChannel):
    """A channel in which each step's answers [B, T, E, M] arrive, and nothing else; they are its own state.

    Args:
        channel: the channel within.
        rounds: of communication per step.
    """

    def __init__(self, channel: Channel, rounds: int) -> None:
        super().__init__(channel)
        self.rounds = rounds

    def hear(
        self, state: WrappedState, arriving: Emission, keys: Int[Tensor, "B 4"], position: int
    ) -> Delivery:
        """The answer of this step in every round; attention as it would be."""
        delivery = super().hear(state, arriving, keys, position)
        return delivery._replace(inbox=state.own[:, position // self.rounds])  # (B, E, M)
