"""The page's files over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
import socket

import pytest
from tests.server.straw import MakeSite, Site

A_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


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


def test_a_browser_without_the_token_gets_a_page_with_a_sentence_and_a_field(
    make_site: MakeSite,
) -> None:
    site = make_site(token="secret")
    answer = site.client.get("/", headers=A_BROWSER)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "This server wants its token: open the address" in answer.text
    assert 'action="./enter"' in answer.text and "$" not in answer.text
    wrong = site.client.get("/scenes/x.ply?token=guess", headers=A_BROWSER)
    assert "That is not this server&#x27;s token" in wrong.text
    assert 'action="../enter"' in wrong.text


def test_a_code_in_the_address_is_filled_in_as_text(make_site: MakeSite) -> None:
    site = make_site(token="secret")
    answer = site.client.get("/?pair=7KM-Q2X", headers=A_BROWSER)
    assert 'value="7KM-Q2X"' in answer.text and "This code lets you in, once." in answer.text
    evil = site.client.get("/", params={"pair": '"><script>'}, headers=A_BROWSER)
    assert 'value="&quot;&gt;&lt;script&gt;"' in evil.text
    elsewhere = {**A_BROWSER, "Host": "evil name"}
    assert "7KM" not in site.client.get("/?pair=7KM-Q2X", headers=elsewhere).text


def test_a_program_without_the_token_gets_json(make_site: MakeSite) -> None:
    answer = make_site(token="secret").client.get("/", headers={"Accept": "*/*"})
    assert answer.status_code == 401
    assert "token" in answer.json()["error"]


def test_the_page_of_a_refusal_runs_nothing_and_sends_its_field_to_this_server_only(
    make_site: MakeSite,
) -> None:
    answer = make_site(token="secret").client.get("/", headers=A_BROWSER)
    rules = answer.headers["content-security-policy"]
    style = re.search("<style>(.*)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in rules
    assert "default-src 'none'" in rules and "form-action 'self'" in rules
    assert "unsafe" not in rules and "<script" not in answer.text


def test_what_a_stranger_puts_into_a_refusal_is_text_there(site: Site) -> None:
    answer = site.client.get("/", headers={**A_BROWSER, "Host": "evil.example&lt;b&gt"})
    assert answer.status_code == 403
    assert "evil.example&amp;lt;b" in answer.text
    assert "hidden>" in answer.text  # a token would not help
