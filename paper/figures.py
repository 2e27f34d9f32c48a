"""The paper's figures 6 to 9 with our agents, and others it has not: `python -m paper.figures 7 --out x.png`.

Each is measured on fresh test tasks with the pretrained policies, or with runs of yours (--runs), and comes
with a CSV file of the numbers drawn. `--help` has the figures and options.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import tyro

from badger_agents.atomic_files import write_atomically
from leaderboards.cli import call
from leaderboards.options import check_device, check_seed
from leaderboards.plots.style import ENDINGS, save_figure
from leaderboards.results import as_csv, record, show
from leaderboards.runs import make_folder
from paper.bits import bits
from paper.parity import halting, rounds
from paper.rollouts import eight, nine, six
from paper.subjects import Asked, Drawn
from paper.sweeps import against_experts, lives, seven

Name = Literal["6", "7", "8", "9", "experts", "lives", "bits", "rounds", "halting"]

FIGURES: dict[str, Callable[[Asked], Drawn]] = {
    "6": six,
    "7": seven,
    "8": eight,
    "9": nine,
    "experts": against_experts,
    "lives": lives,
    "bits": bits,
    "rounds": rounds,
    "halting": halting,
}


def figure(
    name: Annotated[Name, tyro.conf.Positional],
    run: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    runs: tuple[str, ...] = (),
    out: Path | None = None,
    trials: int | None = None,
    dims: tuple[int, ...] = (),
    experts: tuple[int, ...] = (),
    seed: int = 0,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Measure and draw a figure: the paper's 6, 7, 8 or 9, or one of those that are not the paper's.

    6: ten rollouts of the agent whose last step counts; 9: every step. 8: what the experts of
    6 say, and who listens to whom. 7: error against the number of hidden numbers, over the published curves
    and the bounds. experts: error against the number of experts. lives: error in lives longer than in
    training. Every picture comes with a CSV file of the numbers drawn.

    Three are of runs of your own, and their tables are Markdown. bits: error against bits per step, of runs
    with several channels (guessing-discrete with --agent channel.vocabulary=..., or channel.topology=none).
    rounds: accuracy against rounds of communication, of runs with several topologies (xor-rounds). halting:
    rounds used and accuracy against the number of bits, and paired differences (xor-halting).

    Args:
        name: Which figure.
        run: Run folders of `badger train` in place of the pretrained policy; several outer seeds of one
            recipe for 7, experts, lives and halting, of several settings for bits and rounds.
        runs: The same.
        out: Picture to write (png, svg or pdf); figure-NAME.png if not given.
        trials: Number of test tasks behind each number; 10000 if not given, 2000 for lives.
        dims: Sizes: 1 to 20 for 7, 6 for experts, 3 6 10 for lives if not given; numbers of bits
            for rounds and halting, all met in training if not given.
        experts: Numbers of experts: 20 for 7, 1 to 80 for experts, training's most for lives, rounds and
            halting if not given.
        seed: Which tasks.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print every number drawn as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    for option, numbers in (
        ("--dims", dims),
        ("--experts", experts),
        ("--trials", () if trials is None else (trials,)),
    ):
        if any(number < 1 for number in numbers):
            raise ValueError(f"{option} is {' '.join(map(str, numbers))}; it must be at least 1")
    path = out if out is not None else Path(f"figure-{name}.png")
    if path.suffix not in ENDINGS:
        raise ValueError(f"cannot draw into {path}; its name must end in {', '.join(ENDINGS)}")
    make_folder(path.parent)  # now, and not after minutes of measuring
    drawn = FIGURES[name](Asked((*run, *runs), dims, experts, trials, seed, device))
    table = path.with_suffix(".csv")
    save_figure(drawn.figure, path)
    write_atomically(table, as_csv(drawn.records).encode())
    files = [record("picture", str(path)), record("numbers", str(table))]
    if json:
        show([*drawn.records, *files], as_json=True, title=drawn.title, note=drawn.note)
    else:
        note = f"{drawn.note}. picture: {path}; numbers: {table}"
        if drawn.table:
            print(f"{drawn.title}\n\n{drawn.table}\n\n{note}")
        else:
            show(drawn.summary, as_json=False, title=drawn.title, note=note)


if __name__ == "__main__":
    call(figure, "python -m paper.figures", sys.argv[1:])
