"""A trace: all that happened inside an agent during some trials, and its file."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.atomic_files import write_atomically
from badger_agents.rollout import rollout
from badger_envs.family import Family

FORMAT = "badger-trace-1"
"""Key of the one metadata entry, a JSON object: safetensors writes several in any order."""

AXES: dict[str, tuple[str, ...]] = {
    "states": ("expert", "number"),
    "readings": ("expert", "number"),
    "inbox": ("expert", "component"),
    "attention": ("listener", "speaker"),
    "senders": ("listener", "speaker"),
    "messages": ("expert", "component"),
    "writing": ("expert", "number"),
    "logits": ("output",),
    "action": ("output",),
    "outputs": ("output",),
    "inputs": ("input", "number"),
    "feedback": ("number",),
    "solution": ("output",),
    "loss": (),
    "reward": (),
}
"""What the axes of each tensor after step and trial are; tensors of other names have theirs numbered."""

STEP = ("read", "deliver", "update the state", "emit", "write", "step of the environment")
"""Order of what happens within a step. All tensors of a step are as it leaves them, but for `inbox` and
`attention`, by which what was sent before arrived (in the last round, if there are several)."""


class TraceError(ValueError):
    """A file that cannot be used as a trace; the message says why."""


class Trace(NamedTuple):
    """What happened inside an agent.

    Attributes:
        tensors: by name, each [T, B, ...] for T steps of B trials. Of a Badger agent: "states" (or
            "states.FIELD", where a policy's state is a tuple) after the step, "readings", "inbox" and
            "attention" of what arrived in the step (with "senders", who its last axis is, where there are
            many experts), "messages" sent at its end, "writing", and what the family shows: "action",
            "outputs", "feedback" on them, "inputs", "solution", "loss", "reward".
        facts: JSON values: "family" and its settings, "axes" of each tensor, "step" (the order of what
            happens in one), and whatever was given to `record_trace`.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@torch.no_grad()
def record_trace(agent: Agent, family: Family, keys: Int[Tensor, "B 4"], /, **facts: Any) -> Trace:
    """Run an agent through the trials that `keys` name, and keep all that it shows of its inside.

    Args:
        agent: the agent; an `Intervened` one too.
        family: where it acts.
        keys: int64 [B, 4].
        facts: JSON values to keep with it: the agent's name, its outer seed, which tasks, ...
    """
    played = rollout(agent, family, keys, record=True)
    tensors = {**played.trace, "loss": played.loss, "reward": played.reward}
    kind = type(family)
    known = {
        "family": f"{kind.__module__}:{kind.__qualname__}",
        "settings": family.settings(),
        "outcome": family.outcome,
        "step": list(STEP),
        "axes": {name: _axes(name, tensor) for name, tensor in tensors.items()},
    }
    return Trace(tensors, {**facts, **known})


def save_trace(path: Path, trace: Trace) -> None:
    """Write a trace as safetensors, whole or not at all; equal traces give equal files."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in trace.tensors.items()}
    write_atomically(path, save(tensors, {FORMAT: json.dumps(trace.facts, allow_nan=False)}))


def load_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        TraceError: no file, not safetensors (corrupt, truncated), or another program's.
    """
    if not path.is_file():
        raise TraceError(f"no trace at {path}; `badger inspect` writes one")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if FORMAT not in metadata:
                raise TraceError(f"{path} is a safetensors file but no Badger trace (it lacks {FORMAT!r})")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        facts = json.loads(metadata[FORMAT])
        if not isinstance(facts, dict):
            raise ValueError("its facts are no table")
        return Trace(tensors, facts)
    except TraceError:
        raise
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise TraceError(
            f"{path} cannot be read as a trace ({error}): corrupt, truncated or another program's"
        ) from error


def _axes(name: str, tensor: Tensor) -> list[str]:
    known = AXES.get(name.partition(".")[0], ())
    rest = tensor.ndim - 2
    own = known if len(known) == rest else tuple(f"axis {number}" for number in range(rest))
    return ["step", "trial", *own]
