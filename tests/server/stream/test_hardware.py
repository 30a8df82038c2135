"""Encoders of graphics chips, as far as that can be told without one: not run on a GPU."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from sharp_xr.stream.colour import new_picture, planes
from sharp_xr.stream.encoder import Encoder, EncoderSettings, HardwareName, open_x264
from sharp_xr.stream.hardware import HARDWARE, Hardware, Reopened, ToNv12
from sharp_xr.stream.trial import what_is_wrong

SETTINGS = EncoderSettings(256, 128, 60.0, ceiling_bps=4_000_000)
each_chip = pytest.mark.parametrize("hardware", HARDWARE.values(), ids=HARDWARE)


@each_chip
def test_ffmpeg_knows_each_option_and_each_value(hardware: Hardware) -> None:
    options = av.CodecContext.create(hardware.codec, "w").supported_options.private
    known = {option.name: option for option in options}
    for name, value in hardware.options.items():
        assert name in known, name
        choices = {choice.name for choice in known[name].choices}
        is_number = value.isdigit() and known[name].min <= int(value) <= known[name].max
        assert value in choices or is_number, f"{name}={value}, wanted one of {choices}"


@each_chip
def test_ffmpeg_takes_pictures_in_that_format(hardware: Hardware) -> None:
    formats = av.Codec(hardware.codec, "w").video_formats
    assert formats is not None and hardware.pixels in [one.name for one in formats]


@pytest.mark.parametrize("name", ["nvenc", "qsv"])
def test_pipelines_are_one_frame_deep(name: HardwareName) -> None:
    options = HARDWARE[name].options
    assert options.get("async_depth", "1") == "1" and options.get("delay", "0") == "0"


def moved(number: int) -> av.VideoFrame:
    picture = new_picture(SETTINGS.width, SETTINGS.height)
    noise = np.random.default_rng(number)
    for plane in planes(picture):
        plane[:] = noise.integers(16, 235, plane.shape, np.uint8)
    return picture


def test_nv12_has_the_chroma_planes_interleaved_as_ffmpeg_does_it() -> None:
    picture = moved(1)
    ours = ToNv12(SETTINGS)(picture)
    theirs = picture.reformat(format="nv12")
    assert ours.format.name == "nv12"
    for plane, other in zip(ours.planes, theirs.planes, strict=True):
        assert np.array_equal(rows(plane), rows(other))


def rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """Without the padding; nv12's planes are of equal width in bytes."""
    found = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return found[:, : SETTINGS.width]


# --- an encoder whose rate is fixed --------------------------------------------------------------


class Fixed:
    """Opens x264 and writes down for which rates."""

    def __init__(self) -> None:
        self.opened: list[int] = []

    def __call__(self, bits_per_second: int) -> Encoder:
        self.opened.append(bits_per_second)
        encoder = open_x264(SETTINGS)
        encoder.bitrate = bits_per_second
        return encoder


def stream(encoder: Encoder, frames: int) -> list[bytes]:
    return [encoder.encode(moved(number), key_frame=False) for number in range(frames)]


def test_a_fixed_rate_falls_at_once_and_rises_a_second_later() -> None:
    fixed = Fixed()
    encoder = Reopened(fixed, SETTINGS)
    stream(encoder, 1)
    encoder.bitrate = 2_000_000
    stream(encoder, 1)
    assert fixed.opened == [4_000_000, 2_000_000]
    encoder.bitrate = 3_000_000
    stream(encoder, 59)
    assert fixed.opened == [4_000_000, 2_000_000]
    stream(encoder, 1)
    assert fixed.opened == [4_000_000, 2_000_000, 3_000_000]


def test_small_steps_of_the_rate_are_let_be() -> None:
    fixed = Fixed()
    encoder = Reopened(fixed, SETTINGS)
    for bitrate in (3_900_000, 3_700_000, 4_000_000):
        encoder.bitrate = bitrate
        assert encoder.bitrate == bitrate
        stream(encoder, 61)
    assert fixed.opened == [4_000_000]


def test_another_encoder_begins_with_a_key_frame_that_can_be_entered_at() -> None:
    encoder = Reopened(Fixed(), SETTINGS)
    stream(encoder, 3)
    encoder.bitrate = 1_000_000
    units = stream(encoder, 3)
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit))]
    assert [frame.key_frame for frame in frames] == [True, False, False]


def test_a_rate_never_exceeds_the_ceiling() -> None:
    encoder = Reopened(Fixed(), SETTINGS)
    encoder.bitrate = 9_000_000
    assert encoder.bitrate == SETTINGS.ceiling_bps


def test_an_encoder_of_fixed_rate_passes_the_trial() -> None:
    assert what_is_wrong(lambda settings: Reopened(Fixed(), settings), SETTINGS) is None
