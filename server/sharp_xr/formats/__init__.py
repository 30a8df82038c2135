"""Gaussians to and from files."""
