"""One client's video: the stages of this folder, wired up, from Tracking to RTP."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor

from sharp_xr.render import Renderer, RenderSettings
from sharp_xr.stream import colour
from sharp_xr.stream.adaptation import Adaptation
from sharp_xr.stream.coding import Coded, Coder
from sharp_xr.stream.depth import picture_size
from sharp_xr.stream.encoder import EncoderName
from sharp_xr.stream.loop import DrawLoop, Drawn, ShownScene
from sharp_xr.stream.peer import Peer
from sharp_xr.stream.poses import Poses
from sharp_xr.stream.rate import RateControl
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr.stream.timing import FrameTiming, StreamStats, Timings
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import (
    Candidate,
    FrameHeader,
    FrameTimes,
    QualityGoal,
    Report,
    StreamQuality,
    Tracking,
    Video,
)

log = logging.getLogger(__name__)


def warm_up() -> None:
    """Compile what the first frame of the first stream would wait for. Any thread."""
    colour.warm_up()


class Stream:
    """One client's video, from its first offer until :meth:`close`. Lives on one event loop.

    Nothing in here blocks the loop: drawing happens in the server's one render thread, encoding in
    a thread of the stream's own. While one frame is encoded the next one may be drawn.
    """

    def __init__(
        self,
        renderer: Renderer,
        render_thread: ThreadPoolExecutor,
        video: Video,
        on_header: Callable[[FrameHeader], None],
        settings: RenderSettings = RenderSettings(),
        *,
        on_problem: Callable[[str], None] = log.error,
        on_lost: Callable[[str], None] = log.warning,
        on_quality: Callable[[StreamQuality], None] = lambda _: None,
        capabilities: Collection[str] = (),
        encoder: EncoderName = "auto",
        turns: Turns | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """All callbacks run on the event loop.

        ``turns`` of the render thread, if others draw on it too.

        ``capabilities`` of the client, as in its Hello: "depth" has depth sent with colour,
        "overscan" more drawn than poses ask for, "quality" has pictures change their size with what
        machine and link can do, which ``on_quality`` is told.

        ``on_header`` is given each frame's header before the frame is encoded; ``on_problem`` a
        sentence for the viewer, and the stream goes on where it can; ``on_lost`` a sentence when
        the WebRTC connection is gone: then another offer may be answered.

        Raises:
            ValueError: a video with an odd number of pixels.
        """
        self._on_header, self._on_problem, self._on_lost = on_header, on_problem, on_lost
        self._clock = clock
        self._poses = Poses(clock)
        self._drawing = DrawLoop(
            renderer,
            render_thread,
            video,
            settings,
            self._poses,
            may_draw=self._may_draw,
            must_draw=lambda: self._rate.key_frame_due(clock()),
            on_failure=on_problem,
            depth="depth" in capabilities,
            overscan="overscan" in capabilities,
            turns=turns,
            clock=clock,
        )
        self._video = video
        self._rate = RateControl(settings_for(*picture_size(self._drawing.layout), video.max_hz))
        self._adaptation: Adaptation | None = None
        if "quality" in capabilities:
            self._adaptation = Adaptation(video, self._drawing, self._rate, on_quality)
        self._layout = self._drawing.layout  # of the last picture that went to the encoder
        self._coder = Coder(video.max_hz, encoder, clock)
        self._timings = Timings()
        self._peer: Peer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._hold(self._drawing.run())
        self._hold(self._send_frames())

    # --- what a session calls -------------------------------------------------------------------

    def show(self, scene: ShownScene | None) -> None:
        """Draw this scene from the next pose on; None draws nothing."""
        self._drawing.scene = scene

    def track(self, tracking: Tracking) -> None:
        """The client's newest pose, with its newest acknowledgement."""
        now_s = self._clock()
        self._rate.posed(tracking.key, now_s)
        if self._adaptation is not None:
            self._adaptation.posed(now_s)
        self._rate.heard(tracking.ack, now_s)
        self._poses.put(tracking)

    def report(self, report: Report) -> None:
        """What became of a frame at the client."""
        self._rate.reported(report.key, report.decoded_ms / 1e3, self._clock())
        if self._adaptation is not None:
            self._adaptation.shown(self._clock())

    def prefer(self, goal: QualityGoal) -> None:
        """Lean this way where machine or link cannot do everything."""
        if self._adaptation is not None:
            self._adaptation.prefer(goal, self._clock())

    async def answer(self, offer_sdp: str) -> str:
        """Answer an offer; a connection that there was is given up for the new one.

        Raises:
            ProtocolError: a bad SDP, or one without H.264 video that the client would receive.
        """
        peer = Peer(
            on_ready=self._rate.restart,
            on_key_frame_wanted=self._rate.want_key_frame,
            on_remb=self._rate.remb,
            on_loss=lambda share: self._rate.lost(share, self._clock()),
            on_lost=self._on_lost,
        )
        try:
            answer = await peer.answer(offer_sdp)
        except BaseException:
            await peer.close()
            raise
        former, self._peer = self._peer, peer
        if self._closed:  # meanwhile
            former = peer
        if former is not None:
            await former.close()
        return answer

    async def add_candidate(self, candidate: Candidate) -> None:
        """A network address of the client's.

        Raises:
            ProtocolError: not a candidate, or one before the offer.
        """
        if self._peer is None:
            raise ProtocolError("an ICE candidate before the offer")
        await self._peer.add_candidate(candidate)

    def stats(self) -> StreamStats:
        """How the stream is doing."""
        now_s, medians = self._clock(), self._timings.medians()
        sender = self._peer.sender if self._peer else None
        return StreamStats(
            connected=self._peer is not None and self._peer.ready,
            encoder=self._coder.name,
            frames=self._timings.frames,
            key_frames=self._timings.key_frames,
            poses=self._poses.arrived,
            dropped_poses=self._poses.dropped,
            dropped_pictures=self._drawing.dropped,
            fps=self._timings.fps(now_s),
            bitrate_bps=self._timings.bitrate_bps(now_s),
            target_bps=self._rate.bitrate,
            pose_wait_ms=medians.pose_wait_ms,
            render_ms=medians.render_ms,
            encode_ms=medians.encode_ms,
            lag_ms=1e3 * self._rate.lag_s,
            repairs_asked=sender.repairs_asked if sender else 0,
            repairs_sent=sender.repairs_sent if sender else 0,
            eye_width=self._drawing.layout.eye_width,
            eye_height=self._drawing.layout.eye_height,
            limit=self._adaptation.quality.limit if self._adaptation else "display",
            resizes=self._adaptation.resizes if self._adaptation else 0,
        )

    async def close(self) -> None:
        """End the stream; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._peer is not None:
            await self._peer.close()
        self._coder.close()

    # --- the loops ------------------------------------------------------------------------------

    def _may_draw(self) -> bool:
        ready = self._peer is not None and self._peer.ready
        return ready and self._rate.may_send(self._clock())

    async def _send_frames(self) -> None:
        """Pictures to access units to RTP, one after the other."""
        while True:
            drawn = await self._drawing.pictures.get()
            peer = self._peer
            if peer is None or peer.sender is None or not peer.ready:
                self._drawing.give_back(drawn.picture)
                continue
            # Before encoding, so that it overtakes the frame.
            self._on_header(self._header(drawn))
            key_frame = self._rate.key_frame_due(self._clock()) or drawn.layout != self._layout
            self._layout = drawn.layout
            if key_frame:
                self._rate.key_frame_made(self._clock())
            encoded = await self._encode(drawn, key_frame)
            self._drawing.give_back(drawn.picture)
            if encoded is not None:
                await self._send(peer, drawn, encoded, key_frame)

    def _header(self, drawn: Drawn) -> FrameHeader:
        last = self._timings.last
        return FrameHeader(
            key=drawn.tracking.key,
            head=drawn.tracking.head,
            eyes=drawn.eyes,
            scene=drawn.scene.id,
            layout=drawn.layout,
            near_m=drawn.near_m,
            times=FrameTimes(
                drawn.pose_wait_ms,
                drawn.render_ms,
                last.encode_ms,
                encode_wait_ms=1e3 * (self._clock() - drawn.drawn_s),
                encoded=last.key,
            ),
        )

    async def _encode(self, drawn: Drawn, key_frame: bool) -> Coded | None:
        """None if the encoder failed; then nothing is shown until another scene is asked for."""
        bits_per_second = self._bits_per_coded_second()
        try:
            return await self._coder.encode(
                drawn.picture, drawn.tracking.key, bits_per_second, key_frame=key_frame
            )
        except Exception:
            log.exception("encoding failed")
            self._rate.want_key_frame()
            self._drawing.hide(drawn.scene.id)
            self._on_problem("the video could not be encoded; the server's log says why")
            return None

    def _bits_per_coded_second(self) -> int:
        """The encoder shares its rate out among as many frames as the video has at most."""
        if self._adaptation is None:
            return self._rate.video_bps
        share = self._video.max_hz / self._adaptation.quality.expected_hz
        return round(self._rate.video_bps * share)

    async def _send(self, peer: Peer, drawn: Drawn, encoded: Coded, key_frame: bool) -> None:
        assert peer.sender is not None
        copies = self._rate.copies
        if not await peer.sender.push(
            encoded.access_unit, drawn.tracking.key, key_frame=key_frame, copies=copies
        ):
            return
        now_s, size = self._clock(), len(encoded.access_unit) * (1 + copies)
        self._rate.sent(drawn.tracking.key, size, now_s, key_frame)
        timing = FrameTiming(
            drawn.pose_wait_ms, drawn.render_ms, encoded.encode_ms, drawn.tracking.key
        )
        self._timings.sent(timing, size, key_frame, now_s)
        if self._adaptation is not None:
            self._adaptation.sent(drawn, encoded.encode_ms, len(encoded.access_unit), now_s)

    def _hold(self, loop: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(loop)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A loop ends by being cancelled; anything else is a fault of ours, to be heard of."""
        if not task.cancelled():
            log.error("a stream's loop ended", exc_info=task.exception())
            self._on_problem("the stream has stopped; the server's log says why")
