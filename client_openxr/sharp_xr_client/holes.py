"""Which packets of a stream are missing, and when each of them is asked for. No I/O and no clock.

Sequence numbers here are unwrapped: they only rise.
"""

from __future__ import annotations

from dataclasses import dataclass

from sharp_xr_client.counts import Counts

NACK_TRIES = 3
NACK_MARGIN_S = 0.010
"""Over a round trip, until a packet is asked for again."""
KEYFRAME_MARGIN_S = 0.030
"""Over a round trip, until a key frame is better than waiting: time for two tries of repair."""
GIVE_UP_S = 0.250
"""Age of a hole that no repair comes for any more: servers answer NACKs for 150 ms."""

MAX_DISORDER_S = 0.030
"""Who is overtaken by more is lost."""
DISORDER_FALLS = 0.999
"""By each packet: to a third in a second or two."""


@dataclass
class _Hole:
    since_s: float
    asked_s: float = float("-inf")
    tries: int = 0


class Holes:
    """Of one stream.

    Args:
        round_trip_s: how long a repair takes at least.
        counts: what is missing, asked for, repaired and lost is added to them.
    """

    def __init__(self, round_trip_s: float, counts: Counts) -> None:
        self.round_trip_s = round_trip_s
        self._counts = counts
        self._holes: dict[int, _Hole] = {}
        self._disorder_s = 0.0  # what late packets come late by; falls slowly

    def __bool__(self) -> bool:
        return bool(self._holes)

    def note(self, highest: int, sequence: int, now_s: float) -> None:
        """This packet has come, the highest before it was ``highest``: every number that was jumped
        over is a hole, its own is none any more."""
        for number in range(highest + 1, sequence):
            self._holes[number] = _Hole(now_s)
            self._counts.missing += 1
        hole = self._holes.pop(sequence, None)
        if hole is not None:
            self._counts.repaired += 1
            late_s = now_s - hole.since_s
            # Asked for, it may be a repair: only what comes before one could is disorder.
            if hole.tries == 0 or now_s - hole.asked_s < self.round_trip_s:
                self._disorder_s = max(self._disorder_s, min(late_s, MAX_DISORDER_S))
        self._disorder_s *= DISORDER_FALLS

    def due(self, now_s: float) -> list[int]:
        """Those to ask for now; notes that they are asked for."""
        numbers = [number for number, hole in self._holes.items() if self._ask(hole, now_s)]
        self._counts.nacks += len(numbers)
        return numbers

    def is_overdue(self, now_s: float) -> bool:
        """Whether the oldest is older than repairs take."""
        oldest_s = min((hole.since_s for hole in self._holes.values()), default=now_s)
        return now_s - oldest_s > self._wait_s() + self._disorder_s + KEYFRAME_MARGIN_S

    def hopeless(self, now_s: float) -> int | None:
        """The last number that no repair comes for any more; None if there is none."""
        limit_s = self.round_trip_s + GIVE_UP_S
        old = (number for number, hole in self._holes.items() if now_s - hole.since_s > limit_s)
        return max(old, default=None)

    def give_up_before(self, end: int) -> None:
        """Forget those below ``end``: they are lost."""
        lost = [number for number in self._holes if number < end]
        for number in lost:
            del self._holes[number]
        self._counts.lost += len(lost)

    def _wait_s(self) -> float:
        """A round trip, and what packets lately overtook each other by."""
        return self.round_trip_s + self._disorder_s

    def _ask(self, hole: _Hole, now_s: float) -> bool:
        # Sooner, late packets would be asked for by the hundred, and their tries used up.
        if now_s - hole.since_s < self._disorder_s:
            return False
        again_s = self._wait_s() + NACK_MARGIN_S
        if hole.tries == NACK_TRIES or now_s - hole.asked_s < again_s:
            return False
        hole.asked_s, hole.tries = now_s, hole.tries + 1
        return True
