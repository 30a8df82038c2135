"""What a bad link does to the stream: the product's server and Python client with a link between.

    scripts/bench impairment [--json FILE] [--only loss outage cut]

The server is real but for its renderer (``scripts/impairment/standin.py``: crops of a photo, so
that 60 frames a second are possible on two cores), 2 x 512 x 512 at 60 Hz. The link
(``scripts/impairment/link.py``) impairs WebRTC in both directions; the session's TCP (poses,
acknowledgements) has the same delay and the same outages. A display tick is the client's: it shows
the newest decoded frame, whose age is the time since the pose was sent that it was drawn for.

A frame is fresh if it is at most two poses (33 ms) and the link's own delay old: 4 ms both ways,
and 20 ms of jitter in the run with loss, or one frame's time (17 ms) on a link that frames fill.

| figure | what |
|---|---|
| clean_fresh_share | share of ticks with a fresh frame, without impairment |
| loss2_fresh_share | the same; 2 % of packets lost, 0 to 20 ms of jitter for each, both ways; |
| | from 3 s on, when the receiver has told of its losses twice |
| loss2_gap_ms | the longest time without a new frame meanwhile |
| outage_gap_ms | link and session dead for 300 ms, six times: longest time without a new frame |
| outage_media_gap_ms | the same with the session alive: poses come, only WebRTC is dead |
| cut_longest_freeze_ms | link cut from 8 to 2 Mbit/s, queue of 64 KiB: the same, for 6 s |
| cut_recovery_s | from the cut until a second begins in which 95 % of ticks are fresh |
| cut_climb_s | from the link's return to 8 Mbit/s until half a second carries 80 % of before |
| cut_overshoot | most that half a second brought to the steady link, share of its 8 Mbit/s |
| cut_swing | the least, as a share of the most: 1 is a rate that stands still |
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from scripts.figures import bench_parser, report
from scripts.impairment.link import Impairment, Lane, TcpRelay, UdpRelay, without_candidates

import sharp_xr_client.connection
from sharp_xr_client.address import parse_address
from sharp_xr_client.connection import Connection, connect
from sharp_xr_client.counts import Counts
from sharp_xr_client.motion import motion
from sharp_xr_client.report import SessionLog
from sharp_xr_client.simulated import Viewer
from sharp_xr_client.video import VideoLink
from sharp_xr_protocol.messages import Display, Hello

ROOT = Path(__file__).parents[2]
HZ = 60.0
TWO_POSES_S = 2 / HZ
DISPLAY = Display(512, 512, HZ)
DELAY_S = 0.002
"""Each way, always: a wireless LAN's."""
CLEAN = Impairment(delay_s=DELAY_S)
Figures = dict[str, float]


@dataclass(frozen=True)
class Tick:
    """What the display showed at one of its ticks."""

    at_s: float
    age_s: float
    """Since the pose was sent that the shown frame was drawn for."""
    new: bool
    """Whether it was not shown before."""


class Watcher(Viewer):
    """A viewer that notes its ticks."""

    def __init__(self) -> None:
        super().__init__(HZ, SessionLog(time.monotonic_ns()))
        self.ticks: list[Tick] = []

    async def _show(self, connection: Connection) -> None:
        before = len(self.log.shown)
        await super()._show(connection)
        now_s, shown = time.monotonic(), self.log.shown
        if shown and shown[-1].sent_ns is not None:
            age_s = now_s - shown[-1].sent_ns / 1e9
            self.ticks.append(Tick(now_s, age_s, len(shown) > before))

    @property
    def log(self) -> SessionLog:
        return self._log


@dataclass
class Bench:
    """A viewer behind a link."""

    watcher: Watcher
    up: Lane
    down: Lane
    session: TcpRelay
    counts: Counts = field(default_factory=Counts)

    def impair(self, up: Impairment, down: Impairment) -> float:
        """From now on; returns now."""
        self.up.impairment, self.down.impairment = up, down
        return time.monotonic()

    def ticks(self, since_s: float, until_s: float) -> list[Tick]:
        return [tick for tick in self.watcher.ticks if since_s <= tick.at_s < until_s]

    def gap_s(self, since_s: float, until_s: float) -> float:
        """Longest time without a new frame on the display."""
        new = [tick.at_s for tick in self.ticks(since_s, until_s) if tick.new]
        ends = [since_s, *new, until_s]
        return max(b - a for a, b in zip(ends, ends[1:], strict=False))

    def fresh(self, since_s: float, until_s: float, link_s: float) -> float:
        """Share of ticks whose frame is at most two poses and the link's delay old."""
        ages = [tick.age_s for tick in self.ticks(since_s, until_s)]
        return sum(age <= TWO_POSES_S + link_s for age in ages) / max(len(ages), 1)

    def offered_bps(self, since_s: float, window_s: float = 0.5) -> float:
        """What the server sent into the link from then on."""
        sizes = [n for at, n in self.down.offered if since_s <= at < since_s + window_s]
        return 8 * sum(sizes) / window_s


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The stand-in in a process of its own; the address of its page."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "scripts/impairment/standin.py"), folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()
            process.wait(20)


@contextlib.asynccontextmanager
async def watching(page: str) -> AsyncIterator[Bench]:
    """A viewer that watches through a clean link, warmed up for three seconds."""
    server = urlsplit(page)
    assert server.hostname and server.port
    up, down = Lane(CLEAN, seed=1), Lane(CLEAN, seed=2)
    media = UdpRelay(up, down)
    session = TcpRelay((server.hostname, server.port), up, down)
    bench = Bench(Watcher(), up, down, session)
    await media.open()
    await session.open()
    through(media)
    relayed = parse_address(f"http://127.0.0.1:{session.port}/")
    try:
        hello = Hello("bench", "simulated", DISPLAY)
        async with connect(relayed, hello, bench.watcher) as connection:
            bench.counts = connection.counts
            viewing = asyncio.create_task(bench.watcher.run(connection, motion("mixed"), 600.0))
            await asyncio.sleep(3.0)
            try:
                yield bench
            finally:
                viewing.cancel()
                await asyncio.gather(viewing, return_exceptions=True)
    finally:
        await session.close()
        media.close()


