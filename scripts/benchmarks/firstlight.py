"""From nothing to a stream, as a new user has it: fresh clone, real server, real photo, client.

    scripts/bench firstlight [--json FILE] [--installed] [--seconds 10]

| figure | what |
|---|---|
| install_s | ``scripts/serve`` in a fresh clone until it prints the page's address |
| ready_s | from there until renderer and model are warm (``/readyz``) |
| photo_to_gaussians_s | upload begins until its Gaussians are predicted and ready to be drawn |
| photo_to_first_frame_s | upload begins until a client has decoded a frame of the new scene |
| stream_fps, pose_to_decoded_median_ms, matched_share | the simulated client's report, 10 s |

Photo figures are medians over three photos; ``first_`` names the first photo of a server's life.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import skimage
import sklearn
from scripts.figures import bench_parser, report
from websockets.asyncio.client import connect as open_websocket

from sharp_xr_client.address import parse_address
from sharp_xr_client.connection import Connection, connect
from sharp_xr_client.decoder import DecodedFrame
from sharp_xr_client.motion import motion
from sharp_xr_client.report import SessionLog
from sharp_xr_client.simulated import Viewer
from sharp_xr_protocol.codec import decode_from_server, encode
from sharp_xr_protocol.messages import Display, FrameHeader, Hello, Progress, SceneSelect

ROOT = Path(__file__).parents[2]
PHOTOS = [
    Path(skimage.__file__).parent / "data/astronaut.png",
    Path(sklearn.__file__).parent / "datasets/images/china.jpg",
    Path(skimage.__file__).parent / "data/coffee.png",
]
OPENING = re.compile(r"sharp-xr: open (http://\S+)")
DISPLAY = Display(512, 512, 60.0)


@contextmanager
def server(checkout: Path, data: Path) -> Iterator[tuple[str, float]]:
    """A server from that checkout's own script; its page's address and the seconds that it took."""
    started = time.monotonic()
    process = subprocess.Popen(
        [checkout / "scripts/serve", "--port", "0", "--data", data, "--device", "cpu"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"  {line.rstrip()}", file=sys.stderr)
            if found := OPENING.search(line):
                yield found[1], time.monotonic() - started
                break
        else:
            raise SystemExit(f"firstlight: the server ended with code {process.wait()}")
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(page: str) -> float:
    """Seconds until the server calls itself ready."""
    started = time.monotonic()
    while httpx.get(f"{page}readyz").status_code != 200:
        if time.monotonic() - started > 120:
            raise SystemExit("firstlight: the server was not ready within two minutes")
        time.sleep(0.05)
    return time.monotonic() - started


@dataclass
class Upload:
    """When the steps of one photo were reached; seconds since its upload began."""

    gaussians_s: float
    first_frame_s: float
    stages: dict[str, float] = field(default_factory=dict)
    """When each stage was first reported."""


class Watcher(Viewer):
    """A viewer that notes when the first frame of each scene is decoded."""

    def __init__(self) -> None:
        super().__init__(DISPLAY.refresh_hz, SessionLog(time.monotonic_ns()))
        self._loop = asyncio.get_running_loop()
        self._first_frames: dict[str, asyncio.Future[float]] = {}
        self._scene_of_key: dict[int, str] = {}

    async def first_frame_of(self, scene: str) -> float:
        """When it was decoded, on the monotonic clock in seconds."""
        return await asyncio.wait_for(self._first_frame(scene), 30)

    def _first_frame(self, scene: str) -> asyncio.Future[float]:
        return self._first_frames.setdefault(scene, self._loop.create_future())

    def _see(self, scene: str, at: float) -> None:
        first = self._first_frame(scene)
        if not first.done():
            first.set_result(at)

    def header(self, header: FrameHeader) -> None:
        super().header(header)
        self._scene_of_key[header.key] = header.scene

    def frame(self, frame: DecodedFrame) -> None:
        super().frame(frame)
        scene = self._scene_of_key.get(frame.key)
        if scene is not None:
            self._loop.call_soon_threadsafe(self._see, scene, time.monotonic())


async def upload_photos(page: str) -> list[Upload]:
    """Each photo, one after the other, watched by a client that is connected all the while."""
    watcher = Watcher()
    hello = Hello("firstlight", "simulated", DISPLAY)
    async with connect(parse_address(page), hello, watcher) as connection:
        viewing = asyncio.create_task(watcher.run(connection, motion("lean"), 600.0))
        try:
            return [await upload(page, photo, connection, watcher) for photo in PHOTOS]
        finally:
            viewing.cancel()
            await asyncio.gather(viewing, return_exceptions=True)


async def upload(page: str, photo: Path, connection: Connection, watcher: Watcher) -> Upload:
    job = f"bench-{photo.stem}"
    stages: dict[str, float] = {}
    data = await asyncio.to_thread(photo.read_bytes)
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(follow(page, job, stages, shown))
    await asyncio.sleep(0.2)  # the follower's session is open before the clock starts
    started = time.monotonic()
    sending = asyncio.create_task(post(page, photo.name, job, data))
    await connection.send(SceneSelect(scene := await shown))
    first_frame = await watcher.first_frame_of(scene)
    await sending
    await following
    since = {stage: at - started for stage, at in stages.items()}
    return Upload(since["store"], first_frame - started, since)


async def post(page: str, name: str, job: str, data: bytes) -> None:
    async with httpx.AsyncClient(timeout=120) as client:
        answer = await client.post(
            f"{page}scenes", params={"filename": name, "job": job}, content=data
        )
    if answer.status_code != 201:
        raise SystemExit(f"firstlight: {name} was refused: {answer.text}")


async def follow(page: str, job: str, stages: dict[str, float], shown: asyncio.Future[str]) -> None:
    """Note when the job reaches each stage, and which scene it is, through a session of its own."""
    async with open_websocket(parse_address(page).url, compression=None, proxy=None) as socket:
        await socket.send(encode(Hello("firstlight", "simulated", DISPLAY)))
        async for data in socket:
            assert isinstance(data, bytes)
            message = decode_from_server(data)
            if isinstance(message, Progress) and message.job == job:
                stages.setdefault(message.stage, time.monotonic())
                if message.stage == "store":
                    shown.set_result(message.message)
                if message.stage in ("done", "failed"):
                    return


def stream(checkout: Path, page: str, seconds: float, folder: Path) -> dict[str, float]:
    """The simulated client's own report."""
    report = folder / "report.json"
    client = str(checkout / ".venv/bin/sharp-xr-client")
    options = ["--simulate", "--quality", "full", "--seconds", str(seconds), "--json", str(report)]
    subprocess.run([client, page, *options], check=True)
    figures: dict[str, float] = json.loads(report.read_text(encoding="utf-8"))
    return figures


def measure(checkout: Path, folder: Path, seconds: float) -> dict[str, float]:
    with server(checkout, folder / "data") as (page, install_s):
        figures = {"install_s": install_s, "ready_s": wait_until_ready(page)}
        uploads = asyncio.run(upload_photos(page))
        figures |= {
            "photo_to_gaussians_s": median(u.gaussians_s for u in uploads),
            "photo_to_first_frame_s": median(u.first_frame_s for u in uploads),
            "first_photo_to_gaussians_s": uploads[0].gaussians_s,
            "first_photo_to_first_frame_s": uploads[0].first_frame_s,
        }
        for stage in ("predict", "store", "done"):
            figures[f"until_{stage}_s"] = median(u.stages[stage] for u in uploads)
        return figures | stream(checkout, page, seconds, folder)


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--installed", action="store_true", help="use this checkout's environment")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to stream")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkout = ROOT
        if not options.installed:
            checkout = folder / "clone"
            subprocess.run(["git", "clone", "-q", ROOT, checkout], check=True)
        figures = measure(checkout, folder, options.seconds)
    report(figures, options.json)


if __name__ == "__main__":
    main()
