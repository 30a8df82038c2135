"""Every message of the wire, grouped by direction, one union for each.

One msgpack map is one WebSocket message; its ``type`` names the class below. A session goes

    client  Hello                                        what I am and show
    server  Welcome, SceneList                           what I am and have
    client  Offer                                        WebRTC, one receive-only video
    server  Answer
    client  Tracking, Tracking, ...    SceneSelect       at the display's rate
    server  FrameHeader, ...           SceneReady        one before each frame's video
    client  QualityChoice              sharper or smoother, where not everything can be had
    server  StreamQuality              what it came to
    both    Ping / Pong, Candidate, IceRestart, Bye

To add a message: write its class, put it into its union, raise :data:`VERSION`; then mypy shows
each ``match`` that must learn it, and the golden vectors (``tests/protocol/golden.json``) want an
example.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sharp_xr_protocol.geometry import Fov, Pose, Velocity

VERSION = 2
"""Version of the wire. Peers with unequal versions refuse each other with a sentence."""

CLOCK_HZ = 90_000
"""Rate of the frame key: the RTP clock of video (RFC 3551 section 5)."""

UInt32 = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
"""A frame key; compare two of them modulo 2**32 (they wrap after 13 hours)."""

QualityGoal = Literal["auto", "sharper", "smoother"]
"""Which way to lean where a machine or a link cannot do everything: more pixels, or more frames."""

QualityLimit = Literal["display", "machine", "client", "link"]
"""What keeps a stream from being better: nothing but the display's own size and rate, the server's
machine, the client's, or the way between them."""

MAX_DISTANCE_M = 1e6
"""A head or an eye further away is refused; poses within it stay finite when they are composed."""


# --- parts of messages -------------------------------------------------------------------------


class Eye(msgspec.Struct, frozen=True):
    """One eye of the viewer. Left comes before right wherever there are two."""

    pose: Pose
    """head_from_eye."""
    fov: Fov


class Display(msgspec.Struct, frozen=True):
    """What the client shows the stream on."""

    eye_width: int
    """Pixels wanted per eye."""
    eye_height: int
    refresh_hz: float

    def __post_init__(self) -> None:
        if not (16 <= self.eye_width <= 8192 and 16 <= self.eye_height <= 8192):
            raise ValueError(
                f"a display of {self.eye_width} x {self.eye_height} px per eye, "
                "wanted 16 to 8192 each way"
            )
        if not 1.0 <= self.refresh_hz <= 1000.0:
            raise ValueError(f"a refresh rate of {self.refresh_hz} Hz, wanted 1 to 1000")


class Video(msgspec.Struct, frozen=True):
    """The stream that the server sends: one H.264 track, left eye beside right eye."""

    eye_width: int
    eye_height: int
    max_hz: float
    """Frames per second at most; fewer come where drawing takes longer."""
    layout: Literal["side-by-side"] = "side-by-side"


class Layout(msgspec.Struct, frozen=True):
    """Where things are in a frame's picture, in pixels.

    ::

        +-----------+-----------+
        | left      | right     |  eye_height    colour
        +-----+-----+-----------+
        | l   | r   |           |  depth_height  codes of depth, where there are any
        +-----+-----+-----------+
        2 eye_width wide; each map of depth is depth_width wide and sees what its eye sees
    """

    eye_width: int
    eye_height: int
    depth_width: int = 0
    depth_height: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.eye_width <= 8192 and 0 < self.eye_height <= 8192):
            raise ValueError(f"a picture of {self.eye_width} x {self.eye_height} px per eye")
        if not (0 <= self.depth_width <= self.eye_width and 0 <= self.depth_height <= 8192):
            raise ValueError(
                f"a map of depth of {self.depth_width} x {self.depth_height} px "
                f"beside eyes of {self.eye_width} px, wanted at most as wide"
            )


class Scene(msgspec.Struct, frozen=True):
    """A scene of the gallery."""

    id: str
    name: str
    created: float
    """Seconds since 1970, UTC."""
    gaussians: int
    """How many."""
    model: str
    """Name of the predictor that made it, or "ply" for an uploaded scene."""
    photo_fov: Fov
    """What the photo saw from the world's origin."""
    focus_m: float
    """A distance worth turning around: metres to the near middle of the scene."""


