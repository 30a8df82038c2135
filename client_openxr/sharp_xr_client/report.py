"""What a session was like, as flat figures: computed from a log, printed as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sharp_xr_client import displayed
from sharp_xr_client.counts import Counts
from sharp_xr_client.displayed import Displayed
from sharp_xr_protocol.messages import FrameHeader, Tracking

Figures = dict[str, float]
"""Name to number; a figure that was not measured has no name here."""

SAME = 1e-6
"""Metres and quaternion parts within which a header repeats the pose of its frame."""


@dataclass(frozen=True)
class Seen:
    """One decoded frame."""

    key: int
    sent_ns: int | None
    """When its pose was sent; None if no pose that was sent has its key."""
    decoded_ns: int
    size_bytes: int
    width: int
    """Pixels, both eyes."""
    height: int
    sei_key: int | None = None


@dataclass
class SessionLog:
    """Everything that a report is made of. Times are of one monotonic clock."""

    started_ns: int
    """When connecting began."""
    poses: list[Tracking] = field(default_factory=list)
    frames: list[Seen] = field(default_factory=list)
    """Decoded, in order."""
    shown: list[Seen] = field(default_factory=list)
    """Of those, the ones that were the newest when the display wanted one."""
    headers: dict[int, FrameHeader] = field(default_factory=dict)
    """By key."""
    problems: list[str] = field(default_factory=list)
    """What the server complained of."""
    counts: Counts = field(default_factory=Counts)
    round_trip_ms: float | None = None
    displayed: list[Displayed] = field(default_factory=list)
    """Each tick of a simulated display, from its first picture on."""
    display: Figures = field(default_factory=dict)
    """What a headset's loop says of itself."""
    kept: int | None = None
    """How much of each list :meth:`trim` leaves; None: all. Figures are of what is left."""
    has_forgotten: bool = False
    """The first frame is not the session's first any more."""

    def trim(self) -> None:
        """Forget the oldest; called now and then, so that hours do not fill the memory."""
        if self.kept is None:
            return
        self.has_forgotten = self.has_forgotten or len(self.frames) > self.kept
        for items in (self.poses, self.frames, self.shown):
            # One step under the interpreter's lock: other threads append meanwhile.
            del items[: max(len(items) - self.kept, 0)]
        for key in list(self.headers)[: -self.kept]:
            del self.headers[key]


def figures(log: SessionLog) -> Figures:
    """The report of a session."""
    return {
        **_frames(log),
        **_latency(log),
        **_carriers(log),
        **_network(log),
        **_server(log),
        **displayed.figures(log.displayed),
        **log.display,
    }


def _frames(log: SessionLog) -> Figures:
    matched = sum(frame.sent_ns is not None for frame in log.shown)
    found: Figures = {
        "poses_sent": len(log.poses),
        "frames_decoded": len(log.frames),
        "frames_shown": len(log.shown),
        "frames_matched": matched,
    }
    if log.shown:
        found["matched_share"] = matched / len(log.shown)
    if log.frames:
        first, last = log.frames[0], log.frames[-1]
        header = log.headers.get(last.key)
        eye_height = header.layout.eye_height if header else last.height
        found["eye_width"], found["eye_height"] = last.width // 2, eye_height
        found["resizes"] = sum(
            (a.width, a.height) != (b.width, b.height)
            for a, b in zip(log.frames, log.frames[1:], strict=False)
        )
        if not log.has_forgotten:
            found["connect_to_first_frame_s"] = (first.decoded_ns - log.started_ns) / 1e9
        seconds = (last.decoded_ns - first.decoded_ns) / 1e9
        if seconds > 0:
            found["seconds"] = seconds
            found["stream_fps"] = (len(log.frames) - 1) / seconds
            coded = sum(frame.size_bytes for frame in log.frames[1:])
            found["bitrate_mbps"] = coded * 8 / seconds / 1e6
    return found


def _latency(log: SessionLog) -> Figures:
    times = [frame.decoded_ns for frame in log.frames]
    gaps_ms = [(b - a) / 1e6 for a, b in zip(times, times[1:], strict=False)]
    latencies_ms = [
        (frame.decoded_ns - frame.sent_ns) / 1e6
        for frame in log.frames
        if frame.sent_ns is not None
    ]
    found = _percentiles("pose_to_decoded", latencies_ms)
    if gaps_ms:
        found["longest_gap_ms"] = max(gaps_ms)
    return found


def _carriers(log: SessionLog) -> Figures:
    """Whether what else says which pose a frame is of (SEI, headers) says the same."""
    with_sei = [frame for frame in log.frames if frame.sei_key is not None]
    sent = {pose.key: pose for pose in log.poses}
    headers = [log.headers[frame.key] for frame in log.frames if frame.key in log.headers]
    return {
        "sei_frames": len(with_sei),
        "sei_disagreements": sum(frame.sei_key != frame.key for frame in with_sei),
        "header_frames": len(headers),
        "header_disagreements": sum(not _repeats(header, sent) for header in headers),
    }


