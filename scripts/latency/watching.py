"""The Python client as ``bench latency`` uses it: it reads from each frame whose it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scripts.latency.painted import is_place, place_of, read_place

from sharp_xr_client.address import parse_address
from sharp_xr_client.connection import connect
from sharp_xr_client.decoder import DecodedFrame
from sharp_xr_client.motion import Motion
from sharp_xr_client.report import SessionLog
from sharp_xr_client.simulated import Viewer
from sharp_xr_protocol.messages import Display, Hello


@dataclass(frozen=True)
class Sample:
    """A frame that a client decoded. Times in seconds of this machine's monotonic clock."""

    key: int
    sent_s: float
    """When its pose left the client."""
    decoded_s: float
    is_true: bool
    """Whether its pixels are of the pose that its RTP timestamp names."""
    size: tuple[int, int]
    """Width and height of its picture, pixels."""
    received_s: float | None = None
    """When its last packet came."""
    shown_s: float | None = None
    is_guessed: bool = False
    """Whether its header had not come, or never does, so that the page had to guess what it is."""
    session: int = 1
    """Counts a client's connections."""
    is_read: bool = True
    """Whether its barcode could be read: of a key frame of one kilobyte only its grey is left."""


class Reader(Viewer):
    """A viewer that reads barcodes."""

    def __init__(self, hz: float) -> None:
        super().__init__(hz, SessionLog(time.monotonic_ns()))
        self.samples: list[Sample] = []
        self._session = 0

    def begin(self) -> None:
        super().begin()
        self._log = SessionLog(time.monotonic_ns())
        self._session += 1

    def frame(self, frame: DecodedFrame) -> None:
        super().frame(frame)
        pose = self._history.get(frame.key)
        luma = frame.picture.planes[0]
        picture = np.frombuffer(memoryview(luma), np.uint8).reshape(-1, luma.line_size)
        try:
            painted = read_place(picture)
            is_true = pose is not None and is_place(painted, place_of(pose.head.position))
        except ValueError:
            is_true = False
        sent_s = 0.0 if pose is None else pose.time_ns / 1e9
        decoded_s, arrived_s = frame.decoded_ns / 1e9, frame.unit.arrived_s
        size = frame.picture.width, frame.picture.height
        self.samples.append(
            Sample(frame.key, sent_s, decoded_s, is_true, size, arrived_s, session=self._session)
        )


async def watch(
    page: str,
    motion: Motion,
    seconds: float,
    side: int,
    hz: float,
    capabilities: Sequence[str] = (),
    reader: Reader | None = None,
) -> list[Sample]:
    """What the client decoded in so many seconds; also of connections before, by a ``reader``."""
    reader = reader or Reader(hz)
    reader.begin()
    display = Display(side, side, hz)
    hello = Hello("bench", "simulated", display, capabilities=list(capabilities))
    async with connect(parse_address(page), hello, reader) as connection:
        await reader.run(connection, motion, seconds)
    return reader.samples
