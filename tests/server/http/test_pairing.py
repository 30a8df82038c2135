"""Codes that die of use, of age and of wrong tries; and the paths that lead to the token."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from tests.server.straw import MakeSite, Site

from sharp_xr.http.pairing import LIFE_S, TRIES, Pairing
from sharp_xr.http.refusal import Refusal
from sharp_xr_protocol.pairing import Side, address_with

TOKEN = "the token"
FINGERPRINT = hashlib.sha256(b"a certificate").hexdigest()
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def made(token: str | None = TOKEN, clock: Clock | None = None) -> Pairing:
    pairing = Pairing(token, clock or Clock())
    pairing.fingerprint = FINGERPRINT
    return pairing


async def exchanged(pairing: Pairing, code: str) -> str:
    """What a client with this code gets. Raises Refusal."""
    side = Side("client", code, bytes.fromhex(FINGERPRINT))
    exchange, share, _ = await pairing.begin(side.share)
    side.meet(share)
    return pairing.finish(exchange, side.proof)


def wrong(code: str) -> str:
    return ("1" if code[0] == "0" else "0") + code[1:]


def refusal(pairing: Pairing, code: str) -> str:
    with pytest.raises(Refusal) as refused:
        asyncio.run(exchanged(pairing, code))
    assert refused.value.status == 403
    return refused.value.sentence


def test_the_code_becomes_the_token_once() -> None:
    pairing = made()
    code = pairing.new_code()
    assert asyncio.run(exchanged(pairing, code)) == TOKEN
    assert "was used" in refusal(pairing, code)


def test_a_mistyped_code_may_be_typed_again() -> None:
    pairing = made()
    code = pairing.new_code()
    for _ in range(TRIES - 1):
        assert "not the pairing code" in refusal(pairing, wrong(code))
    assert asyncio.run(exchanged(pairing, code)) == TOKEN


def test_a_code_that_was_guessed_at_too_often_is_dead() -> None:
    pairing = made()
    code = pairing.new_code()
    for _ in range(TRIES):
        refusal(pairing, wrong(code))
    assert "tried too often" in refusal(pairing, code)
    assert asyncio.run(exchanged(pairing, pairing.new_code())) == TOKEN


def test_tries_at_the_same_time_are_counted_too() -> None:
    async def guess() -> list[object]:
        tries = (exchanged(pairing, wrong(code)) for _ in range(2 * TRIES))
        return await asyncio.gather(*tries, return_exceptions=True)

    pairing = made()
    code = pairing.new_code()
    sentences = [str(answer) for answer in asyncio.run(guess())]
    assert sum("not the pairing code" in sentence for sentence in sentences) == TRIES
    assert "tried too often" in refusal(pairing, code)


def test_an_old_code_is_dead_also_in_the_middle_of_an_exchange() -> None:
    async def slow() -> None:
        side = Side("client", code, bytes.fromhex(FINGERPRINT))
        exchange, share, _ = await pairing.begin(side.share)
        side.meet(share)
        clock.now_s = LIFE_S
        with pytest.raises(Refusal, match="too old"):
            pairing.finish(exchange, side.proof)

    clock = Clock()
    pairing = made(clock=clock)
    code = pairing.new_code()
    asyncio.run(slow())
    assert "too old" in refusal(pairing, code)


def test_a_new_code_ends_the_one_before_and_its_exchanges() -> None:
    async def late() -> None:
        side = Side("client", code, bytes.fromhex(FINGERPRINT))
        exchange, share, _ = await pairing.begin(side.share)
        side.meet(share)
        pairing.new_code()
        with pytest.raises(Refusal):
            pairing.finish(exchange, side.proof)

    pairing = made()
    code = pairing.new_code()
    asyncio.run(late())


def test_one_exchange_is_one_guess() -> None:
    async def guess_twice() -> None:
        side = Side("client", code, bytes.fromhex(FINGERPRINT))
        exchange, share, proof = await pairing.begin(side.share)
        side.meet(share)
        for guess in (proof, side.proof):  # the server's own, sent back; then the right one
            with pytest.raises(Refusal):
                pairing.finish(exchange, guess)

    pairing = made()
    code = pairing.new_code()
    asyncio.run(guess_twice())


def test_without_a_token_or_without_tls_there_is_nothing_to_pair() -> None:
    with pytest.raises(Refusal, match="wants no token"):
        made(token=None).new_code()
    with pytest.raises(Refusal, match="start the server with --https"):
        Pairing(TOKEN).new_code()
    with pytest.raises(Refusal, match="no pairing code"):
        asyncio.run(Pairing(TOKEN).begin("ab"))


# --- the paths -----------------------------------------------------------------------------------


@pytest.fixture
def guarded(make_site: MakeSite) -> Site:
    site = make_site(started=False, token=TOKEN)
    site.app.pairing.fingerprint = FINGERPRINT
    return site


def test_only_who_has_the_token_gets_a_code_which_leads_to_the_token(guarded: Site) -> None:
    assert guarded.client.post("/pairing").status_code == 401
    made = guarded.client.post("/pairing", headers=BEARER)
    assert made.status_code == 201 and made.json()["seconds"] == LIFE_S
    side = Side("client", made.json()["code"], bytes.fromhex(FINGERPRINT))
    begun = guarded.client.post("/pairing/begin", json={"share": side.share}).json()
    side.meet(begun["share"])
    assert side.is_proven_by(begun["proof"])
    proof = {"id": begun["id"], "proof": side.proof}
    assert guarded.client.post("/pairing/finish", json=proof).json() == {"token": TOKEN}
    assert guarded.client.post("/pairing/finish", json=proof).status_code == 403


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("127.0.0.1:8080", "https://192.168.1.7:8080/"),  # no headset finds that one
        ("localhost", "https://192.168.1.7:8080/"),
        ("living-room.example", "http://living-room.example/"),
    ],
)
def test_a_code_comes_with_an_address_that_a_headset_finds(
    guarded: Site, host: str, page: str
) -> None:
    guarded.app.pairing.page = "https://192.168.1.7:8080/"
    made = guarded.client.post("/pairing", headers={**BEARER, "Host": host}).json()
    assert made["address"] == address_with(page, made["code"])
    assert {len(row) for row in made["qr"]} == {len(made["qr"])} and len(made["qr"]) > 21
    assert set("".join(made["qr"])) == {"0", "1"}
    other = guarded.client.post("/pairing", headers=BEARER).json()
    assert made["code"] != other["code"] and made["qr"] != other["qr"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"share": 1}', b'{"share": "ab"}', b"\xff"])
def test_nonsense_is_refused_with_a_sentence(guarded: Site, body: bytes) -> None:
    guarded.client.post("/pairing", headers=BEARER)
    answer = guarded.client.post("/pairing/begin", content=body)
    assert answer.status_code == 400 and "wanted" in answer.json()["error"]


def test_another_page_s_script_and_a_long_body_are_refused(guarded: Site) -> None:
    guarded.client.post("/pairing", headers=BEARER)
    evil = {"Origin": "https://evil.example"}
    assert guarded.client.post("/pairing/begin", json={}, headers=evil).status_code == 403
    assert guarded.client.post("/pairing/begin", content=b"x" * 5000).status_code == 413
