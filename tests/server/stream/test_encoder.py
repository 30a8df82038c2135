"""Runs over each encoder that this machine has; x264 is always there."""

from collections.abc import Callable

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from sharp_xr.stream.colour import new_picture, planes, write_picture
from sharp_xr.stream.encoder import (
    NVENC_OPTIONS,
    Encoder,
    EncoderSettings,
    open_encoder,
    open_nvenc,
    open_x264,
    why_no_nvenc,
)

WIDTH, HEIGHT, HZ = 512, 256, 60.0
SETTINGS = EncoderSettings(WIDTH, HEIGHT, HZ, ceiling_bps=16_000_000)
NO_NVENC = why_no_nvenc(SETTINGS)
OPENERS = [
    open_x264,
    pytest.param(
        open_nvenc,
        marks=[
            pytest.mark.cuda,
            pytest.mark.skipif(NO_NVENC is not None, reason=f"no NVENC: {NO_NVENC}"),
        ],
    ),
]
each_encoder = pytest.mark.parametrize("opener", OPENERS)
Opener = Callable[[EncoderSettings], Encoder]


def moving_picture(number: int) -> av.VideoFrame:
    """Coloured blocks that drift, with fresh grain: hard enough that rates bind."""
    rng = np.random.default_rng(7)
    blocks = rng.random((2, 3, HEIGHT // 8, WIDTH // 16), np.float32).repeat(8, 2).repeat(8, 3)
    grain = np.random.default_rng(number).random(blocks.shape, np.float32)
    picture = new_picture(WIDTH, HEIGHT)
    write_picture(np.roll(blocks, 3 * number, axis=3) * 0.8 + 0.2 * grain, picture)
    return picture


def decode(units: list[bytes]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    return [frame for unit in units for frame in decoder.decode(av.Packet(unit))]


def luma(picture: av.VideoFrame) -> NDArray[np.float64]:
    return planes(picture)[0].astype(np.float64)


@each_encoder
def test_each_picture_comes_out_at_once_and_looks_like_itself(opener: Opener) -> None:
    encoder = opener(SETTINGS)
    pictures = [moving_picture(0)] * 15
    units = [encoder.encode(picture, key_frame=n == 0) for n, picture in enumerate(pictures)]
    assert all(units)  # none held back
    frames = decode(units)
    assert len(frames) == len(pictures)
    error = np.mean((luma(frames[-1]) - luma(pictures[-1])) ** 2)
    assert 10 * np.log10(255**2 / error) > 34  # dB


@each_encoder
def test_key_frames_come_on_request_only(opener: Opener) -> None:
    encoder = opener(SETTINGS)
    units = [encoder.encode(moving_picture(n), key_frame=n in (5, 9)) for n in range(12)]
    assert [n for n, frame in enumerate(decode(units)) if frame.key_frame] == [0, 5, 9]


@each_encoder
def test_a_stream_can_be_entered_at_a_requested_key_frame(opener: Opener) -> None:
    encoder = opener(SETTINGS)
    units = [encoder.encode(moving_picture(n), key_frame=n == 5) for n in range(8)]
    assert len(decode(units[5:])) == 3


@each_encoder
def test_the_rate_follows_live_down_and_up_again(opener: Opener) -> None:
    encoder = opener(SETTINGS)
    measured = {}
    number = 0
    for megabits in (8, 2, 12):
        encoder.bitrate = megabits * 1_000_000
        sizes = []
        for _ in range(24):
            sizes.append(len(encoder.encode(moving_picture(number), key_frame=False)))
            number += 1
        measured[megabits] = 8 * HZ * float(np.mean(sizes[8:])) / 1e6
    assert 0.6 * 8 < measured[8] < 1.1 * 8
    assert 0.6 * 2 < measured[2] < 1.1 * 2
    assert 0.6 * 12 < measured[12] < 1.1 * 12


@each_encoder
def test_a_key_frame_is_hardly_larger_than_its_neighbours(opener: Opener) -> None:
    encoder = opener(SETTINGS)
    encoder.bitrate = 4_000_000
    sizes = [len(encoder.encode(moving_picture(n), key_frame=n == 20)) for n in range(24)]
    assert sizes[20] < 1.5 * np.mean(sizes[10:20])


@each_encoder
def test_the_rate_stays_below_the_ceiling(opener: Opener) -> None:
    encoder = opener(SETTINGS)
    encoder.bitrate = 99_000_000
    assert encoder.bitrate == SETTINGS.ceiling_bps


@each_encoder
def test_the_stream_says_which_colours_it_means(opener: Opener) -> None:
    (frame,) = decode([opener(SETTINGS).encode(moving_picture(0), key_frame=True)])
    assert (frame.color_range, frame.colorspace) == (1, 1)  # limited range, BT.709 (H.273)


def test_auto_takes_what_works_here() -> None:
    wanted = "NVENC" if NO_NVENC is None else "x264"
    assert open_encoder(SETTINGS).name.startswith(wanted)


@pytest.mark.skipif(NO_NVENC is None, reason="this machine has NVENC")
def test_nvenc_where_there_is_none_is_refused_with_the_way_out() -> None:
    with pytest.raises(RuntimeError, match="NVENC does not work here .*: encode with x264"):
        open_encoder(SETTINGS, "nvenc")


def test_ffmpeg_knows_each_option_that_nvenc_is_given() -> None:
    options = av.CodecContext.create("h264_nvenc", "w").supported_options.private
    known = {option.name: {choice.name for choice in option.choices} for option in options}
    for name, value in NVENC_OPTIONS.items():
        assert name in known
        assert value.isdigit() or value in known[name], f"{name}={value}"
