"""`badger transplant`: the paper's skills cloning: another agent goes on with the states of these experts."""

from typing import Annotated

import tyro

from leaderboards.commands.evaluate import check_trials
from leaderboards.commands.grow import cases_of
from leaderboards.commands.train import check_device, check_seed, progress_bar
from leaderboards.growth import badger_of, said_of_outer_seeds, transplant_records
from leaderboards.results import Record, show


def transplant(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    pretrained: str | None = None,
    at: int | None = None,
    trials: int = 1_000,
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Let a fresh agent go on in another's place, with its experts' states: the paper's skills cloning.

    What experts have learned in a trial is in their states, so that a fresh agent of the same weights which
    gets them goes on as if nothing had been: the paired difference is 0 to rounding. One that gets the
    states of the wrong experts, or none, does not. Membrane and channel go on in every case.

    Args:
        runs: Run folders of `badger train` (outer seeds of one recipe), or a recipe without weights.
        pretrained: Name of a policy that comes with the suite (see `badger list`), in place of runs.
        at: After how many steps of a trial the other agent goes on; half of them if not given.
        trials: Number of test tasks.
        seed: Which tasks.
        env: Settings of the environment to change, such as dims=5 horizon=40.
        agent: Settings of the agents to change, such as experts=6.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    check_trials(trials, least=2)
    donors, receivers = (cases_of(runs, pretrained, env, agent, seed, device) for _ in range(2))
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
