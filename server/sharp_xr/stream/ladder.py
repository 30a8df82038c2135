"""Where something stands between fine and cheap: down soon, up late, and seldom there and back.

    down   more than all there is was wanted for DOWN_S -> the finest rung that should leave a bit
    up     a finer rung should have left some of it, for ``wait_s`` -> the finest that should
    again  a rung that cannot be held for HELD_S makes the next wait twice as long, one that can
           makes it half: so what comes and goes is followed seldom, and noise hardly ever

Evidence against counts as evidence does: one bad look among good ones moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

DOWN_S = 1.0
UP_S = 3.0
MOST_WAIT_S = 30.0
HELD_S = 30.0
BIT, ROOM = 0.9, 0.8
"""What a rung may be expected to take of all there is, for going down to it and for going up."""
DOUBT = 4.0
"""What a look that speaks against going up weighs, beside one that speaks for it."""
PAUSE_S = 0.5
"""A look speaks of so much of the time before it at most: who rested was not looked at."""


class Ladder:
    """Rungs are numbers, 0 the finest. Times are passed in, in seconds."""

    def __init__(self, rung: int = 0) -> None:
        self.rung = rung
        self._wait_s = UP_S
        self._late_s = self._room_s = 0.0
        self._looked_s: float | None = None
        self._tried_s: float | None = None  # when it went up, until that has proved good or bad

    def look(self, costs: Sequence[float], now_s: float) -> int:
        """The rung from now on.

        ``costs`` of each rung, of all there is: measured of the present one, expected of others.
        """
        self.rung = min(self.rung, len(costs) - 1)
        passed_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, PAUSE_S)
        self._looked_s = now_s
        self._prove(now_s)
        late = costs[self.rung] > 1.0
        self._late_s = max(0.0, self._late_s + (passed_s if late else -passed_s))
        room = self.rung > 0 and costs[self.rung - 1] < ROOM
        self._room_s = max(0.0, self._room_s + (passed_s if room else -DOUBT * passed_s))
        if self._late_s >= DOWN_S and self.rung < len(costs) - 1:
            self._go_down(costs)
        elif self._room_s >= self._wait_s:
            self._go_to(next(rung for rung, cost in enumerate(costs) if cost < ROOM))
            self._tried_s = now_s
        return self.rung

    def _prove(self, now_s: float) -> None:
        if self._tried_s is not None and now_s - self._tried_s > HELD_S:
            self._tried_s = None
            self._wait_s = max(UP_S, self._wait_s / 2)

    def _go_down(self, costs: Sequence[float]) -> None:
        if self._tried_s is not None:
            self._tried_s = None
            self._wait_s = min(2 * self._wait_s, MOST_WAIT_S)
        cheaper = range(self.rung + 1, len(costs))
        self._go_to(next((rung for rung in cheaper if costs[rung] <= BIT), cheaper[-1]))

    def _go_to(self, rung: int) -> None:
        self.rung = rung
        self._late_s = self._room_s = 0.0
