# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 1. A trial
#
# **You will learn** what a trial is, what an inner loop is, and what memory is for in the guessing game. You
# play one trial by hand. Then you write an algorithm that finds d hidden numbers with d + 1 writings, the last of them
# the answer.
#
# **It presumes** NumPy, and that you know what `reset` and `step` of a Gymnasium environment do.
#
# **It takes** about 45 minutes of yours, and a few seconds of the computer's.
#
# An *exercise* is a function, or a class, without a body. Write it in place of `raise NotImplementedError`, run its
# cell, then run the cell below it: the checker says whether it is right, and if not, what is wrong. A lab goes on with
# the solution where you have no answer, so you may leave an exercise and come back.

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

import badger_envs  # registers the ids
import labs

# %% [markdown]
# ## The game
#
# A task hides d numbers, the *target*, each uniform in [-1, 1]. At every step of a trial you write d numbers. You hear
# one number: how wrong all of them together are. The game never says which of yours is wrong.
#
# A *trial* is one lifetime on one task: 20 steps here. To Gymnasium it is an episode. The first observation tells the
# error of writing zeros.

# %%
env = gym.make("Badger/GuessingGame-v0", dims=3)
observation, info = env.reset(seed=7)
print("outputs, written last:  ", observation["outputs"])
print("feedback, error of them:", observation["feedback"])

# %% [markdown]
# Play it by hand. Change the list below until the error is small. Every row is one step: what you write. Count how many
# rows you needed. What did you do with what you heard?

# %%
my_guesses = [
    [0.5, 0.0, 0.0],
    [0.0, 0.5, 0.0],
    [0.0, 0.0, 0.5],
]
observation, info = env.reset(seed=7)
for guess in my_guesses:
    observation, reward, terminated, truncated, info = env.step(np.array(guess, dtype=np.float32))
    print(guess, f"-> error {info['error']:.4f}")

# %% [markdown]
# ## Exercise 1.1: the error
#
# The error is three times the mean of the squared distances: error = 3 / d * sum_i (guess_i - target_i)^2. A number
# that is uniform in [-1, 1] has a mean square of 1/3. So zeros have an error of 1 on average: that is what the 3 is
# for.


