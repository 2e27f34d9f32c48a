"""Algorithms for bandits."""
