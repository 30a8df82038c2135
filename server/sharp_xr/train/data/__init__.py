"""Scenes, views and shards: what the networks are trained on."""
