"""`badger bench`: what it prints, and that what the faces are compared with is what it says."""

import json
import math

import pytest
import torch

from badger_envs import TABLE, family_of, keyed_random, make_batched
from leaderboards.bench import bare_loops, timing
from benchmarks.envs import bare_cycle, bare_trial, has_bare_loop, torch_actions, torch_cycle
from benchmarks.timing import Cycle
from leaderboards.cli import main

GUESSING_GAME, BANDIT = "Badger/GuessingGame-v0", "Badger/Bandit-v0"
SMALL = ["--num-envs", "4", "--batch-size", "8", "--seconds", "0.05", "--json"]


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    main(["bench", "envs", *words, *SMALL])
    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() == {"title", "note", "results"}
    return printed["results"]


def test_the_default_times_three_faces_of_two_ids(capsys: pytest.CaptureFixture[str]) -> None:
    results = bench(capsys)
    names = ("steps_per_second", "reference_steps_per_second", "ratio")
    references = {
        "gymnasium": ("CartPole-v1", 1),
        "vector": ("CartPole-v1", 4),
        "torch": ("bare torch loop", 8),
    }
    rows = [
        (name, face, id, *references[face])
        for face in references
        for id in (GUESSING_GAME, BANDIT)
        for name in names
    ]
    assert [tuple(row[key] for key in ("name", "face", "id", "reference", "envs")) for row in results] == rows
    for row in results:
        assert isinstance(row["value"], float)
        assert 0 < row["value"] < math.inf
        assert row.get("unit") == (None if row["name"] == "ratio" else "1/s")


def test_all_times_the_vector_face_of_every_registered_id(capsys: pytest.CaptureFixture[str]) -> None:
    results = bench(capsys, "--id", "all")
    assert {row["id"] for row in results} == {entry.id for entry in TABLE}
    assert {row["face"] for row in results} == {"vector"}


def test_faces_can_be_chosen_and_what_has_no_bare_loop_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["bench", "envs", "--id", "Badger/XOR-v0", BANDIT, "--face", "torch", "vector", *SMALL])
    printed = json.loads(capsys.readouterr().out)
    timed = {(row["face"], row["id"]) for row in printed["results"]}
    assert timed == {("vector", "Badger/XOR-v0"), ("vector", BANDIT), ("torch", BANDIT)}
    assert "no bare torch loop for Badger/XOR-v0" in printed["note"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--id", "Badger/Nothing-v0"], "Nothing"),
        (["--id", "CartPole-v1"], "no environment of a badger_envs family"),
        (["--id", "Badger/XOR-v0", "--face", "torch"], "no bare torch loop"),
        (["--num-envs", "0"], "--num-envs is 0"),
        (["--batch-size", "-1"], "--batch-size is -1"),
        (["--seconds", "0"], "--seconds is 0"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_what_cannot_be_timed_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "envs", *words])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert says in printed.err


def assert_shows_what_the_face_shows(env, loop, actions: torch.Tensor, observation) -> None:
    fields, outcome = next(loop)
    assert outcome == ()
    torch.testing.assert_close(fields, tuple(observation))
    for action, (fields, (reward, loss, terminated)) in zip(actions, loop, strict=True):
        step = env.step(action)
        torch.testing.assert_close(fields, tuple(step.observation))
        torch.testing.assert_close(reward, step.reward)
        torch.testing.assert_close(loss, step.loss)
        assert torch.equal(terminated, step.terminated)


def test_the_bare_guessing_game_shows_what_the_face_shows() -> None:
    env = make_batched(GUESSING_GAME, 5, dims=4, horizon=6)
    actions = torch_actions(env.family, 5, "cpu")
    observation = env.reset(seed=3)
    loop = bare_loops.guessing_game(env.task.target, actions)
    assert_shows_what_the_face_shows(env, loop, actions, observation)


