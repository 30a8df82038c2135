"""The client on a simulated headset that shows nothing: states, poses, faults."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scripts.openxr import faults
from scripts.openxr.faults import streams
from scripts.openxr.monado import Monado
from scripts.openxr.stand import Stand
from scripts.openxr.wearer import Wearer
from tests.client.openxr.conftest import STANDING

from sharp_xr_protocol.geometry import Pose, from_rotation_vector

pytestmark = [pytest.mark.monado, pytest.mark.timeout(240)]

Wear = Callable[..., Wearer]


def test_it_is_focused_streams_and_leaves_on_ctrl_c(
    null_monado: Monado, stand: Stand, wear: Wear
) -> None:
    client = wear(null_monado, code="import sharp_xr_client.timing as t; t.TELL_S = 0.5")
    client.until(lambda: len(stand.reports) > 5, "reports of frames that were shown")
    client.until(lambda: len(stand.times) > 1, "what the display's stages take")
    assert stand.times[-1].frames_hz > 0 and stand.times[-1].pose_age_ms > 0
    code, report = client.leave()
    assert code == 0, client.said()
    assert "Monado" in client.said() and "Traceback" not in client.said()
    assert report["display_focused"] > 5
    assert report["matched_share"] == 1.0
    assert report["header_disagreements"] == report["sei_disagreements"] == 0
    stages = ("wait", "locate", "upload", "paint", "end", "pose_age")
    assert all(report[f"{stage}_ms"] > 0 for stage in stages)
    assert report["display_fresh"] > 5
    assert {"display_reused", "display_hidden", "undecodable_frames"} <= report.keys()
    hello = stand.hellos[0]
    assert hello.kind == "headset" and "depth" in hello.capabilities
    assert (hello.display.eye_width, hello.display.eye_height) == (320, 240)
    assert hello.display.refresh_hz == 20.0


def test_seconds_end_a_session_by_themselves(null_monado: Monado, wear: Wear) -> None:
    client = wear(null_monado, "--seconds", "3", "--hz", "72")
    code, report = client.wait()
    assert code == 0
    assert report["frames_shown"] > 0
    assert "offers 20 Hz, not 72" in client.said()


def test_the_heads_motion_arrives_at_the_server_exactly(
    null_monado: Monado, stand: Stand, wear: Wear
) -> None:
    client = wear(null_monado)
    client.until(lambda: len(stand.poses) > 3, "poses")
    assert stand.poses[-1].head == Pose(), "the photo's camera is where the head was"
    moves = [
        Pose((0.25, 1.6, 0.0)),
        Pose((-0.125, 1.85, -0.5), from_rotation_vector((0.0, 0.5, 0.0))),
        Pose((0.0, 1.35, 0.25), from_rotation_vector((0.3, -0.4, 0.1))),
    ]
    for move in moves:
        null_monado.move(move)
        x, y, z = move.position
        wanted = Pose((x, y - 1.6, z), move.orientation)
        client.until(is_at(stand, wanted), f"the head at {wanted}")
    left, right = stand.poses[-1].eyes
    assert left.pose.position == pytest.approx((-0.0315, 0, 0), abs=1e-6)
    assert right.pose.position == pytest.approx((0.0315, 0, 0), abs=1e-6)
    assert left.fov.right == pytest.approx(0.74176, abs=1e-4)
    assert client.leave()[0] == 0


def is_at(stand: Stand, wanted: Pose) -> Callable[[], bool]:
    return lambda: is_same(stand.poses[-1].head, wanted)


def is_same(a: Pose, b: Pose) -> bool:
    """To what is left of a float32 at 1.6 m."""
    parts = zip((*a.position, *a.orientation), (*b.position, *b.orientation), strict=True)
    return all(abs(p - q) < 1e-6 for p, q in parts)


def test_the_world_stands_level_where_the_head_was_and_looks_where_it_looked(
    null_monado: Monado, stand: Stand, tmp_path: Path
) -> None:
    turned = Pose((0.5, 1.2, 0.3), from_rotation_vector((0.0, 1.0, 0.0)))
    null_monado.move(turned)
    with Wearer(null_monado, tmp_path, stand.address) as client:
        client.until(lambda: len(stand.poses) > 3, "poses")
        assert is_same(stand.poses[-1].head, Pose())
        tilted = Pose((0.0, 0.0, 0.0), from_rotation_vector((0.4, 0.0, 0.0)))
        null_monado.move(turned @ tilted)
        client.until(is_at(stand, tilted), "the head, looking up")
        assert client.leave()[0] == 0


def test_recentring_by_the_headset_s_own_means_puts_the_photo_around_the_head(
    null_monado: Monado, stand: Stand, wear: Wear
) -> None:
    client = wear(null_monado)
    client.until(lambda: len(stand.poses) > 3, "poses")
    null_monado.move(Pose((0.5, 1.3, 0.25), from_rotation_vector((0.0, 1.0, 0.0))))
    client.until(lambda: stand.poses[-1].head.position[0] > 0.49, "the head aside")
    null_monado.recentre()
    client.until(is_at(stand, Pose()), "the photo's camera, where the head is")
    null_monado.move(Pose((0.5, 1.4, 0.25), from_rotation_vector((0.0, 1.0, 0.0))))
    client.until(is_at(stand, Pose((0.0, 0.1, 0.0))), "the head above that")
    assert client.leave()[0] == 0
    # Its room stays moved as long as it runs: the next tests want one that was not.
    null_monado.kill()
    null_monado.start()


def test_another_application_hides_it_and_it_comes_back(
    null_monado: Monado, stand: Stand, wear: Wear, tmp_path: Path
) -> None:
    client = wear(null_monado)
    streams(stand, client)
    faults.hide(null_monado, stand, client, tmp_path / "other")
    code, report = client.leave()
    assert code == 0
    assert report["display_hidden"] > 3


def test_a_killed_runtime_is_waited_for(null_monado: Monado, stand: Stand, wear: Wear) -> None:
    client = wear(null_monado)
    streams(stand, client)
    faults.kill_runtime(null_monado, stand, client)
    null_monado.move(Pose((0.1, 1.6, 0.0)))
    client.until(is_at(stand, Pose((0.1, 0.0, 0.0))), "the head, by the new runtime")
    streams(stand, client)
    code, report = client.leave()
    assert code == 0 and report["matched_share"] == 1.0
    assert "Traceback" not in client.said()
    assert len(stand.hellos) == 1, "the server's session went on"


def test_a_server_that_is_killed_and_started_again_is_found_again(
    null_monado: Monado, stand: Stand, wear: Wear
) -> None:
    client = wear(null_monado)
    streams(stand, client)
    again = faults.kill_server(stand, client)
    try:
        assert again.poses[0].ack is None, "the new server has sent nothing yet"
        code, _ = client.leave()
    finally:
        again.close()
    assert code == 0
    assert client.said().count("trying again") == 1, "one outage is one sentence"
    assert client.said().count("the server is back") == 1


def test_a_network_that_is_cut_for_three_seconds_is_waited_for(
    null_monado: Monado, compiled: None, tmp_path: Path
) -> None:
    null_monado.move(STANDING)
    stand = Stand(link=True)
    try:
        with Wearer(null_monado, tmp_path, stand.address) as client:
            streams(stand, client)
            faults.cut(stand, client)
            null_monado.move(Pose((0.2, 1.6, 0.0)))
            client.until(is_at(stand, Pose((0.2, 0.0, 0.0))), "the head after the cut")
            streams(stand, client, "frames after the cut")
            code, report = client.leave()
            assert code == 0 and report["matched_share"] == 1.0
            assert "Traceback" not in client.said()
    finally:
        stand.close()


def test_no_server_is_one_sentence(null_monado: Monado, tmp_path: Path) -> None:
    with Wearer(null_monado, tmp_path, "127.0.0.1:9") as client:
        assert client.wait()[0] == 1
        assert "no server answers at ws://127.0.0.1:9/session" in client.said()
        assert "Traceback" not in client.said()


def test_no_runtime_is_one_sentence(null_monado: Monado, stand: Stand, wear: Wear) -> None:
    code = "import os; os.environ['XR_RUNTIME_JSON'] = '/no/such/runtime.json'"
    client = wear(null_monado, code=code)
    assert client.wait()[0] == 1
    assert client.said().count("\n") == 1, client.said()
    assert "no OpenXR runtime answers" in client.said() and "--simulate" in client.said()
    assert not stand.hellos


def test_a_client_that_is_killed_leaves_the_runtime_to_the_next(
    null_monado: Monado, stand: Stand, wear: Wear
) -> None:
    client = wear(null_monado)
    client.until(lambda: len(stand.poses) > 3, "poses")
    client.process.kill()
    client.process.wait()
    poses = len(stand.poses)
    wear(null_monado).until(lambda: len(stand.poses) > poses + 3, "poses of the next client")


def test_terminated_it_leaves_and_reports(null_monado: Monado, stand: Stand, wear: Wear) -> None:
    client = wear(null_monado)
    streams(stand, client)
    client.process.terminate()
    code, report = client.wait()
    assert code == 0 and report["frames_shown"] > 0
    assert "Traceback" not in client.said()
