"""The picture goes gently where one photo cannot be trusted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sharp_xr_client.comfort import (
    LOOK_S,
    LOST_M,
    PER_SECOND,
    TRUSTED_M,
    Comfort,
    fade_for,
    hole_share,
)
from sharp_xr_protocol.geometry import Fov, Pose, from_rotation_vector

WIDE = Fov.symmetric(2 * math.atan(1.0), 2 * math.atan(1.0))
NARROW = Fov.symmetric(2 * math.atan(0.5), 2 * math.atan(0.5))
FOCUS_M = 2.0
ORIGIN = Pose()
THERE = 120
"""Luma of something."""


def codes(empty_from: int = 100, size: int = 100) -> NDArray[np.uint8]:
    """[size, size]: something left of this column, nothing right of it."""
    found = np.full((size, size), THERE, np.uint8)
    found[:, empty_from:] = 16
    return found


def holes(found: NDArray[np.uint8], eye: Pose = ORIGIN) -> float:
    return hole_share(found, eye, WIDE, NARROW, FOCUS_M)


def test_near_the_photos_camera_all_is_shown_and_far_from_it_nothing() -> None:
    assert fade_for(0.0, 0.0) == fade_for(TRUSTED_M, 0.0) == 0.0
    assert 0.0 < fade_for((TRUSTED_M + LOST_M) / 2, 0.0) < 1.0
    assert fade_for(LOST_M, 0.0) == fade_for(100.0, 0.0) == 1.0


def test_a_torn_picture_fades_wherever_the_head_is() -> None:
    assert fade_for(0.0, 0.05) == 0.0
    assert fade_for(0.0, 0.5) == 1.0


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 1), st.floats(0, 1))
def test_worse_is_never_clearer(a: float, b: float, p: float, q: float) -> None:
    assert fade_for(min(a, b), min(p, q)) <= fade_for(max(a, b), max(p, q))


def test_it_goes_gently_and_comes_back() -> None:
    comfort = Comfort()
    far, period_s = Pose((0.0, 0.0, 3.0)), 1 / 60
    fades = [comfort.update(far, period_s) for _ in range(60)]
    assert fades[0] <= PER_SECOND * period_s + 1 / 64
    assert all(0 <= b - a <= 2 / 64 for a, b in zip(fades, fades[1:], strict=False))
    assert fades[-1] == 1.0
    back = [comfort.update(Pose(), period_s) for _ in range(60)]
    assert back[0] > 0.9 and back[-1] == 0.0


def test_holes_are_counted_now_and_then_and_at_once_in_another_scene() -> None:
    comfort = Comfort()
    assert comfort.wants("a", 5.0)
    comfort.saw("a", 0.0)
    assert not comfort.wants("a", 5.0 + 0.9 * LOOK_S)
    assert comfort.wants("b", 5.0 + 0.9 * LOOK_S)
    comfort.saw("b", 0.0)
    assert not comfort.wants("b", 5.0 + 1.8 * LOOK_S)
    assert comfort.wants("b", 5.0 + 2.0 * LOOK_S)


def test_holes_count_where_the_photo_should_be_alone() -> None:
    # The photo covers the middle half of the picture, of which 0.9 is looked at.
    assert holes(codes(100)) == 0.0
    assert holes(codes(50)) == pytest.approx(0.5, abs=0.03)
    assert holes(codes(80)) == 0.0, "empty beside the photo is no hole"
    assert holes(codes(0)) == 1.0


def test_holes_are_looked_for_where_the_photo_is_from_there() -> None:
    # A metre to the right the photo, two metres away, is in the left half of the picture.
    aside = Pose((1.0, 0.0, 0.0))
    assert holes(codes(50), aside) < 0.06
    assert holes(codes(25), aside) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    "eye",
    [
        Pose((0.0, 0.0, 0.0), from_rotation_vector((0.0, math.pi, 0.0))),
        Pose((0.0, 0.0, -3.0)),
        Pose((0.0, 0.0, -FOCUS_M)),
        Pose((50.0, 0.0, 0.0)),
    ],
)
def test_who_does_not_look_at_the_photo_sees_no_holes(eye: Pose) -> None:
    assert holes(codes(0), eye) == 0.0


def test_a_sky_is_as_empty_as_a_hole_and_no_reason_to_fade() -> None:
    comfort = Comfort()
    comfort.saw("beach", 0.6)
    assert comfort.update(Pose(), 10.0) == 0.0
    comfort.saw("beach", 1.0)
    assert comfort.update(Pose(), 10.0) == 1.0, "0.4 more than there was"
    comfort.saw("room", 0.0)
    assert comfort.update(Pose(), 10.0) == 0.0, "another scene, another sky"
    comfort.saw("room", 0.4)
    assert comfort.update(Pose(), 10.0) == 1.0


def test_a_map_of_one_texel_is_enough() -> None:
    assert holes(np.full((1, 1), 16, np.uint8)) == 1.0
    assert holes(np.full((1, 1), THERE, np.uint8)) == 0.0
