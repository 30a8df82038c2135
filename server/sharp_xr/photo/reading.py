"""A file's bytes to a photo: the one way in."""

from __future__ import annotations

import math

import numpy as np
from PIL import ExifTags

from sharp_xr.photo import exif
from sharp_xr.photo.colour import srgb
from sharp_xr.photo.decoding import decoded, opened
from sharp_xr.photo.photo import Photo, PhotoError


def read_photo(
    data: bytes, *, focal_35mm: float | None = None, focal_px: float | None = None
) -> Photo:
    """Decodes a photo at its full size.

    Memory: up to about 16 bytes a pixel at the peak (1 GB for the largest photo). Broken files are
    foreign code's input: run this where a crash is survived (prediction/ does).

    Args:
        data: the file's content.
        focal_35mm: focal length as on 35 mm film, in millimetres, in place of the file's own.
        focal_px: focal length in pixels of the upright photo; wins over ``focal_35mm``.

    Raises:
        PhotoError: not a photo that we take, one that is broken, too large or too small, or a focal
            length that is not positive.
    """
    for given, unit in (focal_px, "px"), (focal_35mm, "mm"):
        if given is not None and not 0.0 < given < math.inf:
            raise PhotoError(f"a focal length of {given:g} {unit} was given, wanted a positive one")
    image = opened(data)
    tags = exif.tags(image)
    pixels = np.asarray(srgb(decoded(image)))
    image.close()
    upright = np.ascontiguousarray(exif.turned(pixels, tags.get(ExifTags.Base.Orientation)))
    height, width = upright.shape[:2]
    if focal_px is None:
        focal_mm = exif.focal_35mm(tags) if focal_35mm is None else focal_35mm
        # The diagonal of the frame is what "35 mm equivalent" keeps (CIPA DCG-001; SHARP likewise).
        focal_px = focal_mm * math.hypot(width, height) / exif.DIAGONAL_35MM
    return Photo(upright, float(focal_px))
