"""The process of ``sharp-xr serve``, from its first line to its exit code."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.conftest import COMMAND, ServerProcess, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sharp_xr_protocol.codec import decode_from_server, encode
from sharp_xr_protocol.messages import Bye, Display, Hello, Welcome

HELLO = encode(Hello("test", "simulated", Display(128, 128, 60.0)))


def test_the_server_is_ready_when_it_says_so(server: ServerProcess) -> None:
    assert httpx.get(f"{server.url}readyz", trust_env=False).json()["ready"] is True
    assert "sharp-xr" in httpx.get(server.url, trust_env=False).text


def test_a_signal_ends_it_cleanly_with_clients_inside(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        address = urlsplit(server.url)
        assert address.hostname and address.port
        with (
            socket.create_connection((address.hostname, address.port)),  # says nothing
            httpx.Client(base_url=server.url, trust_env=False) as idle,
            connect(server.session_url, proxy=None) as client,
        ):
            idle.get("/healthz")  # and its connection stays open
            client.send(HELLO)
            welcome = client.recv()
            assert isinstance(welcome, bytes)
            assert isinstance(decode_from_server(welcome), Welcome)
            assert server.stop() == 0
            assert last_word(client.recv) == Bye("the server was stopped")
    assert server.has_left_nothing()
    assert not [line for line in server.output if "Traceback" in line or "level=error" in line]


def last_word(receive: object) -> object:
    """The last message before the end."""
    message: object = None
    try:
        while True:
            message = decode_from_server(receive())  # type: ignore[operator]
    except ConnectionClosed:
        return message


def test_a_bind_to_the_network_wants_the_token_that_it_prints(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", "--log-json") as server:
        token = re.search(r"\?token=(\S+)", server.url)
        assert token
        local = f"http://127.0.0.1:{urlsplit(server.url).port}"
        with httpx.Client(base_url=local, trust_env=False) as client:
            assert client.get("/scenes").status_code == 401
            assert client.get(f"/?token={token[1]}").status_code == 200
            assert client.get("/scenes").status_code == 200
        assert all(token[1] not in line for line in server.output if "sharp-xr: open" not in line)


def test_two_servers_do_not_share_a_folder(server: ServerProcess) -> None:
    with pytest.raises(AssertionError, match="another sharp-xr"), serving(server.data):
        pass


def test_a_signal_during_the_start_ends_it_as_well(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--data", str(tmp_path), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process:
        assert "draws" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
