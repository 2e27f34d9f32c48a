"""Gradient estimators: the right gradient, or as wrong as theory says, and what they leave alone."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators import ESTIMATORS, Update, make_estimator
from badger_agents.estimators.objectives import OBJECTIVES, Penalty, collapse
from badger_agents.estimators.optimiser import adam
from badger_agents.estimators.trials import Trials
from badger_agents.rollout import rollout
from badger_agents.training.state import trained_weights
from badger_envs.families.bandit import Bandit
from badger_envs.family import Family
from tests.badger_agents.estimators.linear_quadratic import LinearQuadratic, Pusher, gradient
from tests.badger_agents.small import EVERY_ESTIMATOR, HORIZON, keys, random_agent, small_family, updates_of

SOON = OBJECTIVES["as_soon_as_possible"]
LQ = LinearQuadratic(horizon=8)
every = pytest.mark.parametrize(("name", "settings"), EVERY_ESTIMATOR)
scored = pytest.mark.parametrize(
    ("name", "settings"), [each for each in EVERY_ESTIMATOR if "pairs" in each[1]]
)


def updates(name: str, settings: dict[str, Any], agent: LearnedAgent, trials: Trials) -> list[Update]:
    """What an estimator yields while nobody moves the weights."""
    return updates_of(make_estimator(name, settings), agent, trials)


def flat(gradients: dict[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in gradients.values()])


def estimate(name: str, settings: dict[str, Any], agent: LearnedAgent, trials: Trials) -> Tensor:
    return torch.stack([flat(update.gradients) for update in updates(name, settings, agent, trials)]).sum(0)


def cosine(one: Tensor, other: Tensor) -> float:
    return float(one @ other / one.norm() / other.norm())


# a linear system with a quadratic loss, where all is known


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("settings", [{}, {"keep_every": 1}, {"keep_every": 3}, {"keep_every": 99}])
def test_backpropagation_is_exact(objective: str, settings: dict[str, Any]) -> None:
    trials = Trials(LQ, keys(16), OBJECTIVES[objective])
    found = estimate("backpropagation", settings, agent := Pusher(), trials)
    exact = gradient(agent, LQ, trials.keys, trials.objective, [8])
    assert float((found - exact).abs().max()) < 1e-6


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("last", [1, 3, 8, 99])
@pytest.mark.parametrize("kept", [None, 2])
def test_of_the_last_steps_gradients_are_exact_from_where_they_begin(
    objective: str, last: int, kept: int | None
) -> None:
    agent, trials = Pusher(), Trials(LQ, keys(16), OBJECTIVES[objective])
    (update,) = updates("backpropagation", {"last_steps": last, "keep_every": kept}, agent, trials)
    lived = max(8 - last, 0)
    both, before = (
        gradient(agent, LQ, trials.keys, trials.objective, windows)
        for windows in ([lived, 8 - lived], [lived])
    )
    assert float((flat(update.gradients) - (both - before)).abs().max()) < 1e-6
    whole = trials.objective(rollout(agent, LQ, trials.keys).loss).detach()
    assert float((update.loss - whole).abs().max()) < 1e-6  # what is logged is the whole trial's


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("window", [1, 2, 3, 7, 8, 20])
def test_truncated_backpropagation_is_as_biased_as_its_windows_are_short(objective: str, window: int) -> None:
    agent, firsts = Pusher(), set()
    for step in range(8):
        trials = Trials(LQ, keys(16, step=step), OBJECTIVES[objective])
        windows = trials.windows(window)
        firsts.add(windows[0])
        found = estimate("truncated_backpropagation", {"window": window}, agent, trials)
        cut = gradient(agent, LQ, trials.keys, trials.objective, windows)
        assert float((found - cut).abs().max()) < 1e-6
        whole = gradient(agent, LQ, trials.keys, trials.objective, [8])
        assert (float((found - whole).abs().max()) < 1e-6) == (window >= 8)
    assert len(firsts) == 1 if window in (1, 8, 20) else len(firsts) > 1  # where a trial is cut is drawn


SCORED: list[tuple[str, dict[str, Any], Callable[[Trials], list[int]]]] = [
    ("evolution", {}, lambda trials: [8]),
    ("evolution", {"window": 3}, lambda trials: trials.windows(3)),
    ("persistent_evolution", {"window": 3}, lambda trials: [8]),
    ("persistent_evolution", {"window": 1}, lambda trials: [8]),
]


@pytest.mark.parametrize(("name", "settings", "cut"), SCORED)
def test_evolution_is_biased_by_windows_and_persistent_evolution_is_not(
    name: str, settings: dict[str, Any], cut: Callable[[Trials], list[int]]
) -> None:
    """60 outer steps of 256 pairs: the mean error is 0 within 4 standard errors of either coordinate."""
    agent, errors, biases = Pusher(), [], []
    for step in range(60):
        trials = Trials(LQ, keys(256, step=step), SOON)
        found = estimate(name, {"pairs": 256, "sigma": 0.1, **settings}, agent, trials)
        expected = gradient(agent, LQ, trials.keys, SOON, cut(trials))
        errors.append(found - expected)
        biases.append(gradient(agent, LQ, trials.keys, SOON, trials.windows(3)) - expected)
    mean = torch.stack(errors).mean(dim=0)
    error = torch.stack(errors).std(dim=0) / len(errors) ** 0.5
    assert (mean.abs() < 4 * error).all(), (mean, error)
    if cut(trials) == [8]:  # windows' bias would not have been missed
        assert (torch.stack(biases).mean(dim=0).norm() > 8 * error.norm()).all()


@pytest.mark.parametrize(("name", "settings"), [("evolution", {}), ("persistent_evolution", {"window": 3})])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_1024_pairs_point_where_backpropagation_does(
    name: str, settings: dict[str, Any], objective: str
) -> None:
    trials = Trials(LQ, keys(1024), OBJECTIVES[objective])
    found = estimate(name, {"pairs": 1024, **settings}, agent := Pusher(), trials)
    exact = estimate("backpropagation", {}, agent, trials)
    assert cosine(found, exact) > 0.95


@every
def test_weights_that_move_between_updates_get_where_they_should(name: str, settings: dict[str, Any]) -> None:
    """Places are spread around 0, so that it is best not to push."""
    agent, estimator, optimise = Pusher(), make_estimator(name, settings), adam(0.02)
    weights, state = trained_weights(agent), {}
    for step in range(60):
        updates = estimator.updates(agent, weights, Trials(LQ, keys(64, step=step), SOON), {})
        update = next(updates)
        with suppress(StopIteration):
            while True:
                weights, state = optimise(weights, update.gradients, state, 1.0)
                update = updates.send(weights)
    assert float(torch.cat(list(weights.values())).norm()) < 0.15  # it was 0.36


# Badger


@pytest.mark.parametrize(("name", "settings"), [("evolution", {}), ("persistent_evolution", {"window": 2})])
@pytest.mark.parametrize("membrane", ["hardwired", pytest.param("attentional", marks=pytest.mark.slow)])
def test_many_pairs_point_where_backpropagation_does_for_badger(
    name: str, settings: dict[str, Any], membrane: str
) -> None:
    family = small_family(horizon=3, dims=2)
    tiny = {"hidden_size": 2, "message_size": 1, "key_size": 1}
    agent = random_agent(family, 0.4, experts=2, membrane=membrane, policy=tiny, received_attention=True)
    pairs = 131072 if membrane == "attentional" else 16384
    trials = Trials(family, keys(pairs), SOON)
    chosen = {"pairs": pairs, "pairs_at_once": 4096, "sigma": 0.02, **settings}
    found = estimate(name, chosen, agent, trials)
    assert cosine(found, estimate("backpropagation", {}, agent, trials)) > 0.95


@every
def test_weights_are_left_alone_and_the_loss_is_the_objective(name: str, settings: dict[str, Any]) -> None:
    family = small_family()
    agent = random_agent(family)
    agent.unused = nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    before = [weight.clone() for weight in agent.parameters()]
    penalty = Penalty("anti_collapse", 0.5, "messages", collapse)
    trials = Trials(family, keys(8), SOON, (penalty,))
    last = updates(name, settings, agent, trials)[-1]
    assert all(weight.grad is None for weight in agent.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, agent.parameters(), strict=True))
    lived = rollout(agent, family, keys(8), record=("messages",))
    loss = SOON(lived.loss) + 0.5 * collapse(lived.trace["messages"])
    assert last.loss.shape == (1,)
    assert not last.loss.requires_grad
    near = 0.3 if "pairs" in settings else 1e-9  # evolution tells a smoothed loss
    torch.testing.assert_close(last.loss, loss.detach()[None], atol=near, rtol=0)
    assert [part.shape for part in last.gradients.values()] == [weight.shape for weight in before]
    assert bool(last.gradients["unused"].any()) == ("pairs" in settings)  # where it is noise


@every
def test_what_an_outer_step_was_leaves_no_trace_in_the_next(name: str, settings: dict[str, Any]) -> None:
    """Noise never crosses trials: an estimator that has worked before finds what a fresh one finds."""
    family = small_family()
    agent, estimator = random_agent(family), make_estimator(name, settings)
    memory, found = None, []
    for step in (0, 1):
        found = updates_of(estimator, agent, Trials(family, keys(8, step=step), SOON), memory)
        memory = found[-1].memory
    torch.manual_seed(7)  # nor does it matter what others draw
    fresh = updates(name, settings, agent, Trials(family, keys(8, step=1), SOON))
    for one, other in zip(found, fresh, strict=True):
        assert torch.equal(one.loss, other.loss)
        assert torch.equal(flat(one.gradients), flat(other.gradients))


@every
def test_windows_in_which_nothing_counts_bring_no_update(name: str, settings: dict[str, Any]) -> None:
    family = small_family(horizon=9)
    agent, trials = random_agent(family, 0.2), Trials(family, keys(8), OBJECTIVES["last_step"])
    found = updates(name, settings, agent, trials)
    assert len(found) == 1
    assert flat(found[0].gradients).any()
    windows = len(trials.windows(3)) if "window" in settings else 1
    assert len(updates(name, settings, agent, Trials(family, keys(8), SOON))) == windows


@scored
@pytest.mark.parametrize("at_once", [1, 3, 4, 9])
def test_how_many_pairs_act_at_once_changes_nothing(
    name: str, settings: dict[str, Any], at_once: int
) -> None:
    family = small_family()
    agent, trials = random_agent(family), Trials(family, keys(8), SOON)
    whole = updates(name, settings, agent, trials)
    parts = updates(name, {**settings, "pairs_at_once": at_once}, agent, trials)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one.loss, other.loss)
        torch.testing.assert_close(one.gradients, other.gradients)


class Gambler(LearnedAgent):
    """Draws its arms, from its own stream and from torch, and asks its weights for nothing."""

    Settings = Settings

    def __init__(self) -> None:
        super().__init__(None, "categorical")
        self.weight = nn.Parameter(torch.ones(3))

    def initial_state(self, family: Family, keys: Tensor) -> Any:
        return self.weight.expand(len(keys), -1)

    def act(
        self, state: Any, observation: Any, keys: Tensor, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        return state, (keys[:, 3] + torch.randint(3, (len(keys),))) % 3, {}


@scored
def test_a_pair_meets_the_same_tasks_and_the_same_chance(name: str, settings: dict[str, Any]) -> None:
    family = Bandit(arms=3, horizon=HORIZON)
    for update in updates(name, settings, Gambler(), Trials(family, keys(8), SOON)):
        assert not flat(update.gradients).any()
        assert float(update.loss) != 0


def test_evolution_refuses_trials_that_it_cannot_deal_out_and_several_agents() -> None:
    family, agent = small_family(), Pusher()
    with pytest.raises(ValueError, match="batch_size is 6; it must be a multiple of pairs, which is 4"):
        updates("evolution", {"pairs": 4}, agent, Trials(family, keys(6), SOON))
    with pytest.raises(ValueError, match="perturb one agent"):
        updates("evolution", {"pairs": 4}, agent, Trials(family, keys(8), SOON, groups=2))


def test_each_estimator_says_what_it_is() -> None:
    for kind in ESTIMATORS.values():
        assert kind.__doc__
        kind(kind.Settings())  # and needs no setting
