"""The headset's client on a simulated headset: what is seen there, and what the client outlives.

    scripts/bench openxr [--json FILE] [--folder FOLDER]

Monado 25.0.0 with its compute compositor (software Vulkan, 480 x 540 px per eye) and the product's
stream of a scene of dots. Pixels are read from the compositor's window, the worst of all dots
counts. With --folder the pictures are kept there.

| figure | what |
|---|---|
| focused | share of the display's frames in which the session was FOCUSED |
| matched_share | share of shown frames that had the pose they were drawn for |
| turn_error_px | the stream frozen, the head turned by 10 degrees: how far off dots are |
| control_error_px | the same for a client that submits the newest pose in place of the drawn one |
| parallax_error_px | the stream frozen, the head 10 cm aside: the same of the near dots |
| far_error_px | of the far dots |
| upload_ms, paint_ms | medians on the display's thread: a frame to the GPU, both eyes warped |
| wait_ms, locate_ms, end_ms | medians of its other stages |
| idle_cpu_ms | processor time of the client's two threads, display and network, for a frame of the
display, while nobody moves and nothing comes: at 60 Hz, 1.67 are a tenth of a core |
| own_cpu_ms | the same while the head moves and each frame is new |
| decoding_cpu_ms, drawing_cpu_ms | beside that, of the decoder and of software GL's threads: a
headset's machine has a graphics chip for the latter |
| pose_age_ms | median, from sending a pose until its frame is submitted |
| recovered_from | faults that it outlived, of 4: hidden by another program, runtime killed, server
killed, network cut for 3 s |
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from scripts.figures import bench_parser, report
from scripts.openxr import faults, processor
from scripts.openxr.gaze import STANDING, WRONG_POSE, Gaze
from scripts.openxr.monado import Monado, NoMonadoError, installed
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import Wearer

from sharp_xr.stream import colour
from sharp_xr_protocol.geometry import Pose, from_rotation_vector
from sharp_xr_protocol.messages import Tracking

TURNED = Pose((0.0, 0.0, 0.0), from_rotation_vector((0.0, math.radians(10), 0.0)))
ASIDE = Pose((0.1, 0.0, 0.0))
FULL = ("--quality", "full")
"""Pixels are compared: of the size that they are wanted in."""
IDLE_POSES = 300
"""While nobody moves: five seconds at 60 Hz."""
NEAR_DOTS = 2
"""One in each eye; they come last."""

Figures = dict[str, float]


def seen(monado: Monado, folder: Path) -> Figures:
    """What the compositor shows of a client that is right."""
    stand = Stand()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / "threads.jsonl"
        code = processor.metered(record)
        with Wearer(monado, folder, stand.address, *FULL, code=code) as client:
            gaze = Gaze(monado, stand, client)
            gaze.begin()
            keep(monado, folder / "standing.png")
            busy = processor.lines(record)
            # Some seconds of a moving head, so that stage times are of a stream that flows.
            for step in range(120):
                monado.move(STANDING @ Pose((0.002 * (step % 60), 0.0, 0.0)))
                gaze.settle(2)
            still = processor.lines(record)
            gaze.move(Pose())
            gaze.freeze()
            idle = processor.lines(record)
            gaze.settle(IDLE_POSES)
            last = processor.lines(record) - 1
            turned = gaze.move(TURNED)
            keep(monado, folder / "turned.png")
            aside = gaze.move(ASIDE)
            keep(monado, folder / "aside.png")
            _, report = client.leave()
    finally:
        stand.close()
    found = {
        "focused": report["display_focused"] / report["display_frames"],
        "matched_share": report["matched_share"],
        "turn_error_px": max(turned),
        "parallax_error_px": max(aside[-NEAR_DOTS:]),
        "far_error_px": max(aside[:-NEAR_DOTS], default=math.inf),
    }
    stages = ("upload", "paint", "wait", "locate", "end", "pose_age")
    found |= {f"{stage}_ms": report[f"{stage}_ms"] for stage in stages}
    moving = by_part_ms(processor.taken(record, busy, still - 1), stand.poses)
    resting = by_part_ms(processor.taken(record, idle, last), stand.poses)
    return found | {
        "idle_cpu_ms": resting["display"] + resting["network"],
        "own_cpu_ms": moving["display"] + moving["network"],
        "decoding_cpu_ms": moving["decoding"],
        "drawing_cpu_ms": moving["drawing"],
    }


def by_part_ms(taken: processor.Taken, poses: Sequence[Tracking]) -> Figures:
    """For one frame of the display, each of which has sent a pose."""
    frames = sum(taken.begin_ns <= pose.time_ns < taken.end_ns for pose in poses)
    return {part: 1e3 * seconds / frames for part, seconds in taken.by_part.items()}


def control(monado: Monado, folder: Path) -> Figures:
    """The same turn, seen by a client that is wrong."""
    stand = Stand()
    try:
        with Wearer(monado, folder, stand.address, *FULL, code=WRONG_POSE) as client:
            gaze = Gaze(monado, stand, client)
            gaze.begin()
            gaze.freeze()
            return {"control_error_px": max(gaze.move(TURNED))}
    finally:
        stand.close()


def outlived(monado: Monado, folder: Path) -> Figures:
    """Each fault on a client of its own, so that one that fails does not hide the next."""

    def kill_server(stand: Stand, client: Wearer) -> None:
        faults.kill_server(stand, client).close()

    def hide(stand: Stand, client: Wearer) -> None:
        faults.hide(monado, stand, client, folder / "other")

    def kill_runtime(stand: Stand, client: Wearer) -> None:
        faults.kill_runtime(monado, stand, client)

    happenings: list[Callable[[Stand, Wearer], None]] = [
        hide,
        kill_runtime,
        kill_server,
        faults.cut,
    ]
    recovered = 0
    for happening in happenings:
        monado.move(STANDING)
        stand = Stand(link=happening is faults.cut)
        try:
            with Wearer(monado, folder, stand.address) as client:
                faults.streams(stand, client)
                happening(stand, client)
                recovered += 1
        except AssertionError as error:
            print(f"not outlived: {happening.__name__}: {error}", file=sys.stderr)
        finally:
            stand.close()
    return {"recovered_from": recovered}


def keep(monado: Monado, path: Path) -> None:
    Image.fromarray(monado.pixels()).save(path)


def measure(folder: Path) -> Figures:
    colour.warm_up()
    with Monado(folder / "monado", "compute") as monado:
        return {
            **seen(monado, folder / "seen"),
            **control(monado, folder / "control"),
            **outlived(monado, folder / "faults"),
        }


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--folder", type=Path, help="keep pictures and logs here")
    options = parser.parse_args()
    try:
        installed()
    except NoMonadoError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as name:
        figures = measure((options.folder or Path(name)).resolve())
    report(figures, options.json)


if __name__ == "__main__":
    main()
