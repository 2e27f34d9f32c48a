# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 10. Your own environment and policy
#
# **You will learn** to write a family of tasks in one file and get all its faces (Gymnasium, vector, torch, PettingZoo)
# for nothing; to check it; to write an expert policy; to say how good an agent is on a scale that means something; and
# to prepare a submission to a leaderboard.
#
# **It presumes** lab 1 (a trial), lab 4 (experts and messages), some NumPy and torch.
#
# **It takes** about 75 minutes of yours, and less than one of the computer's, or some where it is busy.
#
# The game is *higher or lower*. A task hides three numbers. At every step the agent writes three numbers and hears, for
# each of them, "higher" (+1) or "lower" (-1). You know the algorithm. Will the outer loop find it?

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import dataclasses
import inspect
import types
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch

import badger_agents
import badger_envs
import labs
from badger_agents import Trust, rollout
from badger_agents.recipe.loading import check_recipe
from badger_agents.training.loop import train
from badger_envs import Bounds, Family, Observation, Slots, Transition, keyed_random
from badger_envs.family import namespace
from badger_envs.testing import check_family
from leaderboards.cli import main as badger
from leaderboards.plots.style import COLOURS, STYLE, log_errors

plt.rcParams.update(STYLE)
HOME = Path("runs", "labs", "lab_10")
HOME.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Exercise 10.1: draw tasks
#
# A family is made of pure functions on batches. Nothing is drawn from a generator: every random number is a function of
# the trial's **key** (int64 [B, 4]) and a name. So the same seed gives the same task on every face, alone or in a
# batch, on NumPy and on torch. `keyed_random.uniform(keys, "a name", count, dtype=dtype)` gives [B, count] uniforms
# in [0, 1).


# %%
def draw_targets(keys: Any, numbers: int, dtype: str) -> Any:
    """Hidden numbers, uniform in [-1, 1].

    Args:
        keys: int64 [B, 4], NumPy or torch.
        numbers: how many each task hides.
        dtype: "float32" or "float64".

    Returns:
        [B, numbers], an array of the keys' library.
    """
    raise NotImplementedError("exercise 10.1")


# %%
labs.check("10.1", draw_targets)
draw_targets = labs.answer("10.1", draw_targets)

# %% [markdown]
# ## Exercise 10.2: judge a writing
#
# The functions of a family run on NumPy arrays and on torch tensors: `namespace(array)` is the library of an array,
# with `sign`, `mean`, `sum`, ... They look at no values (no `if`), they clip nothing, and they assign into no array.
# The error must be differentiable in what was written: the outer loop goes through it.


# %%
def judge(target: Any, written: Any) -> tuple[Any, Any]:
    """The hints, and the error.

    Args:
        target: [B, O].
        written: [B, O].

    Returns:
        hints [B, O]: +1 where the target is higher than what was written, -1 where it is lower (0 if equal);
        error [B]: 3 times the mean over the O numbers of the squared distance, so that zeros have 1 on average.
    """
    raise NotImplementedError("exercise 10.2")


# %%
labs.check("10.2", judge)
judge = labs.answer("10.2", judge)

# %% [markdown]
# Now the family. Its settings are fields of a frozen dataclass, its docstring is its manual. Every family shows the
# same seven arrays; the hints go to the slots that they are about (`output_feedback`).


# %%
class Task(NamedTuple):
    """target: [B, O]."""

    target: Any


class State(NamedTuple):
    """outputs, hints: [B, O]; error: [B]; time: int64 [B]."""

    outputs: Any
    hints: Any
    error: Any
    time: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class HigherLower(Family):
    """Find hidden numbers from "higher" and "lower", each for itself.

    Args:
        numbers: how many are hidden.
    """

    horizon: int = 8
    numbers: int = 3
    outcome: ClassVar[str] = "error"

    @property
    def slots(self) -> Slots:
        """One constant input; a global feedback that says nothing (0); one hint per output."""
        return Slots(1, 1, self.numbers, 1, 1)

    @property
    def bounds(self) -> Bounds:
        """Hints are -1, 0 or 1."""
        return Bounds(outputs=(-1, 1), feedback=(0, 1), output_feedback=(-1, 1))

    def sample_task(self, keys: Any) -> Task:
        """Exercise 10.1."""
        return Task(draw_targets(keys, self.numbers, self.dtype))

    def initial_state(self, task: Task) -> State:
        """Zeros are written, and the hints on them are there already."""
        xp = namespace(task.target)
        zeros = xp.zeros_like(task.target)
        hints, error = judge(task.target, zeros)
        return State(zeros, hints, error, xp.zeros_like(error, dtype=xp.int64))

    def observe(self, task: Task, state: State) -> Observation:
        """What was written, and the hints on it."""
        xp = namespace(state.error)
        ones = xp.ones_like(state.outputs)
        constant = ones[:, :1]  # [B, 1]
        return Observation(
            inputs=constant[:, :, None],
            input_mask=constant,
            outputs=state.outputs,
            output_mask=ones,
            feedback=constant * 0,
            output_feedback=state.hints[:, :, None],
            flags=self.flags(state.time),
        )

    def step(self, task: Task, state: State, action: Any, noise: Any) -> Transition:
        """Exercise 10.2; the reward is minus the error."""
        hints, error = judge(task.target, action)
        time = state.time + 1
        return Transition(State(action, hints, error, time), -error, error, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Any]:
        """The outcome, and whether it is good."""
        return {"error": state.error, "is_success": state.error < 0.01}

    def solution(self, task: Task, state: State) -> Any:
        """The hidden numbers, for pictures."""
        return task.target


