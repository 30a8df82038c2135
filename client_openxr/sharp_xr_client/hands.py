"""What hands do to the photo: take hold of it, turn the gallery, put it back.

    one hand holds     the photo goes with it, and turns with it about the room's up
    both hold          it is also drawn apart or together
    thumbstick aside   the next scene, or the one before
    thumbstick press   a metre is a metre again
    menu               the photo's camera where the head is, level, at true scale

The photo stays level: a horizon that tilts makes people ill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sharp_xr_client.placement import Placement, middle, recentred, turn_about_up
from sharp_xr_protocol.geometry import (
    Pose,
    Quaternion,
    Vector3,
    conjugate,
    multiply,
    normalized,
    rotate,
)

HOLD, LET_GO = 0.6, 0.4
"""Of a squeeze from 0 to 1; two values, so that a tired hand does not flutter."""
FLICK, REST = 0.7, 0.3
"""Of a thumbstick from 0 to 1."""
LEAST_APART_M = 0.03
"""Between two hands that scale; nearer ones say nothing about a ratio."""


@dataclass(frozen=True)
class Hand:
    """One controller, or one hand, at one moment."""

    room_from_grip: Pose | None = None
    """None: it is not seen."""
    squeeze: float = 0.0
    """0 to 1."""
    stick: float = 0.0
    """-1 left to 1 right."""
    press: bool = False
    menu: bool = False


@dataclass(frozen=True)
class Wish:
    """What comes of it."""

    placement: Placement
    scene_step: int = 0
    """1 the next scene of the gallery, -1 the one before, 0 this one."""


class Hands:
    """Two hands over time; the display's thread asks once a frame."""

    def __init__(self) -> None:
        self._hands = (Hand(), Hand())
        self._held = (False, False)
        self._flicked = [False, False]

    def update(self, left: Hand, right: Hand, placement: Placement, room_from_head: Pose) -> Wish:
        """What the hands want, after those of the frame before."""
        before, now = self._hands, (left, right)
        held_before, held = self._held, tuple(map(self._holds, (0, 1), now))
        self._hands, self._held = now, (held[0], held[1])
        # Whoever takes hold or lets go starts anew: nothing jumps.
        if held == held_before:
            placement = _carried(before, now, self._held, placement)
        if _pushed(before, now, "press"):
            placement = _at_true_scale(placement, room_from_head)
        if _pushed(before, now, "menu"):
            placement = recentred(room_from_head)
        return Wish(placement, self._scene_step(now))

    def _holds(self, side: int, hand: Hand) -> bool:
        threshold = LET_GO if self._held[side] else HOLD
        return hand.room_from_grip is not None and hand.squeeze >= threshold

    def _scene_step(self, now: tuple[Hand, Hand]) -> int:
        """One step for each flick, however long the stick is held."""
        step = 0
        for side, hand in enumerate(now):
            if not self._flicked[side] and abs(hand.stick) >= FLICK:
                self._flicked[side] = True
                step = 1 if hand.stick > 0 else -1
            elif abs(hand.stick) <= REST:
                self._flicked[side] = False
        return step


def _pushed(before: tuple[Hand, Hand], now: tuple[Hand, Hand], button: str) -> bool:
    return any(
        getattr(new, button) and not getattr(old, button)
        for old, new in zip(before, now, strict=True)
    )


def _carried(
    before: tuple[Hand, Hand],
    now: tuple[Hand, Hand],
    held: tuple[bool, bool],
    placement: Placement,
) -> Placement:
    """The placement after what is held has moved from ``before`` to ``now``."""
    old = [h.room_from_grip for h, holds in zip(before, held, strict=True) if holds]
    new = [h.room_from_grip for h, holds in zip(now, held, strict=True) if holds]
    match old, new:
        case [Pose() as a], [Pose() as b]:
            turn = _twist(multiply(b.orientation, conjugate(a.orientation)))
            return _moved(placement, a.position, b.position, turn, 1.0)
        case [Pose() as a, Pose() as b], [Pose() as c, Pose() as d]:
            turn = turn_about_up(
                _heading(c.position, d.position) - _heading(a.position, b.position)
            )
            apart_m = max(math.dist(a.position, b.position), LEAST_APART_M)
            ratio = max(math.dist(c.position, d.position), LEAST_APART_M) / apart_m
            return _moved(
                placement,
                middle(a.position, b.position),
                middle(c.position, d.position),
                turn,
                ratio,
            )
        case _:
            return placement


def _moved(
    placement: Placement, old: Vector3, new: Vector3, turn: Quaternion, ratio: float
) -> Placement:
    """What was at the room's point ``old`` is at ``new``, turned and scaled around it."""
    scaled = placement.at(placement.scale * ratio)
    ratio = scaled.scale / placement.scale
    pose = placement.room_from_photo
    away = [ratio * (p - o) for p, o in zip(pose.position, old, strict=True)]
    x, y, z = rotate(turn, (away[0], away[1], away[2]))
    position = (new[0] + x, new[1] + y, new[2] + z)
    orientation = normalized(multiply(turn, pose.orientation))
    return replace(scaled, room_from_photo=Pose(position, orientation))


def _at_true_scale(placement: Placement, room_from_head: Pose) -> Placement:
    """What is seen stays in its direction: scaled around the head."""
    head = room_from_head.position
    unturned = turn_about_up(0.0)
    return replace(_moved(placement, head, head, unturned, 1 / placement.scale), scale=1.0)


def _heading(a: Vector3, b: Vector3) -> float:
    """Of the way from a to b, about the room's up."""
    return math.atan2(-(b[2] - a[2]), b[0] - a[0])


def _twist(rotation: Quaternion) -> Quaternion:
    """Its part about the room's up."""
    _, y, _, w = rotation
    size = math.hypot(y, w)
    return (0.0, y / size, 0.0, w / size) if size > 1e-6 else turn_about_up(0.0)
