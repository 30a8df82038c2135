"""Which server to believe over TLS: one that an authority vouches for, or one certificate by name.

``sharp-xr serve --https`` signs its certificate itself and prints its SHA-256 fingerprint. A client
that was given it trusts that certificate and no other, whatever host it is found at. There is no
switch that trusts anybody, nor one that trusts the first that comes: the token would go to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ssl
from urllib.parse import urlsplit

from sharp_xr_client.address import Address
from sharp_xr_client.problem import ClientError

LOOK_S = 10.0


async def tls_context(address: Address) -> ssl.SSLContext | None:
    """What the connection must show; None where the address is not of TLS.

    Raises:
        ClientError: a fingerprint is wanted and the server's certificate has another one, or it
            cannot be asked.
    """
    if not address.url.startswith("wss:"):
        return None
    if address.fingerprint is None:
        return ssl.create_default_context()
    shown = await certificate_of(address)
    found = hashlib.sha256(shown).hexdigest()
    if not hmac.compare_digest(found, address.fingerprint):
        raise ClientError(
            f"{address.host} shows a certificate with the fingerprint {_readable(found)}, "
            "which is not the wanted one: take what its server printed last, or ask who answers"
        )
    return only(shown)


async def certificate_of(address: Address) -> bytes:
    """What the server shows, DER; nothing is sent to it. The connection proper proves the key.

    Raises:
        ClientError: it cannot be asked.
    """
    parts = urlsplit(address.url)
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(LOOK_S):
            _, writer = await asyncio.open_connection(
                address.host, parts.port or 443, ssl=anybody, server_hostname=address.host
            )
    except (OSError, TimeoutError) as error:
        raise ClientError(why_no_tls(address, error)) from error
    connection = writer.get_extra_info("ssl_object")
    shown = connection.getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert isinstance(shown, bytes)
    return shown


def only(certificate: bytes) -> ssl.SSLContext:
    """Trusts this certificate, under any host name, while it is valid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it need not be its own issuer
    return context


def why_no_tls(address: Address, error: Exception) -> str:
    """One sentence for what went wrong before the server could speak, with what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
        if address.fingerprint is not None:
            return f"the certificate of {address.host} is not valid: {reason}"
        return (
            f"no authority that this machine knows vouches for {address.host} ({reason}): for a "
            "server of your own add --fingerprint, with the SHA-256 that it printed at its start"
        )
    if isinstance(error, ssl.SSLError):
        return f"{address.url} does not speak TLS ({error.reason}): is the server without --https?"
    if isinstance(error, TimeoutError):
        return f"{address.url} did not answer within {LOOK_S:.0f} s"
    reason = getattr(error, "strerror", None) or str(error)
    return (
        f"no server answers at {address.url} ({reason}): "
        "start it with 'sharp-xr serve', or check the address"
    )


def _readable(digest: str) -> str:
    return bytes.fromhex(digest).hex(":").upper()
