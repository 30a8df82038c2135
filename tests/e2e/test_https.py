"""``sharp-xr serve --https`` as the network meets it: real TLS, a real browser, our client."""

from __future__ import annotations

import datetime
import hashlib
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect
from tests.e2e.browsing import chromium, until, upload, visiting
from tests.e2e.conftest import COMMAND, ServerProcess, serving
from tests.e2e.discs import two_discs

from sharp_xr.http.certificates import make
from sharp_xr_protocol.pairing import address_with, code_in

NOW = datetime.datetime.now(datetime.UTC)
NEEDS_CHROMIUM = pytest.mark.skipif(
    chromium() is None, reason="Chromium is missing (apt install chromium)"
)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With all that --https chooses by itself."""
    with serving(tmp_path_factory.mktemp("data"), "--https") as running:
        yield running
        assert not [line for line in running.output if "Traceback" in line or "level=error" in line]


def printed(server: ServerProcess) -> str:
    """The fingerprint, out of what the user reads."""
    found = re.search(r"certificate SHA-256 (\S+)", "".join(server.output))
    assert found
    return found[1]


def test_the_url_has_the_token_and_the_fingerprint_is_the_certificate_s(
    secure: ServerProcess,
) -> None:
    url = urlsplit(secure.url)
    assert url.scheme == "https" and url.query.startswith("token=")
    assert url.hostname and url.port
    pem = ssl.get_server_certificate((url.hostname, url.port))
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert printed(secure).replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert "Proceed" in "".join(secure.output)


def test_who_trusts_the_kept_certificate_has_nothing_to_complain_of(secure: ServerProcess) -> None:
    trusting = ssl.create_default_context(cafile=str(secure.data / "https" / "server.pem"))
    port = urlsplit(secure.url).port
    with httpx.Client(verify=trusting, trust_env=False) as client:
        assert client.get(secure.url).status_code == 200
        assert client.get(f"https://localhost:{port}/scenes").status_code == 401
        cookie = client.get(secure.url).headers["set-cookie"]
        assert "Secure" in cookie and "HttpOnly" in cookie


def test_plain_http_on_that_port_leads_to_the_page(secure: ServerProcess) -> None:
    plain = secure.url.replace("https:", "http:")
    answer = httpx.get(plain, follow_redirects=True, verify=False, trust_env=False)
    assert [each.status_code for each in answer.history] == [307]
    assert str(answer.url) == secure.url and answer.status_code == 200


@NEEDS_CHROMIUM
@pytest.mark.browser
def test_a_browser_that_proceeds_gets_the_stream_in_a_secure_context(
    running: Browser, secure: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "two discs.ply"
    two_discs(file)
    with visiting(running, secure.url, ignore_https_errors=True) as page:
        assert page.evaluate("isSecureContext") is True  # which WebXR wants
        upload(page, file)
        until(page, "sharpXr.state.shown > 5 && sharpXr.state.matchedShare === 1")


def client(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = str(Path(sys.executable).with_name("sharp-xr-client"))
    return subprocess.run([command, *arguments], capture_output=True, text=True, timeout=60)


def test_our_client_streams_when_it_has_the_fingerprint(
    secure: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "two discs.ply"
    two_discs(file)
    httpx.post(
        secure.url.replace("/?", "/scenes?"), content=file.read_bytes(), verify=False
    ).raise_for_status()
    watch = ("--simulate", "--seconds", "0.5", "--hz", "30", "--eye-size", "64")
    done = client(secure.url, *watch, "--fingerprint", printed(secure))
    assert done.returncode == 0, done.stderr
    assert "with their pose (100.0%)" in done.stdout
    refused = client(secure.url, *watch)
    assert refused.returncode == 1 and "add --fingerprint" in refused.stderr
    plain = client(secure.url.replace("https", "http"), *watch)
    assert plain.returncode == 1 and "this server speaks TLS: use wss://" in plain.stderr


def test_our_client_pairs_with_the_printed_code_and_needs_only_the_address_then(
    secure: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "two discs.ply"
    two_discs(file)
    httpx.post(
        secure.url.replace("/?", "/scenes?"), content=file.read_bytes(), verify=False
    ).raise_for_status()
    found = re.search(r"sharp-xr-client (\S+) --pair (\S+)", "".join(secure.output))
    assert found and urlsplit(found[1]).query == ""
    watch = ("--simulate", "--seconds", "0.5", "--hz", "30", "--eye-size", "64")
    stranger = client(found[1], *watch, "--pair", "000-000")
    assert stranger.returncode == 1 and "does not know this code" in stranger.stderr
    for first in (("--pair", found[2]), ()):
        done = client(found[1], *watch, *first)
        assert done.returncode == 0, done.stderr
        assert "with their pose (100.0%)" in done.stdout
    again = client(address_with(f"{found[1]}/", found[2]), *watch)
    assert again.returncode == 1 and "it was used" in again.stderr


@NEEDS_CHROMIUM
@pytest.mark.browser
def test_a_browser_comes_in_by_the_address_of_the_qr_code_which_is_worth_nothing_then(
    running: Browser, secure: ServerProcess
) -> None:
    entering = address_with(secure.url.partition("?")[0], new_code(secure))
    code = code_in(entering) or ""
    visitor = running.new_context(ignore_https_errors=True)
    page = visitor.new_page()
    page.goto(entering)
    expect(page.get_by_role("textbox")).to_have_value(code)
    page.get_by_role("button", name="Open").click()
    until(page, "window.sharpXr?.state.connection === 'live'")
    assert urlsplit(page.url).query == ""
    visitor.clear_cookies()
    page.goto(entering)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("it was used")
    visitor.close()


def new_code(server: ServerProcess) -> str:
    """As the page of somebody who is in asks for it."""
    address = server.url.replace("/?", "/pairing?")
    answer = httpx.post(address, verify=False, trust_env=False).raise_for_status()
    return str(answer.json()["code"])


@NEEDS_CHROMIUM
@pytest.mark.browser
def test_the_page_shows_a_code_for_a_headset_until_the_dialog_is_closed(
    running: Browser, secure: ServerProcess
) -> None:
    with visiting(running, secure.url, ignore_https_errors=True) as page:
        button = page.get_by_role("button", name="Pair a headset")
        button.focus()
        page.keyboard.press("p")
        dialog = page.get_by_role("dialog", name="Pair a headset")
        code, qr = dialog.get_by_role("status"), dialog.get_by_role("img")
        expect(code).to_have_text(re.compile("^...-...$"))
        first = code.text_content() or ""
        expect(dialog).to_contain_text("Good once, for ")
        dialog.get_by_role("button", name="Another code").press("Enter")
        expect(code).not_to_have_text(first)
        expect(code).to_have_text(re.compile("^...-...$"))
        assert 0.3 < share_of_dark(qr) < 0.6
        shown = code.text_content() or ""
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()
        expect(page.locator("#pair [data-part=code]")).to_have_text("")
    for dead_or_good, enters in ((first, False), (shown, True)):
        done = httpx.post(
            f"{secure.url.partition('?')[0]}enter",
            data={"word": dead_or_good},
            verify=False,
            trust_env=False,
        )
        assert (done.status_code < 400) == enters, done.text


def share_of_dark(canvas: Locator) -> float:
    """Of its pixels."""
    share = canvas.evaluate(
        """(canvas) => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            let dark = 0;
            for (let i = 0; i < data.length; i += 4) dark += data[i] < 128;
            return dark / (width * height);
        }"""
    )
    return float(share)


def test_an_expired_certificate_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    pem = tmp_path / "old.pem"
    pem.write_bytes(make(["localhost"], NOW - datetime.timedelta(days=500)))
    done = subprocess.run(
        [*COMMAND, "--data", str(tmp_path), "--port", "0", "--cert", str(pem)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"--cert {pem} expired on" in done.stderr
