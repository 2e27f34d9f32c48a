"""`badger evaluate`: an agent on many fresh tasks, in each combination that its recipe asks for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

import badger_envs
from badger_agents.badger.agent import BadgerAgent
from badger_agents.evaluation import interval
from badger_agents.whitebox import bits_per_step
from badger_agents.whitebox.controls import CONTROLS
from badger_envs.keyed_random import split_index
from badger_envs.registry import base_id, family_of
from baselines.sb3_models import load_sb3, observation_for
from leaderboards.cells import Case, cells_of, longer, measure, prepare, score, shared
from leaderboards.options import check_device, check_seed, check_trials, progress_bar
from leaderboards.results import Record, record, show
from leaderboards.runs import family_settings, find, parse_settings


def evaluate(
    run: Annotated[str | None, tyro.conf.Positional] = None,
    *,
    pretrained: str | None = None,
    sb3: str | None = None,
    trials: int = 10_000,
    split: str = "test",
    seed: int = 0,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    control: Literal["none", "withheld", "forgetful"] = "none",
    steps_factor: tuple[int, ...] = (),
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Measure a trained agent on fresh trials, its weights frozen.

    The same seed gives every agent the same tasks and the same noise. A recipe may ask for several
    settings, such as sizes ([evaluation]): each combination is one result.

    Args:
        run: Run folder of `badger train`, a checkpoint file, or a recipe without weights.
        pretrained: Name of a policy that comes with the suite (`badger list pretrained`), in place of a run.
        sb3: Zip of a model of Stable-Baselines3 or sb3-contrib, in place of a run; --env names the id.
            Loading it runs code from it: name only files that you trust.
        trials: Number of tasks, of each result.
        split: Tasks of the test, validation or train split.
        seed: Which tasks.
        env: Settings of the environment to change, such as dims=5 horizon=40; with Badger/XOR-v0 before
            them it is another one (what it lacks of the numbers met in training reads as zeros).
        agent: Settings of the agent to change, such as experts=6 channel.topology=none.
        control: withheld: the agent is told no feedback; forgetful: it starts afresh at every step, and keeps
            no state but its clocks. Either shows what learning within the trial is worth.
        steps_factor: Trials of so many times the steps, such as 1 2 4, a result for each: do answers last
            while an agent thinks on (overthinking)? Outcomes that are sums over steps grow by themselves.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    split_index(split)
    check_trials(trials, least=1)
    swaps, changes = parse_settings(agent, "--agent"), family_settings(env)
    if sb3 is not None:
        if run is not None or pretrained is not None or swaps or trust or control != "none" or steps_factor:
            others = "no run, --pretrained, --agent, --control, --steps-factor or --trust"
            raise ValueError(f"--sb3 takes --env, and {others}")
        results = measure_sb3(sb3, changes, trials, split, seed, device)
        first = results[0]
        note = f"it sees the observation {first['observation']!r}; interval: 95 % over {trials} tasks"
        show(results, as_json=json, title=f"{first['agent']} on {first['env']}", note=note)
        return
    source = find(run, pretrained, trust)
    cells = longer(source.recipe, cells_of(source.recipe, changes, swaps), steps_factor)
    cases = prepare(source, cells, split, seed, device)
    opened, open_cases = cases[0].run, cases
    if control != "none":
        cases = [controlled(case, control) for case in cases]
    if len(cases) == 1:
        results = measure(cases[0], trials, seed, device)
    else:
        with progress_bar() as bar:
            line = bar.add_task(opened.name, total=len(cases), note="")
            results = []
            for case in cases:
                results += measure(case, trials, seed, device)
                bar.advance(line)
    means = (row["value"] for row in results if row["name"] != "rounds_per_step")
    results += [row for case, mean in zip(cases, means, strict=True) for row in score(case, mean)]
    results.append(record("parameters", opened.parameters, **shared([case.settings for case in cases])))
    results += bits(open_cases)
    note = f"interval: 95 % over {trials} tasks"
    if opened.seed is not None:
        note += "; 1 outer seed: preliminary"
    place = ", ".join(dict.fromkeys(case.settings["env"] for case in cases))
    show(results, as_json=json, title=f"{opened.name} on {place}", note=note)


def measure_sb3(
    path: str, changes: dict[str, Any], trials: int, split: str, seed: int, device: str
) -> list[Record]:
    """The outcome and the score of a model of Stable-Baselines3 or sb3-contrib.

    Args:
        path: of its zip.
        changes: `id`, and settings of the family to change.
        trials: number of tasks.
        split: of the tasks.
        seed: of the first task.
        device: a torch device.
    """
    settings = dict(changes)
    id = settings.pop("id", None)
    if id is None:
        raise ValueError("--sb3 needs an environment: --env Badger/XOR-2-v0 (`badger list envs` names them)")
    settings.pop("observation", None)  # the model says which
    if split != "test":
        settings["split"] = split
    family_of(id, **settings)  # what is wrong with them is said before anything of the model is run
    model = load_sb3(path, device)
    observation = observation_for(model, id, **settings)
    found = badger_envs.evaluate(model, id, trials, seed=seed, observation=observation, **settings)
    known: Record = {"agent": f"{Path(path).stem} ({type(model).__name__})", "env": base_id(id)}
    known |= settings | {"observation": observation, "split": split, "task_seed": seed}
    outcomes = torch.from_numpy(found.outcomes)
    results = [record(family_of(id).outcome, found.outcome, n=trials, ci95=interval(outcomes), **known)]
    if found.score is not None:
        results.append(record("normalised_score", found.score, **known))
    return results


def controlled(case: Case, control: str) -> Case:
    """The case with its agent under a control."""
    run = case.run._replace(agent=CONTROLS[control](case.run.agent))
    return case._replace(run=run, settings={**case.settings, "control": control})


def bits(cases: Sequence[Case]) -> list[Record]:
    """What experts can tell each other in a step; one record for settings in which that is the same."""
    alike: dict[float, list[Record]] = {}
    for case in cases:
        if isinstance(case.run.agent, BadgerAgent):
            number = bits_per_step(case.run.agent, case.family)
            alike.setdefault(number, []).append(case.settings)
    return [
        record("bits_per_step", number, unit="bits", **shared(settings)) for number, settings in alike.items()
    ]
