"""Weights for the user: what there is, how to get it, how to check and convert a file."""
