"""A real Chromium on the real page: how tests start it, wait for it, and read what it shows."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

Picture = NDArray[np.float64]
"""[H, W, 3] sRGB, 0 to 255."""

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # tests run as root in containers
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",  # WebGL without a GPU
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_S = 30.0
expect.set_options(timeout=WAIT_S * 1000)


def chromium() -> str | None:
    """Path of the system's Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Headless, one for many pages."""
    path = chromium()
    assert path is not None
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@contextlib.contextmanager
def visiting(
    running: Browser, url: str, scripts: Iterable[str] = (), **context: Any
) -> Iterator[Page]:
    """The page, connected, as a fresh visitor who wants no sway. Fails if the page has an error.

    ``scripts`` run before the page's own.
    """
    options: dict[str, Any] = {"viewport": {"width": 1000, "height": 720}, **context}
    visitor = running.new_context(base_url=url, reduced_motion="reduce", **options)
    page = visitor.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.extend(_complaint(message)))
    for script in scripts:
        page.add_init_script(script)
    page.goto(url)
    until(page, "sharpXr.state.connection === 'live'")
    yield page
    visitor.close()
    assert not errors, errors


NO_FAULTS = ("status of 4", "ERR_CONNECTION_", "WebSocket connection to")
"""Chromium calls it an error when a file is refused or the server is away."""


def _complaint(message: ConsoleMessage) -> list[str]:
    is_fault = message.type == "error" and not any(words in message.text for words in NO_FAULTS)
    return [message.text] if is_fault else []


def until(page: Page, condition: str, seconds: float = WAIT_S) -> None:
    """Waits for a JavaScript expression; the page forbids the eval of Playwright's own way."""
    for _ in range(int(seconds / 0.05)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"in {seconds:g} s this did not become true: {condition}")


def place_head(page: Page, **place: float) -> None:
    """Puts the head there; returns when frames drawn for it are shown, and sharp."""
    page.evaluate("place => sharpXr.setHead(place)", place)
    wait_for_still(page)


def wait_for_still(page: Page) -> None:
    """Returns when the frame of the head as it is now is shown, and some more, which sharpen it."""
    until(
        page,
        """(() => {
            const now = JSON.stringify(sharpXr.head);
            const last = sharpXr.frames.slice(-4);
            return last.length === 4 && last.every(({head}) => JSON.stringify(head) === now);
        })()""",
    )


def see(page: Page) -> Picture:
    """What the canvas shows, above the buttons that lie on it: its upper three quarters."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)))")
    with Image.open(io.BytesIO(page.locator("#canvas").screenshot())) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    return pixels[: pixels.shape[0] * 3 // 4]


def centre(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean column and row of what is true, in widths of the picture."""
    rows, columns = np.nonzero(mask)
    assert len(rows) > 50, "the marker is not in the picture"
    return columns.mean() / mask.shape[1], rows.mean() / mask.shape[1]


def scene_of(page: Page) -> str:
    """Id of the scene that is shown."""
    scene = page.evaluate("sharpXr.state.scene")
    assert isinstance(scene, str)
    return scene


def drop(page: Page, file: Path) -> None:
    """Drops a file on the page, which says that it may."""
    carried = page.evaluate_handle(
        """([name, letters]) => {
            const carried = new DataTransfer();
            const bytes = Uint8Array.from(atob(letters), letter => letter.charCodeAt(0));
            carried.items.add(new File([bytes], name));
            return carried;
        }""",
        [file.name, base64.b64encode(file.read_bytes()).decode()],
    )
    page.dispatch_event("main", "dragenter", {"dataTransfer": carried})
    expect(page.get_by_text("Drop it here")).to_be_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": carried})
    expect(page.get_by_text("Drop it here")).to_be_hidden()


def choose(page: Page, file: Path) -> None:
    """Chooses a file with the page's button."""
    page.set_input_files("#file", file)


def upload(page: Page, file: Path, how: Callable[[Page, Path], None] = choose) -> str:
    """Brings a file in as a person does; returns the scene's id when it is on the stage."""
    before = json.dumps(page.evaluate("sharpXr.state.scene"))
    how(page, file)
    until(page, f"sharpXr.state.scene !== null && sharpXr.state.scene !== {before}")
    until(page, "!document.getElementById('canvas').hidden")
    wait_for_still(page)
    return scene_of(page)
