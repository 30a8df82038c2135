"""One photo in, a metric 3D scene in a headset out: the server's side."""
