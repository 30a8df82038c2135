"""`sharp-xr weights verify` and `convert`, as the user meets them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.server.model.sharp.checkpoint.weight_files import save_pt, tiny_state

from sharp_xr.cli import run
from sharp_xr.model.sharp import released
from sharp_xr.model.sharp.checkpoint import open_checkpoint
from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.released import SHARP_RELEASE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save_pt(tmp_path / "a.pt", tiny_state())


def test_a_sound_file_is_described(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "verify", str(file)]) == 0
    said = capsys.readouterr().out
    numbers = sum(value.numel() for value in tiny_state().values())
    assert f"pt, 470 tensors, {numbers:,} numbers, float32" in said
    assert hashlib.sha256(file.read_bytes()).hexdigest() in said
    assert "origin   unknown" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_found(
    tmp_path: Path, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tiny_state()
    key = "prediction_head.texture_prediction_head.weight"
    state[key] = state[key].clone()
    state[key][-1, -1] = value
    assert run(["weights", "verify", str(save_pt(tmp_path / "a.pt", state))]) == 1
    assert f"infinities or NaNs in 1 tensors ({key})" in capsys.readouterr().err


def test_a_file_that_does_not_fit_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = {**tiny_state(), "extra": torch.ones(1)}
    assert run(["weights", "verify", str(save_pt(tmp_path / "a.pt", state))]) == 1
    said = capsys.readouterr().err
    assert said.startswith("sharp-xr: ")
    assert said.count("\n") == 1
    assert "1 unexpected (extra)" in said


def test_the_published_file_is_recognised_and_so_is_a_false_one(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    false = file.rename(file.with_name(SHARP_RELEASE.file))
    assert run(["weights", "verify", str(false)]) == 1
    assert SHARP_RELEASE.sha256 in capsys.readouterr().err
    monkeypatch.setitem(released.RELEASES, "sharp", replace(SHARP_RELEASE, sha256=digest))
    assert run(["weights", "verify", str(false)]) == 0
    said = capsys.readouterr().out
    assert "origin   the published file" in said
    assert "research only" in said
    target = file.with_name("b.safetensors")
    assert run(["weights", "convert", str(false), str(target), "--half"]) == 0
    capsys.readouterr()
    assert run(["weights", "verify", str(target)]) == 0
    said = capsys.readouterr().out
    assert "made of the published file; changed: file format; values rounded to bfloat16" in said


def test_a_network_of_another_size_can_be_told_its_heads_and_hooks(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = file.with_name("b.safetensors")
    words = ["weights", "convert", str(file), str(target), "--heads", "4", "--hooks", "0", "1"]
    assert run(words) == 0
    assert hashlib.sha256(target.read_bytes()).hexdigest() in capsys.readouterr().out
    assert open_checkpoint(target).config() == replace(TINY, vit_heads=4)
    assert run([*words[:4], "--heads", "5"]) == 1
    assert "a divisor" in capsys.readouterr().err


def test_converting_what_is_no_checkpoint_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pt").write_bytes(b"<html>")
    assert run(["weights", "convert", str(tmp_path / "a.pt"), str(tmp_path / "b")]) == 1
    assert "is a web page" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
