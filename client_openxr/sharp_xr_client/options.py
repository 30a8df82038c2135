"""What a run of the client is told on its command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import tyro

from sharp_xr_client.motion import MotionName
from sharp_xr_client.problem import ClientError
from sharp_xr_client.quality import Wish
from sharp_xr_protocol.messages import Display

Flag = tyro.conf.FlagCreatePairsOff[bool]


@dataclass(frozen=True)
class Options:
    """See a photo as a place: the client of a sharp-xr server."""

    server: tyro.conf.Positional[str | None] = None
    """Address: ws://host:port/session, the page's http://host:port/?token=..., or host:port; with
    wss and https over TLS. What the server's QR code says is one too: https://host:port/?pair=...
    Without any: a server of this network, the one that knows the code of --pair, or was paired
    with before."""
    token: str | None = None
    """What the server printed, if it listens on a network."""
    fingerprint: Annotated[str | None, tyro.conf.arg(metavar="SHA256")] = None
    """Of the server's certificate, as it printed it: trust this one and no other. Without it an
    authority must vouch for the server."""
    pair: Annotated[str | None, tyro.conf.arg(metavar="CODE")] = None
    """The short code that the server shows, in place of its token and fingerprint. It is good once;
    what it gave is remembered, so that next time the address is enough."""
    simulate: Flag = False
    """Move a scripted head instead of a headset, and report. Nothing of OpenXR is needed."""
    room: Flag = False
    """See the room around the photo, where the headset can show it."""
    panel: Flag = False
    """Show figures in the headset: rates, stage times, the age of poses, decoding errors."""
    motion: MotionName = "mixed"
    """What the scripted head does."""
    replay: Annotated[Path | None, tyro.conf.arg(metavar="FILE.jsonl")] = None
    """With --simulate: send the poses that --record-poses wrote, as they were, in place of a
    scripted head's."""
    seconds: float | None = None
    """How long to watch, from the first frame on; without it --simulate 10 s, or to the end of
    what is replayed; a headset until the person leaves."""
    hz: float | None = None
    """Refresh rate; poses are sent at it. Of the simulated display (60 without it); of a headset,
    where it lets programs choose, the nearest that it has."""
    eye_size: int | None = None
    """Pixels wanted per eye: of a headset's longer side at most (the runtime's own size without
    it), of --simulate each way (512); the server may give fewer."""
    quality: Wish = "auto"
    """Where server or network cannot do everything: more pixels (sharper), more frames (smoother),
    some of both (auto), or the whole size whatever it costs (full)."""
    scene: str | None = None
    """Id or name of the scene to see; the newest without it."""
    warp: Flag = False
    """With --simulate: ask for depth and a margin, and show each frame from where the head is by
    the time of its display, as a headset does."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png")] = None
    """With --simulate: write what the display shows at the end, left eye left."""
    record: Annotated[Path | None, tyro.conf.arg(metavar="FILE.mp4")] = None
    """Write the stereo video as it came, left eye left. Not every player takes pictures that
    change their size: they keep it with --quality full."""
    record_poses: Annotated[Path | None, tyro.conf.arg(metavar="FILE.jsonl")] = None
    """Write each pose that was sent, with the number of its frame."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Write the report's figures."""

    def check(self) -> None:
        """Raises ClientError where a value makes no sense."""
        for name, value in (("seconds", self.seconds), ("hz", self.hz)):
            if value is not None and not 0 < value < 1e6:
                raise ClientError(f"--{name} {value:g}, wanted a positive number")
        try:
            self.simulated_display()
        except ValueError as error:
            raise ClientError(str(error)) from error
        if self.pair is not None and (self.token is not None or self.fingerprint is not None):
            raise ClientError("--pair gets the token and the fingerprint: leave those out")
        if self.server is None and (self.token is not None or self.fingerprint is not None):
            raise ClientError("--token and --fingerprint are of one server: give its address")
        if self.replay is not None and not self.simulate:
            raise ClientError("--replay moves a simulated head: it needs --simulate")
        if not self.simulate and (self.warp or self.picture is not None):
            name = "--warp" if self.warp else "--picture"
            raise ClientError(f"{name} is about a simulated display: it needs --simulate")
        for name, file in (
            ("--picture", self.picture),
            ("--record-poses", self.record_poses),
            ("--json", self.json),
        ):
            if file is not None and (fault := _fault_of(file)):
                raise ClientError(f"{name} {file}: {fault}")

    def simulated_display(self) -> Display:
        """Raises ValueError where the protocol knows no such display."""
        side = 512 if self.eye_size is None else self.eye_size
        return Display(side, side, 60.0 if self.hz is None else self.hz)


def _fault_of(file: Path) -> str | None:
    """Why it cannot be written, which nobody wants to hear after the session."""
    if file.is_dir():
        return "that is a folder, wanted a file's name"
    if not file.parent.is_dir():
        return f"there is no folder {file.parent}"
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        return "it must not be written"
    return None


def agent() -> str:
    """Name and version, for the server's log."""
    return f"sharp-xr-client {metadata.version('sharp-xr')}"
