"""The wire between a sharp-xr server and its clients: no I/O, no torch."""
