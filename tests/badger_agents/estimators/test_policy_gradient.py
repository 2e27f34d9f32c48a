"""Policy gradients: the right gradient in expectation, clipped epochs, resuming, what is learned."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from badger_agents.action_distribution import draw, logits_of
from badger_agents.agent import LearnedAgent
from badger_agents.estimators import make_estimator
from badger_agents.estimators.advantages import advantages, centred, spread_of
from badger_agents.estimators.objectives import as_soon_as_possible
from badger_agents.estimators.trials import Trials
from badger_agents.recipe.loading import RecipeError
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.log import read_log
from badger_agents.training.loop import train, train_population
from badger_agents.training.run import CHECKPOINT, LOG, RunPlan
from badger_agents.training.state import trained_weights
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation
from tests.badger_agents.small import keys, small_recipe, updates_of

ARMS, PULLS = 2, 3
PLAIN = {"discount": 1.0, "scaled": False}
FIRST = "linear.weight"
VARIANTS: list[dict[str, Any]] = [{}, {"expected_reward": True}, {"value_size": 8}]


class Reader(LearnedAgent):
    """Scores arms by a linear function of what it sees: no memory, few weights, known probabilities."""

    def __init__(self, weight: float = 0.7) -> None:
        super().__init__(None, "categorical")
        generator = torch.Generator().manual_seed(0)
        self.linear = nn.Linear(2 * ARMS + 1, ARMS, dtype=torch.float64)
        with torch.no_grad():
            for part in self.parameters():
                part.copy_(weight * torch.randn(part.shape, generator=generator, dtype=part.dtype))

    def initial_state(self, family: Family, own: Tensor) -> tuple[()]:
        return ()

    def scores(self, outputs: Tensor, reward: Tensor) -> Tensor:
        return self.linear(torch.cat([outputs, outputs * reward, reward - 0.5], dim=-1))

    def act(
        self, state: tuple[()], seen: Observation, own: Tensor, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        scores = self.scores(seen.outputs, seen.feedback)
        logits = logits_of("categorical", scores, seen.output_mask, 1.0)
        choice = draw("categorical", logits, seen.output_mask, own, step)
        record = {"logits": logits, "choice": choice, "states": logits.detach()[..., None]}
        return state, choice, record


def bandit() -> Bandit:
    return Bandit(arms=ARMS, horizon=PULLS, dtype="float64")


def trials(rows: int, seed: int = 0) -> Trials:
    return Trials(bandit(), keys(rows, seed), as_soon_as_possible)


def exact_loss(agent: Reader, mean: Tensor) -> Tensor:
    """Expected objective over all actions and rewards; `mean` is [B, O]."""
    eye = torch.eye(ARMS, dtype=mean.dtype)
    start = torch.zeros(len(mean), ARMS, dtype=mean.dtype)
    reached = [(torch.ones(len(mean), dtype=mean.dtype), start, start[:, :1])]
    total = torch.zeros(len(mean), dtype=mean.dtype)
    for _ in range(PULLS):
        after = []
        for chance, outputs, reward in reached:
            policy = agent.scores(outputs, reward).softmax(-1)  # (B, O)
            total = total + chance * (policy * mean).sum(-1)
            for arm in range(ARMS):
                for paid in (0.0, 1.0):
                    luck = mean[:, arm] if paid else 1 - mean[:, arm]
                    shown = eye[arm].expand(len(mean), -1), torch.full_like(start[:, :1], paid)
                    after.append((chance * policy[:, arm] * luck, *shown))
        reached = after
    return -total.mean() / PULLS


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_in_expectation_it_is_the_exact_gradient(settings: dict[str, Any]) -> None:
    agent, repeats, rows = Reader(), 16, 16_384
    estimator = make_estimator("policy_gradient", {**PLAIN, **settings})
    memory = None
    found, wanted = [], []
    for seed in range(repeats):
        lived = trials(rows, seed)
        (update,) = updates_of(estimator, agent, lived, memory)
        memory = update.memory
        found.append(torch.cat([part.flatten() for part in update.gradients.values()]))
        exact = torch.autograd.grad(exact_loss(agent, lived.batch.task.mean), tuple(agent.parameters()))
        wanted.append(torch.cat([part.flatten() for part in exact]))
    found, wanted = torch.stack(found), torch.stack(wanted)  # (repeats, weights)
    error = found - wanted
    assert (error.mean(0).abs() < 4.5 * error.std(0) / repeats**0.5 + 1e-6).all()
    assert float(torch.cosine_similarity(found.mean(0), wanted.mean(0), dim=0)) > 0.99


class Guesser(LearnedAgent):
    """Writes a linear function of what it sees, with noise; gradients may pass through its actions."""

    noise = 0.2

    def __init__(self, through: bool) -> None:
        super().__init__(None, "continuous")
        generator = torch.Generator().manual_seed(2)
        self.linear = nn.Linear(3, 2, dtype=torch.float64)
        self.through = through
        with torch.no_grad():
            for part in self.parameters():
                part.copy_(0.1 * torch.randn(part.shape, generator=generator, dtype=part.dtype))

    def initial_state(self, family: Family, own: Tensor) -> tuple[()]:
        return ()

    def act(
        self, state: tuple[()], seen: Observation, own: Tensor, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        mean = self.linear(torch.cat([seen.outputs, seen.feedback], dim=-1))  # (B, O)
        logits = logits_of("continuous", mean, seen.output_mask, self.noise)
        choice = draw("continuous", logits, seen.output_mask, own, step)
        if self.through:
            choice = choice + logits - logits.detach()
        record = {"logits": logits, "choice": choice, "states": logits.detach()[..., None]}
        return state, self.noise * choice, record


@pytest.mark.parametrize("settings", [{}, {"value_size": 8}], ids=str)
def test_of_continuous_actions_it_is_in_expectation_the_gradient_through_the_family(
    settings: dict[str, Any],
) -> None:
    family, repeats, rows = GuessingGame(dims=2, horizon=3, dtype="float64"), 16, 4_096
    estimators = [
        make_estimator("policy_gradient", {**PLAIN, **settings}),
        make_estimator("backpropagation", {}),
    ]
    agents = [Guesser(through=False), Guesser(through=True)]
    found: list[list[Tensor]] = [[], []]
    for seed in range(repeats):
        for estimator, agent, gradients in zip(estimators, agents, found, strict=True):
            lived = Trials(family, keys(rows, seed), as_soon_as_possible)
            (update,) = updates_of(estimator, agent, lived)
            gradients.append(torch.cat([part.flatten() for part in update.gradients.values()]))
    by_reward, exact = (torch.stack(part) for part in found)  # (repeats, weights) each
    error = by_reward - exact
    assert (error.mean(0).abs() < 4.5 * error.std(0) / repeats**0.5 + 1e-6).all()
    assert float(torch.cosine_similarity(by_reward.mean(0), exact.mean(0), dim=0)) > 0.98


def test_expected_rewards_make_it_less_noisy() -> None:
    agent, lived = Reader(), [trials(256, seed) for seed in range(24)]
    noise = []
    for settings in VARIANTS[:2]:
        estimator = make_estimator("policy_gradient", {**PLAIN, **settings})
        updates = [updates_of(estimator, agent, t)[0] for t in lived]
        noise.append(torch.stack([update.gradients[FIRST] for update in updates]).var(0).sum())
    assert noise[1] < 0.5 * noise[0]


def test_advantages_without_values_are_discounted_returns_and_with_exact_values_td_errors() -> None:
    reward = torch.tensor([[1.0], [0.0], [2.0]])
    nothing = torch.zeros(3, 1)
    assert advantages(reward, nothing, 0.5, 1.0)[:, 0].tolist() == [1.5, 1.0, 2.0]
    value = advantages(reward, nothing, 0.5, 1.0)
    for gae_lambda in (0.0, 0.3, 1.0):
        torch.testing.assert_close(advantages(reward, value, 0.5, gae_lambda), nothing)
    one_step = advantages(reward, torch.ones(3, 1), 0.5, 0.0)
    assert one_step[:, 0].tolist() == [0.5, -0.5, 1.0]


@pytest.mark.parametrize(("steps", "discount"), [(0, 0.0), (2, 0.4), (5, 1.0), (7, 1.0)])
def test_the_discount_rises_outer_step_by_outer_step(steps: int, discount: float) -> None:
    agent = Reader()
    lived = Trials(bandit(), keys(64), as_soon_as_possible, outer_step=steps)
    rising = {**PLAIN, "discount": 1.0, "discount_start": 0.0, "discount_steps": 5}
    updates = []
    for settings in (rising, {**PLAIN, "discount": discount}):
        estimator = make_estimator("policy_gradient", settings)
        (update,) = updates_of(estimator, agent, lived)
        updates.append(update)
    for one, other in zip(updates[0].gradients.values(), updates[1].gradients.values(), strict=True):
        torch.testing.assert_close(one, other)


def test_groups_are_compared_within_themselves() -> None:
    gain = torch.tensor([[1.0, 3.0, 10.0, 20.0]])
    assert centred(gain, 2).tolist() == [[-1.0, 1.0, -5.0, 5.0]]
    assert spread_of(gain, 2).tolist() == [pytest.approx([1.001, 1.001, 5.001, 5.001])]


def test_agents_side_by_side_get_the_gradients_they_would_get_alone() -> None:
    agents = [Reader(0.7), Reader(-0.4)]
    settings = {"expected_reward": True, "entropy": 0.1}
    alone = []
    for number, agent in enumerate(agents):
        estimator = make_estimator("policy_gradient", settings)
        (update,) = updates_of(estimator, agent, trials(8, number))
        alone.append(update)
    both = Trials(bandit(), torch.cat([keys(8, 0), keys(8, 1)]), as_soon_as_possible, groups=2)
    estimator = make_estimator("policy_gradient", settings)
    own = [trained_weights(agent) for agent in agents]
    weights = {name: torch.stack([each[name] for each in own]) for name in own[0]}
    (update,) = updates_of(estimator, agents[0], both, weights=weights)
    for number, single in enumerate(alone):
        torch.testing.assert_close(update.loss[number], single.loss[0])
        for name, wanted in single.gradients.items():
            torch.testing.assert_close(update.gradients[name][number], wanted)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_first_of_several_epochs_is_the_one_pass(settings: dict[str, Any]) -> None:
    agent, results = Reader(), []
    for epochs in (1, 2):
        torch.manual_seed(0)
        estimator = make_estimator("policy_gradient", {**settings, "entropy": 0.1, "epochs": epochs})
        updates = updates_of(estimator, agent, trials(32))
        assert len(updates) == epochs
        results.append(updates[0])
    assert torch.equal(results[0].loss, results[1].loss)
    for one, other in zip(results[0].gradients.values(), results[1].gradients.values(), strict=True):
        torch.testing.assert_close(one, other)


def test_each_epoch_deals_whole_trials_out_anew_and_minibatches_add_up() -> None:
    agent = Reader()
    settings = {"minibatches": 4, "epochs": 3, **PLAIN}
    estimator = make_estimator("policy_gradient", settings)
    updates = updates_of(estimator, agent, trials(32))  # none is applied
    (whole,) = updates_of(make_estimator("policy_gradient", PLAIN), agent, trials(32))
    assert len(updates) == 12
    for epoch in range(3):
        parts = torch.stack([update.gradients[FIRST] for update in updates[4 * epoch : 4 * epoch + 4]])
        torch.testing.assert_close(parts.mean(0), whole.gradients[FIRST])
    assert not torch.allclose(updates[0].gradients[FIRST], updates[4].gradients[FIRST])


def test_what_has_moved_too_far_moves_no_further() -> None:
    agent = Reader()
    estimator = make_estimator("policy_gradient", {"epochs": 2, "clip": 1e-6, **PLAIN})
    weights = trained_weights(agent)
    updates = estimator.updates(agent, weights, trials(64), estimator.initial_memory(weights))
    first = next(updates)
    second = updates.send({name: part - 0.1 * first.gradients[name] for name, part in weights.items()})
    pairs = zip(first.gradients.values(), second.gradients.values(), strict=True)
    along = torch.stack([(one * other).sum() for one, other in pairs]).sum()
    assert float(along) < 0  # what went the right way is cut off, and what went wrong is left to be undone


def recipe(estimator: dict[str, Any], **tables: Any) -> Any:
    training = {
        "estimator": "policy_gradient",
        "estimator_settings": estimator,
        "optimiser": {"learning_rate": 0.02},
    }
    start: dict[str, Any] = {
        "env": {"id": "Badger/Bandit-v0", "arms": 2, "horizon": 8},
        "agent": {
            "experts": 2,
            "feedback_to": "chosen",
            "policy": {
                "kind": "badger_agents.badger.policies.averaging:AveragingPolicy",
                "heads": 2,
                "hidden_size": 8,
                "message_size": 4,
            },
        },
        "training": {"outer_steps": 6, "batch_size": 8, "objective": "as_soon_as_possible", **training},
    }
    for key, change in tables.items():
        start[key] = {**({} if key == "env" else start[key]), **change}
    return small_recipe(**start)


EPOCHS = {"epochs": 2, "minibatches": 2, "value_size": 4, "entropy": 0.1, "entropy_steps": 5}


@pytest.mark.parametrize("estimator", [{"expected_reward": True}, EPOCHS], ids=["plain", "epochs"])
def test_a_run_that_was_stopped_ends_bit_identical(tmp_path: Path, estimator: dict[str, Any]) -> None:
    wanted = recipe(estimator, training={"checkpoint_every": 2})
    train(wanted, 0, tmp_path / "whole")

    def stop(progress: Any) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(wanted, 0, tmp_path / "parts", on_step=stop)
    train(wanted, 0, tmp_path / "parts", resume=True)
    files = [(tmp_path / name / CHECKPOINT).read_bytes() for name in ("whole", "parts")]
    assert files[0] == files[1]
    memory = load_checkpoint(tmp_path / "whole" / CHECKPOINT).estimator
    assert ("value/adam/one.weight/exp_avg_sq" in memory) == ("value_size" in estimator)


@pytest.mark.parametrize("estimator", [{}, {"value_size": 4, "discount_start": 0.0, "discount_steps": 5}])
def test_seeds_side_by_side_learn_what_they_learn_alone(tmp_path: Path, estimator: dict[str, Any]) -> None:
    wanted = recipe({"entropy": 0.1, "entropy_steps": 5, **estimator})
    reasons: list[str] = []
    plans = [RunPlan(wanted, seed, tmp_path / str(seed)) for seed in range(3)]
    together = train_population(plans, on_alone=reasons.append)
    assert not reasons
    for seed, last in enumerate(together):
        alone = train(wanted, seed, tmp_path / f"alone-{seed}")
        rows = [read_log(tmp_path / name / LOG) for name in (str(seed), f"alone-{seed}")]
        one, other = ([row["loss"] for row in own] for own in rows)
        assert one == pytest.approx(other, abs=1e-5)
        assert set(last.estimator) == set(alone.estimator)
        for name, part in alone.estimator.items():
            torch.testing.assert_close(last.estimator[name], part, atol=1e-3, rtol=1e-3)


def test_minibatches_are_dealt_out_seed_by_seed(tmp_path: Path) -> None:
    reasons: list[str] = []
    plans = [RunPlan(recipe(EPOCHS), seed, tmp_path / str(seed)) for seed in range(2)]
    train_population(plans, on_alone=reasons.append)
    assert reasons == ["estimator 'policy_gradient' takes one seed at a time"]


def test_it_needs_draws_and_equal_minibatches() -> None:
    with pytest.raises(RecipeError, match="3 minibatches of 8 trials"):
        recipe({"minibatches": 3})
    with pytest.raises(RecipeError, match="writing = 'score'"):
        recipe({}, env={"id": "Badger/XOR-v0", "bits": 2, "horizon": 2}, agent={"feedback_to": "all"})
