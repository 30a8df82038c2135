"""The networks that can be trained: which, what of them moves, where weights come from and go to.

Frozen as in the paper: SHARP's patch encoder with what makes features of its tokens, and the norms
of its image encoder. `lite` keeps its encoder, and the statistics of all its batch norms: so one
picture's prediction does not depend on the others of its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sharp_xr.model import ModelError
from sharp_xr.model.lite_gaussians import (
    LITE_GAUSSIANS,
    TINY_GAUSSIANS,
    LiteGaussians,
    LiteGaussiansConfig,
)
from sharp_xr.model.lite_gaussians_file import load_lite_gaussians, save_lite_gaussians
from sharp_xr.model.lite_layers import ZeroNorm
from sharp_xr.model.sharp.checkpoint import load_network, save_network
from sharp_xr.model.sharp.config import SHARP, SharpConfig
from sharp_xr.model.sharp.config import TINY as TINY_SHARP
from sharp_xr.model.sharp.decoder import ResidualUnit
from sharp_xr.model.sharp.gaussian_decoder import NormedResidual
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.model.sharp.vit import Block

Network = SharpNetwork | LiteGaussians
NetworkName = Literal["sharp", "lite", "tiny-sharp", "tiny-lite"]
CONFIGS: dict[str, SharpConfig | LiteGaussiansConfig] = {
    "sharp": SHARP,
    "lite": LITE_GAUSSIANS,
    "tiny-sharp": TINY_SHARP,
    "tiny-lite": TINY_GAUSSIANS,
}

_ENCODER = "monodepth_model.monodepth_predictor.encoder."
FROZEN_SHARP = (
    *(_ENCODER + part for part in ("patch_encoder.", "upsample_latent", "upsample0.")),
    *(_ENCODER + part for part in ("upsample1.", "upsample2.", "image_encoder.head.")),
    # Of no part in the prediction: the coarsest fusion has no skip connection.
    "monodepth_model.monodepth_predictor.decoder.fusions.4.resnet1.",
    "feature_model.decoder.fusions.4.resnet1.",
)
FROZEN_LITE = ("depth.encoder.",)
DEPTH_OF = {SharpNetwork: "monodepth_model.", LiteGaussians: "depth."}
"""What ``train_depth=False`` leaves as it is."""
RECOMPUTED = (Block, ResidualUnit, NormedResidual)


def build(config: SharpConfig | LiteGaussiansConfig) -> Network:
    """A network with random weights."""
    return SharpNetwork(config) if isinstance(config, SharpConfig) else LiteGaussians(config)


def freeze(network: Network, *, train_depth: bool = True, adjustment: bool = True) -> None:
    """Leaves a gradient to what the paper trains.

    Args:
        network: any of the family.
        train_depth: the depth decoder (and of SHARP the image encoder) too.
        adjustment: the U-Net that aligns depth too.
    """
    frozen = FROZEN_SHARP if isinstance(network, SharpNetwork) else FROZEN_LITE
    if not train_depth:
        frozen += (DEPTH_OF[type(network)],)
    if not adjustment:
        frozen += ("depth_alignment.",)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not name.startswith(frozen))
    for module in network.modules():
        is_norm = isinstance(module, nn.LayerNorm | nn.BatchNorm2d)
        if is_norm and not isinstance(module, ZeroNorm):
            module.requires_grad_(False)


def training_mode(network: Network) -> None:
    """Like ``train()``, but statistics of batch norms stay."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def recompute(network: Network) -> int:
    """Gradient checkpointing (Chen et al. 2016): the blocks keep their input alone, and run a
    second time on the way back. Returns how many blocks do."""
    blocks = [module for module in network.modules() if isinstance(module, RECOMPUTED)]
    for block in blocks:
        again = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
        block.forward = again  # type: ignore[method-assign]
    return len(blocks)


def begin(network: Network, path: Path) -> None:
    """Takes a file's weights to begin with: of the whole network, or of lite's depth alone.

    Raises:
        ModelError: the file cannot be read, or is of another network.
    """
    if isinstance(network, SharpNetwork):
        other: Network = load_network(path)
    elif is_lite_depth(path):
        from sharp_xr.model.lite_network import load_lite

        depth = load_lite(path) if network.config.depth == LITE_GAUSSIANS.depth else None
        if depth is None:
            raise ModelError(f"{path} is of lite's size, and this network is not")
        network.depth.load_state_dict(depth.state_dict())
        return
    else:
        other = load_lite_gaussians(path)
    if other.config != network.config:
        raise ModelError(f"{path} is of a network of other sizes than the one to be trained")
    network.load_state_dict(other.state_dict())


def is_lite_depth(path: Path) -> bool:
    """Whether a .safetensors holds lite's depth network alone.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with safe_open(str(path), "pt") as file:
            return "encoder.stem.0.weight" in file.keys()  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the weights {path}: {error}") from error


def export(
    network: Network, weights: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]
) -> None:
    """Writes weights (a state dict of that network) as a file that can be served."""
    if isinstance(network, LiteGaussians):
        save_lite_gaussians(weights, network.config, path, metadata)
        return
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        network.load_state_dict(weights)
        save_network(network, path, metadata)
    finally:
        network.load_state_dict(kept)
