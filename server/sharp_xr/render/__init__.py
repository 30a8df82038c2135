"""Gaussians and views in, pixels out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.camera import View

__all__ = ["Frame", "RenderSettings", "Renderer", "RendererName", "View", "create_renderer"]

RendererName = Literal["cpu", "cuda", "reference"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderSettings:
    """What a picture depends on besides Gaussians and views. The defaults are SHARP's."""

    near: float = 0.01
    """Metres; what is nearer is not drawn."""
    eps2d: float = 0.0
    """Added to both variances of a projected Gaussian, square pixels (3DGS adds 0.3)."""
    max_alpha: float = 0.999
    """Opacity of one Gaussian at one pixel at most (gsplat 1.5.3: 0.999, 1.6.0: 0.99)."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Linear RGB behind everything."""
    fast: bool = False
    """Stop a little early: less time, 60 dB or more from the exact picture. The CPU's renderer
    alone knows it."""
    budget_ms: float | None = None
    """If a frame takes longer, later ones are drawn of fewer Gaussians, where the renderer has
    levels of detail (the CPU's); None draws all."""


@dataclass(frozen=True)
class Frame:
    """What V views see, all of one size H x W."""

    rgb: Float32
    """[V, 3, H, W] sRGB (blended in linear light, then encoded), 0 to 1."""
    depth: Float32
    """[V, H, W] metres along the optical axis, expected: sum(w z) / sum(w); 0 where alpha is."""
    alpha: Float32
    """[V, H, W] how much of the background is covered, 0 to 1."""
    gaussians: int | None = field(default=None, kw_only=True)
    """How many the level of detail has that was drawn; None: all of the scene's."""


class PreparedScene(Protocol):
    """A renderer's own form of some Gaussians; only that renderer can read it."""

    def __len__(self) -> int:
        """How many Gaussians."""
        ...

    def refocused(self, ratio: float) -> PreparedScene:
        """As of ``Gaussians.refocused``, in the time of a copy; this scene stays as it is."""
        ...


class Renderer(Protocol):
    """Draws Gaussians. One object serves any number of scenes and threads."""

    @property
    def name(self) -> str:
        """For a person: "cpu (AVX-512, 2 threads)"."""
        ...

    def warm_up(self) -> None:
        """Compile and allocate what the first frame would wait for; seconds the first time."""
        ...

    def prepare(self, gaussians: Gaussians) -> PreparedScene:
        """Reorder and upload; Gaussians that are not finite are dropped, with a line in the log."""
        ...

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        """Draw one frame; the views (two eyes, say) share their size.

        The arrays may be the renderer's own buffers: they hold until this thread's next call.

        Raises:
            ValueError: no views, views of different sizes, or another renderer's scene.
        """
        ...


def check_views(views: Sequence[View]) -> tuple[int, int]:
    """Width and height that the views share; ValueError says what is wrong with them."""
    if not views:
        raise ValueError("there are no views to draw")
    sizes = sorted({(view.width, view.height) for view in views})
    if len(sizes) > 1:
        raise ValueError(f"views of one frame share their size, these have {sizes}")
    if min(sizes[0]) < 1:
        raise ValueError(f"a view of {sizes[0][0]} x {sizes[0][1]} pixels has nothing to draw")
    return sizes[0]


def finite_gaussians(gaussians: Gaussians) -> Gaussians:
    """Those without a NaN or an infinity; a line in the log says how many had one."""
    finite, dropped = gaussians.finite()
    if dropped:
        logger.warning("%d of %d Gaussians are not finite and not drawn", dropped, len(gaussians))
    return finite


def tiny_scene() -> tuple[Gaussians, View]:
    """Something to draw for warming up."""
    gaussians = Gaussians(
        means=np.array([[0, 0, 2], [0.1, 0, 3]], np.float32),
        covariances=np.array([[0.01, 0, 0, 0.01, 0, 0.01]] * 2, np.float32),
        colors=np.ones((2, 3), np.float32),
        opacities=np.full(2, 0.5, np.float32),
    )
    return gaussians, View(np.eye(4), 40.0, 40.0, 32.0, 32.0, 64, 64)


def create_renderer(name: RendererName, *, gpu: int = 0, threads: int | None = None) -> Renderer:
    """The renderer of that name; importing it is left until here.

    Raises:
        RuntimeError: "cuda" without an NVIDIA GPU or gsplat; one sentence with the way out.
    """
    match name:
        case "cpu":
            from sharp_xr.render.cpu.renderer import CpuRenderer

            return CpuRenderer(threads=threads)
        case "cuda":
            from sharp_xr.render.cuda import CudaRenderer

            return CudaRenderer(gpu=gpu)
        case "reference":
            from sharp_xr.render.reference import ReferenceRenderer

            return ReferenceRenderer()
