"""Named randomness: published vectors, equality of backends, streams that never meet."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from badger_envs import keyed_random

# Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, result.
PUBLISHED = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.text(min_size=1, max_size=8)


def hexadecimal(words: str) -> list[np.ndarray]:
    return [np.array([int(word, 16)], np.int64) for word in words.split()]


def keys_of(seeds: list[int], split: str = "train") -> np.ndarray:
    return keyed_random.trial_keys(seeds, 0, split)


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
@pytest.mark.parametrize("backend", [np.asarray, torch.from_numpy])
def test_philox_gives_the_published_vectors(counter: str, key: str, result: str, backend: object) -> None:
    drawn = keyed_random.philox(
        [backend(w) for w in hexadecimal(counter)], [backend(w) for w in hexadecimal(key)]
    )
    assert [int(word[0]) for word in drawn] == [int(word, 16) for word in result.split()]


def test_philox_leaves_counter_and_key_as_they_are() -> None:
    arrays = [np.arange(4, dtype=np.int64) + i for i in range(6)]
    copies = [array.copy() for array in arrays]
    keyed_random.philox(arrays[:4], arrays[4:])
    assert all(map(np.array_equal, arrays, copies))


@given(st.lists(SEEDS, min_size=1, max_size=4), NAMES, st.integers(1, 40), st.integers(0, 1000))
def test_draws_are_bit_equal_on_numpy_and_torch(seeds: list[int], name: str, count: int, start: int) -> None:
    keys = keys_of(seeds)
    there = torch.from_numpy(keys)
    for dtype in ("float32", "float64"):
        here = keyed_random.uniform(keys, name, count, start, dtype)
        assert here.dtype == dtype
        assert np.array_equal(here, keyed_random.uniform(there, name, count, start, dtype).numpy())
    assert np.array_equal(
        keyed_random.integers(keys, name, count, -3, 10**9, start),
        keyed_random.integers(there, name, count, -3, 10**9, start).numpy(),
    )
    assert np.array_equal(
        keyed_random.permutation(keys, name, count), keyed_random.permutation(there, name, count).numpy()
    )
    normals = keyed_random.normal(keys, name, count, start, "float64")
    assert np.allclose(
        normals, keyed_random.normal(there, name, count, start, "float64").numpy(), rtol=1e-12, atol=1e-12
    )


@given(SEEDS, NAMES, st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 30))
def test_piece_by_piece_is_at_once(seed: int, name: str, pieces: list[int], start: int) -> None:
    keys = keys_of([seed, seed + 1])
    places = np.cumsum([start, *pieces])[:-1].tolist()
    for draw in (keyed_random.words, keyed_random.uniform, keyed_random.normal):
        whole = draw(keys, name, sum(pieces), start)
        parts = [draw(keys, name, n, place) for n, place in zip(pieces, places, strict=True)]
        assert np.array_equal(whole, np.concatenate(parts, axis=1))


def test_a_row_does_not_depend_on_its_batch() -> None:
    seeds = list(range(50))
    whole = keyed_random.words(keys_of(seeds), "name", 7)
    assert np.array_equal(whole[[13]], keyed_random.words(keys_of([13]), "name", 7))


def test_both_dtypes_see_the_same_numbers() -> None:
    keys = keys_of([1, 2, 3])
    single = keyed_random.uniform(keys, "name", 1000)
    assert np.array_equal(
        single.astype(np.float64), keyed_random.uniform(keys, "name", 1000, dtype="float64")
    )
    assert single.min() >= 0
    assert single.max() < 1


def test_streams_of_other_names_seeds_trials_steps_splits_and_rows_are_others() -> None:
    keys = [keyed_random.trial_keys([0], trial, split) for trial in range(3) for split in keyed_random.SPLITS]
    keys += [keys_of([seed]) for seed in (*range(1, 50), 2**32, 2**33 + 1, 2**64 - 1)]
    keys += [
        keyed_random.outer_keys(seed, step, 5, split)
        for seed in (100, 101, 2**40)
        for step in (0, 1)
        for split in keyed_random.SPLITS
    ]
    streams = [keyed_random.words(rows, name, 4) for rows in keys for name in ("one", "other")]
    drawn = np.concatenate(streams)
    assert len(np.unique(drawn, axis=0)) == len(drawn)


@pytest.mark.parametrize("split", keyed_random.SPLITS)
def test_outer_keys_name_seed_step_row_and_split(split: str) -> None:
    keys = keyed_random.outer_keys(2**40 + 3, 17, 4, split, first_row=6)
    assert keys.dtype == np.int64
    rows = 4 * np.arange(6, 10) + keyed_random.split_index(split)
    assert np.array_equal(keys[:, 3], rows)
    assert np.array_equal(keys[:, :3], np.tile([3, 2**8, 17], (4, 1)))
    like = keyed_random.outer_keys(2**40 + 3, 17, 4, split, first_row=6, like=torch.zeros(1))
    assert np.array_equal(keys, like.numpy())


def test_outer_keys_in_chunks_are_outer_keys_at_once() -> None:
    parts = [keyed_random.outer_keys(1, 2, 3, first_row=first) for first in (0, 3, 6)]
    assert np.array_equal(np.concatenate(parts), keyed_random.outer_keys(1, 2, 9))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_outer_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="outer seed"):
        keyed_random.outer_keys(seed, 0, 1)


def test_unknown_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="train, validation, test"):
        keyed_random.trial_keys([0], 0, "dev")


@given(SEEDS, st.integers(-100, 100), st.integers(0, 2**31 - 1))
def test_integers_lie_in_their_range(seed: int, low: int, extent: int) -> None:
    drawn = keyed_random.integers(keys_of([seed]), "name", 100, low, low + extent)
    assert drawn.dtype == np.int64
    assert drawn.min() >= low
    assert drawn.max() <= low + extent


def test_integers_meet_all_of_their_range_equally_often() -> None:
    counts = np.bincount(keyed_random.integers(keys_of([5]), "name", 60_000, 2, 7).ravel(), minlength=8)
    assert counts[:2].sum() == 0
    assert ((counts[2:] - 10_000) ** 2 / 10_000).sum() < 20.5  # chi-squared, 5 degrees: 0.1 %


def test_an_empty_range_of_integers_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        keyed_random.integers(keys_of([0]), "name", 1, 3, 2)


def test_uniforms_are_uniform_and_neighbours_independent() -> None:
    drawn = keyed_random.uniform(keyed_random.outer_keys(0, 0, 400), "name", 500, dtype="float64")  # 200,000
    counts = np.bincount((drawn.ravel() * 100).astype(int), minlength=100)
    assert ((counts - 2000) ** 2 / 2000).sum() < 148.3  # chi-squared, 99 degrees: 0.1 %
    centred = drawn - 0.5
    for first, second in (
        (centred[:, :-1], centred[:, 1:]),  # positions
        (centred[:-1], centred[1:]),  # rows
        (
            centred,
            keyed_random.uniform(keyed_random.outer_keys(0, 1, 400), "name", 500, dtype="float64") - 0.5,
        ),  # steps
        (
            centred,
            keyed_random.uniform(keyed_random.outer_keys(1, 0, 400), "name", 500, dtype="float64") - 0.5,
        ),  # seeds
        (
            centred,
            keyed_random.uniform(keyed_random.outer_keys(0, 0, 400), "other", 500, dtype="float64") - 0.5,
        ),  # names
    ):
        products = 12 * first * second
        assert abs(products.mean()) < 3.3 * products.std() / products.size**0.5


@pytest.mark.parametrize("shape", [0.001, 0.1, 1, 2.5, 40])
def test_gammas_have_their_distribution_on_both_backends(shape: float) -> None:
    keys = keyed_random.outer_keys(0, 0, 500)
    drawn = keyed_random.log_gamma(keys, "name", 300, shape)
    assert drawn.dtype == np.float64
    there = keyed_random.log_gamma(torch.from_numpy(keys), "name", 300, shape).numpy()
    np.testing.assert_allclose(drawn, there, rtol=1e-12, atol=1e-12)
    pieces = [keyed_random.log_gamma(keys, "name", 100, shape, start) for start in (0, 100, 200)]
    if shape == 1:
        assert np.array_equal(np.concatenate(pieces, axis=1), drawn)
    if shape < 0.01:  # most are below the smallest float; the power that is uniform in the limit is not
        assert stats.kstest(np.exp(shape * drawn.ravel()), "uniform").statistic < 0.007
    else:
        assert stats.kstest(np.exp(drawn.ravel()), stats.gamma(shape).cdf).statistic < 0.005


def test_normals_are_standard_and_finite() -> None:
    drawn = keyed_random.normal(keyed_random.outer_keys(0, 0, 100), "name", 1000, dtype="float64").ravel()
    assert np.isfinite(drawn).all()
    assert abs(drawn.mean()) < 3.3 / drawn.size**0.5
    assert abs(drawn.var() - 1) < 3.3 * (2 / drawn.size) ** 0.5
    assert abs((drawn**3).mean()) < 3.3 * (15 / drawn.size) ** 0.5
    assert abs((np.abs(drawn) < 1.959964).mean() - 0.95) < 3.3 * (0.95 * 0.05 / drawn.size) ** 0.5
    zero = keyed_random.normal_from_uniform(np.float32([0, 1 - 2**-24]), np.float32([0, 0.5]))
    assert np.isfinite(zero).all()


@given(SEEDS, st.integers(1, 30))
def test_permutations_are_permutations(seed: int, count: int) -> None:
    drawn = keyed_random.permutation(keys_of([seed, seed + 1]), "name", count)
    assert np.array_equal(np.sort(drawn, axis=1), np.tile(np.arange(count), (2, 1)))


def test_all_permutations_are_equally_likely() -> None:
    drawn = keyed_random.permutation(keyed_random.outer_keys(0, 0, 6000), "name", 3) @ [9, 3, 1]
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5


SEEDS_OF_ALL_SIZES = [0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("split", keyed_random.SPLITS)
def test_trial_keys_are_seed_trial_row_zero_and_split(split: str) -> None:
    expected = [[s % 2**32, s // 2**32, 7, keyed_random.SPLITS.index(split)] for s in SEEDS_OF_ALL_SIZES]
    array = np.array(SEEDS_OF_ALL_SIZES, np.uint64)
    for seeds in (SEEDS_OF_ALL_SIZES, tuple(map(np.uint64, SEEDS_OF_ALL_SIZES)), array):
        keys = keyed_random.trial_keys(seeds, 7, split)
        assert keys.dtype == np.int64
        assert keys.tolist() == expected
    there = keyed_random.trial_keys(torch.from_numpy(array.view(np.int64)), torch.tensor([7] * 7), split)
    assert there.tolist() == expected


def test_trial_t_of_a_seed_is_row_0_of_outer_step_t_in_the_same_split() -> None:
    for trial in (0, 5):
        keys = keyed_random.trial_keys([2**40 + 3], trial, "test")
        assert np.array_equal(keys, keyed_random.outer_keys(2**40 + 3, trial, 1, "test"))


@pytest.mark.parametrize(
    ("seeds", "error", "words"),
    [
        ([3, -1], ValueError, r"a seed is -1.*\[0, 2\*\*64\)"),
        ([2**64], ValueError, f"a seed is {2**64}"),
        (np.array([4, -2]), ValueError, "a seed is -2"),
        ([1.0], TypeError, "a seed is 1.0"),
        ([True], TypeError, "a seed is True"),
        ([None], TypeError, "a seed is None"),
        (np.array([0.5]), TypeError, "float64"),
        (np.array([True]), TypeError, "bool"),
    ],
)
def test_what_is_no_seed_is_refused(seeds: object, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        keyed_random.trial_keys(seeds, 0, "train")


@pytest.mark.parametrize("trial", [-1, 2**32])
def test_trials_out_of_range_are_refused(trial: int) -> None:
    with pytest.raises(ValueError, match="trial"):
        keyed_random.trial_keys([0], trial, "train")


def test_an_agents_keys_do_not_lead_back_to_the_trials() -> None:
    keys = keyed_random.trial_keys(range(1000), 0, "test")  # [1000, 4]
    own = keyed_random.agent_keys(keys)
    assert own.shape == keys.shape
    assert len(np.unique(own, axis=0)) == 1000
    assert not (keyed_random.agent_keys(own) == keys).any()
    assert not (own == keys).any()  # no word of theirs shows through
    assert all(len(np.unique(own[:, word] ^ keys[:, 0])) > 990 for word in range(4))  # nor under a mask
    assert torch.equal(keyed_random.agent_keys(torch.from_numpy(keys)), torch.from_numpy(own))
