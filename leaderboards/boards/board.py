"""A board: which agents are trained with which outer seeds, and on which tasks they are measured."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, ValidationInfo, model_validator

from badger_agents.agent import Settings
from badger_agents.class_loading import PROJECT_ONLY, Trust, with_code_files
from badger_agents.estimators.optimiser import OptimiserSettings
from badger_agents.recipe.loading import Recipe, check_recipe, load_recipe, merged
from badger_agents.recipe.schema import trusted_family
from badger_envs import __version__
from badger_envs.family import Family
from badger_envs.registry import family_of
from badger_envs.scoring import scale_of
from leaderboards.boards.changes import CHANGES, GROUP_CHANGES
from leaderboards.words import nearest

FOLDER = Path(__file__).parent
"""Where the suite's boards lie, each a folder with its TOML file and the runs that it stands on."""

FILE = "board.toml"

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
"""Of a line, a cell or a submission: files are called after it."""


class BoardError(ValueError):
    """A board that cannot be used; the message says why."""


class Replaced(Settings):
    """Experts that vanish within a trial: fresh ones, who know nothing, take their seats.

    Attributes:
        after: steps done before.
        experts: how many, from the first place on.
    """

    after: int = Field(ge=1)
    experts: int = Field(ge=1)


class CellTable(Settings):
    """[cells.NAME]: tasks on which every agent of the board is measured.

    Other keys are settings of the family; a size given as a number is that size in the test split.

    Attributes:
        id: registered id of the environment, with its version.
        agent: settings of trained agents to change there, such as the number of experts; those that do not
            know a setting refuse it. References are as their recipes say.
        replaced: experts that vanish there; only Badger agents can be measured, and nothing else is done to
            them.
    """

    model_config = ConfigDict(extra="allow")

    id: str
    agent: dict[str, Any] = Field(default_factory=dict)
    replaced: Replaced | None = None

    def definition(self) -> dict[str, Any]:
        """All that it says, as JSON values: a part of fingerprints."""
        return self.model_dump(mode="json", exclude=None if self.replaced else {"replaced"})

    def family(self, split: str = "test") -> Family:
        """The family, in a split."""
        return trusted_family(self.id, {**(self.model_extra or {}), "split": split}, self.trust)

    @model_validator(mode="after")
    def _split_is_the_boards(self) -> "CellTable":
        if "split" in (self.model_extra or {}):
            raise ValueError("split is no setting of a cell: boards measure in the test split")
        return self


