"""What a step does with its gradient: how far the weights go, and how far their average follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.server.train.planes import Planes
from tests.server.train.training import stage_of

from sharp_xr.train.objective import Weights
from sharp_xr.train.processes import Processes
from sharp_xr.train.run import Run

pytestmark = pytest.mark.usefixtures("one_thread")


def started(**changes: object) -> Run:
    return Run(stage_of(Path("nowhere"), changes), Planes(), Processes())


def length(run: Run) -> float:
    """Of the gradient that the optimizer sees at the first step."""
    found: list[float] = []

    def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        moving = [p for group in optimizer.param_groups for p in group["params"]]
        norms = [p.grad.norm() for p in moving if p.grad is not None]
        found.append(float(torch.stack(norms).norm()))

    run.optimizer.register_step_pre_hook(look)
    run.one_step()
    run.close()
    return found[0]


def test_the_optimizer_goes_by_the_schedule() -> None:
    run = started(steps=4, warm_up=2, peak=1e-3, floor=1e-4)
    rates: list[float] = []
    run.optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    for _ in range(4):
        run.one_step()
    run.close()
    assert rates == pytest.approx([0.5e-3, 1e-3, 1e-3, (1e-3 + 1e-4) / 2])


def test_every_weight_that_moves_has_learned_after_two_steps() -> None:
    """At the first one some wait for others, which begin at zero."""
    run = started(steps=4, warm_up=1, peak=1e-3)
    for _ in range(2):
        run.one_step()
    run.close()
    moving = [(name, p) for name, p in run.network.named_parameters() if p.requires_grad]
    still = {name for name, p in moving if p.grad is None or not p.grad.any()}
    # A key's shift moves all of a cell's answers alike, which softmax takes away.
    assert not {name for name in still if not name.endswith("asked.bias")}
    assert any("refinements" in name for name, _ in moving)


def test_late_the_average_follows_by_what_ema_leaves() -> None:
    run = started(ema=0.9, peak=1e-2, floor=1e-2)
    run.step = 10_000
    before = run.network.state_dict()["head.out.bias"].clone()
    run.one_step()
    run.close()
    moved = run.network.state_dict()["head.out.bias"] - before
    assert moved.abs().max() > 5e-3
    torch.testing.assert_close(run.average["head.out.bias"] - before, 0.1 * moved)


def test_gradients_are_shortened_to_clip_and_never_lengthened() -> None:
    steep = Weights(color=1e4, perceptual=0)
    free, cut = (length(started(weights=steep, clip=clip)) for clip in (1e9, 0.5))
    assert free > 10
    assert cut == pytest.approx(0.5, rel=1e-4)
    assert length(started(weights=steep, clip=2 * free)) == pytest.approx(free)
