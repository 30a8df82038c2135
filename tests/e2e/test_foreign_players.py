"""A scene is watched by players that nobody here wrote: Chromium without our page, and GStreamer.

aiortc as it comes, the third one, plays in ``tests/server/clients/test_whep.py``.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser
from tests.e2e.browsing import Picture, chromium, until
from tests.e2e.conftest import serving
from tests.e2e.discs import CAMERA, FAR_M, NEAR_M, discs, two_discs

from sharp_xr.stream.channel import ZOOM

TOKEN = "only-for-players"
PLAYERS = Path(__file__).parent
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""GStreamer's bindings belong to the system's Python, not to this project's."""
FRAMES = 40
TOLERANCE = 0.04
"""Widths of the picture; the camera's path moves the near disc by up to 0.04."""


@dataclass(frozen=True)
class OnAir:
    """A scene on a server of its own."""

    whep: str
    """Address to POST an offer to."""
    log: list[str]
    """The server's."""


@pytest.fixture(scope="module")
def on_air(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnAir]:
    folder = tmp_path_factory.mktemp("on air")
    two_discs(folder / "discs.ply")
    with serving(folder / "data", "--token", TOKEN) as server:
        root = server.url.partition("?")[0]
        stored = httpx.post(
            f"{root}scenes",
            params={"filename": "discs.ply"},
            content=(folder / "discs.ply").read_bytes(),
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60,
        )
        assert stored.status_code == 201, stored.text
        yield OnAir(f"{root}whep/{stored.json()['id']}", server.output)


def check_picture(picture: Picture) -> None:
    """The two discs are where the photo's camera, a little zoomed, has them."""
    seen = discs(picture)
    across = CAMERA.width / CAMERA.focal_px * ZOOM
    for name, (x, y), depth in (("near", (-0.1, -0.1), NEAR_M), ("far", (0.7, -0.4), FAR_M)):
        expected = 0.5 + x / depth / across, 0.375 + y / depth / across
        assert np.allclose(seen[name], expected, atol=TOLERANCE), name


# --- Chromium ------------------------------------------------------------------------------------


@contextlib.contextmanager
def another_site() -> Iterator[str]:
    """A web server with one page, which is a stranger's to ours; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = (PLAYERS / "blank_player.html").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)")
def test_chromium_plays_a_scene_on_a_page_of_somebody_else(running: Browser, on_air: OnAir) -> None:
    with another_site() as site, contextlib.closing(running.new_page()) as page:
        page.goto(site)
        page.evaluate(f"async () => {{ player = await play({on_air.whep!r}, {TOKEN!r}) }}")
        until(page, f"video.getVideoPlaybackQuality().totalVideoFrames >= {FRAMES}")
        assert page.evaluate("[video.videoWidth, video.videoHeight]") == [512, 384]
        with Image.open(io.BytesIO(page.locator("video").screenshot())) as image:
            check_picture(np.asarray(image.convert("RGB"), np.float64))
        assert page.evaluate("trickle(player)") == 204
        assert page.evaluate("end(player)") == 200
        assert page.evaluate("end(player)") == 404


@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)")
def test_a_page_without_the_token_plays_nothing(running: Browser, on_air: OnAir) -> None:
    with another_site() as site, contextlib.closing(running.new_page()) as page:
        page.goto(site)
        failure = page.evaluate(
            f"play({on_air.whep!r}, 'a guess').then(() => 'it plays', error => error.message)"
        )
        assert failure not in ("", "it plays")
        assert page.evaluate("video.srcObject") is None


# --- GStreamer -----------------------------------------------------------------------------------


def why_no_gstreamer() -> str | None:
    """None where its player can run."""
    if not SYSTEM_PYTHON.exists():
        return f"there is no {SYSTEM_PYTHON}"
    parts = PLAYERS / "gstreamer_player.py"
    asked = subprocess.run(
        [SYSTEM_PYTHON, parts, "--parts"], capture_output=True, text=True, timeout=60
    )
    if asked.returncode == 0:
        return None
    return (asked.stderr.strip().splitlines() or ["it does not start"])[-1]


def test_gstreamer_plays_a_scene(on_air: OnAir, tmp_path: Path) -> None:
    missing = why_no_gstreamer()
    if missing:
        pytest.skip(f"GStreamer's player cannot run (gstreamer_player.py says how): {missing}")
    raw = tmp_path / "picture.rgb"
    player = str(PLAYERS / "gstreamer_player.py")
    command = [str(SYSTEM_PYTHON), player, on_air.whep, TOKEN, str(FRAMES), str(raw)]
    played = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert played.returncode == 0, played.stderr
    found = json.loads(played.stdout)
    assert found == {"width": 512, "height": 384, "frames": FRAMES}
    picture = np.fromfile(raw, np.uint8).reshape(found["height"], found["width"], 3)
    check_picture(picture.astype(np.float64))
    assert any("the player ended it" in line for line in on_air.log)
