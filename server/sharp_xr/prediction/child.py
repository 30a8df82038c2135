"""The process that decodes photos and runs the predictor; process.py is its other end.

Why a process: a photo is a stranger's bytes in C decoders, and a predictor takes all cores for a
second or for minutes. Here both may crash, hang or be killed while frames go on in the server.
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
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from sharp_xr.gaussians import Gaussians
from sharp_xr.model import Identified, ModelError, Predictor, WarmsUp, file_mark
from sharp_xr.photo import Photo, PhotoError, read_photo, thumbnail
from sharp_xr.prediction.messages import (
    Cancel,
    Cancelled,
    Done,
    Failed,
    Loaded,
    Order,
    Prediction,
    Step,
    Wish,
)

log = logging.getLogger(__name__)

LISTEN_S = 0.05
"""A predictor that reports its progress more often is asked no more often than this to stop."""


class _CancelledError(Exception):
    """Ends a predictor from within its report of progress."""


def run_child(server: Connection, order: Order) -> None:
    """The child's life, until the server hangs up."""
    _settle(order)
    try:
        predictor = order.load(order.model, order.checkpoint, order.device, order.precision)
        who = identity(predictor, order)
        if order.warm:
            _warm_up(predictor, order)
    except Exception as error:
        server.send(Failed(_named(error, f"the model {order.model} could not be loaded")))
        return
    server.send(Loaded(who))
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            match server.recv():
                case Wish() as wish:
                    server.send(_answer(wish, _Model(predictor, who), order, server))
                case Cancel():  # came when its photo was done
                    server.send(Cancelled())
                case other:
                    raise AssertionError(f"the server sent {other!r}")


def identity(predictor: Predictor, order: Order) -> str:
    """Predictors of equal identity make equal Gaussians of a photo; so do releases of sharp-xr only
    if they are the same one."""
    if isinstance(predictor, Identified):
        own = predictor.identity
    else:
        weights = file_mark(order.checkpoint) if order.checkpoint else "packaged"
        own = f"{order.precision} {weights}"
    return f"{predictor.name} {version('sharp-xr')} {own}"


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
    grey = Photo(np.full((192, 256, 3), 128, np.uint8), 200.0)
    read_photo(thumbnail(grey, order.thumbnail_px))  # loads the codecs
    if isinstance(predictor, WarmsUp):
        predictor.warm_up()


class _Line:
    """The server's end while one photo is at work: told how far it is, heard for a Cancel."""

    def __init__(self, server: Connection) -> None:
        self._server = server
        self._listen_at = 0.0
        self._told = Step("decode", 0.0)
        self.cancelled = False
        server.send(self._told)

    def progress(self, fraction: float, detail: str = "", /) -> None:
        """As a predictor calls it."""
        self._listen()
        told = self._told
        finer = told.stage == "predict" and fraction < told.fraction + 0.01  # nobody sees that
        if not finer or detail != told.detail:
            self._told = Step("predict", fraction, detail)
            self._server.send(self._told)

    def _listen(self) -> None:
        now = time.monotonic()
        if now < self._listen_at:
            return
        self._listen_at = now + LISTEN_S
        if self._server.poll():
            said = self._server.recv()
            assert isinstance(said, Cancel), said
            self.cancelled = True
        if self.cancelled:  # again and again, to one that would not hear
            raise _CancelledError


@dataclass(frozen=True)
class _Model:
    predictor: Predictor
    identity: str


def _answer(
    wish: Wish, model: _Model, order: Order, server: Connection
) -> Done | Failed | Cancelled:
    line = _Line(server)
    answer: Done | Failed
    try:
        answer = Done(_prediction(wish, model, order, line))
    except Exception as error:
        if not line.cancelled:
            answer = Failed(_named(error, f"the model {order.model} failed on this photo"))
    return Cancelled() if line.cancelled else answer


def _prediction(wish: Wish, model: _Model, order: Order, line: _Line) -> Prediction:
    started = time.monotonic()
    with _memory_limit(order.decode_bytes):
        photo, small = _decode(wish, order.thumbnail_px)
    decoded = time.monotonic()
    gaussians = _predict(photo, model.predictor, line)
    return Prediction(
        width=photo.width,
        height=photo.height,
        focal_px=photo.focal_px,
        gaussians=gaussians,
        thumbnail=small,
        predictor=model.identity,
        decode_s=decoded - started,
        predict_s=time.monotonic() - decoded,
    )


def _decode(wish: Wish, thumbnail_px: int) -> tuple[Photo, bytes]:
    try:
        photo = read_photo(wish.data, focal_35mm=wish.focal_35mm, focal_px=wish.focal_px)
        return photo, thumbnail(photo, thumbnail_px)
    except MemoryError as error:
        raise PhotoError("reading the photo takes more memory than it may have") from error


def _predict(photo: Photo, predictor: Predictor, line: _Line) -> Gaussians:
    line.progress(0.0)
    gaussians, dropped = predictor.predict(photo, line.progress).finite()
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
