"""Boards, statistics and the command line, on top of environments, agents and baselines."""
