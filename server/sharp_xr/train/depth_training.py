"""Trains the depth network of `lite`; goes on exactly where it stopped, with the same command."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from sharp_xr.model.lite_network import LITE, LiteConfig, LiteNetwork, load_lite
from sharp_xr.train import checkpoints
from sharp_xr.train.ahead import Ahead
from sharp_xr.train.curve import Curve
from sharp_xr.train.data.settings import within
from sharp_xr.train.depth_losses import layers_loss
from sharp_xr.train.imagenet import initialise
from sharp_xr.train.photographs import (
    FIRST_SIZES,
    LAST_SIZES,
    SMALL_SIZES,
    Batch,
    Photographs,
    Size,
)


@dataclass(frozen=True)
class TrainLite:
    """Trains lite's depth network on the shards of `data synth`."""

    data: Path = Path("data/synth")
    """Folder with the shards; ones that appear while it runs are used too."""
    out: Path = Path("runs/lite")
    """Folder for checkpoint.pt, which it goes on from, lite.safetensors, which is shipped, and
    curve.jsonl: losses, and figures of held-out scenes."""
    start: Path | None = None
    """Weights of lite to begin with, in place of ImageNet's in the encoder alone."""
    steps: int = 4300
    """The whole schedule."""
    small: int = 0
    """Of them so many, the first ones, with smaller pictures: more of them a second."""
    last: int = 800
    """Of them so many, the last ones, with upright and larger pictures among the others."""
    batch: int = 8
    """Pictures a step."""
    indoors: float | None = None
    """Share of the pictures that are of rooms; without it, as many as were drawn."""
    frozen: int = 5
    """The encoder's stem and so many of its blocks stay as ImageNet left them, which saves time."""
    encoder_rate: float = 4e-4
    """Peak learning rate of the encoder, which knows something already."""
    decoder_rate: float = 1.5e-3
    """Peak learning rate of the rest."""
    threads: int = 1
    """CPU threads of the network; one more reads the next pictures. Two processors that others use
    too are better used by one thread: two wait for each other."""
    save_every: int = 100
    """Steps between checkpoints."""
    seed: int = 0

    def run(self, config: LiteConfig = LITE) -> None:
        """Trains to the end, or to an interruption.

        Raises:
            SettingError, StageError, ShardError, FileNotFoundError: one sentence for the user.
        """
        for option in ("steps", "batch", "threads", "save_every"):
            within(f"--{option.replace('_', '-')}", getattr(self, option), 1, 1 << 40)
        photographs = self.checked_photographs()
        torch.set_num_threads(self.threads)
        training = Training(config, self)
        photographs.recall(training.resume())
        curve = Curve(self.out, self.data, training.step)
        ahead = Ahead(lambda step: training.pictures(photographs, step))
        started, first = time.monotonic(), training.step
        while training.step < self.steps:
            training.one_step(ahead(training.step))
            if training.step % self.save_every == 0 or training.step == self.steps:
                curve.add(training.step, training.losses, training.averaged())
                training.save(photographs)
            if training.step % 25 == 0:
                rate = (training.step - first) * self.batch / (time.monotonic() - started)
                print(training.report(len(photographs.views), rate), flush=True)
        ahead.close()

    def checked_photographs(self) -> Photographs:
        """What there is to train on.

        Raises:
            FileNotFoundError: nothing.
        """
        photographs = Photographs(self.data, self.indoors)
        if not photographs.refresh():
            raise FileNotFoundError(
                f"there are no shards in {self.data}: write them with `sharp-xr train data synth`"
            )
        return photographs


