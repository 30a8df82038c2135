"""How long a pose takes to become a decoded frame, and whether each frame is of its pose.

    scripts/bench latency [--json FILE] [--rounds N] [--seconds S] [--only WAY...]

The server is real but for its renderer (``scripts/latency/painted.py``: a crop of a photo, half a
millisecond), 2 x 512 x 512 and poses at 60 Hz on the loopback. The ways take turns within one run:
Chromium (the page's own modules, by MediaStreamTrackProcessor, and by requestVideoFrameCallback),
the Python client, and the same renderer behind aiortc as it comes, sender and receiver
(``scripts/latency/stock.py``). Latency is pose sent to frame decoded (there for the program), less
what the renderer took for that frame. The first second of each round is left out.

| figure | what |
|---|---|
| chromium_median_ms, chromium_p95_ms | in the page, by MediaStreamTrackProcessor |
| python_median_ms, python_p95_ms | in the Python client |
| video_median_ms, video_p95_ms | in the page, by requestVideoFrameCallback |
| chromium_mismatches, ... | frames whose pixels are of another pose than their RTP timestamp's |
| stock_median_ms | stock aiortc, Python at both ends |
| stock_ratio | stock_median_ms over the greater of the two other medians |
| mismatches | of all ways; a barcode that cannot be read is one |
| frames | of how many |
| fps, bitrate_mbps | of the Python client's stream |
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvloop
from scripts.figures import bench_parser, report
from scripts.latency.browsing import browse
from scripts.latency.server import Taken
from scripts.latency.stock import StockRun, watch_stock
from scripts.latency.watching import Sample, watch

from sharp_xr_client.motion import Motion, Sine

ROOT = Path(__file__).parents[2]
HZ, SIDE = 60.0, 512
WARM_S = 1.0
MOTION = Motion(x=(Sine(0.15, 0.31),), y=(Sine(0.10, 0.23),))
"""Never leaves what the barcode can tell apart."""
PATHS = {"chromium": "processor", "video": "callback"}
WAYS = (*PATHS, "python", "stock")
Figures = dict[str, float]
Round = list[Sample]


@dataclass
class Found:
    """All rounds of a run."""

    rounds: dict[str, list[Round]] = field(default_factory=dict)
    """By way."""
    stock: list[StockRun] = field(default_factory=list)
    streams: list[dict[int, Taken]] = field(default_factory=list)
    """The server's notes."""
    loads: list[float] = field(default_factory=list)
    """Running processes of this machine, averaged over a minute, before each round."""


