"""Where something stands between fine and cheap: down soon, up late, and seldom there and back.

    down   more than all there is was wanted for DOWN_S -> the finest rung that should leave a bit
    up     a finer rung should have left some of it, for ``wait_s`` -> the finest that should
    again  a rung that cannot be held for HELD_S makes the next wait twice as long, one that can
           makes it half: so what comes and goes is followed seldom, and noise hardly ever
    vain   what going down has not bought after PROOF_S is taken back, and for a while, twice as
           long each time, nothing is given up: the want has another cause

Evidence against counts as evidence does: one bad look among good ones moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DOWN_S = 1.0
UP_S = 3.0
MOST_WAIT_S = 30.0
HELD_S = 30.0
PROOF_S = 1.5
VAIN_S, MOST_VAIN_S = 15.0, 60.0
BIT, ROOM = 0.9, 0.8
"""What a rung may be expected to take of all there is, for going down to it and for going up."""
WORTH = 0.5
"""Share of the gain that was expected of going down, that it must bring."""
DOUBT = 4.0
"""What a look that speaks against going up weighs, beside one that speaks for it."""
PAUSE_S = 0.5
"""A look speaks of so much of the time before it at most: who rested was not looked at."""


@dataclass
class _Mean:
    """Of costs, by the time that they speak of."""

    seconds: float = 0.0
    total: float = 0.0

    def add(self, cost: float, seconds: float) -> None:
        self.seconds += seconds
        self.total += cost * seconds

    @property
    def value(self) -> float:
        return self.total / self.seconds


@dataclass
class _Descent:
    """On trial."""

    came_from: int
    cost: float
    """There, mean of what brought it down."""
    expected: float
    """Cost here, as a share of that."""
    found: _Mean


class Ladder:
    """Rungs are numbers, 0 the finest. Times are passed in, in seconds."""

    def __init__(self, rung: int = 0) -> None:
        self.rung = rung
        self._wait_s = UP_S
        self._late_s = self._room_s = 0.0
        self._late = _Mean()  # since it is late
        self._looked_s: float | None = None
        self._tried_s: float | None = None  # when it went up, until that has proved good or bad
        self._descent: _Descent | None = None
        self._vain_s = VAIN_S
        self._stays_s = 0.0  # in looks, for how long it does not go down

    def look(self, costs: Sequence[float], now_s: float) -> int:
        """The rung from now on.

        ``costs`` of each rung, of all there is: measured of the present one, expected of others.
        """
        self.rung = min(self.rung, len(costs) - 1)
        passed_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, PAUSE_S)
        self._looked_s = now_s
        self._weigh(costs, passed_s)
        self._prove_ascent(now_s)
        before = self._worth_nothing()
        if before is not None:
            self._take_back(before)
        elif self._late_s >= DOWN_S and self._descent is None and self.rung < len(costs) - 1:
            self._go_down(costs)
        elif self._room_s >= self._wait_s:
            self._go_to(next(rung for rung, cost in enumerate(costs) if cost < ROOM))
            self._tried_s = now_s
        return self.rung

    def _weigh(self, costs: Sequence[float], passed_s: float) -> None:
        cost = costs[self.rung]
        self._stays_s = max(0.0, self._stays_s - passed_s)
        late = cost > 1.0 and not self._stays_s
        self._late_s = max(0.0, self._late_s + (passed_s if late else -passed_s))
        if not self._late_s:
            self._late = _Mean()
        self._late.add(cost, passed_s)
        if self._descent is not None:
            self._descent.found.add(cost, passed_s)
        room = self.rung > 0 and costs[self.rung - 1] < ROOM
        self._room_s = max(0.0, self._room_s + (passed_s if room else -DOUBT * passed_s))

    def _prove_ascent(self, now_s: float) -> None:
        if self._tried_s is not None and now_s - self._tried_s > HELD_S:
            self._tried_s = None
            self._wait_s = max(UP_S, self._wait_s / 2)

    def _worth_nothing(self) -> int | None:
        """The rung that it went down from, if it has shown by now that this was in vain."""
        descent = self._descent
        if descent is None:
            return None
        if descent.found.seconds < PROOF_S:
            return None
        self._descent = None
        cost = descent.found.value
        if cost > 1.0 and 1.0 - cost / descent.cost < WORTH * (1.0 - descent.expected):
            return descent.came_from
        self._vain_s = VAIN_S
        return None

    def _take_back(self, rung: int) -> None:
        self._stays_s, self._vain_s = self._vain_s, min(2 * self._vain_s, MOST_VAIN_S)
        self._go_to(rung)

    def _go_down(self, costs: Sequence[float]) -> None:
        if self._tried_s is not None:
            self._tried_s = None
            self._wait_s = min(2 * self._wait_s, MOST_WAIT_S)
        cheaper = range(self.rung + 1, len(costs))
        rung = next((rung for rung in cheaper if costs[rung] <= BIT), cheaper[-1])
        trial = _Descent(self.rung, self._late.value, costs[rung] / costs[self.rung], _Mean())
        self._go_to(rung)
        self._descent = trial

    def _go_to(self, rung: int) -> None:
        self.rung = rung
        self._late_s = self._room_s = 0.0
        self._late, self._descent = _Mean(), None
