"""NAL units of a real encoder, with a frame's key before them."""

from typing import Any

import av
import pytest

from sharp_xr.stream.colour import new_picture
from sharp_xr.stream.encoder import EncoderSettings, open_x264
from sharp_xr.stream.units import nal_types
from sharp_xr_protocol.frame_key import key_of_message, key_unit


@pytest.mark.parametrize("key", [0, 1, 3, 0x0100_0000, 0x0003_0000, (1 << 32) - 1])
def test_a_decoder_finds_the_key_of_each_frame(key: int) -> None:
    encoder = open_x264(EncoderSettings(64, 64, 60.0, 1_000_000))
    picture = new_picture(64, 64)
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    unit = key_unit(key) + encoder.encode(picture, key_frame=True)
    (frame,) = av.CodecContext.create("h264", "r").decode(av.Packet(unit))
    side_data: Any = frame.side_data
    keys = [key_of_message(bytes(data)) for data in side_data]
    assert [found for found in keys if found is not None] == [key]


def test_a_unit_s_nal_types_are_read_through_both_start_codes() -> None:
    encoder = open_x264(EncoderSettings(64, 64, 60.0, 1_000_000))
    first, second = (
        key_unit(key) + encoder.encode(new_picture(64, 64), key_frame=key == 0) for key in (0, 1)
    )
    assert [kind for kind in nal_types(first) if kind != 6] == [7, 8, 5]
    assert nal_types(first)[0] == 6 and nal_types(second) == [6, 1]
    assert nal_types(b"\0\0\1") == []
