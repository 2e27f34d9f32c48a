"""Submissions to a leaderboard: raw rows and weights, checked without running a submitter's code."""
