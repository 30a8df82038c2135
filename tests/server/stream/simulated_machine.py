"""A stream's control of quality in its world, on a clock that is a number: machine, encoder, link.

Drawing takes a time that goes with Gaussians and pixels, by the CPU renderer's own choice of level;
encoding takes one that goes with pixels; the two overlap. The encoder makes seven eighths of the
bits that it may, or what the picture is worth. Nothing here waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sharp_xr.render.cpu.levels import LevelChooser
from sharp_xr.stream.load import FrameLoad, LoadMeter
from sharp_xr.stream.quality import Quality, QualityControl
from sharp_xr_protocol.messages import QualityGoal, Video

VIDEO = Video(512, 512, 60.0)
WHOLE_PX = 512 * 512


def steadily(value: float) -> Callable[[float], float]:
    return lambda now_s: value


@dataclass
class SimulatedMachine:
    """Run it with :meth:`run`; ``qualities`` is what there is to look at."""

    goal: QualityGoal = "auto"
    video: Video = VIDEO
    load: Callable[[float], float] = steadily(1.0)
    """How many times slower than alone, at that second."""
    stall_ms: float = 0.0
    """That each drawing takes besides, whatever is drawn: others have the processor."""
    client_ms: float = 0.0
    """What the client takes for a turn of its display: to show a whole picture, and a fifth of it
    whatever the size; never less than its display."""
    shows_ms: float = 0.0
    """What it takes to show a whole picture, while its poses come with each turn: of the frames
    that come meanwhile only the newest is shown."""
    noise: float = 0.1
    """Deviation of the time that a frame takes, as a share of it."""
    link_bps: Callable[[float], float] = steadily(8e6)
    worth_bpp: float = 1.0
    """Bits for each pixel that the encoder makes at most, simple pictures fewer."""
    gaussians: int = 300_000
    sharers: int = 1
    seed: int = 1
    now_s: float = 100.0
    qualities: list[tuple[float, Quality]] = field(default_factory=list)
    """(when, what) at the beginning and at each change of size or rate."""
    frames: list[float] = field(default_factory=list)
    """When each was sent."""
    shown: list[float] = field(default_factory=list)
    """When each was shown."""

    def __post_init__(self) -> None:
        self.control = QualityControl(self.video, self.goal)
        self._chance = random.Random(self.seed)
        self._meter = LoadMeter()
        self._free_s = 0.0  # when the client has shown its last frame
        self._counts = [self.gaussians, self.gaussians // 2, self.gaussians // 4]
        self.chooser = LevelChooser(self._counts)
        self._note()

    @property
    def quality(self) -> Quality:
        return self.control.quality

    def run(self, seconds: float) -> None:
        """Frame by frame of a head that moves."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self._frame()

    def rest(self, seconds: float) -> None:
        """The head keeps still: nothing is measured."""
        self.now_s += seconds

    def changes_since(self, at_s: float) -> int:
        return sum(when > at_s for when, _ in self.qualities)

    def share_of_time(self, width: int) -> float:
        """That eyes were so wide."""
        times = [when for when, _ in self.qualities] + [self.now_s]
        spans = zip(times, times[1:], self.qualities, strict=False)
        wide = sum(end - begin for begin, end, (_, was) in spans if was.eye_width == width)
        return wide / (self.now_s - times[0])

    def fps(self, seconds: float = 2.0) -> float:
        """Of the last seconds."""
        return sum(at > self.now_s - seconds for at in self.frames) / seconds

    def shown_fps(self, seconds: float = 2.0) -> float:
        """Of the last seconds."""
        return sum(at > self.now_s - seconds for at in self.shown) / seconds

    def _show(self, pixels: float) -> None:
        if self.now_s < self._free_s:
            return
        takes_s = self.shows_ms * (0.2 + 0.8 * pixels) / 1e3
        # Whoever has just missed one is glad of the next, on average.
        self._free_s = max(self._free_s + takes_s, self.now_s)
        self._meter.shown(self.now_s)
        self.shown.append(self.now_s)

    def _frame(self) -> None:
        quality = self.quality
        pixels = quality.eye_width * quality.eye_height / WHOLE_PX
        count = self._counts[self.chooser.level]
        draw_ms = self.stall_ms + self._time(4.0 * count / 300_000 + 4.0 * pixels)
        encode_ms = self._time(0.8 + 2.4 * pixels)
        self.chooser.took(draw_ms, quality.budget_ms / self.sharers)
        turn_s = max(1 / quality.hz, self.client_ms * (0.2 + 0.8 * pixels) / 1e3)
        frame_s = max(turn_s, self.sharers * draw_ms / 1e3, encode_ms / 1e3)
        for poses in range(round(frame_s / turn_s)):
            self._meter.posed(self.now_s + poses * turn_s)
        self.now_s += frame_s
        self.frames.append(self.now_s)
        link_bps = self.link_bps(self.now_s)
        worth = self.worth_bpp * 2 * quality.eye_width * quality.eye_height
        bits = min(0.875 * link_bps / quality.expected_hz, worth)
        self._meter.add(
            FrameLoad(draw_ms, encode_ms, round(bits), count, self.gaussians, self.sharers),
            self.now_s,
        )
        self._show(pixels)
        load = self._meter.read(link_bps, self.now_s)
        if load is not None:
            self.control.look(load, self.now_s)
            if self.quality.eye_width != quality.eye_width:
                self._meter.forget()
            self._note()

    def _time(self, ms: float) -> float:
        return self.load(self.now_s) * ms * max(0.3, self._chance.gauss(1.0, self.noise))

    def _note(self) -> None:
        quality = self.quality
        if not self.qualities or _steps(self.qualities[-1][1]) != _steps(quality):
            self.qualities.append((self.now_s, quality))


def _steps(quality: Quality) -> tuple[int, int, float]:
    return quality.eye_width, quality.eye_height, quality.hz
