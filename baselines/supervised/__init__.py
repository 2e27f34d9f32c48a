"""Learners for variable IO and Boolean functions."""
