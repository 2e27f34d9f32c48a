"""Settings of every test: one thread, no screen, how many examples a property gets."""

import os
import socket
from collections.abc import Iterator

os.environ["MPLBACKEND"] = "Agg"
os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["SDL_AUDIODRIVER"] = "dummy"
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"

import hypothesis
import pytest
import torch

torch.set_num_threads(1)  # the test processes share the cores

hypothesis.settings.register_profile("default", max_examples=25, derandomize=True, deadline=None)
hypothesis.settings.register_profile("slow", max_examples=2000, derandomize=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def port() -> Iterator[int]:
    """A port for a server of the test's, which nobody else can take while the test runs."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the server, which sets it too, may bind
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Weights drawn without a seed of their own are the same in every run, in whatever order."""
    torch.manual_seed(0)
