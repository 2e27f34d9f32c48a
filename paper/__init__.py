"""The figures and tables of the paper, measured and drawn again: scripts, not part of what is installed."""
