"""`badger inspect`: a look inside an agent: what experts tell each other, and what that is worth."""

from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.whitebox.trace import Trace, TraceError, load_trace, save_trace
from leaderboards.cells import Cell, prepare
from leaderboards.inspection import look_inside, outcomes, the_badger, treatments
from leaderboards.options import check_device, check_seed, check_trials, progress_bar
from leaderboards.plots.inside import draw_inside
from leaderboards.plots.style import check_ending, save_figure
from leaderboards.results import record, show
from leaderboards.runs import family_settings, find, make_folder, parse_settings

KEPT = 20
"""Trials in the file of the trace, at the most."""


def inspect(
    run: Annotated[str | None, tyro.conf.Positional] = None,
    *,
    pretrained: str | None = None,
    trials: int = 1_000,
    out: Path | None = None,
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Look inside an agent: interventions on its channel and experts, measures of talk, a trace, a picture.

    First the outcome as it is, and by how much each intervention changes it, on the same test tasks.
    Nothing may be concluded from silence alone: it is unlike anything met in training. Then measures of
    what is said and of what it does, each beside its null, which is what there would be to see if there
    were nothing. The trace (safetensors) is written next to the picture.

    Args:
        run: Run folder of `badger train`, a checkpoint file, or a recipe without weights.
        pretrained: Name of a policy that comes with the suite (`badger list pretrained`), in place of a run.
        trials: Number of test tasks behind each outcome; no more than 300 of them are looked into.
        out: Picture to write (png, svg or pdf); NAME-inside.png if not given.
        seed: Which tasks.
        env: Settings of the environment to change, such as dims=5 horizon=40.
        agent: Settings of the agent to change, such as experts=6 channel.topology=ring.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print every result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    check_trials(trials, least=10)
    swaps, changes = parse_settings(agent, "--agent"), family_settings(env)
    source = find(run, pretrained, trust)
    (case,) = prepare(source, [Cell(changes, swaps)], "test", seed, device)
    again = source.open(device, action_kind=case.family.action_kind, **swaps)
    badger, receiver = the_badger(case), the_badger(case._replace(run=again))
    path = out if out is not None else Path(f"{case.run.name}-inside.png")
    check_ending(path)
    kept = path.with_suffix(".safetensors")
    if kept.exists():
        try:
            load_trace(kept)
        except TraceError as error:
            raise ValueError(
                f"--out {path}: the trace would take the place of {kept}, which is none; give another"
            ) from error
    make_folder(path.parent)
    treated = treatments(badger, receiver, case.family.horizon)
    with progress_bar() as bar:
        line = bar.add_task(case.run.name, total=len(treated) + 2, note="")
        changed = list(outcomes(case, treated, trials, seed, device, lambda: bar.advance(line)))
        inside = look_inside(case, trials, seed, device)
        bar.advance(line)
    title = f"Inside {case.run.name} on {case.settings['env']}"
    preliminary = "" if case.run.seed is None else "; 1 outer seed: preliminary"
    note = f"interval: 95 % over tasks{preliminary}"
    arrays = {name: tensor.cpu().numpy() for name, tensor in inside.trace.tensors.items()}
    figure = draw_inside(
        arrays, inside.influence, changed, case.family.outcome, f"{title}\n{trials:,} test tasks, {note}"
    )
    save_figure(figure, path)
    save_trace(
        kept, Trace({n: tensor[:, :KEPT] for n, tensor in inside.trace.tensors.items()}, inside.trace.facts)
    )
    files = [record("picture", str(path)), record("trace", str(kept))]
    if json:
        results = [*changed, *inside.summary, *inside.records, *files]
        show(results, as_json=True, title=title, note=note)
        return
    show(changed, as_json=False, title=f"{title}: what interventions change", note=note)
    show(
        inside.summary, as_json=False, title=f"{title}: measures beside their nulls",
        note=f"{note}. picture: {path}; trace of {min(trials, KEPT)} trials: {kept}",
    )  # fmt: skip
