"""RTP packets of H.264 (RFC 3550, RFC 6184) and their repairs (RFC 4588) as fragments. No I/O."""

from __future__ import annotations

import struct
from typing import NamedTuple

from sharp_xr_client.jitter import START_CODE

_FIXED = struct.Struct("!BBHII")
_NUMBER = struct.Struct("!H")


class Packet(NamedTuple):
    """What the header says, and the payload."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes


def read_packet(data: bytes) -> Packet | None:
    """None if it is not RTP, or cut off."""
    if len(data) < _FIXED.size:
        return None
    first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
    at, end = _FIXED.size + 4 * (first & 0x0F), len(data)
    if first & 0x10:  # a header extension
        if at + 4 > end:
            return None
        at += 4 + 4 * int(_NUMBER.unpack_from(data, at + 2)[0])
    if first & 0x20:  # padding, whose last byte is its length
        end -= data[-1] or len(data)
    if first >> 6 != 2 or at > end:
        return None
    return Packet(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[at:end])


def original(repair: Packet, payload_type: int, ssrc: int) -> Packet | None:
    """What a packet of the repair stream brings again, of that stream; None if it is cut off."""
    if len(repair.payload) < 2:
        return None
    (sequence,) = _NUMBER.unpack_from(repair.payload)
    _, marker, _, timestamp, _, payload = repair
    return Packet(payload_type, marker, sequence, timestamp, ssrc, payload[2:])


def annex_b(payload: bytes) -> bytes | None:
    """The payload's part of the byte stream; None if it is not packetization-mode 1, or cut off.

    A NAL unit that begins in it begins with a start code.
    """
    if len(payload) < 2:
        return b"" if not payload else None
    match payload[0] & 0x1F:
        case 28:  # FU-A: a part of a unit, whose header is in pieces
            if payload[1] & 0x80:
                return START_CODE + bytes([payload[0] & 0xE0 | payload[1] & 0x1F]) + payload[2:]
            return payload[2:]
        case 24:  # STAP-A
            return _aggregated(payload)
        case kind if 1 <= kind < 24:
            return START_CODE + payload
        case _:
            return None


def _aggregated(payload: bytes) -> bytes | None:
    """STAP-A: several units, each with its length before it."""
    parts, at = [], 1
    while at < len(payload):
        if at + 2 > len(payload):
            return None
        end = at + 2 + int(_NUMBER.unpack_from(payload, at)[0])
        if end > len(payload):
            return None
        parts += [START_CODE, payload[at + 2 : end]]
        at = end
    return b"".join(parts)
