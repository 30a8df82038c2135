"""The renderer for machines without a GPU: jobs, threads and buffers around the kernels."""

from __future__ import annotations

import dataclasses
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import Frame, RenderSettings, View, check_views, finite_gaussians, tiny_scene
from sharp_xr.render.cpu import detail
from sharp_xr.render.cpu.binning import ROOM, Bins
from sharp_xr.render.cpu.compilation import has_wide_vectors
from sharp_xr.render.cpu.detail import ROUNDS, Thinner
from sharp_xr.render.cpu.drawing import draw_tiles
from sharp_xr.render.cpu.levels import LevelChooser, Levels, Made
from sharp_xr.render.cpu.projection import Lens, camera_row, lens_of
from sharp_xr.render.cpu.scene import CpuScene, arrange
from sharp_xr.render.cpu.scratch import Scratch, new_scratch
from sharp_xr.render.cpu.threads import Crew, usable_processors

LEVELS = ((0.5, 14), (0.25, ROUNDS))
"""Shares of a scene's Gaussians that its levels of detail have, and rounds of fitting them."""
LEVELS_FROM = 50_000
"""Gaussians; a scene of fewer is fast enough."""
WORTH_IT = 0.9
"""Share of the next finer level's Gaussians that a level has at most."""


class Canvas:
    """The pictures and bins of one calling thread."""

    def __init__(self, views: int, width: int, height: int) -> None:
        self.frame = Frame(
            rgb=np.empty((views, 3, height, width), np.float32),
            depth=np.empty((views, height, width), np.float32),
            alpha=np.empty((views, height, width), np.float32),
        )
        self.bins = [Bins() for _ in range(views)]


class CpuRenderer:
    """Any number of threads may call it; each call spreads over the renderer's own threads."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or usable_processors()
        self._crew = Crew(self._threads)
        self._scratches: deque[Scratch] = deque(maxlen=2 * self._threads)
        self._own = threading.local()

    @property
    def name(self) -> str:
        """See :class:`sharp_xr.render.Renderer`."""
        vectors = "AVX-512" if has_wide_vectors() else "portable"
        return f"cpu ({vectors}, {self._threads} thread{'s' if self._threads > 1 else ''})"

    def warm_up(self) -> None:
        """Compile, or read what was compiled: by drawing two Gaussians, and merging a few."""
        detail.warm_up()
        gaussians, view = tiny_scene()
        self.render(self.prepare(gaussians), [view, view])

    def prepare(self, gaussians: Gaussians) -> CpuScene:
        """See :class:`sharp_xr.render.Renderer`."""
        finite = finite_gaussians(gaussians)
        scene = arrange(finite)
        if len(finite) < LEVELS_FROM:
            return scene
        return dataclasses.replace(scene, levels=Levels(lambda: levels_of(finite)))

    def render(
        self, scene: object, views: Sequence[View], settings: RenderSettings = RenderSettings()
    ) -> Frame:
        """See :class:`sharp_xr.render.Renderer`."""
        if not isinstance(scene, CpuScene):
            raise ValueError("the cpu renderer got a scene that another renderer prepared")
        width, height = check_views(views)
        if settings.budget_ms is not None:
            return self._render_in_time(scene, views, settings, settings.budget_ms)
        canvas = self._canvas(len(views), width, height)
        lens = lens_of(width, height, settings)
        cameras = np.stack([camera_row(view) for view in views])
        self._bin(scene, cameras, lens, canvas)
        self._draw(scene, cameras, lens, canvas)
        return canvas.frame

    def _render_in_time(
        self, scene: CpuScene, views: Sequence[View], settings: RenderSettings, budget_ms: float
    ) -> Frame:
        """The level that the last frames of this scene in this thread say will fit."""
        choosers = self._own.__dict__.setdefault("choosers", weakref.WeakKeyDictionary())
        levels = (scene, *scene.levels.made)
        chooser = choosers.get(scene)
        if chooser is None or chooser.count < len(levels):
            chooser = choosers[scene] = LevelChooser([len(level) for level in levels])
        drawn = levels[chooser.level]
        began_s = time.perf_counter()
        frame = self.render(drawn, views, dataclasses.replace(settings, budget_ms=None))
        chooser.took(1e3 * (time.perf_counter() - began_s), budget_ms)
        if chooser.is_late:
            scene.levels.start()
        return dataclasses.replace(frame, gaussians=len(drawn))

    def _canvas(self, views: int, width: int, height: int) -> Canvas:
        wanted = (views, height, width)
        canvas: Canvas | None = getattr(self._own, "canvas", None)
        if canvas is None or canvas.frame.depth.shape != wanted:
            canvas = self._own.canvas = Canvas(views, width, height)
        return canvas

    def _bin(self, scene: CpuScene, cameras: Float32, lens: Lens, canvas: Canvas) -> None:
        jobs = deque(zip(canvas.bins, cameras, strict=True))

        def work() -> None:
            while True:
                try:
                    bins, camera = jobs.popleft()
                except IndexError:
                    return
                bins.fill(scene, camera, lens)

        self._crew.spread(work)

    def _draw(self, scene: CpuScene, cameras: Float32, lens: Lens, canvas: Canvas) -> None:
        members = tuple(bins.members for bins in canvas.bins)
        offsets = tuple(bins.offsets for bins in canvas.bins)
        most = max(bins.most_splats() for bins in canvas.bins)
        counter: NDArray[np.int64] = np.zeros(1, np.int64)
        frame = canvas.frame

        def work() -> None:
            scratch = self._take_scratch(most)
            draw_tiles(
                counter,
                scene.rows,
                scene.reaches,
                cameras,
                lens,
                members,
                offsets,
                scratch,
                frame.rgb,
                frame.depth,
                frame.alpha,
            )
            self._scratches.append(scratch)

        self._crew.spread(work)

    def _take_scratch(self, splats: int) -> Scratch:
        try:
            scratch = self._scratches.pop()
        except IndexError:
            return new_scratch(int(splats * ROOM))
        return scratch if len(scratch.boxes) >= splats else new_scratch(int(splats * ROOM))


def levels_of(whole: Gaussians) -> Iterator[Made]:
    """Merged ones, then the same fitted, by this thread alone: others have frames to draw."""
    thinner, levels = Thinner(whole, threads=1), [(whole, 0)]
    for share, rounds in LEVELS:
        level = thinner.to(int(share * len(whole)))
        if len(level) < WORTH_IT * len(levels[-1][0]):
            levels.append((level, rounds))
    yield tuple(arrange(level) for level, _ in levels[1:])
    yield tuple(arrange(thinner.fitted(level, rounds)) for level, rounds in levels[1:])
