from itertools import pairwise

import pytest

from sharp_xr.stream.rate import RateControl
from sharp_xr.stream.rate_settings import RateSettings, settings_for

SETTINGS = RateSettings(ceiling_bps=16_000_000, start_bps=8_000_000, floor_bps=500_000)
FRAME_S = 1 / 60


class Link:
    """A client at 60 Hz that acknowledges each frame after ``lag_s``; time is a number."""

    def __init__(self) -> None:
        self.rate = RateControl(SETTINGS)
        self.now_s = 100.0
        self.key = 0
        self.acked: int | None = None
        self.on_the_way: list[tuple[float, int]] = []
        self.key_frames: list[float] = []

    def frames(self, count: int, lag_s: float | None) -> None:
        """None: nothing arrives."""
        for _ in range(count):
            self.now_s += FRAME_S
            while self.on_the_way and self.on_the_way[0][0] <= self.now_s:
                self.acked = self.on_the_way.pop(0)[1]
            self.rate.heard(self.acked, self.now_s)
            if self.rate.may_send(self.now_s):
                self._send(lag_s)

    def _send(self, lag_s: float | None) -> None:
        if self.rate.key_frame_due(self.now_s):
            self.rate.key_frame_made(self.now_s)
            self.key_frames.append(self.now_s)
        self.key += 1500
        self.rate.sent(self.key, round(0.9 * self.rate.bitrate * FRAME_S / 8), self.now_s)
        if lag_s is not None:
            self.on_the_way.append((self.now_s + lag_s, self.key))


@pytest.fixture
def link() -> Link:
    link = Link()
    link.frames(120, lag_s=0.02)
    return link


def test_the_first_frame_is_a_key_frame_and_no_other_without_need(link: Link) -> None:
    assert link.key_frames == [pytest.approx(100.0 + FRAME_S)]


def test_the_rate_climbs_to_the_ceiling_where_nothing_is_in_the_way(link: Link) -> None:
    link.frames(600, lag_s=0.02)
    assert link.rate.bitrate == SETTINGS.ceiling_bps


def test_an_outage_brings_a_key_frame_within_its_first_moments_and_again_until_it_arrives(
    link: Link,
) -> None:
    began_s = link.now_s
    link.frames(60, lag_s=None)
    asked = [at - began_s for at in link.key_frames[1:]]
    assert 0.1 < asked[0] < 0.2
    # So often that the first one after an outage is near; longer ones may take a tenth longer.
    for before, after in pairwise(asked):
        assert 0.03 <= after - before < max(0.07, 0.1 * after + 2 * FRAME_S)
    link.frames(60, lag_s=0.02)
    count = len(link.key_frames)
    link.frames(60, lag_s=0.02)
    assert len(link.key_frames) == count


def test_who_never_answers_costs_little_and_is_never_given_up(link: Link) -> None:
    link.frames(600, lag_s=None)  # ten seconds
    assert len(link.key_frames) < 90  # of 300 in the rhythm of a short outage
    late = [at for at in link.key_frames if at > link.now_s - 1.0]
    assert len(late) >= 4


def test_old_news_after_a_silence_hide_no_loss(link: Link) -> None:
    """The link died with frames on it; the first pose after acknowledges one from before them."""
    link.frames(1, lag_s=0.001)
    arrived = link.key
    link.frames(2, lag_s=None)
    link.now_s += 0.3
    link.rate.heard(arrived, link.now_s)
    assert link.rate.key_frame_due(link.now_s)


def test_beyond_the_window_only_key_frames_leave(link: Link) -> None:
    link.frames(60, lag_s=None)
    extra = link.rate.acks.in_flight() - SETTINGS.window_frames
    assert 0 < extra <= len(link.key_frames)


def test_the_watchdog_halves_the_rate(link: Link) -> None:
    before = link.rate.bitrate
    link.frames(round(0.3 / FRAME_S), lag_s=None)
    assert link.rate.bitrate == pytest.approx(before / 2, rel=0.01)


def test_a_standing_queue_lowers_the_rate_and_its_end_raises_it(link: Link) -> None:
    before = link.rate.bitrate
    link.frames(30, lag_s=0.12)
    low = link.rate.bitrate
    assert low < 0.9 * before
    link.frames(240, lag_s=0.02)
    assert link.rate.bitrate > 1.2 * low


