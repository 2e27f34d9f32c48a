"""A Badger agent's step as an ONNX graph: state, observation and draws in, next state and action out."""

import functools
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from badger_agents import tree
from badger_agents.action_distribution import STREAM, choose, is_drawn, logits_of
from badger_agents.agent import Agent
from badger_agents.atomic_files import write_atomically
from badger_agents.badger.agent import BadgerAgent, BadgerState, named_states
from badger_agents.badger.channel.channel import (
    ChannelSettings,
    ChannelState,
    Delivery,
    WrappedChannel,
    WrappedState,
    silence_like,
)
from badger_agents.badger.membrane.attentional import Addresses, AttentionalMembrane
from badger_agents.badger.membrane.hardwired import HardwiredState
from badger_agents.badger.membrane.slot_assignment import LOAD, in_turns, one_to_one
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs.family import FLAGS, Observation
from badger_envs.topology import parse

METADATA = "badger"
"""Name of the entry in a graph's metadata that says, as a JSON object, how to feed it (see `save_onnx`)."""

SIZES = {"batch": 2, "experts": 5, "outputs": 3, "inputs": 4}
"""Sizes with which the step is traced: all differ and none is 1, so that none is taken for another."""


class Given(NamedTuple):
    """What the caller says of talking at this step: who hears whom, and interventions.

    Attributes:
        edges: bool [B, E, E]; i hears j where [b, i, j] is true. The agent's topology, or a changed one.
        speaks: bool [B, E], false for silenced experts: nobody hears them.
        hears: bool [B, E], false for deafened experts: they hear nobody.
        order: int64 [B, E], whose message arrives in whose place; 0, 1, ... unless messages are shuffled.
            Keys stay (as in `badger_agents.whitebox.interventions.ShuffleExperts`).
    """

    edges: Tensor
    speaks: Tensor
    hears: Tensor
    order: Tensor


class Step(NamedTuple):
    """What a step gives.

    Attributes:
        state: the agent's next.
        action: [B, O], or int64 [B] where actions are categorical.
        messages: [B, E, M], sent in the last round of communication.
        attention: [B, E, E], what expert i gives expert j in that round.
        inbox: [B, E, M], heard in it.
        writing: [B, E, 1].
    """

    state: BadgerState
    action: Tensor
    messages: Tensor
    attention: Tensor
    inbox: Tensor
    writing: Tensor


class GivenChannel(WrappedChannel):
    """A channel on which the caller says who hears whom: `Given` is what it keeps of its own."""

    def arrive(
        self, state: WrappedState, sent: Emission, keys: Any, position: int
    ) -> tuple[WrappedState, Emission]:
        """As within, messages in the order that is given."""
        state, arriving = super().arrive(state, sent, keys, position)
        order = state.own.order[..., None].expand_as(arriving.value)  # (B, E, M)
        return state, arriving._replace(value=arriving.value.gather(1, order))  # (B, E, M)

    def hear(self, state: WrappedState, arriving: Emission, keys: Any, position: int) -> Delivery:
        """What reaches listeners over the given edges, from those who speak to those who hear."""
        given = state.own
        edges = given.edges & given.speaks[:, None, :] & given.hears[:, :, None]  # (B, E, E)
        return self.channel.over(arriving, edges)


