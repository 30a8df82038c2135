"""The laws of rigid motion hold for every pose, not for examples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_protocol.geometry import (
    Fov,
    Pose,
    Quaternion,
    Vector3,
    Velocity,
    from_rotation_vector,
    interpolate,
    multiply,
    normalized,
    predict,
    rotate,
    slerp,
)

metres = st.floats(-100.0, 100.0)
vectors = st.tuples(metres, metres, metres)
unit = st.floats(-1.0, 1.0)
quaternions = (
    st.tuples(unit, unit, unit, unit).filter(lambda q: math.hypot(*q) > 0.1).map(normalized)
)
poses = st.builds(Pose, vectors, quaternions)


def close(a: Vector3, b: Vector3) -> bool:
    return math.dist(a, b) < 1e-6


def same_rotation(a: Quaternion, b: Quaternion) -> bool:
    """q and -q are one rotation."""
    return abs(abs(sum(p * q for p, q in zip(a, b, strict=True))) - 1.0) < 1e-9


def same(a: Pose, b: Pose) -> bool:
    return close(a.position, b.position) and same_rotation(a.orientation, b.orientation)


def angle_between(a: Quaternion, b: Quaternion) -> float:
    return 2 * math.acos(min(1.0, abs(sum(p * q for p, q in zip(a, b, strict=True)))))


@given(poses, poses, poses)
def test_composition_is_associative(a: Pose, b: Pose, c: Pose) -> None:
    assert same((a @ b) @ c, a @ (b @ c))


@given(poses)
def test_the_identity_changes_nothing(pose: Pose) -> None:
    assert same(pose @ Pose(), pose)
    assert same(Pose() @ pose, pose)


@given(poses)
def test_a_pose_and_its_inverse_cancel(pose: Pose) -> None:
    assert same(pose @ pose.inverse(), Pose())
    assert same(pose.inverse() @ pose, Pose())


@given(poses, poses, vectors)
def test_composed_poses_act_one_after_the_other(a: Pose, b: Pose, point: Vector3) -> None:
    assert close((a @ b).transform(point), a.transform(b.transform(point)))


@given(quaternions, vectors)
def test_rotation_keeps_lengths(q: Quaternion, v: Vector3) -> None:
    assert math.hypot(*rotate(q, v)) == pytest.approx(math.hypot(*v), abs=1e-9)


@given(quaternions, vectors)
def test_rotation_is_the_sandwich_product(q: Quaternion, v: Vector3) -> None:
    x, y, z, w = q
    sandwich = multiply(multiply(q, (*v, 0.0)), (-x, -y, -z, w))
    assert close(rotate(q, v), sandwich[:3])


def test_a_quarter_turn_about_y_takes_forward_to_the_left() -> None:
    """OpenXR: x right, y up, z back; a positive turn about y is to the left."""
    q = from_rotation_vector((0.0, math.pi / 2, 0.0))
    assert close(rotate(q, (0.0, 0.0, -1.0)), (-1.0, 0.0, 0.0))


@given(quaternions, quaternions, st.floats(0.0, 1.0))
def test_slerp_divides_the_shorter_arc_in_proportion(
    a: Quaternion, b: Quaternion, t: float
) -> None:
    whole = angle_between(a, b)
    assert angle_between(a, slerp(a, b, t)) == pytest.approx(t * whole, abs=1e-5)
    assert angle_between(slerp(a, b, t), b) == pytest.approx((1 - t) * whole, abs=1e-5)


@given(poses, poses)
def test_interpolation_meets_both_ends(a: Pose, b: Pose) -> None:
    assert same(interpolate(a, b, 0.0), a)
    assert same(interpolate(a, b, 1.0), b)


@given(poses, vectors, st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_prediction_in_two_steps_is_prediction_in_one(
    pose: Pose, velocity: Vector3, first: float, second: float
) -> None:
    x, y, z = velocity
    moving = Velocity(velocity, (x / 50, y / 50, z / 50))
    twice = predict(predict(pose, moving, first), moving, second)
    assert same(predict(pose, moving, first + second), twice)


def test_a_turning_head_is_predicted_in_world_axes() -> None:
    """Tilted by a quarter about x, then turning about the world's y: not about its own."""
    tilted = Pose(orientation=from_rotation_vector((math.pi / 2, 0.0, 0.0)))
    later = predict(tilted, Velocity(angular=(0.0, math.pi / 2, 0.0)), 1.0)
    assert close(rotate(later.orientation, (0.0, 0.0, -1.0)), (0.0, 1.0, 0.0))
    assert close(rotate(later.orientation, (1.0, 0.0, 0.0)), (0.0, 0.0, -1.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_pose_is_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Pose((bad, 0.0, 0.0))
    with pytest.raises(ValueError, match="not finite"):
        Pose(orientation=(0.0, bad, 0.0, 1.0))
    with pytest.raises(ValueError, match="not finite"):
        Velocity(angular=(0.0, 0.0, bad))
    with pytest.raises(ValueError, match="wanted below pi/2"):
        Fov(-0.5, 0.5, 0.5, bad)


def test_a_scaled_quaternion_is_no_orientation() -> None:
    with pytest.raises(ValueError, match=r"norm 1.02, wanted a unit quaternion"):
        Pose(orientation=(0.0, 0.0, 0.0, 1.02))
    with pytest.raises(ValueError, match="zero quaternion"):
        normalized((0.0, 0.0, 0.0, 0.0))


def test_a_field_of_view_has_an_inside() -> None:
    assert Fov.symmetric(1.0, 0.5) == Fov(-0.5, 0.5, 0.25, -0.25)
    with pytest.raises(ValueError, match="empty"):
        Fov(0.5, 0.5, 0.5, -0.5)
    with pytest.raises(ValueError, match="empty"):
        Fov(-0.5, 0.5, -0.5, 0.5)
