"""Whose code a recipe names is found wherever it stands."""

import tomllib
from typing import Any

import pytest

from badger_agents.recipe.loading import recipe_files
from leaderboards.submissions.own_code import files_of, foreign, parse_recipe, with_files
from leaderboards.submissions.schema import ManifestError

TABLES: dict[str, Any] = {"name": "a", "env": {"id": "Badger/XOR-v0"}}


def named(agent: dict[str, Any], **tables: Any) -> list[str]:
    return foreign(parse_recipe({**TABLES, "agent": agent, **tables}, "recipe.toml"))


@pytest.mark.parametrize("name", sorted(recipe_files()))
def test_recipes_of_the_suite_name_only_the_suite(name: str) -> None:
    assert foreign(parse_recipe(tomllib.loads(recipe_files()[name].read_text()), name)) == []


@pytest.mark.parametrize(
    "code",
    [
        "policy.py:Mine",
        "os:system",
        "badger_agents_evil:X",
        "badger_agents.a;b:X",
        "x:badger_agents.a:B",
        "Mine",
    ],
)
def test_code_of_others_is_found_in_kind_and_policy_at_any_depth(code: str) -> None:
    assert named({"kind": code}) == [code]
    assert named({"policy": code}) == [code]
    assert named({"policy_settings": {"policies": [{"policy": code}]}}) == [code]
    stage = {"agent": {"policy": code}}
    assert named({}, training={"outer_steps": 1, "stages": [stage]}) == [code]
    mixed = {"mixture": [{}, {"agent": {"policy": code}}]}
    assert named({}, training={"outer_steps": 1, "stages": [mixed]}) == [code]


def test_code_under_another_name_is_found_and_a_topology_is_none() -> None:
    assert named({"baseline": "evil:X"}) == ["evil:X"]
    assert named({"topology": "random:degree=2,seed=3"}) == []
    assert named({"policy": "baselines.related.policies:SetPolicy"}) == []


def test_environments_of_others_are_found() -> None:
    assert named({}, env={"id": "my_module:Mine-v0"}) == ["my_module:Mine-v0"]
    stage = {"env": {"id": "evil:Badger/XOR-v0"}}
    assert named({}, training={"outer_steps": 1, "stages": [stage]}) == ["evil:Badger/XOR-v0"]


def test_files_are_named_and_changed() -> None:
    tables = {**TABLES, "agent": {"kind": "/home/me/kind.py:A", "policy": "p.py:B", "experts": 2}}
    recipe = parse_recipe(tables, "recipe.toml")
    assert files_of(recipe) == {"kind": "/home/me/kind.py", "policy": "p.py"}
    agent = with_files(tables, {"kind": "kind.py"})["agent"]
    assert agent == {"kind": "kind.py:A", "policy": "p.py:B", "experts": 2}


@pytest.mark.parametrize(
    "change", [{"score": 1}, {"env": {}}, {"training": {"outer_steps": 0}}, {"agent": {"kind": 3}}]
)
def test_a_recipe_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match=r"recipe\.toml: "):
        parse_recipe({**TABLES, **change}, "recipe.toml")
