"""Messages to bytes and back, and what a peer may not send.

bytes -> size limit -> msgpack with limits -> version -> finite and shallow -> typed struct
"""

from __future__ import annotations

import math
from typing import Any

import msgpack
import msgspec

from sharp_xr_protocol.messages import VERSION, FromClient, FromServer

MAX_MESSAGE_BYTES = 1 << 20
"""Larger messages are refused unread. The largest legitimate ones are SDP and long scene lists."""

MAX_DEPTH = 8
"""Maps and lists inside each other; no message needs more than 5."""


class ProtocolError(ValueError):
    """The peer sent what the protocol does not allow. The message may be shown to the peer."""


class VersionError(ProtocolError):
    """The peer speaks another version of the protocol."""


def encode(message: FromClient | FromServer) -> bytes:
    """The message as one msgpack map."""
    packed = msgpack.packb(msgspec.to_builtins(message), use_bin_type=True)
    assert isinstance(packed, bytes)
    return packed


def decode_from_client(data: bytes) -> FromClient:
    """What a server reads.

    Raises:
        VersionError: a Hello of another version.
        ProtocolError: anything else that is not one of :data:`FromClient`.
    """
    message: FromClient = _decode(data, FromClient)
    return message


def decode_from_server(data: bytes) -> FromServer:
    """What a client reads.

    Raises:
        VersionError: a Welcome of another version.
        ProtocolError: anything else that is not one of :data:`FromServer`.
    """
    message: FromServer = _decode(data, FromServer)
    return message


def _decode(data: bytes, union: Any) -> Any:
    if len(data) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a message of {len(data)} bytes, wanted at most {MAX_MESSAGE_BYTES}")
    try:
        # The limits keep a short message from asking for much memory (CVE-2019 style lengths).
        raw = msgpack.unpackb(
            data,
            raw=False,
            max_str_len=1 << 18,
            max_bin_len=0,
            max_ext_len=0,
            max_array_len=1 << 14,
            max_map_len=64,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a message is not msgpack: {_one_line(error)}") from error
    if not isinstance(raw, dict):
        raise ProtocolError(f"a message is a {type(raw).__name__}, wanted a map")
    _check_version(raw)
    _check_numbers(raw, MAX_DEPTH)
    try:
        return msgspec.convert(raw, union)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"a message is not of the protocol: {error}") from error


def _check_version(raw: dict[Any, Any]) -> None:
    """Before the fields are looked at: another version may have others."""
    version = raw.get("version", VERSION)
    if raw.get("type") in ("hello", "welcome") and version != VERSION:
        raise VersionError(
            f"the peer speaks protocol version {version!r}, this side speaks {VERSION}: "
            "install the same release of sharp-xr on both"
        )


def _check_numbers(value: object, depth: int) -> None:
    """All finite, and not nested deeper than ``depth``: what comes after may recurse."""
    match value:
        case float() if not math.isfinite(value):
            raise ProtocolError(f"a message has the number {value}, wanted a finite one")
        case dict() | list() if depth == 0:
            raise ProtocolError(f"a message is nested deeper than {MAX_DEPTH} levels")
        case dict():
            for item in value.values():
                _check_numbers(item, depth - 1)
        case list():
            for item in value:
                _check_numbers(item, depth - 1)
        case _:
            pass


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
