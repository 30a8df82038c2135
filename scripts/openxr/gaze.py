"""Looks at what a compositor shows while a head is moved, with a stream that is frozen or not."""

from __future__ import annotations

import time
from collections.abc import Callable

from scripts.openxr.dots import errors
from scripts.openxr.monado import Monado
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import PATIENCE_S, Wearer

from sharp_xr_protocol.geometry import Pose

STANDING = Pose((0.0, 1.6, 0.0))
"""stage_from_head at which the photo's camera is put."""
SETTLED = 30
"""Poses after a move, at 60 Hz, until no picture of before can be on the screen any more."""

WRONG_POSE = """
from dataclasses import replace
from sharp_xr_client.openxr.session import Session
honest = Session.end_frame

def newest_instead(self, moment, swapchain, eyes, *rest, **more):
    now = self.locate(moment.display_ns)
    poses = [now.room_from_head @ eye.pose for eye in now.eyes]
    eyes = [replace(eye, room_from_eye=pose) for eye, pose in zip(eyes, poses)]
    honest(self, moment, swapchain, eyes, *rest, **more)

Session.end_frame = newest_instead
"""
"""Python for a client that says that each picture is of where the head is now: the mistake that the
pixels must tell from the truth."""


class Gaze:
    """One client on a headset with a compositor, standing at first."""

    def __init__(self, monado: Monado, stand: Stand, wearer: Wearer) -> None:
        self._monado, self._stand, self._wearer = monado, stand, wearer

    def until(self, what: Callable[[], bool], name: str) -> None:
        """Wait for it, as of :meth:`Wearer.until`."""
        self._wearer.until(what, name)

    def settle(self, poses: int = SETTLED) -> None:
        """Until the client shows what belongs to where the head stands."""
        count = len(self._stand.poses) + poses
        self._wearer.until(lambda: len(self._stand.poses) > count, "more poses")

    def begin(self) -> list[float]:
        """Frames come and are shown where they belong: the pixels that each dot is off by."""
        self._monado.move(STANDING)
        self._wearer.until(lambda: len(self._stand.reports) > 5, "frames")
        self.settle()
        return self.look()

    def freeze(self) -> None:
        """From here on poses are sent, and none is drawn."""
        self._stand.is_frozen = True
        self.settle()

    def move(self, photo_from_head: Pose) -> list[float]:
        """The head is there: the pixels that each dot is off by, the red ones last."""
        self._monado.move(STANDING @ photo_from_head)
        self.settle()
        return self.look()

    def look(self) -> list[float]:
        """The pixels that each dot is off by now; waits a while for all to be there."""
        give_up = time.monotonic() + PATIENCE_S / 10
        while True:
            newest = self._stand.poses[-1]
            off = errors(self._monado.pixels(), newest.head, newest.eyes)
            if len(off) > 1 or time.monotonic() > give_up:
                return off
            time.sleep(0.1)
