"""What an encoder must do to be taken: x264 does, and each fault is found and named."""

from __future__ import annotations

from collections.abc import Callable

import av
import pytest

from sharp_xr.stream.colour import new_picture, planes
from sharp_xr.stream.encoder import Encoder, EncoderSettings, FFmpegEncoder, configured, open_x264
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr.stream.trial import what_is_wrong

SETTINGS = EncoderSettings(512, 256, 60.0, ceiling_bps=4_000_000)
Change = Callable[[Encoder, av.VideoFrame, bool], bytes]


class Faulty:
    """x264, with something done to what goes in or comes out."""

    name = "faulty"
    bitrate = 0

    def __init__(self, change: Change, settings: EncoderSettings) -> None:
        self._encoder, self._change = open_x264(settings), change

    def encode(self, picture: av.VideoFrame, *, key_frame: bool) -> bytes:
        return self._change(self._encoder, picture, key_frame)


def late(last: list[bytes]) -> Change:
    """One frame of delay, as a pipeline has."""

    def encode(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
        last.append(encoder.encode(picture, key_frame=key_frame))
        return last[-2] if len(last) > 1 else b""

    return encode


def deaf(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
    return encoder.encode(picture, key_frame=False)  # the first is a key frame anyhow


def zealous(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
    return encoder.encode(picture, key_frame=True)


def headless(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
    unit = encoder.encode(picture, key_frame=key_frame)
    return unit[unit.index(b"\0\0\1\x65") :] if key_frame else unit  # from the IDR slice on


def swapped(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
    """Takes V for U."""
    other = new_picture(picture.width, picture.height)
    y, v, u = planes(picture)
    for plane, given in zip(planes(other), (y, u, v), strict=True):
        plane[:] = given
    return encoder.encode(other, key_frame=key_frame)


def grey(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
    other = new_picture(picture.width, picture.height)
    for plane in planes(other):
        plane[:] = 128
    return encoder.encode(other, key_frame=key_frame)


def silent(settings: EncoderSettings) -> Encoder:
    """Its SPS does not say which colours it means."""
    context = configured("libx264", settings)
    context.color_range = context.colorspace = 0
    context.options = {"preset": "superfast", "tune": "zerolatency", "forced-idr": "1"}
    context.open()
    return FFmpegEncoder("silent", context, settings)


def reordering(settings: EncoderSettings) -> Encoder:
    context = configured("libx264", settings)
    context.options = {"preset": "superfast", "bf": "2"}
    context.open()
    return FFmpegEncoder("reordering", context, settings)


def narrow(settings: EncoderSettings) -> Encoder:
    """Gives pictures of a size that nobody asked for."""
    half = EncoderSettings(settings.width // 2, settings.height, settings.hz, settings.ceiling_bps)

    def encode(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
        return encoder.encode(new_picture(half.width, half.height), key_frame=key_frame)

    return Faulty(encode, half)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (late([]), "it holds frames back"),
        (deaf, "it makes no key frame when asked for one"),
        (zealous, "it makes key frames unasked"),
        (headless, "its key frames come without SPS and PPS"),
        (swapped, "its pictures come out wrong"),
        (grey, "its pictures come out wrong"),
    ],
)
def test_a_fault_is_named(change: Change, words: str) -> None:
    assert what_is_wrong(lambda settings: Faulty(change, settings), SETTINGS) == words


@pytest.mark.parametrize(
    ("opener", "words"),
    [
        (silent, "it does not say that its colours are BT.709 in limited range"),
        (reordering, "it holds frames back"),
        (narrow, "its pictures are 256 x 256 pixels"),
    ],
)
def test_a_codec_opened_wrongly_is_found_out(
    opener: Callable[[EncoderSettings], Encoder], words: str
) -> None:
    assert what_is_wrong(opener, SETTINGS) == words


def test_garbage_is_no_video() -> None:
    def encode(encoder: Encoder, picture: av.VideoFrame, key_frame: bool) -> bytes:
        unit = encoder.encode(picture, key_frame=key_frame)
        return unit[: len(unit) // 2] + bytes(len(unit) // 2)

    assert what_is_wrong(lambda settings: Faulty(encode, settings), SETTINGS) is not None


@pytest.mark.parametrize(
    ("width", "height", "hz"),
    [(16, 16, 30.0), (256, 128, 90.0), (512, 384, 30.0), (1024, 768, 60.0), (2048, 1024, 60.0)],
)
def test_x264_passes_at_every_size(width: int, height: int, hz: float) -> None:
    rates = settings_for(width, height, hz)
    settings = EncoderSettings(width, height, hz, rates.ceiling_bps)
    assert what_is_wrong(open_x264, settings) is None
