"""The channel: how messages travel between experts."""
