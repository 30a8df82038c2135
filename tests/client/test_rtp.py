"""Packets as aiortc writes and reads them, and what no packet is."""

from __future__ import annotations

import random
from typing import Any

import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.rtp import RtpPacket, unwrap_rtx, wrap_rtx

from sharp_xr_client.rtp import annex_b, original, read_packet

CHANCE = random.Random(1)


def packet() -> RtpPacket:
    return RtpPacket(99, 1, 65_535, (1 << 32) - 1, 0xAABBCCDD, b"abc")


def written(*, csrcs: int = 0, extension: bytes = b"", padding: int = 0) -> bytes:
    """By the letter of RFC 3550, 5.1 and 5.3.1."""
    first = 0x80 | csrcs | (0x10 if extension else 0) | (0x20 if padding else 0)
    head = bytes([first]) + packet().serialize()[1:12] + bytes(4 * csrcs)
    if extension:
        head += b"\xbe\xde" + (len(extension) // 4).to_bytes(2, "big") + extension
    return head + b"abc" + (bytes(padding - 1) + bytes([padding]) if padding else b"")


@pytest.mark.parametrize(
    "what",
    [{}, {"csrcs": 2}, {"extension": bytes(8)}, {"padding": 5}]
    + [{"csrcs": 15, "extension": bytes(4), "padding": 255}],
)
def test_a_packet_is_read_as_aiortc_reads_it(what: dict[str, Any]) -> None:
    data = written(**what)
    found, theirs = read_packet(data), RtpPacket.parse(data)
    assert found is not None
    assert found.payload == theirs.payload == b"abc"
    assert (found.sequence_number, found.timestamp) == (65_535, (1 << 32) - 1)
    assert (found.payload_type, found.marker, found.ssrc) == (99, True, 0xAABBCCDD)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        written()[:11],
        bytes([0x00]) + written()[1:],  # version 0
        written(csrcs=15)[:20],
        written(extension=bytes(40))[:30],
        written(extension=bytes(8))[:14],
        bytes([0xA0]) + written()[1:12] + b"abc\x00",  # padding of no length
        bytes([0xA0]) + written()[1:12] + b"abc\xff",  # more padding than packet
    ],
)
def test_what_is_cut_off_or_no_packet_is_none(data: bytes) -> None:
    assert read_packet(data) is None


def test_nonsense_raises_nothing() -> None:
    for length in range(80):
        for _ in range(20):
            data = CHANCE.randbytes(length)
            read_packet(data)
            annex_b(data)


def test_a_repair_brings_the_packet_that_it_is_of() -> None:
    repair = wrap_rtx(packet(), payload_type=100, sequence_number=7, ssrc=5)
    read = read_packet(repair.serialize())
    assert read is not None and (read.payload_type, read.sequence_number, read.ssrc) == (100, 7, 5)
    found = original(read, 99, 0xAABBCCDD)
    theirs = unwrap_rtx(repair, 99, 0xAABBCCDD)
    assert found == read_packet(theirs.serialize())
    assert original(read._replace(payload=b"\0"), 99, 1) is None


def test_payloads_of_every_kind_give_the_stream_that_aiortc_makes_of_them() -> None:
    sizes = [1, 20, 300, 5000, 1299, 1300, 1301, 40, 40]
    units = [bytes([0x65]) + CHANCE.randbytes(size) for size in sizes]
    payloads = H264Encoder._packetize(iter(units))
    kinds = {payload[0] & 0x1F for payload in payloads}
    assert {5, 24, 28} <= kinds
    assert [annex_b(payload) for payload in payloads] == [h264_depayload(p) for p in payloads]
    stream = b"".join(annex_b(payload) or b"" for payload in payloads)
    assert stream == b"".join(b"\0\0\0\1" + unit for unit in units)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x65",
        bytes([28]),
        bytes([24, 0]),  # half a length
        bytes([24, 0, 9]) + b"short",
        bytes([25]) + b"STAP-B",
        bytes([29]) + b"FU-B",
        bytes([0]) + b"reserved",
    ],
)
def test_a_payload_that_is_cut_off_or_of_another_mode_is_none(payload: bytes) -> None:
    assert annex_b(payload) is None


def test_an_empty_payload_adds_nothing() -> None:
    """As senders use it to probe a link (padding only)."""
    assert annex_b(b"") == b""
