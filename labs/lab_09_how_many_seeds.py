# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 9. How many seeds?
#
# **You will learn** what the unit of an experiment in meta-learning is, how to put an interval on a mean, how to find
# out whether an interval keeps its promise, why three seeds lie, and how to ask many questions at once.
#
# **It presumes** means, standard deviations, quantiles, and that you have trained something twice and got two results.
# Nothing of the other labs.
#
# **It takes** about 60 minutes of yours, and less than one of the computer's, or some where it is busy.
#
# A paper says: "our agent reaches 0.71, the baseline 0.64, over 3 seeds of 1,000 episodes". How much do you believe?

# %%
import csv
import sys
from itertools import combinations
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import labs
import leaderboards
from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.statistics import Limits, bounded, student

plt.rcParams.update(STYLE)

# %% [markdown]
# ## Two kinds of luck
#
# A trained agent is one **outer seed**: initial weights, and all that was drawn while it was trained. It is then
# tested on many tasks. So its outcomes [N seeds, M tasks] have luck of two kinds: whole rows are high or low together
# (the training went well), and numbers within a row differ (the task was easy).
#
# More tasks make each row's mean sharper. They say nothing of the next training. **The unit is the outer seed.**
#
# ## Exercise 9.1: the bootstrap, over the right thing
#
# The percentile bootstrap: draw N rows from your N rows *with replacement*, take the mean, do it many times, and cut
# 2.5 % off either end of these means.


# %%
def bootstrap(outcomes: np.ndarray, draws: int, generator: np.random.Generator) -> tuple[float, float]:
    """A 95 % interval of the mean over outer seeds, by the percentile bootstrap.

    Args:
        outcomes: [N, M], of N outer seeds on M tasks.
        draws: how many sets of N rows to draw.
        generator: a numpy.random.Generator: generator.integers(N, size=...).

    Returns:
        (low, high): the 2.5 % and the 97.5 % quantile of the drawn sets' means.
    """
    raise NotImplementedError("exercise 9.1")


# %%
labs.check("9.1", bootstrap)
bootstrap = labs.answer("9.1", bootstrap)

# %%
generator = np.random.default_rng(0)
level = generator.normal(0.65, 0.10, size=(5, 1))  # how well each training went
outcomes = level + generator.normal(0, 0.3, size=(5, 1000))  # and how each task went then
pooled = outcomes.reshape(-1, 1)  # as if every task were a training of its own
for name, values in (("5 outer seeds", outcomes), ("5,000 'samples'", pooled)):
    low, high = bootstrap(values, 2000, generator)
    print(f"{name:>16}: mean {values.mean():.3f}, 95 % interval {low:.3f} to {high:.3f}; the truth is 0.650")

# %% [markdown]
# ## Exercise 9.2: does an interval keep its promise?
#
# "95 %" is a promise about *repetition*: of many experiments, 95 in 100 have the truth in their interval. That share is
# called **coverage**, and we can measure it, since in a simulation we know the truth.


# %%
def coverage(interval, experiment, truth: float, repeats: int) -> float:
    """The share of experiments whose interval holds the truth.

    Args:
        interval: a function from values [N] to (low, high).
        experiment: a function without arguments that gives the values [N] of a fresh experiment.
        truth: the true mean.
        repeats: how many experiments.

    Returns:
        A float in [0, 1]; a truth that lies on an end is held.
    """
    raise NotImplementedError("exercise 9.2")


# %%
labs.check("9.2", coverage)

# %% [markdown]
# Now the experiment. Trainings in this suite are not normally distributed. In the guessing game most agents end at an
# error of about 0.02, and some never leave the *plateau* at 2/3: they fail.

# %%
coverage = labs.answer("9.2", coverage)

# %%
GOOD, PLATEAU = 0.018, 2 / 3


def trainings(count, failing):
    """Errors of so many trainings [count], each of which fails with a chance."""
    good = GOOD * np.exp(generator.normal(-0.125, 0.5, size=count))  # lognormal, of mean GOOD
    return np.where(generator.random(count) < failing, PLATEAU, good)


def true_mean(failing):
    """The mean error of all trainings."""
    return (1 - failing) * GOOD + failing * PLATEAU


def by_bootstrap(values):
    """The percentile bootstrap."""
    return bootstrap(values[:, None], 500, generator)


def by_student(values):
    """Student's t."""
    estimate = student(values)
    return estimate.low, estimate.high


