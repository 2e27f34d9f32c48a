"""Random Markov decision processes: earn from states and actions whose worth and ways must be found out."""

import dataclasses
import functools
import itertools
import math
from typing import ClassVar, Literal, NamedTuple

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.families.bandit import LARGEST_NORMAL
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
    check_integer,
    check_number,
    namespace,
)
from badger_envs.keyed_random import Array

KINDS = ("normal", "goal")
MOST = 50
"""States, and actions, at most."""

LEAST_CONCENTRATION, MOST_CONCENTRATION = 0.001, 1000.0


class Task(NamedTuple):
    """What a trial hides. States and actions are numbered 0 .. S - 1, 0 .. A - 1, whatever their slots.

    Attributes:
        below: float64 [B, S, A, S], the chance that an action leads to a state of this number or a lower one.
        mean: [B, S, A], expected reward of a step.
        value: float64 [B, T + 1, S, A], what a step and those after it pay in expectation if they are the
            best, by steps left in the episode: 0 with none left; minus infinity for unused actions.
        top: float64 [B, T + 1, S], the highest value of all actions.
        goal: int64 [B], the state that pays; -1 if rewards are normal.
        actions: int64 [B], number of used actions.
        state_order: int64 [B, I], state of each input slot; [B, 0] where slot i is state i.
        action_order: int64 [B, O], action of each output slot; [B, 0] where slot i is action i.
        input_mask: [B, I], 1 for states in use.
        output_mask: [B, O], 1 for actions in use.
    """

    below: Array
    mean: Array
    value: Array
    top: Array
    goal: Array
    actions: Array
    state_order: Array
    action_order: Array
    input_mask: Array
    output_mask: Array


