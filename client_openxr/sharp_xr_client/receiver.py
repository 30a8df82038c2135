"""All that this client changes on aiortc's video receiver, and the check that it can.

aiortc 1.16 hands a frame out when the next one begins, waits for hundreds of packets behind a hole,
queues pictures without limit, and estimates for each packet what the link carries, which this
server does not ask. So packets are taken as they come from the socket, before all of it; what is no
packet of the video (DTLS, RTCP) goes aiortc's way, as do the reports on what came.

There is no public hook, so private names of ONE receiver object and of its transport are used; no
class is changed. The exception is the list of this host's addresses (aioice leaves the loopback out
of it), a function of a module: :func:`offer_loopback` wraps it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any, cast

import aioice.ice
import pylibsrtp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import is_rtcp

from sharp_xr_client.counts import Counts
from sharp_xr_client.decoder import DecodedFrame, Decoder
from sharp_xr_client.jitter import Feedback, Fragment, FrameBuffer
from sharp_xr_client.rtp import Packet, annex_b, original, read_packet
from sharp_xr_protocol.messages import CLOCK_HZ

AIORTC = "1.16"
"""The minor version that the names below were read in."""

RECEIVER_NAMES = (
    "_RTCRtpReceiver__codecs",
    "_RTCRtpReceiver__remote_streams",
    "_RTCRtpReceiver__rtx_ssrc",
    "_send_rtcp_nack",
    "_send_rtcp_pli",
)

TICK_S = 0.010
"""How often a buffer with a hole is asked what it wants."""


class VideoReceiver:
    """Takes a receiver's packets before aiortc does, and decodes them.

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
        # Filled when the connection comes about.
        self._streams: dict[int, StreamStatistics] = _of(receiver, "remote_streams")
        self._dtls = cast(Any, receiver.transport)
        ice = self._dtls.transport._connection
        self._stock_data_received: Callable[[bytes, int], None] = ice.data_received
        ice.data_received = self._data_received

    def set_round_trip(self, seconds: float) -> None:
        """How long a repair takes at least."""
        self._buffer.set_round_trip(seconds)

    def _data_received(self, data: bytes, component: int) -> None:
        """What aioice calls with each datagram that is not its own."""
        srtp = self._dtls._rx_srtp
        # RFC 7983: RTP and RTCP begin with 128 to 191.
        if srtp is None or not 127 < data[0] < 192 or is_rtcp(data):
            self._stock_data_received(data, component)
            return
        try:
            packet = read_packet(srtp.unprotect(data))
        except (pylibsrtp.Error, ValueError):  # damaged, a stranger's, or too long
            return
        if packet is not None:
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        codec = _of(self._receiver, "codecs").get(packet.payload_type)
        if codec is None:
            return
        statistics = self._streams.get(packet.ssrc)
        if statistics is None:
            statistics = self._streams[packet.ssrc] = StreamStatistics(CLOCK_HZ)
        statistics.add(cast(Any, packet))  # looks at number and timestamp
        media: Packet | None = packet
        if (repaired := codec.parameters.get("apt")) is not None:
            ssrc = _of(self._receiver, "rtx_ssrc").get(packet.ssrc)
            media = None if ssrc is None else original(packet, repaired, ssrc)
        data = None if media is None else annex_b(media.payload)
        if media is not None and data is not None:
            self._ssrc = media.ssrc
            self._add(Fragment(media.sequence_number, media.timestamp, media.marker, data))

    def _add(self, fragment: Fragment) -> None:
        if self._decoder.failed():
            self._buffer.lose()
        for unit in self._buffer.add(fragment, time.monotonic()):
            if not self._decoder.push(unit):
                self._buffer.lose()
        if self._buffer.troubled:
            self._trouble.set()

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


def _of(receiver: RTCRtpReceiver, name: str) -> Any:
    return getattr(receiver, f"_RTCRtpReceiver__{name}")


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
        dtls: Any = receiver.transport
        if not hasattr(dtls, "_rx_srtp"):
            missing.append("RTCDtlsTransport has no '_rx_srtp'")
        if not hasattr(getattr(dtls.transport, "_connection", None), "data_received"):
            missing.append("RTCIceTransport has no '_connection' with 'data_received'")
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
