"""Hidden profiles: what each member knows, who is misled, what ratings are worth, and when they count."""

from typing import Any

import numpy as np
import pytest

from badger_envs import keyed_random, make_family
from badger_envs.families.hidden_profile import HiddenProfile


def keys_of(rows: int, split: str = "train") -> np.ndarray:
    return keyed_random.outer_keys(0, 0, rows, split)


def play(family: HiddenProfile, task: Any, ratings: np.ndarray) -> tuple[list, list, Any]:
    """Observations, transitions and last state where option k is rated ratings[:, k] [B, K, O]."""
    state, observations, transitions = family.initial_state(task), [], []
    for _ in range(family.horizon):
        observations.append(family.observe(task, state))
        shown = state.time % task.options
        action = ratings[np.arange(len(ratings)), shown].astype(family.dtype)
        transitions.append(family.step(task, state, action, np.zeros((len(ratings), 0))))
        state = transitions[-1].state
    return observations, transitions, state


def cues(family: HiddenProfile, task: Any) -> np.ndarray:
    """[B, K, O, F]."""
    return task.cues.reshape(*task.value.shape, family.slots.outputs, -1)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", ["choice", "ranking"])
def test_the_value_is_the_mean_of_different_cues_and_rating_by_it_is_right(kind: Any, shuffle: bool) -> None:
    family = HiddenProfile(
        options=(2, 4), members=(1, 5), kind=kind, shuffle_slots=shuffle, capacity=12, horizon=9
    )
    task = family.sample_task(keys_of(300))
    known, used = cues(family, task), task.mask > 0
    for row in range(300):
        for option in range(task.options[row]):
            mine = known[row, option][used[row]]  # [M, F]
            assert (mine[:, :6] == mine[:1, :6]).all()  # shared
            different = np.concatenate([mine[0, :6], mine[:, 6:].reshape(-1)])
            assert task.value[row, option] == pytest.approx(different.mean(), abs=1e-6)
            assert len(np.unique(different)) >= len(different) - 1  # by chance two are equal
    observations, transitions, state = play(family, task, task.value[:, :, None] * task.mask[:, None])
    assert (family.info(task, state)["accuracy"] == 1).all()
    assert all(transition.loss.max() < 1e-8 for transition in transitions)
    assert all((transition.reward == 0).all() for transition in transitions[:-1])
    assert (transitions[-1].reward == 1).all()
    for time, seen in enumerate(observations):
        assert (seen.inputs == known[np.arange(300), time % task.options]).all()
        assert (seen.flags[:, 1] == (time >= 9 - task.options)).all()


def test_the_best_is_lost_on_members_who_know_a_part_in_hidden_profiles_alone() -> None:
    for profile, least, most in (("any", 0.08, 0.095), ("hidden", 0.99, 1.0)):
        family = HiddenProfile(profile=profile)
        task = family.sample_task(keys_of(10_000 if profile == "any" else 1000))
        alone = cues(family, task).sum(-1).argmax(1)  # [B, O]
        misled = (alone != task.value.argmax(1)[:, None]).all(1)
        assert (family.info(task, family.initial_state(task))["hidden"] == misled).all()
        assert least <= misled.mean() <= most
        if profile == "any":
            shared = cues(family, task)[:, :, 0, :6].sum(-1).argmax(1)
            assert (shared != task.value.argmax(1)).mean() == pytest.approx(0.43, abs=0.015)


def test_a_loss_of_zeros_is_1_and_equal_ratings_choose_nothing() -> None:
    family = HiddenProfile(members=3)
    task = family.sample_task(keys_of(5000))
    _, transitions, state = play(family, task, np.zeros((5000, 3, 3)))
    losses = np.stack([transition.loss for transition in transitions])
    assert losses.mean() == pytest.approx(1, abs=4 * float(losses.std()) / 15_000**0.5)
    assert (family.info(task, state)["accuracy"] == 0).all()


def test_the_last_rating_of_each_option_by_each_member_counts() -> None:
    family = HiddenProfile(options=2, members=2, horizon=5)
    task = family.sample_task(keys_of(50))
    ratings = np.stack([1 - 2.0 * task.best, 2.0 * task.best - 1], axis=1)[:, :, None]  # right for both
    state = family.initial_state(task)
    for time in range(5):
        late = time >= 3
        turned = np.array([1.0, 1.0 if late else -1.0])  # the second member changes its mind in the end
        action = (ratings[:, time % 2] * turned).astype("f4")
        state = family.step(task, state, action, np.zeros((50, 0))).state
    assert (family.info(task, state)["accuracy"] == 1).all()
    wrong = family.step(task, state._replace(time=state.time - 1), action * [1, -1], np.zeros((50, 0)))
    assert (wrong.reward == 0.5).all()


@pytest.mark.parametrize(
    ("order", "accuracy"), [([0, 1, 2, 3], 1), ([3, 2, 1, 0], 0), ([1, 0, 2, 3], 0.75), ([0, 0, 0, 0], 0.5)]
)
def test_a_ranking_is_judged_by_how_far_options_stand_from_their_ranks(
    order: list[int], accuracy: float
) -> None:
    family = HiddenProfile(kind="ranking", options=4, members=2, horizon=4)
    task = family.sample_task(keys_of(20))
    ratings = -np.array(order)[task.rank] / 10
    _, _, state = play(family, task, np.stack([ratings, task.value], axis=2))
    assert np.allclose(family.info(task, state)["accuracy"], (accuracy + 1) / 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"options": 1}, "2 at least to choose from"),
        ({"options": (2, 4), "horizon": 6}, "it must be 7 at least"),
        ({"own": 0}, "own is 0"),
        ({"shared": -1}, "shared is -1"),
        ({"members": (2, 4), "test_members": 4}, "overlaps"),
        ({"profile": "manifest"}, "one of any, hidden"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_family("badger_envs.families.hidden_profile:HiddenProfile", settings)


@pytest.mark.parametrize("shared", [0, 2])
def test_who_plays_reads_what_all_know_and_what_each_does(shared: int) -> None:
    family = HiddenProfile(members=2, shared=shared, own=1, capacity=3)
    task = family.sample_task(keys_of(1))
    known = cues(family, task)[0, 0]  # [O, F]
    said = family.sketch(known, task.mask[0] > 0).splitlines()
    own = [f"member {i} knows   {known[i, shared]:+.2f}" for i in range(2)]
    everybody = [f"all members know {known[0, 0]:+.2f} {known[0, 1]:+.2f}"] if shared else []
    assert said == everybody + own
