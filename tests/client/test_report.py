"""The figures of a session, from a log that is made up."""

import dataclasses

import pytest

from sharp_xr_client.counts import Counts
from sharp_xr_client.report import Seen, SessionLog, figures, table
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import FrameHeader, FrameTimes, Layout, Tracking

MS = 1_000_000


def a_session() -> SessionLog:
    """Five poses 20 ms apart; their frames take 10, 10, 10, 30 ms; the fourth pose gets none."""
    log = SessionLog(started_ns=0, round_trip_ms=1.5)
    for number in range(5):
        sent_ns = (1000 + 20 * number) * MS
        pose = Tracking(1800 * number, sent_ns, Pose((0.01 * number, 0.0, 0.0)), eyes())
        log.poses.append(pose)
        if number == 3:
            continue
        took_ms = 30 if number == 4 else 10
        log.frames.append(
            Seen(pose.key, sent_ns, sent_ns + took_ms * MS, 1000, 1024, 512, pose.key)
        )
        times = FrameTimes(1.0, 2.0, 3.0 + number)
        log.headers[pose.key] = FrameHeader(
            pose.key, pose.head, pose.eyes, "scene", Layout(512, 512), times=times
        )
    log.shown = log.frames[1:]
    log.counts = Counts(received=40, missing=3, repaired=2, lost=1, nacks=4, plis=1)
    return log


def test_frames_and_rates_are_counted_between_the_first_and_the_last_frame() -> None:
    found = figures(a_session())
    assert found["frames_decoded"] == 4
    assert found["frames_shown"] == 3
    assert found["poses_sent"] == 5
    assert found["seconds"] == pytest.approx(0.1)
    assert found["stream_fps"] == pytest.approx(30.0)
    assert found["bitrate_mbps"] == pytest.approx(3000 * 8 / 0.1 / 1e6)
    assert found["longest_gap_ms"] == pytest.approx(60.0)
    assert found["connect_to_first_frame_s"] == pytest.approx(1.01)
    assert (found["eye_width"], found["eye_height"]) == (512, 512)


def test_the_size_is_that_of_the_colour_at_the_end_and_its_changes_are_counted() -> None:
    log = a_session()
    for number in (1, 2):
        log.frames[number] = dataclasses.replace(log.frames[number], width=896, height=672)
    last = log.frames[-1]
    log.headers[last.key] = FrameHeader(
        last.key, Pose(), log.poses[0].eyes, "scene", Layout(512, 340, 256, 172)
    )
    found = figures(log)
    assert (found["eye_width"], found["eye_height"], found["resizes"]) == (512, 340, 2)


def test_latency_is_from_the_pose_to_its_own_frame() -> None:
    found = figures(a_session())
    assert found["pose_to_decoded_median_ms"] == pytest.approx(10.0)
    assert found["pose_to_decoded_p95_ms"] == pytest.approx(27.0)
    assert found["pose_to_decoded_max_ms"] == pytest.approx(30.0)


def test_all_frames_of_a_sound_session_are_matched_and_no_carrier_disagrees() -> None:
    found = figures(a_session())
    assert found["matched_share"] == 1.0
    assert found["sei_frames"] == found["header_frames"] == 4
    assert found["sei_disagreements"] == found["header_disagreements"] == 0


def test_a_frame_without_a_pose_lowers_the_matched_share() -> None:
    log = a_session()
    log.shown.append(Seen(77, None, 2000 * MS, 1000, 1024, 512))
    assert figures(log)["matched_share"] == pytest.approx(3 / 4)


def test_a_carrier_that_disagrees_is_counted() -> None:
    log = a_session()
    first = log.frames[0]
    log.frames[0] = Seen(first.key, first.sent_ns, first.decoded_ns, 1000, 1024, 512, sei_key=1)
    header = log.headers[1800]
    moved = Pose((0.0, 0.0, 0.001))
    log.headers[1800] = FrameHeader(header.key, moved, header.eyes, header.scene, header.layout)
    found = figures(log)
    assert found["sei_disagreements"] == 1
    assert found["header_disagreements"] == 1


def test_what_network_and_server_did_is_in_the_report() -> None:
    found = figures(a_session())
    assert found["packets_lost"] == 1
    assert (found["nacks"], found["plis"]) == (4, 1)
    assert found["server_render_ms"] == 2.0
    assert found["server_encode_ms"] == 4.5
    assert found["round_trip_ms"] == 1.5


def test_the_table_says_the_same() -> None:
    text = table(figures(a_session()))
    assert "4 decoded, 3 shown, 30.0 per second, 512 x 512 per eye" in text
    assert "3 of 3 shown frames with their pose (100.0%)" in text
    assert "3 missing, 2 repaired, 1 lost; 4 NACKs, 1 PLIs" in text


def test_a_session_without_frames_has_no_rates() -> None:
    log = SessionLog(started_ns=0)
    found = figures(log)
    assert found["frames_decoded"] == 0
    assert "stream_fps" not in found
    assert "matched_share" not in found
    assert "decoded" not in table(found)


def test_a_long_session_forgets_the_oldest_and_a_recorded_one_nothing() -> None:
    log = a_session()
    before = (len(log.poses), len(log.frames), len(log.shown), len(log.headers))
    log.trim()
    assert (len(log.poses), len(log.frames), len(log.shown), len(log.headers)) == before
    newest = (log.poses[-2:], log.frames[-2:], log.shown[-2:], list(log.headers)[-2:])
    log.kept = 2
    log.trim()
    assert (log.poses, log.frames, log.shown, list(log.headers)) == newest
    assert figures(log)["matched_share"] == 1.0
    assert "connect_to_first_frame_s" not in figures(log), "its first frame is forgotten"
