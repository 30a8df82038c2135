"""What a packet costs: processor time of the transport at both ends, without encoder and decoder.

    scripts/bench packets [--json FILE] [--seconds S] [--hz HZ] [--mbps RATE...]

The server's sender and the Python client's receiver, a process each, on the loopback: frames of
random bytes at 60 Hz, or another rate. What is counted is the time that a process spent, kernel
included, over packets: from an access unit to datagrams, and from datagrams to an access unit.

| figure | what |
|---|---|
| send_us_8, receive_us_8 | microseconds of processor time per packet at 8 Mbit/s; others likewise |
| send_us_8_copied, ... | the same with each packet sent twice, per packet that leaves or comes |
| lost_50, ... | packets that did not come, where sockets overflow |
| fps_50, ... | whole frames that came in a second |
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from scripts.figures import bench_parser, report

import sharp_xr_client.receiver
from sharp_xr.stream.peer import Peer
from sharp_xr.stream.sender import use_loopback_candidates
from sharp_xr_client.counts import Counts
from sharp_xr_client.jitter import AccessUnit
from sharp_xr_client.receiver import VideoReceiver
from sharp_xr_protocol.messages import CLOCK_HZ

ROOT = Path(__file__).parents[2]
Figures = dict[str, float]


class NoDecoder:
    """Counts frames and forgets them."""

    units = 0

    def __init__(self, on_frame: Any) -> None:
        """``on_frame`` is never called."""

    def push(self, unit: AccessUnit) -> bool:
        NoDecoder.units += 1
        return True

    def failed(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing runs."""


# --- the receiving process ------------------------------------------------------------------


async def receive() -> None:
    """Offer on stdout, answer on stdin; then a line of figures for each line that comes."""
    use_loopback_candidates()
    setattr(sharp_xr_client.receiver, "Decoder", NoDecoder)  # noqa: B010 (a module's name)
    counts = Counts()
    client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    transceiver = client.addTransceiver("video", direction="recvonly")
    video = VideoReceiver(transceiver.receiver, lambda frame: None, counts)
    feedback = asyncio.create_task(video.run())
    await client.setLocalDescription(await client.createOffer())
    print(json.dumps(client.localDescription.sdp), flush=True)
    answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    while await asyncio.to_thread(sys.stdin.readline):
        figures = {"cpu_s": time.process_time(), "received": counts.received}
        print(json.dumps(figures | {"frames": NoDecoder.units}), flush=True)
    feedback.cancel()
    await asyncio.gather(feedback, return_exceptions=True)
    await client.close()
    video.close()


# --- the sending process --------------------------------------------------------------------


class Receiver:
    """The other process, seen from here."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "scripts.benchmarks.packets", "--receive"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    async def line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await asyncio.to_thread(self._process.stdout.readline))

    async def ask(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    async def figures(self) -> Figures:
        await self.ask("figures")
        found: Figures = await self.line()
        return found

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(20)


async def measure(rates_mbps: list[int], seconds: float, hz: int) -> Figures:
    """All rates, one after another, on one connection."""
    use_loopback_candidates()
    ready = asyncio.Event()
    peer = Peer(
        on_ready=ready.set,
        on_key_frame_wanted=lambda: None,
        on_remb=lambda _: None,
        on_lost=lambda why: print(why, file=sys.stderr),
    )
    receiver = Receiver()
    figures: Figures = {}
    try:
        await receiver.ask(await peer.answer(await receiver.line()))
        await asyncio.wait_for(ready.wait(), 20)
        key = 0
        for mbps in rates_mbps:
            for name, copies in (("", 0), ("_copied", 1)):
                before, cpu_s = await receiver.figures(), time.process_time()
                began_s = time.monotonic()
                key, sent = await send(peer, key, mbps * 125_000 // hz, seconds, hz, copies)
                took_s = time.monotonic() - began_s
                await asyncio.sleep(0.1)
                cpu_s, after = time.process_time() - cpu_s, await receiver.figures()
                received = after["received"] - before["received"]
                figures[f"send_us_{mbps}{name}"] = 1e6 * cpu_s / sent
                spent_s = after["cpu_s"] - before["cpu_s"]
                figures[f"receive_us_{mbps}{name}"] = 1e6 * spent_s / max(received, 1)
                figures[f"lost_{mbps}{name}"] = sent - received
                frames = after["frames"] - before["frames"]
                figures[f"fps_{mbps}{name}"] = frames / took_s
    finally:
        await peer.close()
        receiver.close()
    return figures


async def send(
    peer: Peer, key: int, frame_bytes: int, seconds: float, hz: int, copies: int
) -> tuple[int, int]:
    """Frames, the first a key frame. Returns the next key and how many packets left."""
    sender = peer.sender
    assert sender is not None
    slices = secrets.token_bytes(frame_bytes).replace(b"\0", b"\1")
    head, other = b"\0\0\0\1\x67\x42\0\0\0\1\x65", b"\0\0\0\1\x61"
    began_s, before, number = time.monotonic(), sender.packets, 0
    while number < seconds * hz:
        unit = (other if number else head) + slices
        await sender.push(unit, key + number * CLOCK_HZ // hz, copies=copies)
        number += 1
        await asyncio.sleep(max(0.0, began_s + number / hz - time.monotonic()))
    packets = sender.packets - before
    return key + number * CLOCK_HZ // hz, packets * (1 + copies)


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each rate")
    parser.add_argument("--hz", type=int, default=60, help="frames a second")
    parser.add_argument("--mbps", type=int, nargs="+", default=[8, 50])
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        uvloop.run(receive())
        return
    figures = uvloop.run(measure(options.mbps, options.seconds, options.hz))
    report(figures, options.json)


if __name__ == "__main__":
    main()
