"""The server that ``bench latency`` asks: the product and stock aiortc, with one light renderer.

    python server.py FOLDER [--restless]
        prints "open URL" of the product and "stock URL"; at SIGTERM it writes FOLDER/frames.json:
        what each frame took, by stream and key. Restless, it changes the size of pictures again
        and again, for clients that take it.

Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from scripts.impairment.standin import serve
from scripts.latency.painted import PaintedRenderer, place_of
from scripts.latency.stock import stock_server
from tests.server.stream import restless

from sharp_xr.stream.loop import Drawn
from sharp_xr.stream.stream import Stream
from sharp_xr_protocol.messages import FrameHeader, Tracking

Taken = dict[str, float]


class Logbook:
    """Listens in on every stream of this process."""

    def __init__(self, renderer: PaintedRenderer) -> None:
        self._renderer = renderer
        self._streams: dict[Stream, dict[int, Taken]] = {}

    def listen(self) -> None:
        """The product has no hook for a bench, so three methods of the class are wrapped."""
        track, header, send = Stream.track, Stream._header, Stream._send

        def tracked(stream: Stream, tracking: Tracking) -> None:
            self._of(stream, tracking.key)["arrived_s"] = time.monotonic()
            track(stream, tracking)

        def headed(stream: Stream, drawn: Drawn) -> FrameHeader:
            taken = self._of(stream, drawn.tracking.key)
            taken["wait_ms"], taken["draw_ms"] = drawn.pose_wait_ms, drawn.render_ms
            place = place_of(drawn.tracking.head.position)
            taken["render_ms"] = self._renderer.took_ms.get(place, 0.0)
            taken["encoding_s"] = time.monotonic()
            return header(stream, drawn)

        async def sent(stream: Stream, peer: Any, drawn: Drawn, encoded: Any, *rest: Any) -> None:
            taken = self._of(stream, drawn.tracking.key)
            taken["encode_ms"], taken["bytes"] = encoded.encode_ms, len(encoded.access_unit)
            taken["encoded_s"] = time.monotonic()
            await send(stream, peer, drawn, encoded, *rest)
            taken["sent_s"] = time.monotonic()

        for name, method in (("track", tracked), ("_header", headed), ("_send", sent)):
            setattr(Stream, name, method)

    def _of(self, stream: Stream, key: int) -> Taken:
        return self._streams.setdefault(stream, {}).setdefault(key, {})

    def write(self, file: Path) -> None:
        """[{key: {what: number}}], a stream after the other."""
        file.write_text(json.dumps(list(self._streams.values())), encoding="utf-8")


async def run(folder: Path) -> None:
    renderer = PaintedRenderer()
    book = Logbook(renderer)
    book.listen()
    async with stock_server(renderer) as port:
        print(f"stock ws://127.0.0.1:{port}", flush=True)
        await serve(folder, renderer)
    book.write(folder / "frames.json")


if __name__ == "__main__":
    if "--restless" in sys.argv[2:]:
        restless.install()
    uvloop.run(run(Path(sys.argv[1])))
