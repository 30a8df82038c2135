"""Orientation and focal length, as cameras write them and as a user gives them."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL.TiffImagePlugin import IFDRational
from tests.server.image_files import (
    assert_quadrants,
    encoded,
    exif,
    quadrants,
)

from sharp_xr.photo import DIAGONAL_35MM, PhotoError, read_photo

SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
"""EXIF 2.32, 4.6.4 A: where row 0 and column 0 of the file are to be seen."""


def stored(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The file's pixels of a picture that is to be seen like ``upright``."""
    row_0, column_0 = SIDES[orientation]
    rows = upright if row_0 in ("top", "bottom") else upright.swapaxes(0, 1)
    if row_0 in ("bottom", "right"):
        rows = rows[::-1]
    if column_0 in ("bottom", "right"):
        rows = rows[:, ::-1]
    return np.ascontiguousarray(rows)


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_all_eight_orientations_are_upright(orientation: int, kind: str) -> None:
    upright = quadrants(64, 32)
    data = encoded(stored(upright, orientation), kind, exif=exif(orientation), quality=95)
    photo = read_photo(data)
    assert (photo.width, photo.height) == (64, 32)
    assert_quadrants(photo.image, 40)  # JPEG and lossy WebP halve the colour's resolution


def test_an_orientation_that_does_not_exist_is_none() -> None:
    assert_quadrants(read_photo(encoded(quadrants(), "PNG", exif=exif(9))).image)


@pytest.mark.parametrize(
    ("camera", "focal_35mm"),
    [
        ({}, 30.0),
        ({"FocalLengthIn35mmFilm": 26}, 26.0),
        ({"FocalLengthIn35mmFilm": 26, "FocalLength": 4.2}, 26.0),
        ({"FocalLengthIn35mmFilm": 0, "FocalLength": 50.0}, 50.0),
        ({"FocalLength": 10.0}, 10.0),
        ({"FocalLength": 4.25}, 35.7),
        ({"FocalLength": 0.0}, 30.0),
        ({"FocalLengthIn35mmFilm": 65535}, 30.0),
        ({"FocalLengthIn35mmFilm": "wide"}, 30.0),
    ],
)
def test_focal_length_follows_sharps_rules(camera: dict[str, Any], focal_35mm: float) -> None:
    photo = read_photo(encoded(quadrants(60, 40), "JPEG", exif=exif(6, **camera)))
    diagonal = math.hypot(60, 40)
    assert photo.focal_px == pytest.approx(focal_35mm * diagonal / math.hypot(36, 24), rel=1e-4)


def test_a_focal_length_of_nothing_by_nothing_is_none() -> None:
    data = encoded(quadrants(), "JPEG", exif=exif(FocalLength=IFDRational(17, 4)))
    assert read_photo(data).focal_px == pytest.approx(35.7 * math.hypot(64, 48) / DIAGONAL_35MM)
    seventeen_quarters = struct.pack(">II", 17, 4)
    assert data.count(seventeen_quarters) == 1
    nothing = data.replace(seventeen_quarters, bytes(8))
    assert read_photo(nothing).focal_px == read_photo(encoded(quadrants(), "JPEG")).focal_px


def test_broken_exif_is_ignored() -> None:
    for tail in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*" + bytes(range(200))):
        assert_quadrants(read_photo(encoded(quadrants(), "PNG", exif=b"Exif\0\0" + tail)).image)


def test_a_given_focal_length_wins() -> None:
    data = encoded(quadrants(60, 40), "JPEG", exif=exif(FocalLengthIn35mmFilm=26))
    assert read_photo(data, focal_px=100.0).focal_px == 100.0
    assert read_photo(data, focal_35mm=43.2666153).focal_px == pytest.approx(math.hypot(60, 40))


@pytest.mark.parametrize("given", [0.0, -5.0, math.nan, math.inf])
def test_a_given_focal_length_must_be_positive(given: float) -> None:
    data = encoded(quadrants(), "PNG")
    for unit, asked in ("px", {"focal_px": given}), ("mm", {"focal_35mm": given}):
        said = f"^a focal length of {given:g} {unit} was given, wanted a positive one$"
        with pytest.raises(PhotoError, match=said):
            read_photo(data, **asked)