class State(NamedTuple):
    """Where a trial stands.

    Attributes:
        place: int64 [B], the current state's number.
        outputs: [B, O], 1 at the action taken last.
        reward: [B], of that action.
        ended: [B], 1 if an episode ended with it.
        missed: float64 [B], what the choices of this episode lost in expectation (or of the last one, if a
            new one has just begun).
        total: float64 [B], sum of rewards.
        regret: float64 [B], what all choices lost in expectation.
        time: int64 [B], steps done.
    """

    place: Array
    outputs: Array
    reward: Array
    ended: Array
    missed: Array
    total: Array
    regret: Array
    time: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomMDP(Family):
    """Earn as much as possible in a Markov decision process that is not known, over several episodes.

    ## Description
    There are S states and A actions. An action pays, and leads to another state by chances of its own. All
    of it is drawn per task and has to be found out by trying. An episode begins in the same state each time
    and ends after `episode_steps` steps; a trial is `horizon` steps of such episodes, one after the other
    (the protocol of RL2). What was found out in one episode serves in the next.

    `kind` = "normal": an action in a state pays a mean plus standard normal noise, the means drawn from a
    normal of mean 1 and standard deviation 1. This tests exploration and hardly any planning: whoever knows
    all means and looks one step ahead earns nearly as much as who plans (docs/mdps.md).
    "goal": one state pays 1 at each arrival, all else 0. The goal is never the state where episodes begin.
    Good choices now are those that lead near it later: the planning variant.

    Where an action leads to is drawn from a Dirichlet distribution over all states. `concentration` = 1: all
    chances equally likely. 0.1: a few likely successors. 0: one successor, at random, always the same.

    ## Action space
    `Discrete(capacity)`: an output slot, int64. An action not in use (`output_mask` 0) is legal: the state
    stays, it pays 0, and a step is gone.

    ## Observation space
    `inputs`: 1 in the slot of the current state, 0 in the others. `outputs`: 1 at the action taken last,
    zeros at the start and after an unused action. `feedback`: its reward, and 1 if an episode ended with it
    (the state shown is where the next one begins), else 0; both 0 at the start. Rewards lie in [0, 1], with
    "normal" in [-11, 13]. `flags`: first step of the trial, query (always 0), fraction of the trial gone.

    ## Rewards
    What the action pays. The per-step loss is minus the reward. `expected_reward(task, state,
    probabilities)` is that of the next step alone, not of what it leads to.

    ## Starting state
    The first episode begins.

    ## Episode end
    Terminates after `horizon` steps. `info["total_reward"]` (float64) judges the trial. `info["regret"]`
    (float64): the sum over all choices of what the best one was worth more in expectation, the rest of the
    episode included; its mean is the reward of whoever knows the process, less the agent's.
    `info["is_success"]` (bool): the trial ended, and in its last episode every choice was the best. Of normal
    rewards an unused action's 0 can be more than the best. No agent may read `info`.

    ## Arguments
    `states`: number of states, or a range (lowest, highest) drawn per task (default 10), at most 50; "goal"
    needs 2 at least. `choices`: the same of actions (default 5). `test_states`, `test_choices`: those of the
    test split; a range without it is followed by one as long: (3, 6) holds out (7, 10). `capacity`: number
    of input slots and of output slots (default: as many of each as any split needs). `kind`: see above.
    `concentration`: of transitions, 0 or from 0.001 to 1000 (default 1). `episode_steps`: steps in an episode
    (default 10, at most 100); the last is cut short where the horizon is no multiple of them. `horizon`:
    steps in all (default 100). `shuffle_slots`: states and actions apart from each other. `split`, `dtype`:
    see `badger_envs.Family`.

    ## Vectorised environment
    `gym.make_vec("Badger/RandomMDP-v0", num_envs=N)` steps all N at once.

    ## References
    Duan et al. 2016, "RL2: Fast Reinforcement Learning via Slow Reinforcement Learning", section 3.2
    (normal); Osband, Russo, Van Roy 2013, "(More) efficient reinforcement learning via posterior sampling".

    ## Version history
    * v0: first version.
    """

    horizon: int = 100
    states: Range = 10
    test_states: Range | None = None
    choices: Range = 5
    test_choices: Range | None = None
    capacity: int | None = None
    kind: Literal["normal", "goal"] = "normal"
    concentration: float = 1.0
    episode_steps: int = 10

    action_kind: ClassVar[ActionKind] = "categorical"
    outcome: ClassVar[str] = "total_reward"
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        if check_number("concentration", self.concentration, 0, MOST_CONCENTRATION):
            check_number("concentration", self.concentration, LEAST_CONCENTRATION, MOST_CONCENTRATION)
        check_integer("episode_steps", self.episode_steps, low=1, high=100)
        for sizes in (self.state_sizes, self.action_sizes):
            if sizes.highest > MOST:
                raise ValueError(
                    f"{sizes.name} {sizes.train} with test_{sizes.name} {sizes.test} are more than {MOST}; "
                    "give fewer"
                )
        if self.kind == "goal" and min(self.state_sizes.train[0], self.state_sizes.test[0]) < 2:
            raise ValueError(f"states is {self.states}; kind 'goal' needs 2 at least: the start and the goal")

    @functools.cached_property
    def state_sizes(self) -> Sizes:
        """How many states there are."""
        return Sizes.of_setting("states", self)

    @functools.cached_property
    def action_sizes(self) -> Sizes:
        """How many actions there are."""
        return Sizes.of_setting("choices", self)

    @property
    def noise_size(self) -> int:
        """One uniform for where a step leads, unless that is fixed; two for a normal reward."""
        return (self.concentration > 0) + 2 * (self.kind == "normal")

    @functools.cached_property
    def slots(self) -> Slots:
        """An input per state, an output per action; the reward, and whether an episode ended."""
        return Slots(self.state_sizes.capacity, 1, self.action_sizes.capacity, 2, 0)

    @property
    def bounds(self) -> Bounds:
        """One-hot outputs; the reward's range."""
        most = math.ceil(2 * LARGEST_NORMAL)  # a normal mean and a normal deviation from it
        return Bounds(outputs=(0, 1), feedback=(0, 1) if self.kind == "goal" else (1 - most, 1 + most))

    @property
    def outcome_bounds(self) -> tuple[float, float]:
        """As many times the lowest and the highest reward as there are steps."""
        low, high = self.bounds.feedback
        return low * self.horizon, high * self.horizon

    def sample_task(self, keys: Array) -> Task:
        """Draw sizes, transitions and rewards, and plan: keys [B, 4] -> Task."""
        xp = namespace(keys)
        dtype = getattr(xp, self.dtype)
        states, state_order, _, _, input_mask = self.state_sizes.fill(keys, self.dtype)
        actions, action_order, _, _, output_mask = self.action_sizes.fill(keys, self.dtype)
        chance, below = self._transitions(keys, states)  # [B, S, A, S] each
        if self.kind == "goal":
            drawn = keyed_random.uniform(keys, "goal", 1, dtype="float64")  # [B, 1]
            goal = 1 + xp.astype(xp.floor(drawn * xp.astype(states - 1, xp.float64)), xp.int64)  # [B, 1]
            mean = xp.take_along_axis(chance, goal[:, None, None], axis=-1)[..., 0]  # [B, S, A]
            mean = xp.astype(mean, dtype)
        else:
            goal = 0 * states - 1
            shape = (keys.shape[0], self.state_sizes.highest, self.action_sizes.highest)
            mean = keyed_random.normal(keys, "mean", shape[1] * shape[2], dtype=self.dtype)
            mean = 1 + xp.reshape(mean, shape)
        used = self._number(keys, self.action_sizes) < actions  # [B, A]
        value, top = self._plan(chance, xp.astype(mean, xp.float64), used)
        return Task(
            below=below,
            mean=mean,
            value=value,
            top=top,
            goal=goal[:, 0],
            actions=actions[:, 0],
            state_order=state_order,
            action_order=action_order,
            input_mask=input_mask,
            output_mask=output_mask,
        )

    def _number(self, keys: Array, sizes: Sizes) -> Array:
        """Numbers 0 .. highest - 1 of states or of actions: int64 [1, N]."""
        xp = namespace(keys)
        return xp.arange(sizes.highest, dtype=xp.int64, device=device(keys))[None, :]

    def _transitions(self, keys: Array, states: Array) -> tuple[Array, Array]:
        """Chances [B, S, A, S] of successors, and their sums: in float64, so that no rounding decides."""
        xp = namespace(keys)
        most, rows = self.state_sizes.highest, self.state_sizes.highest * self.action_sizes.highest
        shape = (keys.shape[0], most, self.action_sizes.highest, most)
        number = self._number(keys, self.state_sizes)[:, None, None]  # [1, 1, 1, S]
        count = states[:, :, None, None]  # [B, 1, 1, 1]
        if self.concentration == 0:
            drawn = keyed_random.uniform(keys, "transitions", rows, dtype="float64")  # [B, S A]
            successor = xp.astype(xp.floor(drawn * xp.astype(states, xp.float64)), xp.int64)
            successor = xp.reshape(successor, (*shape[:3], 1))
            return xp.astype(successor == number, xp.float64), xp.astype(successor <= number, xp.float64)
        drawn = keyed_random.log_gamma(keys, "transitions", rows * most, self.concentration)
        drawn = xp.reshape(drawn, shape)
        if self.state_sizes.limits[0] < most:
            drawn = xp.where(number < count, drawn, -math.inf)
        highest = functools.reduce(xp.maximum, (drawn[..., k] for k in range(most)))  # faster than a `max`
        weight = xp.exp(drawn - highest[..., None])
        chance = weight / xp.sum(weight, axis=-1, keepdims=True)
        below = itertools.accumulate(chance[..., k] for k in range(most))  # faster than a `cumulative_sum`
        return chance, xp.stack(list(below), axis=-1)

    def _plan(self, chance: Array, mean: Array, used: Array) -> tuple[Array, Array]:
        """Values [B, T + 1, S, A] and the highest of all actions [B, T + 1, S], see `Task`."""
        xp = namespace(chance)
        flat = xp.reshape(chance, (chance.shape[0], -1, chance.shape[-1]))  # [B, S A, S]
        values, tops = [xp.zeros_like(mean)], [xp.zeros_like(mean[:, :, 0])]
        for _ in range(min(self.episode_steps, self.horizon)):
            later = xp.reshape(xp.matmul(flat, tops[-1][:, :, None]), mean.shape)  # [B, S, A]
            value = mean + later
            if self.action_sizes.limits[0] < mean.shape[2]:
                value = xp.where(used[:, None], value, -math.inf)
            values.append(value)
            tops.append(functools.reduce(xp.maximum, (values[-1][:, :, k] for k in range(mean.shape[2]))))
        return xp.stack(values, axis=1), xp.stack(tops, axis=1)

    def initial_state(self, task: Task) -> State:
        """The first episode begins."""
        xp = namespace(task.mean)
        zero = xp.zeros_like(task.mean[:, 0, 0])
        nothing = xp.zeros_like(zero, dtype=xp.float64)
        none = xp.zeros_like(task.actions)
        return State(none, xp.zeros_like(task.output_mask), zero, zero, nothing, nothing, nothing, none)

    def observe(self, task: Task, state: State) -> Observation:
        """The current state, the action taken last, what it paid, and whether an episode ended."""
        xp = namespace(state.reward)
        here = self.state_sizes.element(task.state_order) == state.place[:, None]  # [B, I]
        return Observation(
            inputs=xp.astype(here, state.reward.dtype)[:, :, None],
            input_mask=task.input_mask,
            outputs=state.outputs,
            output_mask=task.output_mask,
            feedback=xp.stack([state.reward, state.ended], axis=-1),
            output_feedback=state.outputs[:, :, None][:, :, :0],
            flags=self.flags(state.time),
        )

    def step(self, task: Task, state: State, action: Array, noise: Array) -> Transition:
        """Act, be paid, and go on; begin anew where an episode ends."""
        xp = namespace(action)
        dtype = state.reward.dtype
        slots = xp.arange(task.output_mask.shape[1], dtype=xp.int64, device=device(action))[None, :]
        outputs = xp.astype(slots == action[:, None], dtype) * task.output_mask  # [B, O]
        if task.action_order.shape[1]:
            action = xp.take_along_axis(task.action_order, action[:, None], axis=-1)[:, 0]
        used = action < task.actions  # [B]
        action = xp.where(used, action, 0)
        into, time = state.time % self.episode_steps, state.time + 1
        left = self._left(state.time)  # [B]
        batch, most, number = task.mean.shape
        row = xp.arange(batch, dtype=xp.int64, device=device(action))
        here = (row * task.top.shape[1] + left) * most + state.place  # [B], in `top`
        top = xp.reshape(task.top, (-1,))
        value = xp.take(xp.reshape(task.value, (-1,)), here * number + action)  # [B]
        chosen = xp.where(used, value, xp.take(top, here - most))  # or what is left if the state stays
        gap = xp.take(top, here) - chosen  # [B]

        here = (row * most + state.place) * number + action  # [B], in `below` and `mean`
        below = xp.take(xp.reshape(task.below, (-1, most)), here, axis=0)  # [B, S]
        level = xp.astype(noise[:, :1], below.dtype) if self.concentration > 0 else below[:, :1] * 0
        each = xp.ones_like(below[0], dtype=dtype)  # [S]; a product takes a sixth of the time of a sum
        place = xp.astype(xp.matmul(xp.astype(below <= level, dtype), each), xp.int64)  # [B]
        place = xp.where(used, place, state.place)
        if self.kind == "goal":
            reward = xp.astype(used & (place == task.goal), dtype)
        else:
            mean = xp.take(xp.reshape(task.mean, (-1,)), here)
            reward = mean + keyed_random.normal_from_uniform(noise[:, -2], noise[:, -1])
            reward = xp.where(used, reward, 0.0)
        ended = (left == 1) | (into == self.episode_steps - 1)
        moved = State(
            place=xp.where(ended, 0, place),
            outputs=outputs,
            reward=reward,
            ended=xp.astype(ended, dtype),
            missed=xp.where(into == 0, gap, state.missed + gap),
            total=state.total + reward,
            regret=state.regret + gap,
            time=time,
        )
        return Transition(moved, reward, -reward, time == self.horizon)

    def _left(self, time: Array) -> Array:
        """Steps left in the episode, or in the trial where that is cut short: int64 [B]."""
        xp = namespace(time)
        left = self.episode_steps - time % self.episode_steps
        left = xp.minimum(left, self.horizon - time)
        return xp.where(left < 1, 1, left)  # after the end, as before it

    def _rows(self, table: Array, *index: Array) -> Array:
        """Rows of a table [B, N, ..., M] at one index, two or three, of each trial: [B, ..., M]."""
        xp = namespace(table)
        place = xp.arange(table.shape[0], dtype=xp.int64, device=device(table))
        for axis, one in enumerate(index, 1):
            place = place * table.shape[axis] + one
        kept = table.shape[1 + len(index) :]
        return xp.take(xp.reshape(table, (-1, *kept)), place, axis=0)

    def info(self, task: Task, state: State) -> dict[str, Array]:
        """Reward and regret so far; success if no choice of the last episode lost anything."""
        success = (state.time == self.horizon) & (state.missed == 0)
        return {"total_reward": state.total, "regret": state.regret, "is_success": success}

    def expected_reward(self, task: Task, state: State, probabilities: Array) -> Array:
        """Expected reward [B] of the next step if the action is drawn from `probabilities` [B, O]."""
        xp = namespace(probabilities)
        mean = self._rows(task.mean, state.place)  # [B, A]
        pays = self.action_sizes.spread(mean, task.action_order) * task.output_mask  # [B, O]
        return xp.sum(probabilities * pays, axis=-1)

    def solution(self, task: Task, state: State) -> Array:
        """1 at the action that is best now, the rest of the episode included; ties share it."""
        xp = namespace(task.mean)
        value = self._rows(task.value, self._left(state.time), state.place)  # [B, A]
        best = xp.astype(value == xp.max(value, axis=-1, keepdims=True), task.mean.dtype)
        return self.action_sizes.spread(best, task.action_order)
