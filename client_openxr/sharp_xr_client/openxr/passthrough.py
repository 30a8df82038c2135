"""The room as a layer below ours, by XR_FB_passthrough. Not run so far: it wants such a headset."""

from __future__ import annotations

from typing import Any

import xr


class Passthrough:
    """Runs from here until the session ends.

    Args:
        session: of a runtime whose instance has the extension.
    """

    def __init__(self, session: xr.Session) -> None:
        running = xr.PassthroughFlagsFB.IS_RUNNING_AT_CREATION_BIT
        self._feature = xr.create_passthrough_fb(session, xr.PassthroughCreateInfoFB(flags=running))
        self._layer = xr.create_passthrough_layer_fb(
            session,
            xr.PassthroughLayerCreateInfoFB(
                passthrough=self._feature,
                flags=running,
                purpose=xr.PassthroughLayerPurposeFB.RECONSTRUCTION,
            ),
        )

    def layer(self) -> Any:
        """For ``xrEndFrame``, before ours."""
        return xr.CompositionLayerPassthroughFB(
            flags=xr.CompositionLayerFlags.BLEND_TEXTURE_SOURCE_ALPHA_BIT,
            layer_handle=self._layer,
        )
