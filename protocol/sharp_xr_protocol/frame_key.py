"""The frame's key inside the video itself: the second carrier, for players without RTP timestamps.

A ``user_data_unregistered`` SEI message (ITU-T H.264, D.1.7) before the slices: the UUID below,
then the key as a little-endian uint32.
"""

from __future__ import annotations

import struct
import uuid

FRAME_UUID = uuid.uuid5(uuid.NAMESPACE_URL, "sharp-xr/frame").bytes
"""Says that the rest of the message is ours."""

_START_CODE = b"\0\0\0\1"
_SEI_NAL, _USER_DATA_UNREGISTERED, _STOP_BIT = 6, 5, 0x80
_KEY = struct.Struct("<I")
_LENGTH = len(FRAME_UUID) + _KEY.size


def key_unit(key: int) -> bytes:
    """The NAL unit, with its start code, that says which frame this is."""
    message = FRAME_UUID + _KEY.pack(key)
    assert len(message) < 255  # longer ones have a longer length field
    unit = bytes([_SEI_NAL, _USER_DATA_UNREGISTERED, len(message)]) + message + bytes([_STOP_BIT])
    return _START_CODE + escaped(unit)


def key_of_unit(access_unit: bytes) -> int | None:
    """The key in a coded frame (Annex B); None if it has none."""
    start = access_unit.find(FRAME_UUID)
    if start < 0:
        return None
    # Emulation prevention (H.264, 7.4.1.1): a 3 after two zeros is none of ours.
    message = access_unit[start : start + _LENGTH + 4].replace(b"\0\0\3", b"\0\0")
    return key_of_message(message)


def key_of_message(message: bytes) -> int | None:
    """The key in an SEI message as decoders hand it out; None if the message is not ours.

    A Python decoder finds it in ``frame.side_data``, type ``SEI_UNREGISTERED``.
    """
    if message[: len(FRAME_UUID)] != FRAME_UUID or len(message) < _LENGTH:
        return None
    (key,) = _KEY.unpack_from(message, len(FRAME_UUID))
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
