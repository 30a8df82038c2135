"""The page in a real Chromium, from a real server process: what a person sees, by pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect
from tests.e2e.browsing import (
    Picture,
    centre,
    chromium,
    drop,
    place_head,
    scene_of,
    see,
    until,
    upload,
    visiting,
    wait_for_still,
)
from tests.e2e.conftest import ServerProcess
from tests.e2e.discs import (
    CAMERA,
    FAR_M,
    NEAR_M,
    WINDOW,
    disc,
    expected_parallax,
    parallax,
    two_discs,
)

from sharp_xr.formats.ply import read_ply, write_ply

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]

PHOTO = Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture(scope="module")
def markers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of two discs."""
    file = tmp_path_factory.mktemp("scenes") / "two discs.ply"
    two_discs(file)
    return file


@pytest.fixture(scope="module")
def scene(running: Browser, server: ServerProcess, markers: Path) -> str:
    """Id of that scene on the server, uploaded through the page."""
    with visiting(running, server.url) as page:
        return upload(page, markers)


@pytest.fixture
def page(running: Browser, server: ServerProcess, scene: str) -> Iterator[Page]:
    """A visitor who looks at the two discs."""
    with visiting(running, f"{server.url}#{scene}") as visited:
        until(visited, f"sharpXr.state.scene === '{scene}'")
        wait_for_still(visited)
        yield visited


# --- a photo becomes a place ---------------------------------------------------------------------


def test_a_photo_becomes_a_live_picture_of_itself(running: Browser, server: ServerProcess) -> None:
    with visiting(running, server.url) as page:
        page.evaluate(
            """() => {
                window.seen = [];
                const bar = document.querySelector("[role=progressbar]");
                const note = () => seen.push([
                    document.querySelector("[data-part=stage]").textContent,
                    Number(bar.getAttribute("aria-valuenow")),
                ]);
                new MutationObserver(note).observe(bar, {attributes: true});
            }"""
        )
        upload(page, PHOTO)
        seen: list[tuple[str, int]] = page.evaluate("seen")
        stages = list(dict.fromkeys(stage for stage, _ in seen))
        percents = [percent for _, percent in seen]
        assert [stage for stage in stages if stage != "Reading the photo"] == [
            "Sending the file",
            "Building the place",
            "Keeping it",
        ]
        assert percents == sorted(percents)
        assert percents[-1] > 80
        expect(page.locator("#card")).to_be_hidden()
        expect(page.locator("#status")).to_have_text("astronaut")
        assert likeness(see(page), PHOTO) > 0.9


def likeness(seen: Picture, photo: Path) -> float:
    """Correlation with the photo, as far as it is seen (the page crops 4 %, `see` the bottom)."""
    with Image.open(photo) as image:
        width, height = image.size
        cut_x, cut_y = 0.02 * width, 0.02 * height
        bottom = height - cut_y - (height - 2 * cut_y) / 4
        there = image.convert("RGB").resize((64, 48), box=(cut_x, cut_y, width - cut_x, bottom))
    here = Image.fromarray(seen.astype(np.uint8)).resize((64, 48))
    pair = [np.asarray(picture, np.float64).ravel() for picture in (there, here)]
    return float(np.corrcoef(pair[0], pair[1])[0, 1])


def test_a_text_named_jpg_is_refused_in_a_sentence_and_the_old_scene_goes_on(
    page: Page, scene: str, tmp_path: Path
) -> None:
    file = tmp_path / "holiday.jpg"
    file.write_text("Dear diary, this is no picture.")
    page.set_input_files("#file", file)
    card = page.locator("#card")
    expect(card).to_have_attribute("data-state", "failed")
    sentence = card.locator("[data-part=stage]").inner_text()
    assert len(sentence.split()) > 3 and sentence.endswith(".")
    assert "server answered" not in sentence, "the server's own sentence was wanted"
    card.get_by_role("button", name="Close").click()
    expect(card).to_be_hidden()
    assert scene_of(page) == scene
    shown = page.evaluate("sharpXr.state.shown")
    place_head(page, x=0.02)
    assert page.evaluate("sharpXr.state.shown") > shown


# --- the head moves ------------------------------------------------------------------------------


def test_near_things_move_more_than_far_ones_by_as_much_as_geometry_says(page: Page) -> None:
    before = see(page)
    place_head(page, x=0.1)
    assert parallax(before, see(page))[0] == pytest.approx(-expected_parallax(0.1), rel=0.08)
    place_head(page, x=0.0, y=0.08)
    assert parallax(before, see(page))[1] == pytest.approx(expected_parallax(0.08), rel=0.08)


