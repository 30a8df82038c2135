"""A bad link on this machine: UDP and TCP relays that lose, delay, reorder and starve.

    client --UDP--> UdpRelay --up Lane-->   server        (WebRTC: media, repairs, reports)
           <------           <--down Lane--
    client --TCP--> TcpRelay <-> server                   (page, poses, acknowledgements)

A :class:`Lane` is one direction as arithmetic: packet in, time of arrival out, no I/O and no clock.
Relays put lanes between sockets. WebRTC is led through a relay by its SDP: the server's candidates
are rewritten to the relay's address (:meth:`UdpRelay.rewritten`), the client's are taken away
(:func:`without_candidates`), so that no other path is left.

TCP hides what a lane loses, so its relay knows delay and outage only: bytes wait, in order. Memory
is bounded: a lane drops what overflows its queue, and nothing waits longer than :data:`MAX_WAIT_S`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_WAIT_S = 2.0
"""No packet waits longer, whatever a lane is told: such a one is dropped."""
MAX_CLIENTS = 16
"""Addresses of the client's side that one relay keeps apart (an ICE agent has a few)."""
REMEMBERED = 20_000
"""Packets whose time and size a lane remembers."""
MAX_HELD = 256
"""Pieces of TCP that wait in one direction; beyond that its sender is read no further."""

Address = tuple[str, int]


@dataclass(frozen=True)
class Impairment:
    """What one direction does to packets. The default lets all pass at once."""

    loss: float = 0.0
    """Share of packets that are dropped."""
    burst: float = 1.0
    """Packets dropped in a row, mean (Gilbert's model); 1: independent of each other."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Each packet waits longer by an even chance from 0 to this."""
    reorder: bool = False
    """Whether jitter lets packets overtake each other; else they queue behind the slow one."""
    rate_bps: float | None = None
    """Bits per second that get through; None: as many as come."""
    queue_bytes: int = 65_536
    """What may wait for that rate; the rest is dropped at the tail."""
    down: bool = False
    """Nothing gets through."""

    @property
    def longest_s(self) -> float:
        """What a packet takes at most where nothing queues."""
        return self.delay_s + self.jitter_s


class Lane:
    """One direction. ``impairment`` may be exchanged at any time; it counts for later packets."""

    def __init__(self, impairment: Impairment = Impairment(), seed: int = 1) -> None:
        self.impairment = impairment
        self.dropped = 0
        self.offered: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        """(when, bytes) of packets that came, dropped ones too."""
        self._chance = random.Random(seed)
        self._losing = False
        self._free_s = self._last_s = float("-inf")

    def arrival(self, size: int, now_s: float) -> float | None:
        """When a packet of ``size`` bytes that enters now comes out; None: never."""
        self.offered.append((now_s, size))
        leaves_s = None if self.impairment.down or self._loses() else self._through(size, now_s)
        if leaves_s is None:
            self.dropped += 1
            return None
        arrives_s = leaves_s + self.impairment.delay_s
        arrives_s += self._chance.uniform(0.0, self.impairment.jitter_s)
        if not self.impairment.reorder:
            arrives_s = max(arrives_s, self._last_s)
        self._last_s = arrives_s
        return arrives_s if arrives_s - now_s <= MAX_WAIT_S else None

    def _loses(self) -> bool:
        """Two states, losing and not; the means of both are those of the impairment."""
        loss, burst = self.impairment.loss, self.impairment.burst
        if burst <= 1.0:
            return self._chance.random() < loss
        leave = 1.0 / burst
        enter = leave * loss / (1.0 - loss)
        self._losing = self._chance.random() < (1.0 - leave if self._losing else enter)
        return self._losing

    def _through(self, size: int, now_s: float) -> float | None:
        """When the last bit has passed the bottleneck; None where its queue is full."""
        rate_bps = self.impairment.rate_bps
        if rate_bps is None:
            return now_s
        start_s = max(now_s, self._free_s)
        if (start_s - now_s) * rate_bps / 8 + size > self.impairment.queue_bytes:
            return None
        self._free_s = start_s + 8 * size / rate_bps
        return self._free_s


