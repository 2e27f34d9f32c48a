"""Faces: the ways to use a family (Gymnasium, vector, torch, PettingZoo)."""