class FrameTimes(msgspec.Struct, frozen=True):
    """Where the server's time went, milliseconds."""

    pose_wait_ms: float = 0.0
    """Arrival of the pose until drawing began."""
    render_ms: float = 0.0
    """Drawing, and conversion to the encoder's colours."""
    encode_ms: float = 0.0
    """Of an earlier frame, ``encoded``: this header is sent before its own frame is encoded."""
    encode_wait_ms: float = 0.0
    """Drawn until handed to the encoder, which may have been busy with the frame before."""
    encoded: UInt32 | None = None
    """Key of the last frame that was encoded; None before the first."""


# --- both directions ---------------------------------------------------------------------------


class Offer(msgspec.Struct, tag="offer", frozen=True):
    """An SDP offer (RFC 8829)."""

    sdp: str


class Answer(msgspec.Struct, tag="answer", frozen=True):
    """An SDP answer (RFC 8829)."""

    sdp: str


class Candidate(msgspec.Struct, tag="candidate", frozen=True):
    """A trickled ICE candidate (RFC 8838), the fields of ``RTCIceCandidateInit``."""

    candidate: str
    """Empty: no more will come."""
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None


class IceRestart(msgspec.Struct, tag="ice_restart", frozen=True):
    """The connection is lost: please send a new offer."""


class Ping(msgspec.Struct, tag="ping", frozen=True):
    """Asks for a Pong, to measure round trip and clock offset."""

    sent_ns: int
    """The sender's monotonic clock."""


class Pong(msgspec.Struct, tag="pong", frozen=True):
    """Answers a Ping."""

    sent_ns: int
    """As in the Ping."""
    clock_ns: int
    """The answerer's monotonic clock."""


class Bye(msgspec.Struct, tag="bye", frozen=True):
    """The last message; the socket closes after it."""

    reason: str
    """One sentence for a person."""


# --- client to server --------------------------------------------------------------------------


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """The first message."""

    agent: str
    """Name and version of the client, for the log."""
    kind: Literal["browser", "headset", "simulated"]
    display: Display
    version: int = VERSION
    capabilities: list[str] = []
    """Optional behaviour that the client has; unknown names are ignored. "depth": wants depth in
    the picture; "overscan": warps, and wants a margin around what it asks for; "quality": takes
    pictures whose size changes, and StreamQuality; without it all frames have the size of the
    Welcome's ``video``."""


class Tracking(msgspec.Struct, tag="tracking", frozen=True):
    """Where the viewer will be when the frame drawn for it is shown; sent at the display's rate."""

    key: UInt32
    """The client's 90 kHz clock modulo 2**32, strictly rising: the frame's RTP timestamp to be."""
    time_ns: int
    """The client's monotonic clock when this was sent."""
    head: Pose
    """world_from_head. The world's origin is the photo's camera, which looks along -z."""
    eyes: tuple[Eye, Eye]
    velocity: Velocity = Velocity()
    """Of the head."""
    ack: UInt32 | None = None
    """Key of the newest frame that was decoded; None before the first."""

    def __post_init__(self) -> None:
        for pose in (self.head, self.eyes[0].pose, self.eyes[1].pose):
            if not all(abs(metres) <= MAX_DISTANCE_M for metres in pose.position):
                raise ValueError(f"a head or an eye is at {pose.position} m, wanted within 1000 km")


class SceneSelect(msgspec.Struct, tag="scene_select", frozen=True):
    """Show this scene."""

    scene: str
    """Its id."""


class Report(msgspec.Struct, tag="report", frozen=True):
    """What became of one frame, in milliseconds since its Tracking was sent."""

    key: UInt32
    decoded_ms: float
    shown_ms: float | None = None


class QualityChoice(msgspec.Struct, tag="quality_choice", frozen=True):
    """The viewer's choice, from here on; "auto" until one comes. Only to a server that has the
    capability "quality"."""

    goal: QualityGoal


