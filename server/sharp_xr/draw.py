"""``sharp-xr render``: a scene from a file, a picture or a film to a file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sharp_xr.devices import choose, renderer_for
from sharp_xr.formats.ply import PlyError, read_ply
from sharp_xr.render import Renderer, RendererName, create_renderer
from sharp_xr.render.offline import Film, OutputError, write
from sharp_xr.render.trajectories import PhotoLens, TrajectoryName
from sharp_xr_protocol.geometry import Vector3

MAX_SIZE = 4096
"""Pixels of H.264's longer side in common decoders, and of patience."""


OnProgress = Callable[[str, float, str], None]
"""Told a stage, how much of it is done (0 to 1), and a detail or nothing."""


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
    at: Vector3 | None = None
    """As of Film."""
    depth: bool = False


def place(text: str | None) -> Vector3 | None:
    """Of "X,Y,Z". Raises DrawError."""
    if text is None:
        return None
    try:
        x, y, z = (float(number) for number in text.split(","))
    except ValueError:
        x = y = z = math.nan
    if not math.isfinite(x + y + z):
        raise DrawError(f"--at {text}: wanted X,Y,Z in metres, as in -0.1,0,0")
    return x, y, z


def run(
    scene: Path,
    output: Path,
    wish: Wish,
    on_progress: OnProgress = lambda stage, fraction, detail: None,
) -> str:
    """Draw, and say what was drawn. Raises DrawError."""
    if not 16 <= wish.size <= MAX_SIZE:
        raise DrawError(f"--size {wish.size}: wanted 16 to {MAX_SIZE}")
    started = time.perf_counter()
    try:
        name, count = _drawn(scene, output, wish, on_progress)
    except PlyError as error:
        raise DrawError(f"{scene}: {error}") from error
    except OSError as error:
        raise DrawError(f"{error.filename or scene}: {error.strerror or error}") from error
    except (OutputError, RuntimeError, ValueError) as error:
        raise DrawError(str(error)) from error
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    seconds = time.perf_counter() - started
    return f"{scene} -> {output}: {pictures} by {name} in {seconds:.1f} s"


def _drawn(scene: Path, output: Path, wish: Wish, on_progress: OnProgress) -> tuple[str, int]:
    """The renderer's name, and how many pictures."""

    def on_picture(done: int, total: int) -> None:
        on_progress("draw", done / total, f"picture {done} of {total}")

    on_progress("read", 0.0, "")
    gaussians, info = read_ply(scene)
    lens = PhotoLens(info.photo.width, info.photo.height, info.photo.focal_px)
    on_progress("warm up", 0.0, "")
    renderer = _renderer(wish.renderer)
    renderer.warm_up()
    on_progress("draw", 0.0, "")
    film = Film(wish.trajectory, wish.stereo, at=wish.at, depth=wish.depth)
    count = write(output, renderer, gaussians, lens.fitted(wish.size), film, on_picture)
    return renderer.name, count


def _renderer(name: RendererName | None) -> Renderer:
    return renderer_for(choose()) if name is None else create_renderer(name)
