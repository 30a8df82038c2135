"""Scenes on air: whoever only watches shares one drawing and one encoding of each scene.

    camera path ──> render thread ──> encoder thread ──> unit ──┬─ Spectator: slot ──> RTP
      (a clock)        one view           one H.264             ├─ Spectator: slot ──> RTP
                                                                └─ ...

Spectators send no poses (a WHEP player knows none), so a :class:`Channel` moves a camera of its
own: a small, slow ellipse around the photo's camera, the scene's middle always in the picture's.
Nobody's head is shown to others. One flat view of the photo's shape, as players have one screen.

The clock is the server's. Frames depend on those before them, so a spectator that missed one waits
for a key frame; those are made on request, for all, at most every half second. Each has a slot of
its own that a new frame overwrites: one that is slow loses frames, and no other notices.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from sharp_xr.render import Renderer, RenderSettings
from sharp_xr.render.camera import View, view_from_eye
from sharp_xr.render.trajectories import look_at
from sharp_xr.stream.colour import new_picture, write_frame
from sharp_xr.stream.encoder import Encoder, EncoderName, EncoderSettings, open_encoder
from sharp_xr.stream.latest import Latest
from sharp_xr.stream.loop import BUDGET_MS, ShownScene
from sharp_xr.stream.peer import Peer
from sharp_xr.stream.poses import KEYS
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.frame_key import key_unit
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import CLOCK_HZ, Scene

log = logging.getLogger(__name__)

HZ = 30.0
"""Pictures a second; nobody's head is in the loop."""
KEY_FRAME_INTERVAL_S = 0.5
"""A key frame costs everybody sharpness, so one bad link may not ask for more."""
ROUND_S = 14.0
"""Once around the camera path."""
REACH, DIP, APPROACH = 0.035, 0.012, 0.05
"""Of the path: how far to the sides, up and down, and forward, as shares of the scene's focus."""
ZOOM = 0.9
"""Of the photo's field of view, in tangents: from the side one sees past the photo's rim."""

_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Studio:
    """What channels are made with."""

    renderer: Renderer
    render_thread: ThreadPoolExecutor
    """The server's one; interactive streams take turns with the channels there."""
    turns: Turns
    """Of that thread."""
    max_px: int = 512
    """Longer side of the picture."""
    hz: float = HZ
    encoder: EncoderName = "auto"
    clock: Callable[[], float] = time.monotonic
    """Seconds."""


@dataclass(frozen=True)
class Unit:
    """One picture, encoded for everybody."""

    access_unit: bytes
    key: int
    """RTP time stamp: the server's 90 kHz clock."""
    is_key_frame: bool


