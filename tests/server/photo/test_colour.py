"""Modes, depths and colour spaces of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.server.image_files import (
    COLORS,
    assert_quadrants,
    encoded,
    png,
    quadrants,
)

from sharp_xr.photo import read_photo


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
