"""Which scene of the server's gallery is seen."""

from __future__ import annotations

from collections.abc import Sequence

from sharp_xr_client.connection import Connection
from sharp_xr_client.problem import ClientError
from sharp_xr_protocol.messages import Scene, SceneSelect


async def select_scene(connection: Connection, wanted: str | None) -> Scene | None:
    """Ask for the scene with this id or name, else for the newest; None if there is none yet.

    Raises:
        ClientError: there is no such scene.
    """
    scenes = connection.scenes
    found = [scene for scene in scenes if wanted in (None, scene.id, scene.name)]
    if wanted is not None and not found:
        known = ", ".join(f"{scene.id} ({scene.name})" for scene in scenes[:5]) or "none at all"
        raise ClientError(f"the server has no scene {wanted!r}; it has {known}")
    if not found:
        return None
    await connection.send(SceneSelect(found[0].id))
    return found[0]


def neighbour(scenes: Sequence[Scene], shown: Scene | None, step: int) -> Scene | None:
    """The scene ``step`` places after the shown one, around the gallery; None: there is no other.

    A shown scene that is not in the gallery any more has the newest after it.
    """
    ids = [scene.id for scene in scenes]
    if shown is None or shown.id not in ids:
        return scenes[0] if scenes else None
    found = scenes[(ids.index(shown.id) + step) % len(ids)]
    return None if found.id == shown.id else found
