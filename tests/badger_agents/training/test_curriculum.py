"""Curricula: stages end when they should, draw what they say, and share one set of weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.recipe.checking import check_same_weights
from badger_agents.recipe.loading import Recipe, RecipeError, check_recipe
from badger_agents.training import curriculum as curriculum_module
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.curriculum import Curriculum, Place
from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from badger_agents.training.run import CHECKPOINT, LOG
from badger_agents.training.state import trained_weights
from tests.badger_agents.small import TRUST

STAGES: list[dict[str, Any]] = [
    {"outer_steps": 3, "env": {"dims": 1}, "rate_factor": 0.5},
    {
        "until": 1e9,
        "env": {"dims": [1, 2], "horizon": [2, 5]},
        "agent": {"experts": [1, 4], "rounds": [1, 2]},
    },
    {"env": {"dims": [1, 3]}, "batch_size": 3},
]


def staged(
    stages: list[dict[str, Any]] = STAGES, agent: dict[str, Any] | None = None, **training: Any
) -> Recipe:
    tables = {
        "name": "staged",
        "env": {"id": "Badger/GuessingGame-v0", "horizon": 4},
        "agent": {"membrane": {"kind": "attentional"}, "policy": {"hidden_size": 4}, **(agent or {})},
        "training": {
            "outer_steps": 12,
            "batch_size": 4,
            "validate_every": 2,
            "validation_trials": 8,
            "log_every": 1,
            "checkpoint_every": 1,
            "stages": stages,
            **training,
        },
    }
    return check_recipe(tables, "recipe", TRUST)


def curriculum(recipe: Recipe, seed: int = 3) -> Curriculum:
    agent = recipe.make_agent(seed)
    assert isinstance(agent, LearnedAgent)
    return Curriculum(recipe, agent, seed)


def test_a_stage_draws_within_its_pairs_and_the_same_for_the_same_step() -> None:
    one, other = curriculum(staged()), curriculum(staged())
    place = Place(1, 0)
    samples = [one.sample(place, step) for step in range(60)]
    experts = [sampled.agent.settings.experts for sampled in samples]
    horizons = [sampled.family.horizon for sampled in samples]
    assert set(experts) == {1, 2, 3, 4}
    assert set(horizons) == {2, 3, 4, 5}
    assert experts == [other.sample(place, step).agent.settings.experts for step in range(60)]
    assert len({(e, h) for e, h in zip(experts, horizons, strict=True)}) > 8  # drawn apart


def test_a_settings_seed_gives_all_outer_seeds_the_same_draws_and_lets_them_be_stacked() -> None:
    mixed: list[dict[str, Any]] = [{"mixture": [{"env": {"dims": [1, 3]}}, {"agent": {"experts": [1, 4]}}]}]
    own, shared = staged(mixed), staged(mixed, settings_seed=7)
    by_loss = staged([{**mixed[0], "sample_by": "loss"}], settings_seed=7)  # losses are each seed's own

    def drawn(recipe: Recipe, seed: int) -> list[str]:
        made = curriculum(recipe, seed)
        return [made.sampled(Place(), step) for step in range(30)]

    assert drawn(own, 3) != drawn(own, 4)
    assert drawn(shared, 3) == drawn(shared, 4) == drawn(own, 7)
    assert [recipe.training and recipe.training.stackable for recipe in (own, shared, by_loss)] == [
        False,
        True,
        False,
    ]


class Centred(ExpertPolicy):
    """Keeps a running mean of what it reads in a buffer that is saved."""

    def __init__(self, reading_size: int) -> None:
        super().__init__()
        self.message_size = 1
        self.norm = torch.nn.BatchNorm1d(reading_size)
        self.linear = torch.nn.Linear(reading_size + 1, 2)

    def initial_state(self, draws: Tensor) -> Tensor:
        return draws

    def out(self, inbox: Tensor, reading: Tensor) -> Tensor:
        centred = self.norm(reading.flatten(0, 1)).view_as(reading)
        return self.linear(torch.cat([inbox, centred], dim=-1))

    def emit(self, state: Tensor, reading: Tensor) -> Tensor:
        return self.out(reading[..., :1] * 0, reading)[..., 1:]

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        return state, self.out(inbox, reading)[..., :1]


def test_agents_of_all_stages_have_the_very_same_saved_buffers(tmp_path: Path) -> None:
    stages = [{"outer_steps": 4, "agent": {"rounds": [2, 3]}}, {}]
    recipe = staged(stages, agent={"policy": {"kind": f"{__name__}:Centred"}})
    train(recipe, 0, tmp_path / "whole")

    def interrupt(progress: Any) -> None:
        if progress.step == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(recipe, 0, tmp_path / "parts", on_step=interrupt)
    last = train(recipe, 0, tmp_path / "parts", resume=True)
    assert last.weights["policy.norm.num_batches_tracked"] > 12 * 4
    assert (tmp_path / "parts" / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()


def test_weights_of_another_shape_are_not_shared() -> None:
    small, large = staged().make_agent(), staged().make_agent(policy={"hidden_size": 5})
    assert isinstance(small, LearnedAgent)
    assert isinstance(large, LearnedAgent)
    with pytest.raises(ValueError, match="other weights"):
        check_same_weights(small, large)


def test_stages_end_by_steps_and_by_validation(tmp_path: Path) -> None:
    train(staged(), 0, tmp_path)
    rows = read_log(tmp_path / LOG)
    assert [row["stage"] for row in rows] == [0, 0, 0, 1] + [2] * 8  # the second ends at the first validation
    assert [row["step"] for row in rows if "validation" in row] == [4]
    rates = [row["learning_rate"] for row in rows]
    assert rates[0] == pytest.approx(0.5 * 3e-3)
    assert rates[2] == pytest.approx(0.5 * 3e-3 * 10 / 12)  # the schedule goes on through all stages
    assert rates[3] == pytest.approx(3e-3 * 9 / 12)
    assert load_checkpoint(tmp_path / CHECKPOINT).place == Place(2, 4)


def test_a_stage_whose_score_is_not_reached_goes_on(tmp_path: Path) -> None:
    hard = [{"until": -1.0}, {"env": {"dims": 1}}]
    train(staged(hard), 0, tmp_path)
    assert {row["stage"] for row in read_log(tmp_path / LOG)} == {0}


def test_higher_is_better_where_the_family_says_so(tmp_path: Path) -> None:
    recipe = staged([{"until": 2.0}, {"outer_steps": 1, "until": 0.0}, {}])
    tables = recipe.model_dump()
    tables["env"] = {"id": "Badger/XOR-v0"}
    train(check_recipe(tables, "recipe"), 0, tmp_path)
    assert {row["stage"] for row in read_log(tmp_path / LOG)} == {0}  # accuracy 2 is never reached


def test_a_resumed_run_is_the_same_in_every_stage(tmp_path: Path) -> None:
    train(staged(), 5, tmp_path / "whole")
    for stop in (2, 3, 4, 7):
        folder = tmp_path / f"stop{stop}"

        def interrupt(progress: Any, stop: int = stop) -> None:
            if progress.step == stop:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            train(staged(), 5, folder, on_step=interrupt)
        train(staged(), 5, folder, resume=True)
        assert (folder / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"until": 0.1, "colour": 1}], "stages.0.colour: unknown key"),
        ([{}, {}], r"training.stages\[0\]: it would never end"),
        ([{"until": 0.1}, {"until": 0.1}], r"stages\[1\]: until is given, but the last stage"),
        ([{"agent": {"experts": [4, 2]}}], r"stages\[0\]: experts is \[4, 2\]; a pair must be"),
        ([{"agent": {"experts": [0, 2]}}], r"a pair must be"),
        ([{"agent": {"policy": {"hidden_size": 5}}}], r"stages\[0\]: other weights"),
        ([{"env": {"dims": "three"}}], r"stages\[0\]: dims"),
        ([{"agent": {"musical": True}}], r"stages\[0\]: agent.musical: unknown key"),
        ([{"outer_steps": 0}, {}], "outer_steps is 0"),
    ],
)
def test_wrong_stages_are_told_before_training(stages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        staged(stages)


def test_what_is_validated_is_what_is_sampled_but_for_the_split() -> None:
    """A stage with a long horizon and much support; the recipe's own horizon is too short for it."""
    env = {"horizon": 30, "support": 25}
    tables = {
        "name": "long",
        "env": {"id": "Badger/VariableIO-v0"},
        "agent": {"policy": {"hidden_size": 4}, "experts": 5},
        "training": {"outer_steps": 2, "batch_size": 2, "validation_trials": 2, "validate_every": 1},
    }
    stages = [
        {"until": 1e9, "env": env, "agent": {"rounds": [1, 2]}},
        {"env": {"horizon": [22, 24], "support": 20}},
    ]
    tables["training"] |= {"stages": stages, "keep_best": True}
    made = curriculum(check_recipe(tables, "recipe"))
    met: list[Any] = []
    made_evaluate = curriculum_module.evaluate

    def spy(agent: Any, family: Any, trials: int, *, seed: int, device: str) -> Any:
        met.append((family, agent, seed))
        return made_evaluate(agent, family, trials, seed=seed, device=device)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curriculum_module, "evaluate", spy)
        weights = trained_weights(made.agent)
        place, _ = made.next(Place(), 1, weights)
        assert place == Place(1, 1)
        made.next(place, 2, weights)
    (first, _, seed), (second, _, other_seed) = met
    sampled = made.sample(Place(), 0)
    assert {**sampled.family.settings(), "split": "validation"} == {**first.settings(), "split": "validation"}
    assert first.split == second.split == "validation"
    assert (first.horizon, first.support, second.horizon, second.support) == (30, 25, 24, 20)
    assert seed == other_seed == 0  # the same tasks for all outer seeds


