import struct

import pytest
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import RtpPacket, unpack_header_extensions, unwrap_rtx

from sharp_xr.stream.packets import ABS_SEND_TIME, MID, PLAYOUT_DELAY, PacketMaker, SentPacket

H264 = RTCRtpCodecParameters("video/H264", 90_000, payloadType=99)
RTX = RTCRtpCodecParameters("video/rtx", 90_000, payloadType=100, parameters={"apt": 99})
SENT = SentPacket(sequence=65535, marker=0x80, timestamp=(1 << 32) - 1, payload=b"abc", at_s=0.0)
NOW_S = 100.25


def maker(*extensions: tuple[int, str], repairs: bool = True, mid: str = "0") -> PacketMaker:
    parameters = RTCRtpSendParameters(
        codecs=[H264, RTX] if repairs else [H264],
        headerExtensions=[RTCRtpHeaderExtensionParameters(*one) for one in extensions],
        muxId=mid,
    )
    return PacketMaker(parameters, H264, ssrc=0xAABBCCDD, rtx_ssrc=0x11223344)


def extension_block(packet: bytes) -> dict[int, bytes]:
    profile, words = struct.unpack_from("!HH", packet, 12)
    return dict(unpack_header_extensions(profile, packet[16 : 16 + 4 * words]))


def test_another_parser_reads_what_was_meant() -> None:
    packet = RtpPacket.parse(maker((1, MID)).original(SENT, NOW_S))
    assert (packet.sequence_number, packet.timestamp) == (65535, (1 << 32) - 1)
    assert (packet.marker, packet.payload_type, packet.ssrc) == (1, 99, 0xAABBCCDD)
    assert packet.payload == b"abc"


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        [(1, MID)],
        [(3, ABS_SEND_TIME)],
        [(5, PLAYOUT_DELAY)],
        [(1, MID), (5, PLAYOUT_DELAY), (14, ABS_SEND_TIME)],
    ],
)
def test_the_negotiated_extensions_travel_and_no_others(extensions: list[tuple[int, str]]) -> None:
    packet = maker(*extensions).original(SENT, NOW_S)
    block = extension_block(packet)
    assert set(block) == {number for number, _ in extensions}
    numbers = {uri: number for number, uri in extensions}
    if MID in numbers:
        assert block[numbers[MID]] == b"0"
    if PLAYOUT_DELAY in numbers:
        assert block[numbers[PLAYOUT_DELAY]] == bytes(3)  # minimum 0, maximum 0
    if ABS_SEND_TIME in numbers:
        # 6.18 fixed point, modulo 64 seconds.
        assert block[numbers[ABS_SEND_TIME]] == round((NOW_S - 64) * 2**18).to_bytes(3, "big")
    assert RtpPacket.parse(packet).payload == b"abc"


def test_an_extension_that_has_no_one_byte_form_is_left_out() -> None:
    block = extension_block(maker((15, MID), (16, PLAYOUT_DELAY)).original(SENT, NOW_S))
    assert block == {}
    assert extension_block(maker((1, MID), mid="m" * 17).original(SENT, NOW_S)) == {}


def test_a_repair_says_which_packet_it_repairs() -> None:
    repair = RtpPacket.parse(maker((1, MID)).repair(SENT, 7, NOW_S))
    assert (repair.payload_type, repair.ssrc, repair.sequence_number) == (100, 0x11223344, 7)
    packet = unwrap_rtx(repair, payload_type=99, ssrc=0xAABBCCDD)
    assert (packet.sequence_number, packet.timestamp, packet.marker) == (65535, (1 << 32) - 1, 1)
    assert packet.payload == b"abc"


def test_without_a_repair_stream_the_packet_itself_comes_again() -> None:
    packets = maker((1, MID), repairs=False)
    assert packets.repair(SENT, 7, NOW_S) == packets.original(SENT, NOW_S)
