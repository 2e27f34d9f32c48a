"""Numbers in the families' manuals are those of the code: thresholds, limits and usual settings."""

import dataclasses
import re

import pytest

from badger_envs import TABLE, family_of
from badger_envs.families import (
    bandit,
    deliberation,
    digits,
    guessing_game,
    hidden_maps,
    hidden_profile,
    hot_cold,
    landscapes,
    random_mdp,
    recall,
    variable_io,
    xor,
)
from badger_envs.families.synthetic import goals, maps, synthetic
from badger_envs.family import Family

FAMILIES = sorted({type(family_of(entry.id)) for entry in TABLE}, key=lambda family: family.__name__)

NUMBERS: list[tuple[type[Family], str]] = [
    (guessing_game.GuessingGame, f"the error {guessing_game.SCALE:g} * mean((x - target) ** 2)"),
    (guessing_game.GuessingGame, f"in [0, {guessing_game.GuessingGame().bounds.feedback[1]:g}]"),
    (guessing_game.GuessingGame, f"below {guessing_game.SUCCESS}"),
    (xor.XOR, f"above {xor.SUCCESS}"),
    (xor.XOR, f'at most {xor.MOST_BITS["parity"]}, with "table" {xor.MOST_BITS["table"]}'),
    (hot_cold.HotCold, f"below {hot_cold.SUCCESS:.4f}"),
    (hot_cold.HotCold, f"log-uniformly from [1, {landscapes.CONDITION:g}]"),
    (hot_cold.HotCold, f"cos(2 pi {landscapes.WIDTH} z_i)) + ({landscapes.WIDTH} z_i)^2"),
    (hot_cold.HotCold, f"{landscapes.HIDDEN} tanh units and {landscapes.READOUTS} outputs"),
    (variable_io.VariableIO, f"below {variable_io.SUCCESS}"),
    (hidden_profile.HiddenProfile, f"above {hidden_profile.SUCCESS}"),
    (recall.Recall, f"above {recall.SUCCESS}"),
    (hidden_profile.HiddenProfile, f"the first of {hidden_profile.CANDIDATES} draws"),
    (deliberation.Deliberation, f"above {deliberation.SUCCESS}"),
    (deliberation.Deliberation, "at most {prefix}, {chase} and {maze}".format(**deliberation.MOST)),
    (deliberation.Deliberation, f"strings of {deliberation.NAME_BITS} bits"),
    (digits.Digits, f"above {digits.SUCCESS}"),
    (digits.Digits, f"a softmax of {digits.SHARPNESS:g} times the outputs"),
    (
        digits.Digits,
        "{} of each digit for training and validation, {} others".format(*digits._images().number),
    ),
    (digits.Digits, f"every {digits.HELD_OUT}th of a digit"),
    (digits.Digits, f"more than {digits.PIXELS} numbers"),
    (synthetic.Synthetic, f"below {synthetic.SUCCESS}"),
    (synthetic.Synthetic, f"{maps.NONZERO} of the N numbers"),
    (synthetic.Synthetic, f"{maps.UNITS} tanh units"),
    (synthetic.Synthetic, f"at most {synthetic.LONGEST_DELAY}"),
    (bandit.Bandit, f"at most {bandit.MOST_ARMS}"),
    (bandit.Bandit, f"pays {bandit.TARGET:g}, the others {bandit.ORDINARY}"),
    (bandit.Bandit, f"in [0, {bandit.TARGET:g}]"),
    (bandit.Bandit, 'with "gaussian" in [{}, {}]'.format(*bandit.Bandit(kind="gaussian").bounds.feedback)),
    (bandit.Bandit, f"default {bandit.DEFAULT_ARMS['bernoulli']}, always {bandit.DEFAULT_ARMS['dependent']}"),
    (bandit.Bandit, f"(default {bandit.DEFAULT_ARMS['informative']}) with"),
    (random_mdp.RandomMDP, f"(default 10), at most {random_mdp.MOST};"),
    (random_mdp.RandomMDP, 'with "normal" in [{}, {}]'.format(*random_mdp.RandomMDP().bounds.feedback)),
    (
        random_mdp.RandomMDP,
        f"0 or from {random_mdp.LEAST_CONCENTRATION} to {random_mdp.MOST_CONCENTRATION:g}",
    ),
    *(
        (bandit.Bandit, f'{round(1 - p, 2)} and {p} ("{name}")')
        for name, p in bandit.DIFFICULTIES.items()
        if p is not None
    ),
]
"""Families, and text that their manuals must hold, made from the constants of the code."""


def manual(family: type[Family]) -> str:
    return " ".join((family.__doc__ or "").split())


@pytest.mark.parametrize(
    ("family", "text"), NUMBERS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_the_manual_says_what_the_code_does(family: type[Family], text: str) -> None:
    assert text in manual(family)


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_in_the_manual_are_those_of_the_settings(family: type[Family]) -> None:
    """What "(default X)" says after a setting's name is the default; and every setting is in the manual."""
    _, _, arguments = manual(family).partition("## Arguments")
    arguments, _, _ = arguments.partition("## Vectorised environment")
    said = re.findall(r"`(\w+)`[^`]*?\(default ([^)]*\)?)\)", arguments)
    defaults = {field.name: field.default for field in dataclasses.fields(family)}
    for name in defaults:
        assert f"`{name}`" in arguments, f"{name} is not in the manual"
    checked = 0
    for name, text in said:
        value = defaults[name]
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert re.match(rf"{value:g}\b", text), f"{name}: the manual says {text}, the code {value}"
            checked += 1
    assert checked


def test_the_kinds_of_maps_and_functions_are_all_in_the_manual() -> None:
    for family, kinds in (
        (hot_cold.HotCold, landscapes.KINDS),
        (variable_io.VariableIO, hidden_maps.KINDS),
        (bandit.Bandit, bandit.KINDS),
        (recall.Recall, (*recall.KINDS, *recall.ASKED)),
        (hidden_profile.HiddenProfile, (*hidden_profile.KINDS, *hidden_profile.PROFILES)),
        (deliberation.Deliberation, deliberation.KINDS),
        (random_mdp.RandomMDP, random_mdp.KINDS),
        (synthetic.Synthetic, (*maps.KINDS, *goals.GOALS, *synthetic.FEEDBACK)),
    ):
        assert all(f'"{kind}"' in manual(family) for kind in kinds)
