"""The controls of rate and of quality on one link with a queue: neither starves the other."""

from dataclasses import dataclass, field

import pytest
from tests.server.stream.simulated_link import HZ, SimulatedLink

from sharp_xr.stream.load import FrameLoad, LoadMeter
from sharp_xr.stream.quality import Quality, QualityControl
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr_protocol.messages import QualityGoal, Video

VIDEO = Video(512, 512, HZ)


@dataclass
class AdaptedLink(SimulatedLink):
    """A fast machine whose pictures are as large and as many as the control of quality says."""

    goal: QualityGoal = "auto"
    video: Video = VIDEO
    changes: list[tuple[float, Quality]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hz = self.video.max_hz
        self.settings = settings_for(2 * self.video.eye_width, self.video.eye_height, self.hz)
        super().__post_init__()
        self.quality = QualityControl(self.video, self.goal)
        self._meter = LoadMeter()
        self._due_s = 0.0

    def is_due(self, now_s: float) -> bool:
        if now_s < self._due_s - 0.5 / self.hz:
            return False
        self._due_s = max(self._due_s, now_s - 0.5 / self.hz) + 1 / self.quality.quality.hz
        return True

    def frame_bits(self) -> float:
        now = self.quality.quality
        most = settings_for(2 * now.eye_width, now.eye_height, self.hz).ceiling_bps / self.hz
        return min(self.control.video_bps / now.expected_hz, most)

    def was_sent(self, size: int, now_s: float) -> None:
        self._meter.add(FrameLoad(5.0, 3.0, 8 * size, None, 1000, 1), now_s)
        load = self._meter.read(self.control.video_bps, now_s)
        if load is not None:
            before = self.quality.quality
            now = self.quality.look(load, now_s)
            if (before.eye_width, before.hz) != (now.eye_width, now.hz):
                self.changes.append((now_s, now))


@pytest.mark.parametrize("goal", ["auto", "sharper", "smoother"])
@pytest.mark.parametrize("thin_bps", [0.7e6, 1.2e6])
def test_a_link_that_was_cut_gets_smaller_pictures_and_the_whole_ones_back(
    goal: QualityGoal, thin_bps: float
) -> None:
    link = AdaptedLink(rate_bps=9e6, goal=goal)
    link.run(10.0)
    assert link.changes == []
    link.rate_bps = thin_bps
    link.run(20.0)
    now = link.quality.quality
    assert now.limit == "link"
    assert link.control.bitrate / (2 * now.eye_width * now.eye_height * now.hz) > 0.05
    settled = len(link.changes)
    assert settled <= 4
    link.rate_bps = 9e6
    link.run(20.0)
    now = link.quality.quality
    assert (now.eye_width, now.hz, now.limit) == (512, HZ, "display")
    assert len(link.changes) <= settled + 4


def test_a_thin_link_does_not_make_the_picture_flicker() -> None:
    link = AdaptedLink(rate_bps=1.5e6, jitter_s=0.01)
    link.run(20.0)
    settled = len(link.changes)
    link.run(120.0)
    assert len(link.changes) - settled <= 6


def test_outages_of_300_ms_change_nothing() -> None:
    link = AdaptedLink(rate_bps=20e6)
    link.run(5.0)
    for _ in range(6):
        link.down = True
        link.run(0.3)
        link.down = False
        link.run(5.0)
    assert link.changes == []


def test_large_pictures_at_90_hz_get_50_mbit_a_second_where_the_link_takes_them() -> None:
    video = Video(1024, 1024, 90.0)
    link = AdaptedLink(rate_bps=60e6, queue_bytes=500_000, goal="sharper", video=video)
    link.control.generous = True
    link.run(15.0)
    assert link.control.bitrate >= 48e6
    assert link.changes == []
    now = link.quality.quality
    assert (now.eye_width, now.hz, now.limit) == (1024, 90.0, "display")
    link.rate_bps = 30e6
    link.run(10.0)
    assert 20e6 < link.control.bitrate < 35e6  # of which an encoder makes seven eighths
    link.rate_bps = 60e6
    link.run(10.0)
    assert link.control.bitrate >= 48e6
