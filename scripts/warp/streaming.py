"""A head that moves, and the frame that a client has of it: drawn, coded and decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.frame import VideoFrame

from sharp_xr.render import Frame, PreparedScene, Renderer
from sharp_xr.render.camera import view_from_eye
from sharp_xr.stream.colour import new_picture, planes, write_frame
from sharp_xr.stream.depth import NearPlane, layout_for, picture_size
from sharp_xr.stream.encoder import EncoderSettings, open_encoder
from sharp_xr.stream.overscan import SCALE, overscanned
from sharp_xr.stream.rate_settings import settings_for
from sharp_xr_client.snapshot import eye_image
from sharp_xr_client.warp import EyeImage
from sharp_xr_protocol.geometry import Fov, Pose, Vector3, Velocity, predict
from sharp_xr_protocol.messages import Eye, FrameHeader, Tracking

LAG_S = 0.08
"""From a frame's pose to its display."""
SPEED, TURN = 0.05 / LAG_S, math.radians(5) / LAG_S
"""5 cm and 5 degrees in that time: metres and radians per second."""
HZ = 60.0
FRAMES = 12
"""Of the stream, up to the one that is shown."""
IPD_M = 0.063

MOVES: dict[str, tuple[Vector3, Vector3]] = {
    "right, turning left": ((1, 0, 0), (0, 1, 0)),
    "right, turning right": ((1, 0, 0), (0, -1, 0)),
    "left, turning right": ((-1, 0, 0), (0, -1, 0)),
    "up, looking down": ((0, 1, 0), (-1, 0, 0)),
    "down, looking up": ((0, -1, 0), (1, 0, 0)),
    "nearer, tilting": ((0, 0, -1), (0, 0, 1)),
}
"""Where the head goes, and what it turns about."""


@dataclass(frozen=True)
class Display:
    """What a client has: square eyes."""

    size: int
    """Pixels."""
    degrees: float
    """Field of view."""

    @property
    def eyes(self) -> tuple[Eye, Eye]:
        fov = Fov.symmetric(math.radians(self.degrees), math.radians(self.degrees))
        return Eye(Pose((-IPD_M / 2, 0, 0)), fov), Eye(Pose((IPD_M / 2, 0, 0)), fov)

    @property
    def drawn_size(self) -> int:
        """Pixels of an eye of the stream, as ``session.video_for`` has them."""
        return round(self.size * SCALE) // 16 * 16


@dataclass(frozen=True)
class Shot:
    """A decoded frame of a head at the world's origin."""

    picture: VideoFrame
    header: FrameHeader

    def image(self, side: int) -> EyeImage:
        """One eye's."""
        return eye_image(self.picture, self.header, side)


def velocity(move: str) -> Velocity:
    way, turn = MOVES[move]
    x, y, z = way
    a, b, c = turn
    return Velocity((SPEED * x, SPEED * y, SPEED * z), (TURN * a, TURN * b, TURN * c))


def path(move: str, display: Display) -> Iterator[Tracking]:
    """The poses of the stream's frames; the last one is at the origin."""
    for number in range(FRAMES):
        head = predict(Pose(), velocity(move), (number - FRAMES + 1) / HZ)
        yield Tracking(number, number, head, display.eyes, velocity(move))


def later(move: str) -> Pose:
    """world_from_head when the last frame is shown."""
    return predict(Pose(), velocity(move), LAG_S)


def draw(
    renderer: Renderer, scene: PreparedScene, head: Pose, eyes: tuple[Eye, Eye], size: int
) -> Frame:
    return renderer.render(scene, [view_from_eye(head @ e.pose, e.fov, size, size) for e in eyes])


def settled_near(renderer: Renderer, scene: PreparedScene, display: Display) -> NearPlane:
    """As it is once a client has looked for a second."""
    near, layout = NearPlane(), layout_for(display.drawn_size, display.drawn_size, depth=True)
    picture = new_picture(*picture_size(layout))
    frame = draw(renderer, scene, Pose(), display.eyes, display.drawn_size)
    for _ in range(40):
        write_frame(frame, picture, layout, near.near_m)
        near.saw(planes(picture)[0][layout.eye_height :, : 2 * layout.depth_width])
    return near


def stream(renderer: Renderer, scene: PreparedScene, move: str, display: Display) -> Shot:
    """The last frame of the path, through x264 at the rate that a session begins with."""
    size = display.drawn_size
    layout = layout_for(size, size, depth=True)
    width, height = picture_size(layout)
    rates = settings_for(width, height, HZ)
    coder = Coder(width, height, rates.start_bps)
    near, picture = settled_near(renderer, scene, display), new_picture(width, height)
    for tracking in path(move, display):
        eyes, near_m = overscanned(tracking, near.near_m), near.near_m
        write_frame(draw(renderer, scene, tracking.head, eyes, size), picture, layout, near_m)
        near.saw(planes(picture)[0][layout.eye_height :, : 2 * layout.depth_width])
        coder.decode(coder.encode(picture))
    assert coder.decoded is not None
    return Shot(coder.decoded, FrameHeader(0, Pose(), eyes, "scene", layout, near_m))


class Coder:
    """x264 and a decoder, back to back."""

    def __init__(self, width: int, height: int, bits_per_second: int) -> None:
        self._encoder = open_encoder(
            EncoderSettings(width, height, HZ, 2 * bits_per_second), "x264"
        )
        self._encoder.bitrate = bits_per_second
        self._decoder = av.CodecContext.create("h264", "r")
        self._frames = 0
        self.decoded: VideoFrame | None = None
        """The newest."""

    def encode(self, picture: VideoFrame) -> bytes:
        return self._encoder.encode(picture, key_frame=self._frames == 0)

    def decode(self, unit: bytes) -> None:
        packet = av.Packet(unit)
        packet.pts, packet.time_base = self._frames, Fraction(1, round(HZ))
        self._frames += 1
        for decoded in self._decoder.decode(packet):
            self.decoded = decoded