def by_bounds(values):
    """The suite's: it asks for nothing but the best and the worst that an error can be (Gaffke 2005)."""
    estimate = bounded(values, Limits(0, 1))
    return estimate.low, estimate.high


REPEATS = labs.steps(full=400, smoke=40)
methods = {"bootstrap": by_bootstrap, "Student's t": by_student, "bounded (the suite's)": by_bounds}
counts, rates = [5, 10, 20, 50], [0.0, 0.05, 0.10, 0.20]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for number, (name, method) in enumerate(methods.items()):
    by_rate = [coverage(method, lambda f=f: trainings(10, f), true_mean(f), REPEATS) for f in rates]
    by_count = [coverage(method, lambda n=n: trainings(n, 0.1), true_mean(0.1), REPEATS) for n in counts]
    panels[0].plot(rates, by_rate, "o-", color=COLOURS[number], label=name)
    panels[1].plot(counts, by_count, "o-", color=COLOURS[number], label=name)
panels[0].set(
    xlabel="share of trainings that fail", ylabel="coverage", title="10 outer seeds", ylim=(0, 1.03)
)
panels[1].set(xlabel="outer seeds", title="10 % of trainings fail", xticks=counts)
for panel in panels:
    panel.axhline(0.95, color="black", linestyle="--")
panels[1].legend(loc="lower right")
figure.tight_layout()
labs.show("lab_09_coverage")

# %% [markdown]
# Ten seeds often hold no failure at all. What is computed from their spread then knows nothing of failures, and the
# interval lies far below the truth. The method is not wrong; the sample has not seen what it should describe. That is
# why this suite's boards show an interval that asks how bad a seed *could* be, and why it is wide.
#
# ## Exercise 9.3: how many seeds until a failure shows?


# %%
def seeds_to_see(failing: float, surety: float) -> int:
    """The fewest outer seeds of which at least one fails with a chance of at least `surety`.

    Args:
        failing: chance that a training fails, between 0 and 1.
        surety: such as 0.95.

    Returns:
        An integer.
    """
    raise NotImplementedError("exercise 9.3")


# %%
labs.check("9.3", seeds_to_see)
seeds_to_see = labs.answer("9.3", seeds_to_see)

# %%
for rate in (0.5, 0.3, 0.1, 0.05, 0.01):
    print(f"{rate:>5.0%} fail: {seeds_to_see(rate, 0.95):>4} outer seeds to see one with 95 % surety")

# %% [markdown]
# ## Why three seeds lie
#
# Real trainings now: the board `guessing-game-v1`, ten outer seeds per agent. Take *three* of them, as a paper might,
# and rank the agents by their means. Do it for all 120 ways to choose three seeds.

# %%
BOARD = Path(leaderboards.__file__).parent / "boards" / "guessing-game-v1" / "results.csv"


def seeds_of(board, cell):
    """Mean outcome of each outer seed on a cell, [10], by agent."""
    found = {}
    with board.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["cell"] == cell and row["status"] == "ok" and row["seed"]:
                found.setdefault(row["agent"], {})[int(row["seed"])] = float(row["mean"])
    return {agent: np.array([by[s] for s in sorted(by)]) for agent, by in found.items() if len(by) == 10}


results = seeds_of(BOARD, "d3")
shown = ["badger", "unshared-equal", "identity", "gru", "self-loop", "no-communication"]
shown = [name for name in shown if name in results]
triples = [list(triple) for triple in combinations(range(10), 3)]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
for place, name in enumerate(shown):
    left.scatter(results[name], place + np.linspace(-0.15, 0.15, 10), s=14, color=COLOURS[place])
    means = np.array([results[name][triple].mean() for triple in triples])
    right.plot([means.min(), means.max()], [place, place], color=COLOURS[place], linewidth=5, alpha=0.4)
    right.plot(results[name].mean(), place, "o", color=COLOURS[place])
for axis, title in (
    (left, "Ten outer seeds each"),
    (right, "What three of them may show (dot: mean of ten)"),
):
    axis.set_yticks(range(len(shown)), shown)
    axis.invert_yaxis()
    axis.set(xscale="log", xlabel="error", title=title)
figure.tight_layout()
labs.show("lab_09_three_seeds")

