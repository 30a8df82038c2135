"""Scripted heads."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_client.motion import MotionName, motion
from sharp_xr_protocol.geometry import Pose, Vector3, conjugate, multiply

NAMES: tuple[MotionName, ...] = get_args(MotionName)
TIMES = st.floats(0.0, 60.0)


def distance(a: Vector3, b: Vector3) -> float:
    return math.dist(a, b)


def turn_between(a: Pose, b: Pose) -> Vector3:
    """The small rotation vector that turns a into b, world axes."""
    x, y, z, w = multiply(b.orientation, conjugate(a.orientation))
    sign = 2.0 if w > 0 else -2.0
    return (sign * x, sign * y, sign * z)


@pytest.mark.parametrize("name", NAMES)
def test_every_motion_starts_at_the_photos_camera(name: MotionName) -> None:
    head, _ = motion(name).head(0.0)
    assert distance(head.position, (0.0, 0.0, 0.0)) < 1e-12
    assert head.orientation == pytest.approx((0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("name", NAMES)
@given(time_s=TIMES)
def test_velocity_is_the_derivative_of_the_pose(name: MotionName, time_s: float) -> None:
    step = 1e-4
    before, _ = motion(name).head(time_s - step)
    after, _ = motion(name).head(time_s + step)
    _, velocity = motion(name).head(time_s)
    pairs = zip(after.position, before.position, strict=True)
    numeric = tuple((a - b) / (2 * step) for a, b in pairs)
    assert velocity.linear == pytest.approx(numeric, abs=1e-5)
    turned = tuple(part / (2 * step) for part in turn_between(before, after))
    assert velocity.angular == pytest.approx(turned, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
@given(time_s=TIMES)
def test_a_head_stays_where_a_photo_has_something_to_show(name: MotionName, time_s: float) -> None:
    head, velocity = motion(name).head(time_s)
    assert distance(head.position, (0.0, 0.0, 0.0)) < 0.6
    # A person's head: walking pace, and no faster than a quick look aside.
    assert math.hypot(*velocity.linear) < 1.5
    assert math.hypot(*velocity.angular) < math.radians(200)


@pytest.mark.parametrize("name", NAMES)
def test_every_motion_moves(name: MotionName) -> None:
    heads = [motion(name).head(t / 10)[0] for t in range(50)]
    moved = max(distance(head.position, heads[0].position) for head in heads)
    turned = max(math.hypot(*turn_between(heads[0], head)) for head in heads)
    assert moved > 0.1 or turned > 0.1


@given(time_s=TIMES, focus_m=st.floats(0.5, 20.0))
def test_an_orbit_keeps_its_focus_straight_ahead(time_s: float, focus_m: float) -> None:
    head, _ = motion("orbit", focus_m).head(time_s)
    assert head.transform((0.0, 0.0, -focus_m)) == pytest.approx((0.0, 0.0, -focus_m), abs=1e-9)


@given(time_s=TIMES)
def test_a_lean_does_not_turn(time_s: float) -> None:
    head, velocity = motion("lean").head(time_s)
    assert head.orientation == (0.0, 0.0, 0.0, 1.0)
    assert velocity.angular == (0.0, 0.0, 0.0)


def test_a_positive_yaw_turns_left() -> None:
    shake = motion("shake")
    head, velocity = shake.head(0.1)
    x, _, _ = head.transform((0.0, 0.0, -1.0))
    assert x < head.position[0]
    assert velocity.angular[1] > 0
