import itertools
import math

import numpy as np
import pytest

from sharp_xr.render.camera import matrix
from sharp_xr.stream.overscan import LEAD_S, MOST, SCALE, SLACK, overscanned
from sharp_xr_protocol.geometry import (
    Fov,
    Pose,
    Vector3,
    Velocity,
    from_rotation_vector,
    predict,
)
from sharp_xr_protocol.messages import Eye, Tracking

NARROW, HEADSET = Fov(-0.35, 0.35, 0.25, -0.3), Fov(-0.9, 0.75, 0.8, -0.85)
CANTED = from_rotation_vector((0.0, 0.08, 0.0))
SIDES = ("left", "right", "up", "down")
STILL = Velocity()


def tracking(fov: Fov, velocity: Velocity = STILL) -> Tracking:
    head = Pose((0.1, 1.6, -0.2), from_rotation_vector((0.2, -0.5, 0.1)))
    eyes = Eye(Pose((-0.032, 0.0, 0.01), CANTED), fov), Eye(Pose((0.032, 0.0, 0.01)), fov)
    return Tracking(1, 1, head, eyes, velocity)


def tangents(fov: Fov) -> list[float]:
    return [math.tan(getattr(fov, side)) for side in SIDES]


def margins(asked: Fov, drawn: Fov) -> list[float]:
    """Left, right, up, down, as shares of the width or the height that was asked for."""
    a, d = tangents(asked), tangents(drawn)
    width, height = a[1] - a[0], a[2] - a[3]
    outward = (a[0] - d[0]) / width, (d[1] - a[1]) / width, (d[2] - a[2]) / height
    return [*outward, (a[3] - d[3]) / height]


def seen_later(sent: Tracking, side: int, seconds: float, metres: float) -> list[float]:
    """How far beyond the drawn field a display looks, in tangents, at each of its points."""
    eye = sent.eyes[side]
    left, right, up, down = tangents(eye.fov)
    later = predict(sent.head, sent.velocity, seconds)
    drawn_from_shown = np.linalg.inv(matrix(sent.head @ eye.pose)) @ matrix(later @ eye.pose)
    drawn = tangents(overscanned(sent, nearest_m=0.5)[side].fov)
    outside = []
    for x, y in itertools.product(np.linspace(left, right, 7), np.linspace(down, up, 7)):
        px, py, pz, _ = drawn_from_shown @ (metres * x, metres * y, -metres, 1.0)
        assert pz < 0
        u, v = -px / pz, -py / pz
        outside += [drawn[0] - u, u - drawn[1], v - drawn[2], drawn[3] - v]
    return outside


@pytest.mark.parametrize("fov", [NARROW, HEADSET])
def test_a_head_at_rest_gets_the_slack_and_no_more(fov: Fov) -> None:
    for asked, drawn in zip(tracking(fov).eyes, overscanned(tracking(fov), 0.5), strict=True):
        assert drawn.pose == asked.pose
        assert margins(fov, drawn.fov) == pytest.approx([SLACK] * 4)


def test_the_picture_with_slack_is_as_dense_as_the_display() -> None:
    for eye in overscanned(tracking(HEADSET), math.inf):
        drawn, asked = tangents(eye.fov), tangents(HEADSET)
        assert (drawn[1] - drawn[0]) / (asked[1] - asked[0]) == pytest.approx(SCALE)


MOVES = [
    ((x, y, z), (pitch, yaw, 0.0))
    for x, y, z in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
    for pitch, yaw in ((1, 0), (-1, 0), (0, 1), (0, -1))
]


@pytest.mark.parametrize(("way", "turn"), MOVES)
@pytest.mark.parametrize("fov", [NARROW, HEADSET])
def test_5_cm_and_5_degrees_in_80_ms_see_no_border(fov: Fov, way: Vector3, turn: Vector3) -> None:
    speed, rate = 0.05 / LEAD_S, math.radians(5) / LEAD_S
    linear = tuple(speed * value for value in way)
    angular = tuple(rate * value for value in turn)
    moving = tracking(fov, Velocity(linear, angular))  # type: ignore[arg-type]
    for side, seconds, metres in itertools.product(
        (0, 1), (0.0, 0.04, LEAD_S), (0.5, 1.0, 3.0, 1e6)
    ):
        assert max(seen_later(moving, side, seconds, metres)) <= 1e-9


def test_a_slow_head_does_not_make_the_picture_breathe() -> None:
    slow = Velocity((0.05, -0.02, 0.03), (0.2, -0.3, 0.1))
    assert overscanned(tracking(HEADSET, slow), 0.5) == overscanned(tracking(HEADSET), 0.5)


def test_only_the_side_that_the_head_moves_to_is_wider() -> None:
    drawn = overscanned(tracking(HEADSET, Velocity((0.0, 0.0, 0.0), (0.0, 2.0, 0.0))), 0.5)
    left, right, *_ = margins(HEADSET, drawn[1].fov)  # a positive turn about +y is to the left
    assert left > 1.5 * SLACK and right == pytest.approx(SLACK)


@pytest.mark.parametrize(
    "velocity",
    [
        Velocity((1e6, 0.0, 0.0)),
        Velocity((0.0, 0.0, -1e6), (0.0, 1e4, 0.0)),
        Velocity((0.0, 0.0, 0.0), (0.0, math.pi / LEAD_S, 0.0)),  # looks back after LEAD_S
    ],
)
def test_a_speed_that_no_head_has_widens_no_more_than_a_limit(velocity: Velocity) -> None:
    widest = Fov(-1.55, 1.55, 1.55, -1.55)
    for fov in (NARROW, widest):
        for eye in overscanned(tracking(fov, velocity), 1e-3):
            assert all(SLACK <= m * (1 + 1e-6) for m in margins(fov, eye.fov))
            assert all(m <= MOST * (1 + 1e-6) for m in margins(fov, eye.fov))


def test_of_far_things_alone_only_the_turn_counts() -> None:
    moving = tracking(HEADSET, Velocity((3.0, 0.0, 0.0)))
    assert overscanned(moving, math.inf) == overscanned(tracking(HEADSET), math.inf)
    assert overscanned(moving, 0.5) != overscanned(tracking(HEADSET), 0.5)
