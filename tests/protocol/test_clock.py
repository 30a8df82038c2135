"""The clock offset is right to half of the shortest round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_protocol.clock import ClockOffset, Sample

nanoseconds = st.integers(0, 10**9)


def ping(sent: int, there: int, back: int, offset: int) -> Sample:
    """A ping that took ``there`` and ``back`` between clocks that differ by ``offset``."""
    return Sample(sent, sent + there + offset, sent + there + back)


@given(st.integers(-(10**15), 10**15), st.lists(st.tuples(nanoseconds, nanoseconds), min_size=1))
def test_the_error_is_half_of_the_shortest_round_trip_at_most(
    offset: int, delays: list[tuple[int, int]]
) -> None:
    clock = ClockOffset(window=len(delays))
    for n, (there, back) in enumerate(delays):
        clock.add(ping(n * 10**9, there, back, offset))
    shortest = min(there + back for there, back in delays)
    assert abs(clock.to_remote_ns(0) - offset) <= shortest / 2 + 1


@given(st.integers(-(10**15), 10**15))
def test_there_and_back_is_the_same_time(local_ns: int) -> None:
    clock = ClockOffset()
    clock.add(ping(5, 10, 20, 1234567))
    assert clock.to_local_ns(clock.to_remote_ns(local_ns)) == local_ns


def test_old_samples_are_forgotten_so_that_drift_is_followed() -> None:
    clock = ClockOffset(window=4)
    clock.add(ping(0, 0, 0, 100))
    for n in range(4):
        clock.add(ping(n, 50, 50, 900))
    assert clock.to_remote_ns(0) == 900


def test_it_is_stable_after_three_samples() -> None:
    clock = ClockOffset()
    stable = []
    for n in range(3):
        clock.add(ping(n, 1, 1, 0))
        stable.append(clock.stable)
    assert stable == [False, False, True]


def test_an_estimate_needs_a_sample() -> None:
    with pytest.raises(ValueError, match="no ping has been answered yet"):
        ClockOffset().to_remote_ns(0)


def test_an_answer_before_its_ping_is_refused() -> None:
    with pytest.raises(ValueError, match="5 ns before it was sent"):
        ClockOffset().add(Sample(10, 0, 5))
