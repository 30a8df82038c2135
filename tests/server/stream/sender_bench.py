"""A stand-in for aiortc's sender, on a clock that is a number."""

import asyncio
from typing import Any, cast

import aiortc
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpRtpfbPacket,
    RtpPacket,
)

from sharp_xr.stream.packets import PLAYOUT_DELAY
from sharp_xr.stream.sender import FrameSender

H264 = RTCRtpCodecParameters("video/H264", 90_000, payloadType=99)
UNIT = b"\0\0\0\1\x65" + b"\xab" * 5000
OFFER = f"a=extmap:12/sendonly {PLAYOUT_DELAY}\r\n"


class Bench:
    """A FrameSender on a real, unconnected aiortc sender whose packets end up in a list."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.events: list[str] = []
        self.rates: list[int] = []
        peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self.transceiver = peer.addTransceiver("video", direction="sendonly")
        self.aiortc_sender = cast(Any, self.transceiver.sender)
        self.sent: list[RtpPacket] = []
        self.sent_s: list[float] = []
        self.late = 1.0
        """By what timers take longer."""
        self.sender = FrameSender(
            self.transceiver,
            OFFER,
            on_ready=lambda: self.events.append("ready"),
            on_key_frame_wanted=lambda: self.events.append("key frame"),
            on_remb=self.rates.append,
            clock_s=lambda: self.now_s,
            sleep=self._sleep,
        )
        self.sender.way.send = self._transmit  # type: ignore[method-assign]
        self.broken = False
        self.task: asyncio.Task[None] | None = None

    def _transmit(self, packet: bytes) -> None:
        if self.broken:
            raise ConnectionError
        self.sent.append(RtpPacket.parse(packet))
        self.sent_s.append(self.now_s)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # as any that sleeps: others go on, and it can be cancelled
        self.now_s += self.late * seconds

    async def start(self) -> None:
        self.sender._parameters = RTCRtpSendParameters(codecs=[H264], muxId="0")
        self.task = asyncio.create_task(self.aiortc_sender._run_rtp(H264))
        await asyncio.sleep(0)

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await self.task

    async def settled(self) -> None:
        """All that goes on without being waited for is over."""
        while others := asyncio.all_tasks() - {asyncio.current_task(), self.task}:
            await asyncio.wait(others)

    async def feedback(self, packet: AnyRtcpPacket) -> None:
        await self.aiortc_sender._handle_rtcp_packet(packet)

    async def nack(self, *sequences: int) -> None:
        lost = list(sequences)
        await self.feedback(RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=2, lost=lost))
