"""What several viewers of one scene cost: a real server, viewers in processes that decode nothing.

    scripts/bench viewers [--json FILE] [--viewers 1 8] [--size 160] [--hz 15] [--seconds 8]

Only the server's CPU time is counted, and only while all viewers look and move. Each viewer sends
poses on its own path at the same rate; how many frames each one got stands beside the cost, so that
a server that drew fewer would be seen.

| figure | what |
|---|---|
| cost_N | CPU seconds of the server per second with N viewers |
| cost_8_over_1 | what eight viewers cost, as a multiple of one, for the same frames a second each |
| fps_N_worst, fps_N_best | frames a second that the viewer with fewest and with most got |

One viewer may see all Gaussians while eight, who share the time for drawing, see a coarser level of
the scene (``stream/turns.py``). A scene of fewer than 50,000 Gaussians has no levels: give one with
``--photo`` to see what sharing saves at equal detail.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiortc
import httpx
import skimage
from scripts.figures import bench_parser, report
from scripts.stages.threads import Kinds, spent_s
from websockets.asyncio.client import ClientConnection, connect

from sharp_xr.stream.sender import use_loopback_candidates
from sharp_xr_client.motion import motion
from sharp_xr_protocol.codec import decode_from_server, encode
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import Answer, Display, Eye, Hello, Offer, SceneReady, Tracking

PHOTO = Path(skimage.__file__).parent / "data/astronaut.png"
OPENING = re.compile(r"sharp-xr: open (http://\S+)")
EYES = (
    Eye(Pose((-0.032, 0.0, 0.0)), Fov.symmetric(1.2, 1.2)),
    Eye(Pose((0.032, 0.0, 0.0)), Fov.symmetric(1.2, 1.2)),
)
SETTLE_S = 4.0
"""Until connections stand, the encoder's rate has settled and a level of detail is chosen."""
NAMED_THREADS = """
import sys
from scripts.stages.threads import name_threads
name_threads()
from sharp_xr.cli import main
sys.exit(main())
"""
"""``sharp-xr``, with its threads' names told to Linux, which then counts their time apart."""
KINDS: Kinds = (
    ("render", "render thread: drawing, YUV"),
    ("raster", "rasterizer threads: drawing"),
    ("encode", "encoder threads: H.264"),
)


# --- a viewer -----------------------------------------------------------------------------


class Viewer:
    """Takes a stream as it comes: reads the headers of its packets and nothing more."""

    def __init__(self, number: int, hz: float) -> None:
        self._motion = motion("mixed")
        self._number = number
        self._hz = hz
        self._ack: int | None = None
        self.frames = 0

    async def look(self, address: str, size: int, until_s: float) -> None:
        peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        receiver: Any = peer.addTransceiver("video", direction="recvonly").receiver
        url = address.replace("http", "ws", 1) + "session"
        async with connect(url, compression=None, proxy=None) as socket:
            await socket.send(encode(Hello("bench", "simulated", Display(size, size, self._hz))))
            await peer.setLocalDescription(await peer.createOffer())
            await socket.send(encode(Offer(peer.localDescription.sdp)))
            answer, ready = await _answer(socket)
            assert ready
            receiver.transport._handle_rtp_data = self._packet
            await peer.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
            reading = asyncio.create_task(_read(socket))
            await self._send_poses(socket, until_s)
            reading.cancel()
        await peer.close()

    async def _packet(self, data: bytes, arrival_time_ms: int) -> None:
        """The marker (RFC 3550) ends a frame; header and time stamp are never encrypted."""
        if data[1] & 0x80:
            self._ack = int.from_bytes(data[4:8], "big")
            self.frames += 1

    async def _send_poses(self, socket: ClientConnection, until_s: float) -> None:
        started = time.monotonic() - 3.7 * self._number  # everybody on a way of his own
        step = 0
        # Not all at the same moment: displays are not synchronous.
        offset_s = self._number * 0.618 % 1.0 / self._hz
        while (now := time.monotonic()) < until_s:
            head, velocity = self._motion.head(now - started)
            key = round(now * 90_000) % (1 << 32)
            await socket.send(
                encode(Tracking(key, time.monotonic_ns(), head, EYES, velocity, self._ack))
            )
            step = max(step + 1, round((now - offset_s) * self._hz) + 1)
            await asyncio.sleep(max(0.0, step / self._hz + offset_s - time.monotonic()))


async def _answer(socket: ClientConnection) -> tuple[str, bool]:
    sdp, ready = "", False
    while not (sdp and ready):
        message = decode_from_server(cast(bytes, await socket.recv()))
        if isinstance(message, Answer):
            sdp = message.sdp
        ready = ready or isinstance(message, SceneReady)
    return sdp, ready


