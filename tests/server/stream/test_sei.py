from typing import Any

import av
import numpy as np
import pytest

from sharp_xr.stream.colour import new_picture
from sharp_xr.stream.encoder import EncoderSettings, open_x264
from sharp_xr.stream.sei import FRAME_UUID, escaped, frame_key_sei, nal_types, read_frame_key


@pytest.mark.parametrize("key", [0, 1, 3, 0x0100_0000, 0x0003_0000, (1 << 32) - 1])
def test_a_decoder_finds_the_key_of_each_frame(key: int) -> None:
    encoder = open_x264(EncoderSettings(64, 64, 60.0, 1_000_000))
    picture = new_picture(64, 64)
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    unit = frame_key_sei(key) + encoder.encode(picture, key_frame=True)
    (frame,) = av.CodecContext.create("h264", "r").decode(av.Packet(unit))
    side_data: Any = frame.side_data
    keys = [read_frame_key(bytes(data)) for data in side_data]
    assert [found for found in keys if found is not None] == [key]


def test_a_message_of_somebody_else_has_no_key() -> None:
    assert read_frame_key(bytes(16) + b"1234") is None
    assert read_frame_key(FRAME_UUID + b"12") is None


def test_no_start_code_is_left_inside_a_unit() -> None:
    """H.264, 7.4.1.1: 00 00 followed by 00 to 03 is escaped with 03."""
    assert escaped(bytes([0, 0, 0, 0, 0, 1])) == bytes([0, 0, 3, 0, 0, 3, 0, 1])
    assert escaped(bytes([0, 0, 3])) == bytes([0, 0, 3, 3])
    assert escaped(bytes([0, 0, 4])) == bytes([0, 0, 4])
    rng = np.random.default_rng(1)
    for _ in range(100):
        unit = escaped(rng.integers(0, 4, 200).astype(np.uint8).tobytes())
        assert not any(bytes([0, 0, low]) in unit for low in (0, 1, 2))


def test_a_unit_s_nal_types_are_read_through_both_start_codes() -> None:
    encoder = open_x264(EncoderSettings(64, 64, 60.0, 1_000_000))
    first, second = (
        frame_key_sei(key) + encoder.encode(new_picture(64, 64), key_frame=key == 0)
        for key in (0, 1)
    )
    assert [kind for kind in nal_types(first) if kind != 6] == [7, 8, 5]
    assert nal_types(first)[0] == 6 and nal_types(second) == [6, 1]
    assert nal_types(b"\0\0\1") == []
