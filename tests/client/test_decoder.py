"""The decoding thread."""

import gc
import queue

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from sharp_xr.stream.encoder import Encoder, EncoderSettings, open_x264
from sharp_xr_client import decoder
from sharp_xr_client.decoder import (
    MAX_BACKLOG,
    DecodedFrame,
    Decoder,
    Newest,
)
from sharp_xr_client.jitter import AccessUnit
from sharp_xr_protocol.frame_key import key_unit


class Film:
    """An encoder that makes one frame after the other."""

    def __init__(self) -> None:
        self._encoder: Encoder = open_x264(EncoderSettings(128, 64, 60.0, 2_000_000))
        self._key = 0

    def unit(self, *, keyframe: bool = False, sei: bool = False) -> AccessUnit:
        self._key += 1500
        grey = np.full((64, 128, 3), self._key // 100 % 256, np.uint8)
        picture = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
        data = self._encoder.encode(picture, key_frame=keyframe)
        return AccessUnit(self._key, (key_unit(self._key) if sei else b"") + data, keyframe, 0.0)


@pytest.fixture
def film() -> Film:
    return Film()


def frames_of(units: list[AccessUnit], expected: int) -> tuple[list[DecodedFrame], bool]:
    """What a decoder makes of them, and whether it failed in between."""
    frames: queue.Queue[DecodedFrame] = queue.Queue()
    thread = Decoder(frames.put)
    for unit in units:
        thread.push(unit)
    got = [frames.get(timeout=10) for _ in range(expected)]
    failed = thread.failed()
    thread.close()
    assert frames.empty()
    return got, failed


def test_each_frame_comes_out_at_once_with_its_key(film: Film) -> None:
    units = [film.unit(keyframe=number == 0) for number in range(5)]
    frames, failed = frames_of(units, 5)
    assert [frame.key for frame in frames] == [unit.key for unit in units]
    assert [frame.unit for frame in frames] == units
    assert [frame.picture.pts for frame in frames] == [unit.key for unit in units]
    assert not failed


def test_of_a_large_picture_too_each_frame_comes_once(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It turns out to be large at the first key frame; the next ones change nothing."""
    threads: list[int] = []
    made = decoder._codec

    def codec(threads_wanted: int = 1) -> VideoCodecContext:
        threads.append(threads_wanted)
        return made(threads_wanted)

    monkeypatch.setattr(decoder, "LARGE_PX", 128 * 64 - 1)
    monkeypatch.setattr(decoder, "_codec", codec)
    units = [film.unit(keyframe=number in (0, 3)) for number in range(6)]
    frames, failed = frames_of(units, 6)
    assert [frame.key for frame in frames] == [unit.key for unit in units]
    assert threads == [1, 2] and not failed


def test_the_key_is_read_from_the_sei_as_well(film: Film) -> None:
    units = [film.unit(keyframe=True, sei=True), film.unit(sei=True), film.unit()]
    frames, _ = frames_of(units, 3)
    assert [frame.sei_key for frame in frames] == [units[0].key, units[1].key, None]


def test_a_picture_goes_when_nobody_has_it_any_more(film: Film) -> None:
    def alive(key: int) -> int:
        # type(), not isinstance(): a deprecated thing of a library answers that with a warning
        pictures = (thing for thing in gc.get_objects() if type(thing) is av.VideoFrame)
        return sum(picture.pts == key for picture in pictures)

    gc.disable()
    try:
        frames, _ = frames_of([film.unit(keyframe=True, sei=True)], 1)
        key = frames[0].key
        assert alive(key) == 1
        frames.clear()
        assert alive(key) == 0, "a cycle keeps its pixels"
    finally:
        gc.enable()


def test_after_a_broken_frame_nothing_is_shown_before_the_next_key_frame(film: Film) -> None:
    units = [film.unit(keyframe=number in (0, 5)) for number in range(7)]
    units[2] = AccessUnit(units[2].key, b"\0\0\0\1\x61garbage", False, 0.0)
    frames, failed = frames_of(units, 4)
    assert [frame.key for frame in frames] == [units[i].key for i in (0, 1, 5, 6)]
    assert failed


def test_a_backlog_is_dropped_rather_than_shown_late(film: Film) -> None:
    frames: queue.Queue[DecodedFrame] = queue.Queue()
    holding = queue.Queue[None]()

    def hold(frame: DecodedFrame) -> None:
        frames.put(frame)
        holding.get(timeout=10)

    decoder = Decoder(hold)
    assert decoder.push(film.unit(keyframe=True))
    frames.get(timeout=10)  # the thread is at work, and stays there
    assert all(decoder.push(film.unit()) for _ in range(MAX_BACKLOG))
    assert not decoder.push(film.unit())
    holding.put(None)
    decoder.close()
    assert frames.empty()


def test_the_slot_keeps_the_newest_and_gives_it_once() -> None:
    slot: Newest[int] = Newest()
    assert slot.take() is None
    slot.put(1)
    slot.put(2)
    assert slot.take() == 2
    assert slot.take() is None
