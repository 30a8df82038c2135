"""The certificate of ``sharp-xr serve --https``: made here and kept, or the user's own.

No authority certifies addresses of a private network, so the server signs its certificate itself. A
browser warns once and remembers; a program compares the fingerprint that is printed. The same
certificate therefore stays for a year: each new one would be warned of again.

    FOLDER/server.pem    key and certificate in one file, so that they are replaced together (0600)
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=397)
"""Longer ones are refused by Apple's systems (support.apple.com/en-us/102028)."""
RENEW_BEFORE = datetime.timedelta(days=30)
MAX_NAMES = 64
"""A machine that moves between networks keeps the names of both, within reason."""
CLOCKS_DIFFER = datetime.timedelta(days=1)
"""A headset's clock may be behind: the certificate begins to be valid so much earlier."""


class CertificateError(Exception):
    """The message is one sentence for the user."""


@dataclass(frozen=True)
class Certificate:
    """A certificate whose key is there and fits."""

    file: Path
    """PEM: the certificate, perhaps the key, perhaps its issuers."""
    key: Path | None
    """PEM; None: in ``file``."""
    fingerprint: str
    """SHA-256 of its DER form as browsers show it: AB:CD:..."""
    names: tuple[str, ...]
    """Host names and addresses that it is for."""
    begins: datetime.datetime
    until: datetime.datetime
    is_own: bool
    """Signed by its own key: no browser knows it."""

    def is_for(self, host: str) -> bool:
        """Whether a browser that opens this host finds it among the names."""
        _, dot, domain = host.partition(".")
        return host in self.names or bool(dot and f"*.{domain}" in self.names)

    def context(self) -> ssl.SSLContext:
        """A server's side of TLS. Raises CertificateError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])  # a WebSocket of HTTP/2 is another protocol
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """From now on new connections get it. Raises CertificateError."""
        try:
            context.load_cert_chain(self.file, self.key, password=_no_password)
        except ssl.SSLError as error:
            where = f"--key {self.key}" if self.key else str(self.file)
            if error.reason == "KEY_VALUES_MISMATCH":
                sentence = f"{where} is not the key of the certificate {self.file}"
            else:
                sentence = f"{where} holds no private key in PEM form"
            raise CertificateError(sentence) from error
        except OSError as error:
            sentence = f"cannot read {self.key or self.file}: {_why(error)}"
            raise CertificateError(sentence) from error


def given(file: Path, key: Path | None, now: datetime.datetime) -> Certificate:
    """The user's own.

    Raises:
        CertificateError: no certificate, not valid now, or not with this key.
    """
    certificate = _read(file, key)
    if now >= certificate.until:
        raise CertificateError(
            f"--cert {file} expired on {certificate.until:%d %B %Y}: name a current one, "
            "or leave --cert out, then --https makes one"
        )
    if now < certificate.begins:
        raise CertificateError(f"--cert {file} is not valid before {certificate.begins:%d %B %Y}")
    certificate.context()
    return certificate


def kept(folder: Path, host: str, now: datetime.datetime) -> Certificate:
    """The server's own: the one in this folder if it is good for another month, else a new one.

    Args:
        folder: made if it is not there, for the user alone.
        host: a name or address that clients use. The others of this machine are put in as they are
            now, but do not make a new certificate necessary: containers come and go.
        now: with a time zone.

    Raises:
        CertificateError: the folder cannot be written.
    """
    file = folder / "server.pem"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        former = _former(file)
        if former and former.is_for(host) and now + RENEW_BEFORE < former.until:
            file.chmod(0o600)  # as it was written; a copy or a backup may have changed that
            return former
        names = (*own_names(), *(former.names if former else ()))
        _write(file, make(list(dict.fromkeys([host, *names]))[:MAX_NAMES], now))
    except OSError as error:
        raise CertificateError(f"cannot keep a certificate in {folder}: {_why(error)}") from error
    return _read(file, None)


def own_names() -> list[str]:
    """This machine's host name, also as multicast DNS tells it, and its addresses."""
    name = socket.gethostname().lower()
    names = ["localhost", name, f"{name.partition('.')[0]}.local"]
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            text = str(address.ip[0] if isinstance(address.ip, tuple) else address.ip)
            if not ipaddress.ip_address(text).is_link_local:
                names.append(text)
    return [each for each in names if each.isascii()]


def make(names: list[str], now: datetime.datetime) -> bytes:
    """A new key and its self-signed certificate for these names, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sharp-xr")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now - CLOCKS_DIFFER + VALID)
        .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _former(file: Path) -> Certificate | None:
    """What the last start has kept; None for nothing, and for what cannot be used any more."""
    try:
        certificate = _read(file, None)
        certificate.context()
    except CertificateError:
        return None
    return certificate


def _read(file: Path, key: Path | None) -> Certificate:
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except OSError as error:
        raise CertificateError(f"cannot read {file}: {_why(error)}") from error
    except x509.ExtensionNotFound as error:
        sentence = f"{file} names no host (no subjectAltName), so no browser accepts it"
        raise CertificateError(sentence) from error
    except ValueError as error:
        raise CertificateError(f"{file} holds no certificate in PEM form") from error
    return Certificate(
        file=file,
        key=key,
        fingerprint=found.fingerprint(hashes.SHA256()).hex(":").upper(),
        names=tuple(
            str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
        ),
        begins=found.not_valid_before_utc,
        until=found.not_valid_after_utc,
        is_own=found.issuer == found.subject,
    )


def _write(file: Path, content: bytes) -> None:
    """All or nothing, and never readable by others, not even for a moment."""
    new = file.with_name(f".new-{secrets.token_hex(4)}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
    new.replace(file)


def _no_password() -> str:
    """OpenSSL would ask on the terminal, where perhaps nobody is. Raises CertificateError."""
    raise CertificateError(
        "the key is encrypted: decrypt it first (openssl pkey -in KEY -out NEW), "
        "a server that starts by itself cannot ask for a password"
    )


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
