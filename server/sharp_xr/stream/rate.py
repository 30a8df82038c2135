"""How many bits a link gets, and when a key frame: decided from acknowledgements alone.

Four rules (streaming.md, 6, has the measurements; the first, on repairs, stands in ``sender.py``):

    window     beyond 12 frames without acknowledgement nothing is encoded
    stall      acknowledgements stopped rising, for 100 ms or twice the usual lag, while frames are
               on their way -> key frame
    watchdog   ... for twice that -> half the rate as well
    queue      the smallest lag of the last 120 ms stands above the usual one -> 85 % of the rate
               that was delivered; with no queue for 0.7 s -> 5 % more, every 200 ms

Until a first acknowledgement comes (a WHEP player never sends one) only the receiver's own estimate
(REMB) and its key frame requests count, and for two seconds key frames come unasked.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

from sharp_xr.stream.acks import Acks

ENOUGH_LAGS = 30
"""Before that many acknowledgements nothing is known to be usual."""


@dataclass(frozen=True)
class RateSettings:
    """Rates in bits per second, times in seconds."""

    ceiling_bps: int
    start_bps: int
    floor_bps: int
    window_frames: int = 12
    stall_s: float = 0.1
    key_frame_interval_s: float = 0.15
    """Requests in between are answered at its end."""
    start_s: float = 2.0
    """Until the first acknowledgement, for so long, key frames come as in a stall."""
    watchdog_s: float = 0.2
    queue_s: float = 0.012
    """Lag above the usual one that counts as a queue (or one pose's period, if that is longer)."""
    queue_window_s: float = 0.12
    drop: float = 0.85
    climb: float = 1.05
    climb_interval_s: float = 0.2
    climb_after_s: float = 0.7
    memory_s: float = 10.0
    """How far back the usual lag is looked for."""


def settings_for(width: int, height: int, hz: float) -> RateSettings:
    """Rates for a picture of that many pixels: a quarter of a bit per pixel to begin with.

    8 Mbit/s for 1024 x 512 at 60 Hz, which is 39 dB there (streaming.md, 3.3). The ceiling is twice
    that: where nothing is in the way, more bits only cost processor time at both ends.
    """
    start = round(min(20e6, max(16_000 * hz, 0.25 * width * height * hz)))
    floor = round(max(8_000 * hz, start / 16))  # a key frame of one kilobyte is hardly a picture
    return RateSettings(ceiling_bps=2 * start, start_bps=start, floor_bps=min(floor, start))


class RateControl:
    """The state behind the rules. Times are passed in; the event loop's thread only."""

    def __init__(self, settings: RateSettings) -> None:
        self._settings = settings
        self.restart()

    def restart(self) -> None:
        """A new connection: forget the old one, begin with a key frame."""
        self.bitrate = self._settings.start_bps
        """Bits per second that the encoder is to be set to."""
        self.acks = Acks()
        self._lags: deque[tuple[float, float]] = deque()  # (when, lag), both in seconds
        self._flows: deque[tuple[float, int, int]] = deque()  # (when, bytes sent, bytes delivered)
        self._key_frame_wanted = True
        self._key_frame_s = self._dropped_s = self._climbed_s = float("-inf")
        self._progress_s = self._heard_s = 0.0
        self._period_s = 0.0  # between the client's messages, smoothed

    # --- events ---------------------------------------------------------------------------------

    def want_key_frame(self) -> None:
        """The receiver asks for one (PLI, FIR)."""
        self._key_frame_wanted = True

    def sent(self, key: int, size: int, now_s: float) -> None:
        """A frame of ``size`` bytes left."""
        if not self.acks.in_flight():
            self._progress_s = now_s  # nothing was on its way, so nothing could be acknowledged
        self.acks.sent(key, size, now_s)
        self._flows.append((now_s, size, 0))

    def heard(self, ack: int | None, now_s: float) -> None:
        """A message of the client came, with its newest acknowledgement: runs all rules."""
        silent_s, self._heard_s = now_s - self._heard_s, now_s
        if silent_s < self._settings.watchdog_s:
            self._period_s += 0.1 * (silent_s - self._period_s)
        delivery = None if ack is None else self.acks.acknowledged(ack, now_s)
        if delivery is not None:
            self._progress_s = now_s
            self._flows.append((now_s, 0, delivery.size))
            # After a silence of the client's the lag would measure that silence.
            if silent_s < self._settings.watchdog_s:
                self._lags.append((now_s, delivery.lag_s))
                self._adapt(now_s)
        elif silent_s < self._settings.watchdog_s:
            self._check_stall(now_s)

    def remb(self, bits_per_second: int) -> None:
        """The receiver's own estimate of what the link carries."""
        if self.acks.newest is None:
            self.bitrate = self._within(0.9 * bits_per_second)

    # --- questions ------------------------------------------------------------------------------

    def may_send(self, now_s: float) -> bool:
        """Whether one more frame may leave. A key frame may: else none would ever arrive."""
        if self.acks.newest is None or self.key_frame_due(now_s):
            return True
        return self.acks.in_flight() < self._settings.window_frames

    def key_frame_due(self, now_s: float) -> bool:
        """Whether the next frame is to be a key frame."""
        long_ago = now_s - self._key_frame_s >= self._settings.key_frame_interval_s
        return self._key_frame_wanted and long_ago

    def key_frame_made(self, now_s: float) -> None:
        """It is encoded."""
        self._key_frame_wanted = False
        self._key_frame_s = now_s

    @property
    def lag_s(self) -> float:
        """Median of the lags that are remembered; 0 before the first."""
        return median(lag for _, lag in self._lags) if self._lags else 0.0

    # --- rules ----------------------------------------------------------------------------------

    def _check_stall(self, now_s: float) -> None:
        if not self.acks.in_flight():
            return
        if self.acks.newest is None:
            self._check_start(now_s)
            return
        quiet_s = min(now_s - self._progress_s, self.acks.oldest_age_s(now_s))
        # A slow link, or a client short of processor time, is not a lossy one.
        patience_s = max(self._settings.stall_s, 2 * self.lag_s)
        if quiet_s > patience_s:
            self._key_frame_wanted = True
        watchdog_s = max(self._settings.watchdog_s, 2 * patience_s)
        if min(quiet_s, now_s - self._dropped_s) > watchdog_s:
            self._drop_to(0.5 * self.bitrate, now_s)

    def _check_start(self, now_s: float) -> None:
        """The first key frame is easily lost: it may come before the client's end is ready."""
        age_s = self.acks.oldest_age_s(now_s)
        if self._settings.stall_s < age_s < self._settings.start_s:
            self._key_frame_wanted = True

    def _adapt(self, now_s: float) -> None:
        settings = self._settings
        _forget_before(self._lags, now_s - settings.memory_s)
        _forget_before(self._flows, now_s - 0.4)
        lag_s = self._lags[-1][1]
        since_drop_s = now_s - self._dropped_s
        if self._has_queue(now_s):
            if since_drop_s > max(0.15, lag_s + 0.05):
                self._drop_to(settings.drop * self._delivered_share() * self.bitrate, now_s)
        elif (
            since_drop_s > settings.climb_after_s
            and now_s - self._climbed_s > settings.climb_interval_s
        ):
            self.bitrate = self._within(settings.climb * self.bitrate)
            self._climbed_s = now_s

    def _has_queue(self, now_s: float) -> bool:
        """Not one late frame: all recent lags stand above the usual one, its spread and its grain.

        The grain is the pose's period: an acknowledgement waits for the next pose to travel with.
        """
        lags = sorted(lag for _, lag in self._lags)
        recent = [lag for at, lag in self._lags if now_s - at < self._settings.queue_window_s]
        if len(recent) < 3 or len(lags) < ENOUGH_LAGS:
            return False
        usual, middle = lags[len(lags) // 4], median(lags)
        spread = median(abs(lag - middle) for lag in lags)
        grain = max(self._settings.queue_s, self._period_s)
        return min(recent) > usual + grain + 2 * spread

    def _delivered_share(self) -> float:
        """Bytes delivered to bytes sent, lately. The link's own rate is hidden: frames are few."""
        sent = sum(sent for _, sent, _ in self._flows)
        delivered = sum(delivered for _, _, delivered in self._flows)
        return min(1.0, delivered / sent) if sent else 1.0

    def _drop_to(self, bits_per_second: float, now_s: float) -> None:
        self.bitrate = self._within(bits_per_second)
        self._dropped_s = now_s

    def _within(self, bits_per_second: float) -> int:
        return round(
            min(self._settings.ceiling_bps, max(self._settings.floor_bps, bits_per_second))
        )


def _forget_before(
    samples: deque[tuple[float, float]] | deque[tuple[float, int, int]], time_s: float
) -> None:
    while samples and samples[0][0] < time_s:
        samples.popleft()
