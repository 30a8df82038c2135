"""The rate control in its world: a link with a queue, on a clock that is a number."""

from collections.abc import Iterable

import pytest
from tests.server.stream.simulated_link import SimulatedLink

from sharp_xr.stream.lags import Lags

CODED = 0.875
"""Of the rate, what the simulated encoder makes frames of, mean."""


def since(samples: Iterable[tuple[float, float]], at_s: float) -> list[float]:
    return [value for when, value in samples if when > at_s]


@pytest.mark.parametrize("extra", [{}, {"jitter_s": 0.02}, {"busy": 0.02}, {"delay_s": 0.02}])
def test_on_a_steady_link_the_rate_stays_near_what_it_carries(extra: dict[str, float]) -> None:
    link = SimulatedLink(rate_bps=8e6, **extra)  # type: ignore[arg-type]
    link.run(6.0)
    settled_s = link.now_s
    link.run(10.0)
    rates = [CODED * rate for rate in since(link.rates, settled_s)]
    assert max(rates) < 1.2 * 8e6
    assert min(rates) > 0.7 * 8e6
    assert sum(rates) / len(rates) > 0.9 * 8e6


@pytest.mark.parametrize("mbps", [1.5, 3.0, 6.0, 12.0])
def test_the_rate_overshoots_a_link_by_a_fifth_at_most_and_does_not_swing(mbps: float) -> None:
    link = SimulatedLink(rate_bps=mbps * 1e6)
    link.run(8.0)
    settled_s = link.now_s
    link.run(20.0)
    rates = [CODED * rate / (mbps * 1e6) for rate in since(link.rates, settled_s)]
    assert max(rates) < 1.2
    assert min(rates) > 0.65
    drops = sum(b < a for a, b in zip(rates, rates[1:], strict=False))
    assert drops <= 20  # one a second: it looks whether there is more, and finds that there is not


@pytest.mark.parametrize("mbps", [2.0, 8.0])
def test_a_link_that_returns_is_not_overshot_by_more_than_a_quarter(mbps: float) -> None:
    link = SimulatedLink(rate_bps=mbps * 1e6)
    link.run(8.0)
    for _ in range(4):
        link.rate_bps = mbps * 1e6 / 4
        link.run(5.0)
        link.rate_bps, back_s = mbps * 1e6, link.now_s
        link.run(5.0)
        rates = [CODED * rate / (mbps * 1e6) for rate in since(link.rates, back_s)]
        assert 0.7 < max(rates) < 1.25


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_link_cut_to_a_quarter_is_followed_within_a_second_and_back_within_five(
    seed: int,
) -> None:
    link = SimulatedLink(rate_bps=8e6, seed=seed)
    link.run(10.0)
    before = link.control.bitrate
    link.rate_bps, cut_s = 2e6, link.now_s
    link.run(5.0)
    ages = [(when - cut_s, age) for when, age in link.ages if when > cut_s]
    assert max(age for _, age in ages) < 0.5
    fresh = [age < 0.07 for at, age in ages if 1.0 < at < 2.0]
    assert sum(fresh) > 0.8 * len(fresh)
    assert max(CODED * rate for rate in since(link.rates, cut_s + 1.0)) < 1.3 * 2e6
    link.rate_bps, back_s = 8e6, link.now_s
    link.run(5.0)
    assert max(since(link.rates, back_s)) > 0.8 * before


def test_a_link_that_drops_instead_of_queueing_is_not_flooded() -> None:
    link = SimulatedLink(rate_bps=4e6, queue_bytes=12_000)
    link.run(20.0)
    rates = [CODED * rate for rate in since(link.rates, link.now_s - 10)]
    assert sum(rates) / len(rates) < 1.2 * 4e6


def test_a_busy_client_on_a_free_link_costs_no_rate() -> None:
    link = SimulatedLink(busy=0.05)
    link.run(10.0)
    assert link.control.bitrate == link.settings.ceiling_bps


def test_a_link_that_is_dead_for_300_ms_shows_a_frame_within_400() -> None:
    link = SimulatedLink()
    link.run(5.0)
    for _ in range(5):
        link.down, began_s = True, link.now_s
        link.run(0.3)
        link.down = False
        link.run(1.0 + 1 / 60)
        shown_s = [when - age for when, age in link.ages if when > began_s]
        assert any(began_s + 0.3 <= at < began_s + 0.4 for at in shown_s)


def test_a_queue_is_what_makes_all_newest_frames_late_and_not_one() -> None:
    lags = Lags()
    for i in range(60):
        lags.add(0.010, i / 60)
    lags.add(0.090, 1.0)
    assert lags.queue_s(1.0) == 0.0
    for i in range(1, 5):
        lags.add(0.050, 1.0 + i / 60)
    assert lags.queue_s(1.0 + 4 / 60) == pytest.approx(0.040)


def test_before_anything_is_usual_there_is_no_queue() -> None:
    lags = Lags()
    lags.add(0.01, 0.0)
    for i in range(1, 9):
        lags.add(0.5, i / 60)
    assert lags.queue_s(0.2) == 0.0
