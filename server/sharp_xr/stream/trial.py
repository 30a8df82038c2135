"""Is an encoder fit for a stream? It is given pictures, and what comes out is taken apart.

    picture 0  key frame asked for      1, 2  none      3  key frame asked for again      4  none

Chips' encoders differ by vendor, driver and year, and what opens may still hold frames back, ignore
the request for a key frame or leave SPS and PPS out. Each of these would be a frozen picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace

from sharp_xr.stream.colour import new_picture, planes
from sharp_xr.stream.encoder import Encoder, EncoderSettings
from sharp_xr.stream.units import nal_types
from sharp_xr_protocol.frame_key import key_of_message, key_unit

PICTURES = 5
KEY_FRAMES = (0, 3)
MOST_OFF = 15.0
"""Codes, on average, that a decoded plane may be off: smooth pictures come nearer at any rate."""
SPS, PPS, IDR = 7, 8, 5

Opener = Callable[[EncoderSettings], Encoder]


class UnfitError(Exception):
    """What is wrong, in words that may stand behind a colon."""


def what_is_wrong(opener: Opener, settings: EncoderSettings) -> str | None:
    """None if what ``opener`` opens does all that a stream relies on."""
    try:
        encoder = opener(settings)
        pictures = [_picture(settings, number) for number in range(PICTURES)]
        units = _encoded(encoder, pictures)
        for number, unit in enumerate(units):
            _check_units(unit, is_key=number in KEY_FRAMES)
        for number, frame in enumerate(_decoded(units)):
            _check_frame(frame, number, pictures[number])
    except UnfitError as error:
        return str(error)
    except (av.FFmpegError, ValueError) as error:
        return f"FFmpeg says {getattr(error, 'strerror', None) or error}"
    return None


def _picture(settings: EncoderSettings, number: int) -> av.VideoFrame:
    """Slopes that move, each plane another way: swapped planes are noticed."""
    picture = new_picture(settings.width, settings.height)
    for plane, (down, across) in zip(planes(picture), ((0.5, 1), (1, 0), (0, 0)), strict=True):
        rows, columns = (np.linspace(0, 1, size) for size in plane.shape)
        slope = (down * rows[:, None] + across * columns + number / 20) % 2
        plane[:] = 40 + 150 * np.abs(1 - slope)
    return picture


def _encoded(encoder: Encoder, pictures: list[av.VideoFrame]) -> list[bytes]:
    """Access units as a stream sends them."""
    units = []
    for number, picture in enumerate(pictures):
        unit = encoder.encode(picture, key_frame=number in KEY_FRAMES)
        if not unit:
            raise UnfitError("it holds frames back")
        units.append(key_unit(number) + unit)
    return units


def _check_units(unit: bytes, *, is_key: bool) -> None:
    types = nal_types(unit)
    if is_key and IDR not in types:
        raise UnfitError("it makes no key frame when asked for one")
    if is_key and not {SPS, PPS} <= set(types[: types.index(IDR)]):
        raise UnfitError("its key frames come without SPS and PPS")
    if not is_key and IDR in types:
        raise UnfitError("it makes key frames unasked")


def _decoded(units: list[bytes]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1  # else it waits for more frames than there are
    frames = []
    for unit in units:
        found = decoder.decode(av.Packet(unit))
        if len(found) != 1:
            raise UnfitError("a decoder cannot show each frame at once")
        frames += found
    return frames


def _check_frame(frame: av.VideoFrame, number: int, picture: av.VideoFrame) -> None:
    side_data: Any = frame.side_data  # a container of buffers, whatever its type stub says
    if number not in [key_of_message(bytes(data)) for data in side_data]:
        raise UnfitError("a frame's key in its SEI gets lost")
    if frame.color_range != ColorRange.MPEG or frame.colorspace != Colorspace.ITU709:
        raise UnfitError("it does not say that its colours are BT.709 in limited range")
    if (frame.width, frame.height) != (picture.width, picture.height):
        raise UnfitError(f"its pictures are {frame.width} x {frame.height} pixels")
    for seen, given in zip(planes(frame), planes(picture), strict=True):
        if np.abs(seen.astype(np.int16) - given).mean() > MOST_OFF:
            raise UnfitError("its pictures come out wrong")
