"""The suite's ids as parameters of tests: those that differ from another in a size alone are slow."""

import re

import pytest

from badger_envs import TABLE

IDS = [entry.id for entry in TABLE]

OTHER_SIZES = re.compile(r"-(d3|d6|d10|[2468]|k\d+-n\d+|medium|hard)-v0$")

QUICK_AND_SLOW = [pytest.param(id, marks=pytest.mark.slow) if OTHER_SIZES.search(id) else id for id in IDS]
