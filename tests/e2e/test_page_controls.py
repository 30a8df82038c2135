"""What a person can do about a photo on the page: call it off, and correct its field of view."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import skimage
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from plyfile import PlyData
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
from tests.e2e.discs import NEAR_M, discs, two_discs

from sharp_xr_protocol.codec import encode
from sharp_xr_protocol.messages import Progress

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="Chromium is missing (apt install chromium)"),
]

PHOTO = Path(skimage.__file__).parent / "data" / "rocket.jpg"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """One that the server has not predicted before: JPEG ends where it says, whatever follows."""
    file = tmp_path / "rocket.jpg"
    file.write_bytes(PHOTO.read_bytes() + os.urandom(16))
    return file


@pytest.fixture
def page(running: Browser, server: ServerProcess, tmp_path: Path) -> Iterator[Page]:
    """A visitor who looks at the two discs."""
    file = tmp_path / "two discs.ply"
    two_discs(file)
    with visiting(running, server.url) as visited:
        upload(visited, file)
        yield visited


# --- calling a photo off -------------------------------------------------------------------------


@contextlib.contextmanager
def standing_still(server: ServerProcess) -> Iterator[None]:
    """Meanwhile the process that predicts does nothing, so that no prediction ends."""
    process = predicting_process(server.process.pid)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def predicting_process(server: int) -> int:
    """The server's only child that Python spawned; the processes of Linux are files."""
    threads = Path(f"/proc/{server}/task").iterdir()
    children = [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    (process,) = (pid for pid, command in commands.items() if b"spawn_main" in command)
    return process


linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="wants Linux's /proc")


@linux
@pytest.mark.parametrize("how", ["button", "Escape"])
def test_a_photo_is_called_off_and_leaves_no_trace(
    page: Page, server: ServerProcess, photo: Path, how: str
) -> None:
    listed = page.request.get("scenes").json()
    card = page.locator("#card")
    with standing_still(server):
        with page.expect_request_finished(lambda request: "/jobs/" in request.url) as cancelling:
            page.set_input_files("#file", photo)
            expect(card.get_by_text("Reading the photo")).to_be_visible()
            if how == "button":
                card.get_by_role("button", name="Cancel").click()
            else:
                page.keyboard.press("Escape")  # the card has the focus
        answer = cancelling.value.response()
        assert answer is not None and answer.status == 204
        expect(card).to_contain_text("Cancelled")
        expect(card).to_be_hidden()
    assert page.request.get("scenes").json() == listed
    upload(page, photo)  # the next one goes through


@linux
def test_the_card_tells_which_tile_is_being_done(
    running: Browser, server: ServerProcess, photo: Path
) -> None:
    """As a large model says it: the small one has no tiles, so its message is slipped in."""
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    with visiting(running, server.url) as page:
        page.route_web_socket("**/session*", pass_on)
        page.reload()
        until(page, "sharpXr.state.connection === 'live'")
        card = page.locator("#card")
        with standing_still(server), page.expect_request("**/scenes?*") as asked:
            page.set_input_files("#file", photo)
            job = parse_qs(urlsplit(asked.value.url).query)["job"][0]
            expect(card.get_by_text("Reading the photo")).to_be_visible()
            sockets[-1].send(encode(Progress(job, "predict", 0.34, "tile 12 of 35")))
            expect(card).to_contain_text("Building the place")
            expect(card).to_contain_text("%, tile 12 of 35")
            card.get_by_role("button", name="Cancel").click()
            expect(card).to_be_hidden()


# --- the field of view ---------------------------------------------------------------------------


def focal_35mm(page: Page) -> float:
    """Of the photo of the scene that is shown, as the server lists it."""
    listed = page.request.get("scenes").json()["scenes"]
    fov = next(each["photo_fov"] for each in listed if each["id"] == scene_of(page))
    return float(math.hypot(18, 12) / math.hypot(math.tan(fov["right"]), math.tan(fov["up"])))


