# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 5. Any number
#
# **You will learn** how outputs find experts when there may be any number of either: by random addresses, one to one.
# You train with few numbers, test with many, and draw the paper's figure 7.
#
# **It presumes** lab 4 (the channel), and `gather` and `argmax` of PyTorch.
#
# **It takes** about 60 minutes of yours, and less than one of the computer's, or some where it is busy.

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import math
import random

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

import labs
from badger_agents import evaluate, load
from badger_envs.families.guessing_game import GuessingGame

torch.set_num_threads(1)  # so small a network is no faster with two

# %% [markdown]
# ## Slots and addresses
#
# Until now expert i had output i: it was *hardwired*. Now say only that there are N *slots* (places for an output) and
# E experts, and nothing about who belongs to what. At the start of each trial every slot and every expert draws an
# *address*: a random vector of length 1, new in each trial. A slot goes to an expert whose address is like its own. So
# no weight can come to depend on a place, and N and E may be anything.
#
# ## Exercise 5.1: who is most like it?


# %%
def favourites(slots: Tensor, experts: Tensor) -> Tensor:
    """For each slot the expert whose address is most like its own.

    Args:
        slots: [B, N, K], addresses of length 1.
        experts: [B, E, K], addresses of length 1.

    Returns:
        int64 [B, N], for each slot the number of the expert with the largest dot product.
    """
    raise NotImplementedError("exercise 5.1")


# %%
labs.check("5.1", favourites)
favourites = labs.answer("5.1", favourites)

# %% [markdown]
# With favourites alone, some experts are wanted by several slots, and others by none. How often?


# %%
def addresses(batch: int, count: int, generator: torch.Generator, width: int = 8) -> Tensor:
    """Random unit vectors [B, count, width]."""
    return nn.functional.normalize(torch.randn(batch, count, width, generator=generator), dim=-1)


generator = torch.Generator().manual_seed(0)
for count in (2, 5, 10):
    liked = favourites(addresses(2000, count, generator), addresses(2000, count, generator))  # [B, N]
    idle = 1 - nn.functional.one_hot(liked, count).amax(dim=1).float().mean()
    print(f"{count} slots, {count} experts: {idle:.0%} of the experts have nothing to do")

# %% [markdown]
# ## Exercise 5.2: one to one
#
# An expert with two slots has to serve both at once. So let the slots choose one after the other: each takes the expert
# most like it *among those that have fewest slots so far*. With at least as many experts as slots, nobody gets two.


# %%
def one_to_one(slots: Tensor, experts: Tensor) -> Tensor:
    """The owner of each slot.

    Slot 0 of each trial chooses first, then slot 1, and so on.

    Args:
        slots: [B, N, K], addresses of length 1.
        experts: [B, E, K], addresses of length 1; N may be above E.

    Returns:
        int64 [B, N], for each slot the expert with the largest dot product among those with fewest slots.
    """
    raise NotImplementedError("exercise 5.2")


# %%
labs.check("5.2", one_to_one)
one_to_one = labs.answer("5.2", one_to_one)

# %% [markdown]
# ## Exercise 5.3: write through the membrane
#
# Experts write changes, one each. Each slot takes that of its owner. Experts without a slot write into nothing.


# %%
def write(outputs: Tensor, owner: Tensor, writing: Tensor) -> Tensor:
    """The outputs after experts have written.

    Args:
        outputs: [B, N], before.
        owner: int64 [B, N], the expert of each slot.
        writing: [B, E], the change that each expert writes.

    Returns:
        [B, N], output plus the change of its owner, clamped to [-1, 1].
    """
    raise NotImplementedError("exercise 5.3")


# %%
labs.check("5.3", write)
write = labs.answer("5.3", write)

# %% [markdown]
# ## Train with few
#
# The agent of lab 4, behind the membrane. All experts hear the error, times d / 3: so the effect of one output on it is
# the same for any d. They also read whether they have a slot, and 1 / d. In each outer step d is drawn from 1 to 4, and
# there is one expert per slot.


# %%
class Policy(nn.Module):
    """What all experts share: what they say, how their state changes, what they write (as in lab 4)."""

    def __init__(self, hidden: int = 32, message: int = 16, width: int = 8, reading: int = 6) -> None:
        super().__init__()
        self.sizes = (message, width, width)
        self.say = nn.Linear(hidden + reading, sum(self.sizes))
        self.cell = nn.GRUCell(reading + message, hidden)
        self.write = nn.Linear(hidden, 1)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)
        with torch.no_grad():
            self.cell.bias_ih[hidden : 2 * hidden] += (
                1.0  # the update gate: states are kept for long at first
            )


