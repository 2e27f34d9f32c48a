"""Settings as typed, and agents found by name."""

from typing import Any

import pytest

from badger_agents.training.checkpoint import CheckpointError
from baselines.optimisers.triangulation import Triangulation
from leaderboards.runs import open_run, parse_settings


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("[1, 8]", [1, 8]),
        ("[[0,1],[1,0]]", [[0, 1], [1, 0]]),
        ("all", "all"),
        ('"all"', "all"),
        ("", ""),
        ("a=b", "a=b"),
    ],
)
def test_values_are_written_as_in_toml_and_bare_words_are_strings(word: str, value: Any) -> None:
    assert parse_settings([f"key={word}"], "--env") == {"key": value}


@pytest.mark.parametrize("word", ["dims", "=3", ""])
def test_what_is_no_pair_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"--env .*write key=value"):
        parse_settings([word], "--env")


def test_a_recipe_without_weights_is_a_run() -> None:
    run = open_run("guessing-triangulation")
    assert isinstance(run.agent, Triangulation)
    assert (run.seed, run.parameters) == (None, 0)


def test_a_recipe_with_weights_is_not() -> None:
    with pytest.raises(CheckpointError, match="badger train guessing-monolith"):
        open_run("guessing-monolith")


@pytest.mark.parametrize("name", ["guessing-handcrafted", "xor-handcrafted"])
def test_experts_without_weights_are_a_run_with_any_settings_but_weights(name: str) -> None:
    run = open_run(name, experts=7)
    assert (run.seed, run.parameters) == (None, 0)
    assert run.agent.settings.experts == 7
    with pytest.raises(CheckpointError, match=f"{name} with policy changed has weights"):
        open_run(name, policy={"kind": "gru"})


def test_dotted_keys_are_tables_within() -> None:
    words = ["a.b=1", "a.c.d=true", "e=x"]
    assert parse_settings(words, "--agent") == {"a": {"b": 1, "c": {"d": True}}, "e": "x"}
    with pytest.raises(ValueError, match="a is given a value and a key within"):
        parse_settings(["a=1", "a.b=2"], "--agent")
