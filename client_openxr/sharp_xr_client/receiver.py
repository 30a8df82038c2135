"""All that this client changes on aiortc's video receiver, and the check that it can.

aiortc 1.16 hands a frame out when the next one begins, waits for hundreds of packets behind a hole,
and queues pictures without limit. There is no public hook, so private names of ONE receiver object
are used; no class is changed. The exception is the list of this host's addresses (aioice leaves the
loopback out of it), a function of a module: :func:`offer_loopback` wraps it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib import metadata

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from sharp_xr_client.decoder import DecodedFrame, Decoder
from sharp_xr_client.jitter import Counts, Feedback, Fragment, FrameBuffer

AIORTC = "1.16"
"""The minor version that the names below were read in."""

RECEIVER_NAMES = (
    "_RTCRtpReceiver__jitter_buffer",
    "_RTCRtpReceiver__nack_generator",
    "_send_rtcp_nack",
    "_send_rtcp_pli",
)

TICK_S = 0.010
"""How often a buffer with a hole is asked what it wants."""


class VideoReceiver:
    """Takes a receiver's packets before aiortc's jitter buffer does, and decodes them.

    Make it before media flows, await :meth:`run` in a task, and :meth:`close` it at the end.

    Args:
        receiver: of the one video transceiver.
        on_frame: called on the decoder's thread with each picture.
        counts: what the network does is added to them.
    """

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        on_frame: Callable[[DecodedFrame], None],
        counts: Counts,
    ) -> None:
        self._receiver = receiver
        self._buffer = FrameBuffer(counts=counts)
        self._decoder = Decoder(on_frame)
        self._ssrc: int | None = None
        self._trouble = asyncio.Event()
        # aiortc's own NACKs come once per hole; ours are repeated, by the buffer.
        for name, value in (("nack_generator", None), ("jitter_buffer", self)):
            setattr(receiver, f"_RTCRtpReceiver__{name}", value)

    def set_round_trip(self, seconds: float) -> None:
        """How long a repair takes at least."""
        self._buffer.round_trip_s = seconds

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """What aiortc calls with each packet: no key frame to ask for, nothing to decode."""
        self._ssrc = packet.ssrc
        data: bytes = getattr(packet, "_data")  # noqa: B009 (aiortc's depayloaded part)
        fragment = Fragment(packet.sequence_number, packet.timestamp, bool(packet.marker), data)
        if self._decoder.failed():
            self._buffer.lose()
        for unit in self._buffer.add(fragment, time.monotonic()):
            if not self._decoder.push(unit):
                self._buffer.lose()
        if self._buffer.troubled:
            self._trouble.set()
        return False, None

    async def run(self) -> None:
        """Tell the sender what is missing, at once and again, until cancelled."""
        while True:
            if not self._buffer.troubled:
                self._trouble.clear()
            await self._send(self._buffer.feedback(time.monotonic()))
            if self._trouble.is_set():
                await asyncio.sleep(TICK_S)
            else:
                await self._trouble.wait()

    async def _send(self, feedback: Feedback) -> None:
        if self._ssrc is None:
            return
        if feedback.nack:
            await self._receiver._send_rtcp_nack(self._ssrc, feedback.nack)
        if feedback.keyframe:
            await self._receiver._send_rtcp_pli(self._ssrc)

    def close(self) -> None:
        """End the decoding thread."""
        self._decoder.close()


async def check_aiortc() -> None:
    """Look for every name that this module uses.

    Raises:
        RuntimeError: one is missing; the sentence says which and what to install.
    """
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        receiver = connection.addTransceiver("video", direction="recvonly").receiver
        missing = [
            f"RTCRtpReceiver has no '{n}'" for n in RECEIVER_NAMES if not hasattr(receiver, n)
        ]
        if not hasattr(aioice.ice, "get_host_addresses"):
            missing.append("aioice.ice has no 'get_host_addresses'")
    finally:
        await connection.close()
    if missing:
        raise RuntimeError(
            f"aiortc {metadata.version('aiortc')} is installed, sharp-xr needs {AIORTC}: "
            f"{missing[0]}; install with constraints.txt"
        )


def offer_loopback() -> None:
    """Let ICE use 127.0.0.1 besides this host's other addresses, for a server on this machine."""
    original = aioice.ice.get_host_addresses
    if getattr(original, "has_loopback", False):
        return

    def with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return (["127.0.0.1"] if use_ipv4 else []) + original(use_ipv4, use_ipv6)

    setattr(with_loopback, "has_loopback", True)  # noqa: B010 (functions declare no attributes)
    aioice.ice.get_host_addresses = with_loopback
