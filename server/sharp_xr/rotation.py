"""The rotation matrix of a unit quaternion, for numbers, numpy's arrays and torch's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number", float, NDArray[np.float32], "Tensor")


def rotation_rows(w: Number, x: Number, y: Number, z: Number) -> list[list[Number]]:
    """Three rows of three, each of the shape of w, x, y and z, whose squares sum to 1."""
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