@contextlib.contextmanager
def server(folder: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Addresses of the product's page and of stock aiortc, in a process of their own."""
    command = [sys.executable, "-m", "scripts.latency.server", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        lines = dict(process.stdout.readline().split() for _ in range(2))
        yield lines["open"], lines["stock"]
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def measure(ways: Sequence[str], rounds: int, seconds: float) -> Found:
    """Let the ways take turns."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        with server(Path(folder)) as (page, stock):
            for number in range(rounds):
                for way in ways:
                    found.loads.append(os.getloadavg()[0])
                    print(f"round {number + 1}: {way}", file=sys.stderr)
                    _measure_once(found, way, page, stock, seconds)
        notes = json.loads((Path(folder) / "frames.json").read_text(encoding="utf-8"))
    found.streams = [{int(key): taken for key, taken in one.items()} for one in notes]
    return found


def _measure_once(found: Found, way: str, page: str, stock: str, seconds: float) -> None:
    if way == "stock":
        found.stock.append(uvloop.run(watch_stock(stock, MOTION, seconds, HZ)))
        return
    if way == "python":
        one = uvloop.run(watch(page, MOTION, seconds, SIDE, HZ))
    else:
        one = browse(page, PATHS[way], seconds)
    first_s = one[0].decoded_s if one else 0.0
    found.rounds.setdefault(way, []).append(
        [sample for sample in one if sample.decoded_s > first_s + WARM_S]
    )


# --- what came of it ------------------------------------------------------------------------


def figures(found: Found) -> Figures:
    """What the docstring says; a way that was left out has none."""
    result: Figures = {}
    for way, rounds in found.rounds.items():
        beyond = [ms for one in rounds for ms in _beyond_ms(one, _notes(found, one))]
        result[f"{way}_median_ms"] = float(np.median(beyond))
        result[f"{way}_p95_ms"] = float(np.percentile(beyond, 95))
        result[f"{way}_mismatches"] = sum(not sample.is_true for one in rounds for sample in one)
    samples = [sample for rounds in found.rounds.values() for one in rounds for sample in one]
    result["frames"] = len(samples)
    result["mismatches"] = sum(not sample.is_true for sample in samples)
    own = [result[f"{way}_median_ms"] for way in ("chromium", "python") if way in found.rounds]
    if found.stock:
        times = [ms for one in found.stock for ms in one.latencies_ms]
        result["stock_median_ms"] = float(np.median(times)) if times else float("inf")
        result["stock_p95_ms"] = float(np.percentile(times, 95)) if times else float("inf")
        result["stock_fps"] = len(times) / sum(one.seconds for one in found.stock)
        if own:
            result["stock_ratio"] = result["stock_median_ms"] / max(own)
    return result | _rates(found)


def _rates(found: Found) -> Figures:
    sizes, spans, count = 0.0, 0.0, 0
    for one in found.rounds.get("python", []):
        notes = _notes(found, one)
        spans += one[-1].decoded_s - one[0].decoded_s
        count += len(one) - 1
        sizes += sum(notes.get(sample.key, {}).get("bytes", 0.0) for sample in one[1:])
    return {"fps": count / spans, "bitrate_mbps": 8e-6 * sizes / spans} if spans else {}


def _notes(found: Found, one: Round) -> dict[int, Taken]:
    """What the server wrote of the stream that this round saw: the one with its keys."""
    keys = {sample.key for sample in one}
    return max(found.streams, key=lambda notes: len(keys & notes.keys()))


def _beyond_ms(one: Round, notes: dict[int, Taken]) -> list[float]:
    """Of each frame, less the renderer's own time."""
    return [
        1e3 * (sample.decoded_s - sample.sent_s) - notes[sample.key]["render_ms"]
        for sample in one
        if sample.sent_s and "render_ms" in notes.get(sample.key, {})
    ]


def stages(found: Found, way: str) -> Figures:
    """Medians of a way by stage, milliseconds."""
    rows: dict[str, list[float]] = {}

    def add(stage: str, value_ms: float | None) -> None:
        if value_ms is not None:
            rows.setdefault(stage, []).append(value_ms)

    for one in found.rounds[way]:
        notes = _notes(found, one)
        for sample in one:
            taken = notes.get(sample.key, {})
            if "sent_s" not in taken:
                continue
            drawn_s = taken["arrived_s"] + (taken["wait_ms"] + taken["draw_ms"]) / 1e3
            encoding_s = taken["encoded_s"] - taken["encode_ms"] / 1e3
            add("pose up", 1e3 * (taken["arrived_s"] - sample.sent_s))
            add("wait", taken["wait_ms"])
            add("render", taken["render_ms"])
            add("to YUV", taken["draw_ms"] - taken["render_ms"])
            add("hand over, header", 1e3 * (encoding_s - drawn_s))
            add("encode", taken["encode_ms"])
            add("packets out", 1e3 * (taken["sent_s"] - taken["encoded_s"]))
            received_s, shown_s = sample.received_s, sample.shown_s
            if received_s is None:
                add("network, jitter buffer, decode", 1e3 * (sample.decoded_s - taken["encoded_s"]))
            else:
                add("network, jitter buffer", 1e3 * (received_s - taken["encoded_s"]))
                add("decode", 1e3 * (sample.decoded_s - received_s))
            add("display", None if shown_s is None else 1e3 * (shown_s - sample.decoded_s))
    return {stage: float(np.median(values)) for stage, values in rows.items()}


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each round")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    found = measure(options.only, options.rounds, options.seconds)
    print_stages(found)
    result = figures(found)
    loads = ", ".join(f"{load:.1f}" for load in found.loads)
    print(f"load before each round, {os.cpu_count()} cores: {loads}")
    report(result, options.json)


def print_stages(found: Found) -> None:
    """A column for each way."""
    columns = {way: stages(found, way) for way in found.rounds}
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"{'median ms':32}" + "".join(f"{way:>10}" for way in columns))
    for name in names:
        cells = (column.get(name) for column in columns.values())
        row = "".join(f"{'' if cell is None else f'{cell:.2f}':>10}" for cell in cells)
        print(f"{name:32}{row}")


if __name__ == "__main__":
    main()
