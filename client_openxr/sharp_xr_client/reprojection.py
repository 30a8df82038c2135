"""How a frame is shown from another pose: what is the same for all pixels, for one eye.

The numbers that a shader is given; what it does with them for each pixel is in ``warp``, whose
plain version the tests hold this one to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sharp_xr_client.warp import LEAST_WALL, MAX_STEPS, STEPS_PER_TEXEL, WALL_TEXELS
from sharp_xr_protocol.geometry import Fov, Pose, Quaternion, Vector3, rotate
from sharp_xr_protocol.messages import Layout

Tangents = tuple[float, float, float, float]
"""Left, right, up, down."""

SAMPLES = (0.02, 0.5, 0.98)
"""Of the display, across and down, where the way of the nearest is measured."""


@dataclass(frozen=True)
class Reprojection:
    """One eye's frame in one eye's display."""

    turn: Quaternion
    """drawn_from_shown."""
    shift: Vector3
    shown: Tangents
    drawn: Tangents
    near_m: float
    """0: without depth, all is infinitely far."""
    nearest: float
    """Inverse metres from the display's eye, where the search begins."""
    steps: int
    wall: float
    """Rise of the code within one step that is an edge."""

    def place(self, x: float, y: float, q: float) -> tuple[float, float]:
        """Where in the frame the display's point ``x, y`` is, if it is at inverse distance ``q``;
        all 0 to 1 from the left and the top."""
        left, right, up, down = self.shown
        ray = (left + (right - left) * x, up + (down - up) * y, -1.0)
        px, py, pz = (
            value + q * shift
            for value, shift in zip(rotate(self.turn, ray), self.shift, strict=True)
        )
        w = max(-pz, 1e-6)  # what is beside or behind the eye is far outside of its picture
        left, right, up, down = self.drawn
        return (px / w - left) / (right - left), (py / w - up) / (down - up)

    def uncovered_share(self) -> float:
        """Share of the display, 0 to 1, whose far distance the frame did not see."""
        grid = [(i + 0.5) / 16 for i in range(16)]
        places = [self.place(x, y, 0.0) for x in grid for y in grid]
        return sum(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in places) / len(places)


def reproject(
    world_from_drawn: Pose,
    drawn: Fov,
    world_from_shown: Pose,
    shown: Fov,
    layout: Layout,
    near_m: float,
) -> Reprojection:
    """The eye's frame, drawn through ``drawn``, in a display at ``world_from_shown``."""
    drawn_from_shown = world_from_drawn.inverse() @ world_from_shown
    shift = drawn_from_shown.position
    has_depth = near_m > 0 and layout.depth_width > 0 and layout.depth_height > 0
    nearest = 1 / max(near_m - math.hypot(*shift), near_m / 2) if has_depth else 0.0
    bare = Reprojection(
        turn=drawn_from_shown.orientation,
        shift=shift,
        shown=_tangents(shown),
        drawn=_tangents(drawn),
        near_m=near_m if has_depth else 0.0,
        nearest=nearest,
        steps=1,
        wall=1.0,
    )
    if not has_depth:
        return bare
    texels = _longest_way(bare, layout)
    steps = min(max(1, math.ceil(STEPS_PER_TEXEL * texels)), MAX_STEPS)
    wall = max(LEAST_WALL, WALL_TEXELS / max(texels, 1e-6))
    return Reprojection(**{**vars(bare), "steps": steps, "wall": wall})


def _longest_way(found: Reprojection, layout: Layout) -> float:
    """Texels of depth by which the nearest moves against the farthest, where it does most."""
    ways = []
    for x in SAMPLES:
        for y in SAMPLES:
            near, far = found.place(x, y, found.nearest), found.place(x, y, 0.0)
            across = (near[0] - far[0]) * layout.depth_width
            ways.append(math.hypot(across, (near[1] - far[1]) * layout.depth_height))
    return max(ways)


def _tangents(fov: Fov) -> Tangents:
    return math.tan(fov.left), math.tan(fov.right), math.tan(fov.up), math.tan(fov.down)
