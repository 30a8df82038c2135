"""What else moves the head: a gamepad, and a phone that turns in the hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.browsing import chromium, see, until, upload, visiting, wait_for_still
from tests.e2e.conftest import ServerProcess
from tests.e2e.discs import NEAR_M, expected_parallax, parallax, two_discs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]

GAMEPAD = """
    window.pad = {
        index: 0, connected: true, mapping: "standard", axes: [0, 0, 0, 0],
        buttons: Array.from({length: 17}, () => ({pressed: false, value: 0})),
    };
    navigator.getGamepads = () => [null, pad];
"""
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 1,
}
"""As narrow as they come."""


@pytest.fixture(scope="module")
def scene(running: Browser, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of the scene of two discs."""
    file = tmp_path_factory.mktemp("scenes") / "two discs.ply"
    two_discs(file)
    with visiting(running, server.url) as page:
        return upload(page, file)


def test_a_gamepad_leans_and_goes_back_to_the_middle(
    running: Browser, server: ServerProcess, scene: str
) -> None:
    with visiting(running, f"{server.url}#{scene}", [GAMEPAD]) as page:
        wait_for_still(page)
        before = see(page)
        page.evaluate("pad.axes = [1, 0, 0, 0]; null")
        until(page, "sharpXr.head.position[0] > 0.05")
        page.evaluate("pad.axes = [0, 0, 0, 0]; null")
        wait_for_still(page)
        leant = page.evaluate("sharpXr.head.position[0]")
        assert parallax(before, see(page))[0] == pytest.approx(-expected_parallax(leant), rel=0.1)
        page.evaluate("pad.buttons[0] = {pressed: true, value: 1}; null")
        until(page, "sharpXr.head.position.every((metres) => metres === 0)")


def test_a_phone_that_turns_in_the_hand_is_a_window(
    running: Browser, server: ServerProcess, scene: str
) -> None:
    def hold(alpha: float) -> None:
        page.evaluate(
            """(alpha) => window.dispatchEvent(new DeviceOrientationEvent(
                "deviceorientation", {alpha, beta: 90, gamma: 0}))""",
            alpha,
        )

    with visiting(running, f"{server.url}#{scene}", **PHONE) as page:
        wait_for_still(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        button = page.get_by_role("button", name="Look around by tilting the phone")
        expect(button).to_be_in_viewport(ratio=1)
        button.tap()
        for _ in range(20):  # the browser's permission takes a moment; then a sensor is waited for
            hold(40)
            page.wait_for_timeout(100)
        expect(button).to_have_attribute("aria-pressed", "true")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        wait_for_still(page)
        before = see(page)
        hold(43)  # to the left, seen from above: the head is further left then
        until(page, "sharpXr.head.position[0] < -0.02")
        assert parallax(before, see(page))[0] > 0.01
        leant = page.evaluate("sharpXr.head.position[0]")
        assert leant == pytest.approx(-np.radians(3) * NEAR_M, abs=0.02)  # some is forgotten by now
        button.tap()
        expect(button).to_have_attribute("aria-pressed", "false")


def test_a_phone_that_does_not_tell_how_it_is_held_says_so(
    running: Browser, server: ServerProcess, scene: str
) -> None:
    with visiting(running, f"{server.url}#{scene}", **PHONE) as page:
        wait_for_still(page)
        button = page.get_by_role("button", name="Look around by tilting the phone")
        button.tap()
        expect(page.locator("#toast")).to_contain_text("does not tell how it is held")
        expect(button).to_have_attribute("aria-pressed", "false")


def test_a_computer_has_no_button_for_tilting(
    running: Browser, server: ServerProcess, scene: str
) -> None:
    with visiting(running, f"{server.url}#{scene}") as page:
        wait_for_still(page)
        expect(page.locator("#tilt-button")).to_be_hidden()
