"""Each switch of a stage reaches what is trained, and each row of an ablation is what it says."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tests.server.train.blurs import Blurs
from tests.server.train.planes import Planes
from tests.server.train.training import stage_of
from torch import Tensor, nn

from sharp_xr.train.ablate import Ablate
from sharp_xr.train.ablations import ABLATIONS, AblationName, Variant
from sharp_xr.train.memory import SavedTensors
from sharp_xr.train.objective import Weights, total
from sharp_xr.train.processes import Processes
from sharp_xr.train.run import Run
from sharp_xr.train.stages import Stage1

NOWHERE = Path("nowhere")
"""Nothing is written."""
TERMS = {field.name for field in dataclasses.fields(Weights)}
REGULARISERS = {"tv", "grad", "delta", "splat"}


@dataclass(frozen=True)
class Trained:
    """What a first step is made of."""

    terms: dict[str, Tensor]
    moving: set[str]
    """Parts of the network whose weights move."""
    idle: set[str]
    """Weights that move and have no gradient."""
    cells: int
    """Gaussians in a picture's layer."""
    precision: set[torch.dtype]
    """Of what the depth network's convolutions give."""
    held: int
    """Bytes that wait for the way back."""

    def unlike(self, other: Trained) -> set[str]:
        """Terms of both that are not the same."""
        shared = self.terms.keys() & other.terms.keys()
        return {name for name in shared if not torch.equal(self.terms[name], other.terms[name])}


@functools.cache  # many rows are the whole recipe
def trained(stage: Stage1) -> Trained:
    run = Run(stage, Planes(), Processes())
    batch = run.batch(0, range(2))
    with torch.no_grad():
        parts = run.network.parts(batch.rgb[:, 0], batch.focal_over_width)
    precision: set[torch.dtype] = set()
    for name, module in run.network.named_modules():
        if name.startswith("depth.") and isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, made: precision.add(made.dtype))
    with SavedTensors() as meter:
        terms = run.step_module(batch)
        held = meter.now
    torch.autograd.backward(total(terms, stage.weights).mean())
    moving = {name: p for name, p in run.network.named_parameters() if p.requires_grad}
    return Trained(
        terms={name: term.detach() for name, term in terms.items()},
        moving={name.split(".")[0] for name in moving},
        idle={name for name, p in moving.items() if p.grad is None},
        cells=parts.gaussians.means.shape[1] // 2,
        precision=precision,
        held=held,
    )


@pytest.fixture(scope="module", autouse=True)
def features(one_thread: None) -> Iterator[None]:
    """The perceptual network of all runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sharp_xr.train.run.load_features", lambda path, device: Blurs())
        yield


@pytest.fixture(scope="module")
def whole(features: None) -> Trained:
    """The whole recipe."""
    return trained(stage_of(NOWHERE, {"weights": Weights()}))


def test_own_view_counts_in_the_colour_term(whole: Trained) -> None:
    more = trained(stage_of(NOWHERE, {"weights": Weights(), "own_view": 3.0}))
    assert (more.terms["color"] > whole.terms["color"]).all()
    assert more.unlike(whole) == {"color"}


def test_bf16_is_what_the_network_computes_in(whole: Trained) -> None:
    half = trained(stage_of(NOWHERE, {"weights": Weights(), "precision": "bf16"}))
    assert whole.precision == {torch.float32}
    assert half.precision == {torch.bfloat16}


def test_checkpointing_holds_less_and_changes_no_term(whole: Trained) -> None:
    lean = trained(stage_of(NOWHERE, {"weights": Weights(), "checkpointing": True}))
    assert not lean.unlike(whole)
    assert lean.held < 0.95 * whole.held


@dataclass(frozen=True)
class Row:
    """How a row is unlike the whole recipe."""

    lacks: set[str] = dataclasses.field(default_factory=set)
    """Terms."""
    frozen: set[str] = dataclasses.field(default_factory=set)
    """Parts of the network."""
    unlike: set[str] = dataclasses.field(default_factory=set)
    """Terms that have another value at the first step."""
    cells: int = 32 * 32


ROWS = {
    "color + alpha": Row(lacks={"depth", "perceptual", *REGULARISERS}),
    "+ depth": Row(lacks={"perceptual", *REGULARISERS}),
    "+ perceptual": Row(lacks=REGULARISERS),
    "gram off": Row(unlike={"perceptual"}),
    "adjustment off": Row(lacks={"scale", "grad_scale"}, frozen={"depth_alignment"}),
    "depth frozen": Row(frozen={"depth"}),
    "1/4 of the sides": Row(cells=8 * 8, unlike={"color", "alpha", "perceptual"}),
    "1/2 of the sides": Row(cells=16 * 16, unlike={"color", "alpha", "perceptual"}),
}
"""All others are the whole recipe."""


@pytest.mark.parametrize(
    ("name", "variant"),
    [(name, variant) for name, variants in ABLATIONS.items() for variant in variants],
    ids=lambda value: value.label if isinstance(value, Variant) else value,
)
def test_each_row_of_an_ablation_trains_what_it_says(
    name: AblationName, variant: Variant, whole: Trained
) -> None:
    wish = Ablate(name, network="tiny-lite", size=32, steps=20)
    row, found = ROWS.get(variant.label, Row()), trained(wish.stage(variant))
    assert found.terms.keys() == TERMS - row.lacks
    assert found.moving == {"depth", "head", "depth_alignment"} - row.frozen
    assert not found.idle
    assert found.cells == row.cells
    assert found.unlike(whole) == row.unlike


def test_rows_that_are_not_the_whole_recipe_are_rows() -> None:
    labels = {variant.label for variants in ABLATIONS.values() for variant in variants}
    assert set(ROWS) <= labels
