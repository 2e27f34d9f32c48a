# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 3. Many experts, one policy
#
# **You will learn** why many copies of one network behave as one, how random states or identities make them different,
# and how to recognise the collapse by its number: a plateau at 1 - 1/d.
#
# **It presumes** lab 2, and PyTorch's broadcasting and reshaping.
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

# %% [markdown]
# ## Experts
#
# The learner of lab 2 has one output per hidden number in its weights: for d = 5 it has to be trained anew. A *Badger*
# agent is made of *experts* instead. Each is the same small network, with the same weights, and has a state of its own.
# Expert i writes output i and reads it; all hear the one error. Add an expert, and the weights stay what they are.
#
# In this lab the experts do not talk. Here is their one policy:


# %%
class Policy(nn.Module):
    """The policy that all experts share: a GRU cell, and a map from a state to a change of one output."""

    def __init__(self, reading: int = 2, hidden: int = 32) -> None:
        super().__init__()
        self.cell = nn.GRUCell(reading, hidden)
        self.write = nn.Linear(hidden, 1)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)


def error(outputs: Tensor, target: Tensor) -> Tensor:
    """3 times the mean squared distance: [B, d], [B, d] -> [B]."""
    return 3 * ((outputs - target) ** 2).mean(dim=-1)


# %% [markdown]
# ## Exercise 3.1: one policy for all experts
#
# A GRU cell takes a batch of rows, [N, R] and [N, H]. Trials and experts are both rows to it: flatten them, call the
# cell once, and undo it. Weights are shared because there is only one cell.


# %%
def update(cell: nn.GRUCell, reading: Tensor, state: Tensor) -> Tensor:
    """A step of every expert in every trial.

    Args:
        cell: the cell that all share.
        reading: [B, E, R], what each expert reads.
        state: [B, E, H], the experts' states.

    Returns:
        [B, E, H], the next states: that of expert e in trial b follows from its own reading and state.
    """
    raise NotImplementedError("exercise 3.1")


# %%
labs.check("3.1", update)
update = labs.answer("3.1", update)

# %% [markdown]
# ## Exercise 3.2: the plateau
#
# Suppose all experts start alike. All hear the same error. All have written the same number. So all go on alike for
# ever: they behave as one expert that writes the same number in all slots. How good can that be?
#
# On one task, the best number is the one with the lowest mean squared distance to all d targets. Averaged over tasks,
# what is left is 1 - 1/d: for d = 1 nothing, for d = 3 two thirds, for many numbers all.


# %%
def collapsed_error(target: Tensor) -> Tensor:
    """The lowest error of writing the same number in all slots, for each task.

    Args:
        target: [B, d], the hidden numbers.

    Returns:
        [B].
    """
    raise NotImplementedError("exercise 3.2")


# %%
labs.check("3.2", collapsed_error)
collapsed_error = labs.answer("3.2", collapsed_error)

# %%
generator = torch.Generator().manual_seed(0)
for d in (1, 2, 3, 5, 10):
    some = 2 * torch.rand(20_000, d, generator=generator) - 1
    print(f"d = {d:2}: mean {collapsed_error(some).mean():.3f}, 1 - 1/d = {1 - 1 / d:.3f}")

# %% [markdown]
# ## Exercise 3.3: random states
#
# The weights must not say which expert is which. But their *states* may differ: draw them at random at the start of
# each trial. The experts then do different things, and what they do can become different roles.


# %%
def random_states(batch: int, experts: int, hidden: int, generator: torch.Generator) -> Tensor:
    """States at the start of trials: standard normal numbers, each expert's in each trial its own.

    Args:
        batch: B.
        experts: E.
        hidden: H.
        generator: to draw from, `torch.randn(..., generator=generator)`.

    Returns:
        [B, E, H].
    """
    raise NotImplementedError("exercise 3.3")


# %%
labs.check("3.3", random_states)
random_states = labs.answer("3.3", random_states)

# %% [markdown]
# ## Exercise 3.4: identities
#
# Another way: each expert reads, at every step, numbers that tell it who it is. They are the same in all trials here:
# row i of a table for expert i. Join them to what it reads.


# %%
def with_identities(reading: Tensor, table: Tensor) -> Tensor:
    """What experts read, each with its own identity after it.

    Args:
        reading: [B, E, R].
        table: [E, S], the identity of each expert, the same in all trials.

    Returns:
        [B, E, R + S].
    """
    raise NotImplementedError("exercise 3.4")


# %%
labs.check("3.4", with_identities)
with_identities = labs.answer("3.4", with_identities)