class DisplayTimes(msgspec.Struct, tag="display_times", frozen=True):
    """How a display's loop goes: rates since the last of these, medians of its stages.

    Only to a server that has the capability "display_times".
    """

    frames_hz: float
    """Pictures that the display asked for."""
    fresh_hz: float
    """Of these, with a frame that was not shown before."""
    reused_hz: float
    """With one that was: none newer had come."""
    pose_age_ms: float
    """From sending a pose until its frame is submitted."""
    wait_ms: float
    """For the runtime."""
    locate_ms: float
    upload_ms: float
    paint_ms: float
    """Both eyes warped."""
    end_ms: float
    """Submitting."""
    undecodable: UInt32
    """Frames that could not be decoded, since the session began."""


# --- server to client --------------------------------------------------------------------------


class Welcome(msgspec.Struct, tag="welcome", frozen=True):
    """Answers Hello."""

    server: str
    """Name and version."""
    session: str
    renderer: str
    """What draws, for a person: "cpu (AVX-512, 2 threads)"."""
    model: str
    """Name of the predictor that new photos go through."""
    video: Video
    version: int = VERSION
    capabilities: list[str] = []
    """Optional behaviour that the server has; unknown names are ignored. "quality": QualityChoice
    moves it; "display_times": wants DisplayTimes."""


class SceneList(msgspec.Struct, tag="scene_list", frozen=True):
    """The gallery, newest first; sent again whenever it changes."""

    scenes: list[Scene]


class SceneReady(msgspec.Struct, tag="scene_ready", frozen=True):
    """Frames from here on show this scene."""

    scene: Scene


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """How far a photo is on its way to a scene."""

    job: str
    """Id of the upload."""
    stage: Literal["decode", "predict", "store", "done", "failed"]
    fraction: float
    """Of the whole way, 0 to 1."""
    message: str = ""
    """For a person, by stage.

    "decode": what the photo waits for, or nothing. "predict": where the model is, or nothing, as
    "tile 12 of 35". "store": the scene's id; from here on it is in the SceneList and can be shown,
    though it may still be lost. "done": the scene's id; it is kept. "failed": one sentence that
    says why; it begins with "cancelled" where somebody wished it.
    """


class FrameHeader(msgspec.Struct, tag="frame_header", frozen=True):
    """What the key cannot say about a frame. Sent before it; a frame is showable without."""

    key: UInt32
    """The frame's RTP timestamp = the key of the Tracking that it is drawn for."""
    head: Pose
    """world_from_head that it is drawn for."""
    eyes: tuple[Eye, Eye]
    """As drawn: the fields of view are wider than asked for where the client has "overscan"."""
    scene: str
    layout: Layout
    """The picture's size may change from frame to frame, beginning with a key frame; never beyond
    the Welcome's ``video``."""
    near_m: float = 0.0
    """Depth is coded in luma, c = (Y - 16) / 219 in limited range: metres along the eye's axis are
    ``near_m / c``; c = 0 is nothing, or far away. 0: the frame has no depth."""
    times: FrameTimes = FrameTimes()


class StreamQuality(msgspec.Struct, tag="stream_quality", frozen=True):
    """What is streamed from here on, and why not more. Only to clients with "quality"."""

    goal: QualityGoal
    eye_width: int
    eye_height: int
    max_hz: float
    """Frames per second at most."""
    detail: float
    """Share of the scene's Gaussians that is drawn while the head moves."""
    bitrate_bps: int
    """At most."""
    limit: QualityLimit


class Problem(msgspec.Struct, tag="problem", frozen=True):
    """A request could not be met; the session goes on."""

    message: str
    """One sentence for a person."""


FromClient = (
    Hello
    | Offer
    | Answer
    | Candidate
    | IceRestart
    | Tracking
    | SceneSelect
    | QualityChoice
    | Report
    | DisplayTimes
    | Ping
    | Pong
    | Bye
)
FromServer = (
    Welcome
    | Offer
    | Answer
    | Candidate
    | IceRestart
    | SceneList
    | SceneReady
    | Progress
    | FrameHeader
    | StreamQuality
    | Problem
    | Ping
    | Pong
    | Bye
)
