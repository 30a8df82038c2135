"""What ``sharp-xr serve`` prints for people: where the page is, and what its certificate is."""

from __future__ import annotations

import socket
import sys

from sharp_xr.http.access import is_loopback
from sharp_xr.http.certificates import Certificate
from sharp_xr_protocol.pairing import address_with

WARNING = """\
sharp-xr: browsers warn once, because this server made its certificate itself: no authority
          certifies addresses of a private network. Compare the fingerprint if you like, then choose
          "Advanced" and "Proceed". All is encrypted, and WebXR works."""


def announce(url: str, host: str, certificate: Certificate | None, code: str | None = None) -> None:
    """Print it.

    Args:
        host: what the server is bound to.
        code: for pairing, while it is good: how a headset gets in without the long token.
    """
    print(f"sharp-xr: open {url}", flush=True)
    page = url.partition("?")[0]
    if not is_loopback(host) and sys.stdout.isatty():
        # A photo of the code is worth nothing once it is used; one of the token would be.
        _print_qr(address_with(page, code) if code else url)
    if certificate is not None:
        print(about(certificate, outward_name(host)), flush=True)
    if code is not None:
        client = f"sharp-xr-client {page.rstrip('/')} --pair {code}"
        print(f"sharp-xr: for a headset, soon and once: {client}", flush=True)
        print(f"          or in its browser {page} and the code {code}", flush=True)


def about(certificate: Certificate, host: str) -> str:
    """What a person should know of it when it is shown at this host."""
    lines = [
        f"sharp-xr: certificate SHA-256 {certificate.fingerprint}",
        f"          until {certificate.until:%d %B %Y}",
    ]
    if certificate.is_own:
        lines.append(WARNING)
    if not certificate.is_for(host):
        names = ", ".join(certificate.names)
        lines.append(f"sharp-xr: the certificate is not for {host} but for {names}: open that name")
    return "\n".join(lines)


def address(host: str, port: int, token: str | None, scheme: str = "http") -> str:
    """The page's URL, with the token; for "all addresses" with one that others can reach."""
    host = outward_name(host)
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{port}/" + (f"?token={token}" if token else "")


def outward_name(host: str) -> str:
    return _outward_address() if host in ("0.0.0.0", "::", "") else host


def _outward_address() -> str:
    """This machine's address towards the network; the loopback without one. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # a documentation address (RFC 5737): asks for the route
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _print_qr(url: str) -> None:
    import qrcode

    code = qrcode.QRCode(border=1)
    code.add_data(url)
    code.print_ascii(invert=True)
