"""Moves the head and hands of Monado's "remote" headset, over its TCP socket.

A message is 376 bytes, little-endian, as C lays it out (``r_remote_data`` of Monado 25.0.0,
src/xrt/drivers/remote/r_interface.h; each offset was found again by a round trip):

    header        8 bytes, "mndrmt3" and 0
    2 views       fov 4 f32, quaternion xyzw, position 3 f32, u32: used where the flag below is set
    head          quaternion xyzw, position in metres; x right, y up from the floor
    flag          u8, then 3 of padding
    2 controllers quaternion, position, linear and angular velocity 3 f32 each, 5 f32 of fingers,
                  trigger, squeeze, its force, thumbstick x y, trackpad force, x, y; 16 u8:
                  hand tracking, active, then click and touch of system, a, b, trigger,
                  thumbstick; touch of the trackpad, and 3 of padding

The newest message counts and stays when the socket closes. Poses come back from the runtime as they
were sent: it predicts nothing.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from sharp_xr_protocol.geometry import Pose

MAGIC = b"mndrmt3\0"
MESSAGE = struct.Struct("<8s" + "4f4f3fI" * 2 + "4f3f4B" + ("4f3f3f3f5f3f2f1f2f16B") * 2)
STANDING_M = 1.6
"""Height of the eyes over the floor where the headset's LOCAL space has its origin."""


@dataclass(frozen=True)
class Hand:
    """A controller. Positions are of the floor's space, as the head's."""

    pose: Pose
    active: bool = True
    trigger: float = 0.0
    squeeze: float = 0.0
    thumbstick: tuple[float, float] = (0.0, 0.0)
    press: bool = False
    """Of the thumbstick."""
    b: bool = False

    def pack(self) -> tuple[float, ...]:
        pulled, b, press = int(self.trigger > 0.5), int(self.b), int(self.press)
        motion = (0.0,) * 6
        fingers = (0.0,) * 5
        values = (self.trigger, self.squeeze, self.squeeze, *self.thumbstick, 0.0, 0.0, 0.0)
        system = (0, int(self.active), 0, 0)
        buttons = (0, 0, b, b, pulled, pulled, press, press, 0, 0, 0, 0)
        where = (*self.pose.orientation, *self.pose.position)
        return (*where, *motion, *fingers, *values, *system, *buttons)


LEFT = Hand(Pose((-0.2, 1.3, -0.5)))
RIGHT = Hand(Pose((0.2, 1.3, -0.5)))


class RemoteHead:
    """A connection to the simulated headset."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # It greets with the state after a reset and the present one.
        self._read()
        self._read()

    def move(self, head: Pose, left: Hand = LEFT, right: Hand = RIGHT) -> None:
        """Be there: ``head`` is stage_from_head, over the middle of the floor."""
        view = (0.0,) * 7 + (1.0,) + (0.0,) * 3 + (0,)
        where = (*head.orientation, *head.position)
        hands = (*left.pack(), *right.pack())
        self._socket.sendall(MESSAGE.pack(MAGIC, *view, *view, *where, 0, 0, 0, 0, *hands))

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        left = MESSAGE.size
        while left:
            data = self._socket.recv(left)
            if not data:
                raise ConnectionError("Monado closed the remote headset's socket")
            left -= len(data)
