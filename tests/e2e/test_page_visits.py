"""The first visit, the next one, and one with a browser that cannot show anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.browsing import chromium, until, upload, visiting
from tests.e2e.conftest import ServerProcess
from tests.e2e.discs import two_discs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]


def test_how_to_move_is_said_until_somebody_has_and_never_again(
    running: Browser, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "two discs.ply"
    two_discs(file)
    with visiting(running, server.url) as page:
        upload(page, file)
        expect(page.get_by_text("Drag to lean")).to_be_visible()
        page.keyboard.down("ArrowLeft")
        expect(page.get_by_text("Drag to lean")).to_be_hidden()
        page.keyboard.up("ArrowLeft")
        page.reload()
        until(page, "window.sharpXr?.state.shown > 4 && !document.getElementById('canvas').hidden")
        expect(page.get_by_text("Drag to lean")).to_be_hidden()
    with visiting(running, server.url) as page:  # another browser
        expect(page.get_by_text("Drag to lean")).to_be_visible()


def test_a_browser_without_webgl2_says_what_to_turn_on(
    running: Browser, server: ServerProcess
) -> None:
    page = running.new_page()
    page.add_init_script(
        """const { getContext } = HTMLCanvasElement.prototype;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind === "webgl2" ? null : getContext.call(this, kind, ...rest);
        };"""
    )
    page.goto(server.url)
    expect(page.locator("#status")).to_have_text("This browser cannot show it")
    expect(page.locator("#waiting")).to_contain_text("Turn on hardware acceleration")
    expect(page.locator("#waiting")).to_be_visible()
    page.close()


def test_a_browser_without_webrtc_says_what_to_turn_on(
    running: Browser, server: ServerProcess
) -> None:
    page = running.new_page()
    page.add_init_script("delete globalThis.RTCPeerConnection;")
    page.goto(server.url)
    expect(page.locator("#toast")).to_contain_text("This browser has no WebRTC")
    expect(page.locator("#toast")).to_be_visible()
    page.close()
