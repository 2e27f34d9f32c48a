"""`badger play`: a person plays trials in the terminal, and gets their score."""

import inspect
import secrets
import sys
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import tyro
from rich.console import Console
from rich.text import Text

from badger_envs import scoring
from badger_envs.faces.spaces import slot_shapes
from badger_envs.family import FLAGS, Family
from badger_envs.registry import base_id, family_of
from leaderboards.options import check_seed
from leaderboards.results import Record, record, show
from leaderboards.runs import parse_settings


class Quit(Exception):
    """The person has had enough."""


def play(
    id: Annotated[str, tyro.conf.Positional],
    *,
    seed: int | None = None,
    trials: int = 1,
    env: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Play an environment yourself: see what an agent sees, write what it writes, get your score.

    At the prompt type your action, or ? for the environment's manual, or q (or Ctrl-D) to end.

    Args:
        id: Name of an environment (`badger list envs`).
        seed: Which trials of the test split; others each time if not given.
        trials: How many, one after the other.
        env: Settings of the environment to change, such as dims=5 horizon=40.
        json: Print the result as one JSON object, and the game on standard error.
    """
    changes = {"split": "test", **parse_settings(env, "--env")}
    seed = secrets.randbelow(10_000) if seed is None else seed
    check_seed(seed)
    if trials < 1:
        raise ValueError(f"--trials is {trials}; it must be at least 1")
    try:
        family = family_of(id, **changes)
    except gym.error.Error as error:
        raise ValueError(f"{str(error).rstrip('.')}; `badger list envs` names the environments") from error
    id = base_id(id)  # a person reads the dict, whatever an agent would
    game = Game(id, family, Console(stderr=json, highlight=False, soft_wrap=True), changes)
    outcomes: list[float] = []
    game.say(f"{id}, seed {seed}", "bold")
    game.say(f"{inspect.getdoc(family) or id}".splitlines()[0])
    try:
        for trial in range(trials):
            outcomes.append(game.play_trial(seed if trial == 0 else None))
    except (Quit, KeyboardInterrupt):
        game.say("\nended before the end of the trial", "dim")
    finally:
        game.env.close()
    results, note = scored(id, family, outcomes, changes, seed)
    if json or results:
        show(results, as_json=json, title=f"you on {id}", note=note)


class Game:
    """One person at one environment.

    Args:
        id: the environment's.
        family: what is behind it.
        console: where the game is written.
        changes: settings of the family that differ from the id's.
    """

    def __init__(self, id: str, family: Family, console: Console, changes: dict[str, Any]) -> None:
        self.env = gym.make(id, render_mode="ansi", disable_env_checker=True, **changes)
        self.family, self.console = family, console

    def say(self, text: str, style: str = "") -> None:
        """Write a line."""
        self.console.print(Text(text, style=style))

    def play_trial(self, seed: int | None) -> float:
        """Play one trial and return its outcome; `Quit` if the person ends it early."""
        observation, info = self.env.reset(seed=seed)
        total, reward, terminated = 0.0, None, False
        for time in range(self.family.horizon + 1):
            self.say(f"\nstep {time} of {self.family.horizon}", "bold")
            for name, what in shown(self.family, observation, reward):
                self.say(f"  {name:<11} {what}")
            if terminated:
                break
            action = self.ask(observation)
            observation, gained, terminated, _, info = self.env.step(action)
            reward = float(gained)
            total += reward
        self.say(f"\nthe end, and the truth: {self.env.render()}", "green")
        outcome = float(info[self.family.outcome])
        better = "higher" if self.family.higher_is_better else "lower"
        name = self.family.outcome
        self.say(f"your {name}: {outcome:.4g} ({better} is better); rewards sum to {total:.4g}")
        return outcome

    def ask(self, observation: dict[str, np.ndarray]) -> Any:
        """Ask until there is an action; `Quit` at "q" or the end of the input."""
        used = np.flatnonzero(observation["output_mask"])
        self.say(wanted(self.family, used), "dim")
        while True:
            try:
                typed = self.console.input("> ").strip()
            except EOFError as error:
                raise Quit from error
            if not sys.stdin.isatty():
                self.say(typed)  # so that a transcript shows it
            if typed.lower() in ("q", "quit", "exit"):
                raise Quit
            if typed == "?":
                self.say(inspect.getdoc(self.family) or "there is no manual")
                continue
            try:
                return parsed(typed, self.family, used)
            except ValueError as error:
                self.say(str(error), "red")


def shown(family: Family, observation: dict[str, np.ndarray], reward: float | None) -> list[tuple[str, str]]:
    """What the person is told: (name, text) for each part of an observation, slots in use only."""
    shapes = slot_shapes(family)
    parts = {name: array.reshape(shapes[name]) for name, array in observation.items()}
    inputs, outputs = (np.flatnonzero(parts[f"{side}_mask"]) for side in ("input", "output"))
    told: list[tuple[str, str]] = []
    picture = family.sketch(parts["inputs"], parts["input_mask"] > 0)
    if picture is not None:
        told.append(("inputs", picture.replace("\n", "\n" + " " * 14)))
    elif parts["inputs"].size > 1:
        told.append(("inputs", rows(parts["inputs"][inputs]) + places(inputs)))
    if family.action_kind == "categorical":
        chosen = np.flatnonzero(parts["outputs"])
        told.append(("chosen last", str(chosen[0]) if len(chosen) else "nothing"))
    else:
        told.append(("written", rows(parts["outputs"][outputs][:, None]) + places(outputs)))
    if "feedback" in parts:
        told.append(("feedback", rows(parts["feedback"][:, None])))
    if "output_feedback" in parts:
        told.append(("per output", rows(parts["output_feedback"][outputs])))
    if reward is not None:
        told.append(("reward", f"{reward:+.3f}"))
    if parts["flags"][FLAGS.index("query")]:
        told.append(("query", "what you answer now counts"))
    return told


def rows(values: np.ndarray) -> str:
    """Numbers of slots [n, F]: bare if F is 1, in brackets if there are more."""
    slots = [" ".join(f"{value:+.3f}" for value in slot) for slot in values]
    return "  ".join(slots) if values.shape[1] == 1 else "  ".join(f"({slot})" for slot in slots)


def places(used: np.ndarray) -> str:
    """Numbers of the slots in use, where they are not simply the first ones."""
    return "" if used.tolist() == list(range(len(used))) else f"   (slots {' '.join(map(str, used))})"


def wanted(family: Family, used: np.ndarray) -> str:
    """One line: what to type."""
    ends = "? explains, q ends"
    if family.action_kind == "categorical":
        first = used.tolist() == list(range(len(used)))
        which = f"a number from 0 to {len(used) - 1}" if first else f"one of {' '.join(map(str, used))}"
        return f"type {which} ({ends})"
    count = "a number" if len(used) == 1 else f"{len(used)} numbers"
    if family.action_kind == "binary":
        return f"type {count}, + or -, one for all is enough ({ends})"
    example = " ".join(("0.5", "-0.2", "0", "1")[i % 4] for i in range(min(len(used), 4)))
    return f"type {count} in [-1, 1], such as {example}{' ...' if len(used) > 4 else ''} ({ends})"


def parsed(typed: str, family: Family, used: np.ndarray) -> Any:
    """The environment's action from what was typed; ValueError in one line with what would do."""
    words, help_ = typed.replace(",", " ").split(), wanted(family, used)
    if not words:
        raise ValueError(help_)
    if family.action_kind == "categorical":
        if len(words) > 1 or not words[0].isdecimal() or int(words[0]) not in used:
            raise ValueError(f"{typed!r} is no choice: {help_}")
        return int(words[0])
    signs = {"+": "1", "-": "-1"} if family.action_kind == "binary" else {}
    values = []
    for word in words:
        try:
            value = float(signs.get(word, word))
        except ValueError:
            raise ValueError(f"{word!r} is no number: {help_}") from None
        if not -1 <= value <= 1:
            raise ValueError(f"{word} is not between -1 and 1: {help_}")
        values.append(value)
    if family.action_kind == "binary" and len(values) == 1:
        values *= len(used)
    if len(values) != len(used):
        raise ValueError(f"that was {len(values)}: {help_}")
    action = np.zeros(family.slots.outputs, family.dtype)
    action[used] = values
    return action


def scored(
    id: str, family: Family, outcomes: list[float], changes: dict[str, Any], seed: int
) -> tuple[list[Record], str]:
    """Results over the finished trials beside floor and ceiling, and a line about them."""
    if not outcomes:
        return [], "no trial was finished, so there is no score"
    mean = sum(outcomes) / len(outcomes)
    results = [record(family.outcome, mean, n=len(outcomes), agent="you", env=id, **changes, task_seed=seed)]
    if changes != {"split": "test"}:
        return results, "no score: floor and ceiling are those of the environment's own settings"
    try:
        scale = scoring.scale_of(id)
    except ValueError:
        return results, f"no score: floor and ceiling of {id} are not known"
    score = scale.score(mean)
    results.append(record("score", score, n=len(outcomes), agent="you", env=id, **changes, task_seed=seed))
    for anchor in (scale.floor, scale.reference):
        settings: dict[str, Any] = {"agent": anchor.agent, "env": id, "split": "test"}
        results.append(record(scale.outcome, anchor.mean, n=anchor.trials, **settings))
    filled = round(30 * min(1.0, max(0.0, score)))
    bar = "#" * filled + "." * (30 - filled)
    over = "one trial" if len(outcomes) == 1 else f"{len(outcomes)} trials"
    return results, f"floor 0 [{bar}] 1 ceiling; {over}: much of it is luck"
