"""What was seen, as files: the stream as it came into an mp4, the poses into JSON lines.

Frames are stored as they were received, not encoded again: that costs no time that the stream needs
and loses nothing. Their times are the keys of their poses, so the film moves as the head did.
"""

from __future__ import annotations

import io
import json
import queue
import threading
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import msgspec
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from sharp_xr_client.jitter import AccessUnit
from sharp_xr_client.poses import key_difference
from sharp_xr_client.problem import ClientError
from sharp_xr_protocol.messages import CLOCK_HZ, Tracking

TIME_BASE = Fraction(1, CLOCK_HZ)


class Recorder:
    """Writes frames to a video file, in a thread of its own.

    Here a queue is right: a film wants every frame, and a disk is faster than any network.

    Raises:
        ClientError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self._path = path
        self._units: queue.SimpleQueue[AccessUnit | None] = queue.SimpleQueue()
        self._error: Exception | None = None
        try:
            self._container = av.open(str(path), "w")
            # FFmpeg makes the file with its first frame, which is late to learn that it cannot.
            path.open("wb").close()
        except ValueError as error:
            raise ClientError(f"cannot record to {path}: wanted a name such as out.mp4") from error
        except OSError as error:
            raise ClientError(f"cannot record to {path}: {error.strerror}") from error
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, unit: AccessUnit) -> None:
        """Store this frame; the first must be a key frame, each key newer than the last."""
        self._units.put(unit)

    def close(self) -> None:
        """Finish the file.

        Raises:
            ClientError: writing failed, or no frame came.
        """
        self._units.put(None)
        self._thread.join()
        if self._error is not None:
            raise ClientError(f"recording to {self._path} failed: {self._error}") from self._error
        if not self.frames:
            self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            self._write()
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            self._error = error

    def _write(self) -> None:
        unit = self._units.get()
        if unit is None:
            return
        stream = _video_stream(self._container, unit.data)
        last_key, time = unit.key, 0
        while unit is not None:
            time += key_difference(unit.key, last_key)
            last_key = unit.key
            self._container.mux(_packet(unit, time, stream))
            self.frames += 1
            unit = self._units.get()


def _video_stream(container: OutputContainer, keyframe: bytes) -> VideoStream:
    """A stream with the size and the parameter sets of this H.264 key frame."""
    with av.open(io.BytesIO(keyframe), format="h264") as sample:
        stream = container.add_stream_from_template(sample.streams.video[0])
    stream.time_base = TIME_BASE
    return stream


def _packet(unit: AccessUnit, time: int, stream: VideoStream) -> av.Packet[Stream]:
    packet = av.Packet(unit.data)
    packet.pts = packet.dts = time
    packet.time_base = TIME_BASE
    packet.is_keyframe = unit.keyframe
    packet.stream = stream
    return packet


def write_poses(path: Path, poses: Iterable[Tracking], frame_of_key: dict[int, int]) -> None:
    """One JSON line per pose in the order of sending; ``frame`` is its frame's number, or null.

    Raises:
        ClientError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8") as file:
            for pose in poses:
                file.write(json.dumps(_pose_line(pose, frame_of_key.get(pose.key))) + "\n")
    except OSError as error:
        raise ClientError(f"cannot write poses to {path}: {error.strerror}") from error


def _pose_line(pose: Tracking, frame: int | None) -> dict[str, object]:
    """What ``replay`` needs to send it again, and its frame."""
    return {
        "frame": frame,
        "key": pose.key,
        "time_ns": pose.time_ns,
        "position": pose.head.position,
        "orientation": pose.head.orientation,
        "linear": pose.velocity.linear,
        "angular": pose.velocity.angular,
        "eyes": msgspec.to_builtins(pose.eyes),
    }