async def _read(socket: ClientConnection) -> None:
    """Headers are taken off the socket, as any client does."""
    async for _ in socket:
        pass


def view(options: argparse.Namespace) -> None:
    """The process of one viewer: prints the frames that came between two moments."""
    use_loopback_candidates()
    viewer = Viewer(options.number, options.hz)
    counted = [0, 0]

    async def look() -> None:
        loop = asyncio.get_running_loop()
        for index, at in enumerate((options.begin, options.end)):
            loop.call_later(at - time.monotonic(), _note, viewer, counted, index)
        await viewer.look(options.view, options.size, options.end + 0.3)

    asyncio.run(look())
    print(counted[1] - counted[0])


def _note(viewer: Viewer, counted: list[int], index: int) -> None:
    counted[index] = viewer.frames


# --- the server -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A running one."""

    page: str
    pid: int

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far of each kind of thread."""
        return spent_s(self.pid, KINDS, "event loop: sockets, RTP")


@contextmanager
def server(data: Path, options: argparse.Namespace) -> Iterator[Server]:
    command = [sys.executable, "-c", NAMED_THREADS, "serve", str(options.photo), "--port", "0"]
    command += ["--device", "cpu", "--data", str(data), "--sessions", str(max(options.viewers))]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=options.log,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := OPENING.search(line):
                _wait_for_scene(found[1])
                yield Server(found[1], process.pid)
                return
        raise SystemExit(f"viewers: the server ended with code {process.wait()}")
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_scene(page: str) -> None:
    while not httpx.get(f"{page}scenes").json()["scenes"]:
        time.sleep(0.1)
    time.sleep(3.0)  # it is stored, and the predictor's process rests


@dataclass(frozen=True)
class Cost:
    """Of a number of viewers."""

    by_kind: dict[str, float]
    """CPU seconds per second."""
    fps: list[float]
    """Of each viewer."""

    @property
    def total(self) -> float:
        return sum(self.by_kind.values())

    @property
    def frame_s(self) -> float:
        """CPU seconds for one viewer's frame."""
        return self.total / sum(self.fps)


def measure(running: Server, viewers: int, options: argparse.Namespace) -> Cost:
    begin = time.monotonic() + SETTLE_S + 0.3 * viewers
    end = begin + options.seconds
    times = ["--begin", str(begin), "--end", str(end), "--hz", str(options.hz)]
    with ExitStack() as stack:
        processes = []
        for number in range(viewers):
            command = [sys.executable, __file__, "--view", running.page, "--number", str(number)]
            command += [*times, "--size", str(options.size)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            processes.append(stack.enter_context(process))
        time.sleep(begin - time.monotonic())
        before, at = running.cpu_s(), time.monotonic()
        time.sleep(end - at)
        after, seconds = running.cpu_s(), time.monotonic() - at
        frames = [int(process.communicate()[0] or 0) for process in processes]
    spent = {kind: (after[kind] - before.get(kind, 0.0)) / seconds for kind in after}
    return Cost(spent, [count / options.seconds for count in frames])


# --- the command -----------------------------------------------------------------------------


def figures_of(costs: dict[int, Cost]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for viewers, cost in costs.items():
        figures[f"cost_{viewers}"] = cost.total
        figures[f"fps_{viewers}_worst"] = min(cost.fps)
        figures[f"fps_{viewers}_best"] = max(cost.fps)
    for viewers in costs:
        if viewers != 1 and 1 in costs:
            figures[f"cost_{viewers}_over_1"] = viewers * costs[viewers].frame_s / costs[1].frame_s
    return figures


def show(costs: dict[int, Cost]) -> None:
    kinds = sorted({kind for cost in costs.values() for kind in cost.by_kind})
    print(f"{'CPU milliseconds per second':32}" + "".join(f"{n:>9} viewers" for n in costs))
    for kind in kinds:
        row = (1e3 * cost.by_kind.get(kind, 0.0) for cost in costs.values())
        print(f"{kind:32}" + "".join(f"{value:17.0f}" for value in row))


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = bench_parser(__doc__)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--size", type=int, default=160, help="pixels of an eye's sides")
    parser.add_argument("--hz", type=float, default=15.0, help="poses a second of each viewer")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long to measure")
    parser.add_argument("--log", type=argparse.FileType("w"), default=subprocess.DEVNULL)
    for name, kind in (("view", str), ("number", int), ("begin", float), ("end", float)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    options = parsed()
    if options.view:
        view(options)
        return
    with tempfile.TemporaryDirectory() as name, server(Path(name), options) as running:
        costs = {viewers: measure(running, viewers, options) for viewers in options.viewers}
    show(costs)
    figures = figures_of(costs)
    report(figures, options.json)


if __name__ == "__main__":
    main()
