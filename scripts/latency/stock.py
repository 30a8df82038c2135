"""What a WebRTC application in Python is without this project: aiortc as it comes, both ends.

A track whose ``recv`` draws the newest pose as soon as it comes, aiortc's own H.264 encoder, RTP
loop, jitter buffer and decoder. It is kinder than most: it neither paces to 30 frames a second nor
converts colours slowly. Poses come as JSON over a WebSocket without compression; which pose a frame
was drawn for can only be read from its pixels.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from scripts.latency.painted import PaintedRenderer, Place, is_place, place_of, read_place
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from sharp_xr.gaussians import Gaussians
from sharp_xr.render.camera import view_from_eye
from sharp_xr.stream.colour import new_picture, planes, write_picture
from sharp_xr_client.motion import Motion
from sharp_xr_client.receiver import offer_loopback
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Pose, Vector3

SIDE = 512
NOTHING = Gaussians(
    np.zeros((0, 3), np.float32),
    np.zeros((0, 6), np.float32),
    np.zeros((0, 3), np.float32),
    np.zeros(0, np.float32),
)
"""The renderer draws what it has."""
CLOCK_HZ = 90_000


class StockTrack(MediaStreamTrack):
    """The application's video."""

    kind = "video"

    def __init__(self, renderer: PaintedRenderer) -> None:
        super().__init__()
        self._renderer = renderer
        self._position: Vector3 = (0.0, 0.0, 0.0)
        self._came = asyncio.Event()

    def put(self, position: Vector3) -> None:
        self._position = position
        self._came.set()

    async def recv(self) -> av.VideoFrame:
        await self._came.wait()
        self._came.clear()
        head = Pose(self._position)
        views = [view_from_eye(head @ eye.pose, eye.fov, SIDE, SIDE) for eye in eyes()]
        picture = new_picture(2 * SIDE, SIDE)
        write_picture(self._renderer.render(NOTHING, views).rgb, picture)
        picture.pts = int(time.monotonic() * CLOCK_HZ)
        picture.time_base = Fraction(1, CLOCK_HZ)
        return picture


@asynccontextmanager
async def stock_server(renderer: PaintedRenderer) -> AsyncIterator[int]:
    """Serves on a port of the loopback."""

    async def session(socket: ServerConnection) -> None:
        track, peer = StockTrack(renderer), RTCPeerConnection(RTCConfiguration(iceServers=[]))
        offer = RTCSessionDescription(str(await socket.recv()), "offer")
        await peer.setRemoteDescription(offer)
        peer.addTrack(track)
        await peer.setLocalDescription(await peer.createAnswer())
        await socket.send(peer.localDescription.sdp)
        try:
            async for message in socket:
                track.put(tuple(json.loads(message)))
        finally:
            await peer.close()

    async with serve_websocket(session, "127.0.0.1", 0, compression=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@dataclass
class StockRun:
    """What came of it."""

    latencies_ms: list[float] = field(default_factory=list)
    """Pose sent to frame decoded, without the render's time."""
    damaged: int = 0
    """Frames whose barcode cannot be read, or is of no pose."""
    seconds: float = 0.0


async def watch_stock(url: str, motion: Motion, seconds: float, hz: float) -> StockRun:
    """Send poses, take frames, for some seconds from the first frame on."""
    offer_loopback()
    found = StockRun()
    sent: dict[Place, float] = {}
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    transceiver = peer.addTransceiver("video", direction="recvonly")
    capabilities = RTCRtpReceiver.getCapabilities("video")
    assert capabilities is not None
    transceiver.setCodecPreferences(
        [one for one in capabilities.codecs if one.mimeType in ("video/H264", "video/rtx")]
    )
    await peer.setLocalDescription(await peer.createOffer())
    async with connect(url, compression=None) as socket:
        await socket.send(peer.localDescription.sdp)
        answer = RTCSessionDescription(str(await socket.recv()), "answer")
        await peer.setRemoteDescription(answer)
        receiving = asyncio.create_task(_receive(transceiver.receiver.track, sent, found))
        began_s = tick_s = time.monotonic()
        first_s = None
        while first_s is None or time.monotonic() < first_s + seconds:
            if first_s is None and found.latencies_ms:
                first_s = time.monotonic()
                found.latencies_ms.clear()
            position = motion.head(time.monotonic() - began_s)[0].position
            sent[place_of(position)] = time.monotonic()
            await socket.send(json.dumps(position))
            tick_s += 1 / hz
            await asyncio.sleep(max(tick_s - time.monotonic(), 0.0))
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    await peer.close()
    found.seconds = seconds
    return found


async def _receive(track: MediaStreamTrack, sent: dict[Place, float], found: StockRun) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        now_s = time.monotonic()
        assert isinstance(frame, av.VideoFrame)
        try:
            place = read_place(np.ascontiguousarray(planes(frame)[0]))
        except ValueError:
            found.damaged += 1
            continue
        times = [at for one, at in sent.items() if is_place(place, one)]
        if times:
            found.latencies_ms.append(1e3 * (now_s - max(times)))
        else:
            found.damaged += 1
