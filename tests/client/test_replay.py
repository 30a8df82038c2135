"""Recorded poses, sent again."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.client.relay import Relay
from tests.client.running import simulate

from sharp_xr.stream import colour
from sharp_xr_client.cli import main
from sharp_xr_client.problem import ClientError
from sharp_xr_client.recording import write_poses
from sharp_xr_client.replay import read_poses
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Pose, Velocity, from_rotation_vector
from sharp_xr_protocol.messages import Tracking


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    colour.warm_up()


def recorded(count: int = 3) -> list[Tracking]:
    return [
        Tracking(
            (1 << 32) - 2 + 3 * number if number == 0 else 3 * number,
            10**9 + 20_000_000 * number,
            Pose((math.pi * number, 1 / 3, -0.1), from_rotation_vector((0.1, 0.2, number / 7))),
            eyes(0.0571),
            Velocity((1e-17, 2.0, 3.0), (0.1, 0.2, 0.3)),
        )
        for number in range(count)
    ]


def test_poses_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    write_poses(path, recorded(), {})
    assert read_poses(path) == recorded()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no pose"),
        ("not json\n", "line 1 is no recorded pose"),
        ('{"key": 1}\n', "line 1 is no recorded pose: Object missing required field"),
    ],
)
def test_a_file_that_is_none_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    path.write_text(text)
    with pytest.raises(ClientError, match=f"{path}.*{sentence}"):
        read_poses(path)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("orientation", [0.0, 0.0, 0.0, 0.5], "norm 0.5"),
        ("key", 1 << 32, "key"),
        ("eyes", [], "eyes"),
        ("position", [1.0, 2.0], "position"),
        ("time_ns", 1, "pose 2 is not later than the one before it"),
    ],
)
def test_a_pose_that_makes_no_sense_is_named(
    field: str, value: object, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "poses.jsonl"
    write_poses(path, recorded(2), {})
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + json.dumps({**json.loads(second), field: value}) + "\n")
    with pytest.raises(ClientError, match=sentence):
        read_poses(path)


def test_a_missing_file_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("127.0.0.1:9", "--replay", "/no/such/poses.jsonl") == 1
    said = capsys.readouterr().err
    assert "cannot read poses from /no/such/poses.jsonl: No such file" in said
    assert said.count("\n") == 1


def test_a_real_head_is_not_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["127.0.0.1:9", "--replay", "poses.jsonl"]) == 1
    assert "--replay moves a simulated head: it needs --simulate" in capsys.readouterr().err
    for option in (["--warp"], ["--picture", "p.png"]):
        assert main(["127.0.0.1:9", *option]) == 1
        said = capsys.readouterr().err
        assert f"{option[0]} is about a simulated display: it needs --simulate" in said


def test_a_recorded_session_is_sent_again_as_it_was(
    streaming: Callable[..., str], serve: Callable[..., str], tmp_path: Path
) -> None:
    address = streaming("garden")
    path, again = tmp_path / "poses.jsonl", tmp_path / "again.jsonl"
    assert simulate(address, "--record-poses", str(path), "--motion", "lean") == 0
    wanted = read_poses(path)

    relay = Relay(address, lambda client: None)
    arguments = ("--simulate", "--eye-size", "256", "--replay", str(path))
    report = tmp_path / "report.json"
    files = ("--record-poses", str(again), "--json", str(report))
    assert main([serve(relay.handle), *arguments, *files]) == 0
    sent = [message for message in relay.messages if isinstance(message, Tracking)]
    # What was sent before them, until frames came, has the first one's view.
    lead, sent = sent[: -len(wanted)], sent[-len(wanted) :]
    assert {(pose.head, pose.eyes) for pose in lead} <= {(wanted[0].head, wanted[0].eyes)}
    for was, now in zip(wanted, sent, strict=True):
        assert (now.key, now.head, now.eyes, now.velocity) == (
            was.key,
            was.head,
            was.eyes,
            was.velocity,
        )
    assert sent[-1].ack is not None
    figures = json.loads(report.read_text())
    assert figures["matched_share"] == 1.0
    assert figures["frames_shown"] > 10
