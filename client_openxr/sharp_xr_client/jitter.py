"""From RTP packets to frames that can be decoded: asks for what is missing, gives up what is late.

No I/O and no clock: the time of each call is passed in. The rules:

    packets   ...[P P P|M] [P _ P|M] [P|M] [SPS IDR ...|M] [P ...
                           ^ a hole         ^ a complete key frame behind it: go on here

- A frame is handed out when its marker packet is in, not when the next frame begins.
- The packets of a hole are asked for (NACK) and asked for again, at once where packets come in
  order, else when a late one should have come; a key frame is asked for (PLI) as
  soon as the hole is older than a repair takes.
- A complete key frame makes everything before it worthless, holes included.
- After a hole that nothing filled no frame is handed out before the next key frame: decoders would
  make damaged pictures of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sharp_xr_client.counts import Counts
from sharp_xr_client.holes import Holes

KEYFRAME_AGAIN_S = 0.100
"""Over a round trip, until a key frame is asked for again."""
MAX_WAITING = 4096
"""Packets behind a hole, at most: 90 ms of 500 Mbit/s, so that only nonsense gets there."""

START_CODE = b"\x00\x00\x00\x01"
SLICE_IDR, SPS = 5, 7
"""NAL unit types (H.264 table 7-1)."""


class Fragment(NamedTuple):
    """One RTP packet of the video."""

    sequence: int
    """16 bits."""
    key: int
    """RTP timestamp: the same for all packets of a frame."""
    marker: bool
    """The frame's last packet."""
    data: bytes
    """Its part of the Annex B stream; a NAL unit that begins here begins with a start code."""


@dataclass(frozen=True)
class AccessUnit:
    """One whole encoded frame."""

    key: int
    data: bytes
    """H.264, Annex B."""
    keyframe: bool
    arrived_s: float
    """When its last packet came."""


@dataclass(frozen=True)
class Feedback:
    """What the sender should be told now."""

    nack: list[int]
    """Sequence numbers, 16 bits."""
    keyframe: bool