def hear(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The attention channel: all hear all but themselves; an only expert hears zeros."""
    experts = key.shape[1]
    scores = 2 * query @ key.mT / math.sqrt(key.shape[-1])  # [B, E, E], sharper than in lab 4
    scores = scores.masked_fill(torch.eye(experts, dtype=torch.bool), -1e9)
    return torch.softmax(scores, dim=-1) @ value * (experts > 1)


def inner_loop(
    policy: Policy, target: Tensor, experts: int, steps: int, generator: torch.Generator
) -> Tensor:
    """Errors [T, B] of trials with N = d slots and some number of experts, N at least."""
    batch, d = target.shape
    owner = one_to_one(addresses(batch, d, generator), addresses(batch, experts, generator))  # [B, N]
    state = torch.randn(batch, experts, policy.cell.hidden_size, generator=generator)  # [B, E, H]
    has = torch.zeros(batch, experts).scatter(1, owner, 1.0)  # [B, E], 1 for experts with a slot
    outputs, errors = torch.zeros_like(target), []
    heard = before = ((outputs - target) ** 2).sum(dim=-1, keepdim=True)  # [B, 1], error times d / 3
    for _ in range(steps):
        own = torch.zeros(batch, experts).scatter(
            1, owner, outputs
        )  # [B, E], the output of each expert's slot
        told = [heard / 3, torch.asinh(30 * heard) / 4, torch.asinh(30 * (heard - before)) / 4]
        told = [each.expand(batch, experts) for each in told]
        reading = torch.stack([own, has, *told, torch.full_like(own, 1 / d)], dim=-1)  # [B, E, 6]
        said = policy.say(torch.cat([state, reading], dim=-1))
        value, key, query = said.split(policy.sizes, dim=-1)
        row = torch.cat([reading, hear(query, key, value)], dim=-1).flatten(0, 1)  # [B * E, R + M]
        state = policy.cell(row, state.flatten(0, 1)).view_as(state)
        outputs = write(outputs, owner, policy.write(state)[..., 0])
        before, heard = heard, ((outputs - target) ** 2).sum(dim=-1, keepdim=True)
        errors.append(3 / d * heard[:, 0])
    return torch.stack(errors)


torch.manual_seed(0)
random.seed(0)
generator = torch.Generator().manual_seed(0)
outer_steps = labs.steps(full=1200, smoke=3)
policy = Policy()
optimiser = torch.optim.Adam(policy.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, outer_steps)
for step in range(outer_steps):
    d = random.randint(1, 4)
    target = 2 * torch.rand(128, d, generator=generator) - 1
    loss = inner_loop(policy, target, d, 16, generator)[8:].mean()
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    if (step + 1) % 200 == 0:
        print(f"outer step {step + 1}: loss {loss.item():.3f} (d = {d})")

# %% [markdown]
# ## Test with many
#
# The same weights, with as many numbers and experts as you like. Also with more experts than slots, which it never met.

# %%
tests = labs.steps(full=1000, smoke=20)
sizes = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
small = {}
with torch.no_grad():
    for d in sizes:
        target = 2 * torch.rand(tests, d, generator=generator) - 1
        small[d] = float(inner_loop(policy, target, d, 20, generator)[-1].mean())
        print(f"{d:2} numbers, {d:2} experts: error {small[d]:.3f} after 20 steps")
    target = 2 * torch.rand(tests, 3, generator=generator) - 1
    for experts in (3, 4, 6):
        last = float(inner_loop(policy, target, experts, 20, generator)[-1].mean())
        print(f" 3 numbers, {experts:2} experts: error {last:.3f}")

# %% [markdown]
# ## Exercise 5.4: the long training
#
# `guessing-attentional` comes with the suite. It was trained for half an hour, with 1 to 19 numbers and 1 to 28 experts
# (its recipe: `badger_agents/recipes/guessing-attentional.toml`). Write the loop that draws its figure 7.
#
# `evaluate(agent, family, trials)` plays tasks 0 to trials - 1 of the family's split, and its `mean` is the mean
# outcome: the error after the last step. `GuessingGame(dims=..., split="test")` is the family.


# %%
def error_by_size(agent, sizes: tuple[int, ...], trials: int) -> dict[int, float]:
    """The mean error after the last step, for each number of hidden numbers.

    Args:
        agent: for `evaluate`.
        sizes: how many hidden numbers.
        trials: how many tasks of the test split, for each size.

    Returns:
        {size: mean outcome}.
    """
    raise NotImplementedError("exercise 5.4")


# %%
labs.check("5.4", error_by_size)
error_by_size = labs.answer("5.4", error_by_size)

# %%
trials = labs.steps(full=300, smoke=5)
long = error_by_size(load("guessing-attentional").with_settings(experts=20).agent, sizes, trials)
figure, axis = plt.subplots(figsize=(7, 4))
axis.plot(sizes, [small[d] for d in sizes], marker="o", label="trained here, with 1 to 4 numbers")
axis.plot(
    sizes, [long[d] for d in sizes], marker="s", label="guessing-attentional, 20 experts, 1 to 19 numbers"
)
axis.plot(
    sizes[1:],
    [1 - 1 / d for d in sizes[1:]],
    color="black",
    linestyle="--",
    label="the same number everywhere: 1 - 1/d",
)
axis.axvspan(1, 4, alpha=0.1, label="numbers met in this lab's training")
axis.set(xlabel="hidden numbers", ylabel="mean error after 20 steps", yscale="log", ylim=(5e-4, 3))
axis.set_title("Figure 7: one policy, any number (1 outer seed each: preliminary)")
axis.set_xticks(sizes)
axis.legend(fontsize=8)
labs.show("lab_05_figure_7")

# %% [markdown]
# **What to see.** One set of weights serves any number, so both curves go on where training ended; that of the short
# training soon rises to the dashed line and above. It is behind the long one also with the numbers that it met: a minute
# is little, and the long one had a curriculum of sizes.
#
# **Questions to take along.** Which part of what experts read tells them how many numbers there are, and what happens
# if you take it away? A trial has 20 steps: how many numbers can triangulation find in it, and what can an agent do
# beyond that? Why are addresses drawn anew in each trial?
