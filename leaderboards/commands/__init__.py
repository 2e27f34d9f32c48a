"""The commands of `badger`, one file each; `leaderboards.cli` assembles them."""
