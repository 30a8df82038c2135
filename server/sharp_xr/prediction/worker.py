"""Photos to Gaussians in a process of their own, seen from the server.

One photo at a time; a few wait. Whatever happens to the child, the caller gets a result or one
sentence, and the next photo gets a child that lives:

    the photo is refused       PhotoError, the child stays
    decoding takes too long    killed, PhotoError
    the child dies             PhotoError while decoding, else ModelError
    the caller is cancelled    the child is told to stop; killed, if it does not

A killed child's successor loads the model at once, without being asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sharp_xr.model import ModelError, Precision, load_predictor
from sharp_xr.photo import PhotoError
from sharp_xr.prediction.messages import (
    Cancel,
    Cancelled,
    Done,
    Failed,
    Load,
    Loaded,
    Order,
    Prediction,
    Stage,
    Step,
    Wish,
)
from sharp_xr.prediction.process import ChildProcess

log = logging.getLogger(__name__)

OnProgress = Callable[[Stage, float, str], None]
"""Told a stage, its done fraction (0 to 1), and what a person may like to know besides, or "";
called on the event loop."""


class BusyError(ModelError):
    """Too many photos wait already."""


@dataclass(frozen=True)
class Limits:
    """How long things may take, and how many may wait."""

    load_s: float = 300.0
    """Seconds for the model to load and warm up."""
    decode_s: float = 30.0
    """Seconds for reading one photo; the largest takes about 5."""
    predict_s: float = 1800.0
    """Seconds for the model; the full SHARP network may take 15 minutes on a small CPU."""
    cancel_s: float = 20.0
    """Seconds that a cancelled photo has to let go, before its model is killed and loaded anew."""
    decode_bytes: int = 2 << 30
    """Memory that reading one photo may take (on Linux); the largest takes about half."""
    waiting: int = 4
    """Photos besides the one in work."""


class PredictionWorker:
    """Predicts photos, one after another. All methods belong to one event loop."""

    def __init__(
        self,
        model: str = "lite",
        checkpoint: Path | None = None,
        device: str = "cpu",
        precision: Precision = "auto",
        *,
        limits: Limits = Limits(),
        threads: int | None = None,
        warm: bool = True,
        load: Load = load_predictor,
    ) -> None:
        """Starts nothing yet.

        Args:
            model, checkpoint, device, precision: what ``load`` is called with.
            limits: of time, memory and waiting photos.
            threads: of torch; None for its own choice.
            warm: let the model warm up after loading, so that the first photo waits for nothing.
            load: makes the predictor in the child; a function that can be imported.
        """
        self._order = Order(
            model=model,
            checkpoint=checkpoint,
            device=device,
            precision=precision,
            load=load,
            warm=warm,
            threads=threads,
            decode_bytes=limits.decode_bytes,
        )
        self._limits = limits
        self._life: asyncio.Task[ChildProcess] | None = None
        self._stopping: asyncio.Task[None] | None = None  # a cancelled photo, on its way out
        self._identity: str | None = None
        self._turn = asyncio.Lock()
        self._present = 0
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and warm."""
        child = self._child()
        return child is not None and not child.ended

    @property
    def trouble(self) -> str | None:
        """Why a photo would have to wait for more than its turn; None if it would not."""
        life, model = self._life, self._order.model
        if self.ready:
            return None
        if life is None:
            return f"the model {model} is not loaded"
        if not life.done():
            return f"the model {model} is being loaded"
        if life.cancelled() or self._closed:
            return "the server is stopping"
        if error := life.exception():
            return f"the model could not be loaded, the next photo tries again: {error}"
        return f"the process of the model {model} has ended and is started anew"

    async def start(self) -> None:
        """Until the model is loaded and warm. Raises ModelError."""
        await self._living_child()

    async def identity(self) -> str:
        """Results of equal identity are equal. The model's that was loaded last; else waits for it.
        Raises ModelError."""
        if self._identity is None:
            await self._living_child()
        assert self._identity is not None
        return self._identity

    async def predict(
        self,
        data: bytes,
        on_progress: OnProgress = lambda stage, fraction, detail: None,
        *,
        focal_35mm: float | None = None,
        focal_px: float | None = None,
    ) -> Prediction:
        """The Gaussians of the photo in these bytes. Being cancelled stops the model too.

        Args:
            data: a photo's file.
            on_progress: hears how far it is.
            focal_35mm, focal_px: as for :func:`sharp_xr.photo.read_photo`.

        Raises:
            PhotoError: it is not a photo that we take, or reading it failed in any way.
            BusyError: too many photos wait; try again later.
            ModelError: the model could not be loaded or failed.
        """
        if self._present > self._limits.waiting:
            raise BusyError(f"{self._present} photos are waiting already: try again in a moment")
        self._present += 1
        try:
            if self._turn.locked():
                on_progress("decode", 0.0, "another photo is before it")
            async with self._turn:
                if not self.ready:
                    on_progress("decode", 0.0, "the model is being loaded")
                child = await self._living_child()
                wish = Wish(data, focal_35mm, focal_px)
                return await self._work(child, wish, on_progress)
        finally:
            self._present -= 1

    async def close(self) -> None:
        """Ends the child, and with it the prediction that it may be in."""
        self._closed = True
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        if (child := self._child()) is not None:
            await child.end()
        if self._stopping is not None:
            await asyncio.wait([self._stopping])

    def _child(self) -> ChildProcess | None:
        """The one that has loaded its model, dead or alive."""
        life = self._life
        if life is None or not life.done() or life.cancelled() or life.exception():
            return None
        return life.result()

    async def _living_child(self) -> ChildProcess:
        if self._stopping is not None:
            await asyncio.wait([self._stopping])
        if self._closed:
            raise ModelError("the server is stopping")
        child = self._child()
        if self._life is None or (self._life.done() and (child is None or child.ended)):
            self._begin_life()
        life = self._life
        assert life is not None
        # Not awaited itself: one caller who goes away does not take the child from the others.
        await asyncio.wait([life])
        if life.cancelled():
            raise ModelError("the server is stopping")
        return life.result()

    def _begin_life(self) -> None:
        self._life = asyncio.create_task(self._load_child())
        self._life.add_done_callback(_note_failure)

    async def _load_child(self) -> ChildProcess:
        child = ChildProcess(self._order, self._idle_child_ended)
        try:
            await child.begin()
            async with asyncio.timeout(self._limits.load_s):
                message = await child.messages.get()
        except TimeoutError:
            await child.end()
            raise ModelError(
                f"the model {self._order.model} did not load within {self._limits.load_s:g} s"
            ) from None
        except BaseException:
            await child.end()
            raise
        match message:
            case Loaded(identity):
                self._identity = identity
                return child
            case Failed(error):
                await child.end()
                raise error
            case _:
                raise ModelError(
                    f"the process of the model {self._order.model} ended while loading "
                    f"({child.why_ended()})"
                )

    async def _work(self, child: ChildProcess, wish: Wish, on_progress: OnProgress) -> Prediction:
        try:
            answer = await self._answer(child, wish, on_progress)
        except asyncio.CancelledError:
            self._stopping = asyncio.create_task(self._stop(child))
            raise
        except BaseException:
            self._replace(child)
            raise
        if isinstance(answer, Failed):
            raise answer.error
        return answer.prediction

    async def _stop(self, child: ChildProcess) -> None:
        """Until the child has let its photo go; the next one waits for that."""
        try:
            async with asyncio.timeout(self._limits.cancel_s):
                await child.send(Cancel())
                while (message := await child.messages.get()) is not None:
                    if isinstance(message, Cancelled):
                        return
        except TimeoutError:
            log.warning("the model does not stop for a cancelled photo and is loaded anew")
        self._replace(child)

    def _replace(self, child: ChildProcess) -> None:
        """By one that works, unless the server stops anyway."""
        if not self._closed:
            child.kill()
            self._begin_life()

    async def _answer(
        self, child: ChildProcess, wish: Wish, on_progress: OnProgress
    ) -> Done | Failed:
        """The child's last word on this photo. Any exception means that the child is of no use."""
        stage: Stage | None = None  # until the child says that it has begun
        deadline = _now() + self._limits.decode_s
        try:
            async with asyncio.timeout_at(deadline):
                await child.send(wish)
            while True:
                async with asyncio.timeout_at(deadline):
                    message = await child.messages.get()
                match message:
                    case Step():
                        if stage == "decode" and message.stage == "predict":
                            deadline = _now() + self._limits.predict_s
                        stage = message.stage
                        on_progress(stage, message.fraction, message.detail)
                    case Done() | Failed():
                        return message
                    case _:
                        raise self._lost(stage, child)
        except TimeoutError:
            raise self._too_slow(stage) from None

    def _too_slow(self, stage: Stage | None) -> PhotoError | ModelError:
        if stage != "predict":
            return PhotoError(
                f"reading the photo took longer than {self._limits.decode_s:g} s and was stopped"
            )
        return ModelError(
            f"the model took longer than {self._limits.predict_s:g} s and was stopped"
        )

    def _lost(self, stage: Stage | None, child: ChildProcess) -> PhotoError | ModelError:
        if self._closed:
            return ModelError("the server is stopping")
        log.error("the prediction process ended (%s) in %s", child.why_ended(), stage or "idleness")
        if stage == "decode":
            return PhotoError(
                f"reading the photo ended the process that did it ({child.why_ended()}): "
                "it is broken or takes too much memory"
            )
        return ModelError(
            f"the prediction process ended ({child.why_ended()}) and is started anew: "
            "try again in a moment"
        )

    def _idle_child_ended(self, child: ChildProcess) -> None:
        """Somebody killed it; a child at work is missed by whom it works for."""
        stopping = self._stopping is not None and not self._stopping.done()
        at_work = self._turn.locked() or stopping
        if child is self._child() and not at_work and not self._closed:
            log.warning("the idle prediction process ended (%s)", child.why_ended())
            self._begin_life()


def _now() -> float:
    """As ``asyncio.timeout_at`` takes it."""
    return asyncio.get_running_loop().time()


def _note_failure(life: asyncio.Task[ChildProcess]) -> None:
    """Take the exception of a life that nobody awaits."""
    if not life.cancelled() and (error := life.exception()):
        log.error("no prediction process: %s", error)
