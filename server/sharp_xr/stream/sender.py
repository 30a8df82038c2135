"""Everything of the server that reaches into aiortc: our own RTP loop on one of its senders.

aiortc's loop pulls pictures from a track, encodes them itself (3 Mbit/s at most), counts its time
stamps from a secret random number and remembers 128 packets. Ours is given encoded access units and
their time stamps. No public hook exists, so methods of one :class:`RTCRtpSender` *object* are
replaced; no class and no module is changed, but for the loopback address at the end of this file.
:func:`sharp_xr.stream.selftest.check_aiortc` looks at start whether all of it is still there.

    push(access unit, key) ── packets of 1300 bytes, time stamp = key ──> datagrams.py
                                ├─ copies, a little later, as RTX
                                └─ history of 4096 packets
    NACK  ──> again from the history, if young enough, as RTX
    PLI, FIR ──> on_key_frame_wanted          REMB ──> on_remb
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aioice.ice
from aiortc import clock, rtp
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from sharp_xr.stream.datagrams import Datagrams
from sharp_xr.stream.packets import PLAYOUT_DELAY, PacketMaker, SentPacket

log = logging.getLogger(__name__)

HISTORY = 4096
"""Packets remembered for NACKs; at 40 Mbit/s a second of them."""
MAX_REPAIR_AGE_S = 0.15
"""Older packets are not sent again: they only feed the congestion, a key frame is the answer."""
MAX_REPAIRS = 2
"""Times that one packet is sent again."""
BURST = 32
"""So many packets leave at once: 42 kB, less than what a socket or an access point buffers. It is
all of a frame of 20 Mbit/s at 60 Hz; each millisecond of waiting would be one of latency."""
PACE_HZ = 10_000
"""Packets per second of what a larger frame has left: 50 Mbit/s at 60 Hz (80 packets) take 5 ms."""
STEP_S = 0.001
"""Event loops know no shorter time, and mostly take longer."""
COPY_AFTER_S = 0.002
"""Copies come so long after what they are of, since losses come in bursts; others as long after
those."""


class FrameSender:
    """Sends access units on one sender, in place of aiortc's loop. The event loop's thread only.

    Made between ``setRemoteDescription`` and ``createAnswer``: playout-delay is negotiated then.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        remote_sdp: str,
        *,
        on_ready: Callable[[], None],
        on_key_frame_wanted: Callable[[], None],
        on_remb: Callable[[int], None],
        on_loss: Callable[[float], None] = lambda share: None,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``on_remb`` is given bits per second, ``on_loss`` the share of packets that got lost."""
        self._sender = transceiver.sender
        self._on_ready = on_ready
        self._on_key_frame_wanted = on_key_frame_wanted
        self._on_remb = on_remb
        self._on_loss = on_loss
        self._clock_s, self._sleep = clock_s, sleep
        self._parameters: RTCRtpSendParameters | None = None
        self._packets: PacketMaker | None = None
        self.way = Datagrams(self._sender.transport)
        """Where packets leave."""
        self._copying: set[asyncio.Task[None]] = set()
        self._history: list[SentPacket | None] = [None] * HISTORY
        # In the lower half: a wrap right at the start breaks SRTP's decryption at the receiver.
        self._sequence = secrets.randbelow(1 << 15)
        self._rtx_sequence = secrets.randbelow(1 << 15)
        self._key_frame_s = float("-inf")
        self.packets = self.octets = 0
        self.repairs_asked = self.repairs_sent = 0
        _negotiate_playout_delay(transceiver, remote_sdp)
        self._replace_methods()

    def _replace_methods(self) -> None:
        self._stock_send: Callable[[RTCRtpSendParameters], Awaitable[None]] = self._sender.send
        self._stock_rtcp: Callable[[Any], Awaitable[None]] = self._sender._handle_rtcp_packet
        hooks = {
            "send": self._send,
            "_run_rtp": self._run_rtp,
            "_handle_rtcp_packet": self._handle_rtcp_packet,
        }
        for name, method in hooks.items():
            setattr(self._sender, name, method)

    @property
    def ready(self) -> bool:
        """Whether a pushed frame would leave; earlier ones are lost, the first key frame too."""
        return self._packets is not None

    async def push(
        self, access_unit: bytes, key: int, *, key_frame: bool = False, copies: int = 0
    ) -> bool:
        """Send one access unit (Annex B) with this RTP time stamp; False if it did not leave.

        ``copies``: so many times each packet goes out again, as if it had been asked for: on a
        link that loses packets this fills holes before anybody can ask. Nobody waits for them.
        """
        packets = self._packets
        if packets is None:
            return False
        if key_frame:
            self._key_frame_s = self._clock_s()
        sent = self._numbered(access_unit, key)
        if not await self._transmit_paced(sent, packets.original):
            return False
        self.packets += len(sent)
        self.octets += sum(len(one.payload) for one in sent)
        self._fill_sender_report(key)
        if copies:
            self._hold(self._copy(packets, sent, copies))
        return True

    def _numbered(self, access_unit: bytes, key: int) -> list[SentPacket]:
        """The frame's packets, remembered for repairs."""
        payloads = H264Encoder._packetize(H264Encoder._split_bitstream(access_unit))
        now_s, number = self._clock_s(), self._sequence
        sent = [
            SentPacket((number + i) & 0xFFFF, 0, key, payload, now_s)
            for i, payload in enumerate(payloads)
        ]
        if sent:
            sent[-1].marker = 0x80
        for one in sent:
            self._history[one.sequence % HISTORY] = one
        self._sequence = (number + len(sent)) & 0xFFFF
        return sent

    async def _copy(self, packets: PacketMaker, sent: list[SentPacket], copies: int) -> None:
        def again(one: SentPacket, now_s: float) -> bytes:
            return self._again(packets, one, now_s)

        for _ in range(copies):
            await self._sleep(COPY_AFTER_S)
            if not await self._transmit_paced(sent, again):
                return

    def _again(self, packets: PacketMaker, sent: SentPacket, now_s: float) -> bytes:
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        return packets.repair(sent, self._rtx_sequence, now_s)

    async def _transmit_paced(
        self, sent: list[SentPacket], packet_of: Callable[[SentPacket, float], bytes]
    ) -> bool:
        """By a schedule: what a late timer held up leaves with the next step."""
        began_s = now_s = self._clock_s()
        for number, one in enumerate(sent):
            if number >= BURST + PACE_HZ * (now_s - began_s):
                await self._sleep(STEP_S)
                now_s = self._clock_s()
            if not self._transmit(packet_of(one, now_s)):
                return False
        return True

    def _transmit(self, packet: bytes) -> bool:
        try:
            self.way.send(packet)
        except ConnectionError:
            self._packets = None
            return False
        return True

    def _hold(self, copying: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(copying)
        self._copying.add(task)
        task.add_done_callback(self._copying.discard)

    def _fill_sender_report(self, key: int) -> None:
        """What aiortc's RTCP loop, which still runs, says about us (RFC 3550, 6.4.1)."""
        report = {
            "ntp_timestamp": clock.current_ntp_time(),
            "rtp_timestamp": key,
            "octet_count": self.octets,
            "packet_count": self.packets,
        }
        for name, value in report.items():
            setattr(self._sender, f"_RTCRtpSender__{name}", value)

    # --- what aiortc calls instead of its own methods -------------------------------------------

    async def _send(self, parameters: RTCRtpSendParameters) -> None:
        self._parameters = parameters
        await self._stock_send(parameters)

    async def _run_rtp(self, codec: RTCRtpCodecParameters) -> None:
        """In place of the loop: says that it runs, waits for the end, says that it ended.

        Without those two events ``RTCRtpSender.stop()`` would wait forever.
        """
        started = self._sender._RTCRtpSender__rtp_started  # type: ignore[attr-defined]
        exited = self._sender._RTCRtpSender__rtp_exited  # type: ignore[attr-defined]
        started.set()
        try:
            self._packets = self._packet_maker(codec)
            self._on_ready()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.debug("the RTP loop ends")
        finally:
            self._packets = None
            for task in self._copying:
                task.cancel()
            exited.set()

    def _packet_maker(self, codec: RTCRtpCodecParameters) -> PacketMaker:
        assert self._parameters is not None
        return PacketMaker(self._parameters, codec, self._sender._ssrc, self._sender._rtx_ssrc)

    async def _handle_rtcp_packet(self, packet: rtp.AnyRtcpPacket) -> None:
        match packet:
            case rtp.RtcpRtpfbPacket(fmt=rtp.RTCP_RTPFB_NACK):
                for sequence in packet.lost:
                    self._repair(sequence)
            case rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_PLI | rtp.RTCP_PSFB_FIR):
                self._on_key_frame_wanted()
            case rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_APP):
                self._handle_remb(packet.fci)
            case rtp.RtcpRrPacket():
                for report in packet.reports:
                    if report.ssrc == self._sender._ssrc:
                        self._on_loss(report.fraction_lost / 256)
                await self._stock_rtcp(packet)
            case _:
                await self._stock_rtcp(packet)

    def _repair(self, sequence: int) -> None:
        self.repairs_asked += 1
        sent, packets = self._history[sequence % HISTORY], self._packets
        if sent is None or sent.sequence != sequence or packets is None:
            return
        if sent.repairs >= MAX_REPAIRS or self._clock_s() - sent.at_s > MAX_REPAIR_AGE_S:
            return
        if sent.at_s < self._key_frame_s:  # nothing refers to it any more
            return
        sent.repairs += 1
        self.repairs_sent += 1
        self._transmit(self._again(packets, sent, self._clock_s()))

    def _handle_remb(self, fci: bytes) -> None:
        try:
            bits_per_second, ssrcs = rtp.unpack_remb_fci(fci)
        except ValueError as error:
            log.debug("an application feedback that is no REMB: %s", error)
            return
        if self._sender._ssrc in ssrcs:
            self._on_remb(bits_per_second)


def _negotiate_playout_delay(transceiver: RTCRtpTransceiver, remote_sdp: str) -> None:
    """Add the extension to our answer, with the offer's id, if the offer has it."""
    for line in remote_sdp.splitlines():
        if line.startswith("a=extmap:") and PLAYOUT_DELAY in line:
            number = int(line.removeprefix("a=extmap:").split()[0].split("/")[0])
            if all(one.uri != PLAYOUT_DELAY for one in transceiver._headerExtensions):
                transceiver._headerExtensions.append(
                    RTCRtpHeaderExtensionParameters(id=number, uri=PLAYOUT_DELAY)
                )
            return


def use_loopback_candidates() -> None:
    """Offer 127.0.0.1, and no other address, for WebRTC: for a server that is bound to loopback.

    aioice leaves 127.0.0.1 out and has no option for it, so this one function of it is replaced,
    for the whole process. A server that listens to this machine only opens no port to others then,
    and a machine that has no other address can be streamed to as well.
    """

    def loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["127.0.0.1"] if use_ipv4 else []

    aioice.ice.get_host_addresses = loopback
