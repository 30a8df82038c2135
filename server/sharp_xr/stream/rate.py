"""How many bits a link gets, and when a key frame: decided from what the client says alone.

The client says which frame it has decoded last (in each Tracking) and how long after its pose
(in Reports). The rules (streaming.md, 6, has the measurements that they began with):

    queue      frames take longer than they need (``lags.py``) -> 90 % of the rate that got through,
               less while the queue stands, so that it is gone within a quarter of a second
    climb      no queue -> up, the faster the longer ago the last one was: 1 % per 0.1 s at first,
               5 % after four seconds; not where the encoder does not use what it has, and not
               beyond what is enough, unless somebody wants more
    window     more bytes on their way than the link takes in its least lag and 2.5 poses more (6 if
               packets get lost): nothing is encoded until an acknowledgement comes
    stall      acknowledgements stopped rising, for 100 ms or twice the usual lag, while frames are
               on their way -> key frames, one in 30 ms, until one is acknowledged; seldomer the
               longer nobody answers
    watchdog   ... for twice that -> half the rate as well
    loss       more than a tenth of the packets lost -> the rate less half that share (a link that
               drops instead of queueing)
    copies     some lost, again and again -> every packet two or three times (``losses.py``), in a
               half or a third of the rate each

Until a first acknowledgement comes (a WHEP player never sends one) only the receiver's own estimate
(REMB) and its key frame requests count, and for two seconds key frames come unasked.
"""

from __future__ import annotations

from collections import deque

from sharp_xr.stream.acks import Acks
from sharp_xr.stream.lags import Lags
from sharp_xr.stream.losses import MUCH, Losses
from sharp_xr.stream.rate_settings import RateSettings

FLOW_S = 0.25
"""What was sent is compared with what arrived over that time."""


