"""What tests of submissions share."""

from pathlib import Path

import pytest

from tests.leaderboards.submissions.made import Place, make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A valid submission; nobody changes it."""
    return make(tmp_path_factory.mktemp("submission"))


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy of it that may be changed."""
    return made.copy(tmp_path)
