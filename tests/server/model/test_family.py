"""What a training came to can be named in place of a model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sharp_xr.cli import run
from sharp_xr.formats.ply import read_ply
from sharp_xr.model import ModelError, lite_network, load_predictor
from sharp_xr.model.family import resolved
from sharp_xr.model.lite_gaussians import TINY_GAUSSIANS, LiteGaussians
from sharp_xr.model.lite_gaussians_file import CONFIG_KEY, load_lite_gaussians, save_lite_gaussians
from sharp_xr.model.lite_gaussians_predictor import LiteGaussiansPredictor
from sharp_xr.model.sharp.checkpoint import save_network
from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.photo import Photo
from sharp_xr.serve import ServeConfig


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training of the tiny lite."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    network = LiteGaussians(TINY_GAUSSIANS)
    save_lite_gaussians(network.state_dict(), TINY_GAUSSIANS, folder / "model.safetensors", {})
    return folder


def photo(focal_px: float = 120.0, rows: int = 96, columns: int = 128) -> Photo:
    rng = np.random.default_rng(0)
    return Photo(rng.integers(0, 255, (rows, columns, 3), dtype=np.uint8), focal_px)


def test_a_file_from_before_there_were_refinements_is_served(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(
        TINY_GAUSSIANS, depth=dataclasses.replace(TINY_GAUSSIANS.depth, refined=(0, 0, 0, 0))
    )
    plain = LiteGaussians(config)
    path = tmp_path / "model.safetensors"
    save_lite_gaussians(plain.state_dict(), config, path, {})
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        said = dict(file.metadata())
    sizes = json.loads(said[CONFIG_KEY])
    del sizes["depth"]["refined"]
    save_file(tensors, path, said | {CONFIG_KEY: json.dumps(sizes)})
    assert load_lite_gaussians(path).config == config


def test_names_stay_names() -> None:
    assert resolved("lite", None) == ("lite", None)
    assert resolved("sharp", Path("x.pt")) == ("sharp", Path("x.pt"))


def test_weights_say_themselves_which_model_they_are_of(trained: Path, tmp_path: Path) -> None:
    file = trained / "model.safetensors"
    assert resolved(str(trained), None) == resolved(str(file), None) == ("lite", file)
    shipped = Path(lite_network.__file__).parent / "weights" / "lite.safetensors"
    assert resolved(str(shipped), None) == ("lite", shipped)
    save_network(SharpNetwork(TINY), tmp_path / "s.safetensors", {})
    assert resolved(str(tmp_path / "s.safetensors"), None)[0] == "sharp"
    torch.save(SharpNetwork(TINY).state_dict(), tmp_path / "s.pt")
    assert resolved(str(tmp_path / "s.pt"), None)[0] == "sharp"


def test_what_is_no_model_is_one_sentence(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model 'fast', wanted one of lite, sharp, or a file"):
        resolved("fast", None)
    with pytest.raises(ModelError, match="no training ended there"):
        resolved(str(tmp_path), None)
    with pytest.raises(ModelError, match="leave --checkpoint out"):
        resolved(str(trained), Path("x"))
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="no model of the family"):
        resolved(str(tmp_path / "a.safetensors"), None)


def test_what_a_training_goes_on_from_leads_to_what_is_served(trained: Path) -> None:
    """Its average of the weights, that is; the checkpoint has moments and step beside them."""
    checkpoint = trained / "checkpoint.pt"
    torch.save({"optimizer": {0: torch.zeros(1)}, "step": 5}, checkpoint)
    with pytest.raises(ModelError, match=r"checkpoint.pt .*; the model.safetensors beside it is"):
        resolved(str(checkpoint), None)


def test_a_trained_lite_predicts_metric_gaussians_where_the_photo_sees_them(trained: Path) -> None:
    predictor = load_predictor("lite", trained / "model.safetensors")
    assert isinstance(predictor, LiteGaussiansPredictor)
    near, far = (predictor.predict(photo(f)) for f in (120.0, 240.0))
    ratio = np.median(far.means[:, 2]) / np.median(near.means[:, 2])
    assert ratio == pytest.approx(2.0, rel=0.05)
    visible = near.means[: 96 * 128]
    u = visible[:, 0] / visible[:, 2] * 120 / 64
    v = visible[:, 1] / visible[:, 2] * 120 / 48
    assert np.abs(u).max() < 1 and np.abs(v).max() < 1
    assert np.abs(u).max() > 0.98 and np.abs(v).max() > 0.98
    assert near.finite()[1] == 0


def test_a_large_photo_gets_a_grid_of_384_x_384_at_least(trained: Path) -> None:
    predictor = load_predictor("lite", trained / "model.safetensors")
    made = predictor.predict(photo(700.0, 600, 800))
    u = made.means[:, 0] / made.means[:, 2] * 700 + 400
    v = made.means[:, 1] / made.means[:, 2] * 700 + 300
    inside = (u > 0) & (u < 800) & (v > 0) & (v < 600)
    assert 384 * 384 <= np.count_nonzero(inside) < 2.2 * 262_144


def test_before_it_is_trained_it_predicts_what_lite_does(tmp_path: Path) -> None:
    network = LiteGaussians()
    network.depth.load_state_dict(lite_network.load_lite().state_dict())
    save_lite_gaussians(network.state_dict(), network.config, tmp_path / "m.safetensors", {})
    small = photo(90.0)
    learned = load_predictor("lite", tmp_path / "m.safetensors").predict(small)
    rules = load_predictor("lite", None).predict(small)
    cells = 96 * 128
    assert learned.means[:cells] == pytest.approx(rules.means[:cells], rel=0.01, abs=0.01)
    assert learned.colors[:cells] == pytest.approx(rules.colors[:cells], abs=0.025)
    assert learned.opacities[:cells] == pytest.approx(rules.opacities[:cells], abs=1e-3)


def test_the_command_line_takes_a_training_s_folder(trained: Path, tmp_path: Path) -> None:
    Image.fromarray(photo().image).save(tmp_path / "a.png")
    out = tmp_path / "a.ply"
    words = ["predict", str(tmp_path / "a.png"), "-o", str(out), "--model", str(trained)]
    assert run(words) == 0
    assert len(read_ply(out)[0]) > 96 * 128
    assert run(["serve", "--model", str(tmp_path / "none"), "--data", str(tmp_path / "d")]) == 1


def test_serve_serves_what_a_training_came_to(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[ServeConfig] = []
    monkeypatch.setattr("sharp_xr.serve.run", served.append)
    monkeypatch.setattr("sharp_xr.logs.configure", lambda **options: None)
    words = ["serve", "--device", "cpu", "--model", str(trained), "--data", str(tmp_path)]
    assert run(words) == 0
    (config,) = served
    assert (config.model, config.checkpoint) == ("lite", trained / "model.safetensors")
