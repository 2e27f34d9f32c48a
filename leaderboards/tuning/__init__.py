"""Tuning of boards: one optimiser for every arm, chosen among the same candidates."""
