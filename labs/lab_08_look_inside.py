# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 8. Look inside
#
# **You will learn** how to find out who influences whom in an agent made of experts, what a measure is worth without
# its null, who does what, what happens when one team's states are moved into another's heads, and how to find a bug
# with these tools.
#
# **It presumes** lab 4 (experts, messages, channel), means and correlations.
#
# **It takes** about 75 minutes of yours, and less than one of the computer's, or some where it is busy.
#
# The patient is `guessing-hardwired`, a trained policy that comes with the suite: three experts find three hidden
# numbers, and only the first of them hears the error. What do they tell each other?

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import torch

import badger_agents
import labs
from badger_agents import evaluate, rollout
from badger_agents.whitebox import Intervened, Silence, Transplanted, influence, record_trace
from badger_agents.whitebox.metrics import first_component, mutual_information, symbols, unusual
from badger_envs import keyed_random
from baselines.ablations.communication import SpeakerAndListener
from labs.checks.planted import suspects
from leaderboards.plots.style import COLOURS, STYLE, log_errors

plt.rcParams.update(STYLE)
trained = badger_agents.load("guessing-hardwired")
agent, family = trained.agent, trained.family(split="test")
TRIALS = labs.steps(full=400, smoke=100)
keys = keyed_random.outer_keys(0, 0, TRIALS, "test", like=torch.zeros(()))
trace = record_trace(agent, family, keys)
arrays = {name: tensor.numpy() for name, tensor in trace.tensors.items()}
writing, messages = arrays["writing"][..., 0], arrays["messages"]  # [T, B, E], [T, B, E, M]
print({name: array.shape for name, array in arrays.items() if name in ("states", "messages", "writing")})

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
left.plot(range(1, 21), arrays["loss"].mean(axis=1), "o-")
left.set(xlabel="step", ylabel="error", title=f"The mean of {TRIALS} trials", xticks=range(2, 21, 2))
log_errors(left)
for slot in range(3):
    right.plot(range(1, 21), arrays["outputs"][:, 0, slot], "o-", color=COLOURS[slot], label=f"expert {slot}")
    right.axhline(arrays["solution"][0, 0, slot], color=COLOURS[slot], linestyle="--")
right.set(
    xlabel="step", ylabel="output", title="One trial (dashed: the hidden numbers)", xticks=range(2, 21, 2)
)
right.legend()
figure.tight_layout()
labs.show("lab_08_trial")

# %% [markdown]
# ## Exercise 8.1: causal influence
#
# Does expert i *listen* to expert j? That both do similar things proves nothing: both may follow a third. So intervene.
# Replace the message of j by what j said **in another trial** at the same time, leave all else as it is, take the step
# again, and look how far the writing of i moves. (Not by silence: zeros are a message that nobody ever sent. To be
# moved by *them* says little.)


# %%
def causal_effect(
    listener: Callable[[np.ndarray], np.ndarray], messages: np.ndarray, donors: np.ndarray
) -> float:
    """How far a listener's writing moves when it gets another trial's message.

    Args:
        listener: what the listener writes, [B], for messages [B, M]; all else about it stays the same.
        messages: [B, M], what was said in B trials.
        donors: int [B], for each trial the other trial whose message it gets.

    Returns:
        The mean over trials of the squared change of the writing.
    """
    raise NotImplementedError("exercise 8.1")


# %%
labs.check("8.1", causal_effect)
causal_effect = labs.answer("8.1", causal_effect)

# %% [markdown]
# `badger_agents.whitebox.influence` does that at every step, for every pair. And what is "much"? A number needs a
# **null**: the same number where there is nothing to be found. Two candidates:
#
# - *silence*: exactly 0, whatever the listeners do. It checks the code, but tells nothing of size.
# - *untrained speakers*: the same listeners hear speakers that have learned nothing. Whatever is said moves a
#   listener a little.

# %%
torch.manual_seed(0)
untrained = trained.recipe.make_agent()
half_trained = agent.with_parts(policy=SpeakerAndListener(untrained.policy, agent.policy))
patients = {
    "as trained": agent,
    "untrained speakers": half_trained,
    "silence": Intervened(agent, Silence()),
}
size = np.sqrt((writing**2).mean())
figure, axes = plt.subplots(1, 3, figsize=(9, 3))
for axis, (name, patient) in zip(axes, patients.items(), strict=True):
    table = np.sqrt(influence(patient, family, keys).mean(axis=0)) / size  # [E, E], listener by speaker
    axis.imshow(table, vmin=0, vmax=0.4, cmap="Blues")
    for i in range(3):
        for j in range(3):
            axis.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center")
    axis.set(xlabel="speaker", title=name, xticks=range(3), yticks=range(3))
    axis.grid(False)
