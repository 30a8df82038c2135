"""The real server, as a user starts it: ``sharp-xr serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START_TIMEOUT_S = 90.0
"""A first start compiles the renderer."""
STOP_TIMEOUT_S = 15.0
COMMAND = [str(Path(sys.executable).with_name("sharp-xr")), "serve"]


@dataclass
class ServerProcess:
    """A running ``sharp-xr serve``."""

    process: subprocess.Popen[str]
    url: str
    """Of the page, ends in a slash."""
    data: Path
    output: list[str] = field(default_factory=list)
    """The lines that it has written so far."""

    @property
    def session_url(self) -> str:
        """Of the WebSocket, for a client; with the token, if there is one."""
        page = urlsplit(self.url)
        scheme = page.scheme.replace("http", "ws")
        return page._replace(scheme=scheme, path="/session").geturl()

    def stop(self) -> int:
        """As Ctrl+C or systemd does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def has_left_nothing(self) -> bool:
        """Whether no child outlives it for long."""
        for _ in range(100):
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(STOP_TIMEOUT_S / 100)
        return False


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[ServerProcess]:
    """A server of one's own, ready; it is stopped at the end, by force if it must be."""
    process = subprocess.Popen(
        [*COMMAND, "--data", str(data), "--port", "0", "--device", "cpu", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # so that its children are known
    )
    server = ServerProcess(process, "", data)
    opened = threading.Event()
    reader = threading.Thread(target=_read, args=(server, opened), daemon=True)
    reader.start()
    try:
        opened.wait(START_TIMEOUT_S)
        assert server.url, "the server did not start:\n" + "".join(server.output)
        yield server
    finally:
        if process.poll() is None:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        reader.join(STOP_TIMEOUT_S)
        assert process.stdout
        process.stdout.close()


def _read(server: ServerProcess, opened: threading.Event) -> None:
    """The output, as it comes: else the pipe fills and the server stands still."""
    assert server.process.stdout
    for line in server.process.stdout:
        server.output.append(line)
        if match := re.match(r"sharp-xr: open (https?://\S+)", line):
            server.url = match[1]
            opened.set()
    opened.set()  # it has ended


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests, on a free port of the loopback, with a folder of its own."""
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running
        assert running.process.poll() is None, "the server has died:\n" + "".join(running.output)


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    """One Chromium for the tests of a file; its event loop would be in the way of other files'."""
    from tests.e2e.browsing import browser

    with browser() as started:
        yield started


@pytest.fixture(autouse=True)
def _server_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the server wrote during a test is shown with the test's failure (pytest captures it)."""
    if "server" not in request.fixturenames:
        yield
        return
    running: ServerProcess = request.getfixturevalue("server")
    before = len(running.output)
    yield
    print("the server's log:", *running.output[before:], sep="\n  ")
