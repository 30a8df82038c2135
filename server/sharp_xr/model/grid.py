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

    @staticmethod
    def of(photo: Photo, cells: int) -> Grid:
        """At most about ``cells`` cells, and never more than the photo has pixels."""
        height, width = photo.image.shape[:2]
        scale = min(1.0, math.sqrt(cells / (height * width)))
        columns = min(width, max(1, round(width * scale)))
        rows = min(height, max(1, round(height * scale)))
        focal = photo.focal_px
        return Grid(rows, columns, float(focal * columns / width), float(focal * rows / height))

    def halved(self) -> Grid:
        """The grid whose cells are 2 x 2 of this one's; an odd last row or column stays outside."""
        return Grid(max(1, self.rows // 2), max(1, self.columns // 2), self.fx / 2, self.fy / 2)

    def slopes(self) -> tuple[Float32, Float32]:
        """x/z of the columns [columns], y/z of the rows [rows]."""
        x = (np.arange(self.columns, dtype=np.float32) + 0.5 - self.columns / 2) / self.fx
        y = (np.arange(self.rows, dtype=np.float32) + 0.5 - self.rows / 2) / self.fy
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
    """sRGB bytes -> linear light, 0 to 1 (IEC 61966-2-1; sharp-model, section 9)."""
    value = np.arange(256, dtype=np.float64) / 255
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    table: Float32 = curve.astype(np.float32)
    return table[srgb]
