"""Baselines: agents to compare Badger with. Nothing below this floor needs them."""
