"""Quarter turns, for all kinds of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from sharp_xr.rotation import rotation_rows

HALF = math.sqrt(0.5)
TURNS = {
    (1.0, 0.0, 0.0, 0.0): [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    (HALF, HALF, 0.0, 0.0): [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    (HALF, 0.0, HALF, 0.0): [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
    (HALF, 0.0, 0.0, HALF): [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    (0.5, 0.5, 0.5, 0.5): [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
}


@pytest.mark.parametrize("quaternion", TURNS)
def test_a_turn_is_by_the_right_hand(quaternion: tuple[float, float, float, float]) -> None:
    plain: Any = rotation_rows(*quaternion)
    np.testing.assert_allclose(plain, TURNS[quaternion], atol=1e-12)


def test_many_turns_at_once() -> None:
    quaternions = np.array(list(TURNS), np.float32)
    expected = np.array(list(TURNS.values()))
    rows = np.array(rotation_rows(*quaternions.T))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.moveaxis(rows, 2, 0), expected, atol=1e-6)
    tensors = rotation_rows(*torch.from_numpy(quaternions).unbind(1))
    stacked = torch.stack([torch.stack(row, 1) for row in tensors], 1)
    np.testing.assert_allclose(stacked.numpy(), expected, atol=1e-6)
