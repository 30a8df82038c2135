"""Viewers of one scene on one render thread: one who does not read takes nothing from another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.server.stream.test_stream import Bench, streaming

from sharp_xr.stream.turns import Turns

pytestmark = pytest.mark.usefixtures("loopback")

FRAMES = 120


def gets_stuck(bench: Bench) -> None:
    """Nothing leaves any more: each frame waits forever."""
    peer: Any = bench.stream._peer

    async def push(*args: Any, **options: Any) -> bool:
        await asyncio.Event().wait()
        return False

    peer.sender.push = push


def falls_silent(bench: Bench) -> None:
    """What arrives is dropped, so nothing is ever acknowledged; poses go on."""
    bench.receiver.lose_everything()


@pytest.mark.parametrize("stops_reading", [gets_stuck, falls_silent])
def test_a_viewer_who_does_not_read_slows_nobody(
    render_thread: ThreadPoolExecutor, stops_reading: Callable[[Bench], None]
) -> None:
    async def run() -> None:
        turns = Turns()
        good, bad = (Bench(render_thread, turns=turns) for _ in range(2))
        async with streaming(good), streaming(bad), asyncio.timeout(60):
            for bench in (good, bad):
                await bench.receive_until(lambda frame, b=bench: len(b.received) == 10)  # type: ignore[misc]
            stops_reading(bad)
            drawn_before, drawn = len(good.renderer.drawn), len(bad.renderer.drawn)
            await good.receive_until(lambda frame: len(good.received) == 10 + FRAMES)
            poses = [frame.painted for frame in good.received]
            assert poses == sorted(set(poses))
            # The good one's frames are the poses that it drew, but for a few that were replaced.
            assert len(good.renderer.drawn) - drawn_before < 1.5 * FRAMES
            # Nothing piles up for the bad one: what is drawn for it stops, or is replaced.
            assert not bad.problems and not good.problems
            stats = bad.stream.stats()
            assert len(bad.renderer.drawn) - drawn - stats.dropped_pictures < FRAMES / 2

    asyncio.run(run())
