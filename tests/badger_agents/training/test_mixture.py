"""Mixtures: an outer step samples one of several families; weights serve all that are no wider."""

from pathlib import Path
from typing import Any

import pytest
import torch

from badger_agents.agent import LearnedAgent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.membrane.base import widened
from badger_agents.recipe.loading import Recipe, RecipeError, check_recipe, load_recipe
from badger_agents.rollout import rollout
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.curriculum import Curriculum, Place
from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from badger_agents.training.run import CHECKPOINT, LOG
from badger_envs.family import Slots
from badger_envs.registry import TABLE, family_of
from tests.badger_agents.small import badger_settings, keys, seen_at

GAME = {"id": "Badger/GuessingGame-v0", "horizon": 4}
MIXTURE: list[dict[str, Any]] = [
    {"env": {"horizon": [3, 4]}, "agent": {"experts": [1, 3]}, "weight": 3},
    {"env": {**GAME, "dims": [1, 2]}},
    {"env": {"id": "Badger/XOR-v0"}, "weight": 2},
]


def mixed(stages: list[dict[str, Any]] | None = None, **training: Any) -> Recipe:
    tables = {
        "name": "mixed",
        "env": {"id": "Badger/VariableIO-v0", "support": 2, "horizon": 4},
        "agent": {"membrane": {"kind": "attentional"}, "policy": {"hidden_size": 4}},
        "training": {
            "outer_steps": 10,
            "batch_size": 4,
            "validate_every": 2,
            "validation_trials": 8,
            "log_every": 1,
            "stages": [{"mixture": MIXTURE}] if stages is None else stages,
            **training,
        },
    }
    return check_recipe(tables, "recipe")


def curriculum(recipe: Recipe, seed: int = 0) -> Curriculum:
    agent = recipe.make_agent(seed)
    assert isinstance(agent, LearnedAgent)
    return Curriculum(recipe, agent, seed)


def test_entries_are_sampled_by_weight_and_the_same_for_the_same_seed_and_step() -> None:
    one, other, another = (curriculum(mixed(), seed) for seed in (0, 0, 1))
    steps = range(600)
    names = [type(one.sample(Place(), step).family).__name__ for step in steps]
    assert names == [type(other.sample(Place(), step).family).__name__ for step in steps]
    assert names != [type(another.sample(Place(), step).family).__name__ for step in steps]
    for name, share in (("VariableIO", 3 / 6), ("GuessingGame", 1 / 6), ("XOR", 2 / 6)):
        assert names.count(name) / len(names) == pytest.approx(share, abs=0.06)


def test_each_entry_has_its_own_settings_and_pairs() -> None:
    made = curriculum(mixed())
    met: dict[str, set[tuple[int, int]]] = {}
    for step in range(200):
        family, agent, *_ = made.sample(Place(), step)
        met.setdefault(type(family).__name__, set()).add((family.horizon, agent.settings.experts))
    assert met["VariableIO"] == {(horizon, experts) for horizon in (3, 4) for experts in (1, 2, 3)}
    assert met["GuessingGame"] == {(4, 3)}
    assert met["XOR"] == {(4, 3)}  # its own horizon, not the recipe's


def test_a_mixture_trains_and_resumes_bit_identically(tmp_path: Path) -> None:
    train(mixed(), 2, tmp_path / "whole")

    def interrupt(progress: Any) -> None:
        if progress.step == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(mixed(checkpoint_every=1), 2, tmp_path / "cut", on_step=interrupt)
    whole = load_checkpoint(tmp_path / "whole" / CHECKPOINT)
    train(mixed(checkpoint_every=1), 2, tmp_path / "cut", resume=True)
    cut = load_checkpoint(tmp_path / "cut" / CHECKPOINT)
    assert all(torch.equal(tensor, cut.weights[name]) for name, tensor in whole.weights.items())