def size_of_near_disc(picture: Picture) -> int:
    return int((picture[..., 0] - picture[..., 1] > 60).sum())


def growth(page: Page) -> tuple[float, float]:
    """How many times as large the near disc gets for a head that comes closer; by how much."""
    before = size_of_near_disc(see(page))
    place_head(page, z=-0.25)
    depth: float = -page.evaluate("sharpXr.head.position[2]")
    after = size_of_near_disc(see(page))
    place_head(page, z=0.0)
    return after / before, depth


def test_another_field_of_view_changes_the_depth_but_not_the_picture(page: Page) -> None:
    """At k times the focal length all is k times as far, x and y stay."""
    watch_the_near_disc(page)
    old, straight = focal_35mm(page), see(page)
    ratio, depth = growth(page)
    assert ratio == pytest.approx((NEAR_M / (NEAR_M - depth)) ** 2, rel=0.1)

    page.evaluate("sizes.length = 0")
    page.keyboard.press("l")
    slider = page.get_by_role("slider", name="The photo's field of view")
    slider.press("PageUp")
    slider.press("PageUp")
    wait_until_it_is_so(page)
    slider.press("Escape")  # it is on the picture
    new = focal_35mm(page)
    assert new / old > 1.5
    wait_for_still(page)
    for name, place in discs(see(page)).items():
        assert place == pytest.approx(discs(straight)[name], abs=0.004)
    sizes = page.evaluate("sizes")
    assert len(sizes) > 3
    assert max(sizes) < 1.1 * min(sizes), "the picture jumped between two fields of view"

    ratio, depth = growth(page)
    far = NEAR_M * new / old
    assert ratio == pytest.approx((far / (far - depth)) ** 2, rel=0.1)
    page.keyboard.press("l")
    page.get_by_role("button", name="Reset").click()
    wait_until_it_is_so(page)
    assert focal_35mm(page) == pytest.approx(old)


def wait_until_it_is_so(page: Page) -> None:
    """Until what the server lists is what the page says, twice: a drag may still be under way."""
    agreed = 0
    for _ in range(200):
        said = page.locator("#lens [data-part=value]").inner_text()
        agreed = agreed + 1 if said.endswith(f"· {round(focal_35mm(page), 1):g} mm") else 0
        if agreed == 2:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the page says {said}, the server {focal_35mm(page)}")


def watch_the_near_disc(page: Page) -> None:
    """From now on ``sizes`` has its size in each frame that is shown, in small pixels."""
    page.evaluate(
        """() => {
            const [width, height] = [160, 120];
            const context = new OffscreenCanvas(width, height).getContext("2d");
            const {frames} = sharpXr;
            window.sizes = [];
            frames.push = function (frame) {
                context.drawImage(document.getElementById("canvas"), 0, 0, width, height);
                const {data} = context.getImageData(0, 0, width, height);
                let size = 0;
                for (let i = 0; i < data.length; i += 4) size += data[i] - data[i + 1] > 60;
                sizes.push(size);
                return Array.prototype.push.call(this, frame);
            };
        }"""
    )


def test_the_field_of_view_of_an_unknown_photo_cannot_be_changed_and_the_page_says_why(
    page: Page, tmp_path: Path
) -> None:
    known, unknown = tmp_path / "known.ply", tmp_path / "unknown.ply"
    two_discs(known)
    PlyData([PlyData.read(known)["vertex"]]).write(unknown)
    upload(page, unknown)
    page.get_by_role("button", name="The photo's field of view").click()
    slider = page.get_by_role("slider")
    before = slider.input_value()
    slider.press("ArrowRight")
    expect(slider).to_be_disabled()
    expect(slider).to_have_value(before)
    sentence = page.locator("#lens [data-part=trouble]").inner_text()
    assert len(sentence.split()) > 3 and sentence.endswith(".")
