# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 7. The outer loop's gradient
#
# **You will learn** four ways to find the gradient of a whole trial: backpropagation, truncated backpropagation,
# evolution strategies, and persistent evolution strategies (PES). You will see which of them point the wrong way, and
# what the others pay for pointing the right way.
#
# **It presumes** lab 2 (a loss that is a sum over the steps of a trial), gradients by torch, means and standard
# deviations.
#
# **It takes** about 60 minutes of yours, and less than one of the computer's, or some where it is busy.
#
# PPO looks at windows of a rollout, too, and its value network guesses what comes after the window. The outer loop of
# meta-learning often has no such guess. So what happens to a gradient when a trial is cut into windows?

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import matplotlib.pyplot as plt
import numpy as np
import torch

import labs
from badger_agents.estimators import Trials, make_estimator
from badger_agents.estimators.objectives import second_half
from badger_agents.recipe.loading import load_recipe
from badger_envs import keyed_random
from leaderboards.plots.style import COLOURS, STYLE

plt.rcParams.update(STYLE)

# %% [markdown]
# ## A trial whose gradient we know
#
# Seven numbers $x$ stand in a row; they are the state. At every step each number becomes half of itself plus half of its
# right neighbour. Then the one weight $\theta$ is pushed into all of them: **plus** $\theta$ into the first three,
# **minus** $\theta$ into the last four. Only the first number is judged:
#
# $$x_{t+1} = A x_t + \theta s, \qquad s = (1, 1, 1, -1, -1, -1, -1), \qquad
#   \text{loss}_t = \tfrac{1}{2}\,(x_t[0] - 1)^2$$
#
# The pushes that help arrive early, those that hurt arrive late, and in the end they are the stronger ones. Tallec and
# Ollivier (2017) call this *influence balancing*. A trial has 40 steps, and its objective is the mean of the losses.

# %%
NUMBERS, HELPERS, STEPS = 7, 3, 40
A = 0.5 * (np.eye(NUMBERS) + np.eye(NUMBERS, k=1))
PUSH = np.where(np.arange(NUMBERS) < HELPERS, 1.0, -1.0)


def step(x, theta):
    """The next state. NumPy arrays and torch tensors alike: x [..., 7], theta [...]; returns [..., 7]."""
    if isinstance(x, torch.Tensor):
        return x @ torch.from_numpy(A.T) + theta[..., None] * torch.from_numpy(PUSH)
    return x @ A.T + np.asarray(theta)[..., None] * PUSH


def loss(x):
    """What a state costs, [...]."""
    return 0.5 * (x[..., 0] - 1) ** 2


def objective(theta):
    """The mean loss of a whole trial, for each theta: [...]."""
    x, total = np.zeros((*np.shape(theta), NUMBERS)), 0.0
    for _ in range(STEPS):
        x = step(x, theta)
        total = total + loss(x) / STEPS
    return total


# %%
thetas = np.linspace(-1.2, 1.2, 200)
figure, axis = plt.subplots(figsize=(5, 3))
axis.plot(thetas, objective(thetas))
axis.axvline(0.5, color=COLOURS[1], linestyle="--", label="we start here, at 0.5")
axis.set(xlabel="weight θ", ylabel="objective: mean loss of a trial", title="The outer loop has to go left")
axis.legend()
labs.show("lab_07_objective")

# %% [markdown]
# ## Exercise 7.1: backpropagation through the whole trial
#
# Autograd finds the exact gradient. Write it: live the whole trial in torch, sum what the steps cost, and ask for the
# gradient. The memory that this takes grows with the length of the trial. (Why?)


# %%
def full_gradient(theta: float, steps: int) -> float:
    """The exact gradient of the objective at theta, by backpropagation.

    Args:
        theta: a float.
        steps: length of the trial; the objective is the mean of the losses after each step.

    Returns:
        A float.

    Hint: start from x = torch.zeros(NUMBERS, dtype=torch.float64) and a tensor of theta, float64, that requires a
    gradient; `step` and `loss` above take tensors.
    """
    raise NotImplementedError("exercise 7.1")


# %%
labs.check("7.1", full_gradient)
full_gradient = labs.answer("7.1", full_gradient)

# %%
TRUTH = full_gradient(0.5, STEPS)
small = 1e-6
slope = float(objective(0.5 + small) - objective(0.5 - small)) / (2 * small)
print(f"gradient at 0.5: {TRUTH:.4f} by backpropagation, {slope:.4f} by differences")

