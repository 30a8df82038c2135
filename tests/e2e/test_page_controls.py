"""What a person can do about a photo on the page: call it off, and correct its field of view."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import skimage
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from tests.e2e.browsing import (
    chromium,
    until,
    upload,
    visiting,
)
from tests.e2e.conftest import ServerProcess
from tests.e2e.discs import two_discs

from sharp_xr_protocol.messages import Progress, encode

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
