"""The log's lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from sharp_xr import logs
from sharp_xr_protocol.messages import Video

log = logging.getLogger("sharp_xr.clients.session")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("sharp_xr")
    handlers, level, our_level = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


def written(*, as_json: bool, **fields: object) -> str:
    stream = io.StringIO()
    logs.configure(as_json=as_json, stream=stream)
    log.debug("not shown")
    log.info("it happened", extra={"fields": fields})
    line = stream.getvalue()
    assert line.count("\n") == 1 and line.endswith("\n")
    return line


def test_an_event_is_one_line_of_keys_and_values() -> None:
    line = written(as_json=False, session="ab12", reason='a "b"\nc', frames=3, empty="")
    time, rest = line.split(" ", 1)
    assert time.startswith("time=20") and time.endswith("Z")
    assert rest == (
        'level=info part=clients.session event="it happened" session=ab12 reason="a \\"b\\"\\nc" '
        'frames=3 empty=""\n'
    )


def test_an_event_is_one_json_object() -> None:
    line = json.loads(written(as_json=True, video=Video(64, 32, 60.0), path={"a": [1]}))
    said = line["event"], line["part"], line["level"]
    assert said == ("it happened", "clients.session", "info")
    assert line["video"]["eye_width"] == 64 and line["path"] == {"a": [1]}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_traceback_stays_in_its_line(as_json: bool) -> None:
    stream = io.StringIO()
    logs.configure(as_json=as_json, stream=stream)
    try:
        raise RuntimeError("inside")
    except RuntimeError:
        log.exception("it failed")
    assert stream.getvalue().count("\n") == 1
    assert "RuntimeError: inside" in stream.getvalue()


def test_libraries_are_heard_from_warnings_on() -> None:
    stream = io.StringIO()
    logs.configure(as_json=False, verbose=True, stream=stream)
    logging.getLogger("aiortc").info("chatter")
    logging.getLogger("aiortc").warning("trouble")
    log.debug("detail")
    assert "chatter" not in stream.getvalue()
    assert "event=trouble" in stream.getvalue() and "event=detail" in stream.getvalue()
