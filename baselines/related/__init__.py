"""Architectures related to Badger."""