def test_one_late_frame_changes_nothing(link: Link) -> None:
    before = link.rate.bitrate
    link.frames(1, lag_s=0.08)
    link.frames(30, lag_s=0.02)
    assert link.rate.bitrate >= before
    assert len(link.key_frames) == 1


def test_a_slow_link_is_no_stall() -> None:
    link = Link()
    link.frames(30, lag_s=0.18)  # longer than the stall's 100 ms, and steady
    count = len(link.key_frames)
    link.frames(240, lag_s=0.18)
    assert len(link.key_frames) == count


def test_a_client_that_pauses_is_no_stall(link: Link) -> None:
    before = link.rate.bitrate
    link.now_s += 10.0
    link.frames(30, lag_s=0.02)
    assert len(link.key_frames) == 1
    assert link.rate.bitrate >= before


def test_without_acknowledgements_only_the_receivers_estimate_counts() -> None:
    rate = RateControl(SETTINGS)
    for n in range(100):
        rate.sent(n, 10_000, 0.01 * n)
        rate.heard(None, 0.01 * n)
    assert rate.may_send(1.0) and rate.bitrate == SETTINGS.start_bps
    rate.remb(2_000_000)
    assert rate.bitrate == 1_800_000


def test_a_client_that_missed_the_first_key_frame_gets_others_for_two_seconds() -> None:
    link = Link()
    link.frames(600, lag_s=None)
    since_start = [at - link.key_frames[0] for at in link.key_frames]
    assert 8 <= len(since_start) <= 14
    assert since_start[1] < 0.2 and since_start[-1] < 2.1


def test_a_request_for_a_key_frame_is_answered_once_and_not_too_soon() -> None:
    rate = RateControl(SETTINGS)
    rate.key_frame_made(1.0)
    rate.want_key_frame()
    rate.want_key_frame()
    assert not rate.key_frame_due(1.1)
    assert rate.key_frame_due(1.2)
    rate.key_frame_made(1.2)
    assert not rate.key_frame_due(9.0)


def test_rates_grow_with_the_picture() -> None:
    assert settings_for(1024, 512, 60.0).start_bps == pytest.approx(8e6, rel=0.05)
    assert settings_for(4096, 2048, 90.0).ceiling_bps == 50_000_000
    small = settings_for(64, 32, 60.0)
    assert small.floor_bps / 60 >= 8_000 and small.start_bps > small.floor_bps  # bits per frame


def test_the_video_makes_room_for_copies_of_its_packets() -> None:
    rate = RateControl(SETTINGS)
    for share in (0.0, 0.02, 0.02):
        rate.lost(share, 0.0)
        assert rate.video_bps == pytest.approx(rate.bitrate / (1 + rate.copies), abs=1)
    assert rate.copies == 2


def test_behind_a_hole_frames_go_on_where_packets_get_lost(link: Link) -> None:
    def left_in_100_ms(link: Link) -> int:
        before = link.key
        link.frames(6, lag_s=None)
        return (link.key - before) // 1500

    clean, lossy = left_in_100_ms(link), Link()
    lossy.frames(120, lag_s=0.02)
    for _ in range(2):
        lossy.rate.lost(0.02, lossy.now_s)
    assert clean < 6 == left_in_100_ms(lossy)
    lossy.frames(30, lag_s=None)
    assert lossy.rate.acks.in_flight() < 30  # but not forever


def test_no_more_than_enough_is_spent_unless_the_viewer_wants_it() -> None:
    settings = settings_for(1024, 512, 60.0)
    enough, ceiling = settings.enough_bps, settings.ceiling_bps
    assert enough is not None and ceiling == 2 * enough
    rate = RateControl(settings)
    rate.remb(10 * ceiling)
    assert rate.bitrate == enough
    rate.generous = True
    rate.remb(10 * ceiling)
    assert rate.bitrate == ceiling
    for _ in range(2):
        rate.lost(0.02, 0.0)
    assert rate.bitrate == enough
    assert settings_for(4096, 2048, 90.0).enough_bps == 50_000_000


def test_much_loss_lowers_the_rate_and_some_does_not() -> None:
    rate = RateControl(SETTINGS)
    rate.lost(0.05, 1.0)
    assert rate.bitrate == SETTINGS.start_bps
    rate.lost(0.4, 2.0)
    assert rate.bitrate == pytest.approx(0.8 * SETTINGS.start_bps)
