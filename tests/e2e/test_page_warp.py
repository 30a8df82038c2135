"""The page's own shader, in Chromium, beside the plain warp: the same picture from elsewhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.client.flats import DRAWN, EYES, MOVES, ROOM, SHOWN, frame
from tests.client.pictures import as_shown, layout_of, picture_of
from tests.e2e.browsing import chromium

import sharp_xr
from sharp_xr_client.warp import EyeImage, warp
from sharp_xr_protocol.geometry import Fov, Pose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed"),
]

WEB = Path(sharp_xr.__file__).parent / "web"
ORIGIN = "http://warp.test/"
SIZE = (256, 240)

WARP = """
async ([letters, layout, near_m, drawn, shown, isCoarse]) => {
    const { Painter } = await import("/painter.js");
    const { warpsFor } = await import("/warp.js");
    const canvas = (globalThis.canvas ??= document.createElement("canvas"));
    const painter = (globalThis.painter ??= new Painter(canvas));
    painter.isCoarse = isCoarse;
    const bytes = Uint8ClampedArray.from(atob(letters), (letter) => letter.charCodeAt(0));
    const picture = new ImageData(bytes, 2 * layout.eye_width);
    painter.upload(picture, picture.width, picture.height);
    painter.draw("side-by-side", false, warpsFor({ drawn, near_m, layout }, shown), layout);
    const { gl } = painter;
    const pixels = new Uint8Array(canvas.width * canvas.height * 4);
    gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    let read = "";
    for (let i = 0; i < pixels.length; i += 32768) {
        read += String.fromCharCode(...pixels.subarray(i, i + 32768));
    }
    return btoa(read);
}
"""


@pytest.fixture(scope="module")
def page(running: Browser) -> Iterator[Page]:
    """An empty page that has the product's modules."""

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ORIGIN)
        if not name:
            route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            route.fulfill(body=(WEB / name).read_bytes(), content_type="text/javascript")

    visitor = running.new_page()
    visitor.route(f"{ORIGIN}**", answer)
    visitor.goto(ORIGIN)
    yield visitor
    visitor.close()


def view(head: Pose, fov: Fov) -> dict[str, Any]:
    def pose(of: Pose) -> dict[str, Any]:
        return {"position": of.position, "orientation": of.orientation}

    field = {"left": fov.left, "right": fov.right, "up": fov.up, "down": fov.down}
    eyes = [{"pose": pose(eye), "fov": field} for eye in EYES]
    return {"head": pose(head), "eyes": eyes, "flat": 0}


def shown_by(
    page: Page, eyes: tuple[EyeImage, EyeImage], near_m: float, head: Pose, *, coarse: bool = False
) -> NDArray[np.uint8]:
    """[H, 2 W, 3]: the frame, drawn at the world's origin, from this head."""
    picture, layout = picture_of(*eyes), layout_of(eyes[0])
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    sizes = {name: getattr(layout, name) for name in type(layout).__struct_fields__}
    letters = base64.b64encode(rgba.tobytes()).decode()
    views = [view(Pose(), DRAWN), view(head, SHOWN)]
    read = page.evaluate(WARP, [letters, sizes, near_m, *views, coarse])
    pixels = np.frombuffer(base64.b64decode(read), np.uint8)
    return pixels.reshape(SIZE[1], 2 * SIZE[0], 4)[::-1, :, :3]


@pytest.mark.parametrize("head", MOVES)
@pytest.mark.parametrize("near_m", [0.5, 0.0])
def test_the_page_shows_what_the_plain_warp_shows(page: Page, head: Pose, near_m: float) -> None:
    for apart in differences(page, head, near_m, coarse=False):
        # On an outline, floats of another width may decide the other way.
        assert apart.mean() < 0.5
        assert (apart > 8).mean() < 0.01


@pytest.mark.parametrize("head", MOVES)
def test_a_device_without_the_time_leaves_little_to_wish_for(page: Page, head: Pose) -> None:
    left, _ = differences(page, head, 0.5, coarse=True)
    left_unwarped, _ = differences(page, head, 0.5, coarse=True, shown_from=Pose())
    assert left.mean() <= 0.25 * left_unwarped.mean() + 0.1


def differences(
    page: Page, head: Pose, near_m: float, *, coarse: bool, shown_from: Pose | None = None
) -> Iterator[NDArray[np.int_]]:
    """Of each eye, [H, W], of 255: between the page (from elsewhere) and the plain warp."""
    left, right = (frame(ROOM, eye, DRAWN, *SIZE) for eye in EYES)
    shown = shown_by(page, (left, right), near_m, shown_from or head, coarse=coarse)
    picture = picture_of(left, right)
    for side, drawn in enumerate((left, right)):
        eye = as_shown(picture, drawn, side)
        bare = EyeImage(eye.colour, eye.codes, near_m, eye.world_from_eye, eye.fov)
        wanted = warp(bare, head @ EYES[side], SHOWN, *SIZE)
        ours = shown[:, side * SIZE[0] : (side + 1) * SIZE[0]]
        yield np.abs(ours.astype(int) - wanted).max(-1)
