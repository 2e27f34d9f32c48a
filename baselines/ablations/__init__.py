"""Agents with one part of Badger taken away."""
