# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 2. Learning to learn in forty lines
#
# **You will learn** how an outer loop finds a learning algorithm: a recurrent network plays many trials, and its
# weights are changed by backpropagation through whole trials. You read two kinds of learning curves.
#
# **It presumes** lab 1, and PyTorch: autograd, an optimiser, a GRU cell.
#
# **It takes** about 60 minutes of yours, and less than one of the computer's, or some where it is busy.

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

import labs

torch.set_num_threads(1)  # so small a network is no faster with two
torch.manual_seed(0)

# %% [markdown]
# ## A learner
#
# In lab 1 you wrote the rules of an inner loop. Here a network is to find them. It is a GRU: its *state* is the memory,
# its *weights* are the rules. Within a trial the state changes and the weights do not.
#
# At each step it reads what was written last and the error of that, d + 1 numbers. It writes *changes* of its outputs.
# The map to the changes starts at 0: outputs that drift into their limits have no gradient.


# %%
class Learner(nn.Module):
    """A GRU that reads outputs and error, and writes changes of the outputs."""

    def __init__(self, d: int = 3, hidden: int = 48) -> None:
        super().__init__()
        self.cell = nn.GRUCell(d + 1, hidden)
        self.write = nn.Linear(hidden, d)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)


def error(outputs: Tensor, target: Tensor) -> Tensor:
    """3 times the mean squared distance: [B, d], [B, d] -> [B]."""
    return 3 * ((outputs - target) ** 2).mean(dim=-1)


def tasks(batch: int, d: int = 3) -> Tensor:
    """Targets [B, d], uniform in [-1, 1]."""
    return 2 * torch.rand(batch, d) - 1


# %% [markdown]
# ## Exercise 2.1: the inner loop
#
# The environment is a formula that has a gradient, so a whole trial is one graph: B trials side by side, from the first
# step to the last. Detach nothing.


# %%
def inner_loop(learner: nn.Module, target: Tensor, steps: int) -> Tensor:
    """Let the learner act in B trials.

    Start with outputs [B, d] and state [B, H] of zeros (H = learner.cell.hidden_size). At every step:
    read the outputs and their error, in this order, [B, d + 1]; state = learner.cell(reading, state);
    outputs = outputs + learner.write(state), clamped to [-1, 1].

    Args:
        learner: it has `cell`, a GRU cell, and `write`.
        target: [B, d], the hidden numbers.
        steps: T, steps in a trial.

    Returns:
        [T, B], the error after each step, with its graph.
    """
    raise NotImplementedError("exercise 2.1")


# %%
labs.check("2.1", inner_loop)
inner_loop = labs.answer("2.1", inner_loop)

# %% [markdown]
# ## Exercise 2.2: what the outer loop minimises
#
# A learner has to try things out before it can know. If the errors of the first steps counted, probing would be
# punished. So count the second half of the trial only.


# %%
def outer_loss(errors: Tensor) -> Tensor:
    """The mean error over the second half of the steps, and over all trials.

    Args:
        errors: [T, B]; T is even.

    Returns:
        A scalar.
    """
    raise NotImplementedError("exercise 2.2")


# %%
labs.check("2.2", outer_loss)
outer_loss = labs.answer("2.2", outer_loss)

# %% [markdown]
# ## Exercise 2.3: an outer step
#
# One outer step is: play a batch of trials on fresh tasks, take the gradient of the outer loss, and change the weights.
# The gradient runs through 20 steps of a feedback loop, and in some batches it explodes: limit its norm to 1 with
# `nn.utils.clip_grad_norm_`.


# %%
def outer_step(learner: nn.Module, optimiser: torch.optim.Optimizer, target: Tensor, steps: int) -> float:
    """Change the learner's weights once, by the trials of one batch of tasks.

    Args:
        learner: as in `inner_loop`.
        optimiser: of the learner's parameters.
        target: [B, d], fresh tasks.
        steps: T, steps in a trial.

    Returns:
        The outer loss before the change, as a Python number.
    """
    raise NotImplementedError("exercise 2.3")


