"""Membranes: what experts read of an observation and how writings become outputs."""
