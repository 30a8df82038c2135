"""Pictures to H.264 access units, one in, one out: no encoder in here holds a frame back.

x264 runs everywhere; the chips' encoders (``hardware.py``) are taken where a trial (``trial.py``)
has shown that they do what a stream needs: that there is CUDA proves nothing, an H100 has no NVENC.
To add an encoder: a row of ``hardware.HARDWARE``, or the function that opens it and a ``case`` in
:func:`open_encoder`; and a place in the tests that run over all of them.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, get_args

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

log = logging.getLogger(__name__)

CLOCK = Fraction(1, 90_000)
SMALL_PX = 1 << 17
"""512 x 256; smaller ones are encoded on one thread as soon as on two."""
CORES = 4
"""With fewer, a second thread waits for a processor that draws, or is others': README.md."""
HardwareName = Literal["nvenc", "qsv", "amf"]
"""NVIDIA's, Intel's and AMD's; "auto" tries them in this order."""
EncoderName = Literal["auto", "x264", "nvenc", "qsv", "amf"]


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
        """The picture's access unit in Annex B form; an IDR with SPS and PPS where asked for, and
        at first."""
        ...


class FFmpegEncoder:
    """An open codec of FFmpeg's that gives one access unit for each picture."""

    def __init__(
        self,
        name: str,
        context: VideoCodecContext,
        settings: EncoderSettings,
        converted: Callable[[av.VideoFrame], av.VideoFrame] = lambda picture: picture,
    ) -> None:
        """``converted`` gives the yuv420p picture in the codec's own format."""
        self.name = name
        self._context = context
        self._settings = settings
        self._converted = converted
        self._frames = 0

    @property
    def bitrate(self) -> int:
        return self._context.bit_rate or 0

    @bitrate.setter
    def bitrate(self, bits_per_second: int) -> None:
        self._context.bit_rate = min(bits_per_second, self._settings.ceiling_bps)

    def encode(self, picture: av.VideoFrame, *, key_frame: bool) -> bytes:
        picture = self._converted(picture)
        # Only has to rise evenly, for the rate control: RTP carries the real time stamp.
        picture.pts = round(self._frames / self._settings.hz / CLOCK)
        picture.time_base = CLOCK
        # Reset on every other frame: an I that stays set makes each frame a key frame.
        is_key = key_frame or self._frames == 0
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        self._frames += 1
        return b"".join(bytes(packet) for packet in self._context.encode(picture))


def open_x264(settings: EncoderSettings) -> Encoder:
    """libx264, tuned so that each frame fits one frame interval of the link.

    The rate can be changed live only because x264 is opened as CBR (maxrate = bit_rate), and only
    downwards from there. A ``bufsize`` of 1 kbit is on purpose: x264 raises it to exactly one frame
    *of the current rate* at each change, so that every frame, IDR included, stays within one frame
    interval's bits. (streaming.md, 3.2, has the measurements.)
    """
    context = configured("libx264", settings)
    context.profile = "Baseline"
    # Sliced: no frame of delay. A small picture takes a fifth less time in all on one thread.
    is_small = settings.width * settings.height < SMALL_PX
    context.thread_count = 1 if is_small or (os.cpu_count() or 1) < CORES else 2
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
    _let_introduce_itself(context, settings)
    return FFmpegEncoder("x264 superfast", context, settings)


def _let_introduce_itself(context: VideoCodecContext, settings: EncoderSettings) -> None:
    """x264's first frame carries 680 bytes about x264, which the rate control takes from the
    picture: at 2 Mbit/s and 250 frames a second only grey is left. So a blank one goes first, for
    nobody to see.
    """
    blank = av.VideoFrame(settings.width, settings.height, "yuv420p")
    for plane in blank.planes:
        plane.update(bytes(plane.buffer_size))
    blank.pts, blank.time_base = -round(1 / settings.hz / CLOCK), CLOCK
    context.encode(blank)


def check_encoder(name: EncoderName) -> None:
    """Whether that encoder works here, at the size of a small stream.

    Raises:
        RuntimeError: as of :func:`open_encoder`.
    """
    open_encoder(EncoderSettings(512, 256, 60.0, 4_000_000), name)


def open_encoder(settings: EncoderSettings, name: EncoderName = "auto") -> Encoder:
    """The encoder of that name; "auto" takes the first chip whose trial went well, else x264.

    Raises:
        RuntimeError: a chip's encoder by name where it does not work; one sentence, the way out.
    """
    from sharp_xr.stream.hardware import open_hardware

    match name:
        case "x264":
            return open_x264(settings)
        case "auto":
            return _first_that_works(settings)
        case _:
            reason = why_not(name, settings)
            if reason is not None:
                raise RuntimeError(
                    f"{name.upper()} does not work here: {reason}; choose x264, which always does"
                )
            return open_hardware(name, settings)


@functools.lru_cache(maxsize=64)
def why_not(name: HardwareName, settings: EncoderSettings) -> str | None:
    """None if that encoder is fit for a stream, else what is wrong. Each is tried once."""
    from sharp_xr.stream.hardware import open_hardware
    from sharp_xr.stream.trial import what_is_wrong

    return what_is_wrong(functools.partial(open_hardware, name), settings)


def _first_that_works(settings: EncoderSettings) -> Encoder:
    from sharp_xr.stream.hardware import open_hardware

    for name in get_args(HardwareName):
        if why_not(name, settings) is not None:
            continue
        try:
            return open_hardware(name, settings)
        except av.FFmpegError as error:  # some drivers open only so many at a time
            log.warning("%s does not open any more (%s): encoding with x264", name, error.strerror)
    return open_x264(settings)


def configured(codec: str, settings: EncoderSettings, pixels: str = "yuv420p") -> VideoCodecContext:
    """A codec of FFmpeg's with what all encoders have in common; not open yet.

    Raises:
        ValueError: this FFmpeg has no such codec.
    """
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = settings.width, settings.height
    context.pix_fmt = pixels
    context.time_base = CLOCK
    context.framerate = Fraction(settings.hz).limit_denominator(1000)
    context.bit_rate = settings.ceiling_bps
    context.color_range = ColorRange.MPEG
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709 in H.273
    return context
