"""Servers that are found in the network: which of them is meant, and what is believed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from tests.client.partner import CODE, Partner, answering

from sharp_xr.http.beacon import announce
from sharp_xr_client import discovery, remembered
from sharp_xr_client.address import parse_address
from sharp_xr_client.cli import main
from sharp_xr_client.discovery import NOBODY, Found, nearby
from sharp_xr_client.problem import ClientError

A, B = "ab" * 32, "cd" * 32

SetFound = Callable[..., None]


def found(host: str, fingerprint: str) -> Found:
    return Found(f"{host}-name", parse_address(f"https://{host}:8080"), fingerprint)


@pytest.fixture
def set_found(monkeypatch: pytest.MonkeyPatch) -> SetFound:
    """``set_found(...)``: these servers answer, and no network is asked."""

    def set_(*servers: Found) -> None:
        async def answers(_: str) -> AsyncGenerator[Found]:
            for server in servers:
                yield server

        monkeypatch.setattr(discovery, "_answers", answers)

    return set_


def refusal(code: str | None = None) -> str:
    with pytest.raises(ClientError) as refused:
        asyncio.run(nearby(code))
    return str(refused.value)


def test_a_server_that_announces_itself_is_found_and_paired_with(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By multicast on this machine's loopback, under a name that no other test uses."""

    async def play() -> None:
        service_type = f"_sxr-{secrets.token_hex(3)}._tcp.local."
        announcing = asyncio.create_task(
            announce("127.0.0.1", partner.server_port, partner.fingerprint, service_type)
        )
        address = await nearby(CODE, service_type)
        assert address.page == partner.address.page
        assert (address.token, address.fingerprint) == ("secret", partner.fingerprint)
        announcing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await announcing

    monkeypatch.setattr(discovery, "LISTEN_S", 30.0)
    asyncio.run(play())


@pytest.mark.parametrize("address", ["no address", "::1"])
def test_a_server_that_cannot_announce_itself_goes_on_and_says_why(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        asyncio.run(announce(address, 8080, A, "_sxr-none._tcp.local."))
    assert "not announced in the network" in caplog.text


def test_the_code_chooses_among_servers(
    partner: Partner, set_found: SetFound, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with answering(tmp_path / "other", "000-000") as other:
        servers = [
            Found(name, each.address, each.fingerprint)
            for name, each in (("other", other), ("partner", partner))
        ]
        set_found(*servers)
        assert asyncio.run(nearby(CODE)).url == partner.address.url
        assert other.finished == 0
        assert "2 servers are there, and none pairs" in refusal("111-111")
        set_found(servers[0])
        assert "does not know this code" in refusal(CODE)


def test_a_server_that_was_paired_with_is_known_at_another_address(
    home: Path, set_found: SetFound
) -> None:
    remembered.keep(parse_address("https://10.0.0.1:8080", "secret", A))
    set_found(found("10.0.0.2", B), found("10.0.0.3", A))
    address = asyncio.run(nearby(None))
    assert (address.host, address.token, address.fingerprint) == ("10.0.0.3", "secret", A)


def test_who_is_nobody_unknown_or_several_is_said(home: Path, set_found: SetFound) -> None:
    set_found()
    assert refusal() == refusal(CODE) == NOBODY
    set_found(found("10.0.0.2", A))
    assert "https://10.0.0.2:8080/ (10.0.0.2-name) is there, and was not paired" in refusal()
    for host, fingerprint in (("10.0.0.2", A), ("10.0.0.3", B)):
        remembered.keep(parse_address(f"https://{host}:8080", "secret", fingerprint))
    set_found(found("10.0.0.2", A), found("10.0.0.3", B))
    assert "several servers are there, say which: https://10.0.0.2:8080/" in refusal()


@pytest.mark.parametrize(
    ("addresses", "port", "record"),
    [
        ([], 1, {"fingerprint": A}),
        (["10.0.0.1"], None, {"fingerprint": A}),
        (["10.0.0.1"], 1, {}),
        (["10.0.0.1"], 1, {"fingerprint": None}),
        (["10.0.0.1"], 1, {"fingerprint": A[:-1]}),
        (["10.0.0.1"], 1, {"fingerprint": A + "\n"}),
    ],
)
def test_what_is_no_server_of_ours_is_passed_over(
    addresses: list[str], port: int | None, record: dict[str, str | None]
) -> None:
    assert discovery._found("desk._x._tcp.local.", addresses, port, record) is None


def test_without_an_address_the_command_looks_for_one(
    set_found: SetFound, capsys: pytest.CaptureFixture[str]
) -> None:
    set_found()
    assert main(["--simulate"]) == 1
    assert capsys.readouterr().err == f"sharp-xr-client: {NOBODY}\n"
    assert main(["--simulate", "--token", "x"]) == 1
    assert "are of one server: give its address" in capsys.readouterr().err
