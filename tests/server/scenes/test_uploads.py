"""How an upload's bytes are taken in and refused, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.server.straw import Site

from sharp_xr.http import body
from sharp_xr.scenes import uploads
from sharp_xr.scenes.uploads import is_ply, scene_name

MB = 1 << 20


@pytest.fixture(autouse=True)
def _small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", MB)


def chunks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"photo" + bytes(MB // 4)


def works(site: Site) -> bool:
    return site.client.post("/scenes", content=b"photo").status_code in (200, 201)


@pytest.mark.parametrize("content", ["declared", "chunked"])
def test_an_upload_that_is_too_large_gets_its_answer(site: Site, content: str) -> None:
    """Even if its sender reads only when all is sent: a reset connection would lose the answer."""
    body = b"".join(chunks(40))
    if content == "declared":
        head = f"POST /scenes HTTP/1.1\r\nContent-Length: {len(body)}\r\n"
    else:
        head = "POST /scenes HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = exchange(site, head, body)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b'{"error":"the upload is larger than 1 MB, the limit"}')
    assert works(site)


def test_an_upload_at_the_limit_is_taken(site: Site) -> None:
    assert site.client.post("/scenes", content=b"photo".ljust(MB, b"\0")).status_code == 201
    assert site.client.post("/scenes", content=b"photo".ljust(MB + 1, b"\0")).status_code == 413


def test_a_sender_that_asks_first_is_refused_before_it_sends(site: Site) -> None:
    head = "POST /scenes HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n"
    answer = exchange(site, head)
    assert answer.startswith(b"HTTP/1.1 413 ")  # and no "100 Continue" before it
    assert works(site)


def test_an_upload_that_breaks_off_is_noted_and_no_fault(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = site.host.split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /scenes HTTP/1.1\r\nHost: {site.host}\r\nContent-Length: 1000\r\n\r\nphoto"
        connection.sendall(head.encode())
    while "upload refused" not in caplog.messages:
        assert works(site)
    assert "request failed" not in caplog.messages


def test_an_upload_that_stands_still_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "CHUNK_TIMEOUT_S", 0.05)
    answer = exchange(site, "POST /scenes HTTP/1.1\r\nContent-Length: 1000\r\n", b"photo")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slowly" in answer
    assert works(site)


def exchange(site: Site, head: str, body: bytes = b"") -> bytes:
    """All that comes until the server closes."""
    host, port = site.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Host: {site.host}\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("IMG_0001.HEIC", "IMG_0001"),
        ("C:\\Users\\me\\a.b.jpg", "a.b"),
        ("../../etc/passwd", "passwd"),
        (".jpg", ".jpg"),
        ("", ""),
        ("x" * 1000 + ".png", "x" * 296),
    ],
)
def test_a_scene_is_named_after_its_file(filename: str, name: str) -> None:
    assert scene_name(filename) == name


def test_a_ply_is_known_by_its_content() -> None:
    assert is_ply(b"ply\nformat") and is_ply(b"ply\r\nformat")
    assert not is_ply(b"plywood") and not is_ply(b"\xff\xd8\xff") and not is_ply(b"ply")
