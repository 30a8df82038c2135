"""A server in a local network says that it is there, so that nobody need type its address."""

from __future__ import annotations

import asyncio
import logging
import socket

from sharp_xr_protocol.discovery import SERVICE_TYPE, properties

log = logging.getLogger(__name__)

LONGEST_NAME = 50
"""Letters of the host's name: with a number behind it, the limit of a label is 63."""


async def announce(
    address: str, port: int, fingerprint: str, service_type: str = SERVICE_TYPE
) -> None:
    """Until cancelled. Where it cannot be, the log says why, and the server goes on without.

    Args:
        address: IPv4, in the network that shall know of it.
        fingerprint: SHA-256 of the certificate, hexadecimal.
    """
    # Late: a server of the loopback alone does without.
    from zeroconf import Error, IPVersion
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    name = socket.gethostname().partition(".")[0][:LONGEST_NAME] or "sharp-xr"
    try:
        info = AsyncServiceInfo(
            service_type,
            f"{name}.{service_type}",
            addresses=[socket.inet_aton(address)],
            port=port,
            properties=properties(fingerprint),
            server=f"{name}.local.",
        )
        multicast = AsyncZeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
        try:
            # Two servers of one host are told apart by a number.
            await (await multicast.async_register_service(info, allow_name_change=True))
            log.info("announced", extra={"fields": {"name": info.name, "address": address}})
            await asyncio.Event().wait()
        finally:
            await multicast.async_close()
    except (OSError, Error) as error:
        why = str(error) or type(error).__name__
        log.warning("not announced in the network", extra={"fields": {"why": why}})
