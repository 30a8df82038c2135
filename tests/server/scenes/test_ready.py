"""Which scenes stay in memory."""

from __future__ import annotations

from tests.server.straw import StrawScene, some_gaussians

from sharp_xr.scenes.ready import BYTES_PER_GAUSSIAN, ReadyScenes
from sharp_xr.stream.loop import ShownScene


def scene(name: str, gaussians: int) -> ShownScene:
    return ShownScene(name, StrawScene(some_gaussians(gaussians)))


def test_a_scene_larger_than_the_memory_stays_alone() -> None:
    ready = ReadyScenes(5 * BYTES_PER_GAUSSIAN)
    small, large = scene("small", 5), scene("large", 6)
    ready.keep(small)
    assert ready.get("small") is small
    ready.keep(large)
    assert ready.get("large") is large
    assert ready.get("small") is None


def test_what_was_looked_at_again_outlives_what_was_not() -> None:
    ready = ReadyScenes(4 * BYTES_PER_GAUSSIAN)
    first, second = scene("first", 2), scene("second", 2)
    for shown in (first, second, first, scene("third", 2)):
        ready.keep(shown)
    assert ready.get("first") is first
    assert ready.get("second") is None
