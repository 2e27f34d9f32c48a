"""Packages that only some baselines need: what is missing, and how it is installed."""

import importlib.util
from collections.abc import Sequence

HOW = "pip install 'badger-suite[baselines]'"
"""How to install all of them."""


def missing(packages: Sequence[str]) -> list[str]:
    """Those that are not installed; nothing is imported."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def check_installed(agent: object) -> None:
    """ValueError, saying what would do, if a package in the `requires` of an agent's class is missing."""
    kind = type(agent)
    if lacking := missing(getattr(kind, "requires", ())):
        raise ValueError(f"{kind.__name__} needs {' and '.join(lacking)}, not installed here: {HOW}")
