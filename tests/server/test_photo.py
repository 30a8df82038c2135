"""Every kind of file that people drop on the page, and what becomes of it."""

from __future__ import annotations

import io
import math
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational
from tests.server.image_files import (
    CORNERS,
    TURNED_HEIC,
    claiming,
    encoded,
    exif,
    png,
    quadrants,
    webp_claiming,
)

from sharp_xr.photo import DIAGONAL_35MM, MAX_BYTES, PhotoError, read_photo, thumbnail

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def assert_quadrants(image: NDArray[np.uint8], tolerance: int = 0) -> None:
    """The middle of each quadrant has its colour."""
    height, width = image.shape[:2]
    for name, (row, column) in CORNERS.items():
        at = image[height // 4 if row == 0 else -height // 4, column * (width // 4) or width // 4]
        assert np.abs(at.astype(int) - COLORS[name]).max() <= tolerance, (name, at)


# --- what is taken -------------------------------------------------------------------------------


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


def test_the_first_picture_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (64, 48), color) for color in ("red", "lime", "blue")]
    for kind in ("WEBP", "PNG", "AVIF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], quality=90)
        red, green, blue = read_photo(data).image.mean(axis=(0, 1))
        assert red > 240 and green < 16 and blue < 16, kind


def test_grey_becomes_three_equal_channels() -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(32, 0)
    image = read_photo(encoded(ramp, "PNG")).image
    assert (image == ramp[..., None]).all()


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(32, 0)
    image = read_photo(encoded(Image.fromarray(ramp), "PNG")).image
    assert np.abs(image[..., 0] - ramp / 257.0).max() <= 0.5
    assert (image[..., :1] == image).all()


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4)])
def test_sixteen_bit_colour_is_scaled_not_clipped(color_type: int, channels: int) -> None:
    values = np.full((32, 32, channels), 65535, ">u2")
    values[..., 0] = np.linspace(0, 65535, 32).astype(np.uint16)
    image = read_photo(png(32, 32, 16, color_type, values.tobytes())).image
    assert np.abs(image[0, :, 0] - values[0, :, 0] / 257.0).max() <= 1
    assert (image[..., 1:] == 255).all()


def test_transparent_pixels_lie_on_white() -> None:
    image = np.zeros((32, 32, 4), np.uint8)
    image[:, :, 0] = 200
    image[:, 10:20, 3] = 128
    image[:, 20:, 3] = 255
    for kind in ("PNG", "WEBP"):
        taken = read_photo(encoded(image, kind, lossless=True)).image
        assert (taken[:, :10] == 255).all(), kind
        assert np.abs(taken[0, 15].astype(int) - (227, 127, 127)).max() <= 1, kind
        assert (taken[:, 20:] == (200, 0, 0)).all(), kind


def test_a_palette_gives_its_colours() -> None:
    palette = Image.fromarray(quadrants()).quantize(8)
    assert_quadrants(read_photo(encoded(palette, "PNG")).image)
    index = palette.getpixel((0, 0))
    image = read_photo(encoded(palette, "PNG", transparency=index)).image
    assert (image[0, 0] == 255).all()
    assert (image[0, -1] == COLORS["green"]).all()


@pytest.mark.parametrize("mode", ["1", "LA", "PA"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = Image.new(mode if mode != "PA" else "LA", (32, 32), 0)
    assert read_photo(encoded(image, "PNG")).image.shape == (32, 32, 3)


def test_a_cmyk_jpeg_has_the_colours_of_its_inks() -> None:
    inks = Image.new("CMYK", (64, 32), (255, 0, 0, 0))  # cyan
    inks.paste((0, 0, 0, 255), (32, 0, 64, 32))
    image = read_photo(encoded(inks, "JPEG", quality=95)).image
    assert np.abs(image[16, 8].astype(int) - (0, 255, 255)).max() <= 3
    assert np.abs(image[16, 56].astype(int)).max() <= 3


def test_a_colour_profile_is_converted() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A profile whose red is green, and that calls itself sRGB nevertheless.
    swapped = srgb.replace(b"rXYZ", b"____", 1).replace(b"gXYZ", b"rXYZ", 1)
    swapped = swapped.replace(b"____", b"gXYZ", 1)
    red = Image.new("RGB", (32, 32), "red")
    assert (read_photo(encoded(red, "PNG", icc_profile=srgb)).image == COLORS["red"]).all()
    assert (read_photo(encoded(red, "PNG", icc_profile=swapped)).image == COLORS["green"]).all()


@pytest.mark.parametrize("profile", [b"", b"no profile", b"\xff" * 4000])
def test_a_broken_colour_profile_is_ignored(profile: bytes) -> None:
    image = encoded(quadrants(), "PNG", icc_profile=profile)
    assert_quadrants(read_photo(image).image)


# --- focal length --------------------------------------------------------------------------------


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


@pytest.mark.parametrize("focal_px", [0.0, -5.0, math.nan, math.inf])
def test_a_given_focal_length_must_be_positive(focal_px: float) -> None:
    with pytest.raises(PhotoError, match="wanted a positive one"):
        read_photo(encoded(quadrants(), "PNG"), focal_px=focal_px)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"Dear photo,\r\nhow are you?\n", "text"),
        (bytes(range(256)), "of an unknown kind"),
        (encoded(quadrants(), "GIF"), "a GIF picture"),
        (encoded(quadrants(), "TIFF"), "a TIFF or raw picture"),
        (encoded(quadrants(), "BMP"), "a BMP picture"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "a Canon raw picture"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomavc1", "a video"),
    ],
)
def test_what_is_no_photo_is_named_and_the_way_out_told(data: bytes, what: str) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(data)
    sentence = f"this file is {what}, not a photo that we take: "
    assert str(refused.value) == sentence + "send a JPEG, PNG, WebP, HEIC or AVIF photo"