# %% [markdown]
# ## Exercise 7.2: truncated backpropagation
#
# Cut the trial into windows. Within a window gradients flow; at its end the state is *detached*, so it enters the next
# window as a plain number. The gradients of all windows are added up. So memory grows with the window only.


# %%
def truncated_gradient(theta: float, steps: int, window: int) -> float:
    """The sum of the windows' gradients of the objective; the state is cut loose between windows.

    Args:
        theta: a float, the same in all windows.
        steps: length of the trial; the last window may be shorter.
        window: steps through which gradients flow, at least 1.

    Returns:
        A float. With window >= steps it is the full gradient.
    """
    raise NotImplementedError("exercise 7.2")


# %%
labs.check("7.2", truncated_gradient)
truncated_gradient = labs.answer("7.2", truncated_gradient)

# %%
windows = [1, 2, 3, 4, 5, 7, 8, 10, 14, 20, 40]
truncated = [truncated_gradient(0.5, STEPS, window) for window in windows]
figure, axis = plt.subplots(figsize=(5, 3))
axis.plot(windows, truncated, "o-", label="truncated backpropagation")
axis.axhline(TRUTH, color="black", linestyle="--", label="the gradient")
axis.axhline(0, color="grey", linewidth=1)
axis.set(
    xlabel="window [steps]", ylabel="gradient at θ = 0.5", title="Below zero: the wrong way", xscale="log"
)
axis.set_xticks(windows, windows)
axis.minorticks_off()
axis.legend(loc="center left", bbox_to_anchor=(0, 0.8))
labs.show("lab_07_truncation")

# %% [markdown]
# A short window never sees the pushes that hurt: they need more steps to reach the first number than the window has.
# This is *bias*: no number of trials removes it.
#
# ## Exercise 7.3: evolution strategies
#
# Nothing is differentiated. Draw $u \sim N(0, 1)$, live the trial with $\theta + \sigma u$ and with $\theta - \sigma
# u$, and look at the difference of what the two cost. (Such *antithetic pairs* cancel the objective's value, which
# is pure noise for the gradient.)


# %%
def evolution_gradients(objective, theta: float, sigma: float, draws: np.ndarray) -> np.ndarray:
    """One estimate of the gradient for each antithetic pair.

    Args:
        objective: a function from thetas [P] to what whole trials cost [P].
        theta: a float.
        sigma: standard deviation of the perturbations, above 0.
        draws: standard normal numbers u, [P], one for each pair.

    Returns:
        Estimates [P]; their mean is unbiased for the gradient of the smoothed objective.
    """
    raise NotImplementedError("exercise 7.3")


# %%
labs.check("7.3", evolution_gradients)
evolution_gradients = labs.answer("7.3", evolution_gradients)

# %% [markdown]
# ## Exercise 7.4: persistent evolution strategies
#
# Evolution strategies can be cut into windows, too. In each window every pair draws a new $u_w$, both of the pair go on
# from *their own* states, and the window's difference is put down to $u_w$. That is blind to what $u_w$ does to later
# windows: biased as truncated backpropagation is.


# %%
def windowed_gradients(theta, sigma, draws, window):
    """Evolution strategies in windows: as PES, but a window is put down to its own perturbation."""
    up, down, estimate = np.zeros((draws.shape[1], NUMBERS)), np.zeros((draws.shape[1], NUMBERS)), 0.0
    for fresh in draws:  # (P,)
        difference = 0.0
        for _ in range(window):
            up, down = step(up, theta + sigma * fresh), step(down, theta - sigma * fresh)
            difference = difference + (loss(up) - loss(down)) / (len(draws) * window)
        estimate = estimate + difference * fresh / (2 * sigma)
    return estimate


# %% [markdown]
# PES (Vicol, Metz and Sohl-Dickstein 2021) changes one thing. A window's difference is put down to the **sum of all**
# perturbations that the pair has met so far, $\xi_w = u_1 + \dots + u_w$:
#
# $$\hat g = \sum_w \frac{(L_w^+ - L_w^-)\; \xi_w}{2 \sigma}$$


# %%
def persistent_gradients(theta: float, sigma: float, draws: np.ndarray, window: int) -> np.ndarray:
    """One PES estimate of the gradient of the objective for each antithetic pair.

    Args:
        theta: a float.
        sigma: standard deviation of a perturbation, above 0.
        draws: standard normal numbers, [W, P]: one for each of W windows and P pairs.
        window: steps in a window; the trial has W * window steps, and each step's loss counts 1 / (W * window).

    Returns:
        Estimates [P].

    Hint: keep two states [P, 7], `up` and `down`, through the whole trial.
    """
    raise NotImplementedError("exercise 7.4")


