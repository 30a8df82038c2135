"""The order of depths within a tile."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sharp_xr.render.cpu.sorting import HISTOGRAM_SIZE, STRETCH, insertion_pass, sort_keys


def keys_of(depths: NDArray[np.float32]) -> NDArray[np.uint64]:
    """(bits of the depth, index)."""
    order = depths.astype(np.float32).view(np.uint32).astype(np.uint64)
    return (order << np.uint64(32)) | np.arange(len(depths), dtype=np.uint64)


random = np.random.default_rng(0)
DEPTHS = {
    "spread": random.uniform(0.01, 1000.0, 5000),
    "close": random.uniform(3.0, 3.001, 5000),
    "equal": np.full(500, 2.0),
    "dead on with an outlier": np.append(random.uniform(5.0, 5.00002, 5000), 5000.0),
    "backwards": np.linspace(9.0, 1.0, 3000),
    "one": np.array([1.0]),
}


@pytest.mark.parametrize("depths", DEPTHS.values(), ids=DEPTHS.keys())
def test_keys_come_out_in_order(depths: NDArray[np.float64]) -> None:
    keys = keys_of(depths.astype(np.float32))
    expected = np.sort(keys)
    bits = keys >> np.uint64(32)
    sort_keys(
        keys,
        np.empty_like(keys),
        len(keys),
        bits.min(),
        bits.max(),
        False,
        np.empty(HISTOGRAM_SIZE, np.uint32),
    )
    np.testing.assert_array_equal(keys, expected)


def test_the_insertion_pass_gives_up_before_it_takes_forever() -> None:
    assert insertion_pass(np.arange(100, dtype=np.uint64), 100, 0)
    assert not insertion_pass(np.arange(100, dtype=np.uint64)[::-1].copy(), 100, 800)


@pytest.mark.parametrize("place", [1, STRETCH - 1, STRETCH, STRETCH + 1, 2 * STRETCH, 99])
def test_a_key_out_of_place_is_found_wherever_it_is(place: int) -> None:
    keys = np.arange(100, dtype=np.uint64)
    keys[place - 1 : place + 1] = keys[place], keys[place - 1]
    assert insertion_pass(keys, 100, 1)
    np.testing.assert_array_equal(keys, np.arange(100))
