# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Lab 6. RL²: learn to explore
#
# **You will learn** how a recurrent network becomes a bandit algorithm by policy gradient alone (RL²: Duan et al. 2016;
# Wang et al. 2016), how it stands beside UCB1, Thompson sampling and the Gittins index, and where it keeps what
# it has learned.
#
# **It presumes** REINFORCE or PPO: log probabilities, returns, baselines. Labs 1 and 2 help.
#
# **It takes** about 60 minutes of yours, and less than one of the computer's, or some where it is busy.
#
# A *bandit* has arms; each pays 1 with a probability of its own, which nobody tells. Here are 5 arms and 30 pulls. The
# probabilities are new in every trial, so no arm is good in general: whoever wants to earn must *explore*, and soon.

# %%
import sys
from pathlib import Path

sys.path += [str(folder) for folder in (Path.cwd(), *Path.cwd().parents)]  # finds `labs` from within a clone

import matplotlib.pyplot as plt
import torch
from torch import nn

import badger_envs
import labs
from badger_agents import rollout
from badger_envs import keyed_random
from baselines.bandits.classical import UCB1, RandomArm, Thompson
from baselines.bandits.gittins import Gittins
from leaderboards.plots.style import COLOURS, STYLE

plt.rcParams.update(STYLE)
ARMS, PULLS = 5, 30

# %% [markdown]
# ## Exercise 6.1: regret
#
# Rewards are noisy: a good arm may pay nothing. *Regret* takes that noise out: it counts, pull by pull, how much the
# pulled arm pays on average less than the best arm of that trial. Summed up over a trial it never falls. A curve that
# bends flat belongs to somebody who has found the best arm.


# %%
def regret_curve(means: torch.Tensor, choices: torch.Tensor) -> torch.Tensor:
    """Regret so far, after each pull, as a mean over trials.

    Args:
        means: [B, K], the probability with which each arm pays, in B trials.
        choices: int64 [T, B], which arm was pulled at each of T steps.

    Returns:
        [T]: entry t is what pulls 0 .. t lost in all against the best arm of each trial.
    """
    raise NotImplementedError("exercise 6.1")


# %%
labs.check("6.1", regret_curve)
regret_curve = labs.answer("6.1", regret_curve)

# %% [markdown]
# ## Exercise 6.2: UCB1
#
# *Optimism in the face of uncertainty*: pull the arm that is best if it is as good as it can still be. With n pulls
# of an arm so far that paid r in all, at the t-th pull (t from 1; one success and one failure are imagined beforehand):
#
# $$\text{score} = \frac{1 + r}{2 + n} + c \sqrt{\frac{2 \ln t}{2 + n}}, \qquad c = 0.2$$


# %%
def ucb1(pulls: torch.Tensor, reward: torch.Tensor, step: int, c: float = 0.2) -> torch.Tensor:
    """The scores of the arms.

    Args:
        pulls: [B, K], how often each arm was pulled so far.
        reward: [B, K], what each arm paid in all.
        step: pulls done so far: 0 before the first, whose number t is 1.
        c: weight of the bonus.

    Returns:
        [B, K].
    """
    raise NotImplementedError("exercise 6.2")


# %%
labs.check("6.2", ucb1)
ucb1 = labs.answer("6.2", ucb1)

# %% [markdown]
# Now the classics, on 2,000 test tasks. The suite has them all. Thompson samples from what it believes; the Gittins
# index is the best there is for discounted rewards. (Its discount, 0.95, stands for the length of the trial.)

# %%
family = badger_envs.family_of("Badger/Bandit-v0", arms=ARMS, horizon=PULLS, split="test")
TRIALS = labs.steps(full=2000, smoke=200)
keys = keyed_random.outer_keys(0, 0, TRIALS, "test", like=torch.zeros(()))
MEANS = family.sample_task(keys).mean  # [B, K], the same tasks for everybody


def play(scores) -> torch.Tensor:
    """Choices [T, B] of whoever pulls the arm of the highest score(pulls, reward, step)."""
    generator = torch.Generator().manual_seed(0)
    pulls, paid, choices = torch.zeros_like(MEANS), torch.zeros_like(MEANS), []
    for step in range(PULLS):
        choice = scores(pulls, paid, step).argmax(dim=-1)  # [B]
        one = nn.functional.one_hot(choice, ARMS)  # [B, K]
        won = (torch.rand(len(MEANS), 1, generator=generator) < MEANS) * one  # [B, K]
        pulls, paid = pulls + one, paid + won
        choices.append(choice)
    return torch.stack(choices)


