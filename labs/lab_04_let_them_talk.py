# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 4. Let them talk
#
# **You will learn** how experts talk by attention, how to find out what their talk is worth (cut it, shuffle it, give
# it to oneself), and when "communication helps" may be said.
#
# **It presumes** lab 3, and softmax attention as in a Transformer.
#
# **It takes** about 75 minutes of yours, and less than one of the computer's, or some where it is busy.

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import csv
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

import labs
import leaderboards

torch.set_num_threads(1)  # so small a network is no faster with two

# %% [markdown]
# ## Only one hears
#
# As in lab 3, expert i has output i, and experts differ in their random states. But now only expert 0 hears the error.
# The others are deaf: the best they can do alone is to write 0, and then two thirds of the error are left. To do
# better, expert 0 has to tell them something.
#
# In every step each expert first says something: a *message* (value), a *key* (what the message is about) and a *query*
# (what it wants to hear). What it then hears is a mean of the others' messages, weighted by how well their keys match
# its query. Then it updates its state and writes.
#
# ## Exercise 4.1: the attention channel
#
# Scores are query times key, divided by sqrt(K), K being the width of a key. `edges[i, j]` says whether expert i can
# hear expert j: whom it cannot hear gets no weight. Weights of a listener sum to 1. A listener who can hear nobody
# hears zeros (and not NaN).


# %%
def attend(query: Tensor, key: Tensor, value: Tensor, edges: Tensor) -> Tensor:
    """What each expert hears.

    Args:
        query: [B, E, K], of the listeners.
        key: [B, E, K], of the speakers.
        value: [B, E, M], their messages.
        edges: bool [E, E], row: listener, column: speaker.

    Returns:
        [B, E, M], for each listener the weighted mean of the messages that it can hear; zeros without any.
    """
    raise NotImplementedError("exercise 4.1")


# %%
labs.check("4.1", attend)
attend = labs.answer("4.1", attend)

# %% [markdown]
# ## Exercise 4.2: who can hear whom
#
# Three channels. With `"others"` an expert hears all but itself. With `"nobody"` it hears nothing. With `"itself"` it
# hears its own message only. Why the third? An agent that hears itself has as many weights and does as much
# arithmetic as one that talks. If an agent that was *trained* so is as good, then talking was not what helped.


# %%
def edges_of(kind: str, experts: int) -> Tensor:
    """Who can hear whom.

    Args:
        kind: "others", "nobody" or "itself".
        experts: E.

    Returns:
        bool [E, E], row: listener, column: speaker.
    """
    raise NotImplementedError("exercise 4.2")


# %%
labs.check("4.2", edges_of)
edges_of = labs.answer("4.2", edges_of)

# %% [markdown]
# ## Exercise 4.3: shuffle the messages
#
# If you cut the channel of an agent that was trained with it, it gets worse. That alone says little: zeros are unlike
# anything it ever heard, and any network fails on inputs that it does not know. A better question: let experts hear
# what experts in the same places say *in another trial*. It sounds as usual, but it is about another task.
#
# Let trial b hear trial b - 1, and trial 0 the last one.


# %%
def from_another_trial(sent: Tensor) -> Tensor:
    """What is heard in place of what was sent.

    Args:
        sent: [B, E, M], messages (or keys) of B trials.

    Returns:
        [B, E, M], in trial b those of trial b - 1; in trial 0 those of the last.
    """
    raise NotImplementedError("exercise 4.3")


# %%
labs.check("4.3", from_another_trial)
from_another_trial = labs.answer("4.3", from_another_trial)

# %% [markdown]
# ## Train two agents
#
# One whose experts hear the others, and one whose experts hear nobody. Both start from the same weights. Beside the
# error, who hears it reads it and its change once more, magnified: asinh(30 x) tells small errors apart.


# %%
class Policy(nn.Module):
    """What all experts share: what they say, how their state changes, what they write."""

    def __init__(self, hidden: int = 32, message: int = 16, width: int = 8, reading: int = 5) -> None:
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