class Spectator:
    """One of a channel's audience. The event loop's thread only."""

    def __init__(self, on_lost: Callable[[Spectator, str], None]) -> None:
        """``on_lost`` is given a sentence when the connection is gone or none came about."""
        self.id = secrets.token_urlsafe(16)
        """Whoever knows it may end the session: 128 random bits."""
        self.etag = secrets.token_urlsafe(8)
        """Names the connection's one ICE session."""
        self.remote_ufrag: str | None = None
        """The player's, of that ICE session."""
        self.channel: Channel | None = None
        """What it watches; None until :meth:`watch`."""
        self.remb_bps: int | None = None
        self.peer = Peer(
            on_ready=self._ready,
            on_key_frame_wanted=self._want_key_frame,
            on_remb=self._remb,
            on_lost=lambda why: on_lost(self, why),
        )
        self._slot: Latest[Unit] = Latest()
        self._in_step = False
        self._sending: asyncio.Task[None] | None = None

    async def answer(self, offer_sdp: str) -> str:
        """As of :meth:`Peer.answer`."""
        answer = await self.peer.answer(offer_sdp)
        found = _UFRAG.search(offer_sdp)
        self.remote_ufrag = found[1] if found else None
        return answer

    def watch(self, channel: Channel) -> None:
        """From now on."""
        self.channel = channel
        channel.audience.add(self)
        if self.peer.ready:
            channel.wake()

    def offer(self, unit: Unit) -> None:
        """Send this next, if it can be decoded there."""
        if not self.peer.ready or not (self._in_step or unit.is_key_frame):
            return
        missed = self._slot.put(unit) is not None
        self._in_step = unit.is_key_frame or not missed
        if not self._in_step:
            self._slot.take()
            self._want_key_frame()

    def _ready(self) -> None:
        self._in_step = False
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())
        if self.channel is not None:
            self.channel.wake()

    def _want_key_frame(self) -> None:
        if self.channel is not None:
            self.channel.want_key_frame()

    def _remb(self, bits_per_second: int) -> None:
        self.remb_bps = bits_per_second

    async def _send(self) -> None:
        while True:
            unit = await self._slot.get()
            sender = self.peer.sender
            assert sender is not None  # ready came from it
            if not await sender.push(unit.access_unit, unit.key):
                self._in_step = False

    async def close(self) -> None:
        """End the connection; the player is told by DTLS."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await self.peer.close()


class Channel:
    """One scene on air: draws and encodes while at least one spectator is connected."""

    def __init__(
        self, scene: Scene, shown: ShownScene, studio: Studio, encode_threads: ThreadPoolExecutor
    ) -> None:
        self.scene = scene
        """As it is told to clients."""
        self.shown = shown
        """What is drawn. Assigned anew when the scene is another."""
        self.audience: set[Spectator] = set()
        self.pictures = self.key_frames = 0
        """Encoded since the channel began."""
        self._studio = studio
        self._encode_threads = encode_threads
        self._view_of = CameraPath(scene, studio.max_px)
        width, height = self._view_of.size
        self._picture = new_picture(width, height)
        rates = settings_for(width, height, studio.hz)
        # What an interactive stream begins with is plenty: no acknowledgement ever says "more".
        self._settings = EncoderSettings(width, height, studio.hz, rates.start_bps)
        self._floor_bps = rates.floor_bps
        self._encoder: Encoder | None = None
        self._awake = asyncio.Event()
        self._key_frame_wanted = True
        self._key_frame_s = float("-inf")

    def wake(self) -> None:
        """A spectator is connected, and needs a key frame."""
        self.want_key_frame()
        self._awake.set()

    def want_key_frame(self) -> None:
        """Soon, for all."""
        self._key_frame_wanted = True

    def update(self, scene: Scene, shown: ShownScene) -> None:
        """The scene has another camera by now; the picture keeps its size."""
        self.scene, self.shown = scene, shown
        self._view_of.follow(scene)

    @property
    def bitrate(self) -> int:
        """Bits per second: what the best link takes, so that a bad one takes it from nobody."""
        ceiling = self._settings.ceiling_bps
        wanted = [one.remb_bps for one in self.audience if one.peer.ready]
        best = max((ceiling if bps is None else 0.9 * bps for bps in wanted), default=ceiling)
        return round(min(ceiling, max(self._floor_bps, best)))

    async def run(self) -> None:
        """Until cancelled. Raises what drawing or encoding raises."""
        loop, studio = asyncio.get_running_loop(), self._studio
        due_s = studio.clock()
        while True:
            await self._somebody()
            now_s = studio.clock()
            due_s = max(due_s + 1 / studio.hz, now_s)
            await asyncio.sleep(due_s - now_s)
            await loop.run_in_executor(studio.render_thread, self._draw)
            unit = await loop.run_in_executor(
                self._encode_threads, self._encode, self.bitrate, self._key_frame_due()
            )
            for spectator in self.audience:
                spectator.offer(unit)

    async def _somebody(self) -> None:
        while not any(spectator.peer.ready for spectator in self.audience):
            self._awake.clear()
            await self._awake.wait()

    def _key_frame_due(self) -> bool:
        now_s = self._studio.clock()
        due = self._key_frame_wanted and now_s - self._key_frame_s >= KEY_FRAME_INTERVAL_S
        if due:
            self._key_frame_wanted, self._key_frame_s = False, now_s
        return due

    def _draw(self) -> None:
        """In the render thread."""
        view = self._view_of(self._studio.clock())
        sharers = self._studio.turns.sharers(self, self._studio.clock())
        settings = RenderSettings(budget_ms=BUDGET_MS / sharers)
        frame = self._studio.renderer.render(self.shown.prepared, [view], settings)
        write_frame(frame, self._picture)

    def _encode(self, bitrate: int, key_frame: bool) -> Unit:
        """In an encoder's thread."""
        if self._encoder is None:
            self._encoder = open_encoder(self._settings, self._studio.encoder)
        if self._encoder.bitrate != bitrate:
            self._encoder.bitrate = bitrate
        key = round(self._studio.clock() * CLOCK_HZ) % KEYS
        access_unit = self._encoder.encode(self._picture, key_frame=key_frame)
        self.pictures += 1
        self.key_frames += key_frame
        return Unit(key_unit(key) + access_unit, key, key_frame)


class CameraPath:
    """Where a channel's camera is: the photo's lens, on a small ellipse around its place."""

    def __init__(self, scene: Scene, max_px: int) -> None:
        self.follow(scene)
        across, along = (
            _extent(self._fov.left, self._fov.right),
            _extent(self._fov.down, self._fov.up),
        )
        scale = max_px / max(across, along)
        width, height = (max(16, round(side * scale) // 16 * 16) for side in (across, along))
        self.size = (width, height)
        """Width and height in pixels, multiples of 16."""

    def follow(self, scene: Scene) -> None:
        """Another focal length, from now on."""
        fov = scene.photo_fov
        edges = (
            math.atan(ZOOM * math.tan(edge)) for edge in (fov.left, fov.right, fov.up, fov.down)
        )
        self._fov = Fov(*edges)
        self._focus_m = scene.focus_m

    def __call__(self, time_s: float) -> View:
        """The view at that time."""
        angle = 2 * math.pi * time_s / ROUND_S
        # Photo axes: x right, y down, z forward.
        eye = self._focus_m * np.array(
            [
                REACH * math.sin(angle),
                DIP * math.sin(2 * angle),
                APPROACH * (1 - math.cos(angle)) / 2,
            ]
        )
        flat = view_from_eye(Pose(), self._fov, *self.size)
        camera_from_photo = look_at(eye, np.array([0.0, 0.0, self._focus_m]))
        return View(camera_from_photo, flat.fx, flat.fy, flat.cx, flat.cy, *self.size)


def _extent(low: float, high: float) -> float:
    return math.tan(high) - math.tan(low)
