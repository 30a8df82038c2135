"""All of a training that changes from step to step, and how it outlives its process.

A step's pictures follow from seed and step, and nothing else is drawn by chance; so what a
checkpoint holds (weights, their average, Adam's moments, the step) is all it takes to go on as if
nothing had been, to the bit on a CPU.
"""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sharp_xr.model.family import MODEL_FILE
from sharp_xr.model.lite_gaussians import LiteGaussiansConfig
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.perceptual import Features, load_features
from sharp_xr.train import checkpoints
from sharp_xr.train.ahead import Ahead
from sharp_xr.train.networks import (
    CONFIGS,
    Network,
    begin,
    build,
    export,
    freeze,
    recompute,
    training_mode,
)
from sharp_xr.train.objective import total
from sharp_xr.train.processes import Processes
from sharp_xr.train.samples import Batch, Files, Samples, batch_of
from sharp_xr.train.stages import Stage, Stage2, StageError, lasting
from sharp_xr.train.step import Step
from sharp_xr.train.swapping import photos_of, swapped

CHECKPOINT = "checkpoint.pt"
"""What a run goes on from; beside it lies what it has come to, to be served."""


class Run:
    """See the module."""

    def __init__(self, stage: Stage, samples: Samples, processes: Processes) -> None:
        """Fresh; ``resume`` takes up a checkpoint.

        Raises:
            StageError, ModelError, PerceptualError: something that it needs is not there.
        """
        stage.checked()
        self.stage, self.samples, self.processes = stage, samples, processes
        torch.manual_seed(stage.seed)
        self.network = _network(stage).to(processes.device)
        self._teacher = _teacher(self.network) if isinstance(stage, Stage2) else None
        self.step_module = Step(self.network, stage.manner, _features(stage, processes.device))
        self._shared: nn.Module = self.step_module
        if processes.count > 1:
            self._shared = DistributedDataParallel(self.step_module, broadcast_buffers=False)
        moving = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(moving, lr=stage.peak)
        self.average = {k: t.detach().clone() for k, t in self.network.state_dict().items()}
        self.step = 0
        mine = processes.places(stage.batch)
        self._ahead = Ahead(lambda step: self._read(step, mine))

    def close(self) -> None:
        """Nothing is read ahead any more."""
        self._ahead.close()

    def one_step(self) -> dict[str, float]:
        """One batch there and back. Returns the loss and its terms, means over the whole batch."""
        batch = self._ready(self._ahead(self.step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.rate(self.step)
        terms: dict[str, Tensor] = self._shared(batch)
        loss = total(terms, self.stage.weights).mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        moving = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(moving, self.stage.clip)
        if norm.isfinite():  # one bad picture must not end a week of training
            self.optimizer.step()
        self.step += 1
        self._follow()
        means = [loss, *(term.mean() for term in terms.values())]
        values = self.processes.mean(torch.stack([mean.detach() for mean in means]))
        return dict(zip(("loss", *terms), values.tolist(), strict=True))

    def batch(self, step: int, places: range) -> Batch:
        """A step's pictures at these places of its batch."""
        return self._ready(self._read(step, places))

    def _read(self, step: int, places: range) -> Batch:
        """From the disk: pairs in stage 1, photos in stage 2."""
        stage, size = self.stage, (self.stage.height, self.stage.width)
        if isinstance(stage, Stage2):
            is_sharp = isinstance(self.network, SharpNetwork)
            return photos_of(self.samples, stage.seed, step, places, size, squeezed=is_sharp)
        return batch_of(self.samples, stage.seed, step, places, size)

    def _ready(self, batch: Batch) -> Batch:
        """On the device; photos become pairs."""
        batch = batch.to(self.processes.device)
        if isinstance(self.stage, Stage2):
            assert self._teacher is not None
            return swapped(self._teacher, batch, self.stage.lean_m)
        return batch

    def _follow(self) -> None:
        """The average of the weights, shorter in the beginning."""
        keep = min(self.stage.ema, self.step / (self.step + 10))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - keep)

    @property
    def checkpoint(self) -> Path:
        """Where it is."""
        return self.stage.out / CHECKPOINT

    def save(self) -> None:
        """Checkpoint and model, each written whole or not at all; the first process writes."""
        if self.processes.is_first:
            self.stage.out.mkdir(parents=True, exist_ok=True)
            # The model first: once the last checkpoint is there, nothing is written any more.
            export(self.network, self.average, self.stage.out / MODEL_FILE, self._provenance())
            state = {
                "stage": type(self.stage).__name__,
                "settings": self._settings(),
                "samples": self.samples.names if isinstance(self.samples, Files) else [],
                "network": self.network.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
            }
            checkpoints.write(state, self.checkpoint)
        self.processes.wait()

    def resume(self) -> bool:
        """Takes up the checkpoint, if there is one.

        Raises:
            StageError: it cannot be read, or is of another network, stage or setting.
            ShardError: a file that it was trained on is gone.
        """
        if not self.checkpoint.exists():
            return False
        with checkpoints.taking_up(self.checkpoint):
            state = torch.load(self.checkpoint, map_location=self.processes.device)
            self._check_kept(state["stage"], state["settings"])
            names = list(state["samples"])
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.step = dict(state["average"]), int(state["step"])
        if names and isinstance(self.samples, Files):
            self.samples.recall(names)
        return True

    def agree(self) -> None:
        """Several processes begin at the same step, with the first one's files.

        Raises:
            StageError: their folders differ.
        """
        if isinstance(self.samples, Files) and self.processes.count > 1:
            self.samples.recall(self.processes.first_s(self.samples.names))
        first = self.processes.first_s(self.step)
        if first != self.step:
            raise StageError(
                f"{self.stage.out} holds step {self.step} here and step {first} where the first "
                "process runs; all want the same folder"
            )

    def _settings(self) -> dict[str, object]:
        return lasting(self.stage) | {"processes": self.processes.count}

    def _check_kept(self, kind: str, settings: dict[str, object]) -> None:
        """Raises StageError: the checkpoint is of a run that is set otherwise."""
        out, wanted = self.stage.out, self._settings()
        if kind != type(self.stage).__name__:
            raise StageError(f"{out} holds a run of {kind}; name another --out")
        for name, value in wanted.items():
            if settings.get(name) != value:
                raise StageError(
                    f"{out} holds a run with {name} {settings.get(name)!r}, this one has "
                    f"{value!r}; name another --out"
                )

    def _provenance(self) -> dict[str, str]:
        """What the model's file says of itself."""
        return {
            "made_by": "sharp-xr train run",
            "stage": type(self.stage).__name__,
            "steps": str(self.step),
            "data": str(self.stage.data),
            "license": "as of the data and the weights that it was trained from",
        }


def _network(stage: Stage) -> Network:
    config = CONFIGS[stage.network]
    if isinstance(config, LiteGaussiansConfig):
        config = dataclasses.replace(config, stride=stage.stride)
    elif stage.stride != 1:
        raise StageError(f"stride is {stage.stride}, and SHARP's grid is what it is: wanted 1")
    elif (stage.height, stage.width) != (config.side_px, config.side_px):
        raise StageError(
            f"{stage.network} sees {config.side_px} x {config.side_px} px, "
            f"not {stage.width} x {stage.height}"
        )
    network = build(config)
    if stage.start is not None:
        begin(network, stage.start)
    freeze(network, train_depth=stage.train_depth, adjustment=stage.adjustment)
    training_mode(network)
    if stage.checkpointing:
        recompute(network)
    return network


def _teacher(network: Network) -> Network:
    """As it begins, for good: a network that draws its own inputs soon finds that they are right
    wherever nothing moves, and takes all for infinitely far."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def _features(stage: Stage, device: torch.device) -> Features | None:
    if not stage.weights.perceptual:
        return None
    return load_features(stage.perceptual, str(device))
