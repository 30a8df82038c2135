"""Where one photo cannot be trusted, the picture goes gently, before it tears.

Two signs: the head is far from where the photo was taken, or much of what the photo should cover is
empty, because nobody saw it. Emptiness is counted against the least that this scene had: a sky is
as empty as a hole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr_protocol.geometry import Fov, Pose, rotate

TRUSTED_M, LOST_M = 0.5, 0.9
"""Metres of the photo from its camera: all is shown up to the first, nothing from the second on."""
FEW_HOLES, MANY_HOLES = 0.10, 0.35
"""Shares of what the photo covers, likewise."""
PER_SECOND = 1.5
"""How fast the fading goes: two thirds of a second for all of it."""
LOOK_S = 0.1
"""Between two counts of holes: the fading is slower, and counting takes 0.3 ms."""
STEPS = 64
"""Of the fading: a finer one would be painted anew without being seen."""
MARGIN = 0.9
"""Of the photo's field of view that is looked at: its border is ragged."""
GRID = 48
"""Texels of a map that are looked at, across and down."""
EMPTY = 0.5 / 219.0
"""Code below which nothing is there, or it is very far."""


@dataclass
class Comfort:
    """Follows one viewer; the display's thread owns it."""

    fade: float = 0.0
    """0 the world, 1 the vignette alone."""
    _scene: str | None = None
    _looked_s: float = float("-inf")
    _holes: float = 0.0
    _least: float = 0.0

    def wants(self, scene: str, now_s: float) -> bool:
        """Whether the holes of a frame of this scene are worth counting now; asking is looking.

        Args:
            now_s: of any clock that goes on.
        """
        is_due = scene != self._scene or now_s - self._looked_s >= LOOK_S
        if is_due:
            self._looked_s = now_s
        return is_due

    def saw(self, scene: str, holes: float) -> None:
        """A frame of this scene has such a share of holes."""
        if scene != self._scene:
            self._scene, self._least = scene, holes
        self._least = min(self._least, holes)
        self._holes = holes

    def update(self, photo_from_head: Pose, seconds: float) -> float:
        """The fading of a picture that comes ``seconds`` after the one before."""
        target = fade_for(math.hypot(*photo_from_head.position), self._holes - self._least)
        most = PER_SECOND * seconds
        self.fade += min(max(target - self.fade, -most), most)
        return round(self.fade * STEPS) / STEPS


def fade_for(distance_m: float, more_holes: float) -> float:
    """What the fading goes to: 0 to 1."""
    far = _smoothstep(TRUSTED_M, LOST_M, distance_m)
    return max(far, _smoothstep(FEW_HOLES, MANY_HOLES, more_holes))


def hole_share(
    codes: NDArray[np.uint8], photo_from_eye: Pose, fov: Fov, photo_fov: Fov, focus_m: float
) -> float:
    """Share of empty texels among those that look at what the photo covers; 0 if none does.

    Args:
        codes: [h, w] luma of the eye's map of depth, limited range.
        fov: of the eye, as drawn.
        photo_fov: what the photo saw from the origin.
        focus_m: where the photo's content is taken to be, metres before the origin.
    """
    rows, columns = (_spread(size) for size in codes.shape)
    x = _tangents(fov.left, fov.right, columns, codes.shape[1])
    y = _tangents(fov.up, fov.down, rows, codes.shape[0])
    axes = [np.array(rotate(photo_from_eye.orientation, axis)) for axis in AXES]
    rays = x[None, :, None] * axes[0] + y[:, None, None] * axes[1] - axes[2]  # [rows, columns, 3]
    ahead = np.minimum(rays[..., 2], -1e-6)
    # Where the ray meets the plane at the focus; behind it there is nothing to meet.
    reach = (-focus_m - photo_from_eye.position[2]) / ahead
    seen_x = photo_from_eye.position[0] + reach * rays[..., 0]
    seen_y = photo_from_eye.position[1] + reach * rays[..., 1]
    covered = (reach > 0) & (rays[..., 2] < 0)
    left, right, up, down = (
        math.tan(angle) * MARGIN * focus_m
        for angle in (photo_fov.left, photo_fov.right, photo_fov.up, photo_fov.down)
    )
    covered &= (seen_x > left) & (seen_x < right) & (seen_y > down) & (seen_y < up)
    if not covered.any():
        return 0.0
    empty = (codes[np.ix_(rows, columns)].astype(np.float32) - 16.0) / 219.0 < EMPTY
    return float(empty[covered].mean())


AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _spread(size: int) -> NDArray[np.intp]:
    """At most GRID indices, evenly."""
    return np.linspace(0, size - 1, min(size, GRID)).round().astype(np.intp)


def _tangents(first: float, last: float, index: NDArray[np.intp], size: int) -> NDArray[np.float64]:
    a, b = math.tan(first), math.tan(last)
    return a + (b - a) * (index + 0.5) / size


def _smoothstep(low: float, high: float, value: float) -> float:
    x = min(max((value - low) / (high - low), 0.0), 1.0)
    return x * x * (3 - 2 * x)
