"""The right view of a left photo by its disparities: the same for every method of depth.

Each row is a chain of its pixels. A link between two neighbours is drawn as a line of mixed
colours, the nearest line wins; where the chain is torn, what it uncovers is a hole, and is painted
with the hole's farther side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.eval.pair import Picture
from sharp_xr.gaussians import Float32
from sharp_xr.model.kernels import kernel, over_rows

TEAR_PX = 1.0
"""Difference of two neighbours' disparities from which they are of two surfaces: from there on the
nearer one hides the other, or the gap is as wide as a pixel."""


@dataclass(frozen=True)
class Warped:
    """What the right camera sees."""

    picture: Picture
    seen: NDArray[np.bool_]
    """[H, W] where the left photo has it."""


def warped(left: Picture, disparity: Float32) -> Warped:
    """The left photo, each pixel moved to the left by its disparity [H, W] (finite)."""
    if disparity.shape != left.shape[:2] or not np.isfinite(disparity).all():
        raise ValueError(f"disparities {disparity.shape} are not finite ones of {left.shape[:2]}")
    picture = np.zeros(left.shape, np.float32)
    seen = np.empty(disparity.shape, np.bool_)
    source = left.astype(np.float32)
    exact = np.ascontiguousarray(disparity, np.float32)
    over_rows(len(left), lambda a, b: warp(source, exact, TEAR_PX, a, b, picture, seen))
    return Warped((picture + np.float32(0.5)).astype(np.uint8), seen)


@kernel
def warp(
    left: Float32,
    disparity: Float32,
    tear: float,
    first: int,
    end: int,
    picture: Float32,
    seen: NDArray[np.bool_],
) -> None:
    """Rows first to end of picture and seen."""
    columns = left.shape[1]
    nearest = np.empty(columns, np.float32)
    for i in range(first, end):
        nearest[:] = -np.inf
        for j in range(columns):
            own = disparity[i, j]
            start = j - own
            if j + 1 < columns and abs(disparity[i, j + 1] - own) < tear:
                after = disparity[i, j + 1]
                stop = j + 1 - after
                for x in range(
                    max(int(np.ceil(start)), 0), min(int(np.floor(stop)), columns - 1) + 1
                ):
                    share = np.float32((x - start) / (stop - start))
                    near = own + share * (after - own)
                    if near > nearest[x]:
                        nearest[x] = near
                        for c in range(3):
                            change = left[i, j + 1, c] - left[i, j, c]
                            picture[i, x, c] = left[i, j, c] + share * change
            # A pixel is as wide as it was, also where its chain ends.
            x = int(np.floor(start + 0.5))
            if 0 <= x < columns and own > nearest[x]:
                nearest[x] = own
                for c in range(3):
                    picture[i, x, c] = left[i, j, c]
        for x in range(columns):
            seen[i, x] = nearest[x] > -np.inf
        x = 0
        while x < columns:
            if seen[i, x]:
                x += 1
                continue
            stop_x = x
            while stop_x < columns and not seen[i, stop_x]:
                stop_x += 1
            side = x - 1
            if side < 0 or (stop_x < columns and nearest[stop_x] < nearest[side]):
                side = stop_x
            for k in range(x, stop_x):
                for c in range(3):
                    if side < columns:
                        picture[i, k, c] = picture[i, side, c]
            x = stop_x
