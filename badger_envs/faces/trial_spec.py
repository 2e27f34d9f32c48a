"""A Gymnasium spec that says how long trials are."""

import dataclasses
import json

from gymnasium.envs.registration import EnvSpec


class TrialSpec(EnvSpec):
    """A spec whose `max_episode_steps` is the horizon, for wrappers and libraries that ask for it.

    No `TimeLimit` comes of it: it is the spec of an environment that has been made, and JSON leaves it out.
    Only an environment made from the spec itself, `gym.make(env.spec)`, gets one, of the same length.
    """

    horizon: int

    @classmethod
    def of(cls, spec: EnvSpec, horizon: int) -> "TrialSpec":
        """A spec with the horizon in place of no limit."""
        fields = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec) if field.init}
        told = cls(**{**fields, "max_episode_steps": horizon})
        told.horizon = horizon
        return told

    def to_json(self) -> str:
        """As `EnvSpec.to_json`, without a limit that is the horizon."""
        fields = json.loads(super().to_json())
        if self.max_episode_steps == self.horizon:
            fields["max_episode_steps"] = None
        return json.dumps(fields)