# %% [markdown]
# ## Exercise 3.5: are they one?
#
# Measure the collapse: how much do the outputs of a trial's experts differ? Take their standard deviation over the
# experts (the biased one: divide by E), then the mean over trials. It is 0 if experts are copies.


# %%
def spread(outputs: Tensor) -> Tensor:
    """How different the experts are at each step.

    Args:
        outputs: [T, B, E], what each expert wrote at each step of each trial.

    Returns:
        [T], the standard deviation over experts (divided by E), averaged over trials.
    """
    raise NotImplementedError("exercise 3.5")


# %%
labs.check("3.5", spread)
spread = labs.answer("3.5", spread)

# %% [markdown]
# ## Three agents
#
# The same policy, the same trials, the same optimiser. They differ in what tells experts apart: nothing, random states,
# or identities. The inner and outer loop are those of lab 2.


# %%
def inner_loop(policy: Policy, kind: str, target: Tensor, steps: int, generator: torch.Generator) -> tuple:
    """Errors [T, B] and outputs [T, B, E] of trials in which expert i has slot i."""
    batch, experts = target.shape
    state = torch.zeros(batch, experts, policy.cell.hidden_size)  # [B, E, H]
    if kind == "random states":
        state = random_states(batch, experts, policy.cell.hidden_size, generator)
    outputs, errors, written = torch.zeros_like(target), [], []
    for _ in range(steps):
        heard = error(outputs, target)[:, None].expand(batch, experts)  # [B, E], all hear it
        reading = torch.stack([outputs, heard], dim=-1)  # [B, E, 2]
        if kind == "identities":
            reading = with_identities(reading, torch.eye(experts))  # [B, E, 2 + E]
        state = update(policy.cell, reading, state)
        outputs = (outputs + policy.write(state)[..., 0]).clamp(-1, 1)  # [B, E]
        errors.append(error(outputs, target))
        written.append(outputs)
    return torch.stack(errors), torch.stack(written)


d, horizon, outer_steps = 3, 20, labs.steps(full=600, smoke=4)
policies, outer_curves = {}, {}
for kind in ("nothing", "random states", "identities"):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    policy = Policy(reading=2 + d * (kind == "identities"))
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, outer_steps)
    curve = []
    for step in range(outer_steps):
        target = 2 * torch.rand(128, d, generator=generator) - 1
        loss = inner_loop(policy, kind, target, horizon, generator)[0][horizon // 2 :].mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        curve.append(loss.item())
        if (step + 1) % 200 == 0:
            print(f"told apart by {kind}: outer step {step + 1}, loss {loss.item():.3f}", flush=True)
    policies[kind], outer_curves[kind] = policy, curve
    print(f"told apart by {kind}: outer loss {sum(curve[-20:]) / len(curve[-20:]):.3f} at the end")

# %%
figure, (outer, inner, apart) = plt.subplots(1, 3, figsize=(14, 4))
generator = torch.Generator().manual_seed(1)
held_out = 2 * torch.rand(1000, d, generator=generator) - 1
for kind, policy in policies.items():
    with torch.no_grad():
        errors, outputs = inner_loop(policy, kind, held_out, horizon, generator)
    outer.plot(range(1, outer_steps + 1), outer_curves[kind], label=kind)
    inner.plot(range(1, horizon + 1), errors.mean(dim=-1), marker=".", label=kind)
    apart.plot(range(1, horizon + 1), spread(outputs), marker=".", label=kind)
for axis in (outer, inner):
    axis.axhline(1 - 1 / d, color="black", linestyle="--", label=f"copies: 1 - 1/d = {1 - 1 / d:.3f}")
    axis.set_yscale("log")
outer.set(xlabel="outer step", ylabel="outer loss", title="Outer loop")
inner.set(xlabel="step within the trial", ylabel="mean error", title="Inner loop")
apart.set(xlabel="step within the trial", ylabel="spread of outputs", title="Are experts copies?")
outer.legend(title="told apart by", fontsize=8)
labs.show("lab_03_told_apart")

# %% [markdown]
# **What to see.** Experts that nothing tells apart reach the plateau and stay there, whatever you train: their spread
# is 0. This is one run per agent. Another seed may need more or fewer outer steps to leave the plateau (lab 9 is about
# that).
#
# **Questions to take along.** Experts with random states do not talk, and still fall below 1 - 1/d: how can they? (All
# hear the error. Who moves when?) Which of the two, random states or identities, would still work with four experts,
# weights unchanged? What if only one expert heard the error? That is lab 4.
