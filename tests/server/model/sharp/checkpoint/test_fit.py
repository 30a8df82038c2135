"""Weights fit a network whole or not at all."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.server.model.sharp.checkpoint.weight_files import save_pt, tiny_network, tiny_state

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint import (
    check_fit,
    expected_shapes,
    load_network,
    open_checkpoint,
    save_network,
)
from sharp_xr.model.sharp.checkpoint.opened import CONFIG_KEY
from sharp_xr.model.sharp.config import SHARP, TINY
from sharp_xr.model.sharp.network import SharpNetwork

INVENTORY = Path(__file__).parents[6] / "shared" / "data" / "state_dict_keys.json"
"""Of the released checkpoint: names, shapes, types. Not part of the project."""


@pytest.mark.skipif(not INVENTORY.exists(), reason="no inventory of the released checkpoint here")
def test_the_released_network_wants_the_keys_of_the_released_checkpoint() -> None:
    inventory = json.loads(INVENTORY.read_text(encoding="utf-8"))
    assert expected_shapes(SHARP) == {key: tuple(shape) for key, (shape, _) in inventory.items()}


def test_a_loaded_network_predicts_what_the_saved_one_predicts(tmp_path: Path) -> None:
    network = tiny_network()
    save_network(network, tmp_path / "a.safetensors", {"license": "MIT"})
    loaded = load_network(tmp_path / "a.safetensors")
    assert loaded.config == TINY
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    image = torch.rand(1, 3, TINY.side_px, TINY.side_px)
    with torch.no_grad():
        expected = network.eval()(image, torch.ones(1))
        result = loaded(image, torch.ones(1))
    assert torch.equal(result.means, expected.means)
    assert torch.equal(result.colors, expected.colors)


def test_a_pt_loads_with_every_weight_in_its_place(tmp_path: Path) -> None:
    state = tiny_state()
    loaded = load_network(save_pt(tmp_path / "a.pt", state)).state_dict()
    assert list(loaded) == list(state)
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


def test_a_loaded_network_is_the_mapped_file(tmp_path: Path) -> None:
    """One mapping holds all weights, so nothing was copied."""
    save_network(tiny_network(), tmp_path / "a", {})
    loaded = load_network(tmp_path / "a")
    size = (tmp_path / "a").stat().st_size
    places = [parameter.data_ptr() for parameter in loaded.parameters()]
    assert max(places) - min(places) < size


def test_a_network_of_another_size_is_built_from_its_checkpoint(tmp_path: Path) -> None:
    config = replace(TINY, vit_width=64, vit_heads=1, vit_depth=8, hooks=(1, 3), depth_dim=24)
    torch.save(SharpNetwork(config).state_dict(), tmp_path / "other.pt")
    assert load_network(tmp_path / "other.pt").config == config


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"prediction_head.geometry_prediction_head.bias": None},
            "1 missing (prediction_head.geom",
        ),
        ({"head.bias": torch.ones(3)}, "1 unexpected (head.bias)"),
        (
            {"prediction_head.geometry_prediction_head.bias": torch.ones(7)},
            "1 of another shape (prediction_head.geometry_prediction_head.bias [7] in place of [6]",
        ),
        (
            {"prediction_head.geometry_prediction_head.bias": torch.ones(6).double()},
            "1 not float32 or bfloat16 (prediction_head.geometry_prediction_head.bias float64)",
        ),
        ({f"more{i}": torch.ones(1) for i in range(5)}, "5 unexpected (more0, more1, more2, ...)"),
    ],
)
def test_what_does_not_fit_is_named_and_counted(
    tmp_path: Path, change: dict[str, torch.Tensor | None], complaint: str
) -> None:
    state = {k: v for k, v in {**tiny_state(), **change}.items() if v is not None}
    save_file(state, tmp_path / "a.safetensors")
    for path in (save_pt(tmp_path / "a.pt", state), tmp_path / "a.safetensors"):
        with pytest.raises(ModelError, match=re.escape(complaint)) as refused:
            load_network(path)
        assert str(refused.value).startswith(f"{path} does not fit the SHARP network: ")


def test_one_sentence_says_all_that_is_wrong(tmp_path: Path) -> None:
    state = tiny_state()
    state["prediction_head.texture_prediction_head.weights"] = state.pop(
        "prediction_head.texture_prediction_head.weight"
    )
    with pytest.raises(ModelError, match="1 missing .*; 1 unexpected"):
        load_network(save_pt(tmp_path / "a.pt", state))


def test_the_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_file({"conv.weight": torch.ones(3, 3)}, tmp_path / "a")
    with pytest.raises(ModelError, match="no weights of a SHARP network"):
        load_network(tmp_path / "a")


def test_a_checkpoint_is_held_to_the_network_that_is_asked_for(tmp_path: Path) -> None:
    with (
        open_checkpoint(save_pt(tmp_path / "a.pt", tiny_state())) as checkpoint,
        pytest.raises(ModelError, match="too few for 24 blocks"),
    ):
        check_fit(checkpoint, SHARP)


def test_groups_that_do_not_divide_a_width_make_no_network(tmp_path: Path) -> None:
    file = tmp_path / "sevens"
    sizes = json.dumps(asdict(replace(TINY, gaussian_groups=7)))
    save_file(tiny_state(), file, {CONFIG_KEY: sizes})
    with pytest.raises(ModelError, match=f"^{file}: there is no SHARP network of these sizes"):
        load_network(file)
