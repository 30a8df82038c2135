"""Image files for tests, as bytes, and those that no honest program writes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TURNED_HEIC = Path(__file__).with_name("quadrants_turned.heic")
"""Ours, by libheif: red | green over blue | white, 96 x 64, turned a quarter clockwise by its irot
property; EXIF names 26 mm as on 35 mm film."""

CORNERS = {"red": (0, 0), "green": (0, -1), "blue": (-1, 0), "white": (-1, -1)}
"""(row, column) of the quadrants of :func:`quadrants`."""
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
"""sRGB."""


def quadrants(width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """[H, W, 3]: red and green over blue and white."""
    image = np.zeros((height, width, 3), np.uint8)
    top, left = slice(0, height // 2), slice(0, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    image[top, left] = (255, 0, 0)
    image[top, right] = (0, 255, 0)
    image[bottom, left] = (0, 0, 255)
    image[bottom, right] = (255, 255, 255)
    return image


def encoded(image: Image.Image | NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """Written by Pillow as "PNG", "JPEG", ..."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int | None = None, **camera: Any) -> Image.Exif:
    """EXIF with an orientation and tags of the camera's IFD, by their names."""
    from PIL import ExifTags

    tags = Image.Exif()
    if orientation is not None:
        tags[ExifTags.Base.Orientation] = orientation
    tags.get_ifd(ExifTags.IFD.Exif).update(
        {ExifTags.Base[name]: value for name, value in camera.items()}
    )
    return tags


def png(width: int, height: int, depth: int, color_type: int, pixels: bytes | None = None) -> bytes:
    """A PNG of any kind (W3C PNG, section 11): for what Pillow does not write. Without pixels, all
    are zero: a bomb if it is large."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
    row = (width * depth * channels + 7) // 8
    packer = zlib.compressobj(1)
    packed = bytearray()
    for y in range(height):
        line = bytes(row) if pixels is None else pixels[y * row : (y + 1) * row]
        packed += packer.compress(b"\0" + line)
    packed += packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", bytes(packed)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def claiming(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG, its frame header changed to another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def webp_claiming(width: int, height: int) -> bytes:
    """The head of an extended WebP file (RFC 9649, section 2.7) and nothing after it."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", 4 + len(vp8x)) + b"WEBP" + vp8x


def assert_quadrants(image: NDArray[np.uint8], tolerance: int = 0) -> None:
    """The middle of each quadrant has its colour."""
    height, width = image.shape[:2]
    for name, (row, column) in CORNERS.items():
        at = image[height // 4 if row == 0 else -height // 4, column * (width // 4) or width // 4]
        assert np.abs(at.astype(int) - COLORS[name]).max() <= tolerance, (name, at)
