"""Runs over each encoder that passes its trial on this machine; x264 always does."""

import functools
import os
from collections.abc import Callable, Iterator

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from sharp_xr.stream import encoder as encoders
from sharp_xr.stream import hardware
from sharp_xr.stream.colour import new_picture, planes, write_picture
from sharp_xr.stream.encoder import (
    Encoder,
    EncoderSettings,
    HardwareName,
    open_encoder,
    open_x264,
    why_not,
)
from sharp_xr.stream.units import nal_types

WIDTH, HEIGHT, HZ = 512, 256, 60.0
SETTINGS = EncoderSettings(WIDTH, HEIGHT, HZ, ceiling_bps=16_000_000)
WRONG = {name: why_not(name, SETTINGS) for name in hardware.HARDWARE}
Opener = Callable[[EncoderSettings], Encoder]
OPENERS: dict[str, Opener] = {"x264": open_x264}
for _name, _reason in WRONG.items():
    if _reason is None:
        OPENERS[_name] = functools.partial(hardware.open_hardware, _name)
each_encoder = pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)


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
def test_the_first_frame_is_as_good_as_a_later_key_frame(opener: Opener) -> None:
    """Small and often, where a frame has little room for anything but the picture."""
    encoder = opener(EncoderSettings(256, 96, 250.0, ceiling_bps=2_000_000))
    picture = new_picture(256, 96)
    y, u, v = planes(picture)
    y[:], u[:], v[:] = 80, 128, 128
    y[:32, :128] = 16 + 219 * np.kron(np.indices((2, 8)).sum(0) % 2, np.ones((16, 16)))
    frames = decode([encoder.encode(picture, key_frame=n == 11) for n in range(12)])
    first, later = (np.abs(luma(frames[n]) - luma(picture)).mean() for n in (0, 11))
    assert first < later + 3  # codes of 219


@pytest.mark.parametrize(("cores", "slices"), [(1, 1), (2, 1), (4, 2)])
def test_x264_takes_a_second_thread_where_there_is_a_processor_for_it(
    cores: int, slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    unit = open_x264(SETTINGS).encode(moving_picture(0), key_frame=True)
    assert nal_types(unit).count(5) == slices


@each_encoder
def test_the_most_that_is_ever_sent_can_be_filled(opener: Opener) -> None:
    """50 Mbit/s at 90 Hz, as for two large eyes; here small ones with much grain."""
    encoder = opener(EncoderSettings(WIDTH, HEIGHT, 90.0, ceiling_bps=50_000_000))
    encoder.bitrate = 50_000_000
    sizes = [len(encoder.encode(moving_picture(n), key_frame=n == 0)) for n in range(20)]
    assert 0.75 * 50e6 < 8 * 90 * float(np.mean(sizes[2:])) < 1.1 * 50e6


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


@pytest.mark.parametrize("name", hardware.HARDWARE)
def test_a_chip_s_encoder_is_among_those_above(name: HardwareName) -> None:
    if WRONG[name] is not None:
        pytest.skip(f"no {name}: {WRONG[name]}")
    assert name in OPENERS


# --- which one -----------------------------------------------------------------------------------


def chips(monkeypatch: pytest.MonkeyPatch, openers: dict[HardwareName, Opener]) -> None:
    """A machine with these encoders, and without the others."""

    def opened(name: HardwareName, settings: EncoderSettings) -> Encoder:
        if name not in openers:
            raise ValueError("there is no such chip")
        return openers[name](settings)

    monkeypatch.setattr(hardware, "open_hardware", opened)
    encoders.why_not.cache_clear()


@pytest.fixture(autouse=True)
def _forget_chips() -> Iterator[None]:
    yield
    encoders.why_not.cache_clear()


class Chip:
    """x264 under another name; it may be broken, and may open only so often."""

    def __init__(self, name: str, *, broken: bool = False, opens: int = 99) -> None:
        self.name, self.opens, self._broken = name, opens, broken
        self.bitrate = 0

    def __call__(self, settings: EncoderSettings) -> Encoder:
        if self.opens == 0:
            raise av.FFmpegError(12, "Cannot allocate memory")
        self.opens -= 1
        self._encoder = open_x264(settings)
        return self

    def encode(self, picture: av.VideoFrame, *, key_frame: bool) -> bytes:
        return b"" if self._broken else self._encoder.encode(picture, key_frame=key_frame)


def test_auto_takes_the_first_chip_that_passes_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    good, broken = Chip("a good one"), Chip("a broken one", broken=True)
    chips(monkeypatch, {"nvenc": broken, "qsv": good})
    assert open_encoder(SETTINGS).name == "a good one"
    assert broken.opens == 98  # tried, and not opened for good


def test_each_chip_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    good, broken = Chip("a good one"), Chip("a broken one", broken=True)
    chips(monkeypatch, {"nvenc": broken, "amf": good})
    for _ in range(3):
        open_encoder(SETTINGS)
    assert (broken.opens, good.opens) == (98, 99 - 1 - 3)


def test_auto_goes_on_with_x264_where_no_chip_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    chips(monkeypatch, {"amf": Chip("a broken one", broken=True)})
    assert open_encoder(SETTINGS).name.startswith("x264")


def test_auto_goes_on_with_x264_where_a_chip_opens_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    chips(monkeypatch, {"nvenc": Chip("a full one", opens=2)})
    names = [open_encoder(SETTINGS).name for _ in range(2)]
    assert names[0] == "a full one" and names[1].startswith("x264")
    assert "nvenc does not open any more" in caplog.text


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        (None, "QSV does not work here: FFmpeg says there is no such chip; choose x264"),
        (Chip("a broken one", broken=True), "QSV does not work here: it holds frames back; choose"),
    ],
)
def test_a_chip_by_name_that_does_not_work_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, chip: Chip | None, words: str
) -> None:
    chips(monkeypatch, {"qsv": chip} if chip else {})
    with pytest.raises(RuntimeError, match=words):
        open_encoder(SETTINGS, "qsv")
