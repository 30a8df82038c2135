"""The stranger: aiortc's own receiver, in this process, that plays what a Stream sends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiortc
import av
import numpy as np
from numpy.typing import NDArray
from tests.server.stream.barcode import read_barcode

from sharp_xr.stream.colour import planes
from sharp_xr.stream.stream import Stream
from sharp_xr_protocol.frame_key import key_of_message


class RawTimestamps:
    """In place of aiortc's mapper: a frame's pts is its RTP time stamp itself."""

    def map(self, timestamp: int) -> int:
        return timestamp


@dataclass(frozen=True)
class Received:
    """A decoded frame by its three carriers."""

    rtp: int
    sei: int | None
    painted: int
    key_frame: bool
    eyes: tuple[float, float]
    """Mean luma of each eye's lower half."""
    luma: NDArray[np.uint8]
    """[H, W] of the whole picture, as coded."""


class Receiver:
    """A peer that receives one video."""

    def __init__(self) -> None:
        self._begun = False
        self.connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self.transceiver = self.connection.addTransceiver("video", direction="recvonly")
        receiver: Any = self.transceiver.receiver
        receiver._RTCRtpReceiver__timestamp_mapper = RawTimestamps()

    async def connect(self, stream: Stream) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await stream.answer(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))

    async def next(self) -> Received:
        """The next frame, from the first key frame on: before that a decoder shows grey."""
        while True:
            frame = await self.transceiver.receiver.track.recv()
            assert isinstance(frame, av.VideoFrame)
            self._begun = self._begun or frame.key_frame
            if self._begun:
                return read_frame(frame)

    def lose_next_packet(self) -> asyncio.Future[int]:
        """Drop the next video packet on its arrival; the result is its frame's time stamp."""
        transport: Any = self.transceiver.receiver.transport
        arrive = transport._handle_rtp_data
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def lose(data: bytes, arrival_time_ms: int) -> None:
            transport._handle_rtp_data = arrive
            lost.set_result(int.from_bytes(data[4:8], "big"))

        transport._handle_rtp_data = lose
        return lost

    def lose_everything(self) -> None:
        """Drop all video packets from now on."""

        async def lose(data: bytes, arrival_time_ms: int) -> None:
            """Dropped."""

        transport: Any = self.transceiver.receiver.transport
        transport._handle_rtp_data = lose

    async def close(self) -> None:
        await self.connection.close()


def read_frame(frame: av.VideoFrame) -> Received:
    """All three carriers of a decoded frame; ValueError where its pixels are damaged."""
    assert frame.pts is not None
    luma = planes(frame)[0].copy()
    half, middle = luma.shape[0] // 2, luma.shape[1] // 2
    side_data: Any = frame.side_data  # a container of buffers, whatever its type stub says
    keys = [key_of_message(bytes(data)) for data in side_data]
    return Received(
        rtp=frame.pts,
        sei=next((key for key in keys if key is not None), None),
        painted=read_barcode(luma),
        key_frame=frame.key_frame,
        eyes=(float(np.mean(luma[half:, :middle])), float(np.mean(luma[half:, middle:]))),
        luma=luma,
    )
