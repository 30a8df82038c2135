"""``sharp-xr predict``: photos from files, Gaussians to files, and how long each step took.

Photos are read and predicted in a process of their own, as the server does it: what crashes a
decoder costs that photo and no other, and Ctrl-C ends a prediction that takes minutes at once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sharp_xr.formats.npz import write_npz
from sharp_xr.formats.ply import PhotoCamera, write_ply
from sharp_xr.model import ModelError
from sharp_xr.photo import PhotoError
from sharp_xr.prediction import OnProgress, Prediction, PredictionWorker
from sharp_xr.progress import ProgressLine

MAX_BYTES = 64 << 20
"""Of a photo's file, as for uploads."""


class OutputError(Exception):
    """There is no place for what was asked for; the message is one sentence for the user."""


class Worker(Protocol):
    """What :func:`one` wants of ``PredictionWorker``."""

    async def predict(
        self,
        data: bytes,
        on_progress: OnProgress,
        *,
        focal_35mm: float | None,
        focal_px: float | None,
    ) -> Prediction: ...


@dataclass(frozen=True)
class Focal:
    """What the user knows better than the photo."""

    mm_35: float | None = None
    px: float | None = None


def targets(photos: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """Each photo with the file that its Gaussians go to.

    Raises:
        OutputError: no photos, or several and one file.
    """
    if not photos:
        raise OutputError("predict wants at least one photo")
    if output.suffix.lower() in (".ply", ".npz"):
        if len(photos) > 1:
            raise OutputError(
                f"{len(photos)} photos do not fit into one file {output}: name a folder"
            )
        return [(photos[0], output)]
    if output.suffix and not output.is_dir():
        raise OutputError(f"-o {output}: wanted a .ply or .npz file, or a folder")
    taken: set[str] = set()
    return [(photo, output / f"{_free_name(photo.stem, taken)}.ply") for photo in photos]


def run(worker: PredictionWorker, jobs: Sequence[tuple[Path, Path]], focal: Focal) -> bool:
    """Photos to files, one after another; whether all worked. Ends the worker.

    Raises:
        ModelError: the model cannot be loaded.
        KeyboardInterrupt: by Ctrl-C. It waits until there is a task that it can cancel: in the
            middle of making an event loop it would leave half of one, which complains. A shell
            that started this in the background lets it ignore Ctrl-C, and so it does.
    """
    if sys.platform == "win32" or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return asyncio.run(_run(worker, jobs, focal))
    early = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: early.set())
    try:
        return asyncio.run(_run_until_interrupted(_run(worker, jobs, focal), early))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)


async def _run_until_interrupted(work: Coroutine[None, None, bool], early: threading.Event) -> bool:
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    if early.is_set():
        task.cancel()
    return await task


async def _run(worker: PredictionWorker, jobs: Sequence[tuple[Path, Path]], focal: Focal) -> bool:
    try:
        await worker.start()
        return all([await one(worker, photo, target, focal) for photo, target in jobs])
    finally:
        await worker.close()


async def one(worker: Worker, photo: Path, target: Path, focal: Focal) -> bool:
    """Photo to file; what keeps it from that is said on stderr. Returns whether it worked."""
    line = ProgressLine(photo.name)
    try:
        data = _read(photo)
        made = await worker.predict(data, line.show, focal_35mm=focal.mm_35, focal_px=focal.px)
        line.show("store", 0.0)
        started = time.perf_counter()
        _write(target, made)  # not in a thread: who stops us now gets a whole file or none
        store_s = time.perf_counter() - started
    except (PhotoError, ModelError) as error:
        line.end(f"{photo}: {error}")
    except OSError as error:
        line.end(f"{error.filename or photo}: {error.strerror or error}")
    except asyncio.CancelledError:
        line.end(f"{photo}: stopped, nothing is written")
        raise
    else:
        times = f"decode {made.decode_s:.2f} s, predict {made.predict_s:.2f} s"
        count = len(made.gaussians)
        line.end(f"{photo} -> {target}: {count} Gaussians; {times}, store {store_s:.2f} s")
        return True
    return False


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PhotoError(f"the file is larger than {MAX_BYTES >> 20} MB, the limit")
    return data


def _write(target: Path, made: Prediction) -> None:
    """Under another name first: nobody finds half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    camera = PhotoCamera(made.width, made.height, made.focal_px)
    write = write_npz if target.suffix.lower() == ".npz" else write_ply
    new = target.with_name(f".{target.name}.new")
    try:
        with new.open("wb") as file:
            write(file, made.gaussians, camera)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _free_name(stem: str, taken: set[str]) -> str:
    """The stem, with a number where two photos of different folders have it."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name
