"""Memory that is used again: the system takes longer to find new pages than we to fill them."""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np

from sharp_xr.gaussians import Float32

SPARE = 1.2
"""How much more room than asked for, once a request has outgrown the last room."""


class Rooms:
    """Lends out arrays; each comes back by itself when nothing refers to it any more, be it a view
    of it or a tensor. Any number of threads may ask."""

    def __init__(self, kept: int) -> None:
        """``kept`` is how many arrays it holds that nobody has."""
        self._free: deque[Float32] = deque(maxlen=kept)

    def take(self, floats: int) -> Float32:
        """Uninitialised."""
        if not floats:
            return np.empty(0, np.float32)
        try:
            room = self._free.pop()
        except IndexError:
            room = np.empty(floats, np.float32)
        if len(room) < floats:
            room = np.empty(int(floats * SPARE), np.float32)
        # Not a slice: numpy would let the slices of a slice refer to the room itself.
        lent: Float32 = np.frombuffer(room.data, np.float32, floats)
        weakref.finalize(lent, self._free.append, room).atexit = False
        return lent
