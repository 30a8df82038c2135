"""The log: one line for one event, as ``key=value`` or as JSON.

``log.info("session closed", extra={"fields": {"session": id}})`` becomes
``time=2026-03-01T12:00:00.123Z level=info part=clients.session event="session closed" ...``
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec


def configure(*, as_json: bool, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Send this process's log to ``stream`` (stderr), libraries from warnings on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sharp_xr").setLevel(logging.DEBUG if verbose else logging.INFO)


class LineFormatter(logging.Formatter):
    """One line for one record; a traceback goes into the field ``traceback``, its lines joined."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields = {**_header(record), **getattr(record, "fields", {})}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if self._as_json:
            return json.dumps(fields, default=_plain, ensure_ascii=False)
        return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


def _header(record: logging.LogRecord) -> dict[str, object]:
    time = datetime.fromtimestamp(record.created, UTC)
    return {
        "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "part": record.name.removeprefix("sharp_xr."),
        "event": record.getMessage(),
    }


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=_plain)
    plain = text.isprintable() and not set(text) & set(' "=') and text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _plain(value: object) -> object:
    """What json cannot say itself: structs and dataclasses as maps, the rest in words."""
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return str(value)
