"""Multi-armed bandits: earn from arms whose worth must be found out by pulling them."""

import dataclasses
import functools
import math
from typing import ClassVar, Literal, NamedTuple

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.family import (
    ActionKind,
    Bounds,
    Family,
    Observation,
    Range,
    Sizes,
    Slots,
    Transition,
    check_choice,
    check_number,
    namespace,
)
from badger_envs.keyed_random import Array

KINDS = ("bernoulli", "gaussian", "dependent", "informative", "restless")
MOST_ARMS = 100

DEFAULT_ARMS = {"bernoulli": 10, "dependent": 2, "informative": 11}
"""Numbers of arms of kinds; as of "bernoulli" for those not named."""

DIFFICULTIES = {"uniform": None, "easy": 0.9, "medium": 0.75, "hard": 0.6}
"""Mean of the better arm of a dependent bandit; None: uniform (Wang et al. 2016, section 3.1.1)."""

TARGET, ORDINARY = 5.0, 1.1
"""What the target and the other arms of an informative bandit pay (Wang et al. 2016, section 3.1.2)."""

LARGEST_NORMAL = math.sqrt(48 * math.log(2))
"""The largest value of `keyed_random.normal`: uniforms are multiples of 2**-24."""


class Task(NamedTuple):
    """What a trial hides.

    Attributes:
        mean: [B, O], expected reward of each arm (at the start, if restless), 0 for unused arms.
        best: [B], the largest among used arms.
        mask: [B, O], 1 for used arms.
    """

    mean: Array
    best: Array
    mask: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        mean: [B, O], expected reward of each arm now.
        outputs: [B, O], 1 at the arm pulled last.
        reward: [B], of that pull.
        gap: [B], by how much the best arm's expected reward was higher than that of the arm pulled.
        total: float64 [B], sum of rewards: in float32 a sum drifts, and of ones it stops at 2**24.
        regret: float64 [B], sum of gaps.
        time: int64 [B], pulls done.
    """

    mean: Array
    outputs: Array
    reward: Array
    gap: Array
    total: Array
    regret: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bandit(Family):
    """Earn as much as possible from `horizon` pulls of K arms whose worth is not known.

    ## Description
    At every step the agent pulls one arm and hears the reward. What it does not try it cannot know, and
    what it tries costs a pull: exploration against exploitation in its smallest form.

    `kind` = "bernoulli": rewards are 0 or 1, each arm's probability is uniform in [0, 1].
    "gaussian": rewards have standard deviation 1, each arm's mean is drawn from a standard normal.
    "dependent": two Bernoulli arms of probabilities p and 1 - p, so that each tells about the other;
    by `difficulty` p is uniform in [0, 1], or one of 0.1 and 0.9 ("easy"), 0.25 and 0.75 ("medium"), 0.4
    and 0.6 ("hard").
    "informative": rewards are fixed; one of the first K - 1 arms, the target, pays 5, the others 1.1; the
    last arm pays (j + 1) / (K - 1), j being the target's index: poor, and worth one pull.
    "restless": Bernoulli arms whose probabilities start uniform and take a step after each pull, uniform
    with standard deviation `walk`, reflected at 0 and 1.

    ## Action space
    `Discrete(capacity)`: an output slot, int64. An arm not in use (`output_mask` 0) is legal and earns 0.

    ## Observation space
    `outputs`: 1 at the arm pulled last, zeros at the start and after an unused arm. `feedback`: its
    reward, 0 at the start: in [0, 1], with "gaussian" in [-12, 12], with "informative" in [0, 5].
    One constant input slot. `flags`: first step, query (always 0), fraction of the trial gone.

    ## Rewards
    What the arm pays. The per-step loss is minus the reward; no gradient passes through a sampled arm:
    `expected_reward(task, state, probabilities)` is differentiable in the probabilities, for learning.

    ## Starting state
    Nothing pulled.

    ## Episode end
    Terminates after `horizon` pulls. `info["total_reward"]` (float64) judges the trial.
    `info["regret"]` (float64): the expected reward of always pulling the best arm (of the moment, if
    restless) minus that of the arms pulled.
    `info["is_success"]` (bool): the trial ended on a pull of the best arm. An unused arm pays
    0, which of normal rewards can be more than the best arm does. No agent may read `info`: it tells
    which arm is best.

    ## Arguments
    `arms`: number of arms K, or a range (lowest, highest) drawn per task, at most 100; default 10, always 2
    with "dependent", one number from 3 up (default 11) with "informative". `test_arms`: the range of the
    test split; an `arms` range without it is followed by one as long: (2, 10) holds out (11, 19).
    `capacity`: output slots (default: as many as any split needs). `kind`, `difficulty`, `walk`: see
    above. `horizon`: pulls (default 100). `shuffle_slots`: not with "informative", whose last arm
    names the others by their positions. `split`, `dtype`: see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/Bandit-v0", num_envs=N)` steps all N at once.

    ## References
    Duan et al. 2016, "RL2: Fast Reinforcement Learning via Slow Reinforcement Learning" (bernoulli);
    Wang et al. 2016, "Learning to reinforcement learn" (dependent, informative); Sutton and Barto 2018,
    "Reinforcement Learning", section 2.3 (gaussian); Whittle 1988, "Restless bandits: Activity allocation
    in a changing world".

    ## Version history
    * v0: first version.
    """

    horizon: int = 100
    arms: Range | None = None
    test_arms: Range | None = None
    capacity: int | None = None
    kind: Literal["bernoulli", "gaussian", "dependent", "informative", "restless"] = "bernoulli"
    difficulty: Literal["uniform", "easy", "medium", "hard"] = "uniform"
    walk: float = 0.05

    action_kind: ClassVar[ActionKind] = "categorical"
    outcome: ClassVar[str] = "total_reward"
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        check_choice("difficulty", self.difficulty, DIFFICULTIES)
        if self.difficulty != "uniform" and self.kind != "dependent":
            raise ValueError(f"difficulty is {self.difficulty!r}; kind {self.kind!r} has none: use 'uniform'")
        train, test = self.sizes.train, self.sizes.test
        if self.kind == "dependent" and not train == test == (2, 2):
            raise ValueError(f"arms are {self.arms}; kind 'dependent' has 2: leave arms and test_arms out")
        if self.kind == "informative" and (train != test or train[0] != train[1] or train[0] < 3):
            raise ValueError(f"arms are {self.arms}; kind 'informative' takes one number, at least 3")
        if self.kind == "informative" and self.shuffle_slots:
            raise ValueError("shuffle_slots is True; the last arm of kind 'informative' names positions")
        if self.sizes.highest > MOST_ARMS:
            raise ValueError(f"arms {train} with test_arms {test} are more than {MOST_ARMS}; give fewer")
        check_number("walk", self.walk, 0, 0.5)

    @functools.cached_property
    def sizes(self) -> Sizes:
        """How many arms there are."""
        arms = self.arms
        if arms is None:
            arms = DEFAULT_ARMS.get(self.kind, DEFAULT_ARMS["bernoulli"])
        return Sizes.of(
            "arms",
            arms,
            self.test_arms,
            capacity=self.capacity,
            split=self.split,
            shuffled=self.shuffle_slots,
        )

    @property
    def noise_size(self) -> int:
        """One uniform for the reward, two if it is normal, none if fixed; restless, one more per arm."""
        walk = self.slots.outputs if self.kind == "restless" else 0
        return {"gaussian": 2, "informative": 0}.get(self.kind, 1) + walk

    @functools.cached_property
    def slots(self) -> Slots:
        """One constant input, an output per arm, the reward as the only feedback."""
        return Slots(1, 1, self.sizes.capacity, 1, 0)

    @property
    def bounds(self) -> Bounds:
        """One-hot outputs; the reward's range."""
        most = math.ceil(2 * LARGEST_NORMAL)  # a normal mean and a normal deviation from it
        reward = {"gaussian": (-most, most), "informative": (0, TARGET)}.get(self.kind, (0, 1))
        return Bounds(outputs=(0, 1), feedback=reward)

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """As many times the lowest and the highest reward as there are steps."""
        low, high = self.bounds.feedback
        return low * self.horizon, high * self.horizon

    def sample_task(self, keys: Array) -> Task:
        """Draw numbers of arms and their means: keys [B, 4] -> Task."""
        xp = namespace(keys)
        _, _, arm, used, mask = self.sizes.fill(keys, self.dtype)  # [B or 1, O], [B, O] twice
        mean = self._means(keys, arm) * mask
        best = xp.max(xp.where(used, mean, -math.inf), axis=-1)
        return Task(mean, best, mask)

    def _means(self, keys: Array, arm: Array) -> Array:
        """Expected rewards [B, O] of slots that hold these arms, [B or 1, O]."""
        xp = namespace(keys)
        dtype = getattr(xp, self.dtype)
        if self.kind == "gaussian":
            return keyed_random.normal(keys, "mean", arm.shape[-1], dtype=self.dtype)
        if self.kind == "dependent":
            better = DIFFICULTIES[self.difficulty]
            p = keyed_random.uniform(keys, "mean", 1, dtype=self.dtype)  # [B, 1]
            if better is not None:
                p = xp.where(p < 0.5, xp.full_like(p, better), xp.full_like(p, 1 - better))
            return xp.where(arm == 0, p, 1 - p)
        if self.kind == "informative":
            last = self.sizes.highest - 1
            target = keyed_random.integers(keys, "target", 1, 0, last - 1)  # [B, 1]
            pays = xp.astype(arm == target, dtype) * (TARGET - ORDINARY) + ORDINARY
            return xp.where(arm == last, xp.astype(target + 1, dtype) / last, pays)
        return keyed_random.uniform(keys, "mean", arm.shape[-1], dtype=self.dtype)

    def initial_state(self, task: Task) -> State:
        """Nothing pulled."""
        xp = namespace(task.mean)
        zero = xp.zeros_like(task.best)
        time, nothing = (xp.zeros_like(zero, dtype=kind) for kind in (xp.int64, xp.float64))
        return State(task.mean, xp.zeros_like(task.mean), zero, zero + 1, nothing, nothing, time)

    def observe(self, task: Task, state: State) -> Observation:
        """The arm pulled last and what it paid."""
        xp = namespace(state.reward)
        feedback = state.reward[:, None]  # [B, 1]
        constant = xp.ones_like(feedback)
        return Observation(
            inputs=constant[:, :, None],
            input_mask=constant,
            outputs=state.outputs,
            output_mask=task.mask,
            feedback=feedback,
            output_feedback=state.outputs[:, :, None][:, :, :0],
            flags=self.flags(state.time),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Pull an arm."""
        xp = namespace(action)
        batch, arms = task.mask.shape
        index = action + xp.arange(batch, dtype=xp.int64, device=device(action)) * arms
        mean = xp.take(xp.reshape(state.mean, (-1,)), index, axis=0)  # [B], faster than along the axis
        rows = xp.eye(arms, dtype=mean.dtype, device=device(action))  # faster than to compare
        outputs = xp.take(rows, action, axis=0) * task.mask  # [B, O]
        best = xp.max(state.mean, axis=-1) if self.kind == "restless" else task.best  # unused arms have 0
        if self.kind == "gaussian":
            used = xp.take(xp.reshape(task.mask, (-1,)), index, axis=0)  # [B]
            reward = mean + used * keyed_random.normal_from_uniform(noise[:, 0], noise[:, 1])
        elif self.kind == "informative":
            reward = mean
        else:
            reward = xp.astype(noise[:, 0] < mean, mean.dtype)
        means = state.mean
        if self.kind == "restless":  # |x| reflects at 0, 1 - |1 - x| at 1
            step = (2 * noise[:, 1:] - 1) * (math.sqrt(3) * self.walk)
            means = (1 - xp.abs(1 - xp.abs(means + step))) * task.mask
        gap = best - mean
        time = state.time + 1
        state = State(means, outputs, reward, gap, state.total + reward, state.regret + gap, time)
        return Transition(state, reward, -reward, time == self.horizon)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Reward and regret so far; success if the trial has ended on a pull of the best arm."""
        success = (state.time == self.horizon) & (state.gap == 0)
        return {"total_reward": state.total, "regret": state.regret, "is_success": success}

    def expected_reward(self, task: Task, state: State, probabilities: Array) -> Array:
        """Expected reward [B] of the next pull if the arm is drawn from `probabilities` [B, O]."""
        xp = namespace(probabilities)
        return xp.sum(probabilities * state.mean, axis=-1)

    def solution(self, task: Task, state: State) -> Array:
        """1 at the arm that is best now; ties share it."""
        xp = namespace(state.mean)
        best = xp.max(xp.where(task.mask > 0, state.mean, -xp.inf), axis=-1, keepdims=True)  # [B, 1]
        return xp.astype(state.mean == best, state.mean.dtype) * task.mask
