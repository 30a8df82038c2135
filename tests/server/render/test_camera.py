"""The door between OpenXR's axes and the picture's, tried by what is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.server.render.scenes import one_gaussian

from sharp_xr.render import RenderSettings, View
from sharp_xr.render.camera import OPENCV_FROM_OPENXR, photo_fov, view_from_eye
from sharp_xr.render.reference import draw
from sharp_xr_protocol.geometry import Fov, Pose, from_rotation_vector

SQUARE = Fov.symmetric(math.pi / 2, math.pi / 2)
SIZE = 128


def seen_at(view: View, x: float, y: float, z: float) -> tuple[float, float]:
    """Where on the picture a small ball at an OpenXR point (right, up, back; metres) is drawn: the
    centre of its light in pixels."""
    ball = one_gaussian((x, -y, -z), sigma_m=0.04)
    alpha = draw(ball, view, RenderSettings()).alpha
    assert alpha.any(), "not on the picture"
    rows, columns = np.indices(alpha.shape) + 0.5
    return float((columns * alpha).sum() / alpha.sum()), float((rows * alpha).sum() / alpha.sum())


def eye(pose: Pose, fov: Fov = SQUARE) -> View:
    return view_from_eye(pose, fov, SIZE, SIZE)


def test_ahead_is_the_middle() -> None:
    assert seen_at(eye(Pose()), 0, 0, -2) == pytest.approx((64, 64), abs=0.05)


def test_right_is_right_and_up_is_up() -> None:
    # 90 degrees wide: half a metre aside at one metre is half way to the rim.
    assert seen_at(eye(Pose()), 0.5, 0, -1) == pytest.approx((96, 64), abs=0.3)
    assert seen_at(eye(Pose()), 0, 0.5, -1) == pytest.approx((64, 32), abs=0.3)


def test_behind_is_not_seen() -> None:
    ball = one_gaussian((0.0, 0.0, -2.0))
    assert not draw(ball, eye(Pose()), RenderSettings()).alpha.any()


def test_a_head_that_moves_right_sees_things_move_left_the_near_more_than_the_far() -> None:
    moved = eye(Pose((0.2, 0.0, 0.0)))
    near, _ = seen_at(moved, 0, 0, -1)
    far, _ = seen_at(moved, 0, 0, -4)
    assert near == pytest.approx(64 - 0.2 * 64, abs=0.2)
    assert far == pytest.approx(64 - 0.05 * 64, abs=0.2)


def test_a_head_that_leans_in_and_up_sees_things_lower_and_farther_out() -> None:
    assert seen_at(eye(Pose((0.0, 0.1, 0.0))), 0, 0, -1)[1] == pytest.approx(64 + 6.4, abs=0.2)
    assert seen_at(eye(Pose((0.0, 0.0, -0.5))), 0.4, 0, -2)[0] == pytest.approx(
        64 + 0.4 / 1.5 * 64, abs=0.2
    )


def test_a_head_that_turns_left_sees_things_move_right() -> None:
    turn = from_rotation_vector((0.0, math.radians(20), 0.0))  # about up: to the left
    column, row = seen_at(eye(Pose(orientation=turn)), 0, 0, -2)
    assert column == pytest.approx(64 + math.tan(math.radians(20)) * 64, abs=0.2)
    assert row == pytest.approx(64, abs=0.1)


def test_a_head_that_nods_up_sees_things_move_down() -> None:
    turn = from_rotation_vector((math.radians(10), 0.0, 0.0))
    column, row = seen_at(eye(Pose(orientation=turn)), 0, 0, -2)
    assert (column, row) == pytest.approx((64, 64 + math.tan(math.radians(10)) * 64), abs=0.2)


def test_a_head_that_tilts_left_sees_the_scene_tilt_right() -> None:
    turn = from_rotation_vector((0.0, 0.0, math.radians(30)))  # counter-clockwise as seen by it
    column, row = seen_at(eye(Pose(orientation=turn)), 0, 0.5, -1)
    assert column == pytest.approx(64 + math.sin(math.radians(30)) * 32, abs=0.2)
    assert row == pytest.approx(64 - math.cos(math.radians(30)) * 32, abs=0.2)


def test_the_left_eye_sees_near_things_further_right_than_the_right_eye() -> None:
    left, right = eye(Pose((-0.0315, 0.0, 0.0))), eye(Pose((0.0315, 0.0, 0.0)))
    for distance in (0.5, 2.0):
        disparity = seen_at(left, 0, 0, -distance)[0] - seen_at(right, 0, 0, -distance)[0]
        assert disparity == pytest.approx(0.063 / distance * 64, abs=0.1)


def test_a_field_of_view_that_is_not_centred() -> None:
    fov = Fov(left=-math.atan(1.0), right=math.atan(0.6), up=math.atan(0.9), down=-math.atan(1.2))
    view = view_from_eye(Pose(), fov, 160, 210)
    assert seen_at(view, 0, 0, -2) == pytest.approx((100, 90), abs=0.1)
    assert seen_at(view, 0.3, 0, -1) == pytest.approx((130, 90), abs=0.3)
    assert seen_at(view, 0, -0.6, -1) == pytest.approx((100, 150), abs=0.3)


def test_a_photo_sees_its_own_pixels_where_they_were() -> None:
    view = view_from_eye(Pose(), photo_fov(300, 200, 250.0), 300, 200)
    assert (view.fx, view.fy) == pytest.approx((250, 250))
    assert (view.cx, view.cy) == pytest.approx((150, 100))
    np.testing.assert_allclose(view.camera_from_photo, np.eye(4), atol=1e-12)


def test_the_door_is_its_own_inverse() -> None:
    np.testing.assert_array_equal(OPENCV_FROM_OPENXR @ OPENCV_FROM_OPENXR, np.eye(4))
    assert np.linalg.det(OPENCV_FROM_OPENXR) == 1  # a turn, no mirror
