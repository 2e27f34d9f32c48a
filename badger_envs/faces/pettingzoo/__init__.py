"""PettingZoo faces of every registered family; importing this registers them with PettingZoo too.

    from badger_envs.faces.pettingzoo import guessing_game_v0
    env = guessing_game_v0.parallel_env(topology="ring", message_size=2)

There is such a name for every id of a family that is registered with Gymnasium, someone else's too.
"""

import dataclasses
from typing import Any

try:
    import pettingzoo
except ImportError as error:
    raise ImportError("PettingZoo is missing: pip install 'badger-suite[pettingzoo]'") from error

from badger_envs.faces.pettingzoo.aec import FamilyAECEnv, Ordered
from badger_envs.faces.pettingzoo.names import module_name, registered
from badger_envs.faces.pettingzoo.parallel import FamilyParallelEnv
from badger_envs.family import Family

__all__ = [
    "EnvModule",
    "FamilyAECEnv",
    "FamilyParallelEnv",
    "env",
    "module_name",
    "parallel_env",
    "raw_env",
    "register",
]


def parallel_env(family: str | Family, **kwargs: Any) -> FamilyParallelEnv:
    """The ParallelEnv of a registered id or a family; keywords as `FamilyParallelEnv`."""
    return FamilyParallelEnv(family, **kwargs)


def raw_env(family: str | Family, **kwargs: Any) -> FamilyAECEnv:
    """The AECEnv of a registered id or a family, without wrappers; keywords as `FamilyParallelEnv`."""
    return FamilyAECEnv(parallel_env(family, **kwargs))


def env(family: str | Family, **kwargs: Any) -> Ordered:
    """The AECEnv of a registered id or a family, which minds the order of calls."""
    return Ordered(raw_env(family, **kwargs))


@dataclasses.dataclass(frozen=True)
class EnvModule:
    """What PettingZoo expects of an environment's module, for one registered id.

    Args:
        id: the id.
    """

    id: str

    def parallel_env(self, **kwargs: Any) -> FamilyParallelEnv:
        """The ParallelEnv; keywords as `FamilyParallelEnv`."""
        return parallel_env(self.id, **kwargs)

    def raw_env(self, **kwargs: Any) -> FamilyAECEnv:
        """The AECEnv without wrappers; keywords as `FamilyParallelEnv`."""
        return raw_env(self.id, **kwargs)

    def env(self, **kwargs: Any) -> Ordered:
        """The AECEnv; keywords as `FamilyParallelEnv`."""
        return env(self.id, **kwargs)


def register(id: str) -> None:
    """Register an id of a family with PettingZoo, if it is not; `pettingzoo.make` finds it then.

    PettingZoo has a registry since 1.27; with an older one nothing happens.
    """
    if not hasattr(pettingzoo, "register"):
        return
    if id not in pettingzoo.parallel_registry:
        pettingzoo.register("parallel", id, f"{__name__}:parallel_env", kwargs={"family": id})
    if id not in pettingzoo.aec_registry:
        pettingzoo.register("aec", id, f"{__name__}:env", kwargs={"family": id})


def __getattr__(name: str) -> Any:
    """The module of an id, by its name."""
    ids = {} if name.startswith("_") else registered()
    if name not in ids:
        raise AttributeError(
            f"badger_envs.faces.pettingzoo has no {name!r}; its environments are {', '.join(ids)}"
        )
    return EnvModule(ids[name])


def __dir__() -> list[str]:
    return [*__all__, *registered()]


for _id in registered().values():
    register(_id)