def test_arrow_keys_and_drags_move_the_head(page: Page) -> None:
    before = see(page)
    page.keyboard.down("ArrowRight")
    until(page, "sharpXr.head.position[0] > 0.05")
    page.keyboard.up("ArrowRight")
    wait_for_still(page)
    assert parallax(before, see(page))[0] < -0.02  # the head went right, near things left

    page.keyboard.press("r")
    until(page, "sharpXr.head.position.every(metres => metres === 0)")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] / 6, y + box["height"] / 6, steps=4)
    page.mouse.up()
    wait_for_still(page)
    right, down = parallax(before, see(page))
    assert right > 0.02 and down > 0.02  # the near disc follows the hand

    page.mouse.dblclick(x, y)
    until(page, "sharpXr.head.position.every(metres => metres === 0)")


def test_the_wheel_comes_closer(page: Page) -> None:
    def size(picture: Picture) -> int:
        return int((picture[..., 0] - picture[..., 1] > 60).sum())

    before = size(see(page))
    page.locator("#canvas").hover(position={"x": 200, "y": 100})
    page.mouse.wheel(0, -600)
    until(page, "sharpXr.head.position[2] < -0.1")
    wait_for_still(page)
    depth = -page.evaluate("sharpXr.head.position[2]")
    assert size(see(page)) / before == pytest.approx((NEAR_M / (NEAR_M - depth)) ** 2, rel=0.1)


