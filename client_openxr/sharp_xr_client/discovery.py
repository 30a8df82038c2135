"""Servers of the local network, which say that they are there (``sharp_xr_protocol.discovery``).

A server that is found is believed nothing: it must know the pairing code, or show the certificate
that is remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from sharp_xr_client import remembered
from sharp_xr_client.address import Address, parse_address
from sharp_xr_client.pairing import paired
from sharp_xr_client.problem import ClientError
from sharp_xr_protocol.discovery import SERVICE_TYPE, fingerprint_in

LISTEN_S = 3.0
"""Servers answer within a fifth of a second, where nothing is lost."""
ASK_S = 2.0
"""For a server's address."""
NOBODY = (
    "no server says in this network that it is there: give its address, "
    "or start it with 'sharp-xr serve --https'"
)


@dataclass(frozen=True)
class Found:
    """One server, by its own word."""

    name: str
    """Of its machine."""
    address: Address
    """Without token and fingerprint."""
    fingerprint: str


async def nearby(code: str | None, service_type: str = SERVICE_TYPE) -> Address:
    """The server that knows this code; without one, the only one that is remembered.

    Raises:
        ClientError: there is none, or it is not clear which is meant.
    """
    # Closed, not only left: else the network would be listened to as long as the program runs.
    async with aclosing(_answers(service_type)) as answers:
        if code is None:
            return _known([found async for found in answers])
        refusals = []
        async for found in answers:
            try:
                return await paired(found.address, code)
            except ClientError as error:
                refusals.append(error)
    if len(refusals) > 1:
        raise ClientError(f"{len(refusals)} servers are there, and none pairs: {refusals[-1]}")
    raise refusals[0] if refusals else ClientError(NOBODY)


def _known(found: list[Found]) -> Address:
    """Raises ClientError."""
    if not found:
        raise ClientError(NOBODY)
    recognised = (remembered.recognised(each.fingerprint, each.address) for each in found)
    match [known for known in recognised if known is not None]:
        case [address]:
            return address
        case []:
            raise ClientError(
                f"{_names(found)} is there, and was not paired with: add --pair and its code"
            )
        case _:
            raise ClientError(f"several servers are there, say which: {_names(found)}")


def _names(found: list[Found]) -> str:
    return ", ".join(f"{each.address.page} ({each.name})" for each in found)


async def _answers(service_type: str) -> AsyncGenerator[Found]:
    """Each as it answers, for LISTEN_S. Raises ClientError."""
    # Late: who says an address does without.
    from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

    names: asyncio.Queue[str] = asyncio.Queue()

    def heard(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Added:
            names.put_nowait(name)

    try:
        multicast = AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
    except (OSError, Error) as error:
        raise ClientError(f"servers cannot be looked for: {error}; give an address") from error
    browser = AsyncServiceBrowser(multicast.zeroconf, service_type, handlers=[heard])
    try:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + LISTEN_S
        while (left_s := until_s - loop.time()) > 0:
            try:
                name = await asyncio.wait_for(names.get(), left_s)
            except TimeoutError:
                return
            info = AsyncServiceInfo(service_type, name)
            if await info.async_request(multicast.zeroconf, ASK_S * 1e3):
                found = _found(name, info.parsed_addresses(), info.port, info.decoded_properties)
                if found is not None:
                    yield found
    finally:
        await browser.async_cancel()
        await multicast.async_close()


def _found(
    name: str, addresses: list[str], port: int | None, record: dict[str, str | None]
) -> Found | None:
    """None for what is no server of ours."""
    fingerprint = fingerprint_in(record)
    if not addresses or not port or fingerprint is None:
        return None
    return Found(
        name.partition(".")[0], parse_address(f"https://{addresses[0]}:{port}"), fingerprint
    )