# %% [markdown]
# In a project of yours this stands in a file `own.py`, and one line at its end registers the id. A notebook is no file
# that can be imported, so we put the class into a module of that name.

# %%
own = sys.modules["own"] = types.ModuleType("own")
HigherLower.__module__, own.HigherLower = "own", HigherLower
badger_envs.register("Lab/HigherLower-v0", "own:HigherLower")

# %% [markdown]
# ## All faces, for nothing

# %%
env = gym.make("Lab/HigherLower-v0")
observation, _ = env.reset(seed=1)
print("Gymnasium   ", observation["output_feedback"])
envs = gym.make_vec("Lab/HigherLower-v0", num_envs=4)
print("vector      ", envs.reset(seed=1)[0]["output_feedback"][0])
print(
    "torch       ", badger_envs.make_batched("Lab/HigherLower-v0", 4).reset(seed=1).output_feedback[0, :, 0]
)
try:
    from badger_envs.faces.pettingzoo import higher_lower_v0

    print("PettingZoo  ", higher_lower_v0.parallel_env().possible_agents)
except ImportError as missing:
    print("PettingZoo  ", missing)

check_family("Lab/HigherLower-v0")
print("check_family: all promises are kept")

# %% [markdown]
# `check_family` has just compared NumPy with torch, rows with batches, all faces with each other; it has looked for
# values that are looked at, and for gradients. Put a mistake into `step` (clip the action, say), and see what it
# tells you.
#
# ## Exercise 10.3: the reference
#
# What can be reached at all? Bisection: start at 0, and go half of what is left in the direction of the hint: 1/2, then
# 1/4, then 1/8, and so on.


# %%
def bisection(outputs: Any, hints: Any, step: int) -> Any:
    """What to write next.

    Args:
        outputs: [..., O], written last; zeros before step 0.
        hints: [..., O], on those.
        step: 0 for the first writing of a trial, then 1, 2, ...

    Returns:
        [..., O]: the first writing lies 1/2 away from 0, the second 1/4 away from the first, ...
    """
    raise NotImplementedError("exercise 10.3")


# %%
labs.check("10.3", bisection)
bisection = labs.answer("10.3", bisection)


# %%
def act(observation: dict) -> np.ndarray:
    """Bisection as a policy in the Gymnasium environment: a function of what it sees."""
    step = round(float(observation["flags"][2]) * env.unwrapped.family.horizon)
    return bisection(observation["outputs"], observation["output_feedback"], step).astype(np.float32)


TASKS = labs.steps(full=1000, smoke=100)
reference = badger_envs.evaluate(act, "Lab/HigherLower-v0", TASKS)
floor = badger_envs.evaluate(lambda seen: seen["outputs"] * 0, "Lab/HigherLower-v0", TASKS)
print(f"zeros: error {floor.outcome:.3f}; bisection: error {reference.outcome:.6f}")

# %% [markdown]
# ## Exercise 10.4: an expert policy
#
# An expert policy is one function that all experts share, in two parts: `emit`, what they tell each other, and
# `update`, what they make of what they hear and read. Nothing in it says how many experts there are. Write `update`
# for the class in the next cell: the new state is tanh of `self.think` of state, inbox and reading, side by side **in
# this order**; the writing is `self.write` of the *new* state.