axes[0].set_ylabel("listener")
figure.suptitle("Influence, in units of the root mean square writing")
figure.tight_layout()
labs.show("lab_08_influence")

# %% [markdown]
# Expert 0 alone hears the error. Who has to listen to whom, then? Does the picture agree?
#
# ## Exercise 8.2: a correlation, and its null
#
# Often one cannot intervene, and measures how much a message *says* about what another expert writes: their mutual
# information, in bits. It is above 0 even for things that have nothing to do with each other: by chance, and because
# all trials follow the same *clock* (all experts write much early, little late). The null has to keep the clock, and
# break the rest. So **whole trials change places; steps stay in place**.


# %%
def excess(
    information: Callable[[np.ndarray, np.ndarray], float],
    said: np.ndarray,
    done: np.ndarray,
    permutations: np.ndarray,
) -> tuple[float, float]:
    """Mutual information, and the mean of its permutation null.

    Args:
        information: from two arrays of symbols of the same shape to bits.
        said: int [T, B], a symbol for each step of each trial: what was said.
        done: int [T, B], what was done.
        permutations: int [P, B], each an order of the B trials.

    Returns:
        (information as measured, mean information over the permutations, with `done` dealt out to other trials).
    """
    raise NotImplementedError("exercise 8.2")


# %%
labs.check("8.2", excess)
excess = labs.answer("8.2", excess)

# %%
said = symbols(first_component(unusual(messages))[0][..., 0])  # [T, B, E], symbols 0 .. 3
done = symbols(writing)  # [T, B, E]
orders = np.argsort(np.random.default_rng(0).random((50, TRIALS)), axis=1)
noise = np.random.default_rng(1).integers(0, 4, said.shape[:2])
rows = {
    f"{j} says, {i} writes": excess(mutual_information, said[..., j], done[..., i], orders)
    for j in range(3)
    for i in range(3)
    if i != j
}
rows["dice, 1 writes"] = excess(mutual_information, noise, done[..., 1], orders)
places = np.arange(len(rows))
figure, axis = plt.subplots(figsize=(6.5, 3.2))
axis.barh(places - 0.2, [value for value, _ in rows.values()], 0.4, label="measured")
axis.barh(places + 0.2, [null for _, null in rows.values()], 0.4, label="null: other trials")
axis.set_yticks(places, rows)
axis.invert_yaxis()
axis.set(
    xlabel="mutual information [bits]", title="What a message says of another's writing, and of the clock"
)
axis.legend()
figure.tight_layout()
labs.show("lab_08_information")

# %% [markdown]
# All of it is clock. The messages move others (8.1 has shown it), and still this measure sees nothing: it looks
# at one direction of sixteen, in four symbols, at one step. *No correlation shown* is not *nobody listens*. And without
# the null, half a bit would have looked like a finding.
#
# ## Exercise 8.3: roles
#
# All experts share one policy. Do they do the same? Somebody has to go first. Call an expert's *role* in a trial its
# place in the order in which the experts make their **largest** writing.


# %%
def roles(writing: np.ndarray) -> np.ndarray:
    """Who is first, second, third.

    Args:
        writing: [T, B, E], what each expert writes at each step.

    Returns:
        int [B, E]: 0 for the expert whose largest writing (positive or negative) comes first in that trial, 1 for the
        second, and so on; of experts that make it at the same step the one with the lower number comes first.
    """
    raise NotImplementedError("exercise 8.3")


# %%
labs.check("8.3", roles)
roles = labs.answer("8.3", roles)

# %%
own = writing - writing.mean(axis=1, keepdims=True)  # less what this expert usually writes at this step
role = roles(own)  # [B, E]
shares = np.array([[(role[:, expert] == place).mean() for place in range(3)] for expert in range(3)])
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
rows = np.abs(own[:, :12]).transpose(1, 2, 0).reshape(36, 20)  # twelve trials of three experts each
left.imshow(rows, aspect="auto", cmap="Blues", extent=(0.5, 20.5, 12, 0))
left.set(
    xlabel="step", ylabel="trial, three experts each", title="Size of unusual writings", yticks=range(13)
)
left.grid(axis="x", visible=False)
for place in range(3):
    right.bar(np.arange(3) + 0.27 * (place - 1), shares[:, place], 0.25, label=f"role {place}")
right.axhline(1 / 3, color="black", linestyle="--")
right.set(
    xlabel="expert", ylabel="share of trials", title="Who has which role?", xticks=range(3), ylim=(0, 0.75)
)
right.legend()
figure.tight_layout()
labs.show("lab_08_roles")

