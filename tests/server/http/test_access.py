"""The rules of who may come in, on requests made of nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import HTTPConnection

from sharp_xr.http.access import Access, is_loopback, new_token
from sharp_xr.http.refusal import Refusal

HOST = "127.0.0.1:8080"


def request(
    method: str = "GET", path: str = "/", query: str = "", **headers: str
) -> HTTPConnection:
    """As uvicorn gives it; header names with "_" for "-". Method "WEBSOCKET" is a WebSocket."""
    named = {"host": HOST, **{name.lower().replace("_", "-"): v for name, v in headers.items()}}
    scope: dict[str, Any] = {
        "type": "websocket" if method == "WEBSOCKET" else "http",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1"),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
    }
    return HTTPConnection(scope)


def refusal(access: Access, connection: HTTPConnection) -> int | None:
    """The status; None for who may come in."""
    try:
        access.check(connection)
    except Refusal as refused:
        assert refused.sentence
        return refused.status
    return None


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "127.0.0.1:1", "[::1]:8080", "a.localhost"]
)
def test_the_loopback_s_own_names_are_answered(host: str) -> None:
    assert refusal(Access(None), request(host=host)) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1",
     "", "evil.example@localhost", "localhost\\@evil.example", "local host", "[::1", "ÿ"],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    assert refusal(Access(None), request(host=host)) == 403


def test_behind_a_token_the_server_may_have_any_name() -> None:
    given = {"host": "my.example", "authorization": "Bearer t"}
    assert refusal(Access("t"), request(**given)) is None


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "WEBSOCKET"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"http://{HOST}", None),
        (f"https://{HOST}", None),
        ("http://127.0.0.1:8081", 403),
        ("http://localhost:8080", 403),
        ("http://evil.example", 403),
        (f"http://evil.example/{HOST}", 403),
        (f"http://{HOST}@evil.example", 403),
        ("http://[::1", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_what_changes_something_comes_from_our_own_page(
    method: str, origin: str, status: int | None
) -> None:
    assert refusal(Access(None), request(method, origin=origin)) == status


@pytest.mark.parametrize("method", ["GET", "POST", "WEBSOCKET"])
def test_a_program_that_is_no_browser_has_no_origin(method: str) -> None:
    assert refusal(Access(None), request(method)) is None


def test_reading_is_left_to_the_browsers_own_rules() -> None:
    assert refusal(Access(None), request("GET", origin="http://evil.example")) is None


@pytest.mark.parametrize("method", ["GET", "WEBSOCKET"])
def test_the_token_is_taken_from_query_header_or_cookie(method: str) -> None:
    access = Access("s3cret")
    assert refusal(access, request(method, query="a=1&token=s3cret")) is None
    assert refusal(access, request(method, authorization="bearer s3cret")) is None
    assert refusal(access, request(method, cookie=f"x=y; {access.cookie}=s3cret")) is None


@pytest.mark.parametrize(
    "pasted",
    ["s3cret", " s3cret ", "http://10.0.0.5:8080/?token=s3cret", "10.0.0.5/?a=b&token=s3cret#x"],
)
def test_who_pastes_the_whole_address_as_the_token_comes_in(pasted: str) -> None:
    access = Access("s3cret")
    entering = request(query=urlencode({"token": pasted}))
    assert refusal(access, entering) is None
    assert access.enters_with_token(entering)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"query": "token="},
        {"query": "token=http://host/?token=s3cre"},
        {"query": "token=s3cre"},
        {"query": "token=s3crett"},
        {"query": "token=%C3%BF%00"},
        {"authorization": "s3cret"},
        {"authorization": "Basic s3cret"},
        {"authorization": "Bearer ÿ"},
        {"cookie": "sharp_xr=s3cret"},
    ],
)
def test_without_the_right_token_nobody_comes_in(given: dict[str, str]) -> None:
    assert refusal(Access("s3cret"), request(**given)) == 401


def test_two_servers_of_one_host_have_cookies_of_their_own() -> None:
    assert Access("one").cookie != Access("two").cookie


def test_tokens_cannot_be_guessed_and_fit_into_an_address() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(t) >= 22 and t.replace("-", "").replace("_", "").isalnum() for t in tokens)


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("myhost", False)],
)  # fmt: skip
def test_a_bind_to_the_loopback_is_known(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer
