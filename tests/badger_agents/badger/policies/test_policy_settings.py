"""Settings of a policy: from its constructor or its own class, refused in one line where they are wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.badger.policies.gru import GRUPolicy
from badger_agents.badger.policies.policy_settings import PolicySettings, settings_of
from badger_agents.badger.settings import BadgerSettings
from badger_agents.class_loading import Trust
from badger_agents.recipe.schema import first_error
from badger_agents.settings import Settings

GATED = "baselines.related.policies:GatedPolicy"


class Plain(ExpertPolicy):
    """A user's policy whose settings have no annotations."""

    message_size = 2

    def __init__(self, reading_size, width=3, *, loud=False, name=None, **others):  # type: ignore[no-untyped-def]
        super().__init__()


class Wider(GRUPolicy):
    """A policy that hands on what it does not know."""

    def __init__(self, reading_size: int, *, depth: int, **others: Any) -> None:
        super().__init__(reading_size, **others)


class Own(ExpertPolicy):
    """A policy with a class of settings."""

    class Settings(Settings):
        size: int = 4

    def __init__(self, reading_size: int, *, size: int) -> None:
        super().__init__()
        self.message_size = size


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            {"policy": {"hidden_size": "a"}},
            "agent.policy.hidden_size is 'a'; .*a valid integer",
        ),
        (
            {"policy": {"hidden_size": 0}},
            "agent.policy.hidden_size is 0; .*greater than or equal",
        ),
        ({"policy": {"hidden_size": 2.5}}, "agent.policy.hidden_size is 2.5"),
        ({"policy": {"state_noise": float("inf")}}, "agent.policy.state_noise is inf"),
        ({"policy": {"halts": "no"}}, "agent.policy.halts is 'no'; input should be a valid boolean"),
        ({"policy": {"kind": GATED, "always_talk": "no"}}, "agent.policy.always_talk is 'no'"),
        (
            {"policy": {"hiden_size": 3}},
            "agent.policy.hiden_size: unknown key; .*kind, hidden_size",
        ),
        ({"policy": {"kind": "badger_agents.badger.agent:BadgerAgent"}}, "not a subclass of"),
        ({"policy": {"kind": "badger_agents.badger.policies.gru:Nothing"}}, "cannot be loaded"),
        ({"policy": {"kind": "subprocess:Popen"}}, "not of this project"),
        (
            {"membrane": {"kind": "hardwired", "blind": (1,)}},
            "agent.membrane.blind: unknown key; .*kind",
        ),
        ({"membrane": {"kind": "soft"}}, "agent.membrane is {'kind': 'soft'}; .*'hardwired', 'attentional'"),
        ({"channel": {"topolgy": "ring"}}, "agent.channel.topolgy: unknown key; known keys: .*topology"),
        ({"channel": {"received_attention": 1}}, "agent.channel.received_attention is 1"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tables: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BadgerSettings(**tables)
    line = first_error(caught.value, BadgerSettings, "agent.")
    assert "\n" not in line
    assert re.search(told, line), line


def test_a_constructor_without_annotations_says_types_by_its_defaults() -> None:
    made = settings_of(Plain)
    assert made.model_validate({"width": 5, "loud": True, "name": "any"}).model_dump() == {
        "width": 5,
        "loud": True,
        "name": "any",
    }
    for wrong in ({"width": "5"}, {"loud": "no"}, {"more": 1}):
        with pytest.raises(ValidationError):
            made.model_validate(wrong)


def test_settings_that_are_handed_on_are_those_of_the_base() -> None:
    made = settings_of(Wider)
    assert set(made.model_fields) == {"depth", *settings_of(GRUPolicy).model_fields}
    assert made.model_fields["depth"].is_required()
    with pytest.raises(ValidationError, match="depth"):
        made.model_validate({"hidden_size": 4})


def test_a_class_of_its_own_is_used() -> None:
    made: type[BaseModel] = settings_of(Own)
    assert made is Own.Settings


def test_a_users_file_is_used_once_it_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from badger_agents import ExpertPolicy\n"
        "class Mine(ExpertPolicy):\n"
        "    message_size = 4\n"
        "    def __init__(self, reading_size, width=8):\n"
        "        super().__init__()\n"
        "        self.width = width\n"
    )
    tables = {"kind": f"{file}:Mine", "width": 6}
    with pytest.raises(ValidationError, match="did not name"):
        PolicySettings.model_validate(tables)
    settings = PolicySettings.model_validate(tables, context={"trust": Trust.of(file)})
    assert settings.make(5).width == 6
    with pytest.raises(ValidationError, match="wide: unknown key; known keys: kind, width"):
        PolicySettings.model_validate({**tables, "wide": 6}, context={"trust": Trust.of(file)})


def test_a_policy_must_say_how_wide_its_messages_are() -> None:
    settings = PolicySettings(kind="badger_agents.badger.policies.expert_policy:ExpertPolicy")
    with pytest.raises((ValueError, TypeError), match=r"message_size|takes 1 positional"):
        settings.make(5)
