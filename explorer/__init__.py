"""The explorer: a page on which trained experts can be watched and cut off (see docs/explorer.md)."""
