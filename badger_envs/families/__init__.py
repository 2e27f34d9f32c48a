"""Families of tasks, one a file; what one family alone needs lies beside it."""
