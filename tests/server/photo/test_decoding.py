"""Files that are no photos, break limits, or are broken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.server.image_files import (
    TURNED_HEIC,
    claiming,
    encoded,
    exif,
    png,
    quadrants,
    webp_claiming,
)

from sharp_xr.photo import MAX_BYTES, PhotoError, read_photo


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
