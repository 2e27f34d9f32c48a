"""Optimisers for hot/cold and the guessing game."""