class FrameBuffer:
    """Reorders packets, finds frames, and knows what to ask the sender for."""

    def __init__(self, round_trip_s: float = 0.05, counts: Counts | None = None) -> None:
        self.counts = counts or Counts()
        self._holes = Holes(round_trip_s, self.counts)
        # Sequence numbers inside are unwrapped: they only rise.
        self._next: int | None = None  # first packet that is neither handed out nor given up
        self._highest = 0
        self._waiting: dict[int, Fragment] = {}
        self._intact = False  # the decoder has what the next frame refers to
        self._keyframe_wanted = False
        self._keyframe_asked_s = float("-inf")
        self._last_undecodable: int | None = None  # its key

    def set_round_trip(self, seconds: float) -> None:
        """How long a repair takes at least."""
        self._holes.round_trip_s = seconds

    @property
    def troubled(self) -> bool:
        """Whether :meth:`feedback` should be asked from time to time."""
        return bool(self._holes) or self._keyframe_wanted

    def add(self, fragment: Fragment, now_s: float) -> list[AccessUnit]:
        """Take a packet in; the frames that it completes, each decodable after the one before."""
        sequence = self._unwrapped(fragment.sequence)
        self.counts.received += 1
        self.counts.received_bytes += len(fragment.data)
        if self._next is None or sequence - self._next >= MAX_WAITING:
            self._restart(sequence)
        assert self._next is not None
        if sequence < self._next or sequence in self._waiting:
            self.counts.duplicate += 1
            return []
        self._holes.note(self._highest, sequence, now_s)
        self._highest = max(self._highest, sequence)
        self._waiting[sequence] = fragment
        keyframe = self._keyframe_around(sequence)
        if keyframe is not None:
            self._drop_before(keyframe)
        return self._take(now_s) if self._may_complete(sequence) else []

    def feedback(self, now_s: float) -> Feedback:
        """What to ask for now; asked for again when it is due again."""
        hopeless = self._holes.hopeless(now_s)
        if hopeless is not None:
            # Packets of the hole's own frame may stay: without its head they are no key frame, so
            # that _take drops them with all the others.
            self._drop_before(hopeless + 1)
            self.lose()
        nack = [number & 0xFFFF for number in self._holes.due(now_s)]
        wanted = self._keyframe_wanted or self._holes.is_overdue(now_s)
        again_s = self._holes.round_trip_s + KEYFRAME_AGAIN_S
        due = now_s - self._keyframe_asked_s > again_s
        if wanted and due:
            self._keyframe_asked_s = now_s
            self.counts.plis += 1
        return Feedback(nack, keyframe=wanted and due)

    def lose(self) -> None:
        """The decoder has lost its state: hand out nothing before the next key frame."""
        self._intact = False
        self._keyframe_wanted = True

    # --- sequence numbers ----------------------------------------------------------------------

    def _unwrapped(self, sequence: int) -> int:
        difference = (sequence - self._highest + 0x8000) % 0x10000 - 0x8000
        return sequence if self._next is None else self._highest + difference

    def _restart(self, sequence: int) -> None:
        if self._next is not None:
            self._drop_before(self._highest + 1)
            self.lose()
        self._next, self._highest = sequence, sequence - 1

    def _drop_before(self, end: int) -> None:
        """Forget all packets and holes below ``end``."""
        gone = [number for number in self._waiting if number < end]
        for number in sorted(gone):
            self._count_undecodable(self._waiting.pop(number).key)
        self._holes.give_up_before(end)
        assert self._next is not None
        self._next = max(self._next, end)

    # --- frames --------------------------------------------------------------------------------

    def _may_complete(self, sequence: int) -> bool:
        """Whether a frame may be whole by this packet: not one amidst a frame that still comes.

        A frame of 50 Mbit/s has 80 packets, which are not looked through for each of them.
        """
        fragment, first = self._waiting.get(sequence), self._waiting.get(self._next or 0)
        if fragment is None or first is None or fragment.key != first.key:
            return True
        return fragment.marker or sequence < self._highest

    def _take(self, now_s: float) -> list[AccessUnit]:
        """All whole frames up to the first hole; those that cannot be decoded are dropped."""
        units = []
        while (unit := self._take_frame(now_s)) is not None:
            if unit.keyframe:
                self._intact, self._keyframe_wanted = True, False
            if self._intact:
                units.append(unit)
            else:
                self._count_undecodable(unit.key)
                self._keyframe_wanted = True
        return units

    def _count_undecodable(self, key: int) -> None:
        """Once per frame: its head and its tail may go separately."""
        if key != self._last_undecodable:
            self.counts.undecodable_frames += 1
        self._last_undecodable = key

    def _take_frame(self, now_s: float) -> AccessUnit | None:
        assert self._next is not None
        end = self._frame_end(self._next)
        if end is None:
            return None
        fragments = [self._waiting.pop(number) for number in range(self._next, end)]
        self._next = end
        # A part of a key frame has slices too, but not the parameter sets that lead it.
        keyframe = {SPS, SLICE_IDR} <= nal_types(fragment.data for fragment in fragments)
        data = b"".join(fragment.data for fragment in fragments)
        return AccessUnit(fragments[0].key, data, keyframe, now_s)

    def _frame_end(self, start: int) -> int | None:
        """One past the last packet of the frame that begins at ``start``; None if not all is in."""
        number, first = start, self._waiting.get(start)
        while first is not None and (fragment := self._waiting.get(number)) is not None:
            if fragment.key != first.key:
                return number  # a sender that sets no markers
            number += 1
            if fragment.marker:
                return number
        return None

    def _keyframe_around(self, sequence: int) -> int | None:
        """Start of the complete key frame behind a hole that this packet belongs to, if it does."""
        if not self._holes:
            return None
        key = self._waiting[sequence].key
        start = sequence
        while (before := self._waiting.get(start - 1)) is not None and before.key == key:
            start -= 1
        end = self._frame_end(start)
        if end is None:
            return None
        # Parameter sets lead a key frame: from them on nothing that it needs is missing.
        types = [nal_types([self._waiting[number].data]) for number in range(start, end)]
        head = next((i for i, found in enumerate(types) if SPS in found), None)
        if head is None or not any(SLICE_IDR in found for found in types[head:]):
            return None
        return start if start == self._next else start + head


def nal_types(parts: Iterable[bytes]) -> set[int]:
    """Types of the NAL units that begin in these parts of an Annex B stream."""
    types = set()
    for data in parts:
        at = data.find(START_CODE)
        while at >= 0 and at + len(START_CODE) < len(data):
            types.add(data[at + len(START_CODE)] & 0x1F)
            at = data.find(START_CODE, at + len(START_CODE))
    return types
