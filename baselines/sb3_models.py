"""Models of Stable-Baselines3 and sb3-contrib: loaded from a zip, and matched to an id.

Loading such a zip runs code from it (it holds pickled objects): load only files that you trust.
"""

import inspect
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from badger_envs.faces.layout import FORMATS


def load_sb3(path: str | Path, device: str = "cpu") -> Any:
    """The model in a zip that `model.save` wrote, of whichever algorithm of the two libraries.

    The zip does not name its algorithm: it is the one whose policies the model's policy is made of, and of
    several such (PPO, A2C, TRPO) the one whose settings are in the zip. DDPG, a case of TD3,
    opens as TD3.

    Raises:
        ModuleNotFoundError: Stable-Baselines3, sb3-contrib or a module of the model's own code is missing.
        ValueError: no such file, or no such model in it.
    """
    import sb3_contrib
    import stable_baselines3
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.save_util import load_from_zip_file

    if not Path(path).is_file():
        raise ValueError(f"no file {str(path)!r}; give a zip that model.save(...) of Stable-Baselines3 wrote")
    if not zipfile.is_zipfile(path) or "data" not in zipfile.ZipFile(path).namelist():
        raise ValueError(f"{path} is no zip that model.save(...) of Stable-Baselines3 wrote")
    data = load_from_zip_file(path, device=device)[0] or {}
    policy = data.get("policy_class")
    if not isinstance(policy, type):
        raise ValueError(f"{path} holds no policy that can be read here; save it with the versions installed")
    ranked = []
    for algorithm in [*vars(stable_baselines3).values(), *vars(sb3_contrib).values()]:
        if not isinstance(algorithm, type) or not issubclass(algorithm, BaseAlgorithm):
            continue
        bases = [
            policy.mro().index(base) for base in algorithm.policy_aliases.values() if base in policy.mro()
        ]
        if bases:
            settings = set(inspect.signature(algorithm).parameters)
            known = len(settings & data.keys()) - len(settings - data.keys())
            ranked.append((-min(bases), known, algorithm))
    if not ranked:
        raise ValueError(f"{path} holds a {policy.__name__}; that is of no algorithm of SB3 or sb3-contrib")
    best = max(ranked, key=lambda rank: rank[:2])[2]
    return best.load(path, device=device)


def observation_for(model: Any, id: str, **settings: Any) -> str:
    """Which observation of an id a model was made for: "dict", "flat" or "rl2".

    Shapes and actions decide, not bounds: a model may be measured on other settings than it was trained on.

    Args:
        model: it has `observation_space` and `action_space`.
        id: a registered id.
        settings: of the family, to change.

    Raises:
        ValueError: none of them.
    """
    offered = []
    for observation in FORMATS:
        env: Any = gym.make(id, **{**settings, "observation": observation})
        shapes = _shapes(env.observation_space)
        if model.action_space == env.action_space and _shapes(model.observation_space) == shapes:
            return observation
        offered.append(f"{observation} {_said(shapes)}")
    raise ValueError(
        f"the model does not fit {id}: it sees {_said(_shapes(model.observation_space))} and acts in"
        f" {_action(model.action_space)}; the environment shows {', '.join(offered)} and takes"
        f" {_action(env.action_space)}"
    )


def _shapes(space: Any) -> Any:
    """Shape of a space, or of each in a dict, with the kind of its numbers."""
    if isinstance(space, spaces.Dict):
        return {name: _shapes(part) for name, part in space.items()}
    return space.shape, space.dtype


def _said(shapes: Any) -> str:
    if isinstance(shapes, dict):
        return "{" + ", ".join(f"{name} {_said(part)}" for name, part in sorted(shapes.items())) + "}"
    return str(list(shapes[0]))


def _action(space: Any) -> str:
    return str(space) if isinstance(space, spaces.Discrete) else f"{type(space).__name__} {list(space.shape)}"
