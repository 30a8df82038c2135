"""Writes ``golden.json``: one or two examples of each message, as values and as bytes on the wire.

Run ``python tests/protocol/write_golden.py`` when a message has changed on purpose, and read the
difference: what it shows is what older clients will stumble over.
"""

import json
import math
from pathlib import Path

import msgspec

from sharp_xr_protocol.codec import encode
from sharp_xr_protocol.geometry import Fov, Pose, Velocity
from sharp_xr_protocol.messages import (
    Answer,
    Bye,
    Candidate,
    Display,
    DisplayTimes,
    Eye,
    FrameHeader,
    FrameTimes,
    FromClient,
    FromServer,
    Hello,
    IceRestart,
    Layout,
    Offer,
    Ping,
    Pong,
    Problem,
    Progress,
    QualityChoice,
    Report,
    Scene,
    SceneList,
    SceneReady,
    SceneSelect,
    StreamQuality,
    Tracking,
    Video,
    Welcome,
)

HEAD = Pose((0.1, -0.25, 0.5), (0.0, math.sin(0.1), 0.0, math.cos(0.1)))
EYES = (
    Eye(Pose((-0.0315, 0.0, 0.0)), Fov(-0.9, 0.7, 0.8, -0.85)),
    Eye(Pose((0.0315, 0.0, 0.0)), Fov(-0.7, 0.9, 0.8, -0.85)),
)
SCENE = Scene(
    id="5f1c",
    name="Küche 🍲",
    created=1795000000.5,
    gaussians=295_000,
    model="lite",
    photo_fov=Fov.symmetric(1.0, 0.75),
    focus_m=1.75,
)
BOTH: dict[str, Offer | Answer | Candidate | IceRestart | Ping | Pong | Bye] = {
    "offer": Offer("v=0\r\n"),
    "answer": Answer("v=0\r\n"),
    "candidate": Candidate("candidate:1 1 udp 1 127.0.0.1 9 typ host", "0", 0),
    "last candidate": Candidate(""),
    "ice restart": IceRestart(),
    "ping": Ping(1 << 52),
    "pong": Pong(1 << 52, 1 << 51),
    "bye": Bye("See you."),
}
FROM_CLIENT: dict[str, FromClient] = {
    "hello": Hello("golden 1.0", "simulated", Display(512, 480, 72.5), capabilities=["depth"]),
    "tracking": Tracking(4294967295, 123456789012345, HEAD, EYES, Velocity((0.5, 0.0, -1.0)), 7),
    "first tracking": Tracking(0, 0, Pose(), EYES),
    "scene select": SceneSelect("5f1c"),
    "quality choice": QualityChoice("smoother"),
    "report": Report(90, 8.25, 16.5),
    "report of a frame not shown": Report(180, 8.25),
    "display times": DisplayTimes(72.0, 30.0, 41.5, 34.25, 9.0, 0.25, 0.75, 0.5, 0.125, 2),
    **BOTH,
}
FROM_SERVER: dict[str, FromServer] = {
    "welcome": Welcome("sharp-xr 0.1", "s1", "cpu (2 threads)", "lite", Video(512, 480, 60.0)),
    "scene list": SceneList([SCENE]),
    "empty scene list": SceneList([]),
    "scene ready": SceneReady(SCENE),
    "progress": Progress("job-1", "predict", 0.5),
    "failure": Progress("job-1", "failed", 0.25, "The file is a text, wanted a photo."),
    "frame header": FrameHeader(
        90, HEAD, EYES, "5f1c", Layout(512, 480), times=FrameTimes(0.25, 31.5, 4.0, 1.5, 4294967295)
    ),
    "frame header with depth": FrameHeader(
        180, HEAD, EYES, "5f1c", Layout(512, 480, 256, 240), near_m=0.75
    ),
    "stream quality": StreamQuality("sharper", 448, 416, 30.0, 0.5, 1_750_000, "link"),
    "problem": Problem("There is no scene 'x'."),
    **BOTH,
}


def main() -> None:
    vectors = [
        {
            "name": name,
            "direction": direction,
            "hex": encode(message).hex(),
            "message": msgspec.to_builtins(message),
        }
        for direction, messages in (("from_client", FROM_CLIENT), ("from_server", FROM_SERVER))
        for name, message in messages.items()
    ]
    text = json.dumps(vectors, indent=1, ensure_ascii=False)
    Path(__file__).with_name("golden.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
