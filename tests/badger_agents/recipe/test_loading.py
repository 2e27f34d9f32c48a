"""Recipes: what is refused, in which words, and that those of the suite load and build."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from badger_agents.agent import LearnedAgent
from badger_agents.class_loading import Trust
from badger_agents.recipe.loading import RecipeError, check_recipe, load_recipe, merged, recipe_files
from tests.badger_agents.small import TRUST, keys, small_recipe, small_tables, small_toml

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    # unknown keys, at each level
    ({"foo": 1}, ["foo: unknown key", "training"]),
    ({"training": {"foo": 1}}, ["training.foo: unknown key", "outer_steps"]),
    ({"env": {"foo": 1}}, ["env: ", "'foo'", "dims"]),
    ({"agent": {"foo": 1}}, ["agent.foo: unknown key", "experts"]),
    ({"agent": {"policy": {"foo": 1}}}, ["agent.policy.foo: unknown key", "hidden_size"]),
    ({"agent": {"channel": {"foo": 1}}}, ["agent.channel.foo: unknown key", "topology"]),
    # missing keys
    ({"env": "Badger/GuessingGame-v0"}, ["env is 'Badger/GuessingGame-v0'", "dictionary"]),
    ({"training": "none"}, ["training is 'none'"]),
    # wrong types
    ({"name": 3}, ["name is 3", "string"]),
    ({"env": {"id": 3}}, ["env.id is 3", "string"]),
    ({"env": {"dims": "a"}}, ["env: dims is 'a'", "integer"]),
    ({"agent": {"experts": 3.5}}, ["agent.experts is 3.5", "integer"]),
    ({"agent": {"experts": True}}, ["agent.experts is True", "integer"]),
    ({"agent": {"channel": {"topology": 3}}}, ["agent.channel.topology is 3", "string", "tuple"]),
    ({"agent": {"policy": 3}}, ["agent.policy is 3", "dictionary"]),
    ({"agent": {"policy": {"hidden_size": "a"}}}, ["agent.policy", "hidden_size", "'a'"]),
    (
        {"training": {"optimiser": {"learning_rate": "fast"}}},
        ["training.optimiser.learning_rate is 'fast'", "number"],
    ),
    ({"training": {"outer_steps": 1.5}}, ["training.outer_steps is 1.5", "integer"]),
    # impossible values
    ({"name": "a b"}, ["name is 'a b'", "pattern"]),
    ({"env": {"dims": 0}}, ["env: dims is 0", "at least 1"]),
    ({"env": {"dims": [4, 2]}}, ["env: dims", "empty range"]),
    ({"env": {"horizon": 0}}, ["env: horizon is 0", "at least 1"]),
    ({"env": {"dims": 4}}, ["agent: 3 experts for 4 outputs", "experts=4"]),
    ({"agent": {"experts": 0}}, ["agent.experts is 0", "greater than or equal to 1"]),
    ({"agent": {"rounds": 0}}, ["agent.rounds is 0"]),
    ({"agent": {"channel": {"topology": [[0, 1], [1, 0]]}}}, ["agent: topology has shape (2, 2)", "(3, 3)"]),
    ({"agent": {"channel": {"topology": [[0, 2, 0]] * 3}}}, ["agent: topology", "0 and 1"]),
    (
        {"agent": {"policy": {"hidden_size": 0}}},
        ["agent.policy", "hidden_size", "greater than"],
    ),
    (
        {"training": {"optimiser": {"learning_rate": 0.0}}},
        ["training.optimiser.learning_rate is 0.0", "greater than 0"],
    ),
    (
        {"training": {"optimiser": {"learning_rate": float("inf")}}},
        ["training.optimiser.learning_rate is inf", "finite"],
    ),
    ({"training": {"clip_norm": float("nan")}}, ["training.clip_norm is nan"]),
    ({"training": {"outer_steps": 0}}, ["training.outer_steps is 0"]),
    ({"training": {"batch_size": -1}}, ["training.batch_size is -1"]),
    # unknown names
    ({"env": {"id": "Badger/GuessingGam-v0"}}, ["env: ", "GuessingGam", "GuessingGame"]),
    ({"env": {"id": "Badger/GuessingGame-v9"}}, ["env: ", "v9", "v0"]),
    ({"env": {"id": "CartPole-v1"}}, ["env: CartPole-v1 is no environment of a badger_envs family"]),
    ({"env": {"id": "no_such_module:X-v0"}}, ["env: "]),
    ({"agent": {"kind": "nonsense"}}, ["agent: ", "'nonsense'", "module:Class"]),
    ({"agent": {"kind": "collections:Counter"}}, ["not of this project", "--trust collections"]),
    (
        {"agent": {"channel": {"topology": "everyone"}}},
        ["topology is 'everyone'", "all, none, self, ring"],
    ),
    ({"agent": {"feedback_to": "two"}}, ["agent.feedback_to is 'two'", "'all', 'one' or 'chosen'"]),
    (
        {"agent": {"policy": {"kind": "badger_agents.badger.policies.gru:LSTMPolicy"}}},
        ["agent.policy", "LSTMPolicy"],
    ),
    ({"agent": {"policy": {"kind": "mine.py:Mine"}}}, ["agent.policy", "--trust mine.py"]),
    ({"training": {"objective": "fast"}}, ["training.objective is 'fast'", "second_half"]),
    ({"training": {"estimator": "magic"}}, ["training.estimator is 'magic'", "backpropagation"]),
    (
        {"training": {"estimator_settings": {"foo": 1}}},
        ["training.estimator_settings.foo: unknown key; known keys: keep_every, last_steps"],
    ),
    (
        {"training": {"estimator": "evolution", "estimator_settings": {"sigma": 0.0}}},
        ["training.estimator_settings.sigma is 0.0", "greater than 0"],
    ),
    (
        {"training": {"estimator": "evolution", "estimator_settings": {"pairs": 3}}},
        ["training.estimator_settings: batch_size is 8; it must be a multiple of pairs, which is 3"],
    ),
    (
        {
            "training": {"estimator": "evolution", "estimator_settings": {"pairs": 4}},
            "agent": {"policy": {"kind": "tests.badger_agents.small:LookingPolicy"}},
        },
        ["agent: ", "vmap", ".item()"],
    ),
    ({"training": {"schedule": "cosine"}}, ["training.schedule is 'cosine'", "'constant' or 'linear'"]),
    # an agent that cannot live there
    ({"env": {"id": "Badger/Bandit-v0", "arms": 3}}, ["agent: ", "does not depend on its weights"]),
]


def wrong_tables(change: dict[str, Any]) -> dict[str, Any]:
    tables = small_tables()
    for key, item in change.items():
        tables[key] = {**tables[key], **item} if isinstance(item, dict) else item
    return tables


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[json.dumps(change) for change, _ in WRONG])
def test_what_is_wrong_is_one_line_that_names_file_key_and_cure(
    change: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(RecipeError) as caught:
        check_recipe(wrong_tables(change), "some/file.toml", TRUST)
    message = str(caught.value)
    assert message.startswith("some/file.toml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("missing", ["name", "env", "env.id", "training.outer_steps"])
def test_a_missing_key_is_named(missing: str) -> None:
    tables = small_tables()
    table, _, key = missing.rpartition(".")
    del (tables[table] if table else tables)[key]
    with pytest.raises(RecipeError, match=rf"f\.toml: {missing}: missing; it must be given"):
        check_recipe(tables, "f.toml")


@pytest.mark.parametrize("name", sorted(recipe_files()))
def test_every_recipe_of_the_suite_loads_builds_and_takes_a_step(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    family = recipe.family(split="train")
    agent = recipe.make_agent(seed=1)
    weights = list(agent.parameters()) if isinstance(agent, LearnedAgent) else []
    assert bool(weights) == (recipe.training is not None)
    names = keys(2)
    task = family.sample_task(names)
    world = family.initial_state(task)
    _, action, _ = agent.act(agent.initial_state(family, names), family.observe(task, world), names, 0)
    transition = family.step(task, world, action, family.noise(names, 1)[:, 0])
    assert transition.loss.shape == (2,)
    assert transition.loss.isfinite().all()


def test_a_recipe_survives_json() -> None:
    recipe = small_recipe(
        agent={"channel": {"topology": [[0, 1, 0], [0, 0, 1], [1, 0, 0]]}}, env={"dims": [1, 1]}
    )
    assert check_recipe(json.loads(recipe.to_json()), "recipe") == recipe


def test_a_path_and_a_name_are_found(tmp_path: Path) -> None:
    assert load_recipe(str(small_toml(tmp_path))) == small_recipe()
    assert load_recipe("guessing-hardwired").name == "guessing-hardwired"


@pytest.mark.parametrize("name", ["nothing", "nothing.toml", "", ".", "/", "guessing-hardwired.toml"])
def test_an_unknown_recipe_is_refused_and_known_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="guessing-hardwired") as caught:
        load_recipe(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"name = ",
        b"[env\n",
        b"a = 1\na = 2\n",
        b"\xff\xfe\x00",
        b"{}",
        b"a = " + b"9" * 5000,
        b"a = " + b"[" * 5000,
    ],
    ids=["half", "open", "twice", "bytes", "json", "long", "deep"],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text)
    with pytest.raises(RecipeError, match=r"mine\.toml: not TOML") as caught:
        load_recipe(str(path))
    assert "\n" not in str(caught.value)


def test_initial_weights_follow_from_the_seed_alone() -> None:
    recipe = small_recipe()
    one, other = (recipe.make_agent(seed) for seed in (3, 4))
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = recipe.make_agent(3)
    assert torch.equal(before, torch.get_rng_state())  # nobody else's draws are touched
    weights = [dict(agent.state_dict()) for agent in (one, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["policy.cell.weight_ih"], weights[2]["policy.cell.weight_ih"])


def test_changes_for_one_use_are_checked_too() -> None:
    recipe = small_recipe()
    assert recipe.make_agent(experts=7).settings.experts == 7
    with pytest.raises(RecipeError, match=r"agent\.experts is 'x'"):
        recipe.make_agent(experts="x")
    with pytest.raises(RecipeError, match=r"agent\.expert: unknown key"):
        recipe.make_agent(expert=3)


def test_settings_that_do_not_go_together_are_told_in_one_line() -> None:
    with pytest.raises(RecipeError, match=r"^agent: update_bias is set, and sequence_model is 'lstm'"):
        load_recipe("guessing-lstm").make_agent(update_bias=1.0)


def test_weights_have_the_dtype_of_the_family() -> None:
    agent = small_recipe(env={"dtype": "float64"}).make_agent()
    assert {weight.dtype for weight in agent.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise KeyError('eggs')", "KeyError"),
        ("return state, reading[..., :2]", "last axis must be 1"),
        ("return state, inbox @ reading", "RuntimeError|shape"),
        ("return state, inbox, reading", "too many values"),
        ("return state, reading[..., :1].detach()", "does not depend on its weights"),
    ],
)
def test_a_users_policy_that_fails_is_told_before_anything_is_written(
    tmp_path: Path, body: str, told: str
) -> None:
    code = """
