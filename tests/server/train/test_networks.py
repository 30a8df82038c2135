"""What of a network moves, and where its weights come from and go to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sharp_xr.model import ModelError, lite_network
from sharp_xr.model.lite_gaussians import LiteGaussians
from sharp_xr.model.lite_gaussians_file import load_lite_gaussians
from sharp_xr.model.lite_network import load_lite
from sharp_xr.model.sharp.checkpoint import load_network
from sharp_xr.train.networks import (
    CONFIGS,
    begin,
    build,
    export,
    freeze,
    recompute,
    training_mode,
)


def test_of_the_full_network_340_million_move_as_the_paper_says() -> None:
    with torch.device("meta"):
        network = build(CONFIGS["sharp"])
    freeze(network)
    moving = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert sum(p.numel() for p in network.parameters()) == 702_305_169
    assert moving == pytest.approx(340e6, rel=0.01)
    names = [name for name, p in network.named_parameters() if p.requires_grad]
    assert not [name for name in names if "patch_encoder" in name or ".norm1." in name]
    freeze(network, train_depth=False, adjustment=False)
    assert {n.split(".")[0] for n, p in network.named_parameters() if p.requires_grad} == {
        "feature_model",
        "prediction_head",
    }


def test_one_picture_of_lite_does_not_depend_on_the_others_of_its_batch() -> None:
    torch.manual_seed(0)
    network = build(CONFIGS["tiny-lite"])
    freeze(network)
    training_mode(network)
    image = torch.rand(2, 3, 32, 32)
    factor = torch.tensor([0.8, 0.9])
    both = network(image, factor).means
    torch.testing.assert_close(network(image[:1], factor[:1]).means, both[:1])
    before = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
    network(image, factor)
    assert all(torch.equal(network.state_dict()[k], v) for k, v in before.items())


@pytest.mark.parametrize("name", ["tiny-sharp", "tiny-lite"])
def test_weights_go_to_a_file_and_begin_another_training(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build(CONFIGS[name])
    path = tmp_path / "model.safetensors"
    weights = {k: t + 0.01 if t.is_floating_point() else t for k, t in network.state_dict().items()}
    export(network, weights, path, {"license": "MIT"})
    other = build(CONFIGS[name])
    begin(other, path)
    for key, tensor in other.state_dict().items():
        torch.testing.assert_close(tensor, weights[key], rtol=1e-3, atol=1e-4)
    load = load_lite_gaussians if isinstance(network, LiteGaussians) else load_network
    assert load(path).config == network.config


def test_lite_s_shipped_depth_begins_a_training_of_its_gaussians() -> None:
    network = build(CONFIGS["lite"])
    begin(network, Path(lite_network.__file__).parent / "weights" / "lite.safetensors")
    assert isinstance(network, LiteGaussians)
    shipped = load_lite().state_dict()
    assert all(torch.equal(t, shipped[key]) for key, t in network.depth.state_dict().items())


def test_weights_of_something_else_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tiny = build(CONFIGS["tiny-lite"])
    export(tiny, tiny.state_dict(), path, {})
    with pytest.raises(ModelError, match="other sizes"):
        begin(build(CONFIGS["lite"]), path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="does not say the sizes"):
        begin(build(CONFIGS["tiny-lite"]), path)
    with pytest.raises(ModelError, match="cannot read"):
        begin(build(CONFIGS["tiny-lite"]), tmp_path / "none.safetensors")
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot read"):
        load_lite_gaussians(path)


def test_recomputing_changes_no_gradient() -> None:
    gradients = []
    for again in (False, True):
        torch.manual_seed(0)
        network = build(CONFIGS["tiny-sharp"])
        freeze(network)
        if again:
            assert recompute(network) > 20
        side = CONFIGS["tiny-sharp"].side_px  # type: ignore[union-attr]
        made = network.parts(torch.rand(1, 3, side, side), torch.tensor([1.0]))
        torch.autograd.backward(made.depth.log().mean() + made.gaussians.colors.mean())
        gradients.append({n: p.grad for n, p in network.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and gradients[0]
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)
