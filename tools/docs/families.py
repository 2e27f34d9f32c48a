"""A page per family: its manual, a picture, its spaces, what scores are relative to, a trial."""

import inspect
import io
import re
from typing import Any

import gymnasium as gym
from PIL import Image

from badger_agents.acting import EnvPolicy
from badger_agents.agent import Agent
from badger_envs import TABLE, scoring
from badger_envs.registry import Entry, family_of
from baselines.references import candidates_of
from leaderboards.boards.standing import short
from leaderboards.results import markdown

SEED = 1
"""The task of the test split that is shown."""

FIRST, LAST = 10, 2
"""Steps of a long trial that are shown at its start and at its end."""

LONG = 16
"""Numbers of an array that are shown whole; of a longer one only the first few and the last."""


def family_pages() -> dict[str, tuple[str, dict[str, str | bytes]]]:
    """Pages of all registered families, in the registry's order.

    Returns:
        By the name of a family's file, without the ending: the page's title, and the page and its pictures
        by their places on the site.
    """
    entries: dict[str, list[Entry]] = {}
    for entry in TABLE:
        entries.setdefault(entry.family, []).append(entry)
    return {
        family.rpartition(".")[2].partition(":")[0]: _page(family, rows) for family, rows in entries.items()
    }


def title_of(family: str) -> str:
    """The name of a family in words: "module:GuessingGame" is "Guessing game"."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", family.rpartition(":")[2])
    return " ".join([words[0], *(word if word.isupper() else word.lower() for word in words[1:])])


def _page(family: str, entries: list[Entry]) -> tuple[str, dict[str, str | bytes]]:
    title, first = title_of(family), entries[0]
    name = family.rpartition(".")[2].partition(":")[0]
    lead, _, manual = (inspect.getdoc(type(family_of(first.id))) or "").partition("\n\n")
    player, who = _player(first.id)
    lines, pictures = _trial(first.id, player)
    files: dict[str, str | bytes] = {
        f"environments/{name}-{which}.png": picture for which, picture in pictures.items()
    }
    parts = [
        f"# {title}",
        lead,
        f"![The first step of a trial]({name}-first.png) ![The last step of the trial]({name}-last.png)",
        f"The first and the last step of a trial of `{first.id}` that the {who} plays. Blue is what the agent"
        " wrote, green what it should have written; agents do not see the green.",
        manual,
        "## Ids, floors and references",
        _ids(entries),
        "A mean outcome on the test split becomes a score: `(outcome - floor) / (reference - floor)`. So 0 is"
        " the best of some policies that ignore what they see, 1 the reference; a score may lie outside"
        " of both. `badger admin score` measures the two, on 10,000 tasks each."
        " [What to expect](../what_to_expect.md#how-to-read-a-score) says more.",
        f"## Spaces of `{first.id}`",
        _spaces(first.id),
        "## An example trial",
        f"The {who} on task {SEED} of the test split, a line per step: "
        f"`gym.make({first.id!r}, split='test', render_mode='ansi').reset(seed={SEED})`."
        " Arrays of whole numbers stand here without decimals, and long ones without their middle.",
        "```text\n" + "\n".join(_narrow(lines)) + "\n```",
    ]
    return title, {f"environments/{name}.md": "\n\n".join(parts) + "\n", **files}


def _ids(entries: list[Entry]) -> str:
    """A row per id: what it is, floor and reference of its outcome."""
    known, rows = scoring.scales(), []
    for entry in entries:
        row = [f"`{entry.id}`", entry.summary, family_of(entry.id).outcome.replace("_", " ")]
        scale = known.get(entry.id)
        ends = (scale.floor, scale.reference) if scale else ()
        rows.append(row + ([f"{short(end.mean)} ({end.agent})" for end in ends] or ["not measured"] * 2))
    return markdown(["id", "task", "outcome", "floor (score 0)", "reference (score 1)"], rows)


def _spaces(id: str) -> str:
    """The observation, part by part, and the action, as Gymnasium says them."""
    env = gym.make(id)
    shaped = {kind: gym.make(id, observation=kind).observation_space for kind in ("flat", "rl2")}
    spaces = env.observation_space
    assert isinstance(spaces, gym.spaces.Dict)
    rows = [[f"`{name}`", f"`{_space(space)}`"] for name, space in spaces.items()]
    rows.append(["**action**", f"`{_space(env.action_space)}`"])
    flat, rl2 = (f"of shape {shaped[kind].shape}" for kind in ("flat", "rl2"))
    told = (
        f'With `observation="flat"` the observation is one array {flat}, with `observation="rl2"` one {rl2}.'
    )
    return markdown(["part of the observation", "space"], rows) + "\n\n" + told


def _space(space: gym.Space[Any]) -> str:
    """A space in one line, without the brackets of arrays of bounds."""
    if isinstance(space, gym.spaces.Box):
        low, high = ({f"{value:g}" for value in end.flat} for end in (space.low, space.high))
        ends = [one.pop() if len(one) == 1 else "several" for one in (low, high)]
        return f"Box({ends[0]}, {ends[1]}, {space.shape}, {space.dtype})"
    return str(space)


def _player(id: str) -> tuple[Agent, str]:
    """The reference, or the floor's policy where the reference looks answers up; and what to call it."""
    candidates, scale = candidates_of(family_of(id, split="test")), scoring.scales().get(id)
    ends = (scale.reference.agent, scale.floor.agent) if scale else ("", "")
    for role, agents, best in (
        ("reference", candidates.references, ends[0]),
        ("floor's policy", candidates.floors, ends[1]),
    ):
        name = best if best in agents else next(iter(agents))
        if not getattr(agents[name], "knows_trials", False):
            return agents[name], f"{role} ({name})"
    raise ValueError(f"{id} has neither a reference nor a floor that plays by what it sees")


def _trial(id: str, agent: Agent) -> tuple[list[str], dict[str, bytes]]:
    """One trial: a line per step, and pictures of the first step and the last."""
    told, seen = (gym.make(id, split="test", render_mode=mode) for mode in ("ansi", "rgb_array"))
    policy = EnvPolicy(agent, told)
    observation, _ = told.reset(seed=SEED)
    seen.reset(seed=SEED)
    policy.reset()
    lines, ended = [str(told.render())], False
    pictures: dict[str, bytes] = {}
    while not ended:
        action = policy.act(observation)
        observation, _, ended, _, _ = told.step(action)
        seen.step(action)
        lines.append(str(told.render()))
        if "first" not in pictures:
            pictures["first"] = _png(seen.render())
    pictures["last"] = _png(seen.render())
    if len(lines) > FIRST + LAST + 1:
        lines = [*lines[:FIRST], "...", *lines[-LAST:]]
    return lines, pictures


def _narrow(lines: list[str]) -> list[str]:
    """Lines of a trial with less in brackets: no ".00" where a name has only whole numbers, no middles."""
    arrays = re.compile(r"([a-z ]+) \[([^\]]*)\]")
    found = [each for line in lines for each in arrays.findall(line)]
    broken = {name for name, numbers in found if not all(each.endswith(".00") for each in numbers.split())}

    def narrow(array: re.Match[str]) -> str:
        name, numbers = array[1], array[2].split()
        if name not in broken:
            numbers = [each.removesuffix(".00").replace("+0", " 0").replace("-0", " 0") for each in numbers]
        if len(numbers) > LONG:
            numbers = [*numbers[:4], "...", numbers[-1]]
        return f"{name} [{' '.join(numbers)}]"

    return [arrays.sub(narrow, line) for line in lines]


def _png(picture: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png", optimize=True)
    return file.getvalue()
