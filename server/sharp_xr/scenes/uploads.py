"""POST /scenes: the bytes of a photo or of a ``.ply`` in, a stored scene out.

Progress goes to all sessions as it happens: 0 to 10 % decoding, to 90 % predicting, then storing.
From "store" on, which names the scene, it can be seen; the answer comes when it is on the disk.

The same bytes are not predicted twice by the same model: the scene that was made of them answers,
and is the newest one again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol

from starlette.requests import Request

from sharp_xr.formats.ply import PhotoCamera, PlyError
from sharp_xr.http.body import drain, read_body
from sharp_xr.http.refusal import FAULT, Refusal
from sharp_xr.model import ModelError
from sharp_xr.photo import PhotoError
from sharp_xr.prediction import Prediction
from sharp_xr.scenes.gallery import SceneGallery
from sharp_xr.scenes.index import Origin, SceneError
from sharp_xr.scenes.jobs import CancelledJob, Jobs
from sharp_xr_protocol.messages import Progress, Scene

log = logging.getLogger(__name__)

Stage = Literal["decode", "predict", "store", "done", "failed"]

MAX_BYTES = 64 << 20
"""Of one upload."""
MAX_AT_A_TIME = 4
"""Uploads under way; each may hold MAX_BYTES, and they are predicted one after another."""
BY_A_VIEWER = "cancelled by a viewer"
SENDER_GONE = "cancelled because its sender is gone"

SHARE = {"decode": (0.0, 0.1), "predict": (0.1, 0.9), "store": (0.9, 1.0)}
"""Of the whole way: where each stage begins and ends."""


@dataclass(frozen=True)
class Upload:
    """What became of an upload."""

    scene: Scene
    is_new: bool
    """Or it was made of the same photo before."""


class PhotoWorker(Protocol):
    """What makes Gaussians of a photo's bytes (``prediction.PredictionWorker``)."""

    @property
    def trouble(self) -> str | None: ...
    async def start(self) -> None: ...
    async def identity(self) -> str: ...
    async def close(self) -> None: ...
    async def predict(
        self, data: bytes, on_progress: Callable[[str, float, str], None]
    ) -> Prediction: ...


