"""The page in an emulated headset: what both eyes see, by pixels, and what hands do there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect
from tests.e2e import headset
from tests.e2e.browsing import (
    Picture,
    chromium,
    place_head,
    scene_of,
    see,
    until,
    upload,
    visiting,
    wait_for_still,
)
from tests.e2e.conftest import ServerProcess
from tests.e2e.discs import CAMERA, FAR_M, NEAR_M, disc, discs, parallax, two_discs
from tests.e2e.headset import IPD_M, TANGENT, column, enter, eyes, lean, press, wait_for_frames

from sharp_xr.formats.ply import write_ply
from sharp_xr_protocol.codec import decode_from_client
from sharp_xr_protocol.messages import Hello, Tracking

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
    pytest.mark.timeout(300),  # two eyes are drawn without a GPU
]

NEAR_X, FAR_X = -0.1, 0.7
"""Where the discs are, in metres right of the photo's camera."""
TWO_PIXELS = 2 / (headset.WINDOW["width"] / 2)


@pytest.fixture(scope="module")
def scenes(
    running: Browser, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Ids of a scene of a blue disc, and of the one of two discs."""
    folder = tmp_path_factory.mktemp("scenes")
    write_ply(folder / "blue.ply", disc((0.0, 0.0), 2.0, 0.5, (0.0, 0.0, 0.9)), CAMERA)
    two_discs(folder / "two discs.ply")
    with visiting(running, server.url) as page:
        return [upload(page, folder / name) for name in ("blue.ply", "two discs.ply")]


@pytest.fixture
def page(running: Browser, server: ServerProcess, scenes: list[str]) -> Iterator[Page]:
    """A visitor with a headset who looks at the two discs, on the page."""
    with visit(running, server, scenes[1]) as visited:
        yield visited


@pytest.fixture
def inside(page: Page) -> Page:
    """The same, inside."""
    enter(page)
    return page


def visit(
    running: Browser, server: ServerProcess, scene: str, *scripts: str
) -> AbstractContextManager[Page]:
    """A visitor with a headset, who looks at this scene."""
    return visiting(
        running,
        f"{server.url}#{scene}",
        [*headset.scripts(), *scripts],
        viewport=headset.WINDOW,
    )


# --- what the eyes see ---------------------------------------------------------------------------


def check_truth(page: Page, head_x: float = 0.0, head_z: float = 0.0) -> None:
    """Each eye sees each disc where a metre of the photo is a metre of the room."""
    for side, picture in zip((-1, 1), eyes(page), strict=True):
        seen = discs(picture)
        eye_x = head_x + side * IPD_M / 2
        for name, x, depth in (("near", NEAR_X, NEAR_M), ("far", FAR_X, FAR_M)):
            wanted = column(x - eye_x, depth + head_z)
            assert seen[name][0] == pytest.approx(wanted, abs=TWO_PIXELS), (name, side)


@pytest.mark.parametrize("script", ["", headset.ONLY_A_VIDEO], ids=["track", "video"])
def test_each_eye_sees_the_scene_in_true_scale(
    running: Browser, server: ServerProcess, scenes: list[str], script: str
) -> None:
    with visit(running, server, scenes[1], script) as page:
        enter(page)
        is_video = page.evaluate("document.getElementById('video').srcObject !== null")
        assert is_video == (script != ""), "frames came another way"
        check_truth(page)
        left, right = eyes(page)
        assert discs(left)["near"][0] - discs(right)["near"][0] > 3 * TWO_PIXELS
        lean(page, right=0.1)
        wait_for_frames(page)
        check_truth(page, head_x=0.1)


def test_the_scene_stays_in_its_place_while_the_head_comes_closer_and_rises(inside: Page) -> None:
    before = eyes(inside)[0]
    lean(inside, back=-0.2)
    wait_for_frames(inside)
    check_truth(inside, head_z=-0.2)
    lean(inside, up=0.1)
    wait_for_frames(inside)
    assert parallax(before, eyes(inside)[0])[1] == pytest.approx(
        0.1 * (1 / NEAR_M - 1 / FAR_M) / (2 * TANGENT), rel=0.1
    )


def test_eyes_in_one_place_see_the_same(inside: Page) -> None:
    """What is seen of the distance between the eyes is due to it."""
    inside.evaluate("device.ipd = 0")
    until(inside, "sharpXr.door.headset.view.eyes[0].pose.position[0] === 0")
    headset.turn(inside)
    wait_for_frames(inside)
    left, right = (discs(picture) for picture in eyes(inside))
    assert left["near"] == pytest.approx(right["near"], abs=TWO_PIXELS / 4)
    assert left["far"] == pytest.approx(right["far"], abs=TWO_PIXELS / 4)


def test_a_turn_of_the_head_moves_near_and_far_alike(inside: Page) -> None:
    before = discs(eyes(inside)[0])
    angle = 0.15  # to the left, about the middle between the eyes
    inside.evaluate(
        "half => device.quaternion.set(0, Math.sin(half), 0, Math.cos(half))",
        np.pi / 4 + angle / 2,
    )
    wait_for_frames(inside)
    after = discs(eyes(inside)[0])
    for name, x, depth in (("near", NEAR_X, NEAR_M), ("far", FAR_X, FAR_M)):
        eye = -IPD_M / 2 * np.array([np.cos(angle), -np.sin(angle)])  # right, back
        right, back = x - eye[0], -depth - eye[1]
        wanted = column(
            np.cos(angle) * right - np.sin(angle) * back,
            -(np.sin(angle) * right + np.cos(angle) * back),
        )
        assert after[name][0] == pytest.approx(wanted, abs=TWO_PIXELS)
        assert after[name][0] > before[name][0] + 0.1


def test_a_frame_is_warped_by_its_depth_where_no_newer_one_comes(inside: Page) -> None:
    inside.evaluate("WebSocket.prototype.send = () => {}")  # no pose reaches the server from here
    before = eyes(inside)
    lean(inside, right=0.1)
    for was, now in zip(before, eyes(inside), strict=True):
        for name, depth in (("near", NEAR_M), ("far", FAR_M)):
            moved = left_end(now, name) - left_end(was, name)  # as exact as a texel of the depth
            assert moved == pytest.approx(-0.1 / depth / (2 * TANGENT), abs=2 * TWO_PIXELS), name
    last, now = inside.evaluate("[sharpXr.frames.at(-1).head, sharpXr.door.headset.view.head]")
    assert last["position"][0] == 0 and now["position"][0] == pytest.approx(0.1)


def left_end(picture: Picture, name: str) -> float:
    """Of a disc, in widths: its other end is blurred where nothing is known of what was behind."""
    red, green, blue = np.moveaxis(picture, 2, 0)
    mask = red - np.maximum(green, blue) > 60 if name == "near" else green - red > 60
    end: float = np.percentile(np.nonzero(mask)[1], 2) / picture.shape[1]
    return end


def test_the_server_is_told_the_headset_s_poses_eyes_and_fields_of_view(page: Page) -> None:
    sent: list[Tracking] = []

    def hear(socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: note(payload))

    def note(payload: str | bytes) -> None:
        message = decode_from_client(payload) if isinstance(payload, bytes) else None
        if isinstance(message, Tracking):
            sent.append(message)

    page.on("websocket", hear)
    page.reload()
    until(page, "sharpXr.state.connection === 'live' && sharpXr.state.shown > 3")
    enter(page)
    lean(page, right=0.2, up=0.1, back=0.3)
    wait_for_frames(page)
    told = sent[-1]
    assert told.head.position == pytest.approx((0.2, 0.1, 0.3), abs=1e-5)
    assert told.head.orientation == pytest.approx((0, 0, 0, 1), abs=1e-5)
    for side, eye in zip((-1, 1), told.eyes, strict=True):
        assert eye.pose.position == pytest.approx((side * IPD_M / 2, 0, 0), abs=1e-5)
        tangents = np.tan([eye.fov.left, eye.fov.right, eye.fov.up, eye.fov.down])
        assert tangents == pytest.approx((-TANGENT, TANGENT, 1, -1), abs=1e-5)
    keys = [message.key for message in sent]
    assert keys == sorted(set(keys))


def test_a_headset_gets_pictures_of_its_own_size_and_rate_while_it_is_worn(page: Page) -> None:
    hellos: list[Hello] = []

    def note(payload: str | bytes) -> None:
        message = decode_from_client(payload) if isinstance(payload, bytes) else None
        if isinstance(message, Hello):
            hellos.append(message)

    page.on("websocket", lambda socket: socket.on("framesent", note))
    page.evaluate("Object.defineProperty(XRSession.prototype, 'frameRate', {get: () => 90})")
    enter(page)
    worn = hellos[-1].display
    assert (worn.eye_width, worn.eye_height) == (headset.WINDOW["width"] // 2, 360)
    assert worn.refresh_hz == 90
    page.evaluate("sharpXr.door.headset.leave()")
    until(page, "sharpXr.state.connection === 'live' && !sharpXr.door.isOpen")
    wait_for_still(page)
    shown = hellos[-1].display
    assert len(hellos) == 2
    assert shown.eye_width == shown.eye_height and shown.refresh_hz == 60


def test_in_augmented_reality_the_room_is_seen_around_the_things(
    running: Browser, server: ServerProcess, scenes: list[str]
) -> None:
    see_through = """
        const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, options) {
            return get.call(this, kind, kind === "webgl2" ? {...options, alpha: true} : options);
        };
        window.alphas = (places) => new Promise((done) => requestAnimationFrame(() => {
            const gl = document.getElementById("canvas").getContext("webgl2");
            const pixel = new Uint8Array(4);
            done(places.map(([x, y]) => {
                gl.readPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
                return pixel[3];
            }));
        }));
    """
    with visit(running, server, scenes[0], see_through) as page:
        width, height = headset.WINDOW["width"] // 2, headset.WINDOW["height"]
        disc_and_beside = [[width // 2, height // 2], [width // 8, height // 2]]
        enter(page)
        assert page.evaluate("places => alphas(places)", disc_and_beside) == [255, 255]
        page.evaluate("sharpXr.door.headset.leave()")
        until(page, "!sharpXr.door.isOpen")
        enter(page, "Enter AR")
        assert page.evaluate("places => alphas(places)", disc_and_beside) == [255, 0]


# --- what hands do -------------------------------------------------------------------------------


def disparity(page: Page) -> float:
    """Of the near disc between the eyes, in widths."""
    left, right = (discs(picture)["near"][0] for picture in eyes(page))
    wide: float = left - right
    return wide


def test_the_panel_is_open_at_first_and_a_trigger_beside_it_hides_and_shows_it(page: Page) -> None:
    page.get_by_role("button", name="Enter VR").click()
    until(page, "sharpXr.door.panel.isOpen")
    headset.aim(page, "right", 0.5, -0.5)
    headset.pull(page)
    until(page, "!sharpXr.door.panel.isOpen")
    wait_for_frames(page)
    before = eyes(page)[0]
    headset.pull(page)
    until(page, "sharpXr.door.panel.isOpen")
    headset.turn(page)
    lower = np.s_[before.shape[0] * 6 // 10 : before.shape[0] * 8 // 10, 80:-80]
    assert np.abs(eyes(page)[0][lower] - before[lower]).mean() > 20, "the panel is not seen"


def test_a_trigger_on_the_panel_goes_to_another_scene_which_is_entered_in_its_middle(
    inside: Page, scenes: list[str]
) -> None:
    lean(inside, right=0.2)
    headset.flick(inside, y=-1)
    assert inside.evaluate("sharpXr.door.headset.size") > 1
    open_panel(inside)
    press(inside, "show", scenes[0])
    until(inside, f"sharpXr.state.scene === '{scenes[0]}'")
    until(inside, "sharpXr.door.headset.view.head.position.every((metres) => metres === 0)")
    assert inside.evaluate("sharpXr.door.headset.size") == 1
    assert not inside.evaluate("sharpXr.door.panel.isOpen")
    wait_for_frames(inside)
    left, right = eyes(inside)
    for side, picture in ((-1, left), (1, right)):
        wanted = column(-side * IPD_M / 2, 2.0)
        assert blue_middle(picture) == pytest.approx(wanted, abs=TWO_PIXELS)


def blue_middle(picture: Picture) -> float:
    columns = np.nonzero(picture[..., 2] - picture[..., :2].max(2) > 60)[1]
    middle: float = columns.mean() / picture.shape[1]
    return middle


def open_panel(page: Page) -> None:
    headset.pull(page)
    until(page, "sharpXr.door.panel.isOpen")


def test_a_stick_goes_to_the_next_scene_once_and_around_the_end(
    inside: Page, scenes: list[str]
) -> None:
    listed = inside.evaluate(
        "sharpXr.door.panel.cells.filter((c) => c.scene).map((c) => c.scene.id)"
    )
    after = listed[(listed.index(scenes[1]) + 1) % len(listed)]
    headset.flick(inside, x=1)
    until(inside, f"sharpXr.state.scene === '{after}'")
    headset.flick(inside, x=-1)
    until(inside, f"sharpXr.state.scene === '{scenes[1]}'")


@pytest.mark.parametrize(
    "ask", ["pull", "device.recenter(), null"], ids=["grip", "headset's own button"]
)
def test_recentring_brings_the_scene_to_the_head(inside: Page, ask: str) -> None:
    lean(inside, right=0.15, up=-0.1)
    until(inside, "Math.abs(sharpXr.door.headset.view.head.position[0]) > 0.1")
    if ask == "pull":
        headset.pull(inside, "left", "squeeze")
    else:
        inside.evaluate(ask)
    until(inside, "sharpXr.door.headset.view.head.position.every((m) => Math.abs(m) < 1e-6)")
    wait_for_frames(inside)
    check_truth(inside)


def test_a_larger_scene_has_eyes_that_are_nearer_to_each_other_and_true_size_is_one_press_away(
    inside: Page,
) -> None:
    true = disparity(inside)
    open_panel(inside)
    press(inside, "larger")
    press(inside, "larger")
    size = inside.evaluate("sharpXr.door.headset.size")
    assert size == pytest.approx(1.25**2)
    inside.evaluate("sharpXr.door.panel.close()")
    headset.turn(inside)
    wait_for_frames(inside)
    assert disparity(inside) == pytest.approx(true / size, rel=0.1)
    open_panel(inside)
    press(inside, "true")
    assert inside.evaluate("sharpXr.door.headset.size") == pytest.approx(1)


def test_hands_are_not_heard_while_a_menu_of_the_headset_is_open(inside: Page) -> None:
    inside.evaluate("device.updateVisibilityState('visible-blurred')")
    headset.turn(inside)
    headset.flick(inside, y=-1)
    assert inside.evaluate("sharpXr.door.headset.size") == 1
    inside.evaluate("device.updateVisibilityState('visible')")
    headset.turn(inside)
    headset.flick(inside, y=-1)
    assert inside.evaluate("sharpXr.door.headset.size") > 1


# --- the way out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["panel", "headset", "context"])
def test_leaving_brings_the_page_back_as_it_was(page: Page, way: str) -> None:
    wait_for_still(page)
    before = see(page)
    before = before[: len(before) // 2]  # above the hint, which comes and goes
    page.get_by_role("button", name="Enter VR").click()
    until(page, "sharpXr.door.panel.isOpen")
    if way == "panel":
        press(page, "leave")
    elif way == "headset":
        page.evaluate("device.activeSession.end()")
    else:
        page.evaluate(
            """() => {
                const gl = document.getElementById("canvas").getContext("webgl2");
                const get = gl.getParameter.bind(gl); // iwer asks a lost context, too
                gl.getParameter = (name) => get(name) ?? [0, 0, 0, 0];
                const handle = gl.getExtension("WEBGL_lose_context");
                handle.loseContext();
                setTimeout(() => handle.restoreContext(), 200);
            }"""
        )
    until(page, "!sharpXr.door.isOpen")
    place_head(page, x=0.05)
    place_head(page)
    after = see(page)[: len(before)]
    assert after.shape == before.shape
    assert np.corrcoef(after.ravel(), before.ravel())[0, 1] > 0.98
    enter(page)  # and in again
    check_truth(page)


def test_a_refusal_is_told_in_a_sentence_and_the_page_goes_on(
    running: Browser, server: ServerProcess, scenes: list[str]
) -> None:
    refusing = (
        "navigator.xr.requestSession = () => Promise.reject(new Error('the runtime is busy'))"
    )
    with visit(running, server, scenes[1], refusing) as page:
        page.get_by_role("button", name="Enter VR").click()
        expect(page.locator("#toast")).to_contain_text("the runtime is busy.")
        assert not page.evaluate("sharpXr.door.isOpen")
        place_head(page, x=0.05)
        assert scene_of(page) == scenes[1]


def test_without_a_headset_there_is_no_such_button(
    running: Browser, server: ServerProcess, scenes: list[str]
) -> None:
    with visiting(running, f"{server.url}#{scenes[1]}") as page:
        wait_for_still(page)
        expect(page.locator("#vr-button")).to_be_hidden()
        expect(page.locator("#ar-button")).to_be_hidden()
