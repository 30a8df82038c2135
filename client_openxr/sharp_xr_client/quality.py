"""What a viewer wishes where a server cannot do everything."""

from __future__ import annotations

from typing import Literal

from sharp_xr_client.connection import Connection
from sharp_xr_protocol.messages import QualityChoice

Wish = Literal["auto", "sharper", "smoother", "full"]
"""As of the protocol; "full": pictures of the whole size, whatever it costs."""


def capabilities_for(wish: Wish) -> list[str]:
    """What a Hello says of it."""
    return [] if wish == "full" else ["quality"]


async def tell(connection: Connection, wish: Wish) -> None:
    """Tell a server that has welcomed us, if it knows what that is.

    Raises:
        ClientError: the session is over.
    """
    if wish == "full" or wish == "auto" or "quality" not in connection.welcome.capabilities:
        return
    await connection.send(QualityChoice(wish))
