"""Beyond the display's border a frame goes on: who turns sees no edge before the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.e2e import headset
from tests.e2e.browsing import chromium, upload, visiting
from tests.e2e.discs import CAMERA, FAR_M, disc, together
from tests.e2e.headset import IPD_M, TANGENT, column, enter, eyes, turn

from sharp_xr.formats.ply import write_ply

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser
    from tests.e2e.browsing import Picture
    from tests.e2e.conftest import ServerProcess

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]

BESIDE_M = -(TANGENT + 0.035) * FAR_M
"""Left of the display's left border, by less than the margin of a head at rest."""
RADIUS_M = 0.02 * FAR_M
TURN = np.radians(3.0)


def green(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = picture[..., 1] - picture[..., 0] > 60
    return found


def test_what_lay_beyond_the_border_is_seen_by_a_head_that_turns_to_it_before_a_frame_comes(
    running: Browser, server: ServerProcess, tmp_path: Path
) -> None:
    wall = disc((0.0, 0.0), 5.0, 6.0, (0.05, 0.05, 0.05), spacing=0.1)
    beside = disc((BESIDE_M, 0.0), FAR_M, RADIUS_M, (0.0, 0.6, 0.0))
    write_ply(tmp_path / "beside.ply", together(wall, beside), CAMERA)
    with visiting(running, server.url) as page:
        scene = upload(page, tmp_path / "beside.ply")
    address = f"{server.url}#{scene}"
    with visiting(running, address, headset.scripts(), viewport=headset.WINDOW) as page:
        enter(page)
        assert not any(green(picture).any() for picture in eyes(page)), "it is in sight already"
        page.evaluate("WebSocket.prototype.send = () => {}")  # no pose reaches the server from here
        half = np.pi / 4 + TURN / 2
        page.evaluate("a => device.quaternion.set(0, Math.sin(a), 0, Math.cos(a))", half)
        turn(page)
        for side, picture in zip((-1, 1), eyes(page), strict=True):
            eye = side * IPD_M / 2 * np.array([np.cos(TURN), -np.sin(TURN)])  # right, back
            right, back = BESIDE_M - eye[0], -FAR_M - eye[1]
            wanted = column(
                np.cos(TURN) * right - np.sin(TURN) * back,
                -(np.sin(TURN) * right + np.cos(TURN) * back),
            )
            rows, columns = np.nonzero(green(picture))
            width = RADIUS_M / FAR_M / (2 * TANGENT)
            assert len(rows) > 30
            assert columns.min() / picture.shape[1] == pytest.approx(wanted - width, abs=0.02)
            # A smeared border would reach the display's.
            assert columns.min() > 0
