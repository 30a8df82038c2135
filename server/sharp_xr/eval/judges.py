"""LPIPS and DISTS, for whom has their packages and their weights; nothing is fetched for them.

Both packages would download torchvision's VGG16 on their own. So they are used only where that file
lies in torch's cache already.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

from sharp_xr.eval.measures import Measure, Region, completed, to_tensor
from sharp_xr.eval.pair import Picture

VGG16_FILE = "vgg16-397923af.pth"
"""torchvision's name for its weights."""


def judges() -> tuple[list[Measure], list[str]]:
    """The measures that can be had, and a sentence for each that cannot."""
    made: list[Measure] = []
    missing: list[str] = []
    for name, package in (("lpips", "lpips"), ("dists", "DISTS_pytorch")):
        reason = _lacks(package)
        if reason:
            missing.append(f"{name} is left out: {reason}")
        else:
            made.append(_lpips() if name == "lpips" else _dists())
    return made, missing


def _lacks(package: str) -> str:
    if find_spec(package) is None:
        return f"the package {package} is not installed"
    weights = Path(torch.hub.get_dir()) / "checkpoints" / VGG16_FILE
    return "" if weights.is_file() else f"torchvision's VGG16 is not at {weights}"


def _lpips() -> Measure:
    from lpips import LPIPS

    network = LPIPS(net="vgg", verbose=False).eval()
    return Measure("lpips", lambda *seen: _distance(network, 2.0, -1.0, *seen))


def _dists() -> Measure:
    from DISTS_pytorch import DISTS

    network = DISTS().eval()
    return Measure("dists", lambda *seen: _distance(network, 1.0, 0.0, *seen))


def _distance(
    network: torch.nn.Module,
    gain: float,
    offset: float,
    predicted: Picture,
    true: Picture,
    region: Region,
) -> float:
    """Over the whole picture: LPIPS wants -1 to 1, DISTS 0 to 1."""
    both = (to_tensor(picture) for picture in (completed(predicted, true, region), true))
    with torch.inference_mode():
        return float(network(*(gain * picture + offset for picture in both)))
