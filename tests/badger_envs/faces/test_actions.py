"""Actions: what is legal passes unchanged, what is not is one clear error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from badger_envs.faces.actions import check_indices, check_values

WIDTHS = st.sampled_from([16, 32, 64])
SHAPES = hnp.array_shapes(max_dims=2, max_side=5)


@given(st.data(), WIDTHS, SHAPES, st.sampled_from(["float32", "float64"]))
def test_values_in_the_box_pass(data: Any, width: int, shape: tuple[int, ...], dtype: str) -> None:
    action = data.draw(
        hnp.arrays(f"float{width}", shape, elements=st.floats(-1, 1, width=width))  # type: ignore[arg-type]
    )
    checked = check_values(action, shape, dtype)
    assert checked.dtype == dtype
    assert not np.shares_memory(checked, action)
    np.testing.assert_array_equal(checked, action.astype(dtype))


@given(st.data(), SHAPES, st.sampled_from(["float32", "float64"]))
def test_finite_values_outside_are_clipped_and_integers_taken(data: Any, shape: Any, dtype: str) -> None:
    floats = ("float64", st.floats(allow_nan=False, allow_infinity=False))
    kind, elements = data.draw(st.sampled_from([floats, ("int64", st.integers(-(2**63), 2**63 - 1))]))
    action = data.draw(hnp.arrays(kind, shape, elements=elements))
    before = action.copy()
    checked = check_values(action, shape, dtype)
    assert checked.dtype == dtype
    np.testing.assert_array_equal(checked, np.clip(action, -1, 1).astype(dtype))
    np.testing.assert_array_equal(action, before)


@given(st.data(), SHAPES, st.sampled_from([np.nan, np.inf, -np.inf]))
def test_one_value_that_is_not_finite_is_named(data: Any, shape: tuple[int, ...], bad: float) -> None:
    action = np.zeros(shape)
    where = tuple(data.draw(st.integers(0, side - 1)) for side in shape)
    action[where] = bad
    with pytest.raises(ValueError, match="must be finite") as caught:
        check_values(action, shape, "float32", "message")
    assert str(caught.value).startswith(f"message[{', '.join(map(str, where))}] is {action[where]}")


@given(st.data(), SHAPES, st.integers(1, 100), hnp.integer_dtypes() | hnp.unsigned_integer_dtypes())
def test_indices_in_range_pass(data: Any, shape: tuple[int, ...], count: int, dtype: np.dtype) -> None:
    action = data.draw(hnp.arrays(dtype, shape, elements=st.integers(0, count - 1)))
    checked = check_indices(action, shape, count)
    assert checked.dtype == np.int64
    assert not np.shares_memory(checked, action)
    np.testing.assert_array_equal(checked, action)


@given(st.integers(-(2**70), 2**70), st.integers(1, 100))
def test_an_index_is_legal_or_one_clear_error(index: int, count: int) -> None:
    if 0 <= index < count:
        assert check_indices(index, (), count) == index
    else:
        with pytest.raises((ValueError, TypeError), match=f"0 to {count - 1}"):
            check_indices(index, (), count)


@given(
    st.one_of(
        st.none(), st.text(), st.booleans(), st.complex_numbers(), st.dictionaries(st.text(), st.floats()),
        st.lists(st.text(), min_size=1), st.lists(st.booleans(), min_size=1), st.binary(), st.just(object()),
        st.lists(st.lists(st.floats(-1, 1), max_size=3), min_size=2),
    )
)  # fmt: skip
def test_other_things_are_one_clear_error(thing: Any) -> None:
    for check, argument in ((check_values, "float32"), (check_indices, 3)):
        with pytest.raises((ValueError, TypeError), match="action"):
            check(thing, (2, 2, 2), argument)  # type: ignore[operator]
