"""How a display's loop goes."""

import time

import pytest

from sharp_xr_client.timing import KEPT, TELL_S, Timing


def test_stages_are_medians_of_the_newest() -> None:
    timing = Timing()
    for value in [1000.0] * 50 + [1.0, 2.0, 3.0] * (KEPT // 3):
        timing.add("paint", value)
    assert timing.figures()["paint_ms"] == 2.0


def test_a_stage_is_timed_and_an_error_in_it_is_not() -> None:
    timing = Timing()
    with timing.stage("upload"):
        pass
    with pytest.raises(OSError), timing.stage("end"):
        raise OSError
    assert set(timing.figures()) >= {"upload_ms"}
    assert "end_ms" not in timing.figures()


def test_rates_are_since_the_last_look() -> None:
    timing = Timing()
    start_s = time.monotonic()
    timing.lines(0, start_s)
    timing.frames, timing.fresh, timing.reused = 120, 40, 80
    timing.add("pose_age", 34.4)
    lines = timing.lines(3, start_s + 2.0)
    assert lines[:3] == ["display 60/s", "new 20/s again 40/s", "pose age 34 ms"]
    assert lines[-1] == "undecodable 3"
    assert timing.lines(3, start_s + 4.0)[0] == "display 0/s"
    assert all(len(line) <= 26 for line in lines)


def test_the_server_is_told_now_and_then_whatever_the_panel_shows() -> None:
    timing = Timing()
    start_s = time.monotonic()
    assert timing.due(0, start_s + TELL_S / 2) is None
    timing.frames, timing.fresh, timing.reused = 600, 200, 400
    for stage in ("pose_age", "wait", "locate", "upload", "paint"):
        timing.add(stage, 1.5)
    timing.lines(0, start_s + TELL_S)
    times = timing.due(7, start_s + 2 * TELL_S)
    assert times is not None
    assert (times.frames_hz, times.fresh_hz) == pytest.approx((30.0, 10.0), rel=0.01)
    assert (times.pose_age_ms, times.paint_ms, times.end_ms) == (1.5, 1.5, 0.0)
    assert times.undecodable == 7
    assert timing.due(7, start_s + 2.5 * TELL_S) is None
    later = timing.due(1 << 32, start_s + 3.5 * TELL_S)
    assert later is not None and (later.frames_hz, later.undecodable) == (0.0, 0)
