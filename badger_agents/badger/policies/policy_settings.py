"""Settings of a policy, [agent.policy]: a kind, and keys whose types its constructor says."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model, model_validator
from pydantic_core import PydanticCustomError

from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.class_loading import load_class
from badger_agents.settings import Settings

KINDS = {"gru": "badger_agents.badger.policies.gru:GRUPolicy"}
"""Policies that have a short name; others are named as "module:Class" or "file.py:Class"."""


class PolicySettings(Settings):
    """Settings of a policy: `kind`, and as further keys the policy's own.

    Those are checked against the policy's `Settings`, or where it has none against those that `settings_of`
    makes from its constructor.

    Attributes:
        kind: a name in `KINDS`, "module:Class" or "file.py:Class"; a subclass of `ExpertPolicy`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    kind: str = "gru"

    @model_validator(mode="after")
    def _fits(self) -> "PolicySettings":
        self.own()
        return self

    def own(self) -> BaseModel:
        """The policy's own settings, checked.

        Raises:
            ValidationError, PydanticCustomError: a key is unknown or its value wrong, or there is no such
                policy.
        """
        given = self.model_extra or {}
        try:
            known = settings_of(self._class())  # type: ignore[arg-type] # classes can be hashed
        except ValueError as error:
            raise PydanticCustomError("policy", "{told}", {"told": str(error)}) from error
        unknown = [key for key in given if key not in known.model_fields]
        if unknown:
            names = ", ".join(("kind", *known.model_fields))
            told = {"key": unknown[0], "names": names}
            raise PydanticCustomError("unknown_key", "{key}: unknown key; known keys: {names}", told)
        return known.model_validate(given, context={"trust": self.trust})

    def make(self, reading_size: int) -> ExpertPolicy:
        """Build the policy.

        Args:
            reading_size: R, numbers that an expert reads.

        Raises:
            ValueError: it does not say how wide its messages are; or what the policy itself raises.
        """
        own = self.own()
        made: ExpertPolicy = self._class()(
            reading_size, **{name: getattr(own, name) for name in type(own).model_fields}
        )
        if not isinstance(getattr(made, "message_size", None), int):
            raise ValueError(f"policy {self.kind!r} does not set message_size, the width of its messages")
        return made

    def _class(self) -> type[ExpertPolicy]:
        return load_class(KINDS.get(self.kind, self.kind), ExpertPolicy, "policy", self.trust)


@cache
def settings_of(policy: type[ExpertPolicy]) -> type[BaseModel]:
    """The class of a policy's settings: its own `Settings`, or one made from its constructor.

    Each keyword of the constructor becomes a key, with its annotation as the type (without one, the type of
    its default). Where it takes `**others`, those of its base class's constructor are keys too.
    """
    own = getattr(policy, "Settings", None)
    if isinstance(own, type) and issubclass(own, BaseModel):
        return own
    fields: dict[str, Any] = {}
    for constructor in _constructors(policy):
        signature = inspect.signature(constructor)
        hints = _hints(constructor)
        for name, parameter in list(signature.parameters.items())[2:]:  # after self and reading_size
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                continue
            has_default = parameter.default is not parameter.empty
            usual = type(parameter.default) if has_default and parameter.default is not None else Any
            fields.setdefault(name, (hints.get(name, usual), parameter.default if has_default else ...))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            break
    made: type[BaseModel] = create_model(f"{policy.__name__}Settings", __base__=Settings, **fields)
    return made


def _constructors(policy: type[ExpertPolicy]) -> list[Callable[..., None]]:
    """Constructors from the class itself up to `ExpertPolicy`, which has none of its own."""
    line = policy.__mro__[: policy.__mro__.index(ExpertPolicy)]
    return [each.__dict__["__init__"] for each in line if "__init__" in each.__dict__]


def _hints(constructor: Callable[..., None]) -> dict[str, Any]:
    """Its annotations; none where a name in them means nothing."""
    try:
        return get_type_hints(constructor, include_extras=True)
    except (NameError, TypeError):
        return {}
