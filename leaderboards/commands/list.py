"""`badger list`: what there is, read from tables and files; nothing is built."""

import importlib.util
import json as json_
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from badger_envs.registry import TABLE, family_of
from badger_envs.topology import BUILDERS
from leaderboards.results import Record, columns_of, show
from leaderboards.words import nearest

Row = dict[str, Any]
"""A line of a table: its columns, names first."""


def list_(what: Annotated[str | None, tyro.conf.Positional] = None, *, json: bool = False) -> None:
    """List environments, recipes, pretrained policies, boards or topologies; or say how many there are.

    Args:
        what: envs, recipes, pretrained, boards or topologies; how many there are of each if not given.
        json: Print them as one JSON object.
    """
    if what is not None and what not in LISTS:
        guess = nearest(what, list(LISTS)) or f"; there are: {', '.join(LISTS)}"
        raise ValueError(f"no list {what!r}{guess}")
    if what is None:
        rows = [{"what": name, "number": len(make()), "used by": USED[name]} for name, make in LISTS.items()]
        title, note = "The Badger suite", "badger list envs, and so on, names them"
    else:
        rows, title, note = LISTS[what](), what, ""
    if json:
        results: list[Record] = []
        for row in rows:
            (_, id), *more, (_, about) = row.items()
            results.append({"name": what or "list", "id": id, **dict(more), "value": about})
        show(results, as_json=True, title=title, note=note)
        return
    print("\n".join([*columns_of(rows), *(["", note] if note else [])]))


def envs() -> list[Row]:
    """The registered environments, from the table."""
    rows = []
    for entry in TABLE:
        family = family_of(entry.id)
        known = {"id": entry.id, "action": family.action_kind, "steps": family.horizon}
        rows.append({**known, "task": entry.summary})
    return rows


def recipes() -> list[Row]:
    """The recipes that come with the suite, from their files; outer steps are 0 where nothing is trained."""
    ready = {row["name"] for row in pretrained()}
    rows = []
    folders = [_folder(package, "recipes") for package in ("badger_agents", "baselines")]
    tables: dict[str, dict[str, Any]] = {}
    for file in (file for folder in folders for file in folder.glob("*.toml")):
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        tables |= table if file.name == "references.toml" else {file.stem: table}
    for name, table in sorted(tables.items()):
        steps = table.get("training", {}).get("outer_steps", 0)
        weights = "pretrained" if name in ready else "to train" if steps else "none"
        rows.append({"name": name, "weights": weights, "agent": table.get("summary", "")})
    return rows


def pretrained() -> list[Row]:
    """The policies that come with the suite, from the heads of their files, and their recipes' summaries."""
    rows, recipes_ = [], _folder("badger_agents", "recipes")
    for file in sorted(_folder("badger_agents", "pretrained").glob("*.safetensors")):
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            (facts,) = json_.loads(stream.read(size))["__metadata__"].values()
        recipe = json_.loads(facts)["recipe"]
        env = recipe["env"]["id"].removeprefix("Badger/")
        known = tomllib.loads((recipes_ / f"{file.stem}.toml").read_text(encoding="utf-8-sig"))
        rows.append({"name": file.stem, "environment": env, "agent": known["summary"]})
    return rows


def boards() -> list[Row]:
    """The leaderboards, from their files."""
    rows = []
    for file in sorted(_folder("leaderboards", "boards").glob("*/board.toml")):
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        counts = {"agents": len(table.get("agents", {})), "cells": len(table.get("cells", {}))}
        rows.append({"name": file.parent.name, **counts, "question": table.get("title", "")})
    return rows


def topologies() -> list[Row]:
    """Who can hear whom, by name."""
    return [
        {"name": name, "who hears whom": (build.__doc__ or name).strip().splitlines()[0]}
        for name, build in BUILDERS.items()
    ]


LISTS: dict[str, Callable[[], list[Row]]] = {
    "envs": envs,
    "recipes": recipes,
    "pretrained": pretrained,
    "boards": boards,
    "topologies": topologies,
}

USED = {
    "envs": "gym.make(ID), badger play ID",
    "recipes": "badger train NAME, badger suite run --agent NAME",
    "pretrained": "badger evaluate --pretrained NAME",
    "boards": "badger board show NAME",
    "topologies": "badger train ... --agent channel.topology=NAME",
}


def _folder(package: str, name: str) -> Path:
    """A folder within an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    places: Sequence[str] = (spec.submodule_search_locations or []) if spec is not None else []
    return Path(next(iter(places), ".")) / name
