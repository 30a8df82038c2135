"""A page's video led through a bad link: the relay in a thread of its own, the SDP on its way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from playwright.sync_api import Page
from scripts.impairment.link import Lane, UdpRelay

REROUTE = """const accept = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    const sdp = await globalThis.reroute(description.sdp);
    return accept.call(this, { type: description.type, sdp });
};
"""
"""The answer, with the relay in place of the server. The page's own addresses are ``.local`` names,
which the server does not look up, so that no other path is left."""


class RelayThread:
    """A :class:`UdpRelay` on an event loop of its own: Playwright has this thread's."""

    def __init__(self, up: Lane, down: Lane) -> None:
        self.up, self.down = up, down
        self._loop = asyncio.new_event_loop()
        self._relay = UdpRelay(up, down)
        self._thread = threading.Thread(target=self._run, name="relay")
        self._opened = threading.Event()

    def route(self, tab: Page) -> None:
        """Lead what the page will receive through here. Before it is opened."""
        tab.expose_function("reroute", self._relay.rewritten)
        tab.add_init_script(REROUTE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._relay.open())
        self._opened.set()
        self._loop.run_forever()
        self._relay.close()
        self._loop.run_until_complete(asyncio.sleep(0))  # sockets close with the next turn
        self._loop.close()

    def start(self) -> None:
        self._thread.start()
        self._opened.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@contextlib.contextmanager
def relay(up: Lane, down: Lane) -> Iterator[RelayThread]:
    """Open until the end of the block; the lanes' impairments may be exchanged meanwhile."""
    thread = RelayThread(up, down)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
