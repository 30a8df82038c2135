"""A rate control in its world, on a clock that is a number: encoder, link with a queue, client.

Nothing here waits: ten seconds of stream take a few hundredths of a second. The encoder makes
frames of the rate that it is given, less an eighth, as x264 does; the link is a bottleneck with a
queue of its own that drops at the tail; the client decodes what is complete and refers to nothing
lost, reports it and acknowledges it with its next pose, and asks for a key frame where it must.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sharp_xr.stream.rate import RateControl
from sharp_xr.stream.rate_settings import RateSettings

HZ = 60.0
PACKET = 1300  # bytes
SETTINGS = RateSettings(ceiling_bps=16_000_000, start_bps=8_000_000, floor_bps=500_000)


@dataclass
class SimulatedFrame:
    key: int
    posed_s: float
    arrives_s: float
    key_frame: bool
    whole: bool


@dataclass
class SimulatedLink:
    """Run it with :meth:`run`; the lists are what there is to look at."""

    settings: RateSettings = SETTINGS
    hz: float = HZ
    """Of the client's poses."""
    rate_bps: float = 1e9
    queue_bytes: int = 65_536
    delay_s: float = 0.002
    """Each way."""
    jitter_s: float = 0.0
    busy: float = 0.0
    """Chance per tick that the client's processor is away, for 20 to 80 ms."""
    down: bool = False
    seed: int = 1
    now_s: float = 100.0
    rates: list[tuple[float, int]] = field(default_factory=list)
    """(when, the control's rate)"""
    ages: list[tuple[float, float]] = field(default_factory=list)
    """(when, age of what is shown), at each of the client's ticks."""
    key_frames: list[float] = field(default_factory=list)
    sent_frames: int = 0

    def __post_init__(self) -> None:
        self.control = RateControl(self.settings)
        self._chance = random.Random(self.seed)
        self._free_s = 0.0
        self._busy_until_s = 0.0
        self._flight: list[SimulatedFrame] = []
        self._decoded: SimulatedFrame | None = None
        self._reported: int | None = None
        self._intact = False
        self._asked_s = float("-inf")
        self._packets = self._lost = 0

    def run(self, seconds: float) -> None:
        """Tick by tick of the client's display."""
        for _ in range(round(seconds * self.hz)):
            self.now_s += 1 / self.hz
            self._tick()

    def _tick(self) -> None:
        if self._chance.random() < self.busy:
            self._busy_until_s = self.now_s + self._chance.uniform(0.02, 0.08)
        self._receive()
        if self._decoded is not None:
            self.ages.append((self.now_s, self.now_s - self._decoded.posed_s))
        self.rates.append((self.now_s, self.control.bitrate))
        if self.down:
            return
        posed_s = self.now_s
        if self._decoded is not None and self._reported != self._decoded.key:
            self._reported = self._decoded.key
            lag_s = max(self._decoded.arrives_s, self._decoded_s) - self._decoded.posed_s
            self.control.reported(self._reported, lag_s, posed_s + self.delay_s)
        self._serve(posed_s)
        if len(self.rates) % 30 == 0 and self._packets:
            self.control.lost(self._lost / self._packets, self.now_s)
            self._packets = self._lost = 0

    def _serve(self, posed_s: float) -> None:
        """The pose arrives, is drawn and encoded, and the frame leaves 7 ms later."""
        control, now_s, key = self.control, posed_s + self.delay_s, round(posed_s * 90_000)
        control.posed(key, now_s)
        control.heard(None if self._decoded is None else self._decoded.key, now_s)
        if not control.may_send(now_s) or not self.is_due(now_s):
            return
        key_frame = control.key_frame_due(now_s)
        if key_frame:
            control.key_frame_made(now_s)
            self.key_frames.append(now_s)
        size = round(self.frame_bits() / 8 * self._chance.uniform(0.8, 0.95))
        sent_s = now_s + 0.007
        self._send(SimulatedFrame(key, posed_s, 0.0, key_frame, True), size, sent_s)
        control.sent(key, size, sent_s, key_frame)
        self.sent_frames += 1
        self.was_sent(size, sent_s)

    # --- what a test may do otherwise -----------------------------------------------------------

    def is_due(self, now_s: float) -> bool:
        """Whether the pose that came is to be drawn."""
        return True

    def frame_bits(self) -> float:
        """That the encoder may make of a frame."""
        return self.control.bitrate / self.hz

    def was_sent(self, size: int, now_s: float) -> None:
        """A frame of so many bytes."""

    def _send(self, frame: SimulatedFrame, size: int, now_s: float) -> None:
        for start in range(0, size, PACKET):
            self._packets += 1
            packet = min(PACKET, size - start)
            begin_s = max(now_s, self._free_s)
            if self.down or (begin_s - now_s) * self.rate_bps / 8 + packet > self.queue_bytes:
                frame.whole = False
                self._lost += 1
                continue
            self._free_s = begin_s + 8 * packet / self.rate_bps
        frame.arrives_s = max(now_s, self._free_s) + self.delay_s + 0.002
        frame.arrives_s += self._chance.uniform(0.0, self.jitter_s)
        self._flight.append(frame)

    def _receive(self) -> None:
        """What has arrived is decoded, unless what it refers to is lost."""
        while (
            self._flight
            and self._flight[0].arrives_s <= self.now_s
            and self.now_s >= self._busy_until_s
        ):
            frame = self._flight.pop(0)
            self._intact = frame.whole and (self._intact or frame.key_frame)
            if self._intact:
                self._decoded, self._decoded_s = frame, max(frame.arrives_s, self._busy_until_s)
            elif self.now_s - self._asked_s > 0.1 and not self.down:
                self._asked_s = self.now_s
                self.control.want_key_frame()
