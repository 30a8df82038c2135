"""The page's files over HTTP."""

from __future__ import annotations

import socket

import pytest
from tests.server.straw import Site


def test_the_page_comes_with_its_rules(site: Site) -> None:
    page = site.client.get("/")
    assert page.status_code == 200 and page.text.startswith("<!doctype html>")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("file", "kind"),
    [("main.js", "text/javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg+xml")],
)
def test_the_page_s_files_have_their_types(site: Site, file: str, kind: str) -> None:
    answer = site.client.get(f"/web/{file}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)


def test_every_file_that_the_page_names_is_there(site: Site) -> None:
    page = site.client.get("/").text
    named = [part.split('"')[0] for part in page.split('"web/')[1:]]
    assert "main.js" in named
    for file in named:
        assert site.client.get(f"/web/{file}").status_code == 200, file


def test_a_file_that_did_not_change_is_not_sent_again(site: Site) -> None:
    first = site.client.get("/web/main.js")
    again = site.client.get("/web/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = site.client.get("/web/main.js", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/nothing.js",
        "/web/README.md",
        "/web/package.json/",
        "/web/../app.py",
        "/web/..%2fapp.py",
        "/web/%2e%2e/app.py",
        "/web/..%5capp.js",
        "/web//etc/passwd",
        "/web/.hidden.js",
        "/web/a%00.js",
    ],
)
def test_nothing_else_is_served(site: Site, path: str) -> None:
    """By a raw socket: clients tidy such paths up before they send them."""
    host, port = site.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {site.host}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'{"error":' in answer
