"""The encoder of one stream, in a thread of its own, opened anew where pictures change their size.

Opening x264 takes 2 to 3 ms, so no frame is left out for it. But its first picture knows none
before it, and in the bits of one frame would be a blur in mid-stream: it gets :data:`FRESH` times
as many, as if two frames were late.

At thin rates each key frame is made so, by an encoder of its own: an open one spends no more on one
frame than its rate, however that is raised, and would make it grey.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import av

from sharp_xr.stream.encoder import Encoder, EncoderName, EncoderSettings, open_encoder
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr_protocol.frame_key import key_unit

FRESH = 3
"""At 2 Mbit/s and 2 x 384 x 384 that is 26 dB instead of 20, and five frames less until 30."""

THIN_BPP = 0.03
"""Bits per pixel: 1 Mbit/s of 1024 x 512 at 60 Hz. In half of that a key frame has 21 dB instead of
14, and the twelve frames after it five more each."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Coded:
    """An access unit, and what it took."""

    access_unit: bytes
    encode_ms: float


class Coder:
    """Used from the event loop, one picture at a time."""

    def __init__(
        self, hz: float, name: EncoderName = "auto", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``hz``: pictures per second at most; the bit rate is meant for so many."""
        self._hz, self._name, self._clock = hz, name, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._encoder: Encoder | None = None
        self._settings: EncoderSettings | None = None  # that it was opened with

    @property
    def name(self) -> str:
        """Of the encoder, for a person; empty before the first picture."""
        return self._encoder.name if self._encoder else ""

    async def encode(
        self, picture: av.VideoFrame, key: int, bits_per_second: int, *, key_frame: bool
    ) -> Coded:
        """A picture of another size than the one before it must be a key frame.

        Raises:
            Exception: whatever the encoder failed with; the next picture, which must be a key
                frame, opens another one.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._thread, self._encode, picture, key, bits_per_second, key_frame
            )
        except Exception:
            self._encoder = None
            raise

    def close(self) -> None:
        """End the thread after the picture that it is at."""
        self._thread.shutdown(wait=False)

    def _encode(
        self, picture: av.VideoFrame, key: int, bits_per_second: int, key_frame: bool
    ) -> Coded:
        """In the encoder's thread."""
        began_s, former = self._clock(), self._encoder
        pixels_per_second = picture.width * picture.height * self._hz
        if key_frame and bits_per_second < THIN_BPP * pixels_per_second:
            self._encoder = None
        encoder, settings = self._opened_for(picture)
        if former is not None and encoder is not former:
            bits_per_second *= FRESH
        bitrate = min(bits_per_second, settings.ceiling_bps)
        if encoder.bitrate != bitrate:
            encoder.bitrate = bitrate
        unit = key_unit(key) + encoder.encode(picture, key_frame=key_frame)
        return Coded(unit, 1e3 * (self._clock() - began_s))

    def _opened_for(self, picture: av.VideoFrame) -> tuple[Encoder, EncoderSettings]:
        size = picture.width, picture.height
        settings = EncoderSettings(*size, self._hz, settings_for(*size, self._hz).ceiling_bps)
        if self._encoder is None or self._settings != settings:
            self._encoder = open_encoder(settings, self._name)
            if self._settings != settings:
                log.info("encoding %d x %d with %s", *size, self._encoder.name)
            self._settings = settings
        return self._encoder, self._settings
