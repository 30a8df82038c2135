"""The rasterizer for machines without a GPU, in numba."""
