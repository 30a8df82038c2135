"""What a training step of the full SHARP network holds in memory, counted without a GPU.

    scripts/bench memory [--json FILE]

No number is computed: torch's fake tensors have sizes alone. "Waiting" is what autograd keeps from
the way there for the way back. Not in it: the rasterizer's own buffers, cuDNN's workspaces, and
gradients of maps on the way back (the largest, 256 x 768 x 768 in float32, is 0.6 GB).

| figure | what |
|---|---|
| weights_gb, gradients_gb, adam_gb, average_gb | float32, by numbers of parameters |
| waiting_PRECISION_PLAIN_gb | of the network, batch 1; recomputed: with gradient checkpointing |
| perceptual_NETWORK_MANNER_gb | of the perceptual loss of one view of 1536 x 1536 px, float32 |
| total_gb | bf16, recomputed, surgery, and the perceptual network's graph while it is there |
"""

from __future__ import annotations

import gc

import torch
from scripts.figures import bench_parser, report
from torch._subclasses.fake_tensor import FakeTensorMode

from sharp_xr.perceptual import Features
from sharp_xr.perceptual.resnet import ResNet50
from sharp_xr.perceptual.vgg import BLOCKS, Vgg16
from sharp_xr.train.memory import SavedTensors
from sharp_xr.train.networks import CONFIGS, build, freeze, recompute
from sharp_xr.train.objective.perceptual import cached, perceptual

GB = 1e9
SIDE = 1536
VGG_WIDTHS = (3, 64, 128, 256, 512)


def parameters() -> dict[str, float]:
    """GB that are there all the time."""
    with FakeTensorMode():
        network = build(CONFIGS["sharp"])
        freeze(network)
    every = sum(p.numel() for p in network.parameters())
    moving = sum(p.numel() for p in network.parameters() if p.requires_grad)
    counts = {"weights": every, "gradients": moving, "adam": 2 * moving, "average": every}
    return {f"{name}_gb": 4 * count / GB for name, count in counts.items()}


def waiting(*, bf16: bool, recomputed: bool) -> float:
    """GB that the network's graph keeps."""
    with FakeTensorMode():
        network = build(CONFIGS["sharp"])
        freeze(network)
        if recomputed:
            recompute(network)
        picture, true = torch.rand(1, 3, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)
        with SavedTensors() as meter, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            made = network.parts(picture, torch.tensor([1.0]), true)
        assert made.scale is not None
        return meter.now / GB


def vgg() -> Features:
    """HED's VGG16 without its numbers."""
    return Vgg16(
        [
            [
                (
                    torch.empty(VGG_WIDTHS[n], VGG_WIDTHS[n if k else n - 1], 3, 3),
                    torch.empty(VGG_WIDTHS[n]),
                )
                for k in range(count)
            ]
            for n, count in enumerate(BLOCKS, start=1)
        ]
    )


def perceptual_graph(kind: str, *, surgery: bool) -> tuple[float, float]:
    """GB that wait until backward, and at the most before."""
    with FakeTensorMode():
        features = vgg() if kind == "vgg16" else ResNet50(lama=kind == "lama")
        drawn = torch.rand(1, 3, SIDE, SIDE, requires_grad=True)
        true = torch.rand(1, 3, SIDE, SIDE)
        with SavedTensors() as meter:
            seen = drawn * 1.0

            def loss(picture: torch.Tensor) -> torch.Tensor:
                return perceptual(features, picture, true)

            value = cached(loss, seen) if surgery else loss(seen)
        gc.collect()
        assert value.shape == (1,)
        return meter.now / GB, meter.peak / GB


def main() -> None:
    parser = bench_parser(__doc__)
    options = parser.parse_args()
    figures = parameters()
    for bf16 in (False, True):
        for recomputed in (False, True):
            name = f"waiting_{'bf16' if bf16 else 'fp32'}_{'recomputed' if recomputed else 'plain'}"
            figures[f"{name}_gb"] = waiting(bf16=bf16, recomputed=recomputed)
    peak = 0.0
    for kind in ("vgg16", "resnet50", "lama"):
        plain, _ = perceptual_graph(kind, surgery=False)
        cut, most = perceptual_graph(kind, surgery=True)
        figures[f"perceptual_{kind}_plain_gb"] = plain
        figures[f"perceptual_{kind}_surgery_gb"] = cut
        figures[f"perceptual_{kind}_surgery_peak_gb"] = most
        peak = max(peak, most)
    steady = sum(figures[f"{name}_gb"] for name in ("weights", "gradients", "adam", "average"))
    figures["total_gb"] = steady + figures["waiting_bf16_recomputed_gb"] + peak
    report(figures, options.json)


if __name__ == "__main__":
    main()
