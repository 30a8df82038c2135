"""Chromium as ``bench latency`` uses it: the real page, whose ``main.js`` is the bench's."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Route
from scripts.latency.relayed import RelayThread
from scripts.latency.watching import Sample
from tests.e2e.browsing import browser, until

SCRIPT = Path(__file__).with_name("page.js")


CUT = """const Socket = WebSocket;
const opened = [];
WebSocket = class extends Socket {
    constructor(...all) {
        super(...all);
        opened.push(this);
    }
};
globalThis.cut = () => opened.at(-1).close();
"""


def browse(
    page: str,
    path: str,
    seconds: float,
    capabilities: Sequence[str] = (),
    *,
    asked: Sequence[str] = (),
    is_cut: bool = False,
    link: RelayThread | None = None,
) -> list[Sample]:
    """What a page decoded in so many seconds; ``path`` is how it takes pictures of the track.

    "processor" is MediaStreamTrackProcessor, "callback" a <video>'s requestVideoFrameCallback,
    "blind" one that tells no RTP timestamps: they are read from the coded frames.
    ``capabilities`` are what its Hello has. ``asked``: see ``page.js``. ``is_cut``: its WebSocket
    breaks after the first half, and the second begins when frames come again. ``link``: what its
    video goes through.
    """
    query = "&".join([path, *asked, *(f"capability={name}" for name in capabilities)])

    def answer(route: Route) -> None:
        # Only this file: a document of ours would be a stranger's to the browser, and kept out.
        route.fulfill(path=SCRIPT, content_type="text/javascript")

    with browser() as running:
        tab = running.new_page(viewport={"width": 640, "height": 400})
        tab.on("pageerror", lambda error: print("page:", error, file=sys.stderr))
        tab.route(re.compile(r"/web/main\.js$"), answer)
        tab.add_init_script(CUT)
        if link is not None:
            link.route(tab)
        tab.goto(f"{page}?{query}")
        for session in range(1, 3 if is_cut else 2):
            if session > 1:
                tab.evaluate("cut()")
            until(tab, f"globalThis.bench?.samples.at(-1)?.session === {session}")
            tab.wait_for_timeout(1e3 * seconds / (2 if is_cut else 1))
        rows: list[dict[str, Any]] = tab.evaluate("bench.taken()")
        tab.close()
    return [_sample(row) for row in rows]


def _sample(row: dict[str, Any]) -> Sample:
    def seconds(name: str) -> float | None:
        return None if row[name] is None else row[name] / 1e3

    sent_s, decoded_s = seconds("sent") or 0.0, row["decoded"] / 1e3
    times = seconds("received"), seconds("shown")
    size = int(row["width"]), int(row["height"])
    return Sample(
        int(row["key"]),
        sent_s,
        decoded_s,
        bool(row["isTrue"]),
        size,
        *times,
        is_guessed=bool(row["isGuessed"]),
        session=int(row["session"]),
        is_read=bool(row["isRead"]),
    )