class EntrantTable(Settings):
    """[agents.NAME]: one line of the board.

    Attributes:
        recipe: name of a recipe; left out with `weights_of`.
        weights_of: another agent, whose trained weights this one has, seed by seed; `agent` may then change
            what is no weight, such as the topology.
        untrained: with `weights_of`: its weights are those of outer step 0; a null of that agent.
        intervention: what is done to it when it is measured, one of `CHANGES` or
            `GROUP_CHANGES`.
        born_anew: with `weights_of`: when it is measured it is born anew every so many steps (see
            `badger_agents.whitebox.controls.BornAnew`); 0: once.
        role: what it is there for: a contestant, a control (an agent with something taken away), or a
            reference without weights, which needs no outer seeds.
        control_of: the agent from which a control takes something away.
        env: settings of the recipe's [env] to change; `agent` and `training` likewise.
        measured: settings of a trained agent that are others when it is measured on the board, such as
            `noise` = 0 for one that explores by noise while it learns.
        leave_out: name of a family's class, such as "Bandit": training meets it in no mixture.
        only: likewise: training meets nothing else.
        cells: where it is measured; all cells if empty.
        policy: a user's own expert policy, as my_file.py:MyPolicy, in place of the recipe's and its settings;
            whoever reads the board from a file has to trust it.
        own_budget: the board's budget does not hold for it; the recipe says all.
        label: what tables call it, if not by its name; of a control, what is taken away.
        condition: what the line holds for where a board asks the same twice, such as "one hears"; "": both.
        without: of a control that the claim gate asks for: "communication" or "exchange" (retrained in
            silence; retrained with a channel to oneself).
    """

    recipe: str = ""
    policy: str = ""
    weights_of: str | None = None
    untrained: bool = False
    intervention: str | None = None
    born_anew: int = Field(default=0, ge=0)
    role: Literal["contestant", "control", "reference"] = "contestant"
    control_of: str | None = None
    env: dict[str, Any] = Field(default_factory=dict)
    agent: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    measured: dict[str, Any] = Field(default_factory=dict)
    leave_out: str = ""
    only: str = ""
    cells: list[str] = Field(default_factory=list)
    own_budget: bool = False
    label: str = ""
    condition: str = ""
    without: Literal["", "communication", "exchange"] = ""

    @model_validator(mode="after")
    def _is_whole(self) -> "EntrantTable":
        if bool(self.recipe) == (self.weights_of is not None):
            raise ValueError("give recipe, or weights_of, and not both")
        trained = self.env or self.training or self.policy or self.leave_out or self.only
        if self.weights_of is not None and trained:
            raise ValueError(
                "with weights_of nothing is trained; leave env, training, policy, leave_out and only out"
            )
        if self.untrained and self.weights_of is None:
            raise ValueError("untrained needs weights_of: the agent whose null it is")
        if self.measured and (self.role == "reference" or self.weights_of is not None):
            raise ValueError(
                "measured is of a line that is trained; a reference's recipe, or agent, says all"
            )
        if self.born_anew and self.weights_of is None:
            raise ValueError("born_anew needs weights_of: the agent that is born anew")
        known = {**CHANGES, **GROUP_CHANGES}
        if self.intervention is not None and self.intervention not in known:
            raise ValueError(f"intervention is {self.intervention!r}; there are {', '.join(known)}")
        return self

    def make_recipe(self, name: str, budget: Mapping[str, Any]) -> Recipe:
        """The recipe with the board's budget and this line's changes, named after the line if it has any."""
        recipe = load_recipe(self.recipe, self.trust)
        tables = recipe.model_dump()
        if self.env or self.agent or self.training or self.policy or self.leave_out or self.only:
            tables["name"] = name
        if self.policy:
            tables["agent"] = {**tables["agent"], "policy": {"kind": self.policy}}
        if tables["training"] is not None:
            tables["training"] = merged(tables["training"], budget)
        for table in ("env", "agent", "training"):
            tables[table] = merged(tables[table] or {}, getattr(self, table)) or None
        if self.leave_out or self.only:
            tables["training"]["stages"] = _met(recipe, name, self.leave_out, self.only)
        made = check_recipe(tables, f"recipe of {name}", self.trust)
        if (made.training is None) != (self.role == "reference"):
            raise BoardError(
                f"agents.{name}: {self.recipe} is {'trained' if made.training else 'never trained'};"
                " what is never trained is a reference, and nothing else is"
            )
        return made


def _met(recipe: Recipe, name: str, leave_out: str, only: str) -> list[dict[str, Any]]:
    """The stages of a recipe whose mixtures meet all families but one, or one alone.

    Raises:
        BoardError: a mixture is then empty, or lacks the family that is to be left out.
    """
    stages = []
    for stage in recipe.training.stages if recipe.training is not None else ():
        families = [type(family_of(entry.env.get("id", recipe.env.id))).__name__ for entry in stage.entries]
        kept = [
            entry.model_dump()
            for entry, family in zip(stage.entries, families, strict=True)
            if family != leave_out and only in ("", family)
        ]
        if not kept or (leave_out and len(kept) == len(families)):
            raise BoardError(
                f"agents.{name}: a stage of {recipe.name} meets {', '.join(dict.fromkeys(families))};"
                f" without {leave_out!r} or only with {only!r} nothing is left, or nothing is left out"
            )
        stages.append({**stage.model_dump(), "env": {}, "agent": {}, "until": None, "mixture": kept})
    return stages


class ScaleTable(Settings):
    """[scales.NAME]: cells that differ in one size, for curves.

    Attributes:
        label: of the axis.
        cells: from the smallest on.
        values: the size in each cell, rising.
    """

    label: str
    cells: list[str] = Field(min_length=2)
    values: list[float] = Field(min_length=2)

    @model_validator(mode="after")
    def _values_rise(self) -> "ScaleTable":
        if len(self.values) != len(self.cells) or sorted(set(self.values)) != list(self.values):
            raise ValueError("values must be one for each cell, and rise")
        return self


