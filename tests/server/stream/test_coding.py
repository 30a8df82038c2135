"""The encoder that follows the size of pictures."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import av
import numpy as np
import pytest

from sharp_xr.stream.coding import FRESH, THIN_BPP, Coded, Coder
from sharp_xr_protocol.frame_key import key_of_message

HZ, RATE = 60.0, 1_000_000
LARGE, SMALL = (512, 384), (384, 288)
CHANCE = np.random.default_rng(5)
GRAIN = np.kron(CHANCE.integers(60, 200, (48, 64, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
"""Whatever bits it gets, more would make it better."""


def picture(size: tuple[int, int], shift: int = 0) -> av.VideoFrame:
    grain = np.roll(GRAIN, shift, 1)[: size[1], : size[0]]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grain), format="rgb24")
    return frame.reformat(format="yuv420p")


def with_coder(test: Callable[[Coder], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        coder = Coder(HZ, "x264")
        try:
            await test(coder)
        finally:
            coder.close()

    asyncio.run(run())


async def coded(coder: Coder, size: tuple[int, int], key: int, *, key_frame: bool) -> Coded:
    return await coder.encode(picture(size, 4 * key), key, RATE, key_frame=key_frame)


def decoded(units: list[Coded]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    return [frame for unit in units for frame in decoder.decode(av.Packet(unit.access_unit))]


def test_each_picture_comes_out_at_once_in_its_size_with_its_key() -> None:
    sizes = [LARGE, LARGE, SMALL, SMALL, LARGE]

    async def test(coder: Coder) -> None:
        assert coder.name == ""
        units = []
        for key, size in enumerate(sizes):
            key_frame = key == 0 or size != sizes[key - 1]
            units.append(await coded(coder, size, key, key_frame=key_frame))
        assert coder.name.startswith("x264")
        frames = decoded(units)
        assert [(frame.width, frame.height) for frame in frames] == sizes
        assert [frame.key_frame for frame in frames] == [True, False, True, False, True]
        for key, frame in enumerate(frames):
            side_data: Any = frame.side_data
            assert key in [key_of_message(bytes(data)) for data in side_data]

    with_coder(test)


def test_the_first_picture_of_another_size_gets_more_bits_and_the_next_one_does_not() -> None:
    async def test(coder: Coder) -> None:
        await coded(coder, LARGE, 0, key_frame=True)
        plain = await coded(coder, LARGE, 1, key_frame=True)
        fresh = await coded(coder, SMALL, 2, key_frame=True)
        after = await coded(coder, SMALL, 3, key_frame=True)
        share = RATE / HZ / 8
        assert max(len(plain.access_unit), len(after.access_unit)) < 1.3 * share
        assert 2 * share < len(fresh.access_unit) < 1.3 * FRESH * share

    with_coder(test)


def test_at_a_thin_rate_every_key_frame_gets_the_bits_of_a_picture_and_no_other_frame() -> None:
    thin_bps = round(0.5 * THIN_BPP * LARGE[0] * LARGE[1] * HZ)
    share, keys = thin_bps / HZ / 8, (0, 4, 8)

    async def test(coder: Coder) -> None:
        units = []
        for key in range(10):
            shown = picture(LARGE, 4 * key)
            units.append(await coder.encode(shown, key, thin_bps, key_frame=key in keys))
        assert [frame.key_frame for frame in decoded(units)] == [n in keys for n in range(10)]
        sizes = [len(unit.access_unit) for unit in units]
        assert all(2 * share < sizes[key] < 1.5 * FRESH * share for key in keys[1:])
        others = [size for key, size in enumerate(sizes) if key not in keys]
        assert sum(others) / len(others) < 1.5 * share

    with_coder(test)


def test_after_a_failure_another_encoder_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(coder: Coder) -> None:
        await coded(coder, LARGE, 0, key_frame=True)
        with monkeypatch.context() as broken:
            broken.setattr("sharp_xr.stream.encoder.FFmpegEncoder.encode", lambda *a, **k: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await coded(coder, LARGE, 1, key_frame=False)
        (frame,) = decoded([await coded(coder, LARGE, 2, key_frame=True)])
        assert frame.key_frame

    with_coder(test)
