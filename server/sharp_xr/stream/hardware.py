"""H.264 encoders of graphics chips, by way of FFmpeg: the options that make them real-time ones.

Checked against FFmpeg's own tables of options, and not yet run on a chip; so none is taken without
a trial (``trial.py``). What they have in common: no B frames, one frame in the pipeline, constant
rate with a buffer of one frame, key frames on request only and those with SPS and PPS, CAVLC and
Baseline as x264. VideoToolbox is not among them: FFmpeg hands its units out a call too late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from sharp_xr.stream.colour import planes
from sharp_xr.stream.encoder import (
    Encoder,
    EncoderSettings,
    FFmpegEncoder,
    HardwareName,
    configured,
)


@dataclass(frozen=True)
class Hardware:
    """How a chip's encoder is opened."""

    label: str
    """For a person."""
    codec: str
    """FFmpeg's name."""
    options: dict[str, str]
    pixels: Literal["yuv420p", "nv12"] = "yuv420p"
    follows_rate: bool = True
    """Whether FFmpeg passes another ``bit_rate`` on to the open encoder."""


HARDWARE: dict[HardwareName, Hardware] = {
    # Follows the rate in libavcodec/nvenc.c, reconfig_encoder.
    "nvenc": Hardware(
        "NVENC",
        "h264_nvenc",
        {
            "preset": "p3",
            "tune": "ull",
            "rc": "cbr",
            "zerolatency": "1",
            "delay": "0",
            "forced-idr": "1",
            "profile": "baseline",
            "coder": "cavlc",
        },
    ),
    # CBR since maxrate is bit_rate; follows the rate in libavcodec/qsvenc.c, update_bitrate.
    "qsv": Hardware(
        "Quick Sync",
        "h264_qsv",
        {
            "preset": "veryfast",
            "scenario": "remotegaming",
            "async_depth": "1",  # 4 unless told: three frames of delay
            "low_delay_brc": "1",
            "look_ahead": "0",
            "forced_idr": "1",
            "profile": "baseline",
            "cavlc": "1",
            "aud": "0",  # our SEI stands first in the unit
            "pic_timing_sei": "0",
            "max_dec_frame_buffering": "1",
        },
        pixels="nv12",
    ),
    # libavcodec/amfenc_h264.c reads the rate when it opens, and never again.
    "amf": Hardware(
        "AMF",
        "h264_amf",
        {
            "usage": "ultralowlatency",
            "quality": "speed",
            "rc": "cbr",
            "latency": "1",
            "async_depth": "1",  # 16 unless told
            "enforce_hrd": "1",
            "filler_data": "0",
            "frame_skipping": "0",
            "preanalysis": "0",
            "forced_idr": "1",
            "profile": "constrained_baseline",
            "coder": "cavlc",
            "aud": "0",
        },
        follows_rate=False,
    ),
}


def open_hardware(name: HardwareName, settings: EncoderSettings) -> Encoder:
    """The chip's encoder of that name.

    Raises:
        av.FFmpegError: no driver, or a chip without such an encoder.
        ValueError: an FFmpeg without such a codec.
    """
    hardware = HARDWARE[name]
    if hardware.follows_rate:
        return _open(hardware, settings, settings.ceiling_bps)
    return Reopened(lambda bps: _open(hardware, settings, bps), settings)


def _open(hardware: Hardware, settings: EncoderSettings, bits_per_second: int) -> Encoder:
    context = configured(hardware.codec, settings, hardware.pixels)
    context.bit_rate = bits_per_second
    context.max_b_frames = 0
    context.gop_size = 100_000
    context.options = hardware.options | {
        "maxrate": str(bits_per_second),
        "bufsize": str(int(bits_per_second / settings.hz)),
    }
    context.open()
    if hardware.pixels == "nv12":
        return FFmpegEncoder(hardware.label, context, settings, ToNv12(settings))
    return FFmpegEncoder(hardware.label, context, settings)


class ToNv12:
    """Copies yuv420p pictures into one nv12 picture, which is used again for each.

    That is safe for an encoder that has given a picture's unit before it is given the next one.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        self._picture = av.VideoFrame(settings.width, settings.height, "nv12")

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        y, u, v = planes(picture)
        luma, chroma = (_rows(plane)[:, : picture.width] for plane in self._picture.planes)
        luma[:] = y
        chroma[:, 0::2], chroma[:, 1::2] = u, v
        return self._picture


def _rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """[rows, bytes of each] with the padding at its end."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


class Reopened:
    """An encoder that keeps the rate it was opened with: for another rate, another one is opened.

    Each begins with a key frame. So it follows a falling rate at once, for else the link's queue
    would fill; a rising one only once it is much higher, and not twice within a second.
    """

    LOWER, HIGHER = 0.9, 1.25
    """Of the open encoder's rate: what lies between is let be."""

    def __init__(self, opened: Callable[[int], Encoder], settings: EncoderSettings) -> None:
        self._opened, self._settings = opened, settings
        self._wanted_bps = settings.ceiling_bps
        self._encoder = opened(self._wanted_bps)
        self._frames = 0
        """That it has encoded."""
        self.name = self._encoder.name

    @property
    def bitrate(self) -> int:
        return self._wanted_bps

    @bitrate.setter
    def bitrate(self, bits_per_second: int) -> None:
        self._wanted_bps = min(bits_per_second, self._settings.ceiling_bps)

    def encode(self, picture: av.VideoFrame, *, key_frame: bool) -> bytes:
        ratio = self._wanted_bps / self._encoder.bitrate
        settled = self._frames >= self._settings.hz or self._frames == 0 or key_frame
        if ratio < self.LOWER or (ratio > self.HIGHER and settled):
            self._encoder, self._frames = self._opened(self._wanted_bps), 0
        key_frame = key_frame or self._frames == 0
        self._frames += 1
        return self._encoder.encode(picture, key_frame=key_frame)