def _repeats(header: FrameHeader, sent: dict[int, Tracking]) -> bool:
    pose = sent.get(header.key)
    if pose is None:
        return False
    drawn = (*header.head.position, *header.head.orientation)
    asked = (*pose.head.position, *pose.head.orientation)
    return all(abs(a - b) <= SAME for a, b in zip(drawn, asked, strict=True))


def _network(log: SessionLog) -> Figures:
    counts = log.counts
    found: Figures = {
        "packets_received": counts.received,
        "packets_missing": counts.missing,
        "packets_repaired": counts.repaired,
        "packets_lost": counts.lost,
        "nacks": counts.nacks,
        "plis": counts.plis,
        "undecodable_frames": counts.undecodable_frames,
    }
    if log.round_trip_ms is not None:
        found["round_trip_ms"] = log.round_trip_ms
    return found


def _server(log: SessionLog) -> Figures:
    """Where the server's time went, by its own words."""
    times = [header.times for header in log.headers.values()]
    found: Figures = {}
    if times:
        found["server_pose_wait_ms"] = float(np.median([t.pose_wait_ms for t in times]))
        found["server_render_ms"] = float(np.median([t.render_ms for t in times]))
        found["server_encode_ms"] = float(np.median([t.encode_ms for t in times]))
    return found


def _percentiles(name: str, values_ms: Sequence[float]) -> Figures:
    if not values_ms:
        return {}
    return {
        f"{name}_median_ms": float(np.percentile(values_ms, 50)),
        f"{name}_p95_ms": float(np.percentile(values_ms, 95)),
        f"{name}_max_ms": max(values_ms),
    }


ROWS = {
    "frames": "{frames_decoded:.0f} decoded, {frames_shown:.0f} shown, {stream_fps:.1f} per "
    "second, {eye_width:.0f} x {eye_height:.0f} per eye",
    "changes of size": "{resizes:.0f}",
    "matched": "{frames_matched:.0f} of {frames_shown:.0f} shown frames with their pose "
    "({matched_share:.1%})",
    "carriers": "headers of {header_frames:.0f} frames, {header_disagreements:.0f} disagree; "
    "SEI of {sei_frames:.0f}, {sei_disagreements:.0f} disagree",
    "pose to decoded": "median {pose_to_decoded_median_ms:.1f} ms, "
    "p95 {pose_to_decoded_p95_ms:.1f}, max {pose_to_decoded_max_ms:.1f}",
    "longest gap": "{longest_gap_ms:.0f} ms",
    "first frame": "{connect_to_first_frame_s:.2f} s after connecting",
    "video": "{bitrate_mbps:.1f} Mbit/s, {packets_received:.0f} packets",
    "losses": "{packets_missing:.0f} missing, {packets_repaired:.0f} repaired, {packets_lost:.0f} "
    "lost; {nacks:.0f} NACKs, {plis:.0f} PLIs, {undecodable_frames:.0f} frames undecodable",
    "server": "pose wait {server_pose_wait_ms:.1f} ms, render {server_render_ms:.1f}, "
    "encode {server_encode_ms:.1f} (medians)",
    "display": "{display_fresh:.0f} new pictures, {display_reused:.0f} shown again, "
    "{display_hidden:.0f} hidden; pose {pose_age_ms:.0f} ms old",
    "display loop": "wait {wait_ms:.1f} ms, locate {locate_ms:.1f}, upload {upload_ms:.1f}, "
    "paint {paint_ms:.1f}, end {end_ms:.1f} (medians)",
    "head": "moved since its picture was drawn by {head_moved_median_mm:.1f} mm, "
    "{head_moved_median_deg:.2f} degrees (p95 {head_moved_p95_mm:.1f}, {head_moved_p95_deg:.2f})",
    "shown": "{shown_off_median_mm:.1f} mm, {shown_off_median_deg:.2f} degrees from the head "
    "(p95 {shown_off_p95_mm:.1f}, {shown_off_p95_deg:.2f}); "
    "{uncovered_share_max:.1%} of the display empty at worst",
    "poses": "{poses_sent:.0f} sent, round trip {round_trip_ms:.1f} ms",
}


def table(found: Figures) -> str:
    """The report for a person; rows of which a figure was not measured are left out."""
    lines = []
    for name, row in ROWS.items():
        try:
            lines.append(f"{name:>16}  {row.format_map(found)}")
        except KeyError:
            continue
    return "\n".join(lines)