# %%
labs.check("7.4", persistent_gradients)
persistent_gradients = labs.answer("7.4", persistent_gradients)

# %% [markdown]
# ## Exercise 7.5: bias, and how sure we are of it
#
# A mean over few noisy estimates is off by chance. So a bias is a number *with a standard error*; it is shown only
# where it is large against that.


# %%
def bias_and_spread(estimates: np.ndarray, truth: float) -> tuple[float, float, float]:
    """Three numbers about an estimator.

    Args:
        estimates: independent estimates of the gradient, [P].
        truth: the gradient.

    Returns:
        (bias, standard error of the bias, spread): the spread is the standard deviation of a single estimate.
    """
    raise NotImplementedError("exercise 7.5")


# %%
labs.check("7.5", bias_and_spread)
bias_and_spread = labs.answer("7.5", bias_and_spread)

# %%
generator = np.random.default_rng(0)
PAIRS, SIGMA = labs.steps(full=100_000, smoke=2_000), 0.1
even = [1, 2, 4, 5, 8, 10, 20, 40]
rows = {"evolution in windows": [], "PES": []}
for window in even:
    draws = generator.standard_normal((STEPS // window, PAIRS))
    for name, estimator in (("evolution in windows", windowed_gradients), ("PES", persistent_gradients)):
        rows[name].append(bias_and_spread(estimator(0.5, SIGMA, draws, window), TRUTH))
cut = [truncated_gradient(0.5, STEPS, window) - TRUTH for window in even]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.plot(even, cut, "s-", color=COLOURS[2], label="truncated backpropagation")
for number, (name, values) in enumerate(rows.items()):
    bias, error, spread = np.array(values).T
    left.errorbar(even, bias, 1.96 * error, fmt="o-", color=COLOURS[number], capsize=3, label=name)
    right.plot(even, spread, "o-", color=COLOURS[number], label=name)
left.axhline(0, color="black", linestyle="--")
left.set(xlabel="window [steps]", ylabel="bias (95 % interval)", title="Bias: PES has none", xscale="log")
right.set(
    xlabel="window [steps]", ylabel="standard deviation of one pair", title="Variance: PES pays", xscale="log"
)
right.axhline(abs(TRUTH), color="black", linestyle="--", label="size of the gradient")
right.set_ylim(bottom=0)
for axis in (left, right):
    axis.set_xticks(even, even)
    axis.minorticks_off()
left.legend(loc="upper center", bbox_to_anchor=(0.5, 0.95))
right.legend(loc="lower right")
figure.tight_layout()
labs.show("lab_07_bias_and_variance")

# %% [markdown]
# Which of the curves on the left would come nearer to zero if you drew more pairs, and which would only get shorter
# bars? On the right, compare PES with a window of 40: there it *is* evolution over whole trials.
#
# ## Now learn with them
#
# Gradients are for going somewhere. Each estimator gets the same start, the same learning rate and the same number of
# updates. Those that are drawn get 16 pairs an update. Windows are of 2 steps. The dashed line is the best θ.

# %%
RATE, UPDATES, SHORT = 0.02, labs.steps(full=300, smoke=60), 2
best = float(thetas[np.argmin(objective(thetas))])
rules = {
    "backpropagation": lambda theta: full_gradient(theta, STEPS),
    "truncated backpropagation": lambda theta: truncated_gradient(theta, STEPS, SHORT),
    "evolution, whole trial": lambda theta: evolution_gradients(
        objective, theta, SIGMA, generator.standard_normal(16)
    ).mean(),
    "evolution in windows": lambda theta: windowed_gradients(
        theta, SIGMA, generator.standard_normal((STEPS // SHORT, 16)), SHORT
    ).mean(),
    "PES": lambda theta: persistent_gradients(
        theta, SIGMA, generator.standard_normal((STEPS // SHORT, 16)), SHORT
    ).mean(),
}
figure, axis = plt.subplots(figsize=(6, 3.6))
for number, (name, rule) in enumerate(rules.items()):
    path = [0.5]
    for _ in range(UPDATES):
        path.append(path[-1] - RATE * rule(path[-1]))
    axis.plot(path, color=COLOURS[number], label=f"{name}: ends at {path[-1]:.2f}")
axis.axhline(best, color="black", linestyle="--")
axis.set(xlabel="update", ylabel="weight θ", title="Where each gradient leads", ylim=(-1.3, 1.6))
axis.legend(loc="upper right", fontsize=7)
labs.show("lab_07_learning")

# %% [markdown]
# ## The same estimators on an agent
#
# The suite has all of them; a recipe names them by `estimator = "persistent_evolution"`. Here is a Badger agent in the
# guessing game, 30 outer steps old. How well does each estimate agree in direction with the gradient by backpropagation
# through the whole trial? (1: the same direction; 0: at right angles. Among thousands of weights, a random
# direction is nearly at right angles to any other.) The weights stay as they are within a trial, so that one trial's windows add up.

# %%
recipe = load_recipe("guessing-hardwired")
family = recipe.family()
torch.manual_seed(0)
agent = recipe.make_agent()
weights = {name: weight.detach() for name, weight in agent.named_parameters()}
optimiser = torch.optim.Adam(agent.parameters(), lr=8e-3)


def gradient_of(kind, batch, step, **settings):
    """One outer step's gradient as one long row, the weights kept as they are in all of its windows."""
    keys = keyed_random.outer_keys(0, step, batch, like=torch.zeros(()))
    updates = make_estimator(kind, settings).updates(agent, weights, Trials(family, keys, second_half), {})
    total, update = 0.0, next(updates)
    while True:
        total = total + torch.cat([part.flatten() for part in update.gradients.values()])
        try:
            update = updates.send(weights)
        except StopIteration:
            return total


for number in range(30):
    row = gradient_of("backpropagation", 64, number)
    for weight, part in zip(
        agent.parameters(), row.split([w.numel() for w in weights.values()]), strict=True
    ):
        weight.grad = part.view_as(weight).clone()
    optimiser.step()
weights = {name: weight.detach() for name, weight in agent.named_parameters()}

# %%
BATCH = labs.steps(full=256, smoke=64)
truth = gradient_of("backpropagation", BATCH, 100)
found = {}
for window in (1, 2, 5, 10, 20):
    found[f"truncated, window {window}"] = gradient_of("truncated_backpropagation", BATCH, 100, window=window)
for pairs in (16, BATCH):
    found[f"evolution, {pairs} pairs"] = gradient_of("evolution", BATCH, 100, pairs=pairs, sigma=0.02)
    found[f"PES, {pairs} pairs"] = gradient_of(
        "persistent_evolution", BATCH, 100, pairs=pairs, sigma=0.02, window=5
    )
found["backpropagation, other trials"] = gradient_of("backpropagation", BATCH, 101)
cosines = {name: float(torch.cosine_similarity(row, truth, dim=0)) for name, row in found.items()}
figure, axis = plt.subplots(figsize=(6.5, 3.6))
places = np.arange(len(cosines))
axis.barh(places, list(cosines.values()), color=[COLOURS[2] if "trunc" in n else COLOURS[0] for n in cosines])
chance = 1.96 / len(truth) ** 0.5  # of a random direction, in 95 % of cases
axis.axvspan(-chance, chance, color="grey", alpha=0.5, label="a random direction")
axis.legend(loc="center right", bbox_to_anchor=(1, 0.33))
axis.set_yticks(places, list(cosines))
axis.invert_yaxis()
axis.set(
    xlabel="cosine with backpropagation through the whole trial",
    title=f"An agent of {len(truth):,} weights",
    xlim=(-0.1, 1),
)
figure.tight_layout()
labs.show("lab_07_agent")

# %% [markdown]
# The agent is not the row of seven numbers. Here truncation hardly turns the gradient, less than other trials do (the
# last bar). What evolution finds in one outer step can hardly be told from a random direction: it needs many more pairs.
# Which estimator is better is a question to a *problem*: measure it.
#
# ## What to take away
#
# - A window makes truncated backpropagation cheap and **biased**. In the row of seven numbers it goes the wrong way for
#   good; it hardly turns the agent's gradient.
# - Evolution strategies need no gradient and no memory. Their noise grows with the number of weights.
# - PES has no bias at any window. It pays in variance, as many perturbations add up.
# - Bias is told with its standard error, or not at all.
#
# **Read on**: `docs/outer_loop.md`; `badger_agents/estimators/evolution.py` is 100 lines; Vicol, Metz and
# Sohl-Dickstein 2021, "Unbiased gradient estimation in unrolled computation graphs with persistent evolution
# strategies".
