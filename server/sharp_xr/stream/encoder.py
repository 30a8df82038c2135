"""Pictures to H.264 access units, one in, one out: no encoder in here holds a frame back.

x264 runs everywhere; NVENC where a probe says so (that there is CUDA proves nothing: an H100 has
no NVENC). To add an encoder: write the function that opens it, give it a place in
:func:`open_encoder`, and add it to the tests that run over all of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from sharp_xr.stream.colour import new_picture

log = logging.getLogger(__name__)

CLOCK = Fraction(1, 90_000)
SMALL_PX = 1 << 17
"""512 x 256; smaller ones are encoded on one thread as soon as on two."""
EncoderName = Literal["auto", "x264", "nvenc"]


@dataclass(frozen=True)
class EncoderSettings:
    """What an encoder is opened with."""

    width: int
    """Pixels of the whole picture, both eyes; even, as is the height."""
    height: int
    hz: float
    """Frames per second that the bitrate is shared out among."""
    ceiling_bps: int
    """Bits per second that :attr:`Encoder.bitrate` may never exceed."""


class Encoder(Protocol):
    """One video. Any thread, one call at a time."""

    name: str
    """For a person: "x264 superfast"."""

    bitrate: int
    """Bits per second; setting it works from the next frame on. Never above the ceiling."""

    def encode(self, picture: av.VideoFrame, *, key_frame: bool) -> bytes:
        """The picture's access unit in Annex B form; an IDR with SPS and PPS where asked for."""
        ...


class FFmpegEncoder:
    """An open codec of FFmpeg's that gives one access unit for each picture."""

    def __init__(self, name: str, context: VideoCodecContext, settings: EncoderSettings) -> None:
        self.name = name
        self._context = context
        self._settings = settings
        self._frames = 0

    @property
    def bitrate(self) -> int:
        return self._context.bit_rate or 0

    @bitrate.setter
    def bitrate(self, bits_per_second: int) -> None:
        self._context.bit_rate = min(bits_per_second, self._settings.ceiling_bps)

    def encode(self, picture: av.VideoFrame, *, key_frame: bool) -> bytes:
        # Only has to rise evenly, for the rate control: RTP carries the real time stamp.
        picture.pts = round(self._frames / self._settings.hz / CLOCK)
        picture.time_base = CLOCK
        # Reset on every other frame: an I that stays set makes each frame a key frame.
        picture.pict_type = PictureType.I if key_frame else PictureType.NONE
        self._frames += 1
        return b"".join(bytes(packet) for packet in self._context.encode(picture))


def open_x264(settings: EncoderSettings) -> Encoder:
    """libx264, tuned so that each frame fits one frame interval of the link.

    The rate can be changed live only because x264 is opened as CBR (maxrate = bit_rate), and only
    downwards from there. A ``bufsize`` of 1 kbit is on purpose: x264 raises it to exactly one frame
    *of the current rate* at each change, so that every frame, IDR included, stays within one frame
    interval's bits. (streaming.md, 3.2, has the measurements.)
    """
    context = _configured("libx264", settings)
    context.profile = "Baseline"
    # Sliced: no frame of delay. A small picture takes a fifth less time in all on one thread.
    context.thread_count = 2 if settings.width * settings.height >= SMALL_PX else 1
    context.options = {
        "preset": "superfast",
        "tune": "zerolatency",
        "maxrate": str(settings.ceiling_bps),
        "bufsize": "1000",
        "g": "100000",  # key frames on request only
        "forced-idr": "1",
        "x264-params": "scenecut=0:repeat-headers=1:"
        "colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=off",
    }
    context.open()
    return FFmpegEncoder("x264 superfast", context, settings)


NVENC_OPTIONS = {
    "preset": "p3",
    "tune": "ull",
    "rc": "cbr",
    "zerolatency": "1",
    "delay": "0",
    "forced-idr": "1",
    "profile": "baseline",
    "coder": "cavlc",
}


def open_nvenc(settings: EncoderSettings) -> Encoder:
    """NVIDIA's hardware encoder.

    Checked against FFmpeg's real option names, not yet run on a GPU. The rate is followed live
    (libavcodec/nvenc.c, ``reconfig_encoder``); the buffer is one frame of the ceiling.

    Raises:
        av.FFmpegError: no driver, or a GPU without an encoder.
    """
    context = _configured("h264_nvenc", settings)
    context.max_b_frames = 0
    context.gop_size = 100_000
    context.options = NVENC_OPTIONS | {
        "maxrate": str(settings.ceiling_bps),
        "bufsize": str(int(settings.ceiling_bps / settings.hz)),
    }
    context.open()
    return FFmpegEncoder("NVENC", context, settings)


def open_encoder(settings: EncoderSettings, name: EncoderName = "auto") -> Encoder:
    """The encoder of that name; "auto" takes NVENC where it works, else x264.

    Raises:
        RuntimeError: "nvenc" where it does not work, in one sentence with the way out.
    """
    match name:
        case "x264":
            return open_x264(settings)
        case "nvenc":
            reason = why_no_nvenc(settings)
            if reason is not None:
                raise RuntimeError(f"NVENC does not work here ({reason}): encode with x264")
            return open_nvenc(settings)
        case "auto":
            return open_x264(settings) if why_no_nvenc(settings) else open_nvenc(settings)


def why_no_nvenc(settings: EncoderSettings) -> str | None:
    """None if one frame went through NVENC, else what happened. Quick without CUDA."""
    try:
        encoder = open_nvenc(settings)
        unit = encoder.encode(new_picture(settings.width, settings.height), key_frame=True)
    except (av.FFmpegError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None if unit else "it holds frames back"


def _configured(codec: str, settings: EncoderSettings) -> VideoCodecContext:
    """What all encoders have in common."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = settings.width, settings.height
    context.pix_fmt = "yuv420p"
    context.time_base = CLOCK
    context.framerate = Fraction(settings.hz).limit_denominator(1000)
    context.bit_rate = settings.ceiling_bps
    context.color_range = ColorRange.MPEG
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709 in H.273
    return context
