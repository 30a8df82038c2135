"""The page for people who do not use a mouse, see little, or want nothing to move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.browsing import chromium, scene_of, until, upload, visiting, wait_for_still
from tests.e2e.conftest import ServerProcess
from tests.e2e.discs import two_discs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]

CONTROLS = "button, a[href], input, canvas[role=application]"
LEAST_CONTRAST = 4.5
"""WCAG 2.2, criterion 1.4.3 (AA), for text of ordinary size."""


@pytest.fixture(scope="module")
def page(
    running: Browser, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A visitor who looks at a scene, with everything open that opens."""
    file = tmp_path_factory.mktemp("scenes") / "two discs.ply"
    two_discs(file)
    with visiting(running, server.url) as visited:
        upload(visited, file)
        visited.keyboard.press("i")
        visited.keyboard.press("2")
        visited.keyboard.press("l")
        yield visited


def test_every_control_has_a_name(page: Page) -> None:
    nameless = page.evaluate(
        """controls => [...document.querySelectorAll(controls)]
            .filter(it => !it.closest(".toast") && !it.classList.contains("tile-field"))
            .filter(it => !(it.ariaLabel || it.innerText.trim() || it.labels?.length))
            .map(it => it.outerHTML)""",
        CONTROLS,
    )
    assert nameless == []


def test_the_tab_key_reaches_every_control_that_is_seen(page: Page) -> None:
    page.evaluate(
        """controls => {
            document.activeElement.blur();
            window.unreached = new Set([...document.querySelectorAll(controls)]
                .filter(it => it.checkVisibility() && !it.disabled));
        }""",
        CONTROLS,
    )
    count = page.evaluate("unreached.size")
    assert count > 10
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        page.evaluate("unreached.delete(document.activeElement)")
    assert page.evaluate("[...unreached].map(it => it.outerHTML)") == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_words_stand_out_from_what_is_behind_them(
    page: Page, scheme: Literal["dark", "light"]
) -> None:
    """Against the worst that may shine through: each colour of the way down, on black and white."""
    page.emulate_media(color_scheme=scheme)
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(lightness) > 128) == (scheme == "light")
    faint = page.evaluate(
        """least => {
            const parts = color => color.match(/[\\d.]+/g).map(Number);
            const over = (top, below) => {
                const [r, g, b, alpha = 1] = top;
                return [r, g, b].map((c, i) => c * alpha + below[i] * (1 - alpha));
            };
            const light = rgb => rgb.map(c => c / 255)
                .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const contrast = (a, b) => {
                const [dark, bright] = [light(a), light(b)].sort((x, y) => x - y);
                return (bright + 0.05) / (dark + 0.05);
            };
            const behind = (it, ground) => {
                const layers = [];
                for (let at = it; at; at = at.parentElement) {
                    layers.unshift(parts(getComputedStyle(at).backgroundColor));
                }
                const floats = it.closest(".panel, .controls, .lens, .hint, .card, .toast");
                const first = floats ? ground : layers[1];
                const above = floats ? layers.slice(-depth(it, floats)) : layers;
                return above.reduce((below, top) => over(top, below), first);
            };
            const depth = (it, top) => it === top ? 1 : 1 + depth(it.parentElement, top);
            const texts = [...document.querySelectorAll("body *")].filter(it =>
                it.checkVisibility() && it.children.length === 0 && it.textContent.trim());
            const worst = it => Math.min(...[[0, 0, 0], [255, 255, 255]].map(ground => {
                const below = behind(it, ground);
                return contrast(over(parts(getComputedStyle(it).color), below), below);
            }));
            return texts.map(it => [it.textContent.trim(), worst(it)])
                .filter(([, ratio]) => !(ratio >= least));
        }""",
        LEAST_CONTRAST,
    )
    assert faint == []


def test_who_wants_no_motion_sees_a_picture_at_rest(page: Page) -> None:
    page.reload()
    until(page, "sharpXr.state.connection === 'live' && sharpXr.state.shown > 5")
    wait_for_still(page)
    assert page.evaluate("sharpXr.head.position") == [0, 0, 0]
    page.get_by_role("button", name="Add a photo").hover()
    assert page.evaluate("document.getAnimations().filter(it => it.playState === 'running')") == []
    assert scene_of(page)


def test_a_slider_names_degrees_and_millimetres_and_gives_the_focus_back(page: Page) -> None:
    button = page.get_by_role("button", name="The photo's field of view")
    button.focus()
    page.keyboard.press("Enter")
    slider = page.get_by_role("slider", name="The photo's field of view")
    expect(slider).to_be_focused()
    expect(slider).to_have_attribute("aria-valuetext", "71 degrees, 30.3 millimetres")
    page.keyboard.press("Escape")
    expect(slider).to_be_hidden()
    expect(button).to_be_focused()
