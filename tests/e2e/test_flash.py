"""The page measures motion to photon by pixels: it finds the delay that a test puts in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from scripts.benchmarks.latency import server
from tests.e2e.browsing import chromium, until, visiting

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]

INJECTED_MS = 300
WATCH = """injected => {
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (message) {
        setTimeout(() => this.readyState === 1 && send.call(this, message), injected);
    };
    const { flash } = sharpXr;
    const move = flash.move.bind(flash);
    const watched = (globalThis.watched = { steps: [], turns: [] });
    const headNow = () => JSON.stringify(sharpXr.head);
    flash.move = () => {
        watched.turns.push(performance.now());
        const before = headNow();
        move();
        if (headNow() !== before) watched.steps.push({ at: performance.now(), head: headNow() });
    };
}"""
"""Every message leaves the page late; notes when the head makes a step, and each turn."""
SHOWN = """watched.steps.map(({ at, head }) => sharpXr.frames.find(
    (frame) => frame.shownAt > at && JSON.stringify(frame.head) === head).shownAt - at)"""
"""How long each step took until the frame of its pose was shown: by poses, not by pixels."""


@pytest.fixture
def page(running: Browser) -> Iterator[Page]:
    """A visitor of a server whose pictures cost nothing."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (address, _):
        with visiting(running, address) as visited:
            until(visited, "!document.getElementById('canvas').hidden")
            yield visited


def test_the_page_finds_the_delay_that_is_put_in(page: Page) -> None:
    page.evaluate(WATCH, INJECTED_MS)
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    until(page, "!sharpXr.flash.isRunning", 90)
    expect(page.locator("[data-part=flash]")).to_contain_text("changed the picture after")
    result: dict[str, Any] = page.evaluate("sharpXr.flash.result")
    turns, shown = page.evaluate("watched.turns"), page.evaluate(SHOWN)
    frames, warp = result["frames"], result["warp"]
    longest_turn = max(after - before for before, after in pairwise(turns))
    assert len(frames) == len(warp) == 5 and len(shown) == 10
    for measured, true in zip(frames, shown[:5], strict=True):
        assert measured >= INJECTED_MS  # no frame of the step can be there before
        assert abs(measured - true) <= longest_turn
    for measured, frame in zip(warp, shown[5:], strict=True):
        assert measured < frame  # the warp waits for no frame
    expect(page.get_by_role("button", name="Measure motion to photon")).to_be_visible()


def test_who_moves_the_head_meanwhile_hears_that_it_spoils_the_measurement(page: Page) -> None:
    page.keyboard.press("i")
    page.get_by_role("button", name="Measure motion to photon").click()
    expect(page.locator("[data-part=flash]")).to_contain_text("Keep your hands off")
    page.keyboard.down("ArrowLeft")
    expect(page.locator("[data-part=flash]")).to_contain_text("Stopped: the head was moved")
    page.keyboard.up("ArrowLeft")
    assert page.evaluate("sharpXr.flash.result") is None