# %% [markdown]
# That talking matters here, any three seeds show. The order of the first four agents is another matter: look for bars
# that overlap.
#
# ## Exercise 9.4: seeds in pairs
#
# Two agents that met the same outer seeds and the same tasks are *paired*: seed 3 was hard for both. A difference is
# then taken seed by seed, and what both share falls out.


# %%
def chance_of_the_wrong_order(
    worse: np.ndarray, better: np.ndarray, count: int, repeats: int, generator: np.random.Generator
) -> float:
    """How often the worse of two agents looks better, if only some paired outer seeds are run.

    Args:
        worse: errors of the agent whose true mean error is higher, [N], one per outer seed.
        better: errors of the other one in the same outer seeds, [N].
        count: how many outer seeds are run: drawn from the N without replacement, the *same* for both.
        repeats: how many times to draw.
        generator: a numpy.random.Generator.

    Returns:
        A float in [0, 1]: the share of draws in which the mean of `worse` is below that of `better`.
    """
    raise NotImplementedError("exercise 9.4")


# %%
labs.check("9.4", chance_of_the_wrong_order)
chance_of_the_wrong_order = labs.answer("9.4", chance_of_the_wrong_order)

# %%
pool = 4000  # many trainings of two agents: B fails less often, and shares half of its luck with A
luck = generator.normal(size=(3, pool))
error_a = GOOD * np.exp(0.5 * (luck[0] + luck[1]) / 2**0.5)
error_b = 0.8 * GOOD * np.exp(0.5 * (luck[0] + luck[2]) / 2**0.5)
error_a = np.where(generator.random(pool) < 0.10, PLATEAU, error_a)
error_b = np.where(generator.random(pool) < 0.05, PLATEAU, error_b)
counts = [1, 2, 3, 5, 10, 20, 50, 100]
print(f"true means: A {error_a.mean():.3f}, B {error_b.mean():.3f}")
wrong = [
    chance_of_the_wrong_order(error_a, error_b, n, labs.steps(full=2000, smoke=300), generator)
    for n in counts
]
figure, axis = plt.subplots(figsize=(5.4, 3.3))
axis.plot(counts, wrong, "o-")
axis.axhline(0.05, color="black", linestyle="--", label="one paper in twenty")
axis.set(xlabel="outer seeds", ylabel="chance of the wrong order", xscale="log", ylim=(0, None))
axis.set_title("B is the better one. How often does A win?")
axis.set_xticks(counts, counts)
axis.minorticks_off()
axis.legend()
labs.show("lab_09_wrong_order")

# %% [markdown]
# ## Exercise 9.5: many questions: Holm
#
# Compare one agent with twenty others at p < 0.05 each, and one in twenty "differences" is chance. Holm (1979) puts
# that right and asks for no independence: sort the p values; the smallest is multiplied by m, the next by m - 1, and
# so on; none may be smaller than the one before it, and none is above 1.


# %%
def holm(p_values: list[float]) -> list[float]:
    """P values corrected for their number.

    Args:
        p_values: a list of m numbers, in any order.

    Returns:
        A list of m corrected p values, in the order of the input.
    """
    raise NotImplementedError("exercise 9.5")


# %%
labs.check("9.5", holm)
holm = labs.answer("9.5", holm)

# %%
QUESTIONS, SEEDS = 20, 10
papers, plain, corrected = labs.steps(full=2000, smoke=200), 0, 0
for _ in range(papers):
    chance = generator.normal(size=(QUESTIONS, SEEDS))  # twenty differences, and nothing in any of them
    p = stats.ttest_1samp(chance, 0, axis=1).pvalue  # [20]
    plain += (p < 0.05).any()
    corrected += min(holm(list(p))) < 0.05
print(f"papers with at least one 'finding' where there is nothing, of {papers:,}:")
print(f"  20 plain tests: {plain / papers:.0%}    corrected by Holm: {corrected / papers:.0%}")

# %% [markdown]
# ## What to take away
#
# - The unit is the outer seed: average over tasks first. More tasks are no more seeds.
# - An interval's coverage can be measured. Where some trainings fail, intervals from the spread of few seeds miss.
# - Three seeds show neither how often a training fails nor which of two agents is better.
# - Pair what can be paired; correct for the number of questions; say what was not shown.
#
# **Read on**: `docs/statistics.md`; `leaderboards/statistics.py`; Agarwal et al. 2021, "Deep reinforcement learning
# at the edge of the statistical precipice"; `badger board show guessing-game-v1`.
