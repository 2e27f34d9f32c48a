"""A look inside agents: traces, interventions, and measures of what experts tell each other."""

from badger_agents.whitebox.interventions import (
    INTERVENTIONS,
    Delay,
    Intervened,
    Intervention,
    Noise,
    ShuffleExperts,
    ShuffleTasks,
    Silence,
    UniformAttention,
)
from badger_agents.whitebox.measures import bits_per_step, equivariance, influence
from badger_agents.whitebox.surgery import Freeze, Remove, Transplanted, transplant
from badger_agents.whitebox.trace import Trace, TraceError, load_trace, record_trace, save_trace

__all__ = [
    "INTERVENTIONS",
    "Delay",
    "Freeze",
    "Intervened",
    "Intervention",
    "Noise",
    "Remove",
    "ShuffleExperts",
    "ShuffleTasks",
    "Silence",
    "Trace",
    "TraceError",
    "Transplanted",
    "UniformAttention",
    "bits_per_step",
    "equivariance",
    "influence",
    "load_trace",
    "record_trace",
    "save_trace",
    "transplant",
]
