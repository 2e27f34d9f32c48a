"""Names of PettingZoo modules: "Badger/GuessingGame-v0" is `guessing_game_v0`."""

import re

import gymnasium as gym

from badger_envs.registry import ENTRY_POINT


def module_name(id: str) -> str:
    """Name of the module of a registered id: its namespace left out, in snake case."""
    name = id.rsplit(":", 1)[-1].rsplit("/", 1)[-1]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def registered() -> dict[str, str]:
    """Ids of the families registered with Gymnasium, by module name; the first of a name wins.

    Variants of the observation are left out: agents have observations of their own.
    """
    specs = [spec for spec in gym.registry.values() if spec.entry_point == ENTRY_POINT]
    ids = [spec.id for spec in specs if "family" in spec.kwargs and "observation" not in spec.kwargs]
    return {module_name(id): id for id in reversed(ids)}
