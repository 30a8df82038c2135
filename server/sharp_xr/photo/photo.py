"""A photo: upright pixels and a focal length."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class PhotoError(Exception):
    """The file is not a photo that we take; the message is one sentence for the user."""


@dataclass(frozen=True)
class Photo:
    """An upright photo; its principal point is the middle."""

    image: NDArray[np.uint8]
    """[H, W, 3] sRGB."""
    focal_px: float
    """Focal length in pixels of this image."""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])


def thumbnail(photo: Photo, size: int) -> bytes:
    """The photo as a JPEG whose longer side has ``size`` pixels (or fewer, if the photo has)."""
    # Every n-th pixel first: the box filter of `thumbnail` then works on little.
    step = max(1, min(photo.width, photo.height) // (4 * size))
    small = Image.fromarray(np.ascontiguousarray(photo.image[::step, ::step]))
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()
