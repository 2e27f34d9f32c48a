"""The suite's ids as parameters of tests."""

import re

import pytest

from badger_envs import TABLE, family_of

IDS = [entry.id for entry in TABLE]

FAMILIES = list({type(family_of(id)): id for id in reversed(IDS)}.values())
"""One id of every family."""

QUICK_AND_SLOW = [id if id in FAMILIES else pytest.param(id, marks=pytest.mark.slow) for id in IDS]
"""Where a test is of the faces, which do not know what a family's settings mean: the others are slow."""

OTHER_SIZES = re.compile(r"-(d3|d6|d10|[2468]|k\d+-n\d+|easy|medium|hard)-v0$")

KINDS_AND_SLOW = [pytest.param(id, marks=pytest.mark.slow) if OTHER_SIZES.search(id) else id for id in IDS]
"""Where a test is of what a family does: ids that differ in a number alone are slow."""

KINDS = [id for id in IDS if id not in FAMILIES and not OTHER_SIZES.search(id)]
"""Ids that differ from those of `FAMILIES` in more than a number."""
