"""Weights of `lite_gaussians.py` in a .safetensors that says their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sharp_xr.model import ModelError
from sharp_xr.model.lite_gaussians import LiteGaussians, LiteGaussiansConfig

CONFIG_KEY = "sharp_xr_lite_gaussians"
"""Under which the file says its sizes, as JSON."""


def save_lite_gaussians(
    weights: Mapping[str, Tensor],
    config: LiteGaussiansConfig,
    path: Path,
    metadata: Mapping[str, str],
) -> None:
    """Written whole or not at all, floating numbers as float16.

    Args:
        weights: a state dict.
        config: of its network.
        path: replaced if it exists.
        metadata: what the file should say of itself, ``license`` above all.
    """
    half = {
        name: (t.half() if t.is_floating_point() else t).contiguous().cpu()
        for name, t in weights.items()
    }
    said = {**metadata, CONFIG_KEY: msgspec.json.encode(config).decode()}
    part = path.with_suffix(".part")
    part.write_bytes(save(half, said))
    part.replace(path)


def load_lite_gaussians(path: Path, device: str = "cpu") -> LiteGaussians:
    """The network of that file, in float32 and ready to predict.

    Raises:
        ModelError: the file cannot be read, or is of something else.
    """
    try:
        with safe_open(str(path), "pt") as file:
            said = (file.metadata() or {}).get(CONFIG_KEY)
            if said is None:
                raise ModelError(f"{path} does not say the sizes of a lite network of Gaussians")
            config = msgspec.json.decode(said, type=LiteGaussiansConfig)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, msgspec.MsgspecError) as error:
        raise ModelError(f"cannot read the weights {path}: {error}") from error
    with torch.device("meta"):
        network = LiteGaussians(config)
    try:
        single = {k: t.float() if t.is_floating_point() else t for k, t in weights.items()}
        network.load_state_dict(single, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{path} contradicts the sizes that it says") from error
    return network.to(device).eval().requires_grad_(False)


def holds_lite_gaussians(path: Path) -> bool:
    """Whether a file says that it is such a network; False for what cannot be read at all."""
    try:
        with safe_open(str(path), "pt") as file:
            return CONFIG_KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False
