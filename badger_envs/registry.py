"""The table of registered ids, and where their families are looked up."""

from typing import Any, NamedTuple

import gymnasium as gym

from badger_envs.family import Family, make_family


class Entry(NamedTuple):
    """A row of the table: id, family as "module:Class", settings (JSON values), one line about it."""

    id: str
    family: str
    settings: dict[str, Any]
    summary: str


TABLE = (
    Entry(
        "Badger/GuessingGame-v0",
        "badger_envs.guessing_game:GuessingGame",
        {},
        "find 3 hidden numbers from one global error",
    ),
)


def register(id: str, family: str, **settings: Any) -> None:
    """Register a family under an id with Gymnasium: `gym.make`, `gym.make_vec` and `make_batched` find it.

    Args:
        id: "[namespace/]Name-vN".
        family: "module:Class" of a `badger_envs.Family`.
        settings: its settings, JSON values only, so that the spec can be written as JSON.
    """
    gym.register(
        id=id,
        entry_point="badger_envs.gymnasium_env:FamilyEnv",
        vector_entry_point="badger_envs.vector_env:FamilyVectorEnv",
        kwargs={"family": family, **settings},
    )


def family_of(id: str, **settings: Any) -> Family:
    """The family behind a registered id, with settings changed where given.

    Accepts "module:id" as `gym.make` does. Raises gymnasium.error.Error for an unknown id, and what
    `make_family` raises.
    """
    spec = gym.spec(id)
    kwargs = {**spec.kwargs, **settings}
    if "family" not in kwargs:
        raise ValueError(f"{id} is no environment of a badger_envs family")
    return make_family(kwargs.pop("family"), kwargs)


def register_all() -> None:
    """Register every row of `TABLE`; called once, when badger_envs is imported."""
    for entry in TABLE:
        register(entry.id, entry.family, **entry.settings)