class Training:
    """All that changes from step to step: network, its average, optimizer, step, losses."""

    def __init__(self, config: LiteConfig, settings: TrainLite, imagenet: bool = True):
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.network = LiteNetwork(config) if settings.start is None else load_lite(settings.start)
        if imagenet and settings.start is None:
            initialise(self.network.encoder)
        self._freeze()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=1e-3)
        self.average = {name: t.clone() for name, t in self.network.state_dict().items()}
        self.step = 0
        self.losses = np.zeros(2)

    def _freeze(self) -> None:
        for module in self._frozen():
            module.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        if not self.settings.frozen:
            return []
        return [self.network.encoder.stem, *self.network.encoder.blocks[: self.settings.frozen]]

    def _groups(self) -> list[dict[str, Any]]:
        named = [(n, p) for n, p in self.network.named_parameters() if p.requires_grad]
        encoder = [p for n, p in named if n.startswith("encoder.")]
        rest = [p for n, p in named if not n.startswith("encoder.")]
        return [
            {"params": encoder, "peak": self.settings.encoder_rate},
            {"params": rest, "peak": self.settings.decoder_rate},
        ]

    def pictures(self, photographs: Photographs, step: int) -> Batch:
        """That step's, which seed and step decide; shards that are new are looked for at times."""
        if step % self.settings.save_every == 0:
            photographs.refresh()
        rng = np.random.default_rng((self.settings.seed, step))
        return photographs.batch(rng, self.settings.batch, self.sizes(step))

    def sizes(self, step: int) -> tuple[Size, ...]:
        """Of pictures at that step: small ones first, those that are served last."""
        if step >= self.settings.steps - self.settings.last:
            return LAST_SIZES
        return SMALL_SIZES if step < self.settings.small else FIRST_SIZES

    def one_step(self, batch: Batch) -> None:
        """One batch forward, back, and into the average."""
        self.network.train()
        for module in self._frozen():
            module.eval()
        y = self.network(batch.x.contiguous(memory_format=torch.channels_last))
        visible, behind = layers_loss(y, batch.visible, batch.behind)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * schedule(self.step, self.settings.steps)
        self.optimizer.zero_grad()
        torch.autograd.backward(visible + 0.5 * behind)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._follow()
        now = np.array([visible.item(), behind.item()])
        self.losses = now if self.step == 1 else 0.98 * self.losses + 0.02 * now

    def _follow(self) -> None:
        """Exponential average of weights and statistics, shorter in the beginning."""
        keep = min(0.998, self.step / (self.step + 10))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - keep)
            else:
                self.average[name].copy_(value)

    def report(self, views: int, rate: float) -> str:
        """One line for the log."""
        visible, behind = self.losses
        return (
            f"step {self.step} of {self.settings.steps}, {views} views, "
            f"loss {visible:.4f} visible, {behind:.4f} behind, {rate:.1f} pictures/s"
        )

    @property
    def checkpoint(self) -> Path:
        return self.settings.out / "checkpoint.pt"

    def averaged(self) -> LiteNetwork:
        """The network with the average of the weights, ready to predict."""
        network = copy.deepcopy(self.network).eval()
        network.load_state_dict(self.average)
        return network

    def save(self, photographs: Photographs) -> None:
        """Checkpoint and shipped weights, each written whole or not at all."""
        self.settings.out.mkdir(parents=True, exist_ok=True)
        state = {
            "shards": photographs.names,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "losses": self.losses.tolist(),
        }
        # The weights first: once the last checkpoint is there, nothing is written any more.
        export(self.average, self.settings.out / "lite.safetensors")
        checkpoints.write(state, self.checkpoint)

    def resume(self) -> list[str]:
        """Takes up the checkpoint, if there is one; the names of its shards, in their order.

        Raises:
            StageError: it cannot be read, or is of another network or of another --frozen.
        """
        if not self.checkpoint.exists():
            return []
        with checkpoints.taking_up(self.checkpoint):
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            for name, value in state["average"].items():
                self.average[name].copy_(value)
            self.step, self.losses = state["step"], np.array(state["losses"])
            names = list(state["shards"])
        return names


def schedule(step: int, steps: int, warm_up: int = 100) -> float:
    """Share of the peak learning rate: a linear start, then a cosine down to 2 %."""
    falling = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return min(1.0, (step + 1) / warm_up) * falling


def export(weights: dict[str, Tensor], path: Path) -> None:
    """Weights in float16; batch counters, which only training reads, stay whole numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {
        name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in weights.items()
    }
    part = path.with_suffix(".part")
    part.write_bytes(save(half))
    part.replace(path)
