"""What each stage of a stream takes of a processor: the real server and the real Python client.

    scripts/bench stages [--json FILE] [--hz 30 60] [--seconds S] [--photo FILE] [--size PX]

``sharp-xr serve`` with the CPU's renderer, a photo (the astronaut of scikit-image) predicted by the
model that comes with it, and ``sharp-xr-client --simulate`` with the motion "mixed", whole size
whatever it costs, on the loopback. Linux counts what each thread spends; where two stages share a
thread, the smaller one is timed inside it.

| figure | what |
|---|---|
| STAGE_HZ | percent of one processor, at that many poses a second |
| fps_HZ, mbps_HZ, received_HZ | frames, megabits and packets that came in a second |
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import skimage
from scripts.figures import bench_parser, write_json
from scripts.stages.threads import Kinds, spent_s

ROOT = Path(__file__).parents[2]
PHOTO = Path(skimage.__file__).parent / "data/astronaut.png"
OPENING = re.compile(r"sharp-xr: open (http://\S+)")
SETTLE_S = 4.0
"""Until the rate has settled and a level of detail is chosen."""
SERVER: Kinds = (
    ("render", "draw"),
    ("raster", "draw"),
    ("encode", "encode"),
)
CLIENT: Kinds = (("video-decoder", "decode"),)
ROWS = {
    "draw": "server: draw both eyes",
    "yuv": "server: to YUV",
    "encode": "server: encode",
    "packets": "server: packets, SRTP, sockets",
    "loop": "server: poses, headers, event loop",
    "receive": "client: packets to frames",
    "decode": "client: decode",
    "client_loop": "client: poses, headers, event loop",
    "others": "both: other threads",
}
Figures = dict[str, float]


@contextmanager
def server(folder: Path, photo: Path) -> Iterator[tuple[str, int]]:
    """Its page, once it shows the photo, and its process."""
    command = [sys.executable, "-u", "-m", "scripts.stages.named", "server"]
    command += [str(folder / "server.json"), "serve", str(photo), "--port", "0"]
    command += ["--device", "cpu", "--data", str(folder / "data")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        found = next(filter(None, map(OPENING.search, process.stdout)), None)
        if found is None:
            raise SystemExit(f"stages: the server ended with code {process.wait()}")
        while not httpx.get(f"{found[1]}scenes").json()["scenes"]:
            time.sleep(0.1)
        yield found[1], process.pid
    finally:
        process.terminate()
        process.wait(30)


def wait_for_rest(pid: int) -> None:
    """Until what a first viewer brings about (levels of detail, kernels) is made."""
    before_s = -1.0
    while (now_s := sum(spent_s(pid, SERVER, "loop").values())) - before_s > 0.05:
        before_s = now_s
        time.sleep(1.0)


def client_command(folder: Path, page: str, hz: int, size: int, seconds: float) -> list[str]:
    command = [sys.executable, "-m", "scripts.stages.named", "client", str(folder / f"{hz}.json")]
    command += [page, "--simulate", "--hz", str(hz), "--eye-size", str(size), "--quality", "full"]
    return [*command, "--seconds", str(seconds), "--json", str(folder / "report.json")]


def measure(folder: Path, page: str, pid: int, options: argparse.Namespace, hz: int) -> Figures:
    """One client for that long; the shares of both processes while it looks."""
    command = client_command(folder, page, hz, options.size, SETTLE_S + options.seconds + 2.0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as client:
        time.sleep(SETTLE_S + 1.0)
        before, began_s = spent(pid, client.pid), time.monotonic()
        time.sleep(options.seconds)
        after, seconds = spent(pid, client.pid), time.monotonic() - began_s
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    shares = {stage: (after[stage] - before.get(stage, 0.0)) / seconds for stage in after}
    shares["fps"] = report["stream_fps"]
    shares["mbps"] = report["bitrate_mbps"]
    shares["received"] = report["packets_received"] / report["seconds"]
    return shares


def spent(server_pid: int, client_pid: int) -> Figures:
    """Seconds of each stage that has threads of its own; "others" of both."""
    served = spent_s(server_pid, SERVER, "loop")
    watched = spent_s(client_pid, CLIENT, "client_loop")
    others = served.pop("others", 0.0) + watched.pop("others", 0.0)
    return served | watched | {"others": others}


def take_out(shares: Figures, means: Figures) -> None:
    """Of the threads that they share with others: stages of so many seconds a frame."""
    for stage, thread in (("yuv", "draw"), ("packets", "loop"), ("receive", "client_loop")):
        shares[stage] = means[stage] * shares["fps"]
        shares[thread] -= shares[stage]


def show(found: dict[int, Figures]) -> None:
    print(f"{'percent of one processor':40}" + "".join(f"{hz:>8} Hz" for hz in found))
    for stage, name in ROWS.items():
        print(f"{name:40}" + "".join(f"{100 * one[stage]:11.1f}" for one in found.values()))
    for what in ("fps", "mbps", "received"):
        name = {"fps": "frames", "mbps": "Mbit", "received": "packets"}[what] + " a second"
        print(f"{name:40}" + "".join(f"{one[what]:11.1f}" for one in found.values()))


def figures_of(found: dict[int, Figures]) -> Figures:
    figures: Figures = {}
    for hz, one in found.items():
        for stage in ROWS:
            figures[f"{stage}_{hz}"] = 100 * one[stage]
        for what in ("fps", "mbps", "received"):
            figures[f"{what}_{hz}"] = one[what]
    return figures


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--hz", type=int, nargs="+", default=[30, 60], help="poses a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each")
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--size", type=int, default=512, help="pixels of an eye's sides")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server(folder, options.photo) as (page, pid):
            first = client_command(folder, page, options.hz[0], options.size, 3.0)
            subprocess.run(first, stdout=subprocess.DEVNULL, cwd=ROOT, check=True)
            wait_for_rest(pid)
            found = {hz: measure(folder, page, pid, options, hz) for hz in options.hz}
        for hz, shares in found.items():
            means = json.loads((folder / "server.json").read_text(encoding="utf-8"))
            means |= json.loads((folder / f"{hz}.json").read_text(encoding="utf-8"))
            take_out(shares, means)
    show(found)
    write_json(figures_of(found), options.json)


if __name__ == "__main__":
    main()
