"""Values of methods on scenes -> means, standard errors, Markdown and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Row = Mapping[str, float]
"""One scene: a value for each measure."""


@dataclass(frozen=True)
class Mean:
    """Over scenes."""

    value: float
    error: float
    """Standard error; NaN for a single scene."""

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if math.isnan(self.error) else f" ± {self.error:.3f}")


@dataclass
class Table:
    """Methods by measures; each method has all scenes, in the same order."""

    scenes: Sequence[str]
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, method: str, row: Row) -> None:
        """The next scene of a method."""
        self.rows.setdefault(method, []).append(row)

    @property
    def measures(self) -> list[str]:
        """In the order of the first method's."""
        return list(next(iter(self.rows.values()))[0]) if self.rows else []

    def values(self, method: str, measure: str) -> list[float]:
        """By scene."""
        return [row[measure] for row in self.rows[method]]

    def mean(self, method: str, measure: str) -> Mean:
        """Over the scenes."""
        return mean(self.values(method, measure))

    def gain(self, method: str, over: str, measure: str) -> Mean:
        """The mean difference of two methods on the same scenes. Its error is that of the
        differences: scenes differ more than methods do."""
        pairs = zip(self.values(method, measure), self.values(over, measure), strict=True)
        return mean([a - b for a, b in pairs])

    def closed(self, method: str, floor: str, ceiling: str, measure: str) -> float:
        """Share of the way from one method's mean to another's."""
        low, high = (self.mean(name, measure).value for name in (floor, ceiling))
        return (self.mean(method, measure).value - low) / (high - low) if high != low else math.nan

    def figures(self) -> dict[str, float]:
        """{method}_{measure}: the means, flat."""
        return {
            f"{method}_{measure}": self.mean(method, measure).value
            for method in self.rows
            for measure in self.measures
        }

    def markdown(self) -> str:
        """Means with their standard errors, a line a method."""
        lines = [
            [method, *(str(self.mean(method, m)) for m in self.measures)] for method in self.rows
        ]
        return markdown(["", *self.measures], lines)

    def scenes_markdown(self, measure: str) -> str:
        """One measure: a line a scene, a column a method."""
        lines = [
            [scene, *(f"{rows[index][measure]:.3f}" for rows in self.rows.values())]
            for index, scene in enumerate(self.scenes)
        ]
        return markdown([measure, *self.rows], lines)


def mean(values: Sequence[float]) -> Mean:
    """Mean and standard error of the mean."""
    count = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return Mean(float(np.mean(values)), error)


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table."""
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])
