"""How far a long step is, in a terminal and in a log."""

from __future__ import annotations

import io

import pytest

from sharp_xr.weights.progress import BytesProgress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, seconds_per_step: float) -> str:
    """100 steps of 20 MB."""
    times = iter(step * seconds_per_step for step in range(1000))
    line = BytesProgress("downloading a.pt", stream, lambda: next(times))
    for step in range(101):
        line(20_000_000 * step, 2_000_000_000)
    return stream.getvalue()


def test_a_terminal_has_one_line_with_amount_speed_and_time_left() -> None:
    text = told(Terminal(), 1.0)
    assert text.count("\n") == 1
    lines = text.split("\r")
    assert lines[51] == "downloading a.pt: 1,000 of 2,000 MB, 20.0 MB/s, 50 s left\x1b[K"
    assert lines[-1] == "downloading a.pt: 2,000 of 2,000 MB, 20.0 MB/s\x1b[K\n"


def test_a_terminal_is_not_flooded() -> None:
    assert told(Terminal(), 0.01).count("\r") <= 7


def test_a_log_has_a_line_for_each_tenth() -> None:
    lines = told(io.StringIO(), 1.0).splitlines()
    assert len(lines) == 11
    assert lines[5] == "downloading a.pt: 1,000 of 2,000 MB, 20.0 MB/s, 50 s left"
    assert "\x1b" not in "".join(lines)


def test_speed_is_of_what_arrived_now_not_of_what_was_there() -> None:
    stream = io.StringIO()
    times = iter([0.0, 10.0])
    line = BytesProgress("a", stream, lambda: next(times))
    line(900_000_000, 1_000_000_000)
    line(1_000_000_000, 1_000_000_000)
    assert stream.getvalue().splitlines()[-1] == "a: 1,000 of 1,000 MB, 10.0 MB/s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (99.0, "99 s"), (100.0, "2 min"), (5940.0, "99 min"), (11_100.0, "3 h 5 min")],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
