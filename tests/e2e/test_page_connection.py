"""How the page comes in, and comes back: the token, a server that goes away."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.browsing import chromium, scene_of, until, upload, visiting, wait_for_still
from tests.e2e.conftest import ServerProcess, serving
from tests.e2e.discs import two_discs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]


def port_of(server: ServerProcess) -> str:
    return str(urlsplit(server.url).port)


def test_who_comes_without_the_token_can_paste_the_address_and_hears_when_it_is_another(
    running: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, "--token", "one") as first:
        page = running.new_page()
        page.goto(first.url.partition("?")[0])
        expect(page.get_by_role("alert")).to_contain_text("This server wants its token")
        field = page.get_by_label("The code, the token, or the whole address")
        expect(field).to_be_focused()
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(243, 241, 236)"  # Playwright's browser likes it light
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(ground) == "rgb(12, 13, 16)"
        field.fill("guess")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("neither this server's token nor")
        page.get_by_role("textbox").fill(first.url)
        page.get_by_role("button", name="Open").click()
        until(page, "window.sharpXr?.state.connection === 'live'")
        first.stop()
        # The first is replaced by the second as soon as the page has tried again.
        gone = re.compile("The server was stopped.|The server is away.")
        expect(page.locator("#status")).to_contain_text(gone)
        with serving(tmp_path, "--port", port_of(first), "--token", "two"):
            expect(page.locator("#status")).to_contain_text("This server wants its token")
            page.reload()
            expect(page.get_by_role("textbox")).to_be_visible()
        page.close()


def test_a_server_that_was_started_again_shows_the_last_scene_by_itself(
    running: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "two discs.ply"
    two_discs(file)
    data = tmp_path / "data"
    with serving(data) as first:
        port = port_of(first)
        with visiting(running, first.url) as page:
            wanted = upload(page, file)
            upload(page, file)  # what the server shows to who comes anew is another one
            page.locator(f"[data-scene='{wanted}'] [data-part=open]").click()
            until(page, f"sharpXr.state.scene === '{wanted}'")
            first.process.kill()
            expect(page.locator("#status")).to_contain_text("The server is away")
            with serving(data, "--port", port):
                assert_comes_back(page, wanted)


def assert_comes_back(page: Page, wanted: str) -> None:
    shown = page.evaluate("sharpXr.state.shown")
    until(page, "sharpXr.state.connection === 'live'")
    until(page, f"sharpXr.state.shown > {shown}")
    wait_for_still(page)
    assert scene_of(page) == wanted
    expect(page.locator("#waiting")).to_be_hidden()
