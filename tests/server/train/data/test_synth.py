"""`sharp-xr train data synth` and `data look`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train import cli
from sharp_xr.train.data.look import colored
from sharp_xr.train.data.shards import Shard, shard_path, shard_paths
from sharp_xr.train.data.synth import Synth


def synth(assets: Path, out: Path, count: int, first: int = 0) -> Synth:
    return Synth(assets, out, first, count, instances=1, novel=1, size=32, shard=2)


def test_scenes_that_exist_are_kept_and_the_missing_drawn(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = shard_path(tmp_path, 2, 2)
    kept.write_bytes(b"precious")
    command = synth(assets, tmp_path, 4, first=1)
    assert command.missing() == [range(1, 2), range(3, 4), range(4, 5)]
    command.run()
    assert kept.read_bytes() == b"precious"
    assert command.missing() == []
    assert Shard(shard_path(tmp_path, 3, 3)).keys == ["000003-0"]
    assert "synth-000003-000003.tar: 2 views" in capsys.readouterr().out


def test_shards_hold_whole_runs_of_seeds(tmp_path: Path) -> None:
    assert Synth(tmp_path, tmp_path, 6, 6).missing() == [range(6, 8), range(8, 12)]


def test_after_a_kill_the_same_command_ends_with_the_same_shards(
    assets: Path, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    command = replace(synth(assets, whole, 2), shard=1)
    command.run()
    words = ["--assets", str(assets), "--out", str(cut), "--count", "2"]
    words += ["--instances", "1", "--novel", "1", "--size", "32", "--shard", "1"]
    main = "import sys; from sharp_xr.train.cli import main; main(sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", main, "data", "synth", *words])
    while process.poll() is None and not list(cut.glob("*.part")) + shard_paths(cut):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert all(Shard(path).keys for path in shard_paths(cut)), "no half shard"
    replace(command, out=cut).run()
    assert [p.name for p in shard_paths(cut)] == [p.name for p in shard_paths(whole)]
    for a, b in zip(shard_paths(whole), shard_paths(cut), strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_look_writes_a_sheet(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synth(assets, tmp_path, 2).run()
    sheet = tmp_path / "sheet.png"
    words = ["data", "look", "--data", str(tmp_path), "--out", str(sheet), "--size", "24"]
    assert cli.main([*words, "--novel", "2"]) == 0
    with Image.open(sheet) as image:
        assert image.size == (24 * (4 + 2 * 2), 24 * 2)
        pixels = np.asarray(image)
    assert pixels[:, :24].std() > 5, "the photo"
    assert pixels[:, -48:].max() == 0, "a novel view that is not there is black"
    assert "2 of 2 photos in 1 shards" in capsys.readouterr().out


def test_near_is_red_far_is_blue_and_unknown_black() -> None:
    near, far, unknown = colored(np.array([[0.3, 60, 0]], np.float32))[0].astype(int)
    assert near[0] > near[2] and far[2] > far[0] and unknown.max() == 0


@pytest.mark.parametrize(
    ("option", "value"), [("--count", "0"), ("--novel", "11"), ("--size", "8"), ("--shard", "0")]
)
def test_senseless_numbers_are_one_sentence(
    assets: Path, tmp_path: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "synth", "--assets", str(assets), "--out", str(tmp_path / "o"), option, value]
    assert cli.main(words) == 1
    assert f"{option} is {value}, wanted" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_folder_without_shards_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.main(["data", "look", "--data", str(tmp_path), "--out", str(tmp_path / "s.png")]) == 1
    )
    assert "no shards in" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--rows", "0"), ("--novel", "-1"), ("--size", "0")])
def test_a_sheet_without_pictures_is_refused(
    tmp_path: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "look", "--data", str(tmp_path), option, value]) == 1
    assert f"{option} is {value}, wanted" in capsys.readouterr().err
