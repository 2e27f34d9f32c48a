"""Leaderboards as data: what each compares, its runs, and what they say."""
