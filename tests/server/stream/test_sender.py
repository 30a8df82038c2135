"""The rules of the sender, on a stand-in for aiortc's; with a real one: ``test_stream.py``."""

import asyncio
from typing import Any, cast

import aioice.ice
import aiortc
import pytest
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    pack_remb_fci,
)

from sharp_xr.stream.packets import PLAYOUT_DELAY
from sharp_xr.stream.sender import BURST, COPY_AFTER_S, PACE_HZ, STEP_S, FrameSender

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


def test_a_frame_is_one_timestamp_rising_sequence_numbers_and_one_marker() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        assert await bench.sender.push(UNIT, key=4711)
        assert await bench.sender.push(UNIT, key=4712)
        first = [packet for packet in bench.sent if packet.timestamp == 4711]
        assert len(first) > 3 and len(bench.sent) == 2 * len(first)
        assert [packet.marker for packet in first] == [0] * (len(first) - 1) + [1]
        start = bench.sent[0].sequence_number
        assert start < 1 << 15
        sequences = [packet.sequence_number for packet in bench.sent]
        assert sequences == list(range(start, start + len(sequences)))

    asyncio.run(run())


@pytest.mark.parametrize("late", [1.0, 1.9])
def test_a_large_frame_leaves_in_steps_and_in_time_though_timers_are_late(late: float) -> None:
    async def run() -> None:
        bench = Bench()
        bench.late = late
        await bench.start()
        assert await bench.sender.push(b"\0\0\0\1\x65" + b"\xab" * 100_000, key=1)
        count = len(bench.sent)
        assert count > 2 * BURST
        for number, at_s in enumerate(bench.sent_s):
            assert number < BURST + PACE_HZ * at_s + 1
        assert bench.sent_s[BURST - 1] == 0.0
        assert bench.now_s <= (count - BURST) / PACE_HZ + late * STEP_S

    asyncio.run(run())


@pytest.mark.parametrize("late", [1.0, 1.9])
@pytest.mark.parametrize(("mbps", "hz"), [(8, 60), (50, 60), (50, 90)])
def test_each_frame_has_left_well_before_the_next_one_is_there(
    mbps: int, hz: int, late: float
) -> None:
    """50 Mbit/s is the most that is ever sent, and 90 Hz a headset's."""

    async def run() -> None:
        bench = Bench()
        bench.late = late
        await bench.start()
        unit = b"\0\0\0\1\x61" + b"\xab" * (mbps * 125_000 // hz)
        for number in range(10):
            began_s = bench.now_s = max(bench.now_s, number / hz)
            assert began_s == number / hz, "the frame before it was still leaving"
            assert await bench.sender.push(unit, key=number)
        bits = 8 * sum(len(packet.payload) for packet in bench.sent)
        assert bits >= 10 * mbps * 1e6 / hz
        for number in range(10):
            times = [
                at - number / hz
                for at, packet in zip(bench.sent_s, bench.sent, strict=True)
                if packet.timestamp == number
            ]
            assert times[-1] <= 0.6 / hz
            for at in set(times):  # what one step lets out, and a late timer two
                assert times.count(at) <= (BURST if at == 0.0 else late * PACE_HZ * STEP_S + 1)

    asyncio.run(run())


def test_nothing_leaves_before_the_connection_is_ready_or_after_it_broke() -> None:
    async def run() -> None:
        bench = Bench()
        assert not await bench.sender.push(UNIT, key=1)
        await bench.start()
        assert bench.events == ["ready"] and bench.sender.ready
        bench.broken = True
        assert not await bench.sender.push(UNIT, key=2)
        assert not bench.sender.ready
        assert bench.sent == []

    asyncio.run(run())


def test_the_end_of_the_loop_is_announced_so_that_stop_does_not_hang() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.stop()
        assert bench.aiortc_sender._RTCRtpSender__rtp_started.is_set()
        assert bench.aiortc_sender._RTCRtpSender__rtp_exited.is_set()
        assert not bench.sender.ready

    asyncio.run(run())


def test_a_lost_packet_comes_again_at_most_twice() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=1)
        count, lost = len(bench.sent), bench.sent[1]
        for _ in range(5):
            await bench.nack(lost.sequence_number)
        repairs = bench.sent[count:]
        assert [repair.payload for repair in repairs] == [lost.payload] * 2
        assert (bench.sender.repairs_asked, bench.sender.repairs_sent) == (5, 2)

    asyncio.run(run())


