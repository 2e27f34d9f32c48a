"""Controls of talking: speakers that never learn what to say, and a channel that tells the answer."""

from typing import Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from badger_agents.agent import LearnedAgent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.badger.settings import BadgerSettings, make_policy
from badger_agents.class_loading import PROJECT_ONLY, Trust
from badger_agents.whitebox.interventions import shadow
from badger_envs.family import Family, Observation
from baselines.oracle import answers


class FrozenSenderPolicy(ExpertPolicy):
    """Each expert is a random speaker that never learns and a listener that does.

    Both are expert policies of the same class and size, and read and hear the same. Messages and keys are
    the speaker's, whose weights stay as they are drawn; queries and writings are the listener's. If this is
    as good as learned messages, what was learned is to listen, and not to speak.

    Args:
        reading_size: R.
        policy: class of both, as "module:Class"; it halts by no vote of its own.
        trust: whose code it may be.
        settings: of it.
    """

    made_of_others = True

    def __init__(
        self,
        reading_size: int,
        *,
        policy: str = "badger_agents.badger.policies.expert_policy:GRUPolicy",
        trust: Trust = PROJECT_ONLY,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.speaker, self.listener = (make_policy(policy, reading_size, settings, trust) for _ in range(2))
        self.message_size = self.speaker.message_size
        self.draw_size = self.speaker.draw_size + self.listener.draw_size

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> tuple[Tensor, Tensor]:
        """States of speakers and of listeners, each from half of the draws."""
        speaker, listener = draws.chunk(2, dim=-1)  # (B, E, S/2) each
        return self.speaker.initial_state(speaker), self.listener.initial_state(listener)

    def forward(
        self, state: tuple[Tensor, Tensor], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[tuple[Tensor, Tensor], Emission, Float[Tensor, "B E 1"]]:
        """One round; no gradient reaches the speaker's weights."""
        speaker, listener = state
        fixed = {name: weight.detach() for name, weight in self.speaker.named_parameters()}
        speaker, sent, _ = functional_call(self.speaker, fixed, (speaker, inbox, reading))
        listener, own, writing = self.listener(listener, inbox, reading)
        return (speaker, listener), sent._replace(query=own.query), writing


class OracleChannelState(NamedTuple):
    """mind: the Badger agent's; told: [B, T, E, M], what every expert hears at each step."""

    mind: Any
    told: Tensor


class OracleChannel(LearnedAgent):
    """Badger whose channel tells each expert the answer: what it should write now (see `baselines.oracle`).

    Whether listeners would use the best that could be said: if they do not, it is not for want of speakers.
    Where an arm is chosen, each expert is told whether its own is the best. It looks where agents must not,
    into the keys; it is a control and no contestant.

    Args:
        family: one that has a solution; expert i drives output i (membrane "hardwired").
        settings: Badger's.

    Raises:
        ValueError: the membrane is not hardwired.
    """

    Settings = BadgerSettings

    def __init__(self, family: Family, settings: BadgerSettings) -> None:
        super().__init__()
        if settings.membrane != "hardwired":
            raise ValueError(
                f"membrane is {settings.membrane!r}; the answer can be told to experts that drive one output"
                " each, so it must be 'hardwired'"
            )
        self.settings = settings
        self.badger = BadgerAgent(family, settings)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> OracleChannelState:
        """The agent's state, and the trial's answers as messages: one number each, then zeros."""
        answer = answers(family, keys)[..., None]  # (B, T, O, 1)
        missing = (0, self.badger.policy.message_size - 1, 0, self.settings.experts - answer.shape[2])
        told = nn.functional.pad(answer, missing)  # (B, T, E, M), zeros for who drives no output
        return OracleChannelState(self.badger.initial_state(family, keys), told)

    def act(
        self, state: OracleChannelState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[OracleChannelState, Tensor, dict[str, Tensor]]:
        """One step of the agent, in which the answer arrives and nothing else."""

        def deliver(emission: Emission, *links: Any) -> tuple[Tensor, Tensor]:
            _, attention = self.badger.deliver(emission, *links)  # (B, E, E)
            return state.told[:, state.mind.time], attention

        body = shadow(self.badger, deliver=deliver)
        mind, action, record = body.act(state.mind, observation, keys, step)
        return OracleChannelState(mind, state.told), action, record
