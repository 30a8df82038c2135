"""The decoding thread: encoded frames in, the newest picture out.

A decoder needs every frame, so encoded frames wait their turn; pictures do not: whoever shows them
takes the newest (:class:`Newest`). A backlog means that decoding is slower than the stream: it is
dropped instead of growing, and the stream goes on at the next key frame.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic, TypeVar

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from sharp_xr_client.jitter import AccessUnit
from sharp_xr_protocol.frame_key import key_of_unit
from sharp_xr_protocol.messages import CLOCK_HZ

LARGE_PX = 1 << 21
"""2048 x 1024 takes one thread 3 ms; larger pictures get two. Smaller ones gain nothing by a second
thread, and where others want the processors it is waited for: README of ``stream``."""
MAX_BACKLOG = 32
"""Encoded frames that may wait: more than a repaired hole lets through at once."""

T = TypeVar("T")


class Newest(Generic[T]):
    """A slot between two threads: the newest item replaces what nobody took."""

    def __init__(self) -> None:
        self._items: deque[T] = deque(maxlen=1)

    def put(self, item: T) -> None:
        self._items.append(item)

    def take(self) -> T | None:
        """The newest item that was not taken yet; None if there is none."""
        try:
            return self._items.pop()
        except IndexError:
            return None


@dataclass(frozen=True)
class DecodedFrame:
    """A picture and where it came from."""

    key: int
    """RTP timestamp = key of the pose that it was drawn for."""
    picture: VideoFrame
    unit: AccessUnit
    """What it was decoded from."""
    decoded_ns: int
    """``time.monotonic_ns()`` when the picture was there."""
    sei_key: int | None
    """The key by the second carrier; None if the frame has none."""


class Decoder:
    """Decodes H.264 in a thread of its own.

    Args:
        on_frame: called on that thread with each picture, in order.
    """

    def __init__(self, on_frame: Callable[[DecodedFrame], None]) -> None:
        self._on_frame = on_frame
        self._backlog: deque[AccessUnit | None] = deque()
        self._filled = threading.Condition()
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="video-decoder", daemon=True)
        self._thread.start()

    def push(self, unit: AccessUnit) -> bool:
        """Decode this frame after those before it; False: it was dropped, with all that waited."""
        with self._filled:
            if len(self._backlog) >= MAX_BACKLOG:
                self._backlog.clear()
                return False
            self._backlog.append(unit)
            self._filled.notify()
        return True

    def failed(self) -> bool:
        """Whether a frame could not be decoded since the last call."""
        failed = self._failed.is_set()
        self._failed.clear()
        return failed

    def close(self) -> None:
        """End the thread after the frame that it is at."""
        with self._filled:
            self._backlog.clear()
            self._backlog.append(None)
            self._filled.notify()
        self._thread.join()

    def _run(self) -> None:
        codec = _codec()
        intact = False
        while (unit := self._pop()) is not None:
            # After a failure pictures would show what is left of older ones.
            if not (intact or unit.keyframe):
                continue
            intact = self._decode(codec, unit)
            if intact and unit.keyframe:
                codec = _codec_for(unit, codec)
            if not intact:
                self._failed.set()

    def _pop(self) -> AccessUnit | None:
        with self._filled:
            while not self._backlog:
                self._filled.wait()
            return self._backlog.popleft()

    def _decode(self, codec: VideoCodecContext, unit: AccessUnit) -> bool:
        """Whether the frame became one sound picture."""
        try:
            pictures = codec.decode(_packet(unit))
        except av.FFmpegError:
            return False
        for picture in pictures:
            if picture.is_corrupt or picture.pts is None:
                return False
            now_ns = time.monotonic_ns()
            # Not by the picture's side_data: PyAV ties the two into a cycle there, so that pixels
            # would stay until the garbage collector comes by.
            sei_key = key_of_unit(unit.data)
            self._on_frame(DecodedFrame(picture.pts, picture, unit, now_ns, sei_key))
        return bool(pictures)


def _codec_for(unit: AccessUnit, codec: VideoCodecContext) -> VideoCodecContext:
    """That codec, which has decoded this key frame; or, where it turns out to be a large one, a
    codec of two threads that has decoded it too."""
    if codec.width * codec.height <= LARGE_PX or codec.thread_count > 1:
        return codec
    larger = _codec(2)
    larger.decode(_packet(unit))
    return larger


def _packet(unit: AccessUnit) -> av.Packet[Any]:
    packet = av.Packet(unit.data)
    packet.pts, packet.time_base = unit.key, Fraction(1, CLOCK_HZ)
    return packet


def _codec(threads: int = 1) -> VideoCodecContext:
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, VideoCodecContext)
    # Frame threads would hold back a frame each; slices wait for nobody.
    codec.thread_type = "SLICE"
    codec.thread_count = threads
    codec.flags |= Flags.low_delay
    return codec
