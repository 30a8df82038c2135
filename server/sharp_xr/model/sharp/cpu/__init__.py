"""SHARP's forward pass arranged for a CPU; ``engine.Engine`` is the door."""