class Uploads:
    """Takes uploads in. ``tell`` sends a Progress to the sessions."""

    def __init__(
        self,
        gallery: SceneGallery,
        worker: PhotoWorker,
        model: str,
        tell: Callable[[Progress], None],
    ) -> None:
        self._gallery = gallery
        self._worker = worker
        self._model = model
        self._tell = tell
        self._jobs = Jobs()
        self._at_work: dict[str, asyncio.Event] = {}  # photos by their hash
        self._under_way = 0

    async def take(self, request: Request) -> Upload:
        """A stored scene. Raises Refusal with one sentence, which the sessions are told too."""
        job = request.query_params.get("job", "")[:64] or secrets.token_hex(8)
        name = scene_name(request.query_params.get("filename", ""))
        if job in self._jobs:
            await drain(request.stream())
            raise Refusal(409, "an upload with this job id is under way already", close=True)
        with self._told(job):
            if self._under_way >= MAX_AT_A_TIME:
                await drain(request.stream())
                sentence = f"{MAX_AT_A_TIME} photos are on their way already: try again in a moment"
                raise Refusal(503, sentence, close=True)
            with self._counted():
                data = await self._body(request, job)
                async with self._cancelled_when_gone(request, job):
                    return await self._make(data, name, job)

    def cancel(self, job: str) -> None:
        """On somebody's wish; who uploads is told. Raises Refusal: there is nothing to cancel."""
        if not self._cancel(job, BY_A_VIEWER):
            raise Refusal(404, "there is no such upload, or it is a scene by now")

    def _cancel(self, job: str, why: str) -> bool:
        cancelled = self._jobs.cancel(job, why)
        if cancelled:
            self._tell(Progress(job, "failed", 1.0, why))
            log.info("upload cancelled", extra={"fields": {"job": job, "why": why}})
        return cancelled

    async def _body(self, request: Request, job: str) -> bytes:
        try:
            return await self._jobs.run(job, read_body(request, MAX_BYTES))
        except CancelledJob as cancelled:
            await drain(request.stream())
            cancelled.close = True
            raise

    @contextlib.asynccontextmanager
    async def _cancelled_when_gone(self, request: Request, job: str) -> AsyncIterator[None]:
        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            self._cancel(job, SENDER_GONE)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()

    async def make(self, data: bytes, name: str) -> Upload:
        """A stored scene of a photo's or a ``.ply``'s bytes. Raises Refusal with one sentence."""
        job = secrets.token_hex(8)
        with self._told(job), self._counted():
            return await self._make(data, name, job)

    async def _make(self, data: bytes, name: str, job: str) -> Upload:
        started = time.monotonic()
        with _errors_named():
            upload = await self._jobs.run(job, self._scene(data, name, job))
        scene = upload.scene
        self._tell(Progress(job, "done", 1.0, scene.id))
        seconds = round(time.monotonic() - started, 3)
        fields = {"scene": scene.id, "gaussians": scene.gaussians, "seconds": seconds}
        event = "scene stored" if upload.is_new else "scene was there"
        log.info(event, extra={"fields": {"job": job, **fields}})
        return upload

    async def _scene(self, data: bytes, name: str, job: str) -> Upload:
        if not data:
            raise Refusal(400, "the upload is empty, wanted the bytes of a photo or of a .ply")
        self._report(job, "decode", 0.0)
        if is_ply(data):
            on_shown = self._on_shown(job)
            return Upload(await self._gallery.add_ply(data, name=name, on_shown=on_shown), True)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        async with self._alone(digest):
            made = self._gallery.made_of(Origin(digest, await self._worker.identity()))
            if made is not None:
                with contextlib.suppress(LookupError):  # it has just been deleted
                    return Upload(await self._gallery.renew(made.id), False)
            return Upload(await self._predicted(data, digest, name, job), True)

    async def _predicted(self, data: bytes, digest: str, name: str, job: str) -> Scene:
        def on_progress(stage: str, fraction: float, detail: str) -> None:
            self._report(job, stage, fraction, detail)

        prediction = await self._worker.predict(data, on_progress)
        return await self._gallery.add(
            prediction.gaussians,
            name=name,
            model=self._model,
            thumbnail=prediction.thumbnail,
            photo=PhotoCamera(prediction.width, prediction.height, prediction.focal_px),
            origin=Origin(digest, prediction.predictor),
            on_shown=self._on_shown(job),
        )

    def _on_shown(self, job: str) -> Callable[[Scene], None]:
        def on_shown(scene: Scene) -> None:
            self._jobs.settle(job)  # who wants it no more may delete it
            self._report(job, "store", 0.0, scene.id)

        return on_shown

    @contextlib.asynccontextmanager
    async def _alone(self, digest: str) -> AsyncIterator[None]:
        """One upload of a photo at a time: the others wait, and find its scene."""
        while (other := self._at_work.get(digest)) is not None:
            await other.wait()
        ended = self._at_work[digest] = asyncio.Event()
        try:
            yield
        finally:
            del self._at_work[digest]
            ended.set()

    @contextlib.contextmanager
    def _told(self, job: str) -> Iterator[None]:
        """What goes wrong goes to the log and to the sessions as well."""
        try:
            yield
        except CancelledJob:
            raise  # who cancelled it has told
        except Refusal as refusal:
            self._tell(Progress(job, "failed", 1.0, refusal.sentence))
            log.warning("upload refused", extra={"fields": {"job": job, "why": refusal.sentence}})
            raise
        except Exception:
            self._tell(Progress(job, "failed", 1.0, FAULT))
            raise

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _report(self, job: str, stage: str, fraction: float, message: str = "") -> None:
        """``fraction`` is the stage's own; clients are told that of the whole way."""
        match stage:
            case "decode" | "predict" | "store":
                begin, end = SHARE[stage]
                done = begin + min(max(fraction, 0.0), 1.0) * (end - begin)
                self._tell(Progress(job, stage, done, message))
            case _:
                raise AssertionError(f"the worker reports a stage {stage!r}")


def is_ply(data: bytes) -> bool:
    """By the magic line, whatever the file's name says."""
    return data.startswith((b"ply\n", b"ply\r"))


def scene_name(filename: str) -> str:
    """A name for people out of a file's name, which may be anything; the store cleans it."""
    return PurePosixPath(filename.replace("\\", "/")[-300:]).stem


@contextlib.contextmanager
def _errors_named() -> Iterator[None]:
    """The parts' errors as the HTTP answers that they are."""
    try:
        yield
    except (PhotoError, PlyError) as error:
        raise Refusal(400, str(error)) from error
    except ModelError as error:
        raise Refusal(503, str(error)) from error
    except SceneError as error:
        raise Refusal(507, str(error)) from error