def test_a_file_of_more_than_64_megabytes_is_refused() -> None:
    with pytest.raises(PhotoError, match="the photo's file has 80 MB, wanted at most 64 MB"):
        read_photo(encoded(quadrants(), "PNG") + bytes(80_000_000))
    assert MAX_BYTES >= 64_000_000


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 640), (640, 15)])
def test_a_photo_of_a_few_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(
        PhotoError, match=rf"has {width} x {height} pixels, wanted at least 16 x 16"
    ):
        read_photo(encoded(Image.new("RGB", (width, height)), "PNG"))


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: png(12000, 6000, 8, 2)[:2000], "12000 x 6000"),
        (lambda: claiming(encoded(quadrants(), "JPEG"), 65500, 65500), "65500 x 65500"),
        (lambda: webp_claiming(16383, 16383), "16383 x 16383"),
    ],
)
def test_too_many_pixels_are_refused_by_the_header(make: Callable[[], bytes], size: str) -> None:
    with pytest.raises(PhotoError, match=f"has {size} pixels, wanted at most 64 megapixels"):
        read_photo(make())


def test_a_png_bomb_takes_no_memory(tmp_path: Any) -> None:
    """30,000 x 30,000 pixels: 0.9 GB in memory at the least, 0.5 MB as a file."""
    bomb = tmp_path / "holiday.png"
    bomb.write_bytes(png(30000, 30000, 1, 0))
    assert bomb.stat().st_size < 1_000_000
    script = """
import resource, sys
from sharp_xr.photo import PhotoError, read_photo
data = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_photo(data)
except PhotoError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)  # KB on Linux
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(bomb)], capture_output=True, text=True, check=True
    )
    sentence, kilobytes = run.stdout.splitlines()
    assert sentence == "the photo has 30000 x 30000 pixels, wanted at most 64 megapixels"
    assert int(kilobytes) < 30_000


KINDS = {
    "PNG": encoded(quadrants(), "PNG", exif=exif(6, FocalLength=4.2)),
    "JPEG": encoded(quadrants(), "JPEG", exif=exif(6, FocalLength=4.2)),
    "WEBP": encoded(quadrants(), "WEBP", exif=exif(6, FocalLength=4.2)),
    "AVIF": encoded(quadrants(), "AVIF"),
    "HEIC": TURNED_HEIC.read_bytes(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_cut_short_in_its_pixels_is_refused(kind: str) -> None:
    whole = KINDS[kind]
    with pytest.raises(PhotoError, match="broken or cut short"):
        read_photo(whole[: len(whole) * 9 // 10 - 8])


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_cut_short_anywhere_is_taken_or_refused_in_a_sentence(kind: str) -> None:
    whole = KINDS[kind]
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        _taken_or_refused(whole[:length])


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow tells of some faults by a warning
@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "WEBP", "AVIF"]
)  # libheif can crash: see prediction
def test_a_photo_with_wrong_bytes_is_taken_or_refused_in_a_sentence(kind: str) -> None:
    random = np.random.default_rng(7)
    for _ in range(60):
        data = np.frombuffer(KINDS[kind], np.uint8).copy()
        places = random.integers(0, len(data), 4)
        data[places] = random.integers(0, 256, 4)
        _taken_or_refused(data.tobytes())


def _taken_or_refused(data: bytes) -> None:
    try:
        photo = read_photo(data)
    except PhotoError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 300
    else:
        assert photo.image.shape == (photo.height, photo.width, 3)
        assert 0 < photo.focal_px < 1e7


# --- thumbnails ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (640, 2000), (100, 80)])
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(width: int, height: int) -> None:
    photo = read_photo(encoded(quadrants(width, height), "PNG"))
    small = Image.open(io.BytesIO(thumbnail(photo, 320)))
    assert small.format == "JPEG"
    assert max(small.size) == min(320, max(width, height))
    assert small.width / small.height == pytest.approx(width / height, rel=0.02)
    assert_quadrants(np.asarray(small), 30)
