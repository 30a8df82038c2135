"""What a training step is made of: one scene, seen from the input view and from novel views.

    Samples (a folder of shards, a folder of photos) --[index]--> Sample --batch_of--> Batch

A step's pictures follow from seed and step alone, whoever draws them: so a training goes on exactly
where it was cut off, and two processes that share a batch see what one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Sample:
    """1 + K views of H x W pixels; view 0 is the input. OpenCV axes, metres."""

    rgb: NDArray[np.uint8]
    """[1 + K, H, W, 3] sRGB."""
    depth: NDArray[np.float32]
    """[1 + K, H, W] along each view's optical axis; 0 is unknown."""
    lenses: NDArray[np.float64]
    """[1 + K, 4] fx, fy, cx, cy in px, the centre of the first pixel at (0.5, 0.5). The input's
    principal point is the middle: that is what the network takes it for."""
    camera_from_input: NDArray[np.float64]
    """[1 + K, 4, 4] points in the input's camera -> in each view's; the first is the identity."""
    behind: NDArray[np.float32] | None = None
    """[H, W] depth of the input's second layer; 0 is unknown, None that nobody knows."""

    def __post_init__(self) -> None:
        count, height, width = self.depth.shape
        wanted = {
            "rgb": (count, height, width, 3),
            "lenses": (count, 4),
            "camera_from_input": (count, 4, 4),
        }
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"a sample's {name} has shape {found}, wanted {shape}")

    def __len__(self) -> int:
        return len(self.rgb)


class Samples(Protocol):
    """A finite collection, in the same order each time; what an index gives is always the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


@runtime_checkable
class Files(Protocol):
    """Samples out of files, to which others may come; a run goes on with what it began with."""

    names: list[str]
    """The files, in the order of the samples."""

    def recall(self, names: Sequence[str]) -> None:
        """Takes those, in that order, and no others; raises ShardError if one of them is gone."""


@dataclass(frozen=True)
class Batch:
    """B pictures, each with one novel view; all H x W."""

    rgb: Tensor
    """[B, 2, 3, H, W] sRGB 0 to 1: input, novel."""
    depth: Tensor
    """[B, 2, H, W] metres, 0 is unknown."""
    lenses: Tensor
    """[B, 2, 4] px of these pictures."""
    novel_from_input: Tensor
    """[B, 4, 4] float64."""

    def __len__(self) -> int:
        return len(self.rgb)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.rgb.shape[-2], self.rgb.shape[-1]

    @property
    def focal_over_width(self) -> Tensor:
        """[B] the input's focal length over its width."""
        return (self.lenses[:, 0, 0] / self.size[1]).float()

    def to(self, device: torch.device) -> Batch:
        """On that device."""
        return Batch(*(tensor.to(device) for tensor in vars(self).values()))


def batch_of(
    samples: Samples, seed: int, step: int, places: Sequence[int], size: tuple[int, int]
) -> Batch:
    """The pictures that have these places in the step's batch.

    Args:
        samples: at least one.
        seed, step: whose batch.
        places: 0 to the size of the whole batch; a process of several takes its own.
        size: height and width of the pictures.
    """
    chosen = []
    for place in places:
        rng = np.random.default_rng((seed, step, place))
        sample = samples[int(rng.integers(len(samples)))]
        chosen.append(pair(sample, int(rng.integers(1, len(sample))), size))
    return Batch(*(torch.stack(parts) for parts in zip(*chosen, strict=True)))


def pair(
    sample: Sample, novel: int, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """rgb [2, 3, H, W], depth [2, H, W], lenses [2, 4] and pose [4, 4] of input and one view."""
    views = [0, novel]
    rgb, lenses = resized(sample.rgb[views], sample.lenses[views], size)
    depth = torch.from_numpy(sample.depth[views].astype(np.float32))
    # Depth is picked, never mixed: between two surfaces there is none.
    near = functional.interpolate(depth[:, None], size, mode="nearest-exact")[:, 0]
    return rgb, near, lenses, torch.from_numpy(sample.camera_from_input[novel])


def resized(
    rgb: NDArray[np.uint8], lenses: NDArray[np.float64], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Pictures [V, h, w, 3] and their lenses [V, 4] -> [V, 3, H, W] 0 to 1 and [V, 4], of another
    size [H, W]; squeezed if its aspect is another."""
    height, width = rgb.shape[1:3]
    planes = torch.from_numpy(np.array(rgb)).permute(0, 3, 1, 2).float() / 255
    small = functional.interpolate(
        planes, size, mode="bilinear", antialias=True, align_corners=False
    )
    share = np.array([size[1] / width, size[0] / height] * 2)
    return small.clamp(0, 1), torch.from_numpy(lenses * share)
