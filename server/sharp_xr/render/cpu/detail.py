"""Fewer Gaussians for the same picture: four neighbours become one where it shows least.

Neighbours are the 2 x 2 cells of a grid, where the Gaussians come in SHARP's order (layer by layer,
row by row, seen from the photo's camera), else four that follow each other along a Morton curve;
four groups may merge once more. What it shows is measured: a picture in which all that can merge
has merged tells what each group has to answer for. To that comes an estimate by colours, for what
the photo's camera does not see. Two things are never merged: depths that differ by more than
``MOST_RATIO``, which is an edge, and neighbours with a gap between. At last what is left is fitted
to pictures of all (``fitting.py``), merged or not: it makes up for what has gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.cpu.fitting import Fitter
from sharp_xr.render.cpu.likeness import Likeness
from sharp_xr.render.cpu.merging import Indices, merged
from sharp_xr.render.cpu.scene import MORTON_BITS, visible_order
from sharp_xr.render.cpu.vantages import photo_view

f32 = np.float32
Bits = NDArray[np.bool_]

BEHIND = 0.05
"""How much of a second layer shows."""
ESTIMATED = f32(0.5)
"""Weight of what is estimated beside what is measured."""
LEAST_ROW = 8
ROUNDS = 56
"""Of fitting, for a quarter of the Gaussians; finer levels need fewer."""


@dataclass(frozen=True)
class Groups:
    """Neighbours among N Gaussians."""

    fours: Indices
    """[G, 4] what may become one."""
    sixteens: Indices
    """[K, 4] which fours may merge once more."""
    shown: Float32
    """[G] share of a group that is seen."""


def warm_up() -> None:
    """Compile, or read what was compiled: by thinning a wall, in rows and in disorder."""
    x, y = np.meshgrid(np.linspace(-1, 1, 16, dtype=np.float32), np.linspace(-1, 1, 16))
    means = np.stack([x.ravel(), y.ravel(), np.full(x.size, 2.0)], axis=1).astype(np.float32)
    covariances = np.tile(np.array([1, 0, 0, 1, 0, 1], np.float32) * f32(0.004), (len(means), 1))
    ones = np.ones((len(means), 3), np.float32)
    wall = Gaussians(means, covariances, ones, ones[:, 0])
    thinned(wall, len(wall) // 4, rounds=1)
    thinned(wall[np.random.default_rng(0).permutation(len(wall))], len(wall) // 4, rounds=1)


def thinned(gaussians: Gaussians, count: int, rounds: int = ROUNDS) -> Gaussians:
    """See :class:`Thinner`."""
    thinner = Thinner(gaussians)
    return thinner.fitted(thinner.to(count), rounds)


class Thinner:
    """Makes any number of levels of the same Gaussians."""

    def __init__(self, gaussians: Gaussians, threads: int | None = None) -> None:
        self._whole = gaussians
        self._groups = groups_of(gaussians)
        self._once = merged(gaussians, self._groups.fours, self._groups.shown)
        shown = self._groups.shown[self._groups.sixteens[:, 0]]
        self._twice = merged(self._once.gaussians, self._groups.sixteens, shown)
        # What merging again costs comes on top of what merging cost.
        self._cost = self._once.cost
        self._cost_twice = self._twice.cost + self._once.cost[self._groups.sixteens].sum(1)
        self._threads = threads
        self._fitter: Fitter | None = None
        # All but the deeper layers of a grid.
        pixels = self._groups.fours.shape[1] * int((self._groups.shown == 1).sum())
        can_merge = bool(np.isfinite(self._cost).any())
        self._photo = photo_view(gaussians, pixels) if can_merge else None
        if self._photo is not None:
            self._measure(Likeness(gaussians, self._photo, threads))

    def fitted(self, level: Gaussians, rounds: int = ROUNDS) -> Gaussians:
        """As many Gaussians as ``to`` made, which look more like all: the more rounds, the more.

        A scene that lies around its camera stays as it is merged.
        """
        if self._photo is None or level is self._whole:
            return level
        if self._fitter is None:
            self._fitter = Fitter(self._whole, self._photo, self._threads)
        return self._fitter.fitted(level, rounds)

    def to(self, count: int) -> Gaussians:
        """About ``count`` Gaussians, merged where it shows least from the photo's camera.

        Fewer than a sixteenth are not to be had, nor are edges ever merged; the order is not kept.
        """
        if count >= len(self._whole):
            return self._whole
        costs = np.concatenate([self._cost, self._cost_twice])
        costs = np.sort(costs[np.isfinite(costs)])
        low, high = 0, len(costs) - 1
        while low < high:
            middle = (low + high) // 2
            fits = self._count(*self._choice(costs[middle])) <= count
            low, high = (low, middle) if fits else (middle + 1, high)
        return self._join(*self._choice(costs[low] if len(costs) else -1.0))

    def _choice(self, threshold: float) -> tuple[Bits, Bits]:
        """Which groups merge, and which of them once more."""
        first = self._cost <= threshold
        again = (self._cost_twice <= threshold) & first[self._groups.sixteens].all(1)
        return first, again

    def _count(self, first: Bits, again: Bits) -> int:
        return len(self._whole) - 3 * int(first.sum()) - 3 * int(again.sum())

    def _parts(self, first: Bits, again: Bits) -> tuple[Bits, Bits, Bits]:
        """Which Gaussians remain, which groups of four are one, and which of sixteen."""
        single = np.ones(len(self._whole), bool)
        single[self._groups.fours[first]] = False
        fours = first.copy()
        fours[self._groups.sixteens[again]] = False
        return single, fours, again

    def _join(self, first: Bits, again: Bits) -> Gaussians:
        single, fours, sixteens = self._parts(first, again)
        once, twice = self._once.gaussians, self._twice.gaussians
        return joined(self._whole[single], once[fours], twice[sixteens])

    def _measure(self, likeness: Likeness) -> None:
        """Add to the estimated costs what pictures of merged Gaussians show."""
        first, again = self._choice(float(np.finfo(np.float32).max))
        none = np.zeros_like(again)
        estimates = self._cost, self._cost_twice
        measured = []
        for chosen in (none, again):
            _, fours, sixteens = self._parts(first, chosen)
            errors = likeness.errors(likeness.refit(self._join(first, chosen)))
            measured.append(errors[len(errors) - int(fours.sum()) - int(sixteens.sum()) :])
        self._cost, self._cost_twice = (ESTIMATED * estimate for estimate in estimates)
        self._cost[first] += measured[0]
        self._cost_twice[again] += measured[1][len(measured[1]) - int(again.sum()) :]


def joined(*parts: Gaussians) -> Gaussians:
    return Gaussians(
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.covariances for part in parts]),
        np.concatenate([part.colors for part in parts]),
        np.concatenate([part.opacities for part in parts]),
    )


def groups_of(gaussians: Gaussians) -> Groups:
    """The grids that the Gaussians begin with, and a curve through the rest."""
    fours, sixteens, shown = [], [], []
    start = layers = known = 0
    while start < len(gaussians):
        shape = leading_grid(gaussians.means[start:])
        if shape is None:
            rest = start + visible_order(gaussians[start:], 2**MORTON_BITS)
            part, again = rest[: len(rest) // 4 * 4].reshape(-1, 4), None
            start = len(gaussians)
        else:
            part, again = cells_of(*shape)
            part = part + start
            start += shape[0] * shape[1]
        if again is None:
            again = np.arange(len(part) // 4 * 4).reshape(-1, 4)
        fours.append(part)
        sixteens.append(again + known)
        shown.append(np.full(len(part), BEHIND if layers else 1.0, np.float32))
        known += len(part)
        layers += 1
    empty = np.empty((0, 4), np.int64)
    return Groups(
        np.concatenate([empty, *fours]),
        np.concatenate([empty, *sixteens]),
        np.concatenate([np.empty(0, np.float32), *shown]),
    )


def cells_of(rows: int, columns: int) -> tuple[Indices, Indices]:
    """The 2 x 2 cells of a grid, and the 2 x 2 of them; an odd row or column is left out."""

    def squares(indices: Indices) -> Indices:
        height, width = (n // 2 for n in indices.shape)
        cut = indices[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
        return cut.transpose(0, 2, 1, 3).reshape(-1, 4)

    cells = np.arange(rows * columns).reshape(rows, columns)
    of_cells = np.arange((rows // 2) * (columns // 2)).reshape(rows // 2, columns // 2)
    return squares(cells), squares(of_cells)


def leading_grid(means: Float32) -> tuple[int, int] | None:
    """Rows and columns, if the first Gaussians stand row by row as the photo's camera sees them."""
    if len(means) < LEAST_ROW * LEAST_ROW or not (means[:, 2] > 0).all():
        return None
    across, down = means[:, 0] / means[:, 2], means[:, 1] / means[:, 2]
    returns = np.flatnonzero(np.diff(across) < -0.5 * np.ptp(across))
    if not len(returns) or returns[0] + 1 < LEAST_ROW:
        return None
    columns = int(returns[0]) + 1
    wanted = columns * np.arange(1, len(returns) + 1) - 1
    rows = int(np.argmin(np.append(returns == wanted, False))) + 1
    rows = min(rows, len(means) // columns)
    # The next layer begins where the rows go back to the top.
    heights = down[: rows * columns].reshape(rows, columns).mean(1)
    back = np.flatnonzero(np.diff(heights) < -0.5 * np.ptp(heights))
    rows = int(back[0]) + 1 if len(back) else rows
    return (rows, columns) if rows >= LEAST_ROW else None
