"""What hands do to the photo."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_client.hands import Hand, Hands
from sharp_xr_client.placement import LARGEST, Placement, yaw
from sharp_xr_protocol.geometry import Pose, Vector3, from_rotation_vector, rotate

HEAD = Pose((0.0, 1.6, 0.0))
START = Placement(Pose((0.0, 1.6, 0.0)))
NO_HAND = Hand()


def at(x: float, y: float = 1.2, z: float = -0.4, turn: Vector3 = (0.0, 0.0, 0.0)) -> Hand:
    return Hand(Pose((x, y, z), from_rotation_vector(turn)), squeeze=1.0)


def after(*moments: tuple[Hand, Hand], start: Placement = START) -> Placement:
    hands, placement = Hands(), start
    for left, right in moments:
        placement = hands.update(left, right, placement, HEAD).placement
    return placement


def test_taking_hold_moves_nothing() -> None:
    assert after((NO_HAND, NO_HAND), (at(0.2), NO_HAND)) == START


def test_one_hand_carries_the_photo() -> None:
    found = after((at(0.0), NO_HAND), (at(0.1), NO_HAND), (at(0.3, 1.3, -0.6), NO_HAND))
    assert found.room_from_photo.position == pytest.approx((0.3, 1.7, -0.2))
    assert found.scale == 1.0


def test_a_hand_that_lets_go_moves_without_the_photo() -> None:
    loose = Hand(Pose((0.5, 1.2, -0.4)), squeeze=0.1)
    assert after((at(0.0), NO_HAND), (loose, NO_HAND), (at(0.9), NO_HAND)) == START


def test_a_hold_does_not_flutter_between_its_thresholds() -> None:
    weak = Hand(Pose((0.2, 1.2, -0.4)), squeeze=0.5)
    assert after((weak, NO_HAND), (at(0.0), NO_HAND)) == START, "too weak to take hold"
    held = after((at(0.0), NO_HAND), (weak, NO_HAND))
    assert held.room_from_photo.position[0] == pytest.approx(0.2), "strong enough to keep it"


def test_a_hand_that_is_lost_from_sight_lets_go() -> None:
    lost = Hand(None, squeeze=1.0)
    assert after((at(0.0), NO_HAND), (lost, NO_HAND), (at(1.0), NO_HAND)) == START


@given(st.floats(-1.0, 1.0))
def test_a_turned_hand_turns_the_photo_around_itself(turn: float) -> None:
    found = after((at(0.3), NO_HAND), (at(0.3, turn=(0.0, turn, 0.0)), NO_HAND))
    assert yaw(found.room_from_photo.orientation) == pytest.approx(turn, abs=1e-6)
    hand = START.photo_from_room(Pose((0.3, 1.2, -0.4))).position
    assert found.room_from(Pose(hand)).position == pytest.approx((0.3, 1.2, -0.4))


@given(st.tuples(*[st.floats(-1, 1)] * 3), st.tuples(*[st.floats(-1, 1)] * 3))
def test_the_horizon_stays_level(a: Vector3, b: Vector3) -> None:
    one = after((at(0.0), NO_HAND), (at(0.1, turn=a), NO_HAND), (at(0.2, turn=b), NO_HAND))
    two = after((at(-0.3), at(0.3)), (at(a[0], a[1], a[2]), at(b[0], b[1], b[2])))
    for placement in (one, two):
        up = rotate(placement.room_from_photo.orientation, (0.0, 1.0, 0.0))
        assert up == pytest.approx((0.0, 1.0, 0.0), abs=1e-6)


def test_two_hands_scale_around_their_middle() -> None:
    found = after((at(-0.2), at(0.2)), (at(-0.4), at(0.4)))
    assert found.scale == pytest.approx(2.0)
    between = START.photo_from_room(Pose((0.0, 1.2, -0.4))).position
    assert found.room_from(Pose(between)).position == pytest.approx((0.0, 1.2, -0.4))


def test_two_hands_turn_as_a_wheel_does() -> None:
    quarter = after((at(-0.2), at(0.2)), (at(0.0, z=-0.2), at(0.0, z=-0.6)))
    assert yaw(quarter.room_from_photo.orientation) == pytest.approx(math.pi / 2)
    assert quarter.scale == pytest.approx(1.0)


def test_hands_that_touch_do_not_divide_by_zero() -> None:
    found = after((at(0.0), at(0.0)), (at(-0.5), at(0.5)))
    assert 1.0 < found.scale <= LARGEST


def test_the_scale_has_a_bound_at_which_nothing_slides() -> None:
    start = Placement(Pose((0.0, 1.6, 0.0)), LARGEST)
    assert after((at(-0.2), at(0.2)), (at(-0.4), at(0.4)), start=start) == start


def test_a_second_hand_does_not_make_it_jump() -> None:
    one = after((at(0.0), NO_HAND), (at(0.1), NO_HAND))
    assert after((at(0.0), NO_HAND), (at(0.1), NO_HAND), (at(0.1), at(0.9))) == one


def test_a_flick_is_one_scene_however_long_it_is_held() -> None:
    hands = Hands()
    steps = [
        hands.update(NO_HAND, Hand(stick=stick), START, HEAD).scene_step
        for stick in (0.0, 0.5, 0.9, 1.0, 0.5, 1.0, 0.1, 0.8, 0.0, -0.9, -0.9)
    ]
    assert steps == [0, 0, 1, 0, 0, 0, 0, 1, 0, -1, 0]


def test_menu_puts_it_where_the_head_is_once() -> None:
    start = Placement(Pose((3.0, 0.0, 2.0)), 4.0)
    hands, menu = Hands(), Hand(menu=True)
    there = hands.update(menu, NO_HAND, start, HEAD).placement
    assert there == Placement(Pose(HEAD.position), 1.0)
    again = hands.update(menu, NO_HAND, start, HEAD).placement
    assert again == start, "it is held, not pushed again"


def test_a_press_returns_to_the_true_scale_and_leaves_directions() -> None:
    start = Placement(Pose((1.0, 1.0, -3.0)), 4.0)
    found = Hands().update(Hand(press=True), NO_HAND, start, HEAD).placement
    assert found.scale == 1.0
    for point in ((0.0, 0.0, -2.0), (1.0, 0.5, -1.0)):
        before = start.room_from(Pose(point)).position
        now = found.room_from(Pose(point)).position
        seen = [tuple(p - h for p, h in zip(a, HEAD.position, strict=True)) for a in (before, now)]
        assert [4 * value for value in seen[1]] == pytest.approx(list(seen[0]))
