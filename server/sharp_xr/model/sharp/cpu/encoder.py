"""The encoder on a CPU, tile by tile; the same function as ../pyramid.py.

    tiles, a few at a time --Transformer--> tokens --projected at once--> merged maps --doubled-->

What makes it small: a transformer's packed weights live while it works; the tokens that no merge
keeps are never made; what leaves is projected from 1024 channels to 256 before the next tiles come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.cpu.packed import Doubling, Linear, Weights, give_back_memory
from sharp_xr.model.sharp.cpu.transformer import Transformer
from sharp_xr.model.sharp.pyramid import FINE, MIDDLE, cut, kept, pyramid

TILES_AT_A_TIME = 2
"""Larger groups gain nothing, and a client that cancels would wait for them."""
PREFIX = "monodepth_model.monodepth_predictor.encoder"

OnTile = Callable[[float], None]
"""Told how many tiles of the patch encoder are done, in parts of a tile too."""


@dataclass
class Features:
    """What the encoder hands on; maps [h, w, C], float32."""

    half_e0: Tensor
    """Before the last of its three doublings, a quarter of the size: each decoder does that."""
    e1: Tensor
    e2: Tensor
    e3: Tensor
    e4: Tensor


class Encoder:
    """Holds no weights; reads them for each picture."""

    def __init__(self, weights: Weights, config: SharpConfig, dtype: torch.dtype) -> None:
        """``dtype`` is that of the transformers' matrices."""
        self._weights = weights
        self._config = config
        self._dtype = dtype

    def __call__(self, picture: Tensor, on_tile: OnTile) -> Features:
        """[1, 3, S, S] in -1..1 -> features."""
        x0, x1, x2 = pyramid(picture)
        levels = [(cut(x0, FINE), FINE), (cut(x1, MIDDLE), MIDDLE), (x2, 1)]
        early, later, fine, middle, coarse = self._patch_encoder(levels, on_tile)
        give_back_memory()
        whole = self._image_encoder(x2)
        give_back_memory()
        double = self._doubling
        for name in ("upsample_latent0.1", "upsample_latent0.2"):
            early = double(name)(early)
        for name in ("upsample_latent1.1", "upsample_latent1.2"):
            later = double(name)(later)
        both = torch.cat([double("upsample2.1")(coarse), double("upsample_lowres")(whole)], dim=2)
        return Features(
            half_e0=early,
            e1=later,
            e2=double("upsample0.1")(fine),
            e3=double("upsample1.1")(middle),
            e4=self._linear("fuse_lowres")(both),
        )

    def _patch_encoder(
        self, levels: Sequence[tuple[Tensor, int]], on_tile: OnTile
    ) -> tuple[Tensor, ...]:
        """The merged maps: two of the hooks, and the last of each level."""
        transformer = self._transformer("patch_encoder")
        early, later = (self._merged(FINE, f"upsample_latent{i}.0") for i in (0, 1))
        last = [self._merged(n, f"upsample{i}.0") for i, (_, n) in enumerate(levels)]
        done = 0
        for (tiles, _), merged in zip(levels, last, strict=True):
            hooks = (early, later) if merged is last[0] else ()
            for start in range(0, len(tiles), TILES_AT_A_TIME):
                group = tiles[start : start + TILES_AT_A_TIME]
                self._group(transformer, group, start, merged, hooks, _after(done, group, on_tile))
                done += len(group)
        return early.map, later.map, *(merged.map for merged in last)

    def _group(
        self,
        transformer: Transformer,
        tiles: Tensor,
        start: int,
        last: Merged,
        hooks: Sequence[Merged],
        step: Callable[[float], None],
    ) -> None:
        """Some tiles of one level, the first of them number ``start``, into the level's maps."""
        numbers = range(start, start + len(tiles))
        wanted = self._config.hooks if hooks else ()
        tokens, raw = transformer(tiles, [last.kept(number) for number in numbers], wanted, step)
        for place, number in enumerate(numbers):
            last.put(number, tokens[place])
            for hook, patches in zip(hooks, raw, strict=True):
                hook.put(number, patches[place, hook.kept(number)])

    def _image_encoder(self, x2: Tensor) -> Tensor:
        """[1, 3, T, T] -> [g, g, D]."""
        grid = self._config.grid
        everything = torch.arange(grid * grid)
        # Its 36th part of the work is not counted: the detail speaks of 35 tiles.
        tokens, _ = self._transformer("image_encoder")(x2, [everything], (), lambda _: None)
        return tokens[0].view(grid, grid, -1)

    def _transformer(self, name: str) -> Transformer:
        return Transformer(self._weights, f"{PREFIX}.{name}", self._config, self._dtype)

    def _merged(self, count: int, projection: str) -> Merged:
        return Merged(count, self._config.grid, self._linear(projection))

    def _linear(self, name: str) -> Linear:
        """A 1 x 1 convolution, with a bias or without."""
        weight = self._weights(f"{PREFIX}.{name}.weight").flatten(1)
        bias = self._weights(f"{PREFIX}.{name}.bias") if name == "fuse_lowres" else None
        return Linear(weight, bias)

    def _doubling(self, name: str) -> Doubling:
        weight = self._weights(f"{PREFIX}.{name}.weight")
        bias = self._weights(f"{PREFIX}.{name}.bias") if name == "upsample_lowres" else None
        return Doubling(weight, bias)


def _after(done: int, tiles: Tensor, on_tile: OnTile) -> Callable[[float], None]:
    """Tells ``on_tile`` of a part of these tiles, on top of those done before."""
    return lambda part: on_tile(done + part * len(tiles))


class Merged:
    """The merged map of one level, filled tile by tile (section 2.4)."""

    def __init__(self, count: int, grid: int, project: Linear) -> None:
        """``count`` tiles along a side; 1 keeps all of its one tile."""
        self._grid = grid
        self._count = count
        self._project = project
        self._kept = [kept(index, count, grid) for index in range(count)]
        ends = torch.tensor([len(range(grid)[span]) for span in self._kept]).cumsum(0).tolist()
        self._places = [slice(*ends_of) for ends_of in zip([0, *ends], ends, strict=False)]
        self._map: Tensor | None = None

    def kept(self, tile: int) -> Tensor:
        """Which patches [M] of this tile end up in the map, row by row."""
        rows, columns = (self._kept[i] for i in divmod(tile, self._count))
        index = torch.arange(self._grid**2).view(self._grid, self._grid)
        return index[rows, columns].flatten()

    def put(self, tile: int, tokens: Tensor) -> None:
        """The kept tokens [M, D] of a tile."""
        values = self._project(tokens)
        if self._map is None:
            side = self._places[-1].stop
            self._map = values.new_empty(side, side, values.shape[-1])
        rows, columns = (self._places[i] for i in divmod(tile, self._count))
        place = self._map[rows, columns]
        place.copy_(values.view(place.shape))

    @property
    def map(self) -> Tensor:
        """[h, w, C], when all tiles are in it."""
        assert self._map is not None
        return self._map
