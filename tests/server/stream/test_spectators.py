"""Spectators of a scene, from offer to decoded frame; the players are aiortc as it is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiortc
import av
import numpy as np
import pytest
from tests.server.stream.barcode import BarcodeRenderer, read_barcode

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Frame, PreparedScene, RenderSettings, View
from sharp_xr.render.camera import photo_fov
from sharp_xr.stream import peer
from sharp_xr.stream.channel import ROUND_S, CameraPath, Channel, Spectator, Studio
from sharp_xr.stream.loop import ShownScene
from sharp_xr.stream.spectators import FullError, Spectators
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.messages import Scene

pytestmark = pytest.mark.usefixtures("loopback")

EMPTY = Gaussians(*(np.zeros((0, *shape), np.float32) for shape in ((3,), (6,), (3,), ())))
SCENE = Scene("scene", "A scene", 0.0, 0, "lite", photo_fov(320, 240, 300.0), focus_m=2.0)
HZ = 120.0


class Player:
    """aiortc, asked to play one video."""

    def __init__(self) -> None:
        self.connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self.transceiver = self.connection.addTransceiver("video", direction="recvonly")

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def join(self, spectators: Spectators) -> Spectator:
        spectator, answer = await spectators.join("scene", await self.offer())
        description = aiortc.RTCSessionDescription(answer, "answer")
        await self.connection.setRemoteDescription(description)
        return spectator

    async def next(self) -> av.VideoFrame:
        frame = await asyncio.wait_for(self.transceiver.receiver.track.recv(), 10)
        assert isinstance(frame, av.VideoFrame)
        return frame

    async def pictures(self, count: int) -> list[int]:
        """What was painted into the next ones."""
        frames = [await self.next() for _ in range(count)]
        return [read_barcode(frame.to_ndarray(format="gray").astype(np.uint8)) for frame in frames]


class Bench:
    """Spectators of one scene that is always there."""

    def __init__(self, render_thread: ThreadPoolExecutor, renderer: BarcodeRenderer) -> None:
        self.renderer = renderer
        self.scene = SCENE
        studio = Studio(renderer, render_thread, Turns(), max_px=320, hz=HZ, encoder="x264")
        self.spectators = Spectators(studio, self._load, limit=3)
        self.players: list[Player] = []

    async def _load(self, scene_id: str) -> tuple[Scene, ShownScene]:
        if scene_id != self.scene.id:
            raise LookupError("there is no such scene")
        return self.scene, ShownScene(scene_id, EMPTY)

    async def player(self) -> tuple[Player, Spectator]:
        player = Player()
        self.players.append(player)
        return player, await player.join(self.spectators)

    @property
    def channel(self) -> Channel:
        channel = self.spectators.channel("scene")
        assert channel is not None
        return channel

    async def close(self) -> None:
        await asyncio.gather(*(player.connection.close() for player in self.players))
        await self.spectators.close("the test is over")


def on_bench(
    render_thread: ThreadPoolExecutor,
    test: Callable[[Bench], Coroutine[Any, Any, None]],
    renderer: BarcodeRenderer | None = None,
) -> None:
    async def run() -> None:
        bench = Bench(render_thread, renderer or BarcodeRenderer())
        try:
            async with asyncio.timeout(30):
                await test(bench)
        finally:
            await bench.close()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("waited in vain")


def test_all_see_the_same_pictures_drawn_and_encoded_once(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        (one, _), (two, _) = await bench.player(), await bench.player()
        seen = await asyncio.gather(one.pictures(150), two.pictures(40))
        # Whoever sees a picture sees one that was drawn; what both see was drawn once.
        drawn = {identity & 0xFFFFFF for identity in bench.renderer.drawn}
        assert all(set(pictures) <= drawn for pictures in seen)
        assert set(seen[0]) & set(seen[1])
        assert len(bench.renderer.drawn) - bench.channel.pictures in (0, 1)

    on_bench(render_thread, test)


def test_a_newcomer_begins_with_a_key_frame_made_for_all(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        first, _ = await bench.player()
        await first.pictures(5)
        before = bench.channel.key_frames
        second, _ = await bench.player()
        frame = await second.next()
        assert frame.key_frame
        assert bench.channel.key_frames > before
        await first.pictures(5)

    on_bench(render_thread, test)


def test_a_spectator_that_takes_nothing_slows_no_other(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        (stuck, one), (player, _) = await bench.player(), await bench.player()
        await asyncio.gather(stuck.pictures(3), player.pictures(3))
        sender = one.peer.sender
        assert sender is not None
        push, pushed, go_on = sender.push, [], asyncio.Event()

        async def wait_then_push(access_unit: bytes, key: int, **how: Any) -> bool:
            await go_on.wait()
            pushed.append(access_unit)
            return await push(access_unit, key, **how)

        sender.push = wait_then_push  # type: ignore[method-assign]
        drawn = bench.channel.pictures
        await player.pictures(60)
        assert bench.channel.pictures - drawn >= 50  # some of the 60 were on their way before
        assert not pushed
        go_on.set()
        await until(lambda: len(pushed) >= 2)
        # The one that it was stuck with, then none that refers to what it has missed.
        assert b"\x00\x00\x01\x65" in pushed[1]  # an IDR slice

    on_bench(render_thread, test)


def test_a_bad_link_takes_no_bits_from_a_good_one(render_thread: ThreadPoolExecutor) -> None:
    async def test(bench: Bench) -> None:
        (one, bad), (two, good) = await bench.player(), await bench.player()
        await asyncio.gather(one.next(), two.next())
        ceiling = bench.channel._settings.ceiling_bps
        bad.remb_bps, good.remb_bps = 1_100_000, None
        assert bench.channel.bitrate == ceiling
        good.remb_bps = 1_500_000
        assert bench.channel.bitrate == 1_350_000

    on_bench(render_thread, test)


def test_who_never_connects_is_forgotten(
    render_thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(bench: Bench) -> None:
        monkeypatch.setattr(peer, "CONNECT_TIMEOUT_S", 0.05)
        player = Player()
        bench.players.append(player)
        await bench.spectators.join("scene", await player.offer())
        assert len(bench.spectators) == 1
        await until(lambda: len(bench.spectators) == 0)
        assert bench.spectators.channel("scene") is None
        assert not bench.renderer.drawn

    on_bench(render_thread, test)


def test_a_scene_goes_off_the_air_with_its_last_spectator(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        (one, _), (two, _) = await bench.player(), await bench.player()
        await asyncio.gather(one.next(), two.next())
        await one.connection.close()
        await until(lambda: len(bench.spectators) == 1)
        await two.pictures(3)
        await two.connection.close()
        await until(lambda: len(bench.spectators) == 0)
        assert bench.spectators.channel("scene") is None

    on_bench(render_thread, test)


def test_more_than_the_limit_are_refused_and_so_are_all_at_the_end(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        for _ in range(3):
            await bench.player()
        with pytest.raises(FullError, match="3 spectators watch"):
            await bench.player()
        await bench.spectators.close("the server was stopped")
        assert len(bench.spectators) == 0
        with pytest.raises(FullError, match="the server was stopped"):
            await bench.player()

    on_bench(render_thread, test)


class BrokenRenderer(BarcodeRenderer):
    """Fails at the third picture."""

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        if len(self.drawn) == 2:
            raise RuntimeError("the renderer is broken")
        return super().render(scene, views, settings)


def test_a_scene_that_cannot_be_drawn_ends_its_sessions_and_the_log_says_why(
    render_thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(bench: Bench) -> None:
        await bench.player()
        await until(lambda: len(bench.spectators) == 0)
        assert "the renderer is broken" in caplog.text

    on_bench(render_thread, test, BrokenRenderer())


def test_a_deleted_scene_ends_its_sessions_and_a_refocused_one_goes_on(
    render_thread: ThreadPoolExecutor,
) -> None:
    async def test(bench: Bench) -> None:
        player, _ = await bench.player()
        await player.next()
        bench.scene = Scene("scene", "", 0.0, 0, "lite", photo_fov(320, 240, 600.0), focus_m=4.0)
        bench.spectators.scenes_changed([bench.scene])
        await until(lambda: bench.channel.scene is bench.scene)
        assert (await player.next()).width == 320
        bench.spectators.scenes_changed([])
        await until(lambda: len(bench.spectators) == 0)

    on_bench(render_thread, test)


# --- the camera ----------------------------------------------------------------------------------


@pytest.mark.parametrize("time_s", np.linspace(0.0, ROUND_S, 9))
def test_the_camera_stays_near_the_photo_s_and_keeps_the_middle(time_s: float) -> None:
    view = CameraPath(SCENE, 320)(time_s)
    middle = view.camera_from_photo @ [0.0, 0.0, SCENE.focus_m, 1.0]
    assert np.allclose(middle[:2], 0.0, atol=1e-9)
    assert middle[2] > 0.9 * SCENE.focus_m
    place = np.linalg.inv(view.camera_from_photo)[:3, 3]
    assert np.linalg.norm(place) < 0.06 * SCENE.focus_m


def test_the_picture_has_the_photo_s_shape_and_shows_a_little_less() -> None:
    path = CameraPath(SCENE, 320)
    assert path.size == (320, 240)
    start = path(0.0)
    assert np.allclose(start.camera_from_photo, np.eye(4))
    assert math.isclose(start.fx, 300.0 / 0.9) and math.isclose(start.fy, 300.0 / 0.9)