class ExportedStep(nn.Module):
    """A step of a Badger agent as a function of tensors, for any numbers of trials, experts and slots.

    It is `BadgerAgent.act` with the agent's draws as arguments. A trial whose flag says that this is its
    first step begins anew, whatever state is given: one graph plays whole trials. Draws for the beginning
    have no effect later.

    Args:
        agent: its weights are used, not copied.

    Raises:
        TypeError: it is no Badger agent.
        ValueError: its channel draws at every delivery, or its experts choose among candidates (top-k).
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        if not isinstance(agent, BadgerAgent):
            raise TypeError(f"{type(agent).__name__} cannot be exported; only Badger agents can")
        _check(agent.settings.channel)
        self.agent = agent.with_parts(channel=GivenChannel(agent.channel))
        self.drawn = is_drawn(agent.action_kind, agent.settings.writing)
        self.attentional = isinstance(agent.membrane, AttentionalMembrane)

    @property
    def draws(self) -> dict[str, tuple[str | int, ...]]:
        """Shapes of the draws by the names of their streams, sizes by name or as numbers.

        All are standard normal, but for "choice": uniform in [0, 1), fresh at every step.
        """
        agent, settings = self.agent, self.agent.settings
        shapes: dict[str, tuple[str | int, ...]] = {}
        if agent.policy.draw_size:
            shapes["experts"] = ("batch", "experts", agent.policy.draw_size)
        if settings.identities == "random":
            shapes["identity"] = ("batch", "experts", settings.identity_size)
        if isinstance(agent.membrane, AttentionalMembrane):
            width = agent.membrane.settings.address_size
            counts: tuple[str | int, ...] = ("experts", "outputs", "inputs", 1)
            for name, count in zip(Addresses._fields, counts, strict=True):
                if name != "feedback" or settings.feedback_to == "one":
                    shapes[name] = ("batch", count, width)
        if self.drawn:
            shapes[STREAM] = ("batch", "outputs")
        return shapes

    def begun(
        self, observation: Observation, draws: Mapping[str, Tensor], experts: int, horizon: Tensor
    ) -> BadgerState:
        """The agent's state at the start of trials, slots assigned.

        Args:
            observation: of the first step.
            draws: by name, as `draws` lists them.
            experts: E.
            horizon: [], steps in a trial.
        """
        policy, settings = self.agent.policy, self.agent.settings
        batch, zero = observation.flags.shape[0], observation.outputs.new_zeros(())
        start = draws["experts"] if policy.draw_size else zero.expand(batch, experts, 0)  # (B, E, S)
        nothing = zero.expand(batch, experts, policy.message_size)  # (B, E, M)
        silence = silence_like(nothing, policy.key_size)  # (B, E, M), (B, E, K), (B, E, K)
        waiting = ((silence.value, silence.key),) * settings.channel.delay
        return BadgerState(
            experts=policy.initial_state(start),
            received=zero.expand(batch, experts, int(settings.channel.received_attention)),
            membrane=self._membrane_state(observation, draws, horizon),
            channel=ChannelState((), waiting),
            identity=self._identity(draws, batch, experts, zero),
        )

    def step(
        self,
        state: tuple[Tensor, ...],
        observation: Observation,
        draws: Mapping[str, Tensor],
        given: Given,
        horizon: Float[Tensor, ""],
    ) -> Step:
        """One step, by parts.

        Args:
            state: the tensors of the state that the step before left, but for those of width 0; in trials
                that begin, anything of their shapes.
            observation: what the family shows.
            draws: by name, as `draws` lists them.
            given: who hears whom.
            horizon: steps in a trial.
        """
        agent, begins = self.agent, observation.flags[:, 0] > 0  # (B,)
        experts, before = given.edges.shape[1], iter(state)
        now = tree.map(
            lambda new: (
                torch.where(begins.view(-1, *[1] * (new.dim() - 1)), new, next(before))
                if new.shape[-1]
                else new
            ),
            self.begun(observation, draws, experts, horizon),
        )
        # A hardwired membrane does not look at steps done, [B, 1].
        done: Any = (observation.flags[:, 2:] * horizon).round() if self.attentional else 0
        shown = observation if self.attentional else _for_each_expert(observation, experts)
        membrane, reading = agent.membrane.read(now.membrane, shown, done, experts)  # (B, E, R)
        if agent.settings.identities != "none":
            reading = torch.cat([reading, now.identity], dim=-1)  # (B, E, R+S)
        talking = now._replace(channel=WrappedState(now.channel, given))
        keys = torch.zeros(reading.shape[0], 4, dtype=torch.int64)  # (B, 4), nothing is drawn by them
        after, last, writing, _ = agent.communicate(talking, reading, keys, 0)
        if self.drawn:
            scores = self._own(agent.membrane.scores(membrane, shown, writing), observation)  # (B, O)
            used = observation.output_mask  # (B, O)
            logits = logits_of(agent.action_kind, scores, used, agent.settings.temperature)  # (B, O)
            action = choose(agent.action_kind, logits, used, draws[STREAM])  # (B,) or (B, O)
        else:
            action = self._own(agent.membrane.write(membrane, shown, writing), observation)  # (B, O)
        left = BadgerState(after, last.delivery.received, membrane, last.channel.channel, now.identity)
        attention, inbox = last.delivery.attention, last.delivery.inbox  # (B, E, E), (B, E, M)
        return Step(left, action, last.emission.value, attention, inbox, writing)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """One step: from tensors in the order of `inputs` to tensors in the order of `outputs`."""
        fed = dict(zip(self.inputs, tensors, strict=True))
        state = tuple(tensor for name, tensor in fed.items() if name.startswith("state."))
        shown = {name: fed[name] for name in Observation._fields if name in fed}
        shown.setdefault("output_feedback", shown["outputs"][..., None][..., :0])  # (B, O, 0)
        draws = {name: fed[f"draw.{name}"] for name in self.draws}
        given = Given(*(fed[name] for name in Given._fields))
        horizon = fed.get("horizon", shown["flags"].new_ones(()))
        left, *rest = self.step(state, Observation(**shown), draws, given, horizon)
        return (*(part for part in tree.leaves(left) if part.shape[-1]), *rest)

    @property
    def inputs(self) -> dict[str, tuple[tuple[str | int, ...], torch.dtype]]:
        """Shapes and types of what goes in, by name: state, observation, draws, what is `Given`, horizon."""
        slots, kind = self.agent.membrane.slots, torch.float32
        seen = {
            "inputs": ("batch", "inputs", slots.input_size),
            "input_mask": ("batch", "inputs"),
            "outputs": ("batch", "outputs"),
            "output_mask": ("batch", "outputs"),
            "feedback": ("batch", slots.feedback),
            "output_feedback": ("batch", "outputs", slots.output_feedback),
            "flags": ("batch", len(FLAGS)),
        }
        said: dict[str, Any] = {
            "edges": (("batch", "experts", "experts"), torch.bool),
            "speaks": (("batch", "experts"), torch.bool),
            "hears": (("batch", "experts"), torch.bool),
            "order": (("batch", "experts"), torch.int64),
        }
        known: dict[str, Any] = {f"state{name}": (shape, kind) for name, shape in self._kept.items()}
        known |= {name: (shape, kind) for name, shape in seen.items() if shape[-1]}
        known |= {f"draw.{name}": (shape, kind) for name, shape in self.draws.items()}
        return known | said | ({"horizon": ((), kind)} if self.attentional else {})

    @property
    def outputs(self) -> list[str]:
        """Names of what comes out: the next state's parts as "next.NAME", then the rest of a `Step`."""
        return [*(f"next{name}" for name in self._kept), *Step._fields[1:]]

    @functools.cached_property
    def _kept(self) -> dict[str, tuple[str | int, ...]]:
        """Shapes of the state's tensors, by name; those of width 0 are left out."""
        names = {size: name for name, size in SIZES.items()}
        here = self._state(SIZES)
        other = self._state({name: size + 10 for name, size in SIZES.items()})  # what follows sizes differs
        return {
            name: tuple(
                names[size] if size != there else size
                for size, there in zip(part.shape, other[name].shape, strict=True)
            )
            for name, part in here.items()
            if part.shape[-1]
        }

    def _state(self, sizes: Mapping[str, int]) -> dict[str, Tensor]:
        """A state at the start, of such sizes, by name."""
        slots = self.agent.membrane.slots._replace(inputs=sizes["inputs"], outputs=sizes["outputs"])
        shown = Observation(*(torch.ones(sizes["batch"], *shape) for shape in slots.shapes))
        draws = {
            name: torch.ones([sizes[size] if isinstance(size, str) else size for size in shape])
            for name, shape in self.draws.items()
        }
        return named_states(self.begun(shown, draws, sizes["experts"], torch.ones(())), "")

    def _membrane_state(self, observation: Observation, draws: Mapping[str, Tensor], horizon: Tensor) -> Any:
        """The membrane's at the start."""
        membrane = self.agent.membrane
        if not isinstance(membrane, AttentionalMembrane):
            return HardwiredState(torch.zeros_like(observation.feedback))
        vectors = (draws.get(name, draws["identities"][:, :1]) for name in Addresses._fields)
        addresses = Addresses(*(nn.functional.normalize(part, dim=-1) for part in vectors))
        state = membrane.state_of(addresses, horizon, matched)
        met = membrane.meet(state, observation.output_mask, observation.input_mask, matched)
        return met._replace(last=observation.feedback)

    def _identity(self, draws: Mapping[str, Tensor], batch: int, experts: int, zero: Tensor) -> Tensor:
        """What tells experts apart, [B, E, S]."""
        table = self.agent.identities
        if table is not None:
            return table[torch.arange(experts) % len(table)].expand(batch, -1, -1)
        return draws["identity"] if "identity" in draws else zero.expand(batch, experts, 0)

    def _own(self, written: Float[Tensor, "B N"], observation: Observation) -> Float[Tensor, "B O"]:
        """What was written to the outputs: behind a hardwired membrane there is a place per expert."""
        if self.attentional:
            return written
        return written @ _places(observation.outputs, written)  # (B, O)


