"""Scenes that are ready to be drawn, within a memory."""

from __future__ import annotations

import logging
from collections import OrderedDict

from sharp_xr.stream.loop import ShownScene

log = logging.getLogger(__name__)

BYTES_PER_GAUSSIAN = 96
"""Of a prepared scene, generously: 14 floats, and as much again for a renderer's own order."""


class ReadyScenes:
    """The one that was not looked at for longest gives way; the newest stays, however large."""

    def __init__(self, memory_bytes: int) -> None:
        self._capacity = max(1, memory_bytes // BYTES_PER_GAUSSIAN)  # Gaussians
        self._scenes: OrderedDict[str, ShownScene] = OrderedDict()  # last looked at comes last

    def get(self, scene_id: str) -> ShownScene | None:
        """None: it must be loaded."""
        return self._scenes.get(scene_id)

    def keep(self, shown: ShownScene) -> None:
        """It is looked at now."""
        self._scenes[shown.id] = shown
        self._scenes.move_to_end(shown.id)
        while len(self._scenes) > 1 and self._gaussians() > self._capacity:
            gone, _ = self._scenes.popitem(last=False)
            log.info("scene left memory", extra={"fields": {"scene": gone}})

    def forget(self, scene_id: str) -> None:
        """It is no scene any more."""
        self._scenes.pop(scene_id, None)

    def _gaussians(self) -> int:
        return sum(len(shown.prepared) for shown in self._scenes.values())
