"""The grid of rays that a photo's Gaussians lie on: square cells, the photo's aspect."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.gaussians import Float32
from sharp_xr.photo import Photo


@dataclass(frozen=True)
class Grid:
    """A pinhole camera of rows x columns cells that sees what the photo sees.

    The centre of cell (row i, column j) is at (j + 0.5, i + 0.5), as in ``render.camera.View``.
    """

    rows: int
    columns: int
    fx: float
    """Focal lengths in cells; equal up to the rounding of rows and columns."""
    fy: float
    cx: float
    """The optical axis."""
    cy: float

    @staticmethod
    def of(photo: Photo, cells: int) -> Grid:
        """At most about ``cells`` cells, and never more than the photo has pixels."""
        height, width = photo.image.shape[:2]
        scale = min(1.0, math.sqrt(cells / (height * width)))
        columns = min(width, max(1, round(width * scale)))
        rows = min(height, max(1, round(height * scale)))
        fx, fy = photo.focal_px * columns / width, photo.focal_px * rows / height
        return Grid(rows, columns, float(fx), float(fy), columns / 2, rows / 2)

    def halved(self) -> Grid:
        """The grid whose cells are 2 x 2 of this one's; at an odd side the last ones stand out."""
        rows, columns = (self.rows + 1) // 2, (self.columns + 1) // 2
        return Grid(rows, columns, self.fx / 2, self.fy / 2, self.cx / 2, self.cy / 2)

    def slopes(self) -> tuple[Float32, Float32]:
        """x/z of the columns [columns], y/z of the rows [rows]."""
        x = (np.arange(self.columns, dtype=np.float32) + 0.5 - self.cx) / self.fx
        y = (np.arange(self.rows, dtype=np.float32) + 0.5 - self.cy) / self.fy
        return x.astype(np.float32), y.astype(np.float32)


def resized(image: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """An sRGB image [H, W, 3] at another size: the mean over each cell when it shrinks."""
    if image.shape[:2] == (rows, columns):
        return image
    shrinks = rows <= image.shape[0] and columns <= image.shape[1]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    # Two steps for very large photos: first by a whole factor, which is several times faster.
    small = Image.fromarray(image).resize((columns, rows), method, reducing_gap=2.0)
    return np.asarray(small)


def to_linear(srgb: NDArray[np.uint8]) -> Float32:
    """sRGB bytes -> linear light, 0 to 1 (IEC 61966-2-1)."""
    value = np.arange(256, dtype=np.float64) / 255
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    table: Float32 = curve.astype(np.float32)
    return table[srgb]


def in_blocks(values: Float32) -> Float32:
    """[rows, columns, ...] -> [rows / 2, columns / 2, 4, ...], the cells of a halved grid's cells.

    An odd last row or column is there twice.
    """
    rows, columns = values.shape[:2]
    beyond = [(0, rows % 2), (0, columns % 2)] + [(0, 0)] * (values.ndim - 2)
    even = np.pad(values, beyond, mode="edge")
    corners = [even[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return np.stack(corners, axis=2)
