"""Sequences: visits in their order, the same task again, forgetting and transfer, slots of the widest."""

from typing import Any

import numpy as np
import pytest

from badger_envs import family_of, keyed_random, testing
from badger_envs.combinators.sequence import Sequence
from badger_envs.families.guessing_game import GuessingGame

GAME = {"id": "Badger/GuessingGame-v0", "horizon": 4}


def play(family: Sequence, choose: Any, rows: int = 30) -> tuple[list, list, dict]:
    """Observations, transitions and last info; `choose(task, state, step)` acts."""
    keys = keyed_random.outer_keys(0, 0, rows, family.split)
    task = family.sample_task(keys)
    state, noise = family.initial_state(task), family.noise(keys, family.horizon)
    seen, moves = [family.observe(task, state)], []
    for time in range(family.horizon):
        moves.append(family.step(task, state, choose(task, state, time), noise[:, time]))
        state = moves[-1].state
        seen.append(family.observe(task, state))
    return seen, moves, family.info(task, state)


def sequence(**changes: Any) -> Sequence:
    return Sequence(**{"tasks": (GAME, GAME), "horizon": 12, **changes})  # type: ignore[arg-type]


def zeros(task: Any, state: Any, step: int) -> np.ndarray:
    return np.zeros((len(state.time), 3), np.float32)


def test_a_task_visited_again_is_the_same_and_the_first_is_that_of_the_same_keys_alone() -> None:
    _, moves, info = play(sequence(), zeros)
    loss = np.stack([move.loss for move in moves])
    keys = keyed_random.outer_keys(0, 0, 30)
    alone = GuessingGame(horizon=4)
    task = alone.sample_task(keys)
    first = alone.step(task, alone.initial_state(task), zeros(None, alone.initial_state(task), 0), None).loss
    np.testing.assert_array_equal(loss[0], first)
    np.testing.assert_array_equal(loss[8], first)
    assert (loss[4] != first).all()
    assert (info["forgetting"] == 0).all()
    np.testing.assert_allclose(info["transfer"], info["loss_0"] - info["loss_1"])
    np.testing.assert_allclose(info["loss"], loss.mean(0), rtol=1e-6)


def test_another_task_alone_is_the_one_of_the_sequence() -> None:
    """B after A is compared with B alone on the same tasks."""
    after, alone = play(sequence(), zeros)[2], play(sequence(order=(1,), horizon=4), zeros)[2]
    np.testing.assert_array_equal(after["loss_1"], alone["loss_0"])


def test_who_keeps_the_first_task_forgets_less() -> None:
    family = sequence()

    def learn(task: Any, state: Any, step: int) -> np.ndarray:
        right = family.solution(task, state)
        return right if step % 4 == 3 or step >= 8 else 0 * right  # at the end of a visit; at once when again

    info = play(family, learn)[2]
    assert (info["forgetting"] < 0).all()
    assert (info["loss_2"] == 0).all()
    assert info["is_success"].all()
    assert not play(family, zeros)[2]["is_success"].any()


def test_one_task_in_several_episodes() -> None:
    """RL2's protocol: the task stays, each begin is told."""
    seen, moves, info = play(sequence(tasks=(GAME,), order=(0, 0, 0)), zeros)
    assert [time for time, one in enumerate(seen) if one.feedback[:, 1].any()] == [4, 8]
    np.testing.assert_array_equal(moves[4].loss, moves[0].loss)
    np.testing.assert_array_equal(info["loss_2"], info["loss_0"])


@pytest.mark.parametrize("signed", [True, False])
def test_the_begin_of_a_visit_is_told_if_asked_for(signed: bool) -> None:
    seen, _, _ = play(sequence(signed=signed), zeros)
    assert seen[0].feedback.shape[1] == 1 + signed
    for time, observation in enumerate(seen):
        if signed:
            assert (observation.feedback[:, 1] == (time in (4, 8))).all(), time
        assert (observation.flags[:, 0] == (time == 0)).all()
    assert (seen[4].outputs == 0).all()  # begun anew


def test_tasks_of_other_sizes_stand_in_the_slots_of_the_widest() -> None:
    tasks = ({**GAME, "dims": 2}, {"id": "Badger/VariableIO-affine-v0", "horizon": 3, "support": 1})
    family = sequence(tasks=tasks, order=(0, 1), horizon=7)
    assert family.slots.outputs == 3
    assert family.slots.output_feedback == 2
    seen, _, _ = play(family, lambda task, state, step: np.ones((30, 3), np.float32))
    assert all((one.output_mask == 1).all() for one in seen)
    assert (seen[1].outputs == [1, 1, 0]).all()  # the game has two
    assert (seen[6].outputs == 1).all()
    testing.check_family(family)


def test_categorical_tasks_and_their_expected_rewards() -> None:
    tasks = ({"id": "Badger/Bandit-v0", "arms": 3, "horizon": 2}, {"id": "Badger/RandomMDP-v0", "choices": 3})
    testing.check_family(sequence(tasks=tasks, order=(1, 0, 1), horizon=14))


def test_after_the_last_visit_the_order_begins_anew_and_a_visit_may_be_cut_short() -> None:
    seen, moves, info = play(sequence(horizon=14), zeros)
    np.testing.assert_array_equal(moves[12].loss, moves[0].loss)
    assert (seen[12].feedback[:, 1] == 1).all()
    assert moves[13].terminated.all()
    np.testing.assert_allclose(info["loss_0"], info["loss_2"])


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"tasks": [{"id": "os:system"}]}, ValueError, "must be a registered id"),
        ({"tasks": [{"id": "CartPole-v1"}]}, ValueError, "must be a registered id of a family"),
        ({"tasks": [{"dims": 3}]}, TypeError, "tables such as"),
        ({"tasks": [{"id": "Badger/XOR-v0", "split": "test"}]}, ValueError, "leave it out"),
        ({"tasks": [{"id": "Badger/XOR-v0"}, GAME]}, ValueError, "binary, continuous; they must be of one"),
        (
            {"tasks": [{"id": "Badger/Bandit-v0"}, {"id": "Badger/Bandit-k5-n10-v0"}]},
            ValueError,
            r"\[5, 10\] output slots; give all one capacity: 10",
        ),
        ({"order": [0, 2]}, ValueError, "order is 2"),
        ({"order": []}, ValueError, "list of 1 to 16"),
        ({"tasks": [{**GAME, "dim": 3}], "order": [0]}, TypeError, "no setting 'dim'"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        family_of("Badger/Sequence-v0", **settings)
