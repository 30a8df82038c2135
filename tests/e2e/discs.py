"""A scene whose every distance is known, and where its parts are in a picture of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.e2e.browsing import Picture, centre

from sharp_xr.formats.ply import PhotoCamera, write_ply
from sharp_xr.gaussians import Gaussians

CAMERA = PhotoCamera(width=640, height=480, focal_px=560.0)
WINDOW = 0.96 * CAMERA.width / CAMERA.focal_px
"""Width of the picture in tangents: the page crops 4 %."""
NEAR_M, FAR_M = 1.0, 4.0


def two_discs(file: Path) -> None:
    """A red disc 1 m away and a green one 4 m away, on a grey wall."""
    red = disc((-0.1, -0.1), NEAR_M, 0.1, (0.8, 0.0, 0.0))
    green = disc((0.7, -0.4), FAR_M, 0.4, (0.0, 0.6, 0.0))
    wall = disc((0.0, 0.0), 5.0, 5.0, (0.05, 0.05, 0.05), spacing=0.1)
    write_ply(file, together(red, green, wall), CAMERA)


def disc(
    middle: tuple[float, float],
    depth: float,
    radius: float,
    color: tuple[float, float, float],
    spacing: float = 0.0,
) -> Gaussians:
    """A flat one, facing the camera; lengths in metres, photo axes, colour in linear light."""
    step = spacing or radius / 20
    grid = np.arange(-radius, radius + step / 2, step)
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid))
    inside = np.hypot(x, y) <= radius
    x, y = x[inside] + middle[0], y[inside] + middle[1]
    covariances = np.zeros((len(x), 6), np.float32)
    covariances[:, [0, 3]] = (0.7 * step) ** 2
    covariances[:, 5] = 1e-6
    return Gaussians(
        np.stack([x, y, np.full_like(x, depth)], 1).astype(np.float32),
        covariances,
        np.tile(np.array(color, np.float32), (len(x), 1)),
        np.full(len(x), 0.95, np.float32),
    )


def together(*parts: Gaussians) -> Gaussians:
    return Gaussians(
        *(
            np.concatenate([getattr(part, field) for part in parts])
            for field in ("means", "covariances", "colors", "opacities")
        )
    )


def discs(picture: Picture) -> dict[str, tuple[float, float]]:
    """Where the two discs are, in widths of the picture from its upper left corner."""
    red, green, blue = np.moveaxis(picture, 2, 0)
    return {
        "near": centre(red - np.maximum(green, blue) > 60),
        "far": centre(green - np.maximum(red, blue) > 60),
    }


def parallax(before: Picture, after: Picture) -> tuple[float, float]:
    """How far the near disc moved against the far one: right and down, in widths."""
    was, now = discs(before), discs(after)
    moved = {name: np.subtract(now[name], was[name]) for name in was}
    right, down = moved["near"] - moved["far"]
    return float(right), float(down)


def expected_parallax(metres: float) -> float:
    """Of the near disc against the far one, in widths, for a head that leans so far left."""
    return metres * (1 / NEAR_M - 1 / FAR_M) / WINDOW
