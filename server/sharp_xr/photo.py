"""Bytes of an image file in, upright pixels and a focal length out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class PhotoError(Exception):
    """The file is not a photo that we take; the message is one sentence for the user."""


@dataclass(frozen=True)
class Photo:
    """An upright photo; its principal point is the middle."""

    image: NDArray[np.uint8]
    """[H, W, 3] sRGB."""
    focal_px: float
    """Focal length in pixels of this image."""
