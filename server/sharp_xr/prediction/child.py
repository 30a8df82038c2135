"""The process that decodes photos and runs the predictor; process.py is its other end.

Why a process: a photo is a stranger's bytes in C decoders, and a predictor takes all cores for a
second or for minutes. Here both may crash, hang or be killed while frames go on in the server.

    server -> child     bytes of a photo
    child -> server     Loaded | Failed, once; then for each photo Step..., Done | Failed
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import numpy as np

from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Predictor
from sharp_xr.photo import Photo, PhotoError, read_photo, thumbnail

log = logging.getLogger(__name__)

Stage = Literal["decode", "predict"]

Load = Callable[[str, Path | None, str], Predictor]
"""As :func:`sharp_xr.model.load_predictor`; must be importable, for it is sent by name."""


@dataclass(frozen=True)
class Prediction:
    """What became of a photo."""

    width: int
    """Pixels of the upright photo."""
    height: int
    focal_px: float
    gaussians: Gaussians
    """All finite."""
    thumbnail: bytes
    """A JPEG of the photo."""
    decode_s: float
    """Seconds that reading the photo took, and the model."""
    predict_s: float


@dataclass(frozen=True)
class Order:
    """What a child is to be, as ``PredictionWorker`` says it."""

    model: str
    checkpoint: Path | None
    device: str
    load: Load
    warm: bool
    threads: int | None
    decode_bytes: int
    niceness: int = 0
    """Added to the priority number: more lets frames go first, and a photo wait while they do."""
    thumbnail_px: int = 320
    """Its longer side."""


@dataclass(frozen=True)
class Loaded:
    """The predictor is ready for photos."""


@dataclass(frozen=True)
class Step:
    """How far a photo is: the done fraction of its stage."""

    stage: Stage
    fraction: float


@dataclass(frozen=True)
class Done:
    """The photo's last message."""

    prediction: Prediction


@dataclass(frozen=True)
class Failed:
    """The last message instead: what the caller is to raise."""

    error: PhotoError | ModelError


Message = Loaded | Step | Done | Failed


def run_child(server: Connection, order: Order) -> None:
    """The child's life, until the server hangs up."""
    _settle(order)
    try:
        predictor = order.load(order.model, order.checkpoint, order.device)
        if order.warm:
            _warm_up(predictor, order)
    except Exception as error:
        server.send(Failed(_named(error, f"the model {order.model} could not be loaded")))
        return
    server.send(Loaded())
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            data = server.recv_bytes()
            server.send(_answer(data, predictor, order, server.send))


def _settle(order: Order) -> None:
    """Be a good child: end with the parent, leave Ctrl-C to it, be the one to die of hunger."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if order.threads is not None:  # read by OpenMP and MKL when torch is imported
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(order.threads)
    if sys.platform != "win32":
        os.nice(order.niceness)
    if sys.platform == "linux":  # when memory runs out, this process goes and not the server
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")


def _end_with_parent() -> None:
    # Also after a kill -9 of the parent: the kernel closes its end of a pipe.
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _warm_up(predictor: Predictor, order: Order) -> None:
    grey = np.full((192, 256, 3), 128, np.uint8)
    jpeg = thumbnail(Photo(grey, 200.0), order.thumbnail_px)  # loads the codecs as well
    predictor.predict(read_photo(jpeg))


def _answer(
    data: bytes, predictor: Predictor, order: Order, tell: Callable[[Message], None]
) -> Done | Failed:
    try:
        tell(Step("decode", 0.0))
        started = time.monotonic()
        with _memory_limit(order.decode_bytes):
            photo, small = _decode(data, order.thumbnail_px)
        decoded = time.monotonic()
        gaussians = _predict(photo, predictor, tell)
        done = time.monotonic()
    except Exception as error:
        return Failed(_named(error, f"the model {order.model} failed on this photo"))
    return Done(
        Prediction(
            width=photo.width,
            height=photo.height,
            focal_px=photo.focal_px,
            gaussians=gaussians,
            thumbnail=small,
            decode_s=decoded - started,
            predict_s=done - decoded,
        )
    )


def _decode(data: bytes, thumbnail_px: int) -> tuple[Photo, bytes]:
    try:
        photo = read_photo(data)
        return photo, thumbnail(photo, thumbnail_px)
    except MemoryError as error:
        raise PhotoError("reading the photo takes more memory than it may have") from error


def _predict(photo: Photo, predictor: Predictor, tell: Callable[[Message], None]) -> Gaussians:
    told = -1.0

    def progress(fraction: float) -> None:
        nonlocal told
        if fraction >= told + 0.01:  # a person sees no finer steps
            told = fraction
            tell(Step("predict", fraction))

    progress(0.0)
    gaussians, dropped = predictor.predict(photo, progress).finite()
    if dropped:
        log.warning("%d Gaussians of a photo are not finite and left out", dropped)
    if not len(gaussians):
        raise ModelError(f"the model {predictor.name} saw nothing in this photo")
    return gaussians


def _named(error: Exception, what: str) -> PhotoError | ModelError:
    """The error itself, if it is a sentence for the user; else one about it, and a log entry."""
    if isinstance(error, PhotoError | ModelError):
        return error
    log.error("%s", what, exc_info=error)
    why = " ".join(str(error).split())[:200]
    return ModelError(f"{what}: {type(error).__name__}{': ' if why else ''}{why}")


@contextlib.contextmanager
def _memory_limit(more: int) -> Iterator[None]:
    """Allocations beyond ``more`` bytes from now on fail with MemoryError.

    RLIMIT_DATA counts private writable memory, also mapped (Linux 4.7 on), but not what CUDA and
    torch reserve as address space, so the model may sit in the same process. Other systems do not
    keep it in this way; there the limits of pixels alone bound the memory.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _private_bytes() + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _private_bytes() -> int:
    """What RLIMIT_DATA counts, of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return 0
