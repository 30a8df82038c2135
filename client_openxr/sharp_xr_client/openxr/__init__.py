"""A headset by OpenXR: what imports ``xr`` and OpenGL, and is itself imported late."""

import OpenGL

# Each call would ask glGetError otherwise, and trip over what some runtimes leave behind in there.
OpenGL.ERROR_CHECKING = False
