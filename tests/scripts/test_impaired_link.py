"""The bad link is as bad as it is told to be: its arithmetic, on a clock that is a number."""

import dataclasses

import pytest
from scripts.impairment.link import MAX_WAIT_S, Impairment, Lane, UdpRelay, without_candidates

ANSWER = "\r\n".join(
    [
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=candidate:1 1 udp 2130706431 10.0.0.7 5000 typ host",
        "a=candidate:2 1 udp 2130706430 10.0.0.8 5001 typ host",
        "a=end-of-candidates",
    ]
)


def arrivals(lane: Lane, count: int, step_s: float = 0.001, size: int = 1000) -> list[float | None]:
    return [lane.arrival(size, i * step_s) for i in range(count)]


def test_a_clean_lane_lets_all_pass_at_once() -> None:
    assert arrivals(Lane(), 3) == [0.0, 0.001, 0.002]


@pytest.mark.parametrize("burst", [1.0, 4.0])
def test_losses_have_the_share_and_the_length_that_they_are_told(burst: float) -> None:
    lost = [at is None for at in arrivals(Lane(Impairment(loss=0.1, burst=burst)), 20_000)]
    starts = sum(b and not a for a, b in zip(lost, lost[1:], strict=False))
    assert sum(lost) / len(lost) == pytest.approx(0.1, rel=0.15)
    assert sum(lost) / starts == pytest.approx(max(burst, 1 / 0.9), rel=0.15)


@pytest.mark.parametrize("reorder", [True, False])
def test_jitter_keeps_the_order_unless_it_is_told_otherwise(reorder: bool) -> None:
    lane = Lane(Impairment(delay_s=0.01, jitter_s=0.02, reorder=reorder))
    came = [at for at in arrivals(lane, 500) if at is not None]
    assert (came == sorted(came)) is not reorder
    waits = [at - 0.001 * i for i, at in enumerate(came)]
    assert min(waits) >= 0.01 and max(waits) <= 0.03 + 1e-9


def test_a_bottleneck_lets_its_rate_through_and_drops_what_overflows_its_queue() -> None:
    lane = Lane(Impairment(rate_bps=1e6, queue_bytes=10_000))
    came = [at for at in arrivals(lane, 1000) if at is not None]  # 8 Mbit/s for a second
    assert 8 * 1000 * len(came) / max(came) == pytest.approx(1e6, rel=0.01)
    assert max(at - 1.0 for at in came) <= 0.08
    assert lane.dropped == 1000 - len(came) > 800


def test_a_lane_that_is_down_lets_nothing_pass_until_it_is_up() -> None:
    lane = Lane(Impairment(down=True))
    assert lane.arrival(100, 0.0) is None
    lane.impairment = Impairment()
    assert lane.arrival(100, 0.1) == 0.1


def test_the_same_seed_does_the_same() -> None:
    bad = Impairment(loss=0.1, jitter_s=0.01)
    assert arrivals(Lane(bad, seed=3), 100) == arrivals(Lane(bad, seed=3), 100)
    assert arrivals(Lane(bad, seed=3), 100) != arrivals(Lane(bad, seed=4), 100)


def test_nothing_waits_longer_than_the_bound() -> None:
    lane = Lane(dataclasses.replace(Impairment(), delay_s=MAX_WAIT_S + 1))
    assert lane.arrival(100, 0.0) is None


def test_of_the_servers_addresses_one_is_left_and_it_is_the_relays() -> None:
    relay = UdpRelay(Lane(), Lane())
    relay._front = _Bound()  # type: ignore[assignment]
    lines = relay.rewritten(ANSWER).splitlines()
    assert [line for line in lines if line.startswith("a=candidate")] == [
        "a=candidate:1 1 udp 2130706431 127.0.0.1 4242 typ host"
    ]
    assert relay.server == ("10.0.0.7", 5000)
    assert without_candidates(ANSWER).split() == "m=video 9 UDP/TLS/RTP/SAVPF 96".split()


class _Bound:
    """A socket's transport, as far as its port."""

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 4242)
