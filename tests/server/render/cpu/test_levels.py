"""A frame takes no longer than asked, and the picture does not flicker."""

from __future__ import annotations

from collections.abc import Callable

from tests.server.render.photo_scene import photo_scene, stereo_views

from sharp_xr.render import RenderSettings
from sharp_xr.render.cpu.levels import EARLY_FRAMES, LATE_FRAMES, LevelChooser
from sharp_xr.render.cpu.renderer import CpuRenderer

COUNTS = [1000, 500, 250]


def levels(chooser: LevelChooser, frames: int, ms_of: Callable[[int], float]) -> list[int]:
    """The level of each frame, at a budget of 20 ms."""
    drawn = []
    for _ in range(frames):
        drawn.append(chooser.level)
        chooser.took(ms_of(chooser.level), 20.0)
    return drawn


def test_a_scene_that_is_fast_enough_stays_as_fine_as_it_is() -> None:
    assert set(levels(LevelChooser(COUNTS), 200, lambda level: 19.0)) == {0}


def test_the_finest_level_that_fits_is_found_at_once_and_kept() -> None:
    ms = [35.0, 24.0, 17.0]
    drawn = levels(LevelChooser(COUNTS), 300, lambda level: ms[level])
    assert drawn[LATE_FRAMES] == 2
    assert set(drawn[LATE_FRAMES:]) == {2}


def test_one_slow_frame_changes_nothing() -> None:
    chooser = LevelChooser(COUNTS)
    levels(chooser, 10, lambda level: 15.0)
    levels(chooser, 1, lambda level: 30.0)
    assert set(levels(chooser, 50, lambda level: 15.0)) == {0}


def test_when_the_load_is_gone_the_picture_is_fine_again_a_step_at_a_time() -> None:
    chooser = LevelChooser(COUNTS)
    levels(chooser, 50, lambda level: [100.0, 60.0, 40.0][level])
    drawn = levels(chooser, 4 * EARLY_FRAMES, lambda level: [10.0, 6.0, 4.0][level])
    assert drawn[0] == 2
    assert drawn[-1] == 0
    assert sum(a != b for a, b in zip(drawn, drawn[1:], strict=False)) == 2


def test_at_the_edge_of_the_budget_the_level_does_not_flicker() -> None:
    # The finer level takes 21 of 20 ms, the coarser one 13: by what was guessed it would just fit.
    drawn = levels(LevelChooser(COUNTS), 3000, lambda level: [21.0, 13.0, 9.0][level])
    assert sum(a != b for a, b in zip(drawn, drawn[1:], strict=False)) <= 2


def test_the_renderer_draws_the_level_that_fits(cpu: CpuRenderer) -> None:
    scene = cpu.prepare(photo_scene(192))
    assert [len(level) for level in scene.levels] == sorted(
        (len(level) for level in scene.levels), reverse=True
    )
    views = stereo_views(64)
    full = cpu.render(scene, views).rgb.copy()
    hurried = RenderSettings(budget_ms=1e-6)
    for _ in range(2 * LATE_FRAMES):
        frame = cpu.render(scene, views, hurried)
    coarsest = cpu.render(scene.levels[-1], views).rgb
    assert (frame.rgb == coarsest).all()
    assert (cpu.render(scene, views).rgb == full).all()