def test_a_validation_that_cannot_be_is_told_before_training() -> None:
    with pytest.raises(RecipeError, match=r"stages\[0\]"):
        staged([{"until": 0.1, "env": {"dims": [1, 2], "horizon": [0, 5]}}, {}])


def test_tables_within_are_merged() -> None:
    recipe = staged([{"agent": {"membrane": {"window_length": 7}, "policy": {"state_noise": 0.0}}}])
    agent: Any = curriculum(recipe).sample(Place(), 0).agent
    assert agent.settings.membrane.window_length == 7
    assert agent.policy.state_noise == 0
    assert agent.policy.cell.hidden_size == 4


def test_the_anti_collapse_term_counts_and_needs_messages(tmp_path: Path) -> None:
    losses = {}
    for weight in (0.0, 0.5):
        train(staged([], anti_collapse=weight, outer_steps=1), 0, tmp_path / str(weight))
        losses[weight] = read_log(tmp_path / str(weight) / LOG)[0]["loss"]
    assert 0 < losses[0.5] - losses[0.0] <= 0.5
    tables = staged([], anti_collapse=0.5).model_dump()
    tables["agent"] = {"kind": "baselines.monolith.monolith:Monolith"}
    with pytest.raises(RecipeError, match="anti_collapse"):
        check_recipe(tables, "recipe")


def test_collapse_is_1_for_equals_and_0_for_those_well_apart() -> None:
    from badger_agents.estimators.objectives import collapse

    same = torch.ones(2, 3, 5, 4)
    apart = torch.randn(2, 3, 500, 4, generator=torch.Generator().manual_seed(0)) * 3
    assert collapse(same) == pytest.approx(1, abs=2e-3)
    assert collapse(apart) == 0
