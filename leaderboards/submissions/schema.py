"""What a submission says of itself: the one model of submission.toml, from which its JSON schema follows."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from badger_agents.agent import Settings
from leaderboards.submissions.artifacts import inside, read_text

FILE = "submission.toml"
"""The manifest's name in a submission's folder."""

LARGEST = 2**18
"""Bytes that a manifest or a recipe may have."""

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=1000)]
Setting = bool | int | float | str | list[Any] | dict[str, Any]


class Artifact(Settings):
    """A file of the submission.

    Attributes:
        path: in the submission's folder.
        sha256: of its bytes.
    """

    path: Annotated[Line, Field(max_length=200)]
    sha256: Hash


class SuiteTable(Settings):
    """[suite]: with which code the rows were made.

    Attributes:
        version: of the suite.
        commit: of the suite's repository; empty if it was installed from a package.
        source_sha256: of the source of all environments (`sources.source_sha256`). It is told and not
            demanded: what an environment's version means is its golden trajectory.
    """

    version: Line
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    source_sha256: Hash


class EnvironmentTable(Settings):
    """[[environments]]: an environment on which rows were made.

    Attributes:
        id: registered id, with its version.
        golden_sha256: of its golden trajectory (`sources.golden_sha256`).
    """

    id: Line
    golden_sha256: Hash


class MeasuredTable(Settings):
    """[cells.NAME]: what was measured; it must be the board's cell of that name.

    Attributes:
        id: registered id of the environment.
        settings: of its family.
        agent: settings of the agent that the board changes there.
    """

    id: Line
    settings: dict[str, Setting] = Field(default_factory=dict)
    agent: dict[str, Setting] = Field(default_factory=dict)


class RunTable(Settings):
    """[[runs]]: one outer seed, whatever became of it.

    Attributes:
        seed: outer seed.
        status: "ok", or "failed: " and what went wrong. A failed run has neither weights nor rows.
        weights: its weights, a safetensors file.
        parameters: numbers in the weights.
        outer_steps: of the training.
        trials: lived through in training; left out if nobody counted.
        seconds: of the training; left out if nobody measured.
    """

    seed: int = Field(ge=0, lt=2**63)
    status: Annotated[str, Field(pattern=r"^(ok|failed: [^\x00-\x1f\x7f-\x9f]+)$", max_length=1000)]
    weights: Artifact | None = None
    parameters: int | None = Field(default=None, ge=1)
    outer_steps: int | None = Field(default=None, ge=0)
    trials: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @property
    def ok(self) -> bool:
        """Whether there are rows and weights."""
        return self.status == "ok"

    @model_validator(mode="after")
    def _has_what_its_status_says(self) -> "RunTable":
        if self.ok != (self.weights is not None) or self.ok != (self.parameters is not None):
            raise ValueError("a run with status 'ok' has weights and parameters, and a failed one neither")
        return self


class Manifest(Settings):
    """A submission to a leaderboard: one agent, trained with every outer seed of the board.

    There is no place for scores: they are computed from the rows, always.

    Attributes:
        format: of this file.
        board: which leaderboard, with its version.
        name: of the submission.
        authors: who made it.
        about: what it is, in a few words.
        hardware: on what it was trained.
        suite: with which code.
        recipe: how it was trained, a TOML file as `badger train` reads it.
        rows: outcomes, a gzipped CSV with the columns outer_seed, cell, task, outcome.
        code: the submitter's own Python files that the recipe names. Nobody runs them unasked.
        environments: those of the cells.
        cells: what was measured.
        runs: all outer seeds of the board.
    """

    format: Literal[1]
    board: Name
    name: Name
    authors: list[Line] = Field(min_length=1)
    about: Line = ""
    hardware: Line
    suite: SuiteTable
    recipe: Artifact
    rows: Artifact
    code: list[Artifact] = Field(default_factory=list)
    environments: list[EnvironmentTable] = Field(min_length=1)
    cells: dict[str, MeasuredTable] = Field(min_length=1)
    runs: list[RunTable] = Field(min_length=1)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Outer seeds with rows."""
        return tuple(sorted(run.seed for run in self.runs if run.ok))

    @property
    def files(self) -> list[Artifact]:
        """All files that it declares."""
        weights = [run.weights for run in self.runs if run.weights is not None]
        return [self.recipe, self.rows, *self.code, *weights]

    @property
    def artifact(self) -> str:
        """SHA-256 of all that decides what the agent does: recipe, own code, weights of each outer seed.

        The text that is hashed has a line for each: "recipe HASH", "code PATH HASH" by path, "weights SEED
        HASH" by seed. Held-out tasks are bound to it (see `season`).
        """
        lines = [f"recipe {self.recipe.sha256}"]
        lines += sorted(f"code {file.path} {file.sha256}" for file in self.code)
        for run in sorted(self.runs, key=lambda run: run.seed):
            if run.weights is not None:
                lines.append(f"weights {run.seed} {run.weights.sha256}")
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


class ManifestError(ValueError):
    """A manifest that cannot be used.

    Attributes:
        violations: what is wrong with it, a line each.
    """

    def __init__(self, violations: list[str]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a submission's folder.

    Raises:
        ArtifactError: there is none, or it is no file of a reasonable size.
        ManifestError: something in it is wrong; all of that.
    """
    tables = read_tables(inside(folder, FILE))
    try:
        return Manifest.model_validate(tables)
    except ValidationError as error:
        raise ManifestError([f"{FILE}: {line}" for line in told(error)]) from None


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file of a reasonable size.

    Raises:
        ArtifactError: it is too large, or no text.
        ManifestError: it is no TOML.
    """
    text = read_text(path, LARGEST)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ManifestError([f"{path.name} is nested too deeply"]) from None
    except ValueError as error:
        raise ManifestError([f"{path.name} is no TOML: {error}"]) from None


def told(error: ValidationError) -> list[str]:
    """What pydantic found wrong, a line each."""
    lines = []
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"]) or "it"
        if each["type"] == "extra_forbidden":
            lines.append(f"{place} is not known here; take it out")
        else:
            lines.append(f"{place}: {each['msg'][0].lower()}{each['msg'][1:]}")
    return lines


def json_schema() -> dict[str, Any]:
    """The schema of submission.toml, as JSON schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}
