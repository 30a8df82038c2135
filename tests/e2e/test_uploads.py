"""What people upload, against the real server: the right result, or one sentence and a 4xx."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.e2e.conftest import ServerProcess
from tests.server.image_files import encoded, exif, png, quadrants

WIDTH, HEIGHT = 64, 48


def upload(server: ServerProcess, data: bytes) -> httpx.Response:
    return httpx.post(
        f"{server.url}scenes?filename=IMG.jpg", content=data, timeout=60, trust_env=False
    )


def animated_webp() -> bytes:
    pictures = [Image.fromarray(quadrants(WIDTH, HEIGHT) // n) for n in (1, 2, 3)]
    return encoded(pictures[0], "WEBP", save_all=True, append_images=pictures[1:], lossless=True)


def grey16() -> bytes:
    ramp = np.linspace(0, 65535, WIDTH, dtype=np.uint16)
    return encoded(Image.fromarray(np.tile(ramp, (HEIGHT, 1))), "PNG")


GOOD: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(quadrants(WIDTH, HEIGHT), "JPEG"),
    "jpeg turned by its EXIF": lambda: encoded(
        quadrants(HEIGHT, WIDTH), "JPEG", exif=exif(orientation=5)
    ),
    "jpeg in CMYK": lambda: encoded(
        Image.fromarray(quadrants(WIDTH, HEIGHT)).convert("CMYK"), "JPEG"
    ),
    "animated webp": animated_webp,
    "png with alpha": lambda: encoded(
        Image.fromarray(quadrants(WIDTH, HEIGHT)).convert("RGBA"), "PNG"
    ),
    "png of 16 bits": grey16,
}
BAD: dict[str, Callable[[], bytes]] = {
    "a text": lambda: b"This is no photo, whatever its name says.\n",
    "nothing": lambda: b"",
    "half a jpeg": lambda: encoded(quadrants(640, 480), "JPEG")[:2000],
    "a bomb": lambda: png(30_000, 30_000, 8, 0),
    "one pixel": lambda: encoded(quadrants(1, 1), "PNG"),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_a_photo_of_any_kind_becomes_a_scene_of_its_shape(
    server: ServerProcess, data: Callable[[], bytes]
) -> None:
    answer = upload(server, data())
    assert answer.is_success, answer.text
    fov = answer.json()["photo_fov"]
    shape = np.tan(fov["right"]) / np.tan(fov["up"])
    assert shape == pytest.approx(WIDTH / HEIGHT, rel=1e-4)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_photo_is_refused_in_a_sentence(
    server: ServerProcess, data: Callable[[], bytes]
) -> None:
    answer = upload(server, data())
    assert answer.status_code == 400
    sentence = answer.json()["error"]
    assert sentence and "\n" not in sentence and "Traceback" not in sentence
    assert httpx.get(f"{server.url}readyz", trust_env=False).status_code == 200


def test_an_upload_of_80_megabytes_is_refused_and_the_next_photo_is_taken(
    server: ServerProcess,
) -> None:
    answer = upload(server, bytes(80_000_000))
    assert answer.status_code == 413
    assert answer.json()["error"] == "the upload is larger than 64 MB, the limit"
    assert upload(server, GOOD["jpeg"]()).is_success
