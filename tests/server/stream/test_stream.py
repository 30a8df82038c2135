"""A whole stream, from Tracking to decoded pixels, with aiortc's own receiver as the stranger."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest
from tests.server.stream.barcode import BarcodeRenderer, tracking
from tests.server.stream.receiver import Received, Receiver

from sharp_xr.gaussians import Gaussians
from sharp_xr.stream.loop import BUDGET_MS, ShownScene
from sharp_xr.stream.poses import is_newer
from sharp_xr.stream.stream import Stream
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import Candidate, FrameHeader, Layout, StreamQuality, Video

pytestmark = pytest.mark.usefixtures("loopback")

VIDEO = Video(eye_width=128, eye_height=96, max_hz=250.0)
EMPTY = Gaussians(*(np.zeros((0, *shape), np.float32) for shape in ((3,), (6,), (3,), ())))
SCENE = ShownScene("scene", EMPTY)
STEP = 375  # ticks of a key: 240 poses a second
FIRST_KEY = (1 << 32) - 100 * STEP  # so that keys wrap on the way


class Bench:
    """A stream and its receiver; poses follow headers, so that no clock sets the pace."""

    def __init__(self, render_thread: ThreadPoolExecutor, **options: Any) -> None:
        self.headers: list[FrameHeader] = []
        self.problems: list[str] = []
        self.received: list[Received] = []
        self.receiver = Receiver()
        self.pose = 0
        self.still = False
        """Poses have new keys, and the head keeps its place."""
        self.problem = asyncio.Event()
        self._header = asyncio.Event()
        self._header_came = asyncio.Event()
        self.renderer = BarcodeRenderer()
        self.stream = Stream(
            self.renderer,
            render_thread,
            VIDEO,
            self._on_header,
            on_problem=self._on_problem,
            encoder="x264",
            **options,
        )
        self.stream.show(SCENE)

    def _on_problem(self, sentence: str) -> None:
        self.problems.append(sentence)
        self.problem.set()

    def _on_header(self, header: FrameHeader) -> None:
        self.headers.append(header)
        self._header.set()
        self._header_came.set()

    async def send_poses(self) -> None:
        while True:
            self.pose += 1
            self._header.clear()
            ack = self.received[-1].rtp if self.received else None
            if not self.still:
                self._identity = self.pose
            self.stream.track(tracking(self._identity, key_of(self.pose), ack))
            # None comes while the connection is being made, or while too many are on their way.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):  # wait_for may swallow a cancellation (3.11)
                    await self._header.wait()

    async def next_header(self) -> FrameHeader:
        count = len(self.headers)
        while len(self.headers) == count:
            self._header_came.clear()
            await self._header_came.wait()
        return self.headers[-1]

    async def receive_until(self, condition: Callable[[Received], bool]) -> Received:
        while True:
            frame = await self.receiver.next()
            self.received.append(frame)
            if condition(frame):
                return frame


def key_of(pose: int) -> int:
    return (FIRST_KEY + pose * STEP) % (1 << 32)


@contextlib.asynccontextmanager
async def streaming(bench: Bench) -> AsyncIterator[None]:
    await bench.receiver.connect(bench.stream)
    poses = asyncio.create_task(bench.send_poses())
    try:
        yield
    finally:
        poses.cancel()
        await asyncio.gather(poses, return_exceptions=True)
        await bench.stream.close()
        await bench.receiver.close()


def run(
    render_thread: ThreadPoolExecutor,
    test: Callable[[Bench], Coroutine[None, None, None]],
    **options: Any,
) -> None:
    async def main() -> None:
        bench = Bench(render_thread, **options)
        async with streaming(bench), asyncio.timeout(20):
            await test(bench)

    asyncio.run(main())


def test_every_frame_says_by_rtp_by_sei_and_by_pixels_which_pose_it_shows(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 200)
        frames = bench.received
        for frame in frames:
            assert frame.rtp == frame.sei == key_of(frame.painted)
        poses = [frame.painted for frame in frames]
        assert poses == sorted(set(poses))  # strictly rising, around 2^32 too
        assert frames[0].rtp > frames[-1].rtp
        assert frames[0].key_frame
        left, right = frames[-1].eyes
        assert left < right  # as painted: 0.3 and 0.7
        headers = {header.key: header for header in bench.headers}
        for frame in frames:
            header = headers[frame.rtp]
            assert header.head == tracking(frame.painted, 0).head
            assert header.scene == "scene"
        sent = [frame.rtp for frame in frames]
        for before, header in zip(bench.headers, bench.headers[1:], strict=False):
            assert header.times.render_ms > 0 and header.times.encode_wait_ms >= 0
            if before.key in sent:
                assert header.times.encoded == before.key and header.times.encode_ms > 0
        stats = bench.stream.stats()
        assert stats.frames >= 200 and stats.connected and stats.encoder.startswith("x264")
        assert stats.render_ms > 0 and stats.encode_ms > 0 and stats.bitrate_bps > 0
        assert not bench.problems

    run(render_thread, test)


def test_depth_comes_below_the_colour_of_the_same_frame_to_whoever_can_use_it(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 20)
        headers = {header.key: header for header in bench.headers}
        for frame in bench.received:
            layout, near_m = headers[frame.rtp].layout, headers[frame.rtp].near_m
            assert frame.rtp == key_of(frame.painted)
            assert frame.luma.shape == (96 + layout.depth_height, 256)
            maps = frame.luma[96:, : 2 * layout.depth_width].astype(float)
            assert np.abs((maps - 16) / 219 - near_m / 1.0).max() < 0.02  # a wall at 1 m
            assert (frame.luma[96:, 2 * layout.depth_width :] < 50).all()

    run(render_thread, test, capabilities=["depth"])


def test_no_depth_comes_unasked(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 5)
        assert {frame.luma.shape for frame in bench.received} == {(96, 256)}
        assert {(header.layout, header.near_m) for header in bench.headers} == {
            (Layout(128, 96), 0.0)
        }

    run(render_thread, test)


@pytest.mark.parametrize("capabilities", [[], ["depth"]])
def test_pictures_change_their_size_in_mid_stream_without_a_frame_of_another_pose(
    render_thread: ThreadPoolExecutor, capabilities: list[str]
) -> None:
    async def test(bench: Bench) -> None:
        for size in ((160, 112), (128, 80), (160, 80), (128, 96)):
            bench.stream._drawing.resize(*size)
            wanted = 2 * size[0]
            await bench.receive_until(lambda frame, w=wanted: frame.luma.shape[1] == w)  # type: ignore[misc]
            count = len(bench.received)
            await bench.receive_until(lambda frame, n=count: len(bench.received) == n + 10)  # type: ignore[misc]
        headers = {header.key: header.layout for header in bench.headers}
        shapes: list[tuple[int, ...]] = []
        for frame in bench.received:
            layout = headers[frame.rtp]
            assert frame.rtp == frame.sei == key_of(frame.painted)
            assert frame.luma.shape == (
                layout.eye_height + layout.depth_height,
                2 * layout.eye_width,
            )
            if not shapes or shapes[-1] != frame.luma.shape:
                assert frame.key_frame
                shapes.append(frame.luma.shape)
        poses = [frame.painted for frame in bench.received]
        assert poses == sorted(set(poses))
        assert [width for _, width in shapes[-4:]] == [320, 256, 320, 256]
        assert bench.received[-1].luma[:96].shape == (96, 256)
        assert not bench.problems

    run(render_thread, test, capabilities=capabilities)


def test_a_still_head_is_shown_the_new_size(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 5)
        bench.still = True
        await bench.receive_until(lambda frame: len(bench.received) == 15)
        bench.stream._drawing.resize(160, 96)
        frame = await bench.receive_until(lambda frame: frame.luma.shape == (96, 320))
        assert frame.key_frame

    run(render_thread, test)


def test_who_does_not_ask_for_it_keeps_the_size_whatever_it_takes(
    render_thread: ThreadPoolExecutor,
) -> None:
    told: list[StreamQuality] = []

    async def test(bench: Bench) -> None:
        bench.stream.prefer("smoother")
        await bench.receive_until(lambda frame: len(bench.received) == 20)
        assert told == []
        assert bench.stream.stats().limit == "display"
        assert set(bench.renderer.budgets_ms) == {BUDGET_MS}

    run(render_thread, test, on_quality=told.append)


def test_who_asks_for_it_is_told_what_is_streamed(render_thread: ThreadPoolExecutor) -> None:
    told: list[StreamQuality] = []

    async def test(bench: Bench) -> None:
        bench.stream.prefer("sharper")
        await bench.receive_until(lambda frame: len(bench.received) == 20)
        assert (told[0].goal, told[0].eye_width, told[0].eye_height) == ("sharper", 128, 96)
        assert bench.renderer.budgets_ms[-1] == pytest.approx(0.8e3 / 24)

    run(render_thread, test, on_quality=told.append, capabilities=["quality"])


def test_a_picture_loss_is_answered_with_a_key_frame(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 20)
        asked_at = bench.received[-1].painted
        receiver = cast(Any, bench.receiver.transceiver.receiver)
        (ssrc,) = {source.source for source in receiver.getSynchronizationSources()}
        await receiver._send_rtcp_pli(ssrc)
        frame = await bench.receive_until(lambda frame: frame.key_frame)
        assert frame.painted > asked_at

    run(render_thread, test)


def test_a_lost_packet_is_repaired(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 20)
        lost = bench.receiver.lose_next_packet()
        key = await lost
        await bench.receive_until(lambda frame: frame.rtp == key)  # its only packet came again
        assert bench.stream.stats().repairs_sent >= 1

    run(render_thread, test)


def test_an_outage_brings_key_frames_that_nobody_asked_for(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 20)
        bench.receiver.lose_everything()
        before = bench.stream.stats().key_frames
        while bench.stream.stats().key_frames < before + 2:
            await bench.next_header()
        assert bench.stream.stats().repairs_asked == 0

    run(render_thread, test)


def test_nothing_is_drawn_before_the_connection_stands(render_thread: ThreadPoolExecutor) -> None:
    async def main() -> None:
        bench = Bench(render_thread)
        for pose in range(1, 20):
            bench.stream.track(tracking(pose, key_of(pose)))
            await asyncio.sleep(0)
        assert not bench.renderer.drawn
        bench.pose = 20
        async with streaming(bench), asyncio.timeout(20):
            frame = await bench.receiver.next()
            assert frame.key_frame and frame.painted > 20

    asyncio.run(main())


def test_after_a_reconnection_the_stream_begins_with_a_key_frame(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 5)
        former, bench.receiver = bench.receiver, Receiver()
        await bench.receiver.connect(bench.stream)
        frame = await bench.receiver.next()
        assert frame.key_frame and frame.rtp == key_of(frame.painted)
        await former.close()

    run(render_thread, test)


def test_a_new_scene_is_shown_from_the_next_pose_on(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 5)
        bench.stream.show(ShownScene("other", EMPTY))
        shown = len(bench.headers)
        await bench.receive_until(lambda frame: len(bench.headers) > shown + 5)
        assert bench.headers[-1].scene == "other"

    run(render_thread, test)


def test_a_failing_encoder_is_reported_and_the_next_scene_streams_again(
    render_thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(bench: Bench) -> None:
        def scenes() -> dict[int, str]:
            return {header.key: header.scene for header in bench.headers}

        await bench.receive_until(lambda frame: len(bench.received) == 5)
        with monkeypatch.context() as broken:
            broken.setattr("sharp_xr.stream.encoder.FFmpegEncoder.encode", lambda *a, **k: 1 / 0)
            await bench.problem.wait()
        assert bench.problems[0] == "the video could not be encoded; the server's log says why"
        newest = bench.headers[-1].key  # that failed, or the one after it, which was drawn by then
        bench.stream.show(ShownScene("other", EMPTY))
        await bench.receive_until(lambda frame: frame.key_frame and not is_newer(newest, frame.rtp))
        await bench.receive_until(lambda frame: scenes()[frame.rtp] == "other")

    run(render_thread, test)


def test_an_offer_that_is_refused_leaves_the_stream_as_it_was(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.receive_until(lambda frame: len(bench.received) == 5)
        with pytest.raises(ProtocolError):
            await bench.stream.answer("nonsense")
        count = len(bench.received)
        await bench.receive_until(lambda frame: len(bench.received) == count + 5)

    run(render_thread, test)


def test_a_candidate_before_the_offer_is_refused(render_thread: ThreadPoolExecutor) -> None:
    async def main() -> None:
        bench = Bench(render_thread)
        with pytest.raises(ProtocolError, match="before the offer"):
            await bench.stream.add_candidate(Candidate("candidate:1"))
        await bench.stream.close()
        await bench.stream.close()  # again: nothing happens
        await bench.receiver.close()

    asyncio.run(main())


def test_an_odd_video_is_refused_with_a_sentence(render_thread: ThreadPoolExecutor) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="wanted an even number"):
            Stream(BarcodeRenderer(), render_thread, Video(127, 96, 60.0), lambda header: None)

    asyncio.run(main())