# %%
labs.check("2.3", outer_step)
outer_step = labs.answer("2.3", outer_step)

# %% [markdown]
# ## Exercise 2.4: two learning curves
#
# The *outer* curve is the outer loss against outer steps: the learner becomes a better learner. The *inner* curve is
# the error against the steps of a trial, weights frozen: the learner learns one task.


# %%
def inner_curve(learner: nn.Module, target: Tensor, steps: int) -> Tensor:
    """The mean error at each step of a trial, over tasks, weights frozen and without a graph.

    Args:
        learner: as in `inner_loop`.
        target: [B, d], fresh tasks.
        steps: T, steps in a trial.

    Returns:
        [T].
    """
    raise NotImplementedError("exercise 2.4")


# %%
labs.check("2.4", inner_curve)
inner_curve = labs.answer("2.4", inner_curve)

# %% [markdown]
# ## Train it
#
# The learning rate falls to 0. For a long time nothing seems to happen: the loss stays near 1, that of zeros. Then it
# falls within a hundred outer steps. What happens there? Look at the inner curves from before and after.

# %%
outer_steps, horizon = labs.steps(full=800, smoke=6), 20
learner = Learner()
optimiser = torch.optim.Adam(learner.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, outer_steps)
held_out = tasks(1000)  # tasks that it never trains on
moments = {0, outer_steps // 4, outer_steps // 2, outer_steps}
outer_curve, inner_curves = [], {}
for step in range(outer_steps + 1):
    if step in moments:
        inner_curves[step] = inner_curve(learner, held_out, 2 * horizon)
    if step < outer_steps:
        outer_curve.append(outer_step(learner, optimiser, tasks(128), horizon))
        schedule.step()
print(f"error after {horizon} steps of a trial: {inner_curves[outer_steps][horizon - 1]:.4f} (zeros: 1)")

# %%
figure, (outer, inner) = plt.subplots(1, 2, figsize=(11, 4))
outer.plot(range(1, outer_steps + 1), outer_curve)
outer.set(xlabel="outer step", ylabel="outer loss", yscale="log", title="Outer loop: learning to learn")
for step, curve in inner_curves.items():
    inner.plot(range(1, 2 * horizon + 1), curve, marker=".", label=f"after {step} outer steps")
inner.axvline(horizon, color="grey", linestyle=":", label="longest trial met in training")
inner.axvline(4, color="black", linestyle="--", linewidth=1, label="triangulation knows: step d + 1")
inner.set(xlabel="step within the trial", ylabel="mean error", yscale="log", title="Inner loop: learning")
inner.legend(fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.85))
labs.show("lab_02_two_loops")

# %% [markdown]
# ## Look at it
#
# Three trials of the trained learner. The dashed lines are the hidden numbers. Does it probe one output after the
# other, as triangulation does?

# %%
with torch.no_grad():
    target = held_out[:3]
    state, outputs = torch.zeros(3, learner.cell.hidden_size), torch.zeros(3, 3)
    path = [outputs]
    for _ in range(horizon):
        state = learner.cell(torch.cat([outputs, error(outputs, target)[:, None]], dim=-1), state)
        outputs = (outputs + learner.write(state)).clamp(-1, 1)
        path.append(outputs)
    path = torch.stack(path)  # [T + 1, 3 trials, d]
figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True)
for trial, axis in enumerate(axes):
    for slot in range(3):
        (line,) = axis.plot(path[:, trial, slot], marker=".", label=f"output {slot + 1}")
        axis.axhline(float(target[trial, slot]), color=line.get_color(), linestyle="--", linewidth=1)
    axis.set(xlabel="step within the trial", title=f"task {trial + 1}")
axes[0].set_ylabel("output, and hidden number (dashed)")
axes[0].legend(fontsize=8)
labs.show("lab_02_three_trials")

# %% [markdown]
# **Questions to take along.** Is the learner still right after 40 steps, twice as many as it ever met, and why should
# it be? It has one output per hidden number in its weights: what would you do to play with d = 5? (Labs 3 to 5.) Which
# of the two curves does a plot of PPO show?