def test_a_finger_leans_on_a_phone_that_shows_everything(
    running: Browser, server: ServerProcess, scene: str
) -> None:
    phone: dict[str, Any] = {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
    }
    with visiting(running, f"{server.url}#{scene}", **phone) as page:
        wait_for_still(page)
        page.evaluate("document.getElementById('status').textContent = 'A long name '.repeat(20)")
        for name in ("Left eye", "Anaglyph", "Add a photo", "Full screen"):
            expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        before = see(page)
        touch = page.context.new_cdp_session(page)
        for kind, x in (("touchStart", 150), ("touchMove", 190), ("touchMove", 230)):
            points = [{"x": x, "y": 300}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wait_for_still(page)
        assert parallax(before, see(page))[0] > 0.02


# --- two eyes ------------------------------------------------------------------------------------


def test_the_eyes_see_a_parallax_of_63_mm_of_the_right_sign(page: Page) -> None:
    page.get_by_role("button", name="Side by side").click()
    left, right = halves(see(page))
    assert parallax(left, right)[0] == pytest.approx(-expected_parallax(baseline()), rel=0.15)
    page.keyboard.press("x")
    crossed_left, crossed_right = halves(see(page))
    assert np.abs(crossed_left - right).mean() < 3 > np.abs(crossed_right - left).mean()


def baseline() -> float:
    """63 mm, or what shifts infinity by a thirtieth of the width: the focus is near here."""
    return min(0.063, NEAR_M * WINDOW / 30)


def halves(picture: Picture) -> tuple[Picture, Picture]:
    middle = picture.shape[1] // 2
    return picture[:, :middle], picture[:, middle : 2 * middle]


def test_the_anaglyph_gives_red_to_the_left_eye_and_cyan_to_the_right(page: Page) -> None:
    """Dubois: of the green disc the red channel shows what the left eye sees, green the right's."""
    page.keyboard.press("3")
    picture = see(page)
    width = picture.shape[1]
    far = np.s_[:, int(0.52 * width) : int(0.85 * width)]
    left = centre(picture[..., 0][far] > 100)
    right = centre(picture[..., 1][far] > 120)
    behind_focus = baseline() * (1 / NEAR_M - 1 / FAR_M) / WINDOW / 0.33  # in widths of the crop
    assert right[0] - left[0] == pytest.approx(behind_focus, rel=0.2)
    assert right[1] == pytest.approx(left[1], abs=0.01)


# --- the gallery ---------------------------------------------------------------------------------


def tile(page: Page, scene: str) -> Locator:
    return page.locator(f"[data-scene='{scene}']")


def test_a_scene_is_renamed_where_its_name_stands_and_keeps_the_name(
    page: Page, scene: str
) -> None:
    tile(page, scene).hover()
    tile(page, scene).get_by_role("button", name="Rename").click()
    field = tile(page, scene).get_by_role("textbox")
    field.fill("Discs & <b>more</b>")
    field.press("Enter")
    expect(tile(page, scene).locator("[data-part=name]")).to_have_text("Discs & <b>more</b>")
    page.reload()
    expect(tile(page, scene).locator("[data-part=name]")).to_have_text("Discs & <b>more</b>")
    expect(page.locator("#status")).to_have_text("Discs & <b>more</b>")
    expect(tile(page, scene).locator("[data-part=open]")).to_have_attribute("aria-current", "true")


def test_a_scene_is_downloaded_as_the_ply_that_it_is(page: Page, scene: str, markers: Path) -> None:
    tile(page, scene).hover()
    with page.expect_download() as waiting:
        tile(page, scene).get_by_role("link", name="Download").click()
    assert waiting.value.suggested_filename.endswith(".ply")
    here, _ = read_ply(waiting.value.path())
    there, _ = read_ply(markers)
    np.testing.assert_allclose(here.means, there.means, atol=1e-5)


def test_a_dropped_scene_that_is_deleted_can_be_taken_back_and_is_gone_when_the_page_closes(
    page: Page, scene: str, tmp_path: Path
) -> None:
    file = tmp_path / "soon gone.ply"
    write_ply(file, disc((0.0, 0.0), 2.0, 0.5, (0.0, 0.0, 0.9)), CAMERA)
    doomed = upload(page, file, drop)
    remove = tile(page, doomed).get_by_role("button", name="Delete")
    remove.click(force=True)  # its tools fade in; that takes longer than the click
    expect(tile(page, doomed)).to_have_count(0)
    until(page, f"sharpXr.state.scene !== '{doomed}'")
    page.get_by_role("button", name="Undo").click()
    expect(tile(page, doomed)).to_have_count(1)

    remove.click(force=True)
    expect(tile(page, doomed)).to_have_count(0)
    page.reload()
    expect(tile(page, scene)).to_have_count(1)
    expect(tile(page, doomed)).to_have_count(0)
    listed = page.request.get("scenes").json()["scenes"]
    assert doomed not in [each["id"] for each in listed]


# --- the connection ------------------------------------------------------------------------------


def test_the_last_picture_stays_while_the_server_is_away_and_the_scene_comes_back(
    page: Page, scene: str
) -> None:
    sockets: list[WebSocketRoute] = []
    is_away = False

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if is_away:
            socket.close()
        else:
            socket.connect_to_server()

    page.route_web_socket("**/session*", pass_on)
    page.reload()
    until(page, f"sharpXr.state.scene === '{scene}' && sharpXr.state.shown > 3")
    wait_for_still(page)
    until(page, "document.getElementById('canvas').getAnimations().length === 0")
    before = above_the_middle(page)
    is_away = True
    sockets[0].close()
    expect(page.locator("#status")).to_contain_text("away")
    until(page, "document.getElementById('canvas').getAnimations().length === 0")  # it is dim now
    dim = above_the_middle(page)
    assert np.corrcoef(dim.ravel(), before.ravel())[0, 1] > 0.9
    assert dim.std() < before.std()  # towards the page's ground, dark or light

    is_away = False
    until(page, "sharpXr.state.connection === 'live'")
    shown = page.evaluate("sharpXr.state.shown")
    place_head(page, x=0.05)
    until(page, f"sharpXr.state.shown > {shown} + 3")
    assert scene_of(page) == scene


def above_the_middle(page: Page) -> Picture:
    """Where no sentence covers the picture."""
    picture = see(page)
    return picture[: picture.shape[0] // 2]


def test_every_frame_shown_belongs_to_a_pose(page: Page) -> None:
    for x in (0.1, -0.1, 0.05):
        place_head(page, x=x)
    state = page.evaluate("sharpXr.state")
    assert state["shown"] > 12
    assert state["matched"] == state["shown"]
    page.keyboard.press("i")
    expect(page.locator("[data-figure=matched]")).to_have_text("100 %")
    expect(page.locator("[data-figure=bitrate]")).to_contain_text("Mbit/s")
    expect(page.locator("[data-figure=fps]")).to_have_text("still")
    expect(page.locator("[data-figure=renderer]")).to_contain_text("cpu")


GRAPH_PIXELS = """(stage => {
    const graph = document.querySelector(".graph");
    const colour = getComputedStyle(graph).getPropertyValue(`--stage-${stage}`).trim();
    const wanted = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
    const { data } = graph.getContext("2d").getImageData(0, 0, graph.width, graph.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
        count += wanted.every((c, k) => Math.abs(data[i + k] - c) < 4);
    return count;
})"""
"""How many pixels of the graph are of a stage's colour."""


def test_the_panel_draws_where_the_age_of_frames_comes_from(page: Page) -> None:
    assert page.evaluate(f"{GRAPH_PIXELS}('render')") == 0
    page.keyboard.press("i")
    for turn in range(20):  # a column is gone after four seconds, which a busy machine may need
        place_head(page, x=0.1 * (-1) ** turn)
        if page.evaluate(f"{GRAPH_PIXELS}('render')") > 5:
            break
    else:
        raise AssertionError("no column shows what drawing took")
    for stage in ("pose", "render", "encode", "network", "decode", "display"):
        expect(page.locator(f"[data-figure=stage-{stage}]")).to_contain_text("ms")
    expect(page.locator("[data-figure=age]")).to_contain_text("ms")