def test_a_stage_ends_when_every_entry_has_reached_its_own(tmp_path: Path) -> None:
    easy = {"env": GAME, "until": 1e9}
    for until, stages in ((1e9, {0, 1}), (-1.0, {0})):
        folder = tmp_path / str(until)
        train(mixed([{"mixture": [easy, {"until": until}]}, {}]), 0, folder)
        rows = read_log(folder / LOG)
        assert {row["stage"] for row in rows} == stages
        assert [row["step"] for row in rows if "validation" in row] == (
            [2] if 1 in stages else [2, 4, 6, 8, 10]
        )


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"mixture": [{"weight": 0}]}, "mixture.0.weight is 0"),
        ({"mixture": [{"colour": 1}]}, "colour: unknown key; known keys: env, agent, until, weight"),
        ({"mixture": [{}, {"env": {"id": "Badger/Nope-v0"}}]}, r"stages\[0\]\.mixture\[1\]: .*Nope"),
        ({"mixture": [{"env": {"id": 3}}]}, r"mixture\[0\]: id is 3; it must be a registered id"),
        ({"mixture": [{"env": {**GAME, "support": 2}}]}, r"mixture\[0\]: .*no setting 'support'"),
        ({"mixture": [{"agent": {"experts": [4, 2]}}]}, r"mixture\[0\]: experts is \[4, 2\]; a pair must"),
        ({"mixture": [{}], "until": 0.1}, r"stages\[0\]: until is given beside a mixture"),
        ({"mixture": [{}], "env": {"inputs": 1}}, r"stages\[0\]: env is given beside a mixture"),
    ],
)
def test_wrong_mixtures_are_told_before_training(stage: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        mixed([stage])


def test_a_mixture_that_would_never_end_is_told() -> None:
    with pytest.raises(RecipeError, match=r"stages\[0\]: it would never end"):
        mixed([{"mixture": [{}, {"env": GAME}]}, {}])


def test_a_family_wider_than_the_recipes_own_is_refused() -> None:
    tables = mixed().model_dump()
    tables["env"] = GAME
    tables["training"]["stages"] = [{"mixture": [{"env": {"id": "Badger/VariableIO-v0"}}]}]
    with pytest.raises(RecipeError, match=r"mixture\[0\]: .*output_feedback = 0, not 2"):
        check_recipe(tables, "recipe")


# widths


@pytest.mark.parametrize("id", ["Badger/GuessingGame-v0", "Badger/HotCold-gradient-d10-v0", "Badger/XOR-v0"])
def test_what_a_family_lacks_reads_as_zeros(id: str) -> None:
    family = family_of(id)
    seen = seen_at(family, keys(3), time=2)
    slots = family.slots
    wide = widened(seen, Slots(0, slots.input_size + 2, 0, slots.feedback + 1, slots.output_feedback + 3))
    for name, more in (("inputs", 2), ("feedback", 1), ("output_feedback", 3)):
        before, after = getattr(seen, name), getattr(wide, name)
        assert torch.equal(after[..., :-more], before)
        assert after[..., -more:].abs().sum() == 0
        assert after.shape[-1] == before.shape[-1] + more
    for name in ("input_mask", "outputs", "output_mask", "flags"):
        assert getattr(wide, name) is getattr(seen, name)
    assert all(a is b for a, b in zip(widened(seen, slots), seen, strict=True))


@pytest.mark.parametrize("membrane", ["attentional", "hardwired"])
@pytest.mark.parametrize("id", ["Badger/GuessingGame-v0", "Badger/HotCold-v0", "Badger/XOR-v0"])
def test_an_agent_made_for_one_family_acts_in_narrower_ones(id: str, membrane: str) -> None:
    settings = {"dtype": "float64"}
    home, family = family_of("Badger/VariableIO-v0", **settings), family_of(id, **settings)
    made = badger_settings(membrane=membrane, experts=6)
    agent = BadgerAgent(home, made, action_kind=family.action_kind).double()
    played = rollout(agent, family, keys(5))
    assert played.loss.shape == (family.horizon, 5)
    assert played.loss.isfinite().all()
    other = BadgerAgent(family, made, action_kind=home.action_kind).double()
    with pytest.raises(ValueError, match="output_feedback = 0, not 2"):
        other.initial_state(home, keys(2))


def test_by_loss_what_is_not_learned_yet_is_sampled_more_often() -> None:
    made = curriculum(mixed([{"mixture": MIXTURE, "sample_by": "loss"}]))
    place = made.noted(Place(), 0, 0.5)
    assert sorted(place.losses) == [0.95, 1.0, 1.0]
    assert curriculum(mixed()).noted(Place(), 0, 0.5) == Place()
    assert made.noted(place, 0, float("nan")) == place
    names = [type(made.sample(Place(losses=(0.5, 0.0, 0.5)), step).family).__name__ for step in range(600)]
    for name, share in (("VariableIO", 1.5 / 2.6), ("GuessingGame", 0.1 / 2.6), ("XOR", 1 / 2.6)):
        assert names.count(name) / len(names) == pytest.approx(share, abs=0.06)


def test_by_progress_what_changes_is_sampled_more_often() -> None:
    made = curriculum(mixed([{"mixture": MIXTURE, "sample_by": "progress"}]))
    place = made.noted(Place(), 0, 0.5)
    assert sorted(place.losses) == [0.95, 1.0, 1.0]
    assert sorted(place.former_losses) == [0.985, 1.0, 1.0]
    place = Place(losses=(0.4, 0.9, 0.7), former_losses=(0.6, 0.8, 0.7))  # falls, rises, stands still
    names = [type(made.sample(place, step).family).__name__ for step in range(600)]
    for name, share in (("VariableIO", 0.6 / 0.74), ("GuessingGame", 0.1 / 0.74), ("XOR", 0.04 / 0.74)):
        assert names.count(name) / len(names) == pytest.approx(share, abs=0.06)
    still = Place(losses=(0.4, 0.9, 0.7), former_losses=(0.4, 0.9, 0.7))
    assert [made.sampled(still, step) for step in range(30)] == [
        curriculum(mixed()).sampled(Place(), step) for step in range(30)
    ]


@pytest.mark.parametrize("sample_by", ["loss", "progress"])
def test_running_losses_are_kept_in_checkpoints_and_resumed_bit_identically(
    tmp_path: Path, sample_by: str
) -> None:
    recipe = mixed([{"mixture": MIXTURE, "sample_by": sample_by}], outer_steps=6, checkpoint_every=3)
    whole = train(recipe, 2, tmp_path / "whole")
    assert len(set(whole.place.losses)) > 1

    def interrupt(progress: Any) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, 2, tmp_path / "cut", on_step=interrupt)
    again = train(recipe, 2, tmp_path / "cut", resume=True)
    assert again.place == whole.place
    assert all(torch.equal(again.weights[name], weight) for name, weight in whole.weights.items())


def test_losses_are_divided_by_the_scale_of_the_entry(tmp_path: Path) -> None:
    logged = []
    for scale in (1.0, 4.0):
        recipe = mixed([{"mixture": [{"env": GAME, "loss_scale": scale}]}], outer_steps=1)
        train(recipe, 0, tmp_path / str(scale))
        logged.append(read_log(tmp_path / str(scale) / LOG)[0]["loss"])
    assert logged[0] == pytest.approx(4 * logged[1])


def test_the_generalist_acts_in_every_id_of_the_suite() -> None:
    recipe = load_recipe("generalist")
    agents: dict[str, Any] = {}
    for entry in TABLE:
        family = family_of(entry.id, split="test")
        kind = family.action_kind
        agent = agents.setdefault(kind, recipe.make_agent(action_kind=kind, experts=4))
        names = keys(2)
        state, task = agent.initial_state(family, names), family.sample_task(names)
        _, action, _ = agent.act(state, family.observe(task, family.initial_state(task)), names, 0)
        assert torch.isfinite(action).all(), entry.id
