"""``sharp-xr render``: a scene from a file, a picture or a film to a file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from sharp_xr.devices import choose, renderer_for
from sharp_xr.formats.ply import PlyError, read_ply
from sharp_xr.render import Renderer, RendererName, create_renderer
from sharp_xr.render.offline import Film, OutputError, write
from sharp_xr.render.trajectories import PhotoLens, TrajectoryName

MAX_SIZE = 4096
"""Pixels of H.264's longer side in common decoders, and of patience."""


class DrawError(Exception):
    """The scene cannot be drawn; the message is one sentence for the user."""


@dataclass(frozen=True)
class Wish:
    """What to draw."""

    trajectory: TrajectoryName = "rotate_forward"
    stereo: bool = False
    renderer: RendererName | None = None
    """None: the best that there is."""
    size: int = 768
    """Longer side of one eye's picture, pixels."""


def run(scene: Path, output: Path, wish: Wish) -> str:
    """Draw, and say what was drawn. Raises DrawError."""
    if not 16 <= wish.size <= MAX_SIZE:
        raise DrawError(f"--size {wish.size}: wanted 16 to {MAX_SIZE}")
    started = time.perf_counter()
    try:
        gaussians, info = read_ply(scene)
        lens = PhotoLens(info.photo.width, info.photo.height, info.photo.focal_px)
        renderer = _renderer(wish.renderer)
        film = Film(wish.trajectory, wish.stereo)
        count = write(output, renderer, gaussians, lens.fitted(wish.size), film)
    except PlyError as error:
        raise DrawError(f"{scene}: {error}") from error
    except OSError as error:
        raise DrawError(f"{error.filename or scene}: {error.strerror or error}") from error
    except (OutputError, RuntimeError, ValueError) as error:
        raise DrawError(str(error)) from error
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    seconds = time.perf_counter() - started
    return f"{scene} -> {output}: {pictures} by {renderer.name} in {seconds:.1f} s"


def _renderer(name: RendererName | None) -> Renderer:
    return renderer_for(choose()) if name is None else create_renderer(name)
