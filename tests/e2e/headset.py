"""An emulated headset in Chromium (``iwer`` of tests/web/vendor): how tests wear it and see by it.

The headset looks through 90 degrees from top to bottom; its two eyes share the window.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page
from tests.e2e.browsing import Picture, until

WINDOW = {"width": 480, "height": 360}
"""Small: the machine draws it without a GPU."""
TANGENT = WINDOW["width"] / 2 / WINDOW["height"]
"""Of each side of an eye's field of view."""
IPD_M = 0.063
PLACE = (0.4, 1.6, -0.3)
"""Where it is put on, above the floor; the page's space begins at this height."""

IWER = Path(__file__).parents[1] / "web" / "vendor" / "iwer.min.js"
WORN = f"""
    window.device = new IWER.XRDevice(IWER.metaQuest3);
    device.installRuntime({{forceInstall: true}});
    device.stereoEnabled = true;
    device.ipd = {IPD_M};
    device.fovy = Math.PI / 2;
    device.position.set(...{list(PLACE)});
    device.quaternion.set(0, Math.SQRT1_2, 0, Math.SQRT1_2); // it looks to the left of the room
    window.grab = () => new Promise((done) => {{
        requestAnimationFrame(() => done(document.getElementById("canvas").toDataURL()));
    }});
"""
ONLY_A_VIDEO = "delete window.MediaStreamTrackProcessor;"


def scripts() -> list[str]:
    """What the page finds when it starts."""
    return [IWER.read_text(encoding="utf-8"), WORN]


def enter(page: Page, button: str = "Enter VR") -> None:
    """Puts it on, with the panel closed; returns when a frame has come for where it is."""
    page.get_by_role("button", name=button).click()
    until(page, "sharpXr.door.headset.view !== null")
    page.evaluate("sharpXr.door.panel.close()")
    wait_for_frames(page)


def wait_for_frames(page: Page) -> None:
    """Returns when frames of where the head and its eyes are now are shown, and sharp."""
    until(
        page,
        """(() => {
            const told = ({head, eyes}) => JSON.stringify([head, eyes?.map(({pose}) => pose)]);
            const now = told(sharpXr.door.headset.view);
            const last = sharpXr.frames.slice(-4);
            return last.length === 4 && last.every((frame) => told(frame) === now);
        })()""",
    )


def lean(page: Page, right: float = 0.0, up: float = 0.0, back: float = 0.0) -> None:
    """Moves the head from where it was put on; its wearer looks along -x of the room."""
    x, y, z = PLACE
    moved = page.evaluate(
        """place => {
            const { x, y, z } = device.position;
            window.headBefore = JSON.stringify(sharpXr.door.headset.view?.head);
            device.position.set(...place);
            return Math.hypot(x - place[0], y - place[1], z - place[2]) > 1e-6;
        }""",
        [x + back, y + up, z - right],
    )
    if moved:  # a busy machine may not have noticed after a turn
        until(page, "JSON.stringify(sharpXr.door.headset.view?.head) !== headBefore")
    turn(page)


def eyes(page: Page) -> tuple[Picture, Picture]:
    """What the left and the right eye see."""
    url: str = page.evaluate("grab()")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        picture = np.asarray(image.convert("RGB"), np.float64)
    middle = picture.shape[1] // 2
    return picture[:, :middle], picture[:, middle:]


def column(right_m: float, depth_m: float) -> float:
    """Where in an eye's picture, in widths, is what is so far to its right, and so deep."""
    return 0.5 + right_m / depth_m / (2 * TANGENT)


def aim(page: Page, hand: str, x: float, y: float) -> None:
    """Points a hand at this place of the panel (0 to 1 from its left and top), straight."""
    page.evaluate(
        """([hand, x, y, floor]) => {
            const {position: p, orientation: q} = sharpXr.door.panel.stand;
            const {matrix} = new XRRigidTransform(
                {x: p[0], y: p[1], z: p[2]}, {x: q[0], y: q[1], z: q[2], w: q[3]});
            const there = new DOMMatrix([...matrix]).transformPoint(
                new DOMPoint((x - 0.5) * 0.96, (0.5 - y) * 0.42, 0.5));
            device.controllers[hand].position.set(there.x, there.y + floor, there.z);
            device.controllers[hand].quaternion.set(...q);
        }""",
        [hand, x, y, PLACE[1]],
    )
    turn(page)


def turn(page: Page) -> None:
    """Returns when the headset has had two more frames: it hears of its hands once in each."""
    page.evaluate(
        """() => new Promise((done) => requestAnimationFrame(
            () => requestAnimationFrame(() => requestAnimationFrame(done))))"""
    )


def pull(page: Page, hand: str = "right", button: str = "trigger") -> None:
    """Pulls it, and lets it go."""
    for value in (1, 0):
        page.evaluate(
            "([hand, name, value]) => device.controllers[hand].updateButtonValue(name, value)",
            [hand, button, value],
        )
        turn(page)


def flick(page: Page, x: float = 0.0, y: float = 0.0) -> None:
    """Pushes the right stick, and lets it come back."""
    for axes in ([x, y], [0, 0]):
        page.evaluate("axes => device.controllers.right.updateAxes('thumbstick', ...axes)", axes)
        turn(page)


def press(page: Page, action: str, scene: str | None = None) -> None:
    """Points at something on the panel, and pulls the trigger."""
    place = page.evaluate(
        """([action, scene]) => {
            const cell = sharpXr.door.panel.cells.find((one) =>
                one.action === action && (scene === null || one.scene?.id === scene));
            return [(cell.x + cell.width / 2) / 1024, (cell.y + cell.height / 2) / 448];
        }""",
        [action, scene],
    )
    aim(page, "right", *place)
    pull(page)
