"""A headset by OpenXR: what imports ``xr`` and OpenGL, and is itself imported late."""

import OpenGL

# Each call would ask glGetError otherwise; painting checks once where it matters.
OpenGL.ERROR_CHECKING = False
