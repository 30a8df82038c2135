"""Drawing for training: a picture whose pixels can be asked what they want of the Gaussians.

    drawing = workshop.draw(gaussians, cameras, lens)     five sums per pixel
    gradients = workshop.pull(drawing, cotangents)        the loss by everything that was drawn

Backward, each tile is gathered and listed again: that takes less than keeping it would. Threads get
tiles, then groups of chunks from a shared counter; no sum depends on who got which.

Memory: a ``Drawing`` keeps 72 bytes per Gaussian, 12 for each splat on each tile of each view (on
three tiles it counts three times) and 24 for each chunk on each tile. A pull takes 40 bytes more
per splat and 52 per Gaussian for the gradients, which the workshop keeps for the next one once
nobody has them; who keeps one of the gradients keeps them all. Of what is allocated, about half is
never touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import RenderSettings, View, check_views
from sharp_xr.render.cpu import backward_chunks
from sharp_xr.render.cpu.backward_chunks import GROUP, POSE, pairs_by_chunk, run_chunks
from sharp_xr.render.cpu.backward_gradients import GRADIENT
from sharp_xr.render.cpu.backward_tally import Tally, new_tally, places
from sharp_xr.render.cpu.backward_tiles import PLANES, Scratch, new_scratch, run_tiles
from sharp_xr.render.cpu.binning import Bins
from sharp_xr.render.cpu.projection import Lens, camera_row, lens_of
from sharp_xr.render.cpu.rooms import Rooms
from sharp_xr.render.cpu.scene import (
    BLUE,
    CHUNK,
    MIN_ALPHA,
    ROWS,
    CpuScene,
    fill_chunks,
    visible_order,
)
from sharp_xr.render.cpu.threads import usable_processors

Order = NDArray[np.int64]
COLUMNS = 3, 6, 3, 1
"""Of a Gaussian's place, covariance, colour and opacity."""


@dataclass(frozen=True)
class Drawing:
    """V views of M visible among N Gaussians, and what it takes to go back."""

    planes: Float32
    """[V, 5, H, W] sums of w r, w g, w b (linear), w z and w, w being a splat's weight."""
    scene: CpuScene
    """Its rows of blue hold places, as backward_tiles.py wants it."""
    blues: Float32
    """[places]"""
    order: Order
    """[M] the visible Gaussians, along the curve."""
    opacities: Float32
    """[N]"""
    cameras: Float32
    """[V, 16] as of ``camera_row``."""
    lens: Lens
    members: tuple[NDArray[np.int32], ...]
    """A view's chunks, tile after tile."""
    offsets: tuple[NDArray[np.int32], ...]
    """A view's first member of each tile."""

    tallies: tuple[Tally, ...]
    """A view's splats."""


@dataclass(frozen=True)
class Gradients:
    """A loss by each input of a drawing; zero for what is not visible."""

    means: Float32
    """[N, 3]"""
    covariances: Float32
    """[N, 6], an entry off the diagonal standing for both of the matrix."""
    colors: Float32
    """[N, 3]"""
    opacities: Float32
    """[N]"""
    poses: NDArray[np.float64]
    """[V, 12] camera from photo: the rotation row by row, each entry for itself; translation."""


