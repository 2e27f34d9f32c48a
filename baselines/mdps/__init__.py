"""Algorithms for random Markov decision processes."""