class TuningTable(Settings):
    """[tuning]: candidates for the optimiser, the same for every arm that is trained.

    Attributes:
        seeds: outer seeds by which candidates are compared, none of them one of the board's.
        optimisers: the candidates, each as a recipe's [training.optimiser].
        same_as: another board, in whose rows an arm that is tuned there just so is looked up first.
    """

    seeds: list[int] = Field(min_length=1)
    optimisers: list[OptimiserSettings] = Field(min_length=1)
    same_as: str = ""

    @model_validator(mode="after")
    def _nothing_is_there_twice(self) -> "TuningTable":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {self.seeds}; name each once")
        if len({each.model_dump_json() for each in self.optimisers}) < len(self.optimisers):
            raise ValueError("optimisers has one of them twice")
        return self


class Board(Settings):
    """One leaderboard. From the first release on, its cells and budget change only with its version.

    Attributes:
        name: with its version, such as "guessing-game-v1".
        title: one line.
        about: what is asked, in a few sentences.
        track: "small" (an outer seed trains within 2 minutes on one CPU core) or "open".
        seeds: how many outer seeds.
        first_seed: the first of them, above 0 where those below were looked at while the board was made.
        tasks: test tasks in each cell, the same for all agents and seeds.
        task_seed: which tasks.
        main: the cell by which agents are ordered.
        compare_with: the agent with which others are compared in pairs; the first if not given.
        floor: outcome in the main cell of doing nothing useful; None: that of the cell's id.
        ceiling: outcome in the main cell of a reference that solves it; likewise.
        success: normalised score in the main cell from which on an outer seed has not failed.
        threshold: training loss whose crossing is told of each run, as a measure of speed; None for none.
        training: the budget: settings of every recipe's [training] to change, such as outer_steps.
        leave_out_of: by agents: for each cell the agent is also trained on all families but the cell's, and
            measured there as it is and with each of these changes ("untrained", or one of `CHANGES`): lines
            named AGENT-without-CELL, and AGENT-without-CELL-CHANGE.
        alone_of: agents that for each cell are also trained on its family alone: lines AGENT-alone-CELL.
        interventions_of: agents that are also measured with each of `CHANGES`: lines named
            AGENT-INTERVENTION, controls of theirs.
        cells: on what is measured.
        scales: cells that differ in one size.
        agents: what is measured.
        tuning: how the optimiser of each arm is chosen; None: each has its recipe's.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+-v[0-9]+$")
    title: str
    about: str = ""
    track: Literal["small", "open"] = "small"
    seeds: int = Field(default=10, ge=1)
    first_seed: int = Field(default=0, ge=0)
    tasks: int = Field(default=1000, ge=2)
    task_seed: int = Field(default=0, ge=0)
    main: str
    compare_with: str = ""
    floor: float | None = None
    ceiling: float | None = None
    success: float = 0.9
    threshold: float | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    interventions_of: list[str] = Field(default_factory=list)
    leave_out_of: dict[str, list[str]] = Field(default_factory=dict)
    alone_of: list[str] = Field(default_factory=list)
    cells: dict[Name, CellTable] = Field(min_length=1)
    agents: dict[Name, EntrantTable] = Field(min_length=1)
    scales: dict[str, ScaleTable] = Field(default_factory=dict)
    tuning: TuningTable | None = None
    _recipes: dict[str, Recipe] = PrivateAttr(default_factory=dict)  # checking one takes a while
    _called: str = PrivateAttr(default="")

    @model_validator(mode="before")
    @classmethod
    def _interventions_are_lines(cls, tables: Any) -> Any:
        if not isinstance(tables, dict) or not isinstance(tables.get("agents"), dict):
            return tables
        agents = dict(tables["agents"])
        for agent in tables.get("interventions_of", ()):
            if agent not in agents:
                raise ValueError(f"interventions_of names {agent!r}, which is no agent here")
            for intervention in CHANGES:
                line = {"weights_of": agent, "intervention": intervention}
                line |= {"role": "control", "control_of": agent}
                agents.setdefault(f"{agent}-{intervention.replace(' ', '-')}", line)
        return {**tables, "agents": agents}

    @model_validator(mode="before")
    @classmethod
    def _families_are_left_out(cls, tables: Any, info: ValidationInfo) -> Any:
        if not isinstance(tables, dict) or not {"leave_out_of", "alone_of"} & set(tables):
            return tables
        agents, cells = tables.get("agents"), tables.get("cells")
        changed, alone = tables.get("leave_out_of", {}), tables.get("alone_of", [])
        if not isinstance(agents, dict) or not isinstance(cells, dict):
            return tables  # is told by the fields
        if not isinstance(changed, dict) or not all(isinstance(each, list) for each in changed.values()):
            raise ValueError("leave_out_of must be a table of agents, each with a list of changes")
        agents, trust = dict(agents), (info.context or {}).get("trust", PROJECT_ONLY)
        for agent in (*changed, *alone):
            if agent not in agents:
                raise ValueError(f"leave_out_of or alone_of names {agent!r}, which is no agent here")
        for cell, table in cells.items():
            if not isinstance(table, dict) or not isinstance(table.get("id"), str):
                return tables  # likewise
            family = type(trusted_family(table["id"], {}, trust)).__name__
            where = {"cells": list(dict.fromkeys([tables.get("main", cell), cell])), "role": "control"}
            for agent, changes in changed.items():
                name = f"{agent}-without-{cell}"
                agents[name] = {**agents[agent], **where, "leave_out": family, "control_of": agent}
                for change in changes:
                    done = {"untrained": True} if change == "untrained" else {"intervention": change}
                    line = {"weights_of": name, **where, **done, "control_of": name}
                    agents[f"{name}-{change.replace(' ', '-')}"] = line
            for agent in alone:
                line = {**agents[agent], **where, "only": family, "control_of": agent}
                agents[f"{agent}-alone-{cell}"] = line
        return {**tables, "agents": agents}

    @model_validator(mode="after")
    def _score_has_two_ends(self) -> "Board":
        if self.floor is not None and self.floor == self.ceiling:
            raise ValueError(f"floor and ceiling are both {self.floor}; they are scored 0 and 1")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> "Board":
        if self.main not in self.cells:
            raise ValueError(f"main is {self.main!r}, which is no cell; cells are {', '.join(self.cells)}")
        for name, cell in self.cells.items():
            if cell.replaced is not None and cell.replaced.after >= (steps := cell.family().horizon):
                raise ValueError(
                    f"cells.{name}.replaced.after is {cell.replaced.after}; trials have {steps} steps,"
                    f" so give {steps - 1} at most"
                )
        if self.tuning is not None and (both := set(self.tuning.seeds) & set(self.outer_seeds)):
            raise ValueError(
                f"tuning.seeds has {min(both)}, and the board's own are {self.first_seed} to"
                f" {self.outer_seeds[-1]};"
                " what is chosen by a seed must not be measured with it"
            )
        for name, scale in self.scales.items():
            if unknown := set(scale.cells) - set(self.cells):
                raise ValueError(f"scales.{name}.cells names {sorted(unknown)}, which the board lacks")
        if self.compare_with not in {"", *self.agents}:
            raise ValueError(f"compare_with is {self.compare_with!r}, which is no agent here")
        for name, entrant in self.agents.items():
            if unknown := set(entrant.cells) - set(self.cells):
                raise ValueError(f"agents.{name}.cells names {sorted(unknown)}, which the board lacks")
            if entrant.cells and self.main not in entrant.cells:
                raise ValueError(f"agents.{name}.cells lacks the main cell {self.main!r}")
            source = entrant.weights_of
            if source is not None and (source not in self.agents or not self.agents[source].recipe):
                raise ValueError(f"agents.{name}.weights_of is {source!r}, which is no agent with a recipe")
            if entrant.control_of is not None and entrant.control_of not in self.agents:
                raise ValueError(
                    f"agents.{name}.control_of is {entrant.control_of!r}, which is no agent here"
                )
        return self

    @property
    def called(self) -> str:
        """What commands call it: its name, or the path of its file."""
        return self._called or self.name

    @property
    def outer_seeds(self) -> range:
        """The outer seeds by which its agents are trained."""
        return range(self.first_seed, self.first_seed + self.seeds)

    @property
    def baseline(self) -> str:
        """The agent with which others are compared."""
        return self.compare_with or next(iter(self.agents))

    @property
    def outcome(self) -> str:
        """What the main cell measures, such as "error"."""
        return self.cells[self.main].family().outcome

    def outcome_in(self, cell: str) -> str:
        """What a cell measures, in words, such as "total reward"."""
        return self.cells[cell].family().outcome.replace("_", " ")

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the main cell's outcome is better."""
        return self.cells[self.main].family().higher_is_better

    @property
    def ends(self) -> tuple[float, float] | None:
        """Outcomes in the main cell that count as 0 and as 1, or None if it is not known."""
        if self.floor is not None and self.ceiling is not None:
            return self.floor, self.ceiling
        cell = self.cells[self.main]
        if cell.family() != family_of(cell.id, split="test"):
            return None  # the id's scale is of its own settings
        try:
            scale = scale_of(cell.id)
        except ValueError:
            return None
        return scale.floor.mean, scale.reference.mean

    def cells_of(self, agent: str) -> dict[str, CellTable]:
        """The cells in which an agent is measured."""
        entrant = self.agents[agent]
        changed = entrant.intervention is not None or entrant.born_anew
        chosen = entrant.cells or [
            name for name, cell in self.cells.items() if not (changed and cell.replaced is not None)
        ]
        return {name: self.cells[name] for name in chosen}

    def budget_of(self, agent: str) -> dict[str, Any]:
        """Settings of [training] that the board changes in the recipe of an agent that is trained."""
        return {} if self.agents[agent].own_budget else self.training

    def recipe(self, agent: str) -> Recipe:
        """What an agent's weights are trained by, or what a reference is."""
        source = self.agents[agent].weights_of or agent
        if source not in self._recipes:
            self._recipes[source] = self.agents[source].make_recipe(source, self.budget_of(source))
        return self._recipes[source]

    def fingerprint(self, agent: str) -> str:
        """SHA-256 of all that decides an agent's rows: recipe, cells, tasks, version of the families.

        Rows of another are stale.
        """
        entrant = self.agents[agent]
        changes = [entrant.agent, entrant.intervention, *(["untrained"] if entrant.untrained else [])]
        changes += [f"born anew every {entrant.born_anew}"] if entrant.born_anew else []
        facts = {
            "recipe": identity(self.recipe(agent)),
            "changes": None if entrant.weights_of is None else changes,
            "cells": {name: cell.definition() for name, cell in self.cells_of(agent).items()},
            "tasks": [self.tasks, self.task_seed],
            "threshold": self.threshold,
            "families": __version__,
            **({"measured": entrant.measured} if entrant.measured else {}),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def identity(recipe: Recipe) -> str:
    """SHA-256 of all that decides a training's weights: what a recipe is called, say, does not.

    What is as by default does not count, so that a new setting leaves old runs what they were; a user's own
    code counts by its text.
    """
    tables = recipe.model_dump(mode="json", exclude_defaults=True)
    for key in ("name", "summary", "evaluation"):
        tables.pop(key, None)
    tables = with_code_files(tables, lambda file: Path(hashlib.sha256(file.read_bytes()).hexdigest()))
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def board_names() -> list[str]:
    """Names of the suite's boards."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{FILE}"))


def load_board(name_or_path: str, trust: Trust = PROJECT_ONLY) -> Board:
    """Read a board, by name or from a TOML file.

    Args:
        name_or_path: which one.
        trust: whose code it and its recipes may name, beside the project's.

    Raises:
        BoardError: there is none, or it cannot be used.
    """
    path = Path(name_or_path) if name_or_path.endswith(".toml") else FOLDER / name_or_path / FILE
    if not path.is_file():
        raise BoardError(
            f"no board {name_or_path!r}{nearest(name_or_path, board_names())}; there are"
            f" {', '.join(board_names())}, or give a TOML file"
        )
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        board = Board.model_validate(tables, context={"trust": trust})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BoardError(f"{path.name} of {name_or_path} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BoardError(f"board {name_or_path}: {place or 'it'}: {first['msg']}") from error
    board._called = name_or_path
    return board