# %%
def error(guess: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The error of each trial.

    Args:
        guess: [B, d], what is written in B trials.
        target: [B, d], the hidden numbers.

    Returns:
        [B], 3 times the mean over the d numbers of the squared distance.
    """
    raise NotImplementedError("exercise 1.1")


# %%
labs.check("1.1", error)
error = labs.answer("1.1", error)

# %% [markdown]
# What does an agent get that cannot learn? Three that write without listening, on 10,000 tasks:

# %%
rng = np.random.default_rng(0)
targets = rng.uniform(-1, 1, (10_000, 3))
print(f"zeros:            {error(np.zeros_like(targets), targets).mean():.3f}")
print(f"at random:        {error(rng.uniform(-1, 1, targets.shape), targets).mean():.3f}")
print(f"0.5 in each slot: {error(np.full_like(targets, 0.5), targets).mean():.3f}")

# %% [markdown]
# ## Exercise 1.2: the inner loop
#
# The *inner loop* is what happens within a trial: the agent writes, hears, and changes what it will write. Nothing else
# changes: the agent's rules (its weights, if it has any) stay as they are. Write the loop.


# %%
def play(env, policy, seed: int) -> list[float]:
    """Let a policy act in one trial.

    Args:
        env: the guessing game, a Gymnasium environment.
        policy: it has `reset()`, to be called before a trial, and `act(observation) -> action`.
        seed: of the trial, for `env.reset`.

    Returns:
        The error after each step, `info["error"]`: as many numbers as the trial has steps. (The error
        of the zeros before the first step is not among them.)
    """
    raise NotImplementedError("exercise 1.2")


# %%
labs.check("1.2", play)
play = labs.answer("1.2", play)

# %% [markdown]
# Here is a policy that uses what it hears, badly: it takes a random step from the best guess so far, and keeps it if
# the error fell. (An evolution strategy with one child.)


# %%
class HillClimber:
    """Random steps from the best guess so far."""

    def __init__(self, step_size: float = 0.3) -> None:
        self.step_size = step_size

    def reset(self) -> None:
        """Forget the last trial."""
        self.rng = np.random.default_rng(0)
        self.best, self.lowest = None, np.inf

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """A random step from the best guess."""
        heard = observation["feedback"][0]
        if heard < self.lowest:
            self.best, self.lowest = observation["outputs"], heard
        child = self.best + self.step_size * self.rng.normal(size=self.best.shape)
        return np.clip(child, -1, 1).astype(np.float32)


curve = play(env, HillClimber(), seed=7)
print("error after 1, 10, 20 steps:", *(f"{curve[step - 1]:.3f}" for step in (1, 10, 20)))

# %% [markdown]
# Its curve goes up and down: the error is that of what it writes, the child, and not of the best so far.
#
# ## Exercise 1.3: what a probe tells
#
# One error is one equation with d unknowns. Write zeros, and the error is e_0 = 3/d * sum_i t_i^2. Now write h in slot
# i and zeros elsewhere: the error is e_i. All terms but the i-th are the same in both, so that
#
#     e_i - e_0 = 3/d * ((h - t_i)^2 - t_i^2)
#
# Solve it for t_i. This is *triangulation*: the distances from d + 1 known points tell where you are.


# %%
def triangulate(zero_error: np.ndarray, probe_errors: np.ndarray, h: float) -> np.ndarray:
    """The hidden numbers, from d + 1 errors: of zeros, and of d probes.

    Args:
        zero_error: [B], e_0, the error of zeros.
        probe_errors: [B, d], e_i, the error of h in slot i and 0 in the other slots.
        h: the number written in a probe, not 0.

    Returns:
        [B, d], the target.
    """
    raise NotImplementedError("exercise 1.3")


# %%
labs.check("1.3", triangulate)
triangulate = labs.answer("1.3", triangulate)

# %% [markdown]
# ## Exercise 1.4: a learner
#
# Make a policy of it. It has a memory, which changes within a trial: the errors that it heard. The first observation
# brings e_0, and the length of `observation["outputs"]` is d. Then it probes slot after slot, and in step d + 1 it
# writes the answer, and goes on writing it.
#
# Both methods are yours to write. You may call `triangulate`, with B = 1. Mind the time: the error in an observation
# belongs to what you wrote in the step *before*.


# %%
class Triangulation:
    """Finds the target after d probes."""

    def __init__(self, h: float = 0.5) -> None:
        self.h = h

    def reset(self) -> None:
        """Forget the last trial; called before each."""
        raise NotImplementedError("exercise 1.4")

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """What to write now.

        Args:
            observation: `outputs` [d], written in the step before; `feedback` [1], the error of them.

        Returns:
            [d], float32: a probe in the first d steps, then the answer at every step.
        """
        raise NotImplementedError("exercise 1.4")


# %%
labs.check("1.4", Triangulation)
Triangulation = labs.answer("1.4", Triangulation)

# %% [markdown]
# ## What you have built
#
# The picture is the mean error at each step, over many tasks. The dashed line is the best of all policies that do not
# listen. Triangulation leaves the picture at step d + 1: its error is then almost 0. What falls below the line was
# learned *within* the trial. Every curve is an inner loop.
#
# In this lab, you found the rules of the inner loop yourself. In the next, an *outer loop* finds them, from nothing but
# many trials.

# %%
tasks = labs.steps(full=200, smoke=5)
policies = {"hill climber": HillClimber(), "triangulation": Triangulation()}
figure, axis = plt.subplots(figsize=(6, 4))
for name, policy in policies.items():
    curves = np.array([play(env, policy, seed) for seed in range(tasks)])  # [tasks, steps]
    axis.plot(np.arange(1, 21), curves.mean(axis=0), marker=".", label=name)
    print(f"{name}: mean error {curves[:, -1].mean():.2g} after the last step, over {tasks} tasks")
axis.axhline(1.0, color="black", linestyle="--", label="zeros: the best that does not listen")
axis.set(
    xlabel="step within the trial", ylabel="error", yscale="log", ylim=(1e-3, 5), title="Two inner loops"
)
axis.set_xticks([1, 5, 10, 15, 20])
axis.legend()
labs.show("lab_01_inner_loops")

# %% [markdown]
# **Questions to take along.** With `dims=10`, after how many steps does triangulation know the answer, and can any
# policy be faster? What would it do if the error came with noise? Which part of it is the memory, and which the rule?
