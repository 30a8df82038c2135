"""The rules of the sender, on a stand-in for aiortc's; with a real one: ``test_stream.py``."""

import asyncio

import aioice.ice
import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    pack_remb_fci,
)
from tests.server.stream.sender_bench import UNIT, Bench

from sharp_xr.stream.packets import PLAYOUT_DELAY


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