def test_the_bare_bandit_shows_what_the_face_shows() -> None:
    env = make_batched(BANDIT, 7, arms=4, horizon=9)
    actions = torch_actions(env.family, 7, "cpu")
    keys = keyed_random.outer_keys(3, 0, 7, like=actions)
    observation = env.reset(keys=keys)
    loop = bare_loops.bandit(env.task.mean, env.family.noise(keys, 9)[:, :, 0], actions)
    assert_shows_what_the_face_shows(env, loop, actions, observation)


@pytest.mark.parametrize("id", [GUESSING_GAME, BANDIT])
def test_every_bare_trial_has_new_tasks_of_the_familys_distribution(id: str) -> None:
    family = family_of(id)
    actions = torch_actions(family, 20_000, "cpu")
    env = make_batched(id, 20_000)
    env.reset(seed=0)
    rewards = []
    for _ in range(2):
        env.reset()
        face = env.step(actions[0]).reward
        loop = bare_trial(family, actions)
        next(loop)
        _, (reward, _, _) = next(loop)
        rewards.append(reward)
        assert abs(float(reward.mean() - face.mean())) < 5 * float(face.std()) * math.sqrt(2 / 20_000)
        assert float(reward.std()) == pytest.approx(float(face.std()), rel=0.05)
    assert not torch.equal(*rewards)


@pytest.mark.parametrize(
    ("id", "settings", "answer"),
    [
        (GUESSING_GAME, {}, True),
        (GUESSING_GAME, {"dims": 7, "horizon": 3}, True),
        (GUESSING_GAME, {"dims": (1, 3)}, False),
        (GUESSING_GAME, {"capacity": 5}, False),
        (GUESSING_GAME, {"target_scale": 0.5}, False),
        (GUESSING_GAME, {"shuffle_slots": True}, False),
        (BANDIT, {}, True),
        (BANDIT, {"arms": 50, "horizon": 10}, True),
        (BANDIT, {"arms": (2, 5)}, False),
        (BANDIT, {"kind": "gaussian"}, False),
        ("Badger/XOR-v0", {}, False),
    ],
)
def test_only_what_a_bare_loop_plays_is_compared_with_it(
    id: str, settings: dict[str, object], answer: bool
) -> None:
    assert has_bare_loop(family_of(id, **settings)) is answer


@pytest.mark.parametrize("make", [torch_cycle, bare_cycle])
@pytest.mark.parametrize("id", [GUESSING_GAME, BANDIT])
def test_a_torch_cycle_is_one_trial(make, id: str) -> None:
    assert make(id, 6, "cpu")() == 6 * family_of(id).horizon


class Clock:
    """A clock that only the cycles played move on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.played = ""

    def perf_counter(self) -> float:
        return self.now

    def side(self, name: str, steps: int, *seconds: float) -> Cycle:
        """A cycle that takes so long, one time after the other, and the last time from then on."""
        left = list(seconds)

        def cycle() -> int:
            self.played += name
            self.now += left.pop(0) if len(left) > 1 else left[0]
            return steps

        return cycle


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_what_takes_half_the_time_has_twice_the_speed(clock: Clock) -> None:
    speeds = timing.compare(clock.side("a", 3, 0.25), clock.side("b", 3, 0.5), 60.0)
    assert set(speeds.subject) == {12.0}
    assert set(speeds.reference) == {6.0}
    assert speeds.ratio == 2.0
    assert len(speeds.subject) == len(speeds.reference) == timing.ROUNDS
    assert clock.played.count("a") == pytest.approx(
        2 * clock.played.count("b"), rel=0.1
    )  # as long as each other
    assert clock.now == pytest.approx(60.0, rel=0.1)


def test_sides_are_timed_in_turns_and_who_goes_first_alternates(clock: Clock) -> None:
    timing.compare(clock.side("a", 1, 2.0), clock.side("b", 1, 3.0), 1.0)
    assert clock.played == "ab" + "abbaab"  # each once to warm up, then the least number of rounds


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    assert timing.Comparison([1.0, 10.0, 6.0], [2.0, 2.0, 2.0]).ratio == 3.0


def test_a_slice_of_time_is_filled_by_what_the_second_cycle_took(clock: Clock) -> None:
    assert timing.cycles_in(clock.side("a", 1, 0.5, 0.25), 2.0) == 8