def through(relay: UdpRelay) -> None:
    """Lead the client's video through the relay."""

    class Relayed(VideoLink):
        async def offer(self) -> str:
            return without_candidates(await super().offer())

        async def accept(self, answer_sdp: str) -> None:
            await super().accept(relay.rewritten(answer_sdp))

    setattr(sharp_xr_client.connection, "VideoLink", Relayed)  # noqa: B010 (a name of another module)


# --- the runs ---------------------------------------------------------------------------


async def loss(page: str) -> Figures:
    async with watching(page) as bench:
        began_s = time.monotonic()
        await asyncio.sleep(5.0)
        clean = bench.fresh(began_s, time.monotonic(), 2 * DELAY_S)
        bad = Impairment(loss=0.02, delay_s=DELAY_S, jitter_s=0.02, reorder=True)
        began_s = bench.impair(bad, bad)
        await asyncio.sleep(20.0)
        now_s = time.monotonic()
        share = bench.fresh(began_s + 3.0, now_s, bad.longest_s + DELAY_S)
        print_counts(bench)
        return {
            "clean_fresh_share": clean,
            "loss2_fresh_share": share,
            "loss2_gap_ms": 1e3 * bench.gap_s(began_s, now_s),
        }


async def outage(page: str) -> Figures:
    async with watching(page) as bench:
        dead = dataclasses.replace(CLEAN, down=True)
        both = await outages(bench, dead)
        bench.session.up = bench.session.down = Lane(CLEAN)
        media = await outages(bench, dead)
        return {"outage_gap_ms": 1e3 * both, "outage_media_gap_ms": 1e3 * media}


async def outages(bench: Bench, dead: Impairment) -> float:
    """The longest gap of six."""
    gaps = []
    for number in range(6):
        began_s = bench.impair(dead, dead)
        await asyncio.sleep(0.3)
        bench.impair(CLEAN, CLEAN)
        await asyncio.sleep(1.7 + 0.011 * number)
        gaps.append(bench.gap_s(began_s, time.monotonic()))
    print("  gaps ms:", *(round(1e3 * gap) for gap in gaps), file=sys.stderr)
    return max(gaps)


async def cut(page: str) -> Figures:
    fast = dataclasses.replace(CLEAN, rate_bps=8e6)
    slow = dataclasses.replace(CLEAN, rate_bps=2e6)
    async with watching(page) as bench:
        steady_s = bench.impair(CLEAN, fast) + 4.0
        await asyncio.sleep(14.0)
        cut_s = bench.impair(CLEAN, slow)
        await asyncio.sleep(6.0)
        back_s = bench.impair(CLEAN, fast)
        await asyncio.sleep(8.0)
        trace(bench, steady_s - 4.0)
        print_counts(bench)
        steady = [bench.offered_bps(steady_s + 0.25 * i) for i in range(38)]
        return {
            "cut_longest_freeze_ms": 1e3 * bench.gap_s(cut_s, back_s),
            "cut_recovery_s": recovery_s(bench, cut_s, back_s),
            "cut_climb_s": climb_s(bench, back_s, 0.8 * sum(steady) / len(steady)),
            "cut_overshoot": max(steady) / 8e6,
            "cut_swing": min(steady) / max(steady),
            "cut_steady_mbps": sum(steady) / len(steady) / 1e6,
        }


def recovery_s(bench: Bench, cut_s: float, back_s: float) -> float:
    """From the cut until a second of fresh frames begins; all the time where none does."""
    start_s, link_s = cut_s, 2 * DELAY_S + 1 / HZ
    while start_s + 1.0 < back_s:
        if bench.fresh(start_s, start_s + 1.0, link_s) >= 0.95:
            break
        start_s += 0.02
    return start_s - cut_s


def climb_s(bench: Bench, back_s: float, wanted_bps: float) -> float:
    """Until the server sends that much again; what was waited where it does not."""
    ends_s = time.monotonic() - 0.5
    start_s = back_s
    while start_s < ends_s and bench.offered_bps(start_s) < wanted_bps:
        start_s += 0.05
    return start_s - back_s


def trace(bench: Bench, since_s: float) -> None:
    """The rate and the ages, each quarter second."""
    for i in range(int((time.monotonic() - since_s) / 0.25)):
        at_s = since_s + 0.25 * i
        ticks = bench.ticks(at_s, at_s + 0.25)
        ages = " ".join(f"{1e3 * tick.age_s:.0f}" for tick in ticks[::3])
        rate = bench.offered_bps(at_s, 0.25) / 1e6
        print(f"  {0.25 * i:6.2f} s {rate:6.2f} Mbit/s  ages {ages}", file=sys.stderr)


def print_counts(bench: Bench) -> None:
    dropped = f"dropped up {bench.up.dropped} down {bench.down.dropped}"
    print(f"  {dropped}; {bench.counts}", file=sys.stderr)


def main() -> None:
    runs: dict[str, Callable[[str], Coroutine[None, None, Figures]]] = {
        "loss": loss,
        "outage": outage,
        "cut": cut,
    }
    parser = bench_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=runs, default=list(runs))
    options = parser.parse_args()
    figures: Figures = {}
    for name in options.only:
        with server() as page:
            figures |= uvloop.run(runs[name](page))  # as the client itself does
    report(figures, options.json)


if __name__ == "__main__":
    main()
