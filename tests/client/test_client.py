"""The command against the product's own session and stream: what is sent, shown and written."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scripts.openxr.wearer import HEARING, MAIN
from tests.client.relay import Relay
from tests.client.running import Serve, Streaming, simulate
from tests.server.stream.restless import Restless

from sharp_xr.stream import colour
from sharp_xr_client.poses import key_difference
from sharp_xr_protocol.codec import encode
from sharp_xr_protocol.messages import Hello, IceRestart, Offer, QualityChoice, Report, Tracking

AS_A_PROGRAM = (sys.executable, "-c", f"{HEARING}\n{MAIN}")


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """So that no test waits for a compiler within the time that it gives a stream."""
    colour.warm_up()


def square_columns(film: Path, frame: int, eye: int) -> tuple[float, float]:
    """Columns of the near (red) and the far (green) square in one eye's picture, pixels."""
    with av.open(str(film)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number == frame:
                rgb = picture.to_ndarray(format="rgb24").astype(int)
    width = rgb.shape[1] // 2
    rgb = rgb[:, eye * width : (eye + 1) * width]
    red, green = rgb[..., 0], rgb[..., 1]
    return _centre(red - green > 80), _centre(green - red > 80)


def _centre(mask: NDArray[np.bool_]) -> float:
    assert mask.sum() > 50
    return float(np.nonzero(mask)[1].mean())


def test_a_session_is_matched_recorded_and_reported(
    streaming: Streaming, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, poses, report = (tmp_path / name for name in ("out.mp4", "poses.jsonl", "report.json"))
    files = ("--record", str(film), "--record-poses", str(poses), "--json", str(report))
    assert simulate(streaming("garden"), *files, "--motion", "lean") == 0

    figures = json.loads(report.read_text())
    assert figures["frames_decoded"] > 5
    assert figures["matched_share"] == 1.0
    assert figures["sei_frames"] == figures["header_frames"] == figures["frames_decoded"]
    assert figures["sei_disagreements"] == figures["header_disagreements"] == 0
    assert (figures["eye_width"], figures["eye_height"]) == (256, 256)
    assert all(isinstance(figure, int | float) for figure in figures.values())
    assert "shown frames with their pose (100.0%)" in capsys.readouterr().out

    with av.open(str(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) == figures["frames_decoded"]
    lines = [json.loads(line) for line in poses.read_text().splitlines()]
    assert len(lines) == figures["poses_sent"]
    frames = [line["frame"] for line in lines if line["frame"] is not None]
    assert frames == list(range(int(figures["frames_decoded"])))


def test_each_frame_shows_what_its_pose_sees(streaming: Streaming, tmp_path: Path) -> None:
    film, poses = tmp_path / "out.mp4", tmp_path / "poses.jsonl"
    files = ("--record", str(film), "--record-poses", str(poses))
    assert simulate(streaming("garden"), *files, "--motion", "lean") == 0
    lines = [json.loads(line) for line in poses.read_text().splitlines()]
    seen = [line for line in lines if line["frame"] is not None]
    start, end = (
        min(seen, key=lambda line: abs(line["position"][0])),
        max(seen, key=lambda line: abs(line["position"][0])),
    )
    for line in (start, end):
        for eye, offset_m in ((0, -0.0315), (1, 0.0315)):
            near, far = square_columns(film, line["frame"], eye)
            x, z = line["position"][0] + offset_m, line["position"][2]
            # A field of 90 degrees: the focal length is half the picture's width.
            assert near == pytest.approx(128 - 128 * x / (0.8 + z), abs=2.5)
            assert far == pytest.approx(128 - 128 * x / (4.0 + z), abs=2.5)
    left, right = (square_columns(film, end["frame"], eye) for eye in (0, 1))
    assert left[0] - right[0] > left[1] - right[1] > 0, "near things have more parallax than far"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_ends_the_film_properly_and_still_reports(
    streaming: Streaming, tmp_path: Path, number: signal.Signals
) -> None:
    film, report = tmp_path / "out.mp4", tmp_path / "report.json"
    files = ("--record", str(film), "--json", str(report))
    process = subprocess.Popen(
        [*AS_A_PROGRAM, streaming("garden"), "--simulate", "--seconds", "60", *files],
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    # The first bytes come with the first frame.
    while not (film.exists() and film.stat().st_size) and time.monotonic() < give_up:
        time.sleep(0.05)
    process.send_signal(number)
    _, complained = process.communicate(timeout=30)
    assert process.returncode == 1
    assert complained == "sharp-xr-client: stopped before the time was over\n"
    with av.open(str(film)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames == json.loads(report.read_text())["frames_decoded"] > 0


def test_a_scene_is_chosen_by_name_or_id(
    streaming: Streaming, capsys: pytest.CaptureFixture[str]
) -> None:
    address = streaming("garden", "kitchen")
    assert simulate(address, "--scene", "kitchen") == 0
    assert simulate(address, "--scene", "cellar") == 1
    said = capsys.readouterr().err
    assert "the server has no scene 'cellar'; it has id-garden (garden), id-kitchen" in said


def test_a_server_without_scenes_is_the_reason_for_no_frames(
    streaming: Streaming, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr_client.simulated.FIRST_FRAME_S", 0.3)
    address = streaming()
    assert simulate(address, "--seconds", "0.3") == 1
    said = capsys.readouterr().err
    assert f"upload a photo first, at http://{address}/" in said


def test_a_server_that_dies_in_the_middle_leaves_a_report_and_a_sentence(
    streaming: Streaming, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    relay = Relay(streaming("garden"), lambda client: client.transport.abort())
    address = serve(relay.handle)
    report = tmp_path / "report.json"
    assert simulate(address, "--seconds", "20", "--json", str(report)) == 1
    assert "the connection to the server is lost" in capsys.readouterr().err
    assert json.loads(report.read_text())["frames_decoded"] > 0


def test_each_pose_has_a_newer_key_and_acknowledges_the_newest_frame(
    streaming: Streaming, serve: Serve
) -> None:
    relay = Relay(streaming("garden"), lambda client: None)
    assert simulate(serve(relay.handle)) == 0
    poses = [message for message in relay.messages if isinstance(message, Tracking)]
    keys = [pose.key for pose in poses]
    assert all(key_difference(b, a) > 0 for a, b in zip(keys, keys[1:], strict=False))
    assert poses[0].ack is None
    acks = [pose.ack for pose in poses if pose.ack is not None]
    assert len(set(acks)) > 5
    assert set(acks) <= set(keys)
    assert acks == sorted(acks, key=keys.index)
    reports = [message for message in relay.messages if isinstance(message, Report)]
    assert {report.key for report in reports} <= set(keys)
    assert all(0 < report.decoded_ms <= (report.shown_ms or 0) for report in reports)


@pytest.mark.parametrize(
    ("wish", "goals", "capabilities"),
    [
        ("full", [], []),
        ("auto", [], ["quality"]),
        ("sharper", ["sharper"], ["quality"]),
        ("smoother", ["smoother"], ["quality"]),
    ],
)
def test_what_is_wished_of_the_quality_is_told_once(
    wish: str, goals: list[str], capabilities: list[str], streaming: Streaming, serve: Serve
) -> None:
    relay = Relay(streaming("garden"), lambda client: None)
    assert simulate(serve(relay.handle), "--quality", wish, "--seconds", "0.2") == 0
    hello = relay.messages[0]
    assert isinstance(hello, Hello) and hello.capabilities == capabilities
    told = [message.goal for message in relay.messages if isinstance(message, QualityChoice)]
    assert told == goals


def test_pictures_whose_size_changes_are_seen_reported_and_recorded_without_a_gap(
    streaming: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr.stream.adaptation.QualityControl", Restless)
    film, report = tmp_path / "out.mp4", tmp_path / "report.json"
    files = ("--record", str(film), "--json", str(report))
    arguments = ("--quality", "auto", "--motion", "lean", "--seconds", "2")
    assert simulate(streaming("garden"), *files, *arguments) == 0
    figures = json.loads(report.read_text())
    assert figures["resizes"] >= 3
    assert figures["matched_share"] == 1.0
    assert figures["header_frames"] == figures["sei_frames"] == figures["frames_decoded"]
    assert figures["sei_disagreements"] == figures["header_disagreements"] == 0
    assert figures["undecodable_frames"] == 0
    with av.open(str(film)) as container:
        sizes = [(picture.width, picture.height) for picture in container.decode(video=0)]
    assert len(sizes) == figures["frames_decoded"]
    assert len(set(sizes)) == 3
    assert sum(a != b for a, b in zip(sizes, sizes[1:], strict=False)) == figures["resizes"]


def test_a_video_connection_that_the_server_lost_is_offered_again(
    streaming: Streaming, serve: Serve, tmp_path: Path
) -> None:
    relay = Relay(streaming("garden"), lambda client: client.send(encode(IceRestart())))
    address = serve(relay.handle)
    report = tmp_path / "report.json"
    assert simulate(address, "--seconds", "3", "--json", str(report)) == 0
    assert sum(isinstance(message, Offer) for message in relay.messages) == 2
    figures = json.loads(report.read_text())
    assert figures["matched_share"] == 1.0
    # Frames came over the second connection as well: the first ended after a second.
    assert figures["seconds"] > 2.0
