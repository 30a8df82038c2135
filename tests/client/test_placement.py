"""Where the photo stands in the room."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_client.placement import LARGEST, SMALLEST, Placement, recentred, turn_about_up, yaw
from sharp_xr_protocol.geometry import Pose, Vector3, from_rotation_vector, rotate

coordinates = st.floats(-10, 10)
vectors = st.tuples(coordinates, coordinates, coordinates)
turns = st.tuples(*[st.floats(-2, 2)] * 3).map(from_rotation_vector)
poses = st.builds(Pose, vectors, turns)
placements = st.builds(Placement, poses, st.floats(SMALLEST, LARGEST))


def close(a: Vector3, b: Vector3) -> bool:
    return math.dist(a, b) < 1e-6


@given(placements, poses)
def test_there_and_back_is_where_it_was(placement: Placement, thing: Pose) -> None:
    back = placement.room_from(placement.photo_from_room(thing))
    assert close(back.position, thing.position)
    for axis in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
        assert close(rotate(back.orientation, axis), rotate(thing.orientation, axis))


@given(placements, poses, poses)
def test_lengths_shrink_by_the_scale(placement: Placement, a: Pose, b: Pose) -> None:
    in_photo = [placement.photo_from_room(thing).position for thing in (a, b)]
    room_m = math.dist(a.position, b.position)
    assert math.dist(*in_photo) * placement.scale == pytest.approx(room_m, abs=1e-6)


@given(poses)
def test_recentred_the_head_is_the_photos_camera_but_for_its_tilt(head: Pose) -> None:
    seen = recentred(head).photo_from_room(head)
    assert close(seen.position, (0.0, 0.0, 0.0))
    ahead = rotate(seen.orientation, (0.0, 0.0, -1.0))
    if math.hypot(ahead[0], ahead[2]) > 0.01:
        assert abs(ahead[0]) < 1e-6 and ahead[2] < 0, "it looks neither left nor right"


@given(poses, placements)
def test_recentred_the_photos_up_is_the_rooms(head: Pose, placement: Placement) -> None:
    up = recentred(head, placement.scale).room_from_photo
    assert close(rotate(up.orientation, (0.0, 1.0, 0.0)), (0.0, 1.0, 0.0))


def test_a_metre_is_a_metre() -> None:
    placement = recentred(Pose((1.0, 1.7, 0.0)))
    assert placement.scale == 1.0
    assert placement.photo_from_room(Pose((1.0, 1.7, -1.0))).position == (0.0, 0.0, -1.0)


def test_who_looks_straight_up_is_headed_where_the_top_of_the_head_is_not() -> None:
    straight_up = from_rotation_vector((math.pi / 2, 0.0, 0.0))
    straight_down = from_rotation_vector((-math.pi / 2, 0.0, 0.0))
    assert yaw(straight_up) == pytest.approx(0.0, abs=1e-6)
    assert yaw(straight_down) == pytest.approx(0.0, abs=1e-6)


@given(st.floats(-3.1, 3.1))
def test_a_heading_is_read_as_it_was_turned(radians: float) -> None:
    assert yaw(turn_about_up(radians)) == pytest.approx(radians, abs=1e-9)


@pytest.mark.parametrize(("wanted", "found"), [(0.0, SMALLEST), (1e9, LARGEST), (2.0, 2.0)])
def test_scales_stay_within_their_bounds(wanted: float, found: float) -> None:
    assert Placement().at(wanted).scale == found