import torch
from badger_agents import ExpertPolicy


class Mine(ExpertPolicy):
    message_size = 3

    def __init__(self, reading_size):
        super().__init__()
        self.linear = torch.nn.Linear(reading_size + 3, 1)

    def initial_state(self, draws):
        return draws

    def emit(self, state, reading):
        return reading[..., :3]

    def update(self, state, inbox, reading):
        torch.cat([inbox, reading], dim=-1) @ self.linear.weight.mT
        BODY
"""
    (tmp_path / "mine.py").write_text(code.replace("BODY", body))
    tables = {
        "name": "mine",
        "env": {"id": "Badger/GuessingGame-v0"},
        "agent": {"policy": {"kind": f"{tmp_path / 'mine.py'}:Mine"}},
        "training": {"outer_steps": 1},
    }
    with pytest.raises(RecipeError, match=told) as refused:
        check_recipe(tables, "my.toml", Trust.of(tmp_path / "mine.py"))
    assert str(refused.value).startswith("my.toml: agent: ")
    assert "\n" not in str(refused.value)


def test_changes_are_merged_into_tables_and_into_each_table_of_a_list() -> None:
    own = {
        "policy": {"kind": "a", "size": 3},
        "stages": ({"rate": 1.0}, {"rate": 2.0, "more": 5}),
        "dims": [1, 3],
    }
    assert merged(own, {"policy": {"size": 4}})["policy"] == {"kind": "a", "size": 4}
    assert merged(own, {"policy": {"kind": "b"}})["policy"] == {"kind": "b"}
    deep = {"policy": {"kind": "a", "of": {"kind": "c", "size": 3, "more": 1}}}
    assert merged(deep, {"policy": {"of": {"size": 4}}})["policy"]["of"] == {
        "kind": "c",
        "size": 4,
        "more": 1,
    }
    assert merged(own, {"stages": {"rate": 3.0}})["stages"] == [{"rate": 3.0}, {"rate": 3.0, "more": 5}]
    assert merged(own, {"stages": []})["stages"] == []
    for name in ("dims", "none"):
        assert merged({**own, "none": []}, {name: {"rate": 3.0}})[name] == {"rate": 3.0}  # to be refused
