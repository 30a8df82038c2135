"""The wire format, frozen: a change here breaks every client in the field."""

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_protocol.codec import (
    MAX_MESSAGE_BYTES,
    ProtocolError,
    VersionError,
    decode_from_client,
    decode_from_server,
    encode,
)
from sharp_xr_protocol.messages import (
    VERSION,
    Bye,
    FromClient,
    FromServer,
    Hello,
    Tracking,
    Welcome,
)

GOLDEN = Path(__file__).with_name("golden.json")
"""Written by ``python tests/protocol/write_golden.py``; the page's JavaScript tests read it too."""
VECTORS: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))

DECODE = {"from_client": decode_from_client, "from_server": decode_from_server}
UNION = {"from_client": FromClient, "from_server": FromServer}


def name(vector: dict[str, Any]) -> str:
    return f"{vector['direction']}:{vector['name']}"


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_the_golden_bytes_are_read_and_written(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    message = DECODE[vector["direction"]](data)
    assert json.loads(msgspec.json.encode(message)) == vector["message"]
    assert encode(message) == data


@pytest.mark.parametrize("direction", ["from_client", "from_server"])
def test_every_message_has_a_golden_vector(direction: str) -> None:
    tags = {kind.__struct_config__.tag for kind in get_args(UNION[direction])}
    assert tags == {v["message"]["type"] for v in VECTORS if v["direction"] == direction}


def test_the_version_is_raised_when_a_message_changes() -> None:
    """On failure: raise VERSION, write the golden vectors anew, and put the new pair here.

    A new field that both sides can do without may keep the VERSION: it has a default, and who does
    not know it drops it. So may a new message that is sent to peers with a capability only.
    """

    def shape(node: object) -> object:  # the schema without its prose
        if isinstance(node, dict):
            return {k: shape(v) for k, v in node.items() if k not in ("description", "default")}
        return [shape(item) for item in node] if isinstance(node, list) else node

    schemas = [shape(msgspec.json.schema(union)) for union in (FromClient, FromServer)]
    digest = hashlib.sha256(msgspec.json.encode(schemas, order="sorted")).hexdigest()[:12]
    assert (VERSION, digest) == (2, "de21ae96a553")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not msgpack"),
        (b"\xc1", "not msgpack"),
        (b"\x80\x80", "not msgpack"),
        (b"\x90", "is a list, wanted a map"),
        (b"\x80", "missing required field `type`"),
        (msgpack.packb({"type": "dance"}), "Invalid value 'dance'"),
        (
            msgpack.packb({"type": "bye", "reason": 7}),
            r"Expected `str`, got `int` - at `\$.reason`",
        ),
        (msgpack.packb({"type": "bye", "reason": b"x"}), "not msgpack"),
        (msgpack.packb({"type": "bye", "reason": "x" * (1 << 18) + "x"}), "not msgpack"),
        (msgpack.packb({"type": "bye", "reason": float("nan")}), "wanted a finite one"),
        (msgpack.packb({"type": "scene_select", "scene": None}), "Expected `str`, got `null`"),
        (b"\x81\xa1x" * 9 + b"\xc0", "nested deeper than 8 levels"),
        (b"\x91" * 900 + b"\xc0", "is a list, wanted a map"),
        (b"\xdd\xff\xff\xff\xff", "not msgpack"),
        (b"\xdf\xff\xff\xff\xff", "not msgpack"),
        (b"\xd9" * 10, "not msgpack"),
    ],
)
def test_bad_bytes_are_the_peers_error(data: bytes, sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence):
        decode_from_client(data)


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(ProtocolError, match=f"wanted at most {MAX_MESSAGE_BYTES}"):
        decode_from_client(b"\xc1" * (MAX_MESSAGE_BYTES + 1))


def test_a_message_of_the_other_direction_is_refused() -> None:
    tracking = next(v for v in VECTORS if v["message"]["type"] == "tracking")
    with pytest.raises(ProtocolError, match="Invalid value 'tracking'"):
        decode_from_server(bytes.fromhex(tracking["hex"]))


@pytest.mark.parametrize(
    ("kind", "decode"), [("hello", decode_from_client), ("welcome", decode_from_server)]
)
def test_another_version_is_refused_with_both_versions_named(kind: str, decode: Any) -> None:
    with pytest.raises(VersionError, match=f"version {VERSION + 1}, this side speaks {VERSION}"):
        decode(msgpack.packb({"type": kind, "version": VERSION + 1, "from_the_future": True}))


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("key",), -1, ">= 0"),
        (("key",), 1 << 32, "<= 4294967295"),
        (("ack",), 1 << 32, "<= 4294967295"),
        (("head", "orientation"), [0.0, 0.0, 0.0, 2.0], "norm 2, wanted a unit quaternion"),
        (("head", "position"), [0.0, float("inf"), 0.0], "wanted a finite one"),
        (("head", "position"), [0.0, 0.0], "length 3"),
        # Each is finite; head and eye together are not.
        (("head", "position"), [0.0, 0.0, -1.7e308], "wanted within 1000 km"),
        (("eyes", 1, "pose", "position"), [1.7e308, 0.0, 0.0], "wanted within 1000 km"),
        (("eyes",), [], "length 2"),
        (("eyes", 0, "fov", "left"), 1.0, "empty"),
        (("eyes", 0, "fov", "up"), 1.6, "below pi/2"),
        (("velocity", "angular"), "fast", r"at `\$.velocity.angular`"),
    ],
)
def test_a_pose_that_is_none_is_refused(path: tuple[Any, ...], value: Any, sentence: str) -> None:
    vector = next(v for v in VECTORS if v["message"]["type"] == "tracking")
    message = json.loads(json.dumps(vector["message"]))
    node = message
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    with pytest.raises(ProtocolError, match=sentence):
        decode_from_client(msgpack.packb(message))


def test_a_javascript_number_without_a_fraction_is_still_a_float() -> None:
    vector = next(v for v in VECTORS if v["message"]["type"] == "tracking")
    message = {**vector["message"], "velocity": {"linear": [0, 1, 0], "angular": [0, 0, 0]}}
    decoded = decode_from_client(msgpack.packb(message))
    assert isinstance(decoded, Tracking)
    assert decoded.velocity.linear == (0.0, 1.0, 0.0)


def test_unknown_fields_are_ignored_so_that_the_wire_can_grow() -> None:
    assert decode_from_client(msgpack.packb({"type": "bye", "reason": "x", "new": 1})) == Bye("x")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    try:
        decode_from_client(data)
    except ProtocolError as error:
        assert "\n" not in str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.sampled_from(VECTORS), st.data())
def test_a_golden_message_with_one_field_spoilt_is_read_or_refused(
    vector: dict[str, Any], data: st.DataObject
) -> None:
    message = dict(vector["message"])
    field = data.draw(st.sampled_from(sorted(message)))
    message[field] = data.draw(json_values)
    try:
        DECODE[vector["direction"]](msgpack.packb(message))
    except ProtocolError as error:
        assert "\n" not in str(error)


def test_defaults_name_this_version() -> None:
    assert all(kind.__struct_defaults__ for kind in (Hello, Welcome))
    welcome = next(v for v in VECTORS if v["message"]["type"] == "welcome")
    assert welcome["message"]["version"] == VERSION
