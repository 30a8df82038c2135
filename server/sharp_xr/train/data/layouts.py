"""Which kinds of places there are, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.outdoors import outdoors
from sharp_xr.train.data.places import Place
from sharp_xr.train.data.rooms import corridor, room
from sharp_xr.train.data.tables import portrait, tabletop

Make = Callable[[np.random.Generator, Library], Place]

LAYOUTS: tuple[tuple[Make, float], ...] = (
    (room, 0.45),
    (corridor, 0.1),
    (tabletop, 0.12),
    (portrait, 0.15),
    (outdoors, 0.18),
)
"""A maker of places and the share of scenes that it makes."""


def random_place(rng: np.random.Generator, library: Library) -> Place:
    """A place of any kind."""
    chosen = int(rng.choice(len(LAYOUTS), p=[share for _, share in LAYOUTS]))
    return LAYOUTS[chosen][0](rng, library)