def matched(
    similarity: Float[Tensor, "B N E"], used: Float[Tensor, "B N"]
) -> tuple[Float[Tensor, "B N E"], Float[Tensor, "B N"]]:
    """`one_to_one`; in a graph as a scan over slots, of which there may be any number."""
    if not torch.compiler.is_exporting():
        return one_to_one(similarity, used)

    def assign(load: Tensor, slot: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        alike, use = slot  # (B, E), (B,)
        best = (alike - LOAD * load).argmax(dim=-1, keepdim=True)  # (B, 1)
        numbers = torch.arange(load.shape[-1])  # (E,)
        owner = (numbers == best).to(load.dtype) * use[:, None]  # (B, E)
        return load + owner, (owner, (owner * load).sum(dim=-1))

    slots = (similarity.transpose(0, 1).contiguous(), used.transpose(0, 1).contiguous())
    load, (weights, nth) = scan(
        assign, similarity.new_zeros(similarity.shape[0], similarity.shape[-1]), slots
    )
    assigned = weights.transpose(0, 1)  # (B, N, E)
    return assigned, in_turns(assigned, nth.transpose(0, 1), load)


def save_onnx(agent: Agent, path: Path, about: Mapping[str, Any]) -> None:
    """Write an agent's step as an ONNX file.

    Inputs and outputs are those of `ExportedStep`, of float32, bool and int64; "next.NAME" is to be fed as
    "state.NAME" at the next step. Numbers of trials, experts and slots ("batch", "experts", "outputs",
    "inputs") are free; a hardwired membrane needs an expert per output at least. The file also holds, under
    `METADATA`, what `about` says as JSON.

    Args:
        agent: a Badger agent, of float32.
        path: of the file; an old one is replaced.
        about: JSON values for whoever feeds the graph.

    Raises:
        TypeError, ValueError: the agent cannot be exported (see `ExportedStep`).
    """
    step = ExportedStep(agent).eval()
    free = {name: torch.export.Dim(name) for name in SIZES}
    example, shapes = [], []
    for shape, kind in step.inputs.values():
        sizes = [SIZES[size] if isinstance(size, str) else size for size in shape]
        example.append(torch.zeros(sizes, dtype=kind) if kind != torch.float32 else torch.ones(sizes))
        shapes.append({axis: free[size] for axis, size in enumerate(shape) if isinstance(size, str)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself: names of axes, its own deprecations
        program = torch.onnx.export(
            step,
            tuple(example),
            input_names=list(step.inputs),
            output_names=step.outputs,
            dynamic_shapes=(tuple(shapes),),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # it is with dynamo
    model = program.model_proto
    model.metadata_props.add(key=METADATA, value=json.dumps(dict(about), allow_nan=False))
    write_atomically(path, model.SerializeToString())


def _check(settings: ChannelSettings) -> None:
    """ValueError if a delivery of the channel draws, or chooses."""
    sampled = bool(settings.vocabulary and settings.sampling)
    if settings.noise or settings.dropout or sampled:
        name = "noise" if settings.noise else "dropout" if settings.dropout else "sampling"
        raise ValueError(
            f"the channel draws at every delivery ({name} = {getattr(settings, name)}), which an exported"
            f" step cannot; set channel.{name} to 0"
        )
    named = parse(settings.topology)
    if named is not None and named.k is not None:
        raise ValueError(
            f"topology {settings.topology!r} lets experts choose whom they hear, which an exported step"
            " cannot; set channel.topology to another"
        )


def _places(outputs: Float[Tensor, "B N"], experts: Float[Tensor, "B E"]) -> Float[Tensor, "E N"]:
    """1 where slot n is that of expert n, by their numbers: products with it are exact."""
    slots, numbers = torch.arange(outputs.shape[1]), torch.arange(experts.shape[1])  # (N,), (E,)
    return (numbers[:, None] == slots).to(outputs.dtype)


def _for_each_expert(observation: Observation, experts: int) -> Observation:
    """Slots as a hardwired membrane sees them: as many as experts, zeros for experts without."""
    shown = observation
    own = shown.flags[:, :1].expand(-1, experts)  # (B, E)
    written, read = _places(shown.outputs, own), _places(shown.input_mask, own)  # (E, O), (E, I)
    return shown._replace(
        inputs=read @ shown.inputs,  # (B, E, F)
        input_mask=shown.input_mask @ read.mT,  # (B, E)
        outputs=shown.outputs @ written.mT,  # (B, E)
        output_mask=shown.output_mask @ written.mT,  # (B, E)
        output_feedback=written @ shown.output_feedback,  # (B, E, P)
    )
