"""Submissions to a leaderboard: checked without running a submitter's code, and measured again here."""
