"""`badger admin publish`: from runs of a recipe to the pretrained policy that comes with the suite."""

import math
import tempfile
from pathlib import Path
from typing import Annotated, Any

import tyro

from badger_agents.atomic_files import write_together
from badger_agents.class_loading import code_files
from badger_agents.loading import FOLDER
from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import Checkpoint, save_checkpoint, weights_only
from badger_agents.training.log import read_log
from badger_agents.training.run import CHECKPOINT, LOG
from leaderboards.cells import Case, cells_of, measure, prepare
from leaderboards.commands.admin.card import Candidate, card, rows
from leaderboards.options import check_device, check_trials, progress_bar
from leaderboards.results import Record, record, show
from leaderboards.runs import Source, find_recipe, find_source, make_folder

LEAST = 3
"""Outer seeds that are needed for one to be the median."""


def publish(
    recipe: Annotated[str, tyro.conf.Positional],
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    out: Path | None = None,
    trials: int = 10_000,
    validation_trials: int = 2_000,
    note: str = "",
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Make the pretrained policy of a recipe: the median of its runs by validation score, with a card.

    Each run is measured in every combination of the recipe's [evaluation] table. Written are
    RECIPE.safetensors (weights only), RECIPE.md (the card) and RECIPE.csv (all that was measured).

    Args:
        recipe: Name of a recipe, or path to a TOML file.
        runs: Run folders of `badger train`: the recipe's, finished, with different outer seeds; at least 3.
        out: Folder to write in; where the suite keeps pretrained policies if not given.
        trials: Number of test tasks per combination.
        validation_trials: Number of validation tasks per combination.
        note: A sentence for the card, such as what machine the training times hold for.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_device(device)
    check_trials(trials, 2, "--trials")
    check_trials(validation_trials, 2, "--validation-trials")
    plan = find_recipe(recipe, trust)
    sources = [open_finished(plan, recipe, run, trust) for run in runs]
    check_seeds([checkpoint.seed for checkpoint, _ in sources])
    work = [cases_of(plan, checkpoint, device) for checkpoint, _ in sources]
    if not any(case.settings["env"] in plan.met for case in work[0][0]):
        raise ValueError(
            f"recipe {plan.name!r} evaluates nothing that it is trained on; see its [evaluation]"
        )
    folder = FOLDER if out is None else out
    make_folder(folder)
    candidates = []
    with progress_bar() as bar:
        line = bar.add_task(plan.name, total=sum(len(cases) for splits in work for cases in splits), note="")

        def outcomes(cases: list[Case], count: int) -> list[Record]:
            measured = []
            for case in cases:
                measured.append(measure(case, count, 0, device)[0])  # the outcome
                bar.advance(line)
            return measured

        for (checkpoint, last), (validation, test) in zip(sources, work, strict=True):
            candidates.append(
                Candidate(
                    checkpoint.seed,
                    last["seconds"],
                    checkpoint.skipped,
                    outcomes(validation, validation_trials),
                    outcomes(test, trials),
                    plan.met,
                )
            )
    chosen = median(candidates, candidates[0].mixed or plan.family().higher_is_better)
    shipped = sources[chosen][0]
    weights = pack(plan, shipped)
    options = [
        *([] if trials == 10_000 else [f"--trials {trials}"]),
        *([] if validation_trials == 2_000 else [f"--validation-trials {validation_trials}"]),
    ]
    parameters = work[chosen][1][0].run.parameters
    text = card(plan, recipe, candidates, chosen, parameters, weights, options, note)
    files = {
        folder / f"{plan.name}.safetensors": weights,
        folder / f"{plan.name}.md": text.encode(),
        folder / f"{plan.name}.csv": rows(candidates).encode(),
    }
    write_together(files)
    settings: dict[str, Any] = {"agent": plan.name}
    results = [
        record(
            f"mean_{candidate.outcome}".replace(" ", "_"),
            candidate.score,
            **settings,
            split="validation",
            outer_seed=candidate.seed,
            shipped="yes" if number == chosen else "no",
        )
        for number, candidate in enumerate(candidates)
    ]
    results += [record("parameters", parameters, **settings)]
    results += [record("file", str(path), **settings) for path in files]
    show(results, as_json=json, title=f"published {plan.name}", note=f"the median of {len(runs)} outer seeds")


def open_finished(
    plan: Recipe, recipe: str, run: Path, trust: tuple[str, ...]
) -> tuple[Checkpoint, dict[str, Any]]:
    """The checkpoint of a finished run of the recipe, and the last row of its log.

    Raises:
        ValueError: the recipe cannot be published, or the folder holds no finished run of it.
    """
    if plan.training is None:
        raise ValueError(f"recipe {plan.name!r} has nothing to train, so nothing to publish")
    for path in code_files(plan.model_dump()):
        raise ValueError(f"the recipe names the file {path}; only code of installed packages is published")
    if not run.is_dir():
        raise ValueError(f"no run folder {str(run)!r}; give folders of `badger train`")
    checkpoint = find_source(str(run / CHECKPOINT), trust).checkpoint
    assert checkpoint is not None  # a file is never a recipe without weights
    other = differing(plan, checkpoint.recipe)
    if other is not None:
        raise ValueError(f"{run} is a run of another recipe than {recipe}: they differ in {other}")
    total = plan.training.outer_steps
    if not plan.training.ends(checkpoint.step, checkpoint.place.waits):
        raise ValueError(
            f"{run} is at outer step {checkpoint.step} of {total}; finish it:"
            f" badger train {recipe} --seed {checkpoint.seed} --out {run} --resume"
        )
    log = read_log(run / LOG)
    if not log or log[-1]["step"] != checkpoint.step:
        raise ValueError(f"{run / LOG} does not reach the run's end, so its training time is not known")
    return checkpoint, log[-1]


def differing(one: Recipe, other: Recipe) -> str | None:
    """The first table in which two recipes differ, of those that determine training; None if none does."""
    here, there = one.model_dump(mode="json"), other.model_dump(mode="json")
    return next((key for key in ("name", "env", "agent", "training") if here[key] != there[key]), None)


def check_seeds(seeds: list[int]) -> None:
    """ValueError unless there are enough outer seeds, each of them once."""
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise ValueError(f"outer seed {seed} is given {seeds.count(seed)} times; give each once")
    if len(seeds) < LEAST:
        raise ValueError(f"{len(seeds)} runs; a median needs {LEAST} or more, with different outer seeds")


def cases_of(plan: Recipe, checkpoint: Checkpoint, device: str) -> tuple[list[Case], list[Case]]:
    """What a run is measured in, by the recipe as it is now: of the validation and of the test split."""
    source, cells = Source(plan, checkpoint._replace(recipe=plan)), cells_of(plan, {}, {})
    return prepare(source, cells, "validation", 0, device), prepare(source, cells, "test", 0, device)


def median(candidates: list[Candidate], higher_is_better: bool) -> int:
    """Place of the median candidate by validation score; of an even number the worse of the middle two.

    A score that is not a number is the worst; of equal ones the lower outer seed counts as better.
    """

    def badness(number: int) -> tuple[bool, float, int]:
        score = candidates[number].score
        bad = math.isnan(score)
        return bad, 0.0 if bad else (-score if higher_is_better else score), candidates[number].seed

    return sorted(range(len(candidates)), key=badness)[len(candidates) // 2]


def pack(plan: Recipe, checkpoint: Checkpoint) -> bytes:
    """The file of a pretrained policy: weights, with the recipe as it is now."""
    kept = weights_only(checkpoint)._replace(recipe=plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CHECKPOINT
        save_checkpoint(path, kept)
        return path.read_bytes()
