"""What happens to a headset's session, and that it goes on after it.

Each takes a client that shows frames of a stand, does something to one of them, and returns when
frames come again; an AssertionError says what did not come.
"""

from __future__ import annotations

import time
from pathlib import Path

from scripts.openxr.monado import Monado
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import Wearer

HIDDEN_S = 1.0
"""How long somebody else is shown, or nothing gets through times three."""

OTHER_APPLICATION = """
import time
import xr
from sharp_xr_client.openxr.runtime import Runtime
from sharp_xr_client.openxr.session import Session
from sharp_xr_client.openxr.surfaceless import Surfaceless
context = Surfaceless()
context.make_current()
runtime = Runtime(egl=True)
binding = context.binding()
session = Session(runtime, binding)
while True:
    session.poll()
    if session.is_running:
        moment = session.next_frame()
        session.end_frame(moment, None, ())
        if session.state == xr.SessionState.FOCUSED:
            print("focused", flush=True)
    else:
        time.sleep(0.02)
"""
"""Python of another OpenXR program, that shows nothing: the runtime takes the focus from ours and
tells it that nobody sees it (``shouldRender`` is false), as when a headset is taken off."""


def streams(stand: Stand, client: Wearer, what: str = "frames") -> None:
    """Wait for frames that are shown from now on."""
    reports = len(stand.reports)
    client.until(lambda: len(stand.reports) > reports + 1, what)


def hide(monado: Monado, stand: Stand, client: Wearer, folder: Path) -> None:
    """Another application is shown for a while; meanwhile ours must ask for nothing."""
    with Wearer(monado, folder, code=OTHER_APPLICATION) as other:
        other.until(lambda: "focused" in other.said(), "the other application")
        # Poses that were on their way may still come; then there are none.
        time.sleep(HIDDEN_S / 2)
        poses = len(stand.poses)
        time.sleep(HIDDEN_S)
        assert len(stand.poses) == poses, "a client that nobody sees asked for pictures"
    client.until(lambda: len(stand.poses) > poses + 3, "poses after it was seen again")


def kill_runtime(monado: Monado, stand: Stand, client: Wearer) -> None:
    """The runtime crashes and is started again."""
    monado.kill()
    client.until(lambda: "waiting for it to come back" in client.said(), "a sentence")
    poses = len(stand.poses)
    monado.start()
    client.until(lambda: len(stand.poses) > poses + 3, "poses by the new runtime")


def kill_server(stand: Stand, client: Wearer) -> Stand:
    """The server crashes and is started again: the new one, which the caller closes."""
    stand.close()
    client.until(lambda: "trying again" in client.said(), "a sentence")
    again = Stand(stand.port)
    try:
        streams(again, client, "frames of the new server")
    except BaseException:
        again.close()
        raise
    return again


def cut(stand: Stand, client: Wearer) -> None:
    """Nothing gets through for three seconds."""
    stand.cut(True)
    time.sleep(3 * HIDDEN_S)
    stand.cut(False)
    poses = len(stand.poses)
    client.until(lambda: len(stand.poses) > poses + 3, "poses after the cut")