class UdpRelay:
    """A port that stands for a server's. Lives on the running event loop until :meth:`close`."""

    def __init__(self, up: Lane, down: Lane) -> None:
        self.up, self.down = up, down
        self.server: Address | None = None
        """Where packets go; set by :meth:`rewritten`."""
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a free port of the loopback."""
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._from_client), local_addr=("127.0.0.1", 0)
        )

    @property
    def port(self) -> int:
        assert self._front is not None
        port: int = self._front.get_extra_info("sockname")[1]
        return port

    def rewritten(self, answer_sdp: str) -> str:
        """The server's SDP with this relay in place of its first UDP candidate, and no other."""
        lines, found = [], False
        for line in answer_sdp.splitlines():
            if not line.startswith("a=candidate:"):
                lines.append(line)
                continue
            fields = line.split()
            if found or fields[2].lower() != "udp":
                continue
            found, self.server = True, (fields[4], int(fields[5]))
            fields[4:6] = ["127.0.0.1", str(self.port)]
            lines.append(" ".join(fields))
        assert found, "an answer without a UDP candidate"
        return "\r\n".join(lines) + "\r\n"

    def close(self) -> None:
        """Drop what is on its way."""
        for transport in (self._front, *self._backs.values()):
            if transport is not None:
                transport.abort()
        for task in self._tasks:
            task.cancel()

    def _from_client(self, data: bytes, client: Address) -> None:
        if self.server is None:
            return
        back = self._backs.get(client)
        if back is None:
            self._new_client(client, data)
        else:
            _send_later(self.up, back, data, self.server)

    def _new_client(self, client: Address, first: bytes) -> None:
        """A socket of its own for each client address, so that the server can tell them apart."""
        if len(self._backs) + len(self._tasks) < MAX_CLIENTS:
            task = asyncio.get_running_loop().create_task(self._open_back(client, first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open_back(self, client: Address, first: bytes) -> None:
        def to_client(data: bytes, _: Address) -> None:
            assert self._front is not None
            _send_later(self.down, self._front, data, client)

        back, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(to_client), local_addr=("127.0.0.1", 0)
        )
        if client in self._backs:
            back.abort()
        self._backs.setdefault(client, back)
        self._from_client(first, client)


def _send_later(lane: Lane, by: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
    loop = asyncio.get_running_loop()
    arrives_s = lane.arrival(len(data), loop.time())
    if arrives_s is not None:
        loop.call_at(arrives_s, _send, by, data, to)


def _send(by: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
    if not by.is_closing():
        by.sendto(data, to)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._received(data, addr)


class TcpRelay:
    """A port that stands for a server's; its bytes wait in order, by the lanes' delay and outage.

    Give it the lanes of the UDP relay, so that an outage is one of both.
    """

    def __init__(self, server: Address, up: Lane, down: Lane) -> None:
        self.up, self.down = up, down
        self._server = server
        self._listening: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a free port of the loopback."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        assert self._listening is not None
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Break all connections."""
        assert self._listening is not None
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there_reader, there = await asyncio.open_connection(*self._server)
        try:
            await asyncio.gather(
                _pump(reader, there, lambda: self.up),
                _pump(there_reader, writer, lambda: self.down),
            )
        except (ConnectionError, asyncio.CancelledError):
            pass  # either end may leave at any time, and so may we
        finally:
            there.close()
            writer.close()
            self._tasks.discard(task)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lane: Callable[[], Lane]
) -> None:
    held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_HELD)
    sending = asyncio.create_task(_release(held, writer, lane))
    try:
        while data := await reader.read(65_536):
            await held.put((asyncio.get_running_loop().time(), data))
    finally:
        sending.cancel()
        writer.close()


async def _release(
    held: asyncio.Queue[tuple[float, bytes]],
    writer: asyncio.StreamWriter,
    lane: Callable[[], Lane],
) -> None:
    now_s = asyncio.get_running_loop().time
    while True:
        came_s, data = await held.get()
        await asyncio.sleep(max(0.0, came_s + lane().impairment.delay_s - now_s()))
        while lane().impairment.down:  # noqa: ASYNC110 (a lane is arithmetic, it wakes nobody)
            await asyncio.sleep(0.002)
        writer.write(data)
        await writer.drain()


def without_candidates(offer_sdp: str) -> str:
    """The client's SDP without its addresses: the server learns the relay's from its packets."""
    lines = offer_sdp.splitlines()
    kept = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    return "\r\n".join(kept) + "\r\n"
