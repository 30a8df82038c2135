"""The numbers that the shader is given, against the plain warp's own."""

import math

import numpy as np
import pytest

from sharp_xr_client import warp
from sharp_xr_client.reprojection import Reprojection, reproject
from sharp_xr_client.warp import EyeImage
from sharp_xr_protocol.geometry import Fov, Pose, from_rotation_vector
from sharp_xr_protocol.messages import Layout

DRAWN_FOV = Fov(-0.8, 0.7, 0.75, -0.72)
SHOWN_FOV = Fov(-0.6, 0.65, 0.6, -0.55)
LAYOUT = Layout(256, 240, 128, 120)
DRAWN = Pose((0.1, -0.2, 0.3), from_rotation_vector((0.1, -0.3, 0.05)))
MOVES = [
    Pose((0.1, -0.2, 0.3), from_rotation_vector((0.1, -0.3, 0.05))),
    Pose((0.15, -0.2, 0.3), from_rotation_vector((0.1, -0.2, 0.05))),
    Pose((0.0, -0.25, 0.2), from_rotation_vector((0.0, -0.35, 0.0))),
]


def of(shown: Pose, near_m: float = 0.5, layout: Layout = LAYOUT) -> Reprojection:
    return reproject(DRAWN, DRAWN_FOV, shown, SHOWN_FOV, layout, near_m)


def image(near_m: float = 0.5) -> EyeImage:
    colour = np.zeros((240, 256, 3), np.uint8)
    return EyeImage(colour, np.zeros((120, 128), np.float32), near_m, DRAWN, DRAWN_FOV)


@pytest.mark.parametrize("shown", MOVES)
@pytest.mark.parametrize("q", [0.0, 0.4, 2.0])
def test_a_point_is_where_the_plain_warp_has_it(shown: Pose, q: float) -> None:
    rays = warp._Rays(image(), shown, SHOWN_FOV, 8, 8)
    x, y, _ = rays.at(q)
    for row in range(8):
        for column in range(8):
            place = of(shown).place((column + 0.5) / 8, (row + 0.5) / 8, q)
            assert place == pytest.approx((x[8 * row + column], y[8 * row + column]), abs=1e-9)


@pytest.mark.parametrize("shown", MOVES)
def test_the_plan_is_the_plain_warps(shown: Pose) -> None:
    found = of(shown)
    wanted = warp.plan_for(image(), warp._Rays(image(), shown, SHOWN_FOV, 64, 64))
    assert found.nearest == pytest.approx(wanted.nearest)
    # Both look at a few points of the display; not at the same ones.
    assert found.steps == pytest.approx(wanted.steps, rel=0.15, abs=1)
    assert found.wall == pytest.approx(wanted.wall, rel=0.15)


def test_without_depth_all_is_infinitely_far() -> None:
    for found in (of(MOVES[1], near_m=0.0), of(MOVES[1], layout=Layout(256, 240))):
        assert (found.near_m, found.nearest, found.steps) == (0.0, 0.0, 1)


def test_behind_everything_that_was_drawn_it_still_has_finite_numbers() -> None:
    found = of(Pose((0.0, 0.0, -5.0), from_rotation_vector((0.0, math.pi, 0.0))))
    assert all(map(math.isfinite, (found.nearest, found.wall, *found.place(0.5, 0.5, 1.0))))
    assert 1 <= found.steps <= warp.MAX_STEPS


def test_what_the_frame_did_not_see_is_the_share_of_the_display_beyond_it() -> None:
    narrow = Fov.symmetric(2 * math.atan(0.5), 2 * math.atan(1.0))
    wide = Fov.symmetric(2 * math.atan(1.0), 2 * math.atan(1.0))
    assert reproject(DRAWN, wide, DRAWN, narrow, LAYOUT, 0.5).uncovered_share() == 0.0
    assert reproject(DRAWN, narrow, DRAWN, wide, LAYOUT, 0.5).uncovered_share() == 0.5