# %% [markdown]
# Expert 0 alone hears the error, and that shows. Nothing tells 1 and 2 apart beforehand but the random states with
# which they begin, and they take turns. So what an expert *is* in a trial must be in its state. Move it.
#
# ## Exercise 8.4: skills cloning
#
# After 8 steps a team stops. A fresh team with the same weights goes on in its place, and gets the first team's states:
# each to the same place, or (as a control) each to **another** expert's place.


# %%
def clone(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """States moved to other places, in each trial as that trial's order says.

    Args:
        states: [B, E, H], of the team that stops.
        order: int64 [B, E]: order[b, e] is the expert whose state comes to place e in trial b.

    Returns:
        [B, E, H].
    """
    raise NotImplementedError("exercise 8.4")


# %%
labs.check("8.4", clone)
clone = labs.answer("8.4", clone)

# %%
cases = {
    "same team": agent,
    "states to the same places": Transplanted(agent, agent, 8),
    "states to other places": Transplanted(agent, agent, 8, "shuffled states"),
    "no states": Transplanted(agent, agent, 8, "nothing"),
}
figure, axis = plt.subplots(figsize=(6, 3.4))
with torch.no_grad():
    for number, (name, case) in enumerate(cases.items()):
        curve = rollout(case, family, keys).loss.mean(dim=1)
        thick = {"linewidth": 6, "alpha": 0.25} if number == 0 else {"marker": "o", "markersize": 3}
        axis.plot(range(1, 21), curve, color=COLOURS[(6, 2, 1, 0)[number]], label=name, **thick)
axis.axvline(8.5, color="grey", linewidth=1)
axis.set(xlabel="step", ylabel="error", title="The team is exchanged after step 8", xticks=range(2, 21, 2))
log_errors(axis)
axis.legend(fontsize=8)
labs.show("lab_08_cloning")

# %% [markdown]
# The skill moves with the states, and only if each comes to its own place. (Rosa et al. 2019 hope for just that: what
# one expert has learned can be copied into another.)
#
# ## Exercise 8.5: find the planted bug
#
# Four agents, A to D, with the same weights. One is sound. In each of the others *one* expert has a fault:
#
# - "deaf": it hears nothing;
# - "mute": nothing of what it says arrives;
# - "frozen": its state never changes.
#
# You get two measurements of an agent. Write the diagnosis. (It has to work for any number of experts.)


# %%
def diagnose(influences: np.ndarray, changes: np.ndarray) -> tuple[str, int]:
    """Which fault which expert has.

    Args:
        influences: [E, E], of speaker j on listener i at [i, j]; nobody hears itself, so the diagonal is 0. E >= 3.
        changes: [E], root mean square change of each expert's state from step to step.

    Returns:
        ("deaf", expert), ("mute", expert), ("frozen", expert), or ("none", -1).
    """
    raise NotImplementedError("exercise 8.5")


# %%
labs.check("8.5", diagnose)
diagnose = labs.answer("8.5", diagnose)

# %%
figure, axes = plt.subplots(1, 4, figsize=(9.5, 2.9))
for axis, (name, suspect) in zip(axes, suspects(agent).items(), strict=True):
    table = np.sqrt(influence(suspect, family, keys).mean(axis=0)) / size  # [E, E]
    states = record_trace(suspect, family, keys).tensors["states"]  # [T, B, E, H]
    changes = states.diff(dim=0).square().mean(dim=(0, 1, 3)).sqrt().numpy()  # [E]
    fault, expert = diagnose(table, changes)
    error = evaluate(suspect, family, TRIALS).mean
    axis.imshow(table, vmin=0, vmax=0.4, cmap="Blues")
    axis.set(xlabel="speaker", xticks=range(3), yticks=range(3))
    axis.set_title(f"{name}: error {error:.3g}\n{fault}" + (f", expert {expert}" if expert >= 0 else ""))
    axis.grid(False)
axes[0].set_ylabel("listener")
figure.tight_layout()
labs.show("lab_08_suspects")

# %% [markdown]
# ## What to take away
#
# - Influence is found by intervention: replace a message by one that *could* have been sent.
# - No measure without its null. Silence checks the code; untrained speakers and shuffled trials give a scale.
# - What an expert is in a trial lives in its state, which serves in its own place only. The weights are the same for
#   all.
# - A fault shows as a row (deaf) or a column (mute) of the influence, or as a state at rest (frozen).
#
# **Read on**: `badger inspect --pretrained guessing-hardwired` measures all of this;
# `badger_agents/whitebox/metrics.py` has formula, range, source and null of each measure; Lowe et al. 2019, "On the
# pitfalls of measuring emergent communication".