def played(agent) -> torch.Tensor:
    """Choices [T, B] of an algorithm of the suite."""
    return rollout(agent, family, keys, record=True).trace["action"]


curves = {
    "random": regret_curve(MEANS, played(RandomArm())),
    "Thompson": regret_curve(MEANS, played(Thompson())),
    "UCB1, yours": regret_curve(MEANS, play(ucb1)),
    "UCB1, the suite's": regret_curve(MEANS, played(UCB1(0.2))),
    "Gittins": regret_curve(MEANS, played(Gittins(0.95))),
}
for name, curve in curves.items():
    print(f"{name:>18}: regret {float(curve[-1]):.2f} after {PULLS} pulls")

# %% [markdown]
# ## Exercise 6.3: what RL² reads
#
# RL² is a recurrent network that pulls arms. It has no counts and no formula. The trick is in what it *reads*: its own
# last choice and what that paid. So its memory can hold all it needs, and learning becomes something that happens in
# the activations, with the weights at rest.


# %%
def reading(choice: torch.Tensor | None, reward: torch.Tensor, arms: int) -> torch.Tensor:
    """What the network reads before a pull.

    Args:
        choice: int64 [B], the arm pulled last; None before the first pull.
        reward: [B], what it paid; zeros before the first pull.
        arms: K.

    Returns:
        [B, K + 2], float32: the last choice one-hot (zeros before the first pull), the reward, and a flag that is 1
        before the first pull and 0 later.
    """
    raise NotImplementedError("exercise 6.3")


# %%
labs.check("6.3", reading)
reading = labs.answer("6.3", reading)


