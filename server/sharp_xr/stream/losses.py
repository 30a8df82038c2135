"""How many times each packet is sent, decided from the receiver's reports on what did not come.

A repair that has to be asked for comes a round trip too late. Of 400 packets a second that go out
twice over a link that loses 2 %, one gets lost in six seconds; three times, one in five minutes.

A report is of about a second: of 2 Mbit/s these are 200 packets, and of 2 % by chance none is lost.
So one report alone says nothing.
"""

from __future__ import annotations

from collections import deque

STEPS = (0.007, 0.01)
"""Shares: more than that in two reports running, and each packet is sent once more for each step;
less than half of it in four, and it is not any more."""
MUCH = 0.1
"""Beyond that the link is full rather than lossy: copies would fill it more."""
REPORTS = 4


class Losses:
    """The last reports."""

    def __init__(self) -> None:
        self._shares: deque[float] = deque(maxlen=REPORTS)
        self.copies = 0
        """How many times each packet is to be sent again, unasked."""

    def add(self, share: float) -> None:
        """So many of the packets since the last report did not come."""
        before = self._shares[-1] if self._shares else 0.0
        self._shares.append(share)
        if max(before, share) >= MUCH:
            return
        wanted = sum(min(before, share) > step for step in STEPS)
        enough = sum(max(self._shares) > 0.5 * step for step in STEPS)
        self.copies = max(wanted, min(self.copies, enough))