class RateControl:
    """The state behind the rules. Times are passed in; the event loop's thread only."""

    def __init__(self, settings: RateSettings) -> None:
        self._settings = settings
        self.generous = False
        """Whether more than what is enough may be spent. Assigned by the owner."""
        self.restart()

    def restart(self) -> None:
        """A new connection: forget the old one, begin with a key frame."""
        self.bitrate = self._settings.start_bps
        """Bits per second that may be sent."""
        self.acks = Acks()
        self._ack_lags = Lags()  # until the acknowledgement came, which waits for a pose
        self._lags: Lags | None = None  # exact ones, by Reports, once one came
        self._stays: dict[int, float] = {}  # by key: seconds from the pose's arrival to sending
        self._posed: dict[int, float] = {}  # by key: when the pose came
        self._flows: deque[tuple[float, int, int]] = deque()  # (when, bytes sent, bytes delivered)
        self._limit_bps: float | None = None  # what got through when there was a queue
        self._losses = Losses()
        self._key_frame_wanted = True
        self._stalled = False
        self._quiet_s = 0.0  # the stall's length
        self._trouble_s = float("-inf")  # when the last stall or loss was
        self._key_frame_s = self._dropped_s = self._climbed_s = self._held_s = float("-inf")
        self._progress_s = self._heard_s = 0.0
        self._period_s = 1 / 60  # between the client's messages, smoothed

    # --- events ---------------------------------------------------------------------------------

    def want_key_frame(self) -> None:
        """The receiver asks for one (PLI, FIR)."""
        self._key_frame_wanted = True

    def posed(self, key: int, now_s: float) -> None:
        """A pose came."""
        _remember(self._posed, key, now_s)

    def sent(self, key: int, size: int, now_s: float, key_frame: bool = False) -> None:
        """A frame of ``size`` bytes left."""
        if not self.acks.in_flight():
            self._progress_s = now_s  # nothing was on its way, so nothing could be acknowledged
        self.acks.sent(key, size, now_s, key_frame)
        self._flows.append((now_s, size, 0))
        if (posed_s := self._posed.pop(key, None)) is not None:
            _remember(self._stays, key, now_s - posed_s)

    def reported(self, key: int, decoded_s: float, now_s: float) -> None:
        """The client decoded that frame so long after it had sent the pose."""
        stay_s = self._stays.pop(key, None)
        if stay_s is None or not 0.0 <= decoded_s - stay_s < 10.0:
            return
        if self._lags is None:
            self._lags = Lags()
        self._lags.add(decoded_s - stay_s, now_s)

    def heard(self, ack: int | None, now_s: float) -> None:
        """A message of the client came, with its newest acknowledgement: runs the rules."""
        silent_s, self._heard_s = now_s - self._heard_s, now_s
        # After a silence of the client's the lag would measure that silence.
        spoke = silent_s < self._settings.watchdog_s
        if spoke:
            self._period_s += 0.1 * (silent_s - self._period_s)
        delivery = None if ack is None else self.acks.acknowledged(ack, now_s)
        if delivery is None:
            self._check_stall(now_s, spoke)
            return
        self._progress_s = now_s
        self._stalled = False
        self._flows.append((now_s, 0, delivery.size))
        if spoke:
            self._ack_lags.add(delivery.lag_s, now_s)
            self._adapt(now_s)
        else:  # news from before the silence: what was on its way by then is perhaps lost
            self._check_stall(now_s, spoke)

    def lost(self, share: float, now_s: float) -> None:
        """The receiver's report: so many of the packets since the last one did not come."""
        self._losses.add(share)
        if share:
            self._trouble_s = now_s
        self.bitrate = self._within(self.bitrate)
        if share > MUCH and now_s - self._dropped_s > 0.5:
            self._drop_to((1.0 - 0.5 * share) * self.bitrate, now_s)

    def remb(self, bits_per_second: int) -> None:
        """The receiver's own estimate of what the link carries."""
        if self.acks.newest is None:
            self.bitrate = self._within(0.9 * bits_per_second)

    @property
    def copies(self) -> int:
        """How many times each packet is to be sent again, unasked."""
        return self._losses.copies

    @property
    def video_bps(self) -> int:
        """Bits per second for the encoder: copies have their part of the link."""
        return self._within(self.bitrate / (1 + self.copies))

    # --- questions ------------------------------------------------------------------------------

    def may_send(self, now_s: float) -> bool:
        """Whether one more frame may leave. A key frame may: else none would ever arrive."""
        if self.acks.newest is None or self.key_frame_due(now_s):
            return True
        frames = self.acks.in_flight()
        if frames < 2:
            return True
        if frames < self._settings.window_frames and self._fits():
            return True
        self._held_s = now_s
        return False

    def key_frame_due(self, now_s: float) -> bool:
        """Whether the next frame is to be a key frame."""
        interval_s = self._settings.key_frame_interval_s
        if self._stalled:
            part_s = min(self._settings.stall_part * self._quiet_s, self._settings.stall_most_s)
            interval_s = max(self._settings.stall_interval_s, part_s)
        elif self.acks.newest is not None:
            interval_s = min(interval_s, max(0.05, 1.5 * self.lag_s))
        return self._key_frame_wanted and now_s - self._key_frame_s >= interval_s

    def key_frame_made(self, now_s: float) -> None:
        """It is encoded."""
        self._key_frame_wanted = False
        self._key_frame_s = now_s

    @property
    def lag_s(self) -> float:
        """Median of the lags until acknowledgement that are remembered; 0 before the first."""
        return self._ack_lags.median_s

    def calm_s(self, now_s: float) -> float:
        """For so long no frame was lost that is known of."""
        return now_s - self._trouble_s

    # --- rules ----------------------------------------------------------------------------------

    def _fits(self) -> bool:
        """Whether the link, at the rate it has, takes what is on its way in good time."""
        lags = self._ack_lags
        settings = self._settings
        poses = settings.lossy_window_poses if self.copies else settings.window_poses
        poses_s = poses * self._period_s
        window_s = lags.least_s + poses_s + min(self._period_s, lags.jitter_s)
        return 8 * self.acks.bytes_in_flight() < self.bitrate * window_s

    def _check_stall(self, now_s: float, spoke: bool) -> None:
        if not self.acks.in_flight():
            return
        if self.acks.newest is None:
            self._check_start(now_s)
            return
        quiet_s = self.acks.oldest_age_s(now_s)
        if spoke:
            quiet_s = min(now_s - self._progress_s, quiet_s)
        # A slow link, or a client short of processor time, is not a lossy one.
        patience_s = max(self._settings.stall_s, 2 * self.lag_s)
        self._quiet_s = quiet_s
        if quiet_s > patience_s:
            self._key_frame_wanted = self._stalled = True
            self._trouble_s = now_s
        watchdog_s = max(self._settings.watchdog_s, 2 * patience_s)
        if spoke and min(quiet_s, now_s - self._dropped_s) > watchdog_s:
            self._drop_to(0.5 * self.bitrate, now_s)

    def _check_start(self, now_s: float) -> None:
        """The first key frame is easily lost: it may come before the client's end is ready."""
        age_s = self.acks.oldest_age_s(now_s)
        if self._settings.stall_s < age_s < self._settings.start_s:
            self._key_frame_wanted = True

    def _adapt(self, now_s: float) -> None:
        lags = self._lags or self._ack_lags
        queue_s = lags.queue_s(now_s)
        # A frame may take its whole interval to pass the link, and an acknowledgement waits for
        # the next pose: neither is a queue.
        usual_s = self._period_s + min(self._period_s, lags.jitter_s)
        if queue_s > usual_s + self._settings.queue_s:
            self._drain(queue_s - usual_s, now_s)
        elif queue_s < usual_s:
            self._climb(now_s)

    def _drain(self, queue_s: float, now_s: float) -> None:
        settings = self._settings
        delivered = self._delivered_share(now_s)
        # A drop does not show in the lag sooner. A queue that does not grow is perhaps not ours.
        grows = delivered < settings.all_delivered
        if now_s - self._dropped_s > (max(0.1, self.lag_s) if grows else settings.drain_s):
            self._limit_bps = min(settings.all_delivered, delivered) * self.bitrate
            share = max(0.4, settings.drop - queue_s / settings.drain_s)
            self._drop_to(share * self._limit_bps, now_s)

    def _climb(self, now_s: float) -> None:
        settings = self._settings
        if now_s - self._climbed_s < settings.climb_interval_s:
            return
        self._climbed_s = now_s
        if self._limit_bps is not None:  # the queue is gone
            self.bitrate = max(self.bitrate, self._within(settings.drop * self._limit_bps))
            self._limit_bps = None
        elif self._sent_bps(now_s) > settings.used * self.bitrate:
            since_s = now_s - self._dropped_s
            step = min(settings.climb_most, settings.climb + settings.climb_more * since_s)
            self.bitrate = self._within((1.0 + step) * self.bitrate)

    def _sent_bps(self, now_s: float) -> float:
        self._forget_flows(now_s)
        first_s = next((at for at, _, _ in self._flows), now_s)
        sent = sum(sent for _, sent, _ in self._flows)
        return 8 * sent / max(0.1, now_s - first_s)

    def _delivered_share(self, now_s: float) -> float:
        """Of the bits lately sent, those that arrived in the same time: half at least, for the
        client may have had no processor for a moment.

        Where the window held frames back, the rate says more than what was sent.
        """
        self._forget_flows(now_s)
        since_s = now_s - FLOW_S
        sent = sum(sent for at, sent, _ in self._flows if at > since_s)
        if self._held_s > since_s:
            sent = max(sent, round(self.bitrate * FLOW_S / 8))
        delivered = sum(delivered for at, _, delivered in self._flows if at > since_s)
        return min(1.0, max(0.5, delivered / sent)) if sent else 1.0

    def _forget_flows(self, now_s: float) -> None:
        while self._flows and self._flows[0][0] < now_s - 0.4:
            self._flows.popleft()

    def _drop_to(self, bits_per_second: float, now_s: float) -> None:
        self.bitrate = self._within(bits_per_second)
        self._dropped_s = now_s

    def _within(self, bits_per_second: float) -> int:
        return round(min(self._most_bps, max(self._settings.floor_bps, bits_per_second)))

    @property
    def _most_bps(self) -> int:
        """Copies are no time for more than enough: each packet is one more that can get lost."""
        settings = self._settings
        if settings.enough_bps is None or (self.generous and not self.copies):
            return settings.ceiling_bps
        return settings.enough_bps


def _remember(times: dict[int, float], key: int, value: float) -> None:
    """The newest sixty-four: who reports later than that says nothing of now."""
    times[key] = value
    if len(times) > 64:
        del times[next(iter(times))]
