"""The frame's key inside the video itself: the second carrier, for players without RTP timestamps.

A ``user_data_unregistered`` SEI message (ITU-T H.264, D.1.7) before the slices: the UUID below,
then the key as a little-endian uint32.
"""

from __future__ import annotations

import re
import struct
import uuid

FRAME_UUID = uuid.uuid5(uuid.NAMESPACE_URL, "sharp-xr/frame").bytes
"""Says that the rest of the message is ours."""

_START_CODE = b"\0\0\0\1"
_START_OF_UNIT = re.compile(b"\0\0\x01(.)", re.DOTALL)
_SEI_NAL, _USER_DATA_UNREGISTERED, _STOP_BIT = 6, 5, 0x80


def frame_key_sei(key: int) -> bytes:
    """The NAL unit, with its start code, that says which frame this is."""
    message = FRAME_UUID + struct.pack("<I", key)
    assert len(message) < 255  # longer ones have a longer length field
    unit = bytes([_SEI_NAL, _USER_DATA_UNREGISTERED, len(message)]) + message + bytes([_STOP_BIT])
    return _START_CODE + escaped(unit)


def read_frame_key(message: bytes) -> int | None:
    """The key in an SEI message as decoders hand it out; None if the message is not ours.

    A Python decoder finds it in ``frame.side_data``, type ``SEI_UNREGISTERED``.
    """
    if message[:16] != FRAME_UUID or len(message) < 20:
        return None
    (key,) = struct.unpack_from("<I", message, 16)
    assert isinstance(key, int)
    return key


def escaped(unit: bytes) -> bytes:
    """A NAL unit with emulation prevention: no start code inside (H.264, 7.4.1.1)."""
    out = bytearray()
    zeros = 0
    for byte in unit:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def nal_types(access_unit: bytes) -> list[int]:
    """Of each NAL unit in Annex B form, in order (H.264, table 7-1)."""
    # Emulation prevention keeps this pattern out of everything but the starts of units.
    return [found[1][0] & 31 for found in _START_OF_UNIT.finditer(access_unit)]