# %%
def update(
    self, state: torch.Tensor, inbox: torch.Tensor, reading: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One round, after the messages have arrived.

    Args:
        self: has the linear maps `think` and `write`.
        state: [B, E, H].
        inbox: [B, E, M], what each expert hears.
        reading: [B, E, R], what each expert reads of its slot.

    Returns:
        The next state [B, E, H], and the writing [B, E, 1].
    """
    raise NotImplementedError("exercise 10.4")


# %%
labs.check("10.4", update)
update = labs.answer("10.4", update)

# %% [markdown]
# A policy of your own is one file, so that a run can keep a copy of it. Here it is written, with your `update` in it.

# %%
POLICY = HOME / "my_policy.py"
POLICY.write_text(
    f'''"""An expert policy: linear talk, a state of 32 numbers."""

from __future__ import annotations

import torch

from badger_agents import ExpertPolicy


{inspect.getsource(update)}

class MyPolicy(ExpertPolicy):
    message_size = 8
    draw_size = 32  # an expert's state begins as so many random numbers

    def __init__(self, reading_size):
        super().__init__()
        self.say = torch.nn.Linear(32 + reading_size, self.message_size)
        self.think = torch.nn.Linear(32 + self.message_size + reading_size, 32)
        self.write = torch.nn.Linear(32, 1)
        torch.nn.init.zeros_(self.write.weight)
        torch.nn.init.zeros_(self.write.bias)

    def emit(self, state, reading):
        return self.say(torch.cat([state, reading], dim=-1))

    update = update
'''
)

# %% [markdown]
# Train it on your family, once with talk and once in silence. Each slot's hint is about that slot: what do you expect?

# %%
STEPS = labs.steps(full=400, smoke=15)


def tables(topology: str) -> dict[str, Any]:
    """A recipe, as its TOML file would have it."""
    return {
        "name": f"higher-lower-{topology}",
        "env": {"id": "Lab/HigherLower-v0"},
        "agent": {
            "kind": "badger_agents.badger.agent:BadgerAgent",
            "experts": 3,
            "policy": {"kind": f"{POLICY}:MyPolicy"},
            "channel": {"topology": topology},
        },
        "training": {
            "outer_steps": STEPS,
            "batch_size": 128,
            "objective": "as_soon_as_possible",
            "schedule": "linear",
            "clip_norm": 1.0,
            "optimiser": {"kind": "adam", "learning_rate": 5e-3},
        },
    }


def trained(topology: str) -> Any:
    """The agent after the outer loop; each time anew, in a folder of its own."""
    number = len(list(HOME.glob(f"{topology}-*")))
    recipe = check_recipe(tables(topology), "lab 10", Trust.of("own", POLICY))
    return train(recipe, 0, HOME / f"{topology}-{number}").agent()


agents = {"with talk": trained("all"), "in silence": trained("none")}

# %%
family = badger_envs.family_of("Lab/HigherLower-v0", split="test")
keys = keyed_random.outer_keys(0, 0, TASKS, "test", like=torch.zeros(()))


def bisected(family: Family) -> torch.Tensor:
    """Errors [T] of bisection, a mean over the same tasks."""
    task = family.sample_task(keys)
    state, errors = family.initial_state(task), []
    for step in range(family.horizon):
        written = bisection(state.outputs, state.hints, step)
        state = family.step(task, state, written, family.noise(keys, 1)[:, 0]).state
        errors.append(state.error.mean())
    return torch.stack(errors)


figure, axis = plt.subplots(figsize=(5.6, 3.4))
with torch.no_grad():
    for number, (name, agent) in enumerate(agents.items()):
        curve = rollout(agent, family, keys).loss.mean(dim=1)
        axis.plot(range(1, 9), curve, "o-", color=COLOURS[number], label=f"your policy, {name}")
axis.plot(range(1, 9), bisected(family), "--", color="black", label="bisection")
axis.set(xlabel="step", ylabel="error", title=f"Higher or lower, after {STEPS} outer steps")
log_errors(axis)
axis.legend()
labs.show("lab_10_higher_lower")

# %% [markdown]
# ## Exercise 10.5: a score
#
# "An error of 0.004" tells little. The suite's scores put an outcome between two policies that everybody can run:
# **0** is the *floor*, the best that does not use what it sees, and **1** is the *reference*.


# %%
def score(outcome: float, floor: float, reference: float) -> float:
    """Where an outcome lies between floor (0) and reference (1).

    Args:
        outcome: of an agent.
        floor: outcome of the floor.
        reference: outcome of the reference. Lower outcomes are better in some families, higher ones in others.

    Returns:
        0 at the floor, 1 at the reference, on a straight line between and beyond.
    """
    raise NotImplementedError("exercise 10.5")


# %%
labs.check("10.5", score)
score = labs.answer("10.5", score)

# %% [markdown]
# A *profile* asks one agent several things. The weights stay as they are; the tasks change. Nothing in the policy
# says how many experts there are, so six numbers are six experts.

# %%
abilities = {
    "as trained: 3 numbers, 8 steps": ({}, 3),
    "more numbers: 6": ({"numbers": 6}, 6),
    "one number": ({"numbers": 1}, 1),
    "longer trials: 16 steps": ({"horizon": 16}, 3),
    "shorter trials: 4 steps": ({"horizon": 4}, 3),
}
figure, axis = plt.subplots(figsize=(7, 3.2))
for number, (name, topology) in enumerate((("with talk", "all"), ("in silence", "none"))):
    values = []
    for changes, experts in abilities.values():
        there = badger_envs.family_of("Lab/HigherLower-v0", split="test", **changes)
        recipe = check_recipe(tables(topology), "lab 10", Trust.of("own", POLICY))
        resized = recipe.make_agent(experts=experts)
        resized.load_state_dict(agents[name].state_dict())
        error = badger_agents.evaluate(resized, there, TASKS).mean
        zeros = float(there.initial_state(there.sample_task(keys)).error.mean())
        values.append(score(error, zeros, float(bisected(there)[-1])))
    places = np.arange(len(abilities)) + 0.38 * number - 0.19
    axis.barh(places, np.maximum(values, -0.25), 0.36, color=COLOURS[number], label=f"your policy, {name}")
    for place, value in zip(places, values, strict=True):
        axis.text(max(value, 0) + 0.02, place, f"{value:.2f}", va="center", fontsize=8)
axis.set_yticks(range(len(abilities)), abilities)
axis.invert_yaxis()
axis.axvline(0, color="black", linewidth=0.8)
axis.axvline(1, color="black", linestyle="--", linewidth=0.8)
axis.set(
    xlabel="score: 0 zeros, 1 bisection", xlim=(-0.25, 1.15), title="A profile (one outer seed: preliminary)"
)
axis.legend(loc="upper center", bbox_to_anchor=(0.4, -0.2), ncols=2, fontsize=8)
figure.tight_layout()
labs.show("lab_10_profile")

# %% [markdown]
# Put the two pictures side by side. A score is linear: it says 1.00 where bisection's error is still a hundred times
# smaller. And whoever learned to listen may miss the others: what happens with one number?
#
# The suite's own profile has a bar for every family: `badger suite run --policy my_policy.py:MyPolicy` trains for
# each of them, which takes a quarter of an hour.
#
# ## A submission
#
# Leaderboards measure agents of others on the same tasks, with the same budget, with **ten** outer seeds or more. A
# board is data. For this lab we write a tiny one, with two outer seeds, and send your policy through the whole of it:
# train, prepare, validate. (The real one is called `guessing-game-v1`, and takes ten seeds and 600 outer steps.)

# %%
BOARD = HOME / "lab-v1.toml"
BOARD.write_text(
    f"""name = "lab-v1"
title = "A board for a lab"
seeds = 2
tasks = 100
main = "d3"

[training]
outer_steps = {labs.steps(full=150, smoke=5)}

[cells.d3]
id = "Badger/GuessingGame-d3-v0"

[agents.badger]
recipe = "guessing-hardwired"
"""
)
RUNS = HOME / f"board-{len(list(HOME.glob('board-*')))}"
outer_steps = str(labs.steps(full=150, smoke=5))
words = ["train", "guessing-hardwired", "--policy", f"{POLICY}:MyPolicy", "--seeds", "2"]
badger([*words, "--outer-steps", outer_steps, "--out", str(RUNS)])

# %%
FOLDER = RUNS / "submission"
words = ["board", "prepare", str(BOARD), "guessing-hardwired-MyPolicy", "--runs", str(RUNS)]
badger([*words, "--author", "A. Student", "--about", "A lab's policy", "--out", str(FOLDER)])
badger(["board", "validate", str(FOLDER), "--board", str(BOARD)])
print(*sorted(path.name for path in FOLDER.iterdir()))

# %% [markdown]
# Whoever gets that folder can measure your weights again, on tasks that you have not seen, and without trusting your
# code: that is what `badger board verify` does.
#
# ## What to take away
#
# - A family is settings and pure functions of keys. Faces, seeds, splits and checks follow.
# - Write the reference and the floor before the learner: without them an outcome is only a number.
# - An expert policy says nothing of how many experts there are; so the same weights can be asked about other sizes.
# - A result is a folder that somebody else can measure again.
#
# **Read on**: `docs/design.md` (the six contracts), `tests/third_party/` (a family of someone else's, installed),
# `docs/submitting.md`.