@pytest.mark.parametrize(("age_s", "repairs"), [(0.14, 1), (0.16, 0)])
def test_an_old_packet_does_not_come_again(age_s: float, repairs: int) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=1)
        bench.now_s = age_s
        await bench.nack(bench.sent[0].sequence_number)
        assert bench.sender.repairs_sent == repairs

    asyncio.run(run())


def test_a_packet_that_never_was_is_not_repaired() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=1)
        await bench.nack((bench.sent[0].sequence_number - 1) & 0xFFFF, 40_000)
        assert bench.sender.repairs_sent == 0

    asyncio.run(run())


@pytest.mark.parametrize("fmt", [RTCP_PSFB_PLI, RTCP_PSFB_FIR])
def test_a_request_for_a_key_frame_is_passed_on(fmt: int) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.feedback(RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=2))
        assert bench.events == ["key frame"]

    asyncio.run(run())


def test_the_receivers_estimate_is_passed_on_if_it_is_about_us() -> None:
    async def run() -> None:
        bench = Bench()
        for ssrcs in ([bench.aiortc_sender._ssrc], [5]):
            fci = pack_remb_fci(2_000_000, ssrcs)
            await bench.feedback(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
        await bench.feedback(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=b"what"))
        assert bench.rates == [2_000_000]

    asyncio.run(run())


def test_other_feedback_still_reaches_aiortc() -> None:
    async def run() -> None:
        bench = Bench()
        report = RtcpReceiverInfo(
            ssrc=bench.aiortc_sender._ssrc,
            fraction_lost=0,
            packets_lost=3,
            highest_sequence=0,
            jitter=0,
            lsr=0,
            dlsr=0,
        )
        await bench.feedback(RtcpRrPacket(ssrc=1, reports=[report]))
        (stats,) = bench.aiortc_sender._RTCRtpSender__stats.values()
        assert stats.packetsLost == 3

    asyncio.run(run())


def test_the_sender_report_tells_what_was_sent() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=77)
        sender = bench.aiortc_sender
        assert sender._RTCRtpSender__rtp_timestamp == 77
        assert sender._RTCRtpSender__packet_count == len(bench.sent)
        octets = sum(len(packet.payload) for packet in bench.sent)
        assert sender._RTCRtpSender__octet_count == octets

    asyncio.run(run())


def test_playout_delay_takes_the_offers_number() -> None:
    async def run() -> None:
        extensions = Bench().transceiver._headerExtensions
        assert [(one.id, one.uri) for one in extensions] == [(12, PLAYOUT_DELAY)]

    asyncio.run(run())


def test_a_loopback_server_offers_no_other_address(loopback: None) -> None:
    assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
    assert aioice.ice.get_host_addresses(use_ipv4=False, use_ipv6=True) == []


@pytest.mark.parametrize("copies", [1, 2])
def test_copies_are_the_same_packets_again_which_the_next_frame_does_not_wait_for(
    copies: int,
) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        assert await bench.sender.push(UNIT, key=1, copies=copies)
        first = len(bench.sent)
        assert await bench.sender.push(UNIT, key=2)
        assert len(bench.sent) == 2 * first > 6
        await bench.settled()
        frame = [packet.payload for packet in bench.sent[:first]]
        again = bench.sent[2 * first :]
        assert [packet.payload for packet in again] == copies * frame
        assert {packet.timestamp for packet in again} == {1}
        assert bench.sent_s[-1] == copies * COPY_AFTER_S

    asyncio.run(run())


def test_copies_end_with_the_connection() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=1, copies=1)
        first = len(bench.sent)
        await bench.stop()
        await bench.settled()
        assert len(bench.sent) == first

    asyncio.run(run())


def test_what_lies_before_a_key_frame_does_not_come_again() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.start()
        await bench.sender.push(UNIT, key=1)
        old = bench.sent[0].sequence_number
        bench.now_s = 0.02
        await bench.sender.push(UNIT, key=2, key_frame=True)
        await bench.nack(old, bench.sent[-1].sequence_number)
        assert bench.sender.repairs_sent == 1

    asyncio.run(run())
