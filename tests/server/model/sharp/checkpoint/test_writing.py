"""Conversion keeps every number, says where the weights are from, and is whole or not there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tests.server.model.sharp.checkpoint.weight_files import save_pt, tiny_state

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint import convert, load_network, open_checkpoint, sha256_of
from sharp_xr.model.sharp.config import TINY


def test_the_safetensors_library_reads_what_was_in_the_pt(tmp_path: Path) -> None:
    state = tiny_state()
    target = tmp_path / "a.safetensors"
    digest = convert(save_pt(tmp_path / "a.pt", state), target)
    read = load_file(target)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], value) for key, value in state.items())
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()


def test_channels_last_weights_are_written_in_rows(tmp_path: Path) -> None:
    state = {
        key: value.to(memory_format=torch.channels_last) if value.dim() == 4 else value
        for key, value in tiny_state().items()
    }
    convert(save_pt(tmp_path / "a.pt", state), tmp_path / "a.safetensors")
    read = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(read[key], value) for key, value in state.items())


def test_half_the_length_loses_the_last_bits_only(tmp_path: Path) -> None:
    source = save_pt(tmp_path / "a.pt", tiny_state())
    convert(source, tmp_path / "full.safetensors")
    convert(source, tmp_path / "half.safetensors", half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.55 * sizes[1]
    with open_checkpoint(tmp_path / "half.safetensors") as checkpoint:
        assert checkpoint.metadata["changes"] == "file format; values rounded to bfloat16"
        for key, value in tiny_state().items():
            assert checkpoint.tensor(key).dtype == torch.float32
            assert torch.equal(checkpoint.tensor(key), value.bfloat16().float())
    load_network(tmp_path / "half.safetensors")


def test_a_file_says_where_it_is_from_also_after_a_second_conversion(tmp_path: Path) -> None:
    source = save_pt(tmp_path / "a.pt", tiny_state())
    convert(source, tmp_path / "b", provenance={"license": "for research"})
    convert(tmp_path / "b", tmp_path / "c", half=True)
    convert(tmp_path / "c", tmp_path / "d")
    for name in ("b", "c", "d"):
        with safe_open(tmp_path / name, "pt") as file:
            said = file.metadata()
        assert said["format"] == "pt"
        assert said["license"] == "for research"
        assert said["source_sha256"] == sha256_of(source)
        assert "sharp_xr_config" in said
        assert ("rounded" in said["changes"]) == (name in "cd")


def test_what_shapes_do_not_tell_can_be_said_and_is_kept(tmp_path: Path) -> None:
    source = save_pt(tmp_path / "a.pt", tiny_state())
    assert open_checkpoint(source).config() == TINY
    narrow = replace(TINY, vit_heads=4)
    convert(source, tmp_path / "b", config=narrow)
    assert open_checkpoint(tmp_path / "b").config() == narrow


def test_a_file_can_be_converted_onto_itself(tmp_path: Path) -> None:
    path = save_pt(tmp_path / "a", tiny_state())
    convert(path, path)
    convert(path, path)
    assert open_checkpoint(path).table.format == "safetensors"


def test_the_report_ends_where_the_file_ends(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = save_pt(tmp_path / "a.pt", tiny_state())
    convert(source, tmp_path / "b", report=lambda done, total: seen.append((done, total)))
    size = (tmp_path / "b").stat().st_size
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)


def test_a_conversion_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out" / "weights"
    target.parent.mkdir()
    target.write_bytes(b"older")
    state = tiny_state()
    source = save_pt(tmp_path / "a.pt", state)

    def broken(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, target, report=broken)
    del state["prediction_head.texture_prediction_head.weight"]
    with pytest.raises(ModelError, match="1 missing"):
        convert(save_pt(source, state), target)
    assert [path.read_bytes() for path in target.parent.iterdir()] == [b"older"]


def test_a_full_disk_or_no_folder_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_pt(tmp_path / "a.pt", tiny_state())
    with pytest.raises(ModelError, match="there is no folder"):
        convert(source, tmp_path / "nowhere" / "b")
    free = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(ModelError, match=r"has 1 MB left, b wants 3 MB"):
        convert(source, tmp_path / "b")
    assert list(tmp_path.iterdir()) == [source]


MEASURED = """
import resource, sys
from pathlib import Path
from sharp_xr.model.sharp.checkpoint import convert
from sharp_xr.model.sharp.checkpoint.fit import expected_shapes
source, target, half = Path(sys.argv[1]), Path(sys.argv[2]), bool(int(sys.argv[3]))
# What the imports and a first look at the network take is not the conversion's.
from sharp_xr.model.sharp.checkpoint import open_checkpoint
expected_shapes(open_checkpoint(source).config())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
convert(source, target, half=half)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """200 MB of weights, most of them one matrix that nothing evaluates, in half of that."""
    from sharp_xr.model.sharp.network import SharpNetwork

    config = replace(TINY, vit_classes=500_000)
    with torch.device("meta"):
        shapes = SharpNetwork(config).state_dict()
    state = {key: torch.full(value.shape, 0.5) for key, value in shapes.items()}
    source = save_pt(tmp_path / "a.pt", state)
    del state
    assert source.stat().st_size > 190e6
    command = [sys.executable, "-c", MEASURED, str(source), str(tmp_path / "b"), "1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert int(ran.stdout) < 100_000
