"""The Badger agent: many experts with one policy, behind a membrane, talking over a channel."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from badger_agents.action_distribution import draw, is_drawn, logits_of
from badger_agents.agent import LearnedAgent
from badger_agents.badger.channel.codec import Line, Transmission
from badger_agents.badger.channel.edges import Links, Wiring
from badger_agents.badger.channel.sparse import as_edges
from badger_agents.badger.halting import talk_on
from badger_agents.badger.membrane.hardwired import widened
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.badger.settings import BadgerSettings, make_membrane, make_policy
from badger_envs import keyed_random
from badger_envs.family import ActionKind, Family, Observation


class BadgerState(NamedTuple):
    """What an agent keeps of a trial.

    Attributes:
        experts: the policy's states [B, E, ...].
        emission: what was sent last, as it left the speakers.
        membrane: its state.
        identity: [B, E, S]; S is 0 for experts without identities.
        links: who can hear whom, where that is drawn per trial; () elsewhere.
        born: how many experts there ever were in these trials, if more than there are now.
        line: messages that are late.
        kind: of the family's actions.
        time: steps done.
    """

    experts: Any
    emission: Emission
    membrane: Any
    identity: Tensor
    links: Links = ()
    born: int = 0
    line: Line = Line()
    kind: ActionKind = "continuous"
    time: int = 0


class Round(NamedTuple):
    """What holds of a round of communication.

    Attributes:
        emission: sent in it.
        line: messages that are late, after it.
        inbox: [B, E, M].
        attention: [B, E, E], or [B, E, c] over lists.
        reading: [B, E, R], what the policy got, echo included.
    """

    emission: Emission
    line: Line
    inbox: Tensor
    attention: Tensor
    reading: Tensor


class BadgerAgent(LearnedAgent):
    """Experts that share one policy and differ in their states (contract 4).

    A step is: read from the membrane; R rounds of deliver, update, emit; write. What an expert reads
    at step t reaches the others at step t + 1 when R = 1.

    Args:
        family: a family of the kind it will live in, for the widths of what is read; in others, narrower
            ones, what they lack reads as zeros.
        settings: see `BadgerSettings`.
    """

    Settings = BadgerSettings

    def __init__(self, family: Family, settings: BadgerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.membrane = make_membrane(family, settings)
        reading_size = self.membrane.reading_size + settings.echo
        reading_size += settings.identity_size * (settings.identities != "none")
        self.policy = make_policy(settings.policy, reading_size, settings.policy_settings, settings.trust)
        self.identities = (
            torch.nn.Parameter(torch.randn(settings.identity_rows, settings.identity_size))
            if settings.identities == "learned"
            else None
        )
        self.wiring = Wiring(settings.topology, settings.experts)
        self.transmission = Transmission(settings.channel, self.policy.message_size)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> BadgerState:
        """Experts' states from the stream "experts" of the trials' keys; no messages yet.

        Raises:
            ValueError: the weights do not fit the family, or it has more outputs than there are experts, or
                scores are to be written where actions are continuous.
        """
        sizes = ("input_size", "feedback", "output_feedback")
        self.check_fits(self.membrane.slots, family, sizes, padded=True)
        is_drawn(family.action_kind, self.settings.writing)
        batch, experts = len(keys), self.settings.experts
        size = self.policy.draw_size
        draws = keyed_random.normal(keys, "experts", experts * size, dtype=family.dtype)  # (B, E*S)
        silence = torch.zeros(
            batch, experts, self.policy.message_size, dtype=getattr(torch, family.dtype), device=keys.device
        )  # (B, E, M)
        return BadgerState(
            self.policy.initial_state(draws.view(batch, experts, size)),
            Emission(silence),
            self.membrane.initial_state(family, keys, experts),
            self.draw_identities(keys, family.dtype, experts),
            self.wiring.draw(keys),
            line=self.transmission.begin(Emission(silence)),
            kind=family.action_kind,
        )

    def act(
        self, state: BadgerState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """Read, communicate, write; records what went on inside (see `badger_agents.whitebox.trace`)."""
        observation = widened(observation, self.membrane.slots)
        membrane, reading = self.membrane.read(
            state.membrane, observation, self.settings.experts
        )  # (B, E, R)
        if self.settings.identities != "none":
            reading = torch.cat([reading, state.identity], dim=-1)  # (B, E, R+S)
        experts, last, writing, rounds = self.talk(state, reading, keys)
        record = {"messages": last.emission.value, "writing": writing, "inbox": last.inbox}
        if is_drawn(state.kind, self.settings.writing):
            scores, used = self.membrane.scores(membrane, observation, writing), observation.output_mask
            logits = logits_of(state.kind, scores, used, self.settings.temperature)  # (B, O)
            action = draw(state.kind, logits, used, keys, state.time)  # (B,) or (B, O)
            record |= {"logits": logits, "choice": action}
        else:
            action = self.membrane.write(membrane, observation, writing)  # (B, O)
        record |= self.wiring.record(last.attention, state.links)
        record |= {"readings": last.reading, **named_states(experts), **rounds}
        changed = {"experts": experts, "emission": last.emission, "membrane": membrane, "line": last.line}
        return state._replace(**changed, time=state.time + 1), action, record

    def talk(
        self, state: BadgerState, reading: Float[Tensor, "B E R"], keys: Int[Tensor, "B 4"]
    ) -> tuple[Any, Round, Float[Tensor, "B E 1"], dict[str, Tensor]]:
        """A step's rounds of communication: deliver, update, emit.

        Args:
            state: as the step before left it.
            reading: what the experts read at this step.
            keys: of the trials.

        Returns:
            The experts' states; what holds of the last round; the writings; and if experts vote on when to
            stop, the rounds used and their cost, each [B] (see `badger_agents.badger.halting`).
        """
        experts, emission, line, stopping = state.experts, state.emission, state.line, None
        for number in range(1, self.settings.rounds + 1):
            links = self.transmission.links(line, self.wiring.links(state.links), keys)
            line, arriving = self.transmission.arrive(line, emission)
            inbox, attention = self.deliver(arriving, links)  # (B, E, M), (B, E, E or c)
            read = reading
            if self.settings.echo:
                read = torch.cat([reading, self.wiring.echo(attention, links)], dim=-1)  # (B, E, R+1)
            experts, sent, writing = self.policy(experts, inbox, read)
            if writing.shape[-1] != 1:
                raise ValueError(
                    f"the policy's writing has shape {tuple(writing.shape)}; its last axis must be 1"
                )
            sent = sent if isinstance(sent, Emission) else Emission(sent)
            line, emission = self.transmission.send(line, sent, keys)
            last = Round(emission, line, inbox, attention, read)
            if self.policy.halts:
                final = number == self.settings.rounds
                stopping = talk_on(stopping, self.policy.vote(experts), experts, writing, last, final=final)
        if stopping is None:
            return experts, last, writing, {}
        rounds = {"rounds": stopping.rounds[:, 0, 0], "rounds_cost": stopping.cost[:, 0, 0]}  # each (B,)
        return stopping.states, stopping.last, stopping.writing, rounds

    @property
    def edges(self) -> Bool[Tensor, "E E"]:
        """[i, j]: i can hear j. Made on demand over lists: E**2 entries.

        Raises:
            ValueError: that is drawn anew in each trial, and is in the state.
        """
        links = self.wiring.links()
        return links if isinstance(links, Tensor) else as_edges(links)

    def deliver(
        self, emission: Emission, links: Links = ()
    ) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E c"]]:
        """Messages as they arrive, over the agent's topology, and the attention paid to each sender.

        Args:
            emission: what was sent last.
            links: the state's, where the topology is drawn per trial.

        Returns:
            Inboxes [B, E, M]; attention [B, E, E], or [B, E, c] where it is over lists (see `Wiring`).
        """
        return self.wiring.deliver(emission, links)

    def draw_identities(
        self, keys: Int[Tensor, "B 4"], dtype: str, count: int, first: int = 0
    ) -> Float[Tensor, "B N S"]:
        """What tells experts apart through a whole trial; random ones from the stream "identity".

        Args:
            keys: of the trials.
            dtype: "float32" or "float64".
            count: N, of how many experts.
            first: number of the first of them.
        """
        if self.identities is not None:
            rows = torch.arange(first, first + count, device=keys.device) % len(self.identities)
            return self.identities[rows].expand(len(keys), -1, -1)  # (B, N, S)
        size = self.settings.identity_size * (self.settings.identities == "random")
        numbers = keyed_random.normal(keys, "identity", count * size, first * size, dtype)  # (B, N*S)
        return numbers.view(len(keys), count, size)  # (B, N, S), or S = 0

    def grow(
        self,
        state: BadgerState,
        keys: Int[Tensor, "B 4"],
        *,
        add: int = 0,
        clone: Sequence[int] = (),
        clone_noise: float = 0.0,
        remove: Sequence[int] = (),
        replace: Sequence[int] = (),
        topology: str | Sequence[Sequence[int]] | None = None,
    ) -> tuple["BadgerAgent", BadgerState]:
        """Another number of experts in mid-trial, the same weights; see `badger.growth.grow`."""
        from badger_agents.badger.growth import Change, grow  # which needs this module

        return grow(self, state, keys, Change(add, clone, clone_noise, remove, replace, topology))


def named_states(experts: Any) -> dict[str, Tensor]:
    """The experts' states by name: "states", or where they are a tuple "states.0" or "states.FIELD" each."""
    if isinstance(experts, Tensor):
        return {"states": experts}
    names = getattr(experts, "_fields", range(len(experts)))
    return {f"states.{name}": part for name, part in zip(names, experts, strict=True)}
