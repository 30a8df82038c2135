"""What a person types into the page of a refusal, and what it opens."""

from __future__ import annotations

import hashlib

import httpx
import pytest
from tests.server.straw import MakeSite, Site

from sharp_xr.http.pairing import TRIES

TOKEN = "the token"
FINGERPRINT = hashlib.sha256(b"a certificate").hexdigest()
A_BROWSER = {"Accept": "text/html"}


@pytest.fixture
def guarded(make_site: MakeSite) -> Site:
    site = make_site(started=False, token=TOKEN)
    site.app.pairing.fingerprint = FINGERPRINT
    return site


def enter(site: Site, word: str, **headers: str) -> httpx.Response:
    site.client.cookies.clear()
    return site.client.post(
        "/enter", data={"word": word}, headers={**A_BROWSER, **headers}, follow_redirects=False
    )


def is_let_in(site: Site, answer: httpx.Response) -> bool:
    """Whether the page follows, for who keeps the cookie."""
    if answer.status_code != 303:
        assert "set-cookie" not in answer.headers
        return False
    assert "HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
    assert answer.headers["location"] == "./" and answer.headers["cache-control"] == "no-store"
    return site.client.get("/scenes").status_code == 200


@pytest.mark.parametrize("word", [TOKEN, f" {TOKEN} ", "https://host:1/?token=the%20token"])
def test_the_token_or_its_address_lets_in(guarded: Site, word: str) -> None:
    assert is_let_in(guarded, enter(guarded, word))


def test_the_code_lets_in_once(guarded: Site) -> None:
    code = guarded.app.pairing.new_code()
    assert is_let_in(guarded, enter(guarded, code.lower()))
    again = enter(guarded, code)
    assert not is_let_in(guarded, again)
    assert again.status_code == 401 and "it was used" in again.text and "<form" in again.text


def test_the_address_of_the_qr_code_lets_in_and_looking_at_it_does_not_use_the_code(
    guarded: Site,
) -> None:
    code = guarded.app.pairing.new_code()
    for _ in range(TRIES + 1):
        assert guarded.client.get(f"/?pair={code}", headers=A_BROWSER).status_code == 401
    assert is_let_in(guarded, enter(guarded, f"https://host:1/?pair={code}"))


def test_a_code_that_was_guessed_at_too_often_is_dead(guarded: Site) -> None:
    code = guarded.app.pairing.new_code()
    wrong = ("1" if code[0] == "0" else "0") + code[1:]
    for _ in range(TRIES):
        assert "not the pairing code" in enter(guarded, wrong).text
    assert not is_let_in(guarded, enter(guarded, code))


@pytest.mark.parametrize("word", ["", "guess", "7KM-Q2X", "\u00e9", "?pair=", "%00", "?token="])
def test_anything_else_is_refused_with_a_sentence(guarded: Site, word: str) -> None:
    answer = enter(guarded, word)
    assert answer.status_code == 401 and not is_let_in(guarded, answer)
    assert 'role="alert">That is neither' in answer.text or "no pairing code" in answer.text


def test_a_program_is_refused_in_its_own_language(guarded: Site) -> None:
    answer = enter(guarded, "guess", Accept="*/*")
    assert answer.status_code == 401 and "neither" in answer.json()["error"]


def test_another_page_s_form_and_a_long_word_are_refused(guarded: Site) -> None:
    for origin in ("https://evil.example", "null"):
        assert enter(guarded, TOKEN, Origin=origin).status_code == 403
    assert enter(guarded, "x" * 5000).status_code == 413


def test_a_server_without_a_token_says_that_its_page_is_open(make_site: MakeSite) -> None:
    answer = enter(make_site(started=False), "x")
    assert answer.status_code == 409 and "wants no token" in answer.text