def error(outputs: Tensor, target: Tensor) -> Tensor:
    """3 times the mean squared distance: [B, d], [B, d] -> [B]."""
    return 3 * ((outputs - target) ** 2).mean(dim=-1)


def inner_loop(
    policy: Policy, edges: Tensor, target: Tensor, generator: torch.Generator, shuffle=None
) -> Tensor:
    """Errors [T, B] of trials of 20 steps; `shuffle` changes messages and keys on their way."""
    batch, experts = target.shape
    state = torch.randn(batch, experts, policy.cell.hidden_size, generator=generator)  # [B, E, H]
    hears = torch.zeros(batch, experts)
    hears[:, 0] = 1.0
    outputs = torch.zeros_like(target)
    heard = before = error(outputs, target)[:, None]  # [B, 1]
    errors = []
    for _ in range(20):
        magnified, change = torch.asinh(30 * heard), torch.asinh(30 * (heard - before))
        told = [hears, hears * heard, hears * magnified / 4, hears * change / 4]
        reading = torch.stack([outputs, *told], dim=-1)  # [B, E, 5]
        said = policy.say(torch.cat([state, reading], dim=-1))
        value, key, query = said.split(policy.sizes, dim=-1)
        if shuffle is not None:
            value, key = shuffle(value), shuffle(key)
        inbox = attend(query, key, value, edges)  # [B, E, M]
        row = torch.cat([reading, inbox], dim=-1).flatten(0, 1)  # [B * E, R + M]
        state = policy.cell(row, state.flatten(0, 1)).view_as(state)
        outputs = (outputs + policy.write(state)[..., 0]).clamp(-1, 1)  # [B, E]
        before, heard = heard, error(outputs, target)[:, None]
        errors.append(heard[:, 0])
    return torch.stack(errors)


d, outer_steps = 3, labs.steps(full=400, smoke=3)
policies, outer_curves = {}, {}
for kind in ("others", "nobody"):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    policy, edges = Policy(), edges_of(kind, d)
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, outer_steps)
    curve = []
    for step in range(outer_steps):
        target = 2 * torch.rand(128, d, generator=generator) - 1
        loss = inner_loop(policy, edges, target, generator)[10:].mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        curve.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"hears {kind}: outer step {step + 1}, loss {loss.item():.3f}", flush=True)
    policies[kind], outer_curves[kind] = policy, curve
    print(f"hears {kind}: outer loss {sum(curve[-20:]) / len(curve[-20:]):.3f} at the end")

# %% [markdown]
# ## Cut it, shuffle it, give it to oneself
#
# All on the same tasks, with the same random states. In the first four the weights are those of the agent that talks,
# and only its channel is changed: "to oneself, not retrained" is that agent, rewired. The control of exercise 4.2, the
# same agent trained with a channel to itself, is on the board below.

# %%
trained, silent = policies["others"], policies["nobody"]
arms = {
    "as trained": (trained, "others", None),
    "cut": (trained, "nobody", None),
    "to oneself, not retrained": (trained, "itself", None),
    "from another trial": (trained, "others", from_another_trial),
    "trained in silence": (silent, "nobody", None),
}
figure, (outer, inner) = plt.subplots(1, 2, figsize=(11, 4))
for kind, curve in outer_curves.items():
    outer.plot(range(1, outer_steps + 1), curve, label=f"hears {kind}")
outer.set(xlabel="outer step", ylabel="outer loss", yscale="log", title="Outer loop")
for name, (policy, kind, shuffle) in arms.items():
    generator = torch.Generator().manual_seed(1)
    held_out = 2 * torch.rand(1000, d, generator=generator) - 1
    with torch.no_grad():
        curve = inner_loop(policy, edges_of(kind, d), held_out, generator, shuffle).mean(dim=-1)
    inner.plot(range(1, 21), curve, marker=".", label=name)
    print(f"{name}: error {curve[-1]:.3f} after 20 steps")
inner.set(
    xlabel="step within the trial", ylabel="mean error", yscale="log", title="Inner loop, weights frozen"
)
for axis in (outer, inner):
    axis.axhline(
        1 - 1 / d, color="black", linestyle="--", linewidth=1, label="if the deaf know nothing: 1 - 1/d"
    )
    axis.legend(fontsize=8)
labs.show("lab_04_interventions")

# %% [markdown]
# ## Exercise 4.4: the claim gate
#
# You trained one agent of each kind. Another seed could tell another story. The suite's board trained ten of each, and
# its code lets nobody write "communication helps" unless all of this holds. Write it by hand.
#
# An *outer seed* is one training. Seed s of the agent and seed s of a rival met the same tasks, so take differences
# seed by seed, rival minus agent: above 0, the agent is better. `interval` gives 95 % limits of their mean. The claim
# needs that, for *every* rival, the *lower* limit is above 0, and that there are at least ten outer seeds.


# %%
def interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % limits of the mean of differences [S], by a bootstrap over outer seeds."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (10_000, len(differences))).mean(axis=-1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def communication_helps(agent: np.ndarray, rivals: dict[str, np.ndarray]) -> bool:
    """Whether the claim may be made.

    Args:
        agent: [S], the mean error of each outer seed of the agent that talks.
        rivals: [S] each, by name, errors of the same outer seeds: the agent retrained in silence, retrained
            with a channel to oneself, and the agent with messages from other trials.

    Returns:
        True if for every rival the lower 95 % limit is above 0, and there are at least ten outer seeds.
    """
    raise NotImplementedError("exercise 4.4")


# %%
labs.check("4.4", communication_helps)
communication_helps = labs.answer("4.4", communication_helps)

# %% [markdown]
# Now the numbers of the board `guessing-game-v1` (`badger board show guessing-game-v1`), ten outer seeds each.
# `no-communication` is the agent retrained in silence. `self-loop` is the agent retrained with the channel topology
# "self": each expert hears itself only, as with `"itself"` above. `badger-shuffle-across-tasks` is the agent as it was
# trained, with messages from other trials.
#
# The board's own gate is stricter in two ways. Messages must have more *influence* than those of untrained speakers
# (lab 8). And its intervals leave room for seeds that fail, and that ten seeds did not show (lab 9,
# `docs/statistics.md`): they are much wider than those printed here.

# %%
table = Path(leaderboards.__file__).parent / "boards" / "guessing-game-v1" / "results.csv"
errors: dict[str, dict[int, float]] = {}
with table.open(encoding="utf-8") as file:
    for row in csv.DictReader(file):
        if row["cell"] == "d3" and row["seed"].isdigit():
            errors.setdefault(row["agent"], {})[int(row["seed"])] = float(row["mean"])
seeds = sorted(errors["badger"])
names = ("no-communication", "self-loop", "badger-shuffle-across-tasks")
agent = np.array([errors["badger"][seed] for seed in seeds])
rivals = {name: np.array([errors[name][seed] for seed in seeds]) for name in names}
for name, rival in rivals.items():
    low, high = interval(rival - agent)
    print(f"{name}: its error is higher by {(rival - agent).mean():.3f} ({low:.3f} to {high:.3f})")
print(f"communication helps, by {len(seeds)} outer seeds: {communication_helps(agent, rivals)}")
three = {name: rival[:3] for name, rival in rivals.items()}
print(f"... and by the first three, whatever their intervals: {communication_helps(agent[:3], three)}")

figure, axis = plt.subplots(figsize=(7, 3.5))
for place, (name, numbers) in enumerate({"badger": agent, **rivals}.items()):
    axis.plot(numbers, [place] * len(numbers), "o", alpha=0.6, label=name)
axis.set_yticks(range(4), ["badger", *names])
axis.invert_yaxis()
axis.set(xlabel="mean error of an outer seed", xscale="log", title="Ten outer seeds each, guessing-game-v1")
labs.show("lab_04_ten_seeds")

# %% [markdown]
# **Questions to take along.** Compare "cut" and "trained in silence": in both nobody hears anything. Why may they differ?
# Which of the rivals would a channel fool that is nothing but more memory? What would an agent look like that passes
# your gate and still says nothing about the task?