# %%
class RL2(nn.Module):
    """A GRU cell of 32 numbers, and a linear map to a score for each arm."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(ARMS + 2, 32), nn.Linear(32, ARMS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.cell.bias_hh[32:64] += 1  # the update gate: at first it keeps what it knows

    def live(self, means: torch.Tensor, keep=lambda memory, step: memory):
        """A trial on each row of means [B, K]; `keep` may change the memory before each step.

        Returns:
            Choices, rewards, log probabilities of the choices and entropies, [T, B] each.
        """
        memory, reward, choice = torch.zeros(len(means), 32), torch.zeros(len(means)), None
        kept = []
        for step in range(PULLS):
            memory = keep(memory, step)  # [B, 32]
            memory = self.cell(reading(choice, reward, ARMS), memory)  # [B, 32]
            logs = self.head(memory).log_softmax(dim=-1)  # [B, K]
            choice = torch.distributions.Categorical(logits=logs).sample()  # [B]
            reward = (torch.rand(len(means)) < means.gather(1, choice[:, None])[:, 0]).float()  # [B]
            kept.append((choice, reward, logs.gather(1, choice[:, None])[:, 0], -(logs.exp() * logs).sum(-1)))
        return [torch.stack(parts) for parts in zip(*kept, strict=True)]


# %% [markdown]
# ## Exercise 6.4: the policy gradient
#
# Credit each choice with what the trial earned *from that pull on* (discounted), less what is usual at that step: the
# mean over the batch. Choices that earned more than usual become more likely.


# %%
def policy_loss(log_probability: torch.Tensor, reward: torch.Tensor, discount: float) -> torch.Tensor:
    """The loss whose gradient is the policy gradient.

    Args:
        log_probability: [T, B], of the choices that were made.
        reward: [T, B].
        discount: what a reward counts one step earlier.

    Returns:
        A scalar: minus the mean, over steps and trials, of log probability times advantage. The advantage is the
        discounted sum of rewards from that step on, less the mean of the same over the trials at that step.
    """
    raise NotImplementedError("exercise 6.4")


# %%
labs.check("6.4", policy_loss)
policy_loss = labs.answer("6.4", policy_loss)

# %% [markdown]
# Now the outer loop. Every update plays 256 fresh bandits. Two aids make it fast: the discount grows from 0.7 to 0.95
# (at first, credit for the next few pulls is enough, and has less noise), and a bonus for entropy keeps it from
# settling too early. Both are in the suite's recipe `bandit-rl2`, too.

# %%
torch.manual_seed(0)
agent = RL2()
UPDATES = labs.steps(full=1500, smoke=30)
optimiser = torch.optim.Adam(agent.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, UPDATES)
earned = []
for update in range(UPDATES):
    gone = min(1.0, 2 * update / UPDATES)  # of the first half
    _, rewards, logs, entropies = agent.live(torch.rand(256, ARMS))
    loss = policy_loss(logs, rewards, 0.7 + 0.25 * gone) - 0.1 * (1 - gone) * entropies.mean()
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    earned.append(float(rewards.sum(0).mean()))

# %%
with torch.no_grad():
    choices, *_ = agent.live(MEANS)
curves["RL²"] = regret_curve(MEANS, choices)
window = max(1, UPDATES // 50)
smooth = torch.tensor(earned).unfold(0, window, window).mean(-1)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
left.plot(torch.arange(1, len(smooth) + 1) * window, smooth)
for number, (name, score) in enumerate((("UCB1", UCB1(0.2)), ("Thompson", Thompson()))):
    total = MEANS.gather(1, played(score).T).sum(1).mean()
    left.axhline(total, color=COLOURS[number + 1], linestyle="--", label=name)
left.set(xlabel="update", ylabel=f"reward in {PULLS} pulls", title="Outer loop: RL² learns to learn")
left.legend()
for number, (name, curve) in enumerate(curves.items()):
    style = "--" if name == "UCB1, the suite's" else "-"
    right.plot(range(1, PULLS + 1), curve, style, color=COLOURS[number], label=name)
right.set(xlabel="pull", ylabel="regret so far", ylim=(0, 7))
right.set_title(f"Inner loop: {TRIALS:,} new bandits")
right.legend(fontsize=8)
figure.tight_layout()
labs.show("lab_06_regret")
print(f"RL²: regret {float(curves['RL²'][-1]):.2f} after {PULLS} pulls")

# %% [markdown]
# Nobody told the network how to explore. Look at single trials: when does it stop trying arms?

# %%
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), sharey=True)
for trial, axis in enumerate(axes):
    order = MEANS[trial].argsort(descending=True).argsort()  # 0: the best arm
    axis.plot(range(1, PULLS + 1), order[choices[:, trial]], "o", markersize=4)
    axis.set(xlabel="pull", title=" ".join(f"{mean:.2f}" for mean in sorted(MEANS[trial].tolist())[::-1]))
    axis.title.set_fontsize(7)
axes[0].set_ylabel("arm, best first")
axes[0].set_yticks(range(ARMS))
axes[0].invert_yaxis()
figure.suptitle("RL² in four bandits (above: how often the arms pay, best first)", y=1.05, fontsize=9)
labs.show("lab_06_trials")

# %% [markdown]
# ## Exercise 6.5: reset the memory
#
# If what it learns within a trial is in the memory, then emptying the memory must undo it, and nothing else. The
# weights stay as they are.


# %%
def forget(memory: torch.Tensor, step: int, every: int) -> torch.Tensor:
    """The memory as it is before a step, emptied before every so many steps.

    Args:
        memory: [B, H].
        step: 0, 1, ...
        every: steps between two resets: with 15, it is emptied before the steps 15, 30, ... (and is empty before
            step 0 anyway).

    Returns:
        [B, H]: zeros where it is emptied, else the memory. The memory that was given stays as it was.
    """
    raise NotImplementedError("exercise 6.5")


# %%
labs.check("6.5", forget)
forget = labs.answer("6.5", forget)

# %%
BEST = MEANS.max(dim=1).values  # [B]
figure, axis = plt.subplots(figsize=(6, 3.5))
for number, (name, every) in enumerate(
    (("kept", PULLS), ("emptied after 15 pulls", 15), ("emptied at every pull", 1))
):
    with torch.no_grad():
        chosen, *_ = agent.live(MEANS, lambda memory, step, every=every: forget(memory, step, every))
    lost = (BEST - MEANS.gather(1, chosen.T).T).mean(dim=1)  # [T], of single pulls
    axis.plot(range(1, PULLS + 1), lost, color=COLOURS[number], label=f"memory {name}")
chance = float((BEST - MEANS.mean(1)).mean())
axis.axhline(chance, color="black", linestyle="--", label="a random arm")
axis.set(xlabel="pull", ylabel="regret of this pull", title="What is lost with the memory", ylim=(0, 0.48))
axis.legend(fontsize=8)
labs.show("lab_06_forget")

# %% [markdown]
# ## What to take away
#
# - A recurrent network that reads its own choices and rewards can *be* a learning algorithm. The outer loop writes it.
# - Within a trial all learning is in the memory: empty it, and the agent begins anew. One that forgets at every pull
#   still knows what it did last: it can stay where it won.
# - Regret is measured on arms, not on luck. Compare with the best classics, not with random.
#
# **Read on**: `docs/bandits.md` (Duan et al.'s table again); the recipe `bandit-rl2`; `badger board show bandits-v1`,
# where ten outer seeds and longer trials tell more than one seed can; `badger evaluate --pretrained bandit --control
# forgetful`.
