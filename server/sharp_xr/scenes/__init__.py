"""Scenes: made of uploads, kept on disk, and ready to be drawn."""
