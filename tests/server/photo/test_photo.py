"""What a photo comes back as: kinds of file, and thumbnails."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.server.image_files import (
    TURNED_HEIC,
    assert_quadrants,
    encoded,
    quadrants,
)

from sharp_xr.photo import DIAGONAL_35MM, read_photo, thumbnail


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("JPEG", {"quality": 95}, 6),
        ("JPEG", {"quality": 95, "progressive": True}, 6),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 16),
        ("AVIF", {"quality": 95}, 6),
    ],
)
def test_a_photo_comes_back_as_it_was(kind: str, options: dict[str, Any], tolerance: int) -> None:
    photo = read_photo(encoded(quadrants(), kind, **options))
    assert (photo.width, photo.height) == (64, 48)
    assert photo.image.dtype == np.uint8
    assert photo.image.flags.c_contiguous
    assert_quadrants(photo.image, tolerance)


def test_a_heic_is_upright_and_names_its_focal_length() -> None:
    photo = read_photo(TURNED_HEIC.read_bytes())
    assert (photo.width, photo.height) == (64, 96)
    # A quarter clockwise: the left side is at the top now.
    blue, red = photo.image[24, 16], photo.image[24, 48]
    assert blue.argmax() == 2
    assert red.argmax() == 0
    assert photo.focal_px == pytest.approx(26 * math.hypot(64, 96) / DIAGONAL_35MM)


def test_the_first_picture_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (64, 48), color) for color in ("red", "lime", "blue")]
    for kind in ("WEBP", "PNG", "AVIF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], quality=90)
        red, green, blue = read_photo(data).image.mean(axis=(0, 1))
        assert red > 240 and green < 16 and blue < 16, kind


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (640, 2000), (100, 80)])
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(width: int, height: int) -> None:
    photo = read_photo(encoded(quadrants(width, height), "PNG"))
    small = Image.open(io.BytesIO(thumbnail(photo, 320)))
    assert small.format == "JPEG"
    assert max(small.size) == min(320, max(width, height))
    assert small.width / small.height == pytest.approx(width / height, rel=0.02)
    assert_quadrants(np.asarray(small), 30)
