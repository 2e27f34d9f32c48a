"""`badger grow` and `badger transplant`: experts come, go or change agents in mid-trial; what it is worth."""

from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.badger.growth import Change
from leaderboards.cells import Case, Cell, prepare
from leaderboards.growth import (
    badger_of,
    grow_and_compare,
    growing_agent,
    growth_records,
    said_of_outer_seeds,
    transplant_records,
)
from leaderboards.options import check_device, check_seed, check_trials, progress_bar
from leaderboards.plots.growth import draw_growth
from leaderboards.plots.style import check_ending, save_figure
from leaderboards.results import Record, record, show
from leaderboards.runs import Source, family_settings, find, make_folder, parse_settings


def grow(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    pretrained: str | None = None,
    at: int | None = None,
    clone: tuple[int, ...] = (),
    clone_noise: float = 0.0,
    add: int = 0,
    remove: tuple[int, ...] = (),
    replace: tuple[int, ...] = (),
    topology: str | None = None,
    trials: int = 1_000,
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    figure: Path | None = None,
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Let experts come and go in the middle of every trial, weights untouched, and report what it is worth.

    The same test tasks are met three times: by the agent as it is; with the change; and with the
    experts that there are after it from the start, which tells what more experts do from what a change in
    mid-trial does. Gains are paired over tasks, and above 0 whenever the first of the two is better.

    Args:
        runs: Run folders of `badger train` (outer seeds of one recipe), or a recipe without weights.
        pretrained: Name of a policy that comes with the suite (`badger list pretrained`), in place of runs.
        at: After how many steps of a trial experts come and go; half of them if not given.
        clone: Experts that get a copy each, of state and messages under way, such as 0 1 2 3.
        clone_noise: Standard deviation of what is added to clones' states, so that they are not alike.
        add: How many fresh experts come.
        remove: Experts that go.
        replace: Experts in whose place a fresh one comes.
        topology: Who can hear whom from then on, if not as before.
        trials: Number of tasks.
        seed: Which tasks.
        env: Settings of the environment to change, such as dims=6 horizon=40.
        agent: Settings of the agent at the start to change, such as experts=4.
        figure: Picture to draw (png, svg or pdf): loss at each step.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    check_trials(trials, least=2)
    change = Change(add, clone, clone_noise, remove, replace, topology)
    if change == Change(clone_noise=clone_noise):
        raise ValueError("nothing changes: give --clone, --add, --remove, --replace or --topology")
    if clone_noise and not clone:
        raise ValueError(
            f"--clone-noise {clone_noise}: it is added to clones, and there are none; give --clone"
        )
    if figure is not None:
        check_ending(figure)
    cases = cases_of(runs, pretrained, env, agent, trust, seed, device)
    when = cases[0].family.horizon // 2 if at is None else at
    growing = [growing_agent(case, when, change, seed, device) for case in cases]
    if figure is not None:
        make_folder(figure.parent)  # now, and not after minutes of measuring
    with progress_bar() as bar:
        line = bar.add_task(cases[0].run.name, total=len(cases), note="")
        found = []
        for case, each in zip(cases, growing, strict=True):
            found.append(grow_and_compare(case, each, trials, seed, device))
            bar.advance(line)
    results = growth_records(found, when)
    title = f"Growth of {cases[0].run.name} on {cases[0].run.recipe.env.id}, after {when} steps"
    note = "; ".join(filter(None, [f"interval: 95 % over {trials} tasks", said_of_outer_seeds(cases)]))
    drawn = ""
    if figure is not None:
        save_figure(draw_growth(found, when, f"{title}\n{note}"), figure)
        results += [record("picture", str(figure))] if json else []
        drawn = f". picture: {figure}"
    show(results, as_json=json, title=title, note=f"{note}{drawn}")


def transplant(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    pretrained: str | None = None,
    at: int | None = None,
    trials: int = 1_000,
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Let a fresh agent go on in another's place, with its experts' states: the paper's skills cloning.

    What experts have learned in a trial is in their states, so that a fresh agent of the same weights which
    gets them goes on as if nothing had been: the paired difference is 0 to rounding. One that gets the
    states of the wrong experts, or none, does not. Membrane and channel go on in every case.

    Args:
        runs: Run folders of `badger train` (outer seeds of one recipe), or a recipe without weights.
        pretrained: Name of a policy that comes with the suite (`badger list pretrained`), in place of runs.
        at: After how many steps of a trial the other agent goes on; half of them if not given.
        trials: Number of test tasks.
        seed: Which tasks.
        env: Settings of the environment to change, such as dims=5 horizon=40.
        agent: Settings of the agents to change, such as experts=6.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    check_trials(trials, least=2)
    donors, receivers = (cases_of(runs, pretrained, env, agent, trust, seed, device) for _ in range(2))
    horizon = donors[0].family.horizon
    when = horizon // 2 if at is None else at
    if not 0 <= when < horizon:
        raise ValueError(
            f"--at is {when}; a trial has {horizon} steps, so it must be from 0 to {horizon - 1}"
        )
    fresh = [badger_of(case, "transplant") for case in receivers]
    results: list[Record] = []
    with progress_bar() as bar:
        line = bar.add_task(donors[0].run.name, total=len(donors), note="")
        for donor, receiver in zip(donors, fresh, strict=True):
            results += transplant_records(donor, receiver, when, trials, seed, device)
            bar.advance(line)
    title = f"{donors[0].run.name} on {donors[0].run.recipe.env.id}: another goes on after {when} steps"
    note = "largest: of any task's difference; " + "; ".join(
        filter(None, [f"interval: 95 % over {trials} tasks", said_of_outer_seeds(donors)])
    )
    show(results, as_json=json, title=title, note=note)


def cases_of(
    runs: tuple[str, ...],
    pretrained: str | None,
    env: tuple[str, ...],
    agent: tuple[str, ...],
    trust: tuple[str, ...],
    seed: int,
    device: str,
) -> list[Case]:
    """Agents and their families, from what a command was told; outer seeds of one recipe, test split.

    Raises:
        ValueError: there is none, they are of several recipes, or a setting is refused.
    """
    swaps, changes = parse_settings(agent, "--agent"), family_settings(env)
    sources: list[Source] = [find(run, pretrained, trust) for run in runs or (None,)]
    names = sorted({source.recipe.name for source in sources})
    if len(names) > 1:
        raise ValueError(f"the runs are of different recipes ({', '.join(names)}); give outer seeds of one")
    return [
        case for source in sources for case in prepare(source, [Cell(changes, swaps)], "test", seed, device)
    ]
