"""The Badger agent: experts with one policy, behind a membrane, talking over a channel."""
