"""The process around the application; the process itself is tested end to end."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from tests.server.straw import MakeSite

from sharp_xr import serve
from sharp_xr.devices import Device
from sharp_xr.http import web_server
from sharp_xr.serve import ServeConfig, ServeError, bind
from sharp_xr.stream import hardware
from sharp_xr.stream.encoder import Encoder, EncoderSettings, why_not

CPU = Device("cpu", "")


def test_a_free_port_is_found() -> None:
    with bind("127.0.0.1", 0) as listening:
        assert listening.getsockname()[1] > 0


def test_a_port_that_is_taken_is_a_sentence_with_the_way_out() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=rf"127\.0\.0\.1, port {port}: .* in use .*--port 0"):
            bind("127.0.0.1", port)


def test_a_host_that_is_none_is_a_sentence() -> None:
    with pytest.raises(ServeError, match="--host no such host: "):
        bind("no such host", 0)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"key": Path("my.key")}, "--key my.key wants --cert as well"),
        ({"port": 65536}, "--port 65536: wanted 0 to 65535"),
        ({"max_eye_px": 8}, "--eye-size 8: wanted 16 to 4096"),
        ({"max_sessions": 0}, "--sessions 0: wanted 1 to 100"),
        ({"model": "flat"}, "there is no model 'flat', wanted one of lite, sharp"),
    ],
)
def test_a_number_without_sense_is_a_sentence(option: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ServeError, match=sentence):
        ServeConfig(Path("data"), CPU, **option)


def test_a_connection_without_a_request_is_closed(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "REQUEST_TIMEOUT_S", 0.05)
    site = make_site()
    host, port = site.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert connection.recv(100) == b""


def test_an_unusable_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ServeError, match="cannot open the scenes in"):
        serve.run(ServeConfig(tmp_path / "file", CPU, port=0))


def test_an_encoder_that_this_machine_lacks_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(name: str, settings: EncoderSettings) -> Encoder:
        raise ValueError("there is no such chip")

    monkeypatch.setattr(hardware, "open_hardware", opened)
    why_not.cache_clear()
    with pytest.raises(ServeError, match="AMF does not work here: .* such chip; choose x264"):
        serve.run(ServeConfig(tmp_path, CPU, port=0, encoder="amf"))
    why_not.cache_clear()
