"""A short code, typed on a headset's machine, becomes the server's token and its certificate.

Both sides agree on a key that only the same code, spoken over the same certificate, leads to: a
balanced PAKE after CPace (draft-irtf-cfrg-cpace), in the prime field of RFC 3526, group 15.

    g        hash(code, certificate's fingerprint) squared: of prime order q, (p - 1) / 2
    client   a, A = g^a     -->  /pairing/begin       A
    server   b, B = g^b     <--  B, proof(server)     key = hash(A, B, g^(2ab))
    client   checks it      -->  /pairing/finish      proof(client)
    server   checks it      <--  token

Whoever stands between shows another certificate, so that both sides work in different groups; all
that is seen fits every code, so that a guess can only be tried on the server itself, which counts.
Hence a code of 30 bits is enough. The factor 2 sends a forged share into the group, or to 1.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal
from urllib.parse import parse_qs, urlsplit

PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
"""2^3072 - 2^3008 - 1 + 2^64 ([2^2942 pi] + 1690314)."""
SHARE_BYTES = 384
SECRET_BITS = 256
"""Twice the 128 bits that such a group is worth."""
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: none is taken for another."""
LENGTH = 6

Role = Literal["client", "server"]


class PairingError(ValueError):
    """A sentence about what was typed, or what the peer sent."""


def new_code() -> str:
    """As people read it: "7KM-Q2X"."""
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def read_code(text: str) -> str:
    """The code in what a person typed: either case, any blanks and dashes, O for 0, I and L for 1.

    Raises:
        PairingError: it is none.
    """
    code = "".join(text.split()).replace("-", "").upper()
    code = code.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(code) != LENGTH or not set(code) <= set(LETTERS):
        raise PairingError(f"{text[:40]!r} is no pairing code, wanted {LENGTH} letters and digits")
    return code


def address_with(page: str, code: str) -> str:
    """What a QR code says: the address of the server's page, with the code."""
    return f"{page}?pair={code}"


def code_in(address: str) -> str | None:
    """The code that an address has, as it stands there; None if it has none."""
    try:
        query = urlsplit(address).query
    except ValueError:
        return None
    return parse_qs(query).get("pair", [None])[0]


class Side:
    """One side of one exchange.

    Args:
        code: see :func:`read_code`.
        fingerprint: SHA-256 of the certificate that this side sees or shows, 32 bytes.
    """

    def __init__(self, role: Role, code: str, fingerprint: bytes) -> None:
        assert len(fingerprint) == 32
        seed = b"sharp-xr pairing 1\0" + read_code(code).encode() + fingerprint
        # 16 bytes more than the prime has, so that the remainder is even.
        number = int.from_bytes(hashlib.shake_256(seed).digest(SHARE_BYTES + 16), "big")
        self._role = role
        self._secret = secrets.randbits(SECRET_BITS) | 1
        self._share = pow(number, 2 * self._secret, PRIME)
        self._key: bytes | None = None

    @property
    def share(self) -> str:
        """For the other side, hexadecimal."""
        return self._share.to_bytes(SHARE_BYTES, "big").hex()

    def meet(self, share: str) -> None:
        """Take the other side's.

        Raises:
            PairingError: it is none.
        """
        theirs = _read_share(share)
        common = pow(theirs, 2 * self._secret, PRIME)
        if common == 1:
            raise PairingError("a share that would make any code fit")
        ordered = (self._share, theirs) if self._role == "client" else (theirs, self._share)
        parts = (value.to_bytes(SHARE_BYTES, "big") for value in (*ordered, common))
        self._key = hashlib.sha256(b"sharp-xr pairing key 1\0" + b"".join(parts)).digest()

    @property
    def proof(self) -> str:
        """That this side has the key, hexadecimal; after :meth:`meet`."""
        return self._proof_of(self._role)

    def is_proven_by(self, proof: str) -> bool:
        """Whether the other side has it; compared in constant time."""
        other: Role = "server" if self._role == "client" else "client"
        return hmac.compare_digest(self._proof_of(other).encode(), proof.encode())

    def _proof_of(self, role: Role) -> str:
        assert self._key is not None, "meet the other side first"
        return hmac.new(self._key, role.encode(), hashlib.sha256).hexdigest()


def _read_share(text: str) -> int:
    try:
        share = bytes.fromhex(text)
    except ValueError:
        share = b""
    number = int.from_bytes(share, "big")
    if len(share) != SHARE_BYTES or not 1 < number < PRIME - 1:
        raise PairingError(
            f"a share of {len(text)} letters, wanted a number of {SHARE_BYTES} bytes"
        )
    return number
