"""An agent in a process of its own: it sees observations, answers with actions, and gets no key of a task.

The environment plays here, where the submitter's code does not run; what comes back is JSON and safetensors.
"""

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from badger_agents.agent import Keys
from badger_agents.class_loading import Trust
from badger_agents.training import loop
from badger_agents.training.checkpoint import Checkpoint, load_checkpoint
from badger_agents.training.run import DivergenceError
from badger_envs import keyed_random
from badger_envs.family import ActionKind, Family, Observation
from leaderboards.boards.board import Board
from leaderboards.submissions.manifest import weights_file

PATIENCE = 600.0
"""Seconds that an agent may take for an answer; a training takes what it takes."""

LARGEST = 2**30
"""Bytes of a message."""


class RemoteError(ValueError):
    """An agent that does not answer as agents do; the message says how."""


class RemoteAgent:
    """The agent over there, as an `Agent` here: its state stays there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = 0
        self._kind: ActionKind = "continuous"

    def open(self, weights: int, cell: str, train: int | None = None) -> bool:
        """Take weights, and be ready for a cell.

        Args:
            weights: outer seed whose file is opened.
            cell: of the board.
            train: outer seed that is trained again by the recipe in that file, in place of its weights.

        Returns:
            False if the training diverged.
        """
        self._rows = 0
        words = {"do": "open", "weights": weights, "cell": cell, "train": train}
        return bool(self._ask(words, patience=PATIENCE if train is None else None)[0].get("trained"))

    def initial_state(self, family: Family, keys: Keys) -> tuple[()]:
        """Begin as many trials; it draws under keys that have nothing to do with the tasks'."""
        own = keyed_random.outer_keys(
            0, 0, len(keys), first_row=self._rows, like=torch.zeros((), device="cpu")
        )
        self._rows += len(keys)
        self._kind = family.action_kind
        self._ask({"do": "begin"}, {"keys": own})
        return ()

    def act(
        self, state: tuple[()], observation: Observation, keys: Keys, step: int
    ) -> tuple[tuple[()], Tensor, dict[str, Tensor]]:
        """One step."""
        _, answer = self._ask({"do": "act", "step": step}, observation._asdict())
        outputs = observation.outputs  # (B, O)
        categorical = self._kind == "categorical"
        wanted = outputs[:, 0].long() if categorical else outputs  # of that shape and dtype
        action = answer.get("action", wanted[:0])
        if (
            (action.shape, action.dtype) != (wanted.shape, wanted.dtype)
            or not torch.isfinite(action).all()
            or (categorical and not ((action >= 0) & (action < outputs.shape[1])).all())  # else another row's
        ):
            kind = f"numbers of arms, below {outputs.shape[1]}" if categorical else "finite numbers"
            raise RemoteError(f"the agent's action is not {list(wanted.shape)} {kind}")
        return (), action, {}

    def _ask(
        self,
        words: dict[str, Any],
        tensors: dict[str, Tensor] | None = None,
        patience: float | None = PATIENCE,
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        try:
            _send(self._connection, words, tensors or {})
            answered = patience is None or self._connection.poll(patience)
            said, answer = _receive(self._connection) if answered else ({}, {})
        except (EOFError, OSError):
            raise RemoteError("the agent's process has ended") from None
        except (ValueError, SafetensorError) as error:
            raise RemoteError(f"the agent's process does not answer as it should: {error}") from None
        if not answered:
            raise RemoteError(f"the agent's process has not answered for {patience:g} seconds")
        if "error" in said:
            raise RemoteError(f"the agent's process says: {said['error']}")
        return said, answer


@contextmanager
def remote_agent(folder: Path, board: Board) -> Iterator[RemoteAgent]:
    """The agent of a submission in a process that ends with this.

    Args:
        folder: the submission; its weights must be those that were validated.
        board: on which leaderboard.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, folder.resolve(), board), daemon=True)
    process.start()
    theirs.close()
    try:
        yield RemoteAgent(ours)
    finally:
        ours.close()
        process.join(1)
        process.kill()
        process.join()


def serve(connection: Connection, folder: Path, board: Board) -> None:
    """Be the agent, until nobody asks any more."""
    agent: Any = None
    family: Any = None
    state: Any = None
    keys = torch.zeros(0, 4, dtype=torch.int64, device="cpu")
    while True:
        try:
            words, tensors = _receive(connection)
        except (EOFError, OSError):
            return
        said: dict[str, Any] = {}
        answer: dict[str, Tensor] = {}
        try:
            if words["do"] == "open":
                path, cell = folder / weights_file(words["weights"]), board.cells[words["cell"]]
                family, last = cell.family(), load_checkpoint(path, trust=Trust(folders=(folder,)))
                found = last if words["train"] is None else _trained(last, words["train"])
                said["trained"] = found is not None
                agent = None if found is None else found.agent(**cell.agent).eval()
            elif words["do"] == "begin":
                keys = tensors["keys"]
                with torch.no_grad():
                    state = agent.initial_state(family, keys)
            else:
                with torch.no_grad():
                    state, action, _ = agent.act(state, Observation(**tensors), keys, words["step"])
                answer["action"] = action
        except Exception as error:  # a submitter's class may fail in any way
            said["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        _send(connection, said, answer)


def _trained(checkpoint: Checkpoint, seed: int) -> Checkpoint | None:
    """An outer seed trained again by a checkpoint's recipe; None if that diverges."""
    with TemporaryDirectory() as place:
        try:
            return loop.train(checkpoint.recipe, seed, Path(place))
        except DivergenceError:
            return None


def _send(connection: Connection, words: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Words and tensors as one message of JSON, a line's end, and safetensors: no pickle, which runs code."""
    content = save({name: value.contiguous().clone() for name, value in tensors.items()})
    connection.send_bytes(json.dumps(words).encode() + b"\n" + content)


def _receive(connection: Connection) -> tuple[dict[str, Any], dict[str, Tensor]]:
    words, _, content = connection.recv_bytes(LARGEST).partition(b"\n")
    return json.loads(words), load(content)