class Workshop:
    """Threads and buffers. Any number of threads may use it."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or usable_processors()
        self._scratches: deque[Scratch] = deque(maxlen=2 * self._threads)
        self._splats, self._results = Rooms(1), Rooms(1)

    def draw(
        self, gaussians: Gaussians, cameras: Float32, lens: Lens, order: Order | None = None
    ) -> Drawing:
        """Gaussians of ``visible_only``, in the order given or along a curve."""
        if order is None:
            order = visible_order(gaussians)
        else:
            order = order[gaussians.opacities[order] >= MIN_ALPHA]
        scene, blues = scene_of(gaussians, order)
        bins = [Bins() for _ in cameras]
        self._spread(len(cameras), lambda view: bins[view].fill(scene, cameras[view], lens))
        offsets = tuple(each.offsets for each in bins)
        members = tuple(each.members[: each.offsets[-1]].copy() for each in bins)
        drawing = Drawing(
            np.empty((len(cameras), PLANES, lens.height, lens.width), np.float32),
            scene,
            blues,
            order,
            gaussians.opacities.copy(),
            cameras,
            lens,
            members,
            offsets,
            tuple(new_tally(len(pairs), len(offsets[0]) - 1) for pairs in members),
        )
        nothing = tuple(np.empty(0, np.float32) for _ in cameras)
        self._run_tiles(drawing, drawing.planes, nothing)
        return drawing

    def pull(self, drawing: Drawing, cotangents: Float32) -> Gradients:
        """What the loss is to the drawing's inputs, if it is ``cotangents`` to its planes."""
        sizes = [
            places(len(members), len(drawing.offsets[0]) - 1) * GRADIENT
            for members in drawing.members
        ]
        room = self._splats.take(sum(sizes))
        ends = np.cumsum(sizes)
        gradients = tuple(room[end - size : end] for size, end in zip(sizes, ends, strict=True))
        self._run_tiles(drawing, cotangents, gradients)
        return self._run_chunks(drawing, gradients)

    def _run_tiles(self, drawing: Drawing, planes: Float32, gradients: tuple[Float32, ...]) -> None:
        counter = np.zeros(1, np.int64)
        most = max(int(np.diff(offsets).max()) for offsets in drawing.offsets) * CHUNK

        def work(_: int) -> None:
            scratch = self._take_scratch(most)
            run_tiles(
                counter,
                drawing.scene.rows,
                drawing.blues,
                drawing.scene.reaches,
                drawing.cameras,
                drawing.lens,
                drawing.members,
                drawing.offsets,
                drawing.tallies,
                scratch,
                planes,
                gradients,
            )
            self._scratches.append(scratch)

        self._spread(self._threads, work)

    def _run_chunks(self, drawing: Drawing, gradients: tuple[Float32, ...]) -> Gradients:
        count, chunks = len(drawing.opacities), len(drawing.scene.hulls)
        starts = tuple(np.empty(chunks + 1, np.int32) for _ in gradients)
        pairs = tuple(np.empty(len(members), np.int32) for members in drawing.members)
        for members, start, pair in zip(drawing.members, starts, pairs, strict=True):
            pairs_by_chunk(members, start, pair)
        room = self._results.take(count * sum(COLUMNS))
        if len(drawing.order) < count:
            room.fill(0)
        parts = np.split(room, count * np.cumsum(COLUMNS)[:-1])
        means, covariances, colors, opacities = (
            part.reshape(count, columns) for part, columns in zip(parts, COLUMNS, strict=True)
        )
        views = len(gradients)
        poses = np.zeros((-(-chunks // GROUP), views, POSE))
        counter = np.zeros(1, np.int64)

        def work(_: int) -> None:
            run_chunks(
                counter,
                drawing.scene.rows,
                drawing.order,
                drawing.opacities,
                drawing.cameras,
                drawing.lens,
                starts,
                pairs,
                drawing.tallies,
                gradients,
                backward_chunks.new_scratch(views),
                means,
                covariances,
                colors,
                opacities[:, 0],
                poses,
            )

        self._spread(self._threads, work)
        return Gradients(means, covariances, colors, opacities[:, 0], poses.sum(axis=0))

    def _take_scratch(self, splats: int) -> Scratch:
        try:
            scratch = self._scratches.pop()
        except IndexError:
            return new_scratch(splats)
        return scratch if len(scratch.common.keys) >= splats else new_scratch(splats)

    def _spread(self, jobs: int, work: Callable[[int], None]) -> None:
        if self._threads == 1:
            for job in range(jobs):
                work(job)
            return
        with ThreadPoolExecutor(min(jobs, self._threads), "backward") as pool:
            list(pool.map(work, range(jobs)))


def way_back(
    gaussians: Gaussians, views: Sequence[View], settings: RenderSettings, threads: int | None
) -> Callable[[], Gradients]:
    """A pull on a random loss that may be repeated, to be measured beside a frame."""
    workshop = Workshop(threads)
    width, height = check_views(views)
    cameras = np.stack([camera_row(view) for view in views])
    lens = lens_of(width, height, settings)
    drawing = workshop.draw(visible_only(gaussians), cameras, lens)
    random = np.random.default_rng(0)
    cotangents = random.standard_normal(drawing.planes.shape, np.float32)
    return lambda: workshop.pull(drawing, cotangents)


def visible_only(gaussians: Gaussians) -> Gaussians:
    """The same number of Gaussians; those that are not finite are zero, which nobody sees."""
    arrays = gaussians.means, gaussians.covariances, gaussians.colors, gaussians.opacities[:, None]
    if all(np.isfinite(array).all() for array in arrays):
        return gaussians
    finite = np.logical_and.reduce([np.isfinite(array).all(1) for array in arrays])
    means, covariances, colors, opacities = (
        np.where(finite[:, None], array, np.float32(0)) for array in arrays
    )
    return Gaussians(means, covariances, colors, opacities[:, 0])


def scene_of(gaussians: Gaussians, order: Order) -> tuple[CpuScene, Float32]:
    """Chunks of Gaussians in a given order, and the blues that their rows give place to."""
    chunks = -(-len(order) // CHUNK)
    rows = np.empty(chunks * ROWS * CHUNK, np.float32)
    hulls, reaches = np.empty((chunks, 8, 3), np.float32), np.empty((chunks, 2), np.float32)
    fill_chunks(
        order,
        gaussians.means,
        gaussians.covariances,
        gaussians.colors,
        gaussians.opacities,
        rows,
        hulls,
        reaches,
    )
    row = rows.reshape(chunks, ROWS, CHUNK)[:, BLUE]
    blues = row.flatten()
    row[:] = np.arange(chunks * CHUNK, dtype=np.int32).view(np.float32).reshape(chunks, CHUNK)
    return CpuScene(len(gaussians), rows, hulls, reaches), blues
