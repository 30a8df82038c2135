"""What a camera wrote beside the pixels: focal length and orientation."""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

log = logging.getLogger(__name__)

DEFAULT_FOCAL_35MM = 30.0
"""Assumed where the file names no focal length: a phone's main camera, and SHARP's choice."""
MAX_FOCAL_35MM = 3000.0
"""No lens is longer; a broken field must not put the scene kilometres away."""
DIAGONAL_35MM = math.hypot(36.0, 24.0)
"""Of a frame of 35 mm film, millimetres."""


def tags(image: Image.Image) -> dict[int, object]:
    """The main tags and the camera's own (sub-IFD 0x8769) in one; empty where they are broken."""
    try:
        exif = image.getexif()
        return dict(exif) | dict(exif.get_ifd(ExifTags.IFD.Exif))
    except Exception as error:  # Pillow's parser fails in any way on hostile EXIF
        log.info("a photo's EXIF is not used: %s", error)
        return {}


def focal_35mm(exif: dict[int, object]) -> float:
    """Millimetres as on 35 mm film, by SHARP's rules (apple/ml-sharp, ``utils/io.py``)."""
    in_35mm = _number(exif.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if 1.0 <= in_35mm <= MAX_FOCAL_35MM:
        return in_35mm
    focal = _number(exif.get(ExifTags.Base.FocalLength))
    if focal < 10.0:  # cannot be a 35 mm value: the lens of a phone, whose sensor is 8.4 x smaller
        focal *= 8.4
    return focal if 1.0 <= focal <= MAX_FOCAL_35MM else DEFAULT_FOCAL_35MM


def _number(value: object) -> float:
    """The EXIF number; NaN where there is none (0/0, a text, nothing)."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan


def turned(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Upright, for a camera held as EXIF's Orientation says (EXIF 2.32, 4.6.4 A)."""
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return pixels.swapaxes(0, 1)
        case 6:
            return pixels[::-1].swapaxes(0, 1)
        case 7:
            return pixels[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return pixels[:, ::-1].swapaxes(0, 1)
        case _:
            return pixels
