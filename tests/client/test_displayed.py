import math

import pytest

from sharp_xr_client.displayed import Displayed, figures
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Fov, Pose, from_rotation_vector
from sharp_xr_protocol.messages import Eye, FrameHeader, Layout

LAYOUT = Layout(512, 512, 256, 256)
WIDE = Fov.symmetric(math.radians(100), math.radians(100))


def tick(head: Pose, *, warped: bool, near_m: float = 0.5, wide: bool = False) -> Displayed:
    shown = eyes()
    left, right = (Eye(eye.pose, WIDE if wide else eye.fov) for eye in shown)
    drawn_for = Pose((0.1, 1.6, 0.0), from_rotation_vector((0.0, 0.2, 0.0)))
    header = FrameHeader(1, drawn_for, (left, right), "scene", LAYOUT, near_m)
    return Displayed(header, drawn_for @ head, shown, warped)


STEP = Pose((0.03, 0.0, -0.04), from_rotation_vector((0.0, math.radians(4), 0.0)))


def test_a_frame_as_it_was_drawn_is_off_by_what_the_head_has_moved() -> None:
    shown = tick(STEP, warped=False)
    assert shown.moved == shown.off == pytest.approx((0.05, math.radians(4)))


def test_a_warped_frame_is_where_the_head_is() -> None:
    shown = tick(STEP, warped=True)
    assert shown.moved == pytest.approx((0.05, math.radians(4)))
    assert shown.off == (0.0, 0.0)


def test_without_depth_only_the_turn_is_made_up_for() -> None:
    assert tick(STEP, warped=True, near_m=0.0).off == pytest.approx((0.05, 0.0))


def test_a_turn_by_more_than_half_a_circle_is_the_shorter_way() -> None:
    shown = tick(Pose((0, 0, 0), from_rotation_vector((0.0, math.radians(350), 0.0))), warped=False)
    assert shown.moved[1] == pytest.approx(math.radians(10))


def test_what_the_frame_did_not_see_is_empty_unless_it_has_a_margin() -> None:
    assert tick(STEP, warped=False).uncovered == 0.0
    assert 0.02 < tick(STEP, warped=True).uncovered < 0.2
    assert tick(STEP, warped=True, wide=True).uncovered == 0.0


def test_figures_are_medians_and_what_one_in_twenty_exceeds() -> None:
    ticks = [tick(Pose((0.001 * n, 0.0, 0.0)), warped=False) for n in range(101)]
    found = figures(ticks)
    assert found["head_moved_median_mm"] == pytest.approx(50.0)
    assert found["shown_off_p95_mm"] == pytest.approx(95.0)
    assert found["shown_off_p95_deg"] == pytest.approx(0.0, abs=1e-6)
    assert found["uncovered_share_max"] == 0.0
    assert figures([]) == {}
