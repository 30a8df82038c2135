"""A checkpoint tells its shapes, its network and its numbers, in both formats."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.server.model.sharp.checkpoint.weight_files import save_pt, tiny_state

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint import load_network, open_checkpoint
from sharp_xr.model.sharp.checkpoint.opened import CONFIG_KEY
from sharp_xr.model.sharp.config import TINY


@pytest.fixture(params=["pt", "pt_of_parameters", "pt_protocol_4", "safetensors"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same weights in every way that people save them."""
    path = tmp_path / "weights"
    state = tiny_state()
    match request.param:
        case "pt":
            torch.save(state, path)
        case "pt_of_parameters":
            torch.save({k: torch.nn.Parameter(v) for k, v in state.items()}, path)
        case "pt_protocol_4":
            torch.save(state, path, pickle_protocol=4)
        case _:
            save_file(state, path)
    return path


def test_shapes_and_numbers_are_those_that_were_saved(file: Path) -> None:
    state = tiny_state()
    with open_checkpoint(file) as checkpoint:
        assert checkpoint.shapes() == {key: tuple(value.shape) for key, value in state.items()}
        for key, value in state.items():
            assert torch.equal(checkpoint.tensor(key), value), key
            assert torch.equal(torch.cat(list(checkpoint.chunks(key))), value.flatten()), key


def test_tensors_outlive_the_checkpoint_that_they_are_from(file: Path) -> None:
    with open_checkpoint(file) as checkpoint:
        tensor = checkpoint.tensor("prediction_head.geometry_prediction_head.weight")
    expected = tiny_state()["prediction_head.geometry_prediction_head.weight"]
    file.unlink()
    assert torch.equal(tensor, expected)


def test_a_file_that_changed_since_it_was_opened_is_not_read_by_the_old_table(file: Path) -> None:
    key = "prediction_head.geometry_prediction_head.weight"
    checkpoint = open_checkpoint(file)
    torch.save({key: torch.ones(1000)}, file)
    for read in (checkpoint.tensor, lambda key: list(checkpoint.chunks(key))):
        with pytest.raises(ModelError, match="was changed since it was opened"):
            read(key)


def test_writing_into_a_tensor_does_not_change_the_file(file: Path) -> None:
    before = file.read_bytes()
    with open_checkpoint(file) as checkpoint:
        checkpoint.tensor("prediction_head.geometry_prediction_head.weight").zero_()
    assert file.read_bytes() == before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_numbers_of_other_lengths_are_read_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    value = torch.randn(5, 3).to(dtype)
    torch.save({"a": value}, tmp_path / "a.pt")
    save_file({"a": value}, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.pt", tmp_path / "a.safetensors"):
        with open_checkpoint(path) as checkpoint:
            assert torch.equal(checkpoint.tensor("a"), value.float())


def test_channels_last_and_slices_of_one_storage_are_read_as_saved(tmp_path: Path) -> None:
    flat = torch.arange(100.0)
    last = torch.randn(4, 3, 5, 2).to(memory_format=torch.channels_last)
    state = {"first": flat[10:40].view(5, 6), "second": flat[40:44], "last": last, "one": flat[99]}
    with open_checkpoint(save_pt(tmp_path / "a.pt", state)) as checkpoint:
        for key, value in state.items():
            assert torch.equal(checkpoint.tensor(key), value)
            assert torch.equal(torch.cat(list(checkpoint.chunks(key))), value.flatten())


def test_tensors_at_odd_places_are_read(tmp_path: Path) -> None:
    """Not every writer of safetensors pads its header, and a byte may come before a float."""
    state = {"a": torch.tensor([1, 2, 3], dtype=torch.uint8), "b": torch.randn(7)}
    save_file(state, tmp_path / "good")
    header = {
        "a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
        "b": {"dtype": "F32", "shape": [7], "data_offsets": [3, 31]},
    }
    text = json.dumps(header).encode()
    data = state["a"].numpy().tobytes() + state["b"].numpy().tobytes()
    (tmp_path / "odd").write_bytes(len(text).to_bytes(8, "little") + text + data)
    with open_checkpoint(tmp_path / "odd") as checkpoint:
        assert torch.equal(checkpoint.tensor("b"), state["b"])


def test_a_name_that_is_not_there_is_said(file: Path) -> None:
    with open_checkpoint(file) as checkpoint, pytest.raises(ModelError, match="no weights named"):
        checkpoint.tensor("nowhere")


def test_content_decides_what_a_file_is_not_its_name(tmp_path: Path) -> None:
    state = {"a": torch.ones(3)}
    torch.save(state, tmp_path / "renamed.safetensors")
    save_file(state, tmp_path / "renamed.pt")
    save_file(state, tmp_path / "no_name_at_all")
    formats = [open_checkpoint(path).table.format for path in sorted(tmp_path.iterdir())]
    assert formats == ["safetensors", "safetensors", "pt"]


def test_a_pt_tells_its_network_by_its_shapes(tmp_path: Path) -> None:
    config = open_checkpoint(save_pt(tmp_path / "a.pt", tiny_state())).config()
    assert (config.vit_width, config.vit_depth, config.grid) == (64, 4, 8)
    assert config.encoder_dims == TINY.encoder_dims


def test_a_file_of_ours_tells_its_network_whole(tmp_path: Path) -> None:
    save_file(tiny_state(), tmp_path / "a", {CONFIG_KEY: json.dumps(asdict(TINY))})
    assert open_checkpoint(tmp_path / "a").config() == TINY


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("7", "does not name the sizes"),
        ("{}", "does not name the sizes"),
        (json.dumps({**asdict(TINY), "more": 1}), "does not name the sizes"),
        (json.dumps({**asdict(TINY), "vit_depth": 10**9}), "contradicts the shapes"),
        (json.dumps({**asdict(TINY), "vit_heads": 0}), "below 1"),
        (json.dumps({**asdict(TINY), "vit_heads": 5}), "a divisor"),
        (json.dumps({**asdict(TINY), "vit_heads": True}), "gives vit_heads as True"),
        (json.dumps({**asdict(TINY), "hooks": [1, 0]}), "hooks"),
        (json.dumps({**asdict(TINY), "hooks": [0, 1, 2]}), "gives hooks as"),
        (json.dumps({**asdict(TINY), "hooks": [0, "1"]}), "gives hooks as"),
    ],
)
def test_a_wrong_configuration_costs_one_sentence(
    tmp_path: Path, said: str, complaint: str
) -> None:
    save_file(tiny_state(), tmp_path / "a", {CONFIG_KEY: said})
    with pytest.raises(ModelError, match=complaint) as refused:
        open_checkpoint(tmp_path / "a").config()
    assert str(refused.value).startswith(str(tmp_path / "a"))


@pytest.mark.parametrize(
    "changes",
    [
        {"monodepth_model.monodepth_predictor.encoder.patch_encoder.cls_token": (5,)},
        {"monodepth_model.monodepth_predictor.encoder.patch_encoder.pos_embed": (7,)},
        {"feature_model.image_encoder.conv.weight": ()},
    ],
)
def test_shapes_of_nothing_cost_one_sentence(
    tmp_path: Path, changes: dict[str, tuple[int, ...]]
) -> None:
    state = {**tiny_state(), **{key: torch.ones(shape) for key, shape in changes.items()}}
    with pytest.raises(ModelError):
        load_network(save_pt(tmp_path / "a", state))
